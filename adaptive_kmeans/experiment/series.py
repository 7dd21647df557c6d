"""Series: the files of an experiment that make one curve, and its name.

A series is a method in which everything but the codebook sizes and the quality is fixed. Its name
has only what tells it from the others: a coder or a block size only if there are several.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import codec
from adaptive_kmeans.baselines.checked import decoder
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.experiment.rows import Row
from adaptive_kmeans.metrics import Curve
from adaptive_kmeans.restoration import AUTO, NONE

SERIES_COLUMNS = (
    "threshold",
    "block_size",
    "coder",
    "color_space",
    "detail",
    "detail_power",
    "tune",
    "effort",
    "restoration",
    "correction",
    "alpha_levels",
    "dither",
)
"""Columns that make up a series besides its method, in the order of its name."""

OPTIONAL = ("alpha_levels", "dither")
"""Those that without a value are off; other settings without a value do not apply."""

NO_LOSS_SSIMULACRA2 = 100 - 1e-6

MAX_IMAGES = 4
"""Most images to show separately; more are averaged."""


@dataclass(frozen=True)
class Measured:
    """A trial that succeeded.

    Parameters
    ----------
    row : Row
        Its row.
    data : bytes or None
        Its file, for the image that figures show.
    series : str
        Name of its series; see `named`.
    """

    row: Row
    data: bytes | None = field(default=None, repr=False)
    series: str = ""

    @property
    def smaller_codebook(self) -> int:
        """The parameter of the published tables: k of regular K-means, else k1."""
        return self.row.k or self.row.k1 or 0

    @property
    def title(self) -> str:
        """The name of the series with codebook sizes or quality."""
        if self.row.target is not None:
            return f"{self.series}, {self.row.aim}"
        if self.row.codebook_sizes:
            price = "" if self.row.price is None else f", λ = {self.row.price:g}"
            return f"{self.series}, k = {self.row.codebook_sizes}{price}"
        if self.row.is_ours:
            return f"{self.series}, quality {self.row.quality:g}"
        return self.series if self.row.quality is None else f"{self.series} {self.row.quality:g}"

    @property
    def file(self) -> bytes:
        """The file, which is stored for the image that figures show."""
        if self.data is None:
            raise ValueError(f"the file of {self.title} on {self.row.image} was not kept")
        return self.data

    def decode(self) -> npt.NDArray[np.uint8]:
        """Decode the file: (H, W, 3)."""
        if self.row.is_ours:
            return codec.decode(self.file)
        setting = {"k": self.row.k, "quality": self.row.quality}
        return decoder(self.row.method, setting).decode(self.file)


def named(measured: Sequence[Measured]) -> list[Measured]:
    """Name the series of all files."""
    ours = [m.row for m in measured if m.row.is_ours]
    swept = []
    for name in SERIES_COLUMNS:
        values = {getattr(row, name) for row in ours}
        if len(values if name in OPTIONAL else values - {None}) > 1:
            swept.append(name)
    return [dataclasses.replace(m, series=_name(m.row, swept)) for m in measured]


def _name(row: Row, swept: Sequence[str]) -> str:
    parts = [row.label]
    for name in swept:
        value = getattr(row, name)
        # Regular K-means does not depend on its block size.
        is_idle = row.method == "regular" and name == "block_size"
        is_label = name == "detail" and value == row.label
        if value is not None and not is_idle and not is_label:
            parts += _part(name, value, row.method == "rate-distortion")
    return ", ".join(parts)


def _part(name: str, value: Any, by_choice: bool) -> list[str]:
    """Return how a setting is called; not at all, if it is what its method has by default."""
    if name == "block_size":
        return [f"{value}×{value}"]
    if name == "detail_power":
        return [] if value == Settings.detail_power else [f"power {value:g}"]
    if name == "alpha_levels":
        return [f"{value} levels of alpha"]
    if name == "effort":
        return [f"effort {value}"]
    if name in ("restoration", "correction"):
        usual, other = (AUTO, f"no {name}") if by_choice else (NONE, f"{name} {value}")
        return [] if value == usual else [other if value in (AUTO, NONE) else f"{name} {value}"]
    return [str(value)]


def by_series(measured: Sequence[Measured]) -> dict[str, list[Measured]]:
    """Group files by series, in the order in which the series first occur."""
    groups: dict[str, list[Measured]] = {}
    for m in measured:
        groups.setdefault(m.series, []).append(m)
    return groups


def curve(members: Sequence[Measured], quality: Callable[[Row], float | None]) -> Curve:
    """Return (rate in bits per pixel, quality) for each choice of parameters, sorted by rate.

    With several images both are arithmetic means, over the choices that all images have. Several
    seeds of an image are averaged first.
    """
    images = {m.row.image for m in members}
    groups: dict[tuple[object, ...], list[Row]] = {}
    for m in members:
        groups.setdefault(m.row.point, []).append(m.row)
    points = []
    for rows in groups.values():
        # All seeds count as one choice, and so do block sizes of regular K-means.
        of_image: dict[str, list[tuple[float, float]]] = {}
        for row in rows:
            value = quality(row)
            if value is not None and math.isfinite(value):
                of_image.setdefault(row.image, []).append((row.bits_per_pixel, value))
        if set(of_image) == images:
            rate, mean = np.mean([np.mean(pairs, axis=0) for pairs in of_image.values()], axis=0)
            points.append((float(rate), float(mean)))
    return sorted(points)


def psnr(row: Row) -> float | None:
    """PSNR in dB."""
    return row.psnr_db


def ssim_db(row: Row) -> float | None:
    """SSIM in dB, −10 log10(1 − SSIM), a scale on which equal steps look about equal.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> round(ssim_db(SimpleNamespace(ssim=0.99)), 3)
    20.0
    """
    if row.ssim is None or math.isnan(row.ssim):
        return None
    return -10 * math.log10(1 - row.ssim) if row.ssim < 1 else math.inf


def ssimulacra2(row: Row) -> float | None:
    """SSIMULACRA 2; infinite for lossless files, like PSNR."""
    score = row.ssimulacra2
    return score if score is None or score < NO_LOSS_SSIMULACRA2 else math.inf


def minus_ciede2000(row: Row) -> float | None:
    """CIEDE2000, negated so that more is better; infinite for lossless files."""
    return None if row.ciede2000 is None else -row.ciede2000 or math.inf


def panels(
    measured: Sequence[Measured], quality: Callable[[Row], float | None]
) -> dict[str, list[Measured]]:
    """Group by image or, if there are more than `MAX_IMAGES`, by set, to be averaged.

    Infinite quality has no mean. An image that some lossy series codes losslessly at some choice of
    parameters is therefore excluded from the averages of all series, and the title says so. A
    series of only lossless files is kept. If no image of a set would be left, all are kept, and
    only choices that are lossy on all of them are averaged.
    """
    images = list(dict.fromkeys(m.row.image for m in measured))
    if len(images) <= MAX_IMAGES:
        return {image: [m for m in measured if m.row.image == image] for image in images}
    sets: dict[str, list[Measured]] = {}
    for m in measured:
        sets.setdefault(m.row.image_set, []).append(m)
    titled = {}
    for name, members in sets.items():
        lossy = [of for of in by_series(members).values() if not is_lossless(of, quality)]
        perfect = {m.row.image for of in lossy for m in of if quality(m.row) == math.inf}
        kept = [m for m in members if m.row.image not in perfect]
        if not kept:
            kept, perfect = members, set()
        count = f"{len({m.row.image for m in kept})} images"
        left_out = f" ({len(perfect)} lossless left out)" if perfect else ""
        titled[f"{name}, mean of {count}{left_out}"] = kept
    return titled


def is_lossless(members: Sequence[Measured], quality: Callable[[Row], float | None]) -> bool:
    """Return whether all files of a series are lossless."""
    return all(quality(m.row) == math.inf for m in members)


def values(members: Sequence[Measured], value: Callable[[Row], float | None]) -> list[float]:
    """Return the finite values of a set of files."""
    return finite([value(m.row) for m in members])


def finite(values: Sequence[float | None]) -> list[float]:
    """Return the values that are neither missing, infinite nor undefined."""
    return [v for v in values if v is not None and math.isfinite(v)]
