"""Baselines as experiments use them: named, and checked, since other packages may bring them.

Whether a member of `baselines` keeps the `Codec` protocol is checked here and nowhere else. One
that cannot be made is an error of the config; one that returns no file or no pixels fails its
trial.
"""

from __future__ import annotations

import functools
import math
import numbers
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adaptive_kmeans.alpha import require_opaque
from adaptive_kmeans.baselines.formats import Pixels
from adaptive_kmeans.baselines.image_codecs import baselines
from adaptive_kmeans.codec import Codec
from adaptive_kmeans.errors import ConfigError, TrialsFailedError
from adaptive_kmeans.registry import blaming

COLUMNS = ("k", "quality")
"""Settings of baselines that are columns of a table."""
QUALITIES = range(1, 101)
"""Qualities of those that have one."""


@dataclass(frozen=True)
class Baseline:
    """A member of `baselines` as a `NamedCodec` that does what it says, or fails with a message.

    Two of them are equal when their codecs and settings are, however the specs put it.

    Parameters
    ----------
    label : str
        The spec that it was made from.
    full_spec : str
        The spec with its setting spelled out, even where it is the default.
    version : str
        The codec's declared version.
    columns : dict
        Its method, and the settings `k` and `quality` where it has them.

    Examples
    --------
    >>> Baseline.create("jpeg") == Baseline.create("jpeg:75")
    True
    >>> Baseline.create("jpeg").columns
    {'method': 'jpeg', 'quality': 75}
    """

    label: str = field(compare=False)
    full_spec: str
    version: str = field(compare=False)
    columns: dict[str, Any] = field(compare=False)

    @classmethod
    def create(cls, spec: str) -> Baseline:
        """Make the codec that a spec names.

        Raises
        ------
        UnknownNameError
            No codec has this name.
        ConfigError
            It cannot be made, or its version or a setting cannot stand in a table.
        MissingDependencyError
            It needs a library that is not installed.
        """
        codec = baselines.create(spec)
        name, setting = spec.partition(":")[0], baselines.setting(spec)
        with blaming(ConfigError, f"baseline {spec}", "a version and settings that can be read"):
            version = codec.version
            values = {key: getattr(codec, key, None) for key in COLUMNS}
            full_spec = name if setting is None else f"{name}:{getattr(codec, setting)}"
        if not isinstance(version, str):
            raise ConfigError(f"version of baseline {spec}", "a str", reprlib.repr(version))
        # A setting that has no column of its own is told by the name.
        columns: dict[str, Any] = {"method": name if setting in COLUMNS else spec}
        for key, value in values.items():
            if value is not None:
                columns[key] = _number(f"{key} of baseline {spec}", value)
        return cls(spec, full_spec, version, columns)

    @functools.cached_property
    def codec(self) -> Codec:
        """The member itself, which each process makes anew."""
        return baselines.create(self.label)

    def __reduce__(self) -> tuple[type[Baseline], tuple[Any, ...]]:
        # Without the member, which may not be picklable, or not installed where a trial is run.
        return Baseline, (self.label, self.full_spec, self.version, self.columns)

    @property
    def name(self) -> str:
        """What it is called, quality aside."""
        return str(self.columns["method"])

    @property
    def qualities(self) -> range:
        """The qualities that `adaptive_kmeans.targets` tries.

        Raises
        ------
        ConfigError
            It has none.
        """
        if "quality" not in self.columns:
            raise ConfigError(f"baseline {self.label}", "one that has a quality", "none")
        return QUALITIES

    def with_quality(self, quality: float) -> Baseline:
        """Return the codec at another quality."""
        return self.create(f"{self.name}:{quality:g}")

    def encode_with_reconstruction(self, image: Pixels) -> tuple[bytes, Pixels]:
        """Encode pixels, and decode the file."""
        data = self.encode(image)
        return data, self.decode(data)

    @property
    def parameters(self) -> dict[str, Any]:
        """The spec, and the declared version."""
        return {"baseline": self.label, "version": self.version}

    def encode(self, image: Pixels) -> bytes:
        """Encode (H, W, 3) pixels, or (H, W, 4) if the codec has alpha, as the bytes of a file.

        Raises
        ------
        TrialsFailedError
            The codec raised an error, or returned something else.
        TranslucentError
            The image has alpha, and the codec has not.
        """
        if not getattr(self.codec, "has_alpha", False):
            require_opaque(f"image for baseline {self.label}", image)
        what, expected = f"encode of baseline {self.label}", "bytes, at least one"
        with blaming(TrialsFailedError, what, expected):
            data = self.codec.encode(image)
        if not isinstance(data, bytes) or not data:
            received = "none" if isinstance(data, bytes) else type(data).__name__
            raise TrialsFailedError(what, expected, received)
        return data

    def decode(self, data: bytes) -> Pixels:
        """Decode a file: (H, W, 3), or with alpha (H, W, 4).

        Raises
        ------
        TrialsFailedError
            The codec raised an error, or returned something else.
        """
        what = f"decode of baseline {self.label}"
        channels = (3, 4) if getattr(self.codec, "has_alpha", False) else (3,)
        shape = f"(height, width, {' or '.join(map(str, channels))})"
        expected = f"an array of shape {shape} and dtype uint8"
        with blaming(TrialsFailedError, what, expected):
            pixels = self.codec.decode(data)
        if not isinstance(pixels, np.ndarray):
            raise TrialsFailedError(what, expected, type(pixels).__name__)
        if pixels.ndim != 3 or pixels.shape[2] not in channels or pixels.dtype != np.uint8:
            raise TrialsFailedError(what, expected, f"{pixels.shape} {pixels.dtype}")
        return pixels


def decoder(method: str, columns: Mapping[str, float | None]) -> Baseline:
    """Return the baseline that decodes the file of a row, by its method and its other columns."""
    value = columns.get(baselines.setting(method) or "")
    return Baseline.create(method if value is None else f"{method}:{value:g}")


def _number(what: str, value: object) -> float:
    """Return a setting as a number of Python's, since JSON does not take NumPy's."""
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    raise ConfigError(what, "a finite number or None", reprlib.repr(value))
