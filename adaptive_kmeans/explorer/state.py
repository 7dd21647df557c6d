"""`ExplorerState`: all settings of a page or a widget, as one value.

It is the whole of the interface: which image, the settings of the method, and how the picture is
viewed. Both hosts of the explorer carry it as flat JSON; an address carries it as a query.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from adaptive_kmeans.codec import DEFAULT_QUALITY, Settings
from adaptive_kmeans.errors import ConfigError, UnknownNameError
from adaptive_kmeans.limits import MAX_BLOCK_SIZE, MAX_CODEWORDS, check_integer
from adaptive_kmeans.rate_distortion.effort import EFFORTS
from adaptive_kmeans.restoration import AUTO, NONE

METHODS = ("quality", "regular", "regions")
COMPARISONS = ("swipe", "side", "hold")
OVERLAYS = ("none", "regions", "error", "codeword")
VIEW = ("compare", "overlay", "codeword", "zoom", "x", "y", "swipe")
"""Keys that say how the picture is viewed, not what it is."""

MAX_NAME = 255
"""Largest number of characters in an image's name."""
MAX_SEED = 2**32 - 1
MAX_PLACE = 1e6


@dataclass(frozen=True)
class ExplorerState:
    """The settings of the explorer.

    Parameters
    ----------
    image : str
        Name of the image; "" is the first one.
    method : str
        ``quality``, ``regular`` or ``regions``: which of the following settings matter.
    quality : float
        0 to 100.
    k, k1, k2 : int
        Codewords of regular K-means, and of the two regions.
    block_size, detail, threshold, effort, tune, color_space, seed, dither
        See `adaptive_kmeans.codec.Settings`.
    restoration : bool
        Whether the decoder may filter and correct, each where it pays off.
    compare, overlay : str
        How the picture is compared with the original, and what is drawn over it.
    codeword : int
        The highlighted codeword, counted across all codebooks; -1 for none.
    zoom, x, y, swipe : float
        The part of the image in view, and the share of it that shows the original.

    Raises
    ------
    ConfigError, UnknownNameError
        A value has the wrong type, is out of range, or is an unknown name.

    Examples
    --------
    >>> state = ExplorerState(image="chelsea", method="regular", k=16, restoration=False)
    >>> state.settings() == Settings.regular(16)
    True
    >>> ExplorerState.from_query(state.to_query()) == state
    True
    """

    image: str = ""
    method: str = METHODS[0]
    quality: float = DEFAULT_QUALITY
    k: int = 16
    k1: int = 16
    k2: int = 64
    block_size: int = Settings.block_size
    detail: str = Settings.detail
    threshold: str = Settings.threshold
    effort: int = Settings.effort
    tune: str = Settings.tune
    restoration: bool = True
    color_space: str = Settings.color_space
    seed: int = Settings.seed
    dither: str = Settings.dither
    compare: str = COMPARISONS[0]
    overlay: str = OVERLAYS[0]
    codeword: int = -1
    zoom: float = 1.0
    x: float = 0.5
    y: float = 0.5
    swipe: float = 0.5

    def __post_init__(self) -> None:
        if not isinstance(self.image, str) or len(self.image) > MAX_NAME:
            raise ConfigError("image", f"a name of at most {MAX_NAME} letters", _short(self.image))
        for name, known in (
            ("method", METHODS),
            ("compare", COMPARISONS),
            ("overlay", OVERLAYS),
        ):
            value = getattr(self, name)
            if not isinstance(value, str):
                raise ConfigError(name, "a name", _short(value))
            if value not in known:
                raise UnknownNameError(name, value, known)
        for name, low, high in (
            ("k", 1, MAX_CODEWORDS),
            ("k1", 1, MAX_CODEWORDS),
            ("k2", 1, MAX_CODEWORDS),
            ("block_size", 1, MAX_BLOCK_SIZE),
            ("effort", min(EFFORTS), max(EFFORTS)),
            ("seed", 0, MAX_SEED),
            ("codeword", -1, 2 * MAX_CODEWORDS),
        ):
            object.__setattr__(self, name, check_integer(name, getattr(self, name), low, high))
        for name, least, most in (
            ("quality", 0.0, 100.0),
            ("zoom", 0.01, 1000.0),
            ("x", -MAX_PLACE, MAX_PLACE),
            ("y", -MAX_PLACE, MAX_PLACE),
            ("swipe", 0.0, 1.0),
        ):
            object.__setattr__(self, name, _check_real(name, getattr(self, name), least, most))
        if not isinstance(self.restoration, bool):
            raise ConfigError("restoration", "true or false", _short(self.restoration))
        # names for all methods, not just the chosen one: the address keeps them
        named = self._shared | self._split | self._plain
        Settings.published(1, 1, effort=self.effort, tune=self.tune, **named)

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Return the state of a JSON object that has every key and no others.

        Raises
        ------
        ConfigError, UnknownNameError
            It is not such an object, or has an invalid value.

        Examples
        --------
        >>> ExplorerState.from_dict({"k": 3})
        Traceback (most recent call last):
        adaptive_kmeans.errors.ConfigError: state: expected the key image, received none
        """
        if not isinstance(values, dict):
            raise ConfigError("state", "an object", _short(values))
        names = [field.name for field in dataclasses.fields(cls)]
        for name in names:
            if name not in values:
                raise ConfigError("state", f"the key {name}", "none")
        for name in values:
            if name not in names:
                raise ConfigError("state", f"only the keys {', '.join(names)}", _short(name))
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as a JSON object."""
        return dataclasses.asdict(self)

    @classmethod
    def from_query(cls, query: str) -> Self:
        """Return the state in the query of an address; absent keys have their defaults.

        Unknown keys are ignored, since links accumulate them when they are shared.

        Raises
        ------
        ConfigError, UnknownNameError
            A value cannot be used.

        Examples
        --------
        >>> ExplorerState.from_query("?method=regions&k1=8&via=mail").k1
        8
        """
        pairs = dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True))
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            if field.name in pairs:
                values[field.name] = _parse(field.name, pairs[field.name], type(field.default))
        return cls(**values)

    def to_query(self) -> str:
        """Return the query that restores the state: whatever differs from the defaults.

        Examples
        --------
        >>> ExplorerState(method="regular", k=8, restoration=False).to_query()
        'method=regular&k=8&restoration=false'
        """
        differing = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }
        return urlencode({name: _spell(value) for name, value in differing.items()})

    def settings(self) -> Settings:
        """Return the encoder settings that the state asks for."""
        if self.method == "quality":
            return Settings(
                quality=self.quality,
                effort=self.effort,
                tune=self.tune,
                detail=self.detail,
                **self._shared,
                **self._restored(by_default=True),
            )
        restored = self._restored(by_default=False)
        if self.method == "regular":
            return Settings.regular(self.k, **self._shared, **self._plain, **restored)
        named = self._split | self._shared | self._plain | restored
        return Settings.published(self.k1, self.k2, **named)

    @property
    def _shared(self) -> dict[str, Any]:
        return {
            "block_size": self.block_size,
            "color_space": self.color_space,
            "seed": self.seed,
        }

    @property
    def _split(self) -> dict[str, Any]:
        return {"detail": self.detail, "threshold": self.threshold}

    @property
    def _plain(self) -> dict[str, Any]:
        return {"dither": self.dither}

    def _restored(self, *, by_default: bool) -> dict[str, Any]:
        """Return the restoration settings where they differ from the method's own."""
        if self.restoration == by_default:
            return {}
        chosen = AUTO if self.restoration else NONE
        return {"restoration": chosen, "correction": chosen}


def _check_real(name: str, value: object, low: float, high: float) -> float:
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value) if abs(value) <= high - low + abs(low) else math.nan
    if not low <= number <= high:
        raise ConfigError(name, f"a number in {low:g}..{high:g}", _short(value))
    return number


def _parse(name: str, text: str, kind: type) -> Any:
    """Return the value of a key in a query."""
    if kind is bool:
        if text not in ("true", "false"):
            raise ConfigError(name, "true or false", _short(text))
        return text == "true"
    try:
        return kind(text)
    except ValueError:
        expected = "an integer" if kind is int else "a number"
        raise ConfigError(name, expected, _short(text)) from None


def _spell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _short(value: object) -> str:
    """Quote what was received, truncated to fit on a line."""
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:59]}…"
