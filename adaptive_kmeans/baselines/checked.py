"""Baselines for experiments: codecs that are checked, since other packages may have brought them.

What a codec is and does is compared with `ImageCodec` here and nowhere else. One that cannot be
made is an error of the config; one that makes no file or no pixels fails its trial.
"""

from __future__ import annotations

import contextlib
import math
import numbers
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from adaptive_kmeans.baselines.formats import Pixels
from adaptive_kmeans.baselines.image_codecs import ImageCodec, baselines
from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    ConfigError,
    TrialsFailedError,
    one_line,
)


@dataclass(frozen=True)
class Baseline:
    """A codec of `baselines` that does what `ImageCodec` says, or says what it did instead.

    Parameters
    ----------
    spec : str
        The spec that it was made from.
    full_spec : str
        The same for all specs of equal codecs: with the setting, be it the default.
    version : str
        Its declared version.
    k, quality : int or float or None
        Its settings of these names.
    codec : ImageCodec
        The codec itself.

    Examples
    --------
    >>> Baseline.create("jpeg").full_spec, Baseline.create("webp-lossless").full_spec
    ('jpeg:75', 'webp-lossless')
    """

    spec: str
    full_spec: str
    version: str
    k: float | None
    quality: float | None
    codec: ImageCodec

    @classmethod
    def create(cls, spec: str) -> Baseline:
        """Make the codec that a spec names.

        Raises
        ------
        UnknownNameError
            No codec has this name.
        ConfigError
            It cannot be made, or its version or a setting is of no use in a table.
        MissingDependencyError
            It needs a library that is not installed.
        """
        codec = baselines.create(spec)
        name, setting = spec.partition(":")[0], baselines.setting(spec)
        with _blaming(ConfigError, f"baseline {spec}", "a version and settings that can be read"):
            version = codec.version
            k, quality = getattr(codec, "k", None), getattr(codec, "quality", None)
            full_spec = name if setting is None else f"{name}:{getattr(codec, setting)}"
        if not isinstance(version, str):
            raise ConfigError(f"version of baseline {spec}", "a str", reprlib.repr(version))
        k = _number(f"k of baseline {spec}", k)
        quality = _number(f"quality of baseline {spec}", quality)
        return cls(spec, full_spec, version, k, quality, codec)

    def encode(self, image: Pixels) -> bytes:
        """Encode (H, W, 3) pixels as the bytes of a file.

        Raises
        ------
        TrialsFailedError
            The codec raised an error, or returned something else.
        """
        what, expected = f"encode of baseline {self.spec}", "bytes, at least one"
        with _blaming(TrialsFailedError, what, expected):
            data = self.codec.encode(image)
        if not isinstance(data, bytes) or not data:
            received = "none" if isinstance(data, bytes) else type(data).__name__
            raise TrialsFailedError(what, expected, received)
        return data

    def decode(self, data: bytes, shape: tuple[int, ...] | None = None) -> Pixels:
        """Decode a file to pixels of a shape, (H, W, 3), or of any such shape.

        Raises
        ------
        TrialsFailedError
            The codec raised an error, or returned something else.
        """
        what = f"decode of baseline {self.spec}"
        expected = f"an array of shape {shape or '(height, width, 3)'} and dtype uint8"
        with _blaming(TrialsFailedError, what, expected):
            pixels = self.codec.decode(data)
        if not isinstance(pixels, np.ndarray):
            raise TrialsFailedError(what, expected, type(pixels).__name__)
        right = pixels.shape == shape if shape else pixels.ndim == 3 and pixels.shape[2] == 3
        if not right or pixels.dtype != np.uint8:
            raise TrialsFailedError(what, expected, f"{pixels.shape} {pixels.dtype}")
        return pixels

    def warm_up(self) -> None:
        """Code a small image, so that libraries are loaded and kernels compiled before the clock.

        More colors than any palette has: what these need would not run otherwise.
        """
        noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        with contextlib.suppress(AdaptiveKMeansError):  # what is wrong, a trial will tell
            self.decode(self.encode(noise))


def decoder(name: str, settings: dict[str, float | None]) -> Baseline:
    """Return a baseline that decodes what the one of these settings, by their names, encoded."""
    value = settings.get(baselines.setting(name) or "")
    return Baseline.create(name if value is None else f"{name}:{value:g}")


@contextlib.contextmanager
def _blaming(kind: type[AdaptiveKMeansError], what: str, expected: str) -> Iterator[None]:
    """Turn whatever a codec raises into one line that names it."""
    try:
        yield
    except (AdaptiveKMeansError, MemoryError):
        raise
    except Exception as error:
        raise kind(what, expected, one_line(error)) from error


def _number(what: str, value: object) -> float | None:
    """Return a setting as a number that JSON has; NumPy's are none."""
    if value is None:
        return None
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    raise ConfigError(what, "a finite number or None", reprlib.repr(value))
