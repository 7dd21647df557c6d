"""Targets: the best file within a size, or the smallest one that reaches a quality.

Both are found by trying at most `MAX_TRIES` qualities. Bytes and scores grow with quality, nearly
in proportion to it on a suitable scale: the logarithm of the bytes, or decibels. So each try is
where the previous ones predict the target, at first by a typical slope, then by interpolation
between the nearest tries below and above (regula falsi with the correction of the Illinois
algorithm: M. Dowell and P. Jarratt, BIT 11, 1971). A file that is close enough ends the search. So
do two adjacent qualities on either side of the target: bytes and scores jump where the encoder
chooses a finer correction, and no file is in between.

The tries depend only on the image, the target and the settings: the same ones give the same file,
and so does `encode` at the quality that was found.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import metrics
from adaptive_kmeans.codec import (
    AdaptiveKMeans,
    NamedCodec,
    Settings,
    check_settings,
    encode_with_reconstruction,
)
from adaptive_kmeans.container import with_metadata
from adaptive_kmeans.errors import ConfigError, ImageError, UnknownNameError, UnreachableError
from adaptive_kmeans.progress import Progress

if TYPE_CHECKING:
    from adaptive_kmeans.codec import Input
    from adaptive_kmeans.metadata import Metadata

Pixels = npt.NDArray[np.uint8]

MAX_TRIES = 8
SEARCH_VERSION = 2
"""Incremented whenever a search finds other files, so that experiments measure trials again."""
START = 0.7
"""Where on the dial a search begins."""
UNITS = {"": 1, "B": 1, "kB": 1000, "KiB": 1 << 10, "MB": 1000**2, "MiB": 1 << 20}
"""Units of a size, in bytes; case does not matter."""


class Kind(NamedTuple):
    """A quantity that a target can be of.

    Parameters
    ----------
    name, text : str
        Its name, and a format string for its numbers.
    is_budget : bool
        Whether the target must not be exceeded; otherwise it must be reached.
    measure : callable
        Takes the original, the file and what it decodes to.
    bounds : (float, float)
        The least and the greatest target.
    scale : callable
        Maps the quantity to a scale on which it is roughly proportional to quality.
    slope : float
        Typical change on the scale per step of quality, on photographs.
    tolerance : float
        How far from the target, on the better side and on the scale, a file is close enough.
    """

    name: str
    text: str
    is_budget: bool
    measure: Callable[[Pixels, bytes, Pixels], float]
    bounds: tuple[float, float]
    scale: Callable[[float], float]
    slope: float
    tolerance: float

    def fits(self, over: float) -> bool:
        """Return whether a file that is this far above the target is as asked for."""
        return over <= 0 if self.is_budget else over >= 0


def _budget(
    name: str, text: str, measure: Callable[[Pixels, bytes, Pixels], float], least: float
) -> Kind:
    return Kind(name, text, True, measure, (least, 1e12), math.log, slope=0.027, tolerance=0.02)


KINDS = {
    "size": _budget("size", "{:,.0f} B", lambda _, data, __: len(data), 1),
    "bpp": _budget(
        "rate",
        "{:.4g} bits per pixel",
        lambda image, data, _: metrics.bits_per_pixel(data, image.shape),
        1e-6,
    ),
    "psnr": Kind(
        "PSNR",
        "{:.2f} dB",
        False,
        lambda image, _, decoded: metrics.psnr(image, decoded),
        (0, 100),
        scale=float,
        slope=0.17,
        tolerance=0.2,
    ),
    "ssim": Kind(
        "SSIM",
        "{:.4f}",
        False,
        lambda image, _, decoded: metrics.ssim(image, decoded),
        (0, 0.99999),
        scale=metrics.ssim_db,
        slope=0.13,
        tolerance=0.2,
    ),
    "ssimulacra2": Kind(
        "SSIMULACRA 2",
        "{:.2f}",
        False,
        lambda image, _, decoded: metrics.ssimulacra2(image, decoded),
        (-100, 100),
        scale=float,
        slope=0.7,
        tolerance=1.0,
    ),
}
"""The kinds of targets, by name."""


@dataclass(frozen=True)
class Target:
    """What a file must be: at most this large, or at least this good.

    Parameters
    ----------
    kind : str
        ``size`` in bytes or ``bpp``, bits per pixel, for the best file that is no larger; ``psnr``
        in dB, ``ssim`` or ``ssimulacra2`` for the smallest file that is no worse.
    value : float, or str for a size
        The amount; a size may have a unit, as in ``"50kB"``: B, kB (1000), KiB (1024), MB or MiB.

    Raises
    ------
    ConfigError, UnknownNameError
        There is no such target.
    MissingDependencyError
        The target is of SSIMULACRA 2, whose library is not installed.

    Examples
    --------
    >>> Target("size", "50 kB")
    Target(kind='size', value=50000.0)
    >>> str(Target("psnr", 38))
    'PSNR of 38.00 dB'
    """

    kind: str
    value: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError("target", str(self.kind), KINDS)
        if self.kind == "ssimulacra2":
            metrics.require_ssimulacra2()
        low, high = KINDS[self.kind].bounds
        value = _size(self.value) if self.kind == "size" else _number(self.value)
        if not low <= value <= high:
            expected = f"a number in {low:g}..{high:g}"
            raise ConfigError(f"target {self.kind}", expected, repr(self.value))
        object.__setattr__(self, "value", value)

    def __str__(self) -> str:
        return f"{KINDS[self.kind].name} of {self.say(self.value)}"

    def say(self, value: float) -> str:
        """Return a number of this kind in words."""
        return KINDS[self.kind].text.format(value)


class Found(NamedTuple):
    """The file that a search ends with.

    Parameters
    ----------
    data : bytes
        The file.
    decoded : (H, W, 3) or (H, W, 4) uint8
        What it decodes to.
    quality : float
        The quality that it is coded at.
    reached : float
        The quantity of the target that it reaches; an infinite PSNR if it is lossless.
    tries : int
        How many files were made.
    """

    data: bytes
    decoded: Pixels
    quality: float
    reached: float
    tries: int


def encode_to(
    image: Input,
    target: Target,
    settings: Settings | None = None,
    *,
    metadata: Metadata | None = None,
    progress: Progress | None = None,
) -> Found:
    """Encode an image as the best file within a size, or the smallest one of a quality.

    Parameters
    ----------
    image : (H, W, 3) or (H, W, 4) uint8, or what `adaptive_kmeans.load` takes
        sRGB pixels, and alpha.
    target : Target
        What the file must be.
    settings : Settings, optional
        All settings but quality, which is found.
    metadata : Metadata, optional
        EXIF and XMP for the file to hold; a size includes them.
    progress : callable, optional
        Called with the number of the try, the stage's name and its finished share.

    Returns
    -------
    Found
        At the quality that was found, `encode` makes the same file, except for metadata.

    Raises
    ------
    UnreachableError
        No quality gives such a file.
    ConfigError
        The settings are not by quality.
    ImageError, LimitError
        See `encode`.

    Examples
    --------
    >>> image = np.arange(64 * 64 * 3, dtype=np.uint16).reshape(64, 64, 3) % 251
    >>> found = encode_to(image.astype(np.uint8), Target("size", 900), Settings(effort=1))
    >>> len(found.data) <= 900, found.tries <= MAX_TRIES
    (True, True)
    """
    if not isinstance(target, Target):
        raise ConfigError("target", "a Target", type(target).__name__)
    base = AdaptiveKMeans(check_settings(settings))
    if base.settings.quality is None:
        raise ConfigError("settings", "none of codebooks, since a target sets the quality", "some")
    if not isinstance(image, np.ndarray):
        from adaptive_kmeans.image import as_pixels

        image = as_pixels(image)
    tries = 0

    def attempt(quality: float) -> tuple[bytes, Pixels]:
        nonlocal tries
        tries += 1
        told = None if progress is None else _told(progress, f"try {tries}, quality {quality:g}")
        settings = base.with_quality(quality).settings
        data, decoded = encode_with_reconstruction(image, settings, progress=told)
        return data if metadata is None else with_metadata(data, metadata), decoded

    return search(attempt, base.qualities, target, image)


def _told(progress: Progress, what: str) -> Progress:
    return lambda stage, share: progress(f"{what}: {stage}", share)


class Dialed(NamedCodec, Protocol):
    """A codec with a quality: ours, and the baselines that have one."""

    @property
    def name(self) -> str:
        """Its name, without the quality."""
        ...

    @property
    def qualities(self) -> Sequence[float]:
        """All qualities, worst first."""
        ...

    def with_quality(self, quality: float) -> Dialed:
        """Return this codec at another quality."""
        ...

    def encode_with_reconstruction(self, image: Pixels) -> tuple[bytes, Pixels]:
        """Encode an image, and also return what the file decodes to."""
        ...


@dataclass(frozen=True)
class Targeted:
    """A codec as a `NamedCodec` that finds the quality for a target, image by image.

    Parameters
    ----------
    codec : Dialed
        The codec; its own quality does not matter.
    target : Target

    Examples
    --------
    >>> Targeted(AdaptiveKMeans(Settings(effort=3)), Target("bpp", 1)).label
    'perceptual effort 3 context-mixing, rate of 1 bits per pixel'
    """

    codec: Dialed
    target: Target

    @property
    def version(self) -> str:
        """The version of the codec."""
        return self.codec.version

    @property
    def label(self) -> str:
        """The codec and the target."""
        return f"{self.codec.name}, {self.target}"

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of the codec, and the target; quality is found."""
        others = {name: value for name, value in self.codec.columns.items() if name != "quality"}
        return others | {"target": self.target.kind, "target_value": self.target.value}

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the codec, and the target; the versions of the search and its score."""
        score = metrics.METRICS.get(self.target.kind)
        return {
            **self.codec.parameters,
            "target": dataclasses.astuple(self.target),
            "search": SEARCH_VERSION,
            "score": None if score is None else score.declared,
        }

    def find(self, image: Pixels) -> Found:
        """Return the file that the target asks for.

        Raises
        ------
        UnreachableError
            No quality gives it.
        """

        def attempt(quality: float) -> tuple[bytes, Pixels]:
            return self.codec.with_quality(quality).encode_with_reconstruction(image)

        return search(attempt, self.codec.qualities, self.target, image)

    def encode(self, image: Pixels) -> bytes:
        """Encode an image; see `find`."""
        return self.find(image).data

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return self.codec.decode(data)


class _Try(NamedTuple):
    """A file that was made."""

    place: int
    data: bytes
    decoded: Pixels
    reached: float
    over: float  # by how much it is above the target, on the scale
    fits: bool


def search(
    attempt: Callable[[float], tuple[bytes, Pixels]],
    dial: Sequence[float],
    target: Target,
    image: Pixels,
) -> Found:
    """Find the file that a target asks for.

    Parameters
    ----------
    attempt : callable
        Makes a file at a quality, and returns it and what it decodes to.
    dial : sequence of float
        The qualities, worst first. Bytes and scores grow with them.
    target : Target
    image : (H, W, 3) or (H, W, 4) uint8
        The original.

    Raises
    ------
    UnreachableError
        No quality gives such a file.
    ImageError
        The image is too small to be scored.
    """
    kind, last = KINDS[target.kind], len(dial) - 1
    slope = kind.slope * (dial[-1] - dial[0]) / max(last, 1)
    tries: list[_Try] = []
    below: _Try | None = None
    above: _Try | None = None
    while len(tries) < MAX_TRIES:
        low = 0 if below is None else below.place + 1
        high = last if above is None else above.place - 1
        if low > high or (below and above and slope * (high - low + 1) < kind.tolerance / 4):
            break  # only a jump is left in between
        place = min(max(_guess(tries, below, above, kind, slope, last), low), high)
        if len(tries) == MAX_TRIES - 1 and not any(one.fits for one in tries):
            place = 0 if kind.is_budget else last  # which fits if anything does
        now = _try(attempt, dial, place, target, image)
        tries.append(now)
        if now.fits and abs(now.over) <= kind.tolerance:
            break
        if now.fits and kind.is_budget and metrics.psnr(image, now.decoded) == math.inf:
            break
        below, above = (now, above) if now.fits == kind.is_budget else (below, now)
    return _best(tries, dial, target)


def _try(
    attempt: Callable[[float], tuple[bytes, Pixels]],
    dial: Sequence[float],
    place: int,
    target: Target,
    image: Pixels,
) -> _Try:
    kind = KINDS[target.kind]
    data, decoded = attempt(dial[place])
    reached = kind.measure(image, data, decoded)
    if math.isnan(reached):
        shape = " × ".join(map(str, image.shape[:2]))
        raise ImageError("image", f"one large enough for {kind.name}", shape)
    over = kind.scale(reached) - kind.scale(target.value)
    return _Try(place, data, decoded, reached, over, kind.fits(over))


def _guess(
    tries: Sequence[_Try],
    below: _Try | None,
    above: _Try | None,
    kind: Kind,
    slope: float,
    last: int,
) -> int:
    """Return the place where the middle of the tolerance is expected to be.

    Parameters
    ----------
    tries : sequence of _Try
        All of them, in order.
    below, above : _Try or None
        The nearest ones on either side.
    kind : Kind
    slope : float
        Typical change on the scale per place.
    last : int
        Number of the last place.
    """
    if not tries:
        return round(START * last)
    aim = kind.tolerance * (-0.5 if kind.is_budget else 0.5)
    newest = tries[-1]
    same = 0  # tries before the newest one that were on its side
    while same < len(tries) - 1 and tries[-2 - same].fits == newest.fits:
        same += 1
    if below is not None and above is not None:
        left, right = below.over - aim, above.over - aim
        if not math.isfinite(right - left):
            return (below.place + above.place) // 2
        # The other side counts half as much for each try in which it has not moved.
        if newest is below:
            right /= 2**same
        else:
            left /= 2**same
        return round(below.place - left * (above.place - below.place) / (right - left))
    if not math.isfinite(newest.over):
        return newest.place // 2
    if len(tries) > 1 and math.isfinite(tries[-2].over):
        seen = (newest.over - tries[-2].over) / (newest.place - tries[-2].place)
        slope = min(max(seen, slope / 4), slope * 4)
    return round(newest.place - (1 << max(same - 1, 0)) * (newest.over - aim) / slope)


def _best(tries: Sequence[_Try], dial: Sequence[float], target: Target) -> Found:
    """Return the best file that fits: the best one within a budget, else the smallest one."""
    kind = KINDS[target.kind]
    fitting = [one for one in tries if one.fits]
    if not fitting:
        nearest = min(tries, key=lambda one: abs(one.over))
        bound = "at most" if kind.is_budget else "at least"
        size = "" if target.kind == "size" else f", {len(nearest.data):,} B"
        raise UnreachableError(
            "target",
            f"{kind.name} of {bound} {target.say(target.value)}",
            f"{target.say(nearest.reached)} at quality {dial[nearest.place]:g}{size}",
        )
    if kind.is_budget:
        best = max(fitting, key=lambda one: one.place)
    else:
        best = min(fitting, key=lambda one: len(one.data))
    return Found(best.data, best.decoded, dial[best.place], best.reached, len(tries))


def _number(value: object) -> float:
    try:
        return math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _size(value: object) -> float:
    """Return a size in whole bytes, NaN if it is not one.

    Examples
    --------
    >>> _size("1.5 kB"), _size("2MiB"), _size(700)
    (1500.0, 2097152.0, 700.0)
    """
    factor = 1
    if isinstance(value, str):
        units = {unit.lower(): size for unit, size in UNITS.items()}
        found = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]*)\s*", value.lower())
        if found is None or found[2] not in units:
            expected = f"a number, maybe with a unit of {', '.join(filter(None, UNITS))}"
            raise ConfigError("target size", expected, repr(value))
        value, factor = found[1], units[found[2]]
    number = factor * _number(value)
    return float(math.floor(number)) if math.isfinite(number) else math.nan
