"""Baselines as experiments use them: named, and checked, since other packages may supply them.

This is the only place that checks whether a member of `baselines` follows the `Codec` protocol. One
that cannot be created is an error in the config; one that does not return a file or pixels fails
its trial.
"""

from __future__ import annotations

import functools
import math
import numbers
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adaptive_kmeans import specs
from adaptive_kmeans.alpha import require_opaque
from adaptive_kmeans.baselines.formats import Pixels
from adaptive_kmeans.baselines.image_codecs import baselines
from adaptive_kmeans.codec import Codec
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, TrialsFailedError
from adaptive_kmeans.registry import blaming

COLUMNS = ("k", "quality")
"""Settings of baselines that have their own columns in tables."""
QUALITIES = range(1, 101)
"""Qualities of baselines that have one and do not state its range."""


@dataclass(frozen=True)
class Baseline:
    """A member of `baselines` as a `NamedCodec` that follows the protocol or fails with a message.

    Two of them are equal if their codecs and settings are, however the specs spell them.

    Parameters
    ----------
    label : str
        The canonical spelling of the spec that it was made from; see `Registry.spec`.
    full_spec : str
        The name and all settings, including defaults.
    version : str
        The codec's declared version.
    columns : dict
        Its method, which is the spec without `k` and `quality`, and these two if it has them.

    Examples
    --------
    >>> Baseline.create("jpeg") == Baseline.create("jpeg:75")
    True
    >>> Baseline.create("jpeg").columns
    {'method': 'jpeg', 'quality': 75}
    >>> Baseline.create("webp:60,method=4").columns
    {'method': 'webp:method=4', 'quality': 60}
    """

    label: str = field(compare=False)
    full_spec: str
    version: str = field(compare=False)
    columns: dict[str, Any] = field(compare=False)

    @classmethod
    def create(cls, spec: str) -> Baseline:
        """Create the codec that a spec names.

        Raises
        ------
        UnknownNameError
            No codec has this name.
        ConfigError
            It cannot be created, or its version or a setting cannot be stored in a table.
        MissingDependencyError
            It needs a library that is not installed.
        """
        codec, label = baselines.create(spec), baselines.spec(spec)
        settings = baselines.settings(spec)
        with blaming(ConfigError, f"baseline {spec}", "a version and settings that can be read"):
            version = codec.version
            values = {key: getattr(codec, key, None) for key in COLUMNS}
            of_all = [f"{key}={specs.to_text(getattr(codec, key))}" for key in settings]
            full_spec = ",".join([spec.partition(":")[0], *of_all])
        if not isinstance(version, str):
            raise ConfigError(f"version of baseline {spec}", "a str", reprlib.repr(version))
        # Settings without a column of their own are part of the name.
        columns: dict[str, Any] = {"method": baselines.spec(spec, without=COLUMNS)}
        for key, value in values.items():
            if value is not None:
                columns[key] = _number(f"{key} of baseline {spec}", value)
        return cls(label, full_spec, version, columns)

    @functools.cached_property
    def codec(self) -> Codec:
        """The member itself, which each process creates anew."""
        return baselines.create(self.label)

    def __reduce__(self) -> tuple[type[Baseline], tuple[Any, ...]]:
        # Without the member, which may not be picklable, or not be installed where a trial runs.
        return Baseline, (self.label, self.full_spec, self.version, self.columns)

    @property
    def name(self) -> str:
        """The name of the codec, without its quality."""
        return str(self.columns["method"])

    @property
    def qualities(self) -> range:
        """The qualities that `adaptive_kmeans.targets` tries.

        Raises
        ------
        ConfigError
            It has none.
        """
        setting = baselines.settings(self.label).get("quality")
        if setting is None:
            raise ConfigError(f"baseline {self.label}", "one that has a quality", "none")
        within = setting.within
        return QUALITIES if within is None else range(int(within.low), int(within.high) + 1)

    def with_quality(self, quality: float) -> Baseline:
        """Return the codec at another quality."""
        return self.create(baselines.spec(self.name, {"quality": _whole(quality)}))

    def encode_with_reconstruction(self, image: Pixels) -> tuple[bytes, Pixels]:
        """Encode pixels and decode the file."""
        data = self.encode(image)
        return data, self.decode(data)

    @property
    def parameters(self) -> dict[str, Any]:
        """The spec with all settings, including defaults, and the declared version."""
        return {"baseline": self.full_spec, "version": self.version}

    def encode(self, image: Pixels) -> bytes:
        """Encode (H, W, 3) pixels, or (H, W, 4) if the codec supports alpha, as a file's bytes.

        Raises
        ------
        TrialsFailedError
            The codec raised an error, or returned something else.
        TranslucentError
            The image has alpha, but the codec does not support it.
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
        """Decode a file to (H, W, 3) pixels, or (H, W, 4) with alpha.

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
    """Return the baseline that decodes a row's file, given its method and its other columns."""
    settings = baselines.settings(method)
    values = {key: columns.get(key) for key in COLUMNS if key in settings}
    given = {key: _whole(value) for key, value in values.items() if value is not None}
    return Baseline.create(baselines.spec(method, given))


def titles(methods: Iterable[str]) -> dict[str, str]:
    """Return the names of baseline methods in figures, with the settings that tell them apart.

    Examples
    --------
    >>> titles(["webp", "webp:method=4", "avif:speed=2"])
    {'webp': 'webp, method 6', 'webp:method=4': 'webp, method 4', 'avif:speed=2': 'avif, speed 2'}
    """
    by_name: dict[str, list[str]] = {}
    for method in dict.fromkeys(methods):
        by_name.setdefault(method.partition(":")[0], []).append(method)
    return {method: title for alike in by_name.values() for method, title in _titles(alike).items()}


def _titles(methods: Sequence[str]) -> dict[str, str]:
    """Return the names of one codec's methods, with every setting that any of them gives."""
    if methods == [methods[0].partition(":")[0]]:
        return {methods[0]: methods[0]}
    try:
        given = {method: baselines.split(method)[1] for method in methods}
        settings = baselines.settings(methods[0])
    except AdaptiveKMeansError:  # its package is no longer installed
        return {method: method for method in methods}
    swept = [key for key in settings if any(key in texts for texts in given.values())]
    return {
        method: ", ".join(
            [method.partition(":")[0], *(_part(settings[key], texts.get(key)) for key in swept)]
        )
        for method, texts in given.items()
    }


def _part(setting: specs.Setting, text: str | None) -> str:
    """Return the name of a setting, given its text or None for its default."""
    text = specs.to_text(setting.default) if text is None else text
    name = setting.name.replace("_", " ")
    if setting.kind is bool:
        return name if text == "true" else f"not {name}"
    return f"{name} {text}"


def _whole(value: float) -> float:
    """Return a number from a table, where integers may have become floats."""
    return int(value) if value == int(value) else value


def _number(what: str, value: object) -> float:
    """Return a setting as a Python number, since JSON does not accept NumPy's."""
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    raise ConfigError(what, "a finite number or None", reprlib.repr(value))
