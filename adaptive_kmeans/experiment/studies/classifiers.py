"""Agreement of detail measures with each other, and with a rate–distortion choice of blocks.

The whole image is quantized twice by regular K-means, with k1 and with k2 > k1 codewords, so that
only the choice of blocks is compared, not codebooks that depend on it. Under the two, a block of n
pixels has distortions D1 and D2, sums of squared errors. With fixed-length indices it costs
n log2 k1 or n log2 k2 bits, and the large codebook saves (D1 − D2) / (n log2(k2 / k1)) for each
additional bit. Minimizing D + λR gives the large codebook to each block that saves at least λ per
bit, whatever the other blocks get: Y. Shoham, A. Gersho, "Efficient bit allocation for an arbitrary
set of quantizers", IEEE Trans. ASSP 36(9), 1988. As λ falls, blocks are added in the order of what
they save per pixel. A measure and a threshold give a share of high-detail pixels, and so a rate;
the best choice at this rate takes blocks in that order until it has the same share.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from pydantic import Field

from adaptive_kmeans import codec
from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.detail import measures
from adaptive_kmeans.errors import ConfigError, counted
from adaptive_kmeans.experiment.keys import BlockSizes, Details, Thresholds
from adaptive_kmeans.experiment.labels import End, label_ends
from adaptive_kmeans.experiment.schema import Experiment, check_once
from adaptive_kmeans.experiment.studies.opaque import opaque_images
from adaptive_kmeans.experiment.style import TWO_COLUMNS, Drawn, blank, label_doubling, looks
from adaptive_kmeans.experiment.trials import Measurement, StudyTrial, load
from adaptive_kmeans.regions import HIGH_DETAIL, LOW_DETAIL, classify, thresholds

VERSION = 1
BEST = "rate-distortion"
"""Name of the rate–distortion choice in the table."""

Blocks = npt.NDArray[np.int64]
RegionMap = npt.NDArray[np.uint8]


class ClassifiersConfig(Experiment):
    """Detail measures × thresholds × block sizes × images: which blocks they select."""

    SAMPLE: ClassVar = {"detail": ["eigenvalue", "variance"]}

    kind: Literal["classifiers"]
    detail: Details
    threshold: Thresholds = Field(["median"])
    block_size: BlockSizes = Field([2, 4, 8, 16, 32])
    k1: int = Field(
        32, description="Codewords of the whole image, for the rate–distortion choice; below k2."
    )
    k2: int = Field(256, description="Likewise, of the large codebook.")

    def check(self) -> None:
        """Check all measures and thresholds."""
        super().check()
        swept = itertools.product(self.detail, self.threshold, self.block_size)
        for detail, threshold, block_size in swept:
            Settings(self.k1, self.k2, detail, threshold, block_size)
        if self.k1 >= self.k2:
            raise ConfigError("k1", f"fewer codewords than k2 = {self.k2}", self.k1)
        for key in ("detail", "threshold", "block_size"):
            check_once(key, getattr(self, key))


@dataclass(frozen=True)
class ClassifierRow:
    """A row of the table: two choices of the high-detail blocks of one image, at one threshold.

    `detail` is a measure; `other` is another one, each pair once, or "rate-distortion". Both assign
    `agreement_percent` of the blocks to the same region; `kappa`, Cohen's κ, is the agreement
    beyond chance, None if both assign all blocks to one region. `detail` classifies `high_percent`
    of the blocks as high detail. Against the rate–distortion choice, `benefit_percent` is the
    distortion that the large codebook saves in the blocks that `detail` selects, relative to what
    it saves in the best ones at the same rate; None if it saves nothing, and against measures.
    """

    TERMINAL: ClassVar[dict[str, str]] = {
        "image": "image",
        "block": "block_size",
        "threshold": "threshold",
        "detail": "detail",
        "other": "other",
        "agree %": "agreement_percent",
        "κ": "kappa",
        "gain %": "benefit_percent",
    }

    image_set: str
    image: str
    block_size: int
    threshold: str
    detail: str
    other: str
    agreement_percent: float
    kappa: float | None
    high_percent: float
    benefit_percent: float | None


def plan(config: ClassifiersConfig, sources: Sequence[ImageSource]) -> list[StudyTrial]:
    """List a trial for each image and block size.

    Translucent images are skipped unless the config has a background; skipped ones are printed.
    """
    fixed = {
        "detail": config.detail,
        "threshold": config.threshold,
        "k1": config.k1,
        "k2": config.k2,
    }
    return [
        StudyTrial("classifiers", VERSION, source, config.background, _measure, swept | fixed)
        for source in opaque_images(sources, config.background)
        for swept in ({"block_size": size} for size in config.block_size)
    ]


def _measure(
    source: ImageSource,
    background: str | None,
    block_size: int,
    detail: Sequence[str],
    threshold: Sequence[str],
    k1: int,
    k2: int,
) -> Measurement:
    """Compare all measures, threshold by threshold."""
    image = load(source, background)
    small, large = (_squared_errors(source, background, k) for k in (k1, k2))
    grid = BlockGrid(image.shape[0], image.shape[1], block_size)
    saved = block_sums(small - large, grid)
    scores = {name: measures.create(name)(image, grid) for name in detail}
    rows: list[ClassifierRow] = []
    for name in threshold:
        split = thresholds.create(name)
        maps = {measure: classify(values, split) for measure, values in scores.items()}
        place = source.set_name, source.name, block_size, name
        rows += _compare(place, maps, saved, grid.pixel_counts())
    return Measurement(rows)


@functools.lru_cache(maxsize=2)
def _squared_errors(source: ImageSource, background: str | None, k: int) -> Blocks:
    """Return each pixel's squared error under regular K-means: (H, W) int64."""
    image = load(source, background)
    decoded = codec.quantize(image, Settings.regular(k)).reconstruct()
    errors: Blocks = ((image.astype(np.int64) - decoded) ** 2).sum(axis=-1)
    return errors


def block_sums(values: Blocks, grid: BlockGrid) -> Blocks:
    """Sum (H, W) values over each block: (rows, columns).

    Examples
    --------
    >>> block_sums(np.ones((3, 5), dtype=np.int64), BlockGrid(3, 5, 2))
    array([[4, 4, 2],
           [2, 2, 1]])
    """
    for axis, length in enumerate((grid.height, grid.width)):
        values = np.add.reduceat(values, np.arange(0, length, grid.block_size), axis=axis)
    return values


def _compare(
    place: tuple[str, str, int, str], maps: dict[str, RegionMap], saved: Blocks, pixels: Blocks
) -> Iterator[ClassifierRow]:
    """Yield the rows of all pairs for an image, block size and threshold."""
    share = {name: 100 * float(one.mean()) for name, one in maps.items()}
    for (name, one), (other, two) in itertools.combinations(maps.items(), 2):
        yield ClassifierRow(*place, name, other, *agreement(one, two), share[name], None)
    for name, one in maps.items():
        high = one == HIGH_DETAIL
        best, most = best_choice(saved, pixels, int(pixels[high].sum()))
        benefit = 100 * float(saved[high].sum()) / most if most > 0 else None
        yield ClassifierRow(*place, name, BEST, *agreement(one, best), share[name], benefit)


def best_choice(saved: Blocks, pixels: Blocks, budget: int) -> tuple[RegionMap, float]:
    """Select the blocks that save most per pixel, up to a number of pixels.

    Parameters
    ----------
    saved : (rows, columns) int64
        Distortion that the large codebook saves in each block; below zero if it adds some.
    pixels : (rows, columns) int64
        Pixels of each block.
    budget : int
        Pixels of the blocks to select. If the last block fits only in part, because blocks at
        ragged edges are smaller, it is selected if half of it fits.

    Returns
    -------
    region_map : (rows, columns) uint8
        1 for selected blocks.
    saved : float
        Distortion that they save, the last one in proportion to what fits. No choice of blocks with
        as many pixels saves more.

    Examples
    --------
    >>> best_choice(np.array([[8, 9, 4]]), np.array([[4, 4, 1]]), 5)
    (array([[0, 1, 1]], dtype=uint8), 13.0)
    """
    order = np.argsort(-(saved / pixels), axis=None, kind="stable")
    sizes = pixels.flat[order]
    fits = np.clip((budget - (np.cumsum(sizes) - sizes)) / sizes, 0.0, 1.0)
    region_map = np.full(saved.shape, LOW_DETAIL, dtype=np.uint8)
    region_map.flat[order[fits >= 0.5]] = HIGH_DETAIL
    return region_map, float((fits * saved.flat[order]).sum())


def agreement(one: RegionMap, two: RegionMap) -> tuple[float, float | None]:
    """Return the percentage of equal values of two maps, and Cohen's κ if it is defined.

    Examples
    --------
    >>> agreement(np.array([[0, 1, 1, 0]]), np.array([[0, 1, 0, 0]]))
    (75.0, 0.5)
    >>> agreement(np.array([[1, 1]]), np.array([[1, 1]]))
    (100.0, None)
    """
    from sklearn.metrics import cohen_kappa_score

    equal = 100 * float((one == two).mean())
    if one.min() == one.max() == two.min() == two.max():
        return equal, None
    # The four cells of the contingency table, weighted, stand for all blocks.
    cells = np.arange(4)
    counts = np.bincount((2 * one.astype(np.intp) + two).ravel(), minlength=4)
    return equal, float(cohen_kappa_score(cells // 2, cells % 2, sample_weight=counts))


def summarize(rows: Sequence[ClassifierRow]) -> str:
    """Return Markdown tables of means over images: a row per pair, a column per block size."""
    lines: list[str] = []
    sizes = list(dict.fromkeys(row.block_size for row in rows))
    heads = " | ".join(f"{size}×{size}" for size in sizes)
    titles = {
        True: "agreement % with the rate–distortion choice (κ), benefit %",
        False: "agreement % of two measures (κ)",
    }
    for place in dict.fromkeys((row.image_set, row.threshold) for row in rows):
        members = [row for row in rows if (row.image_set, row.threshold) == place]
        images = len({row.image for row in members})
        lines += [f"## Set {place[0]}, threshold {place[1]}, means over images: {images}", ""]
        for best, title in titles.items():
            lines += [f"| {title} | {heads} |", f"| :-- |{' --: |' * len(sizes)}"]
            pairs = dict.fromkeys((r.detail, r.other) for r in members if (r.other == BEST) == best)
            for pair in pairs:
                chosen = [row for row in members if (row.detail, row.other) == pair]
                cells = [_means([r for r in chosen if r.block_size == size]) for size in sizes]
                name = pair[0] if best else " – ".join(pair)
                lines.append(f"| {name} | {' | '.join(cells)} |")
            lines.append("")
    return "\n".join(lines)


def _means(rows: Sequence[ClassifierRow]) -> str:
    equal = mean([row.agreement_percent for row in rows])
    kappa = mean([row.kappa for row in rows])
    benefit = mean([row.benefit_percent for row in rows])
    text = f"{equal:.1f} ({'–' if math.isnan(kappa) else f'{kappa:.2f}'})"
    return text if math.isnan(benefit) else f"{text}, {benefit:.1f}"


def mean(values: Sequence[float | None]) -> float:
    """Return the mean of the values that are not None, NaN if there are none."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else math.nan


def draw(rows: Sequence[ClassifierRow]) -> Iterator[tuple[str, Drawn]]:
    """Draw how close measures come to the rate–distortion choice, against the block size."""
    members = [row for row in rows if row.other == BEST]
    figures: dict[str, tuple[str, Callable[[ClassifierRow], float | None]]] = {
        "benefit_against_block_size": (
            "distortion saved, relative to the rate–distortion choice",
            lambda row: row.benefit_percent,
        ),
        "agreement_against_block_size": (
            "blocks in the same region as by the rate–distortion choice",
            lambda row: row.agreement_percent,
        ),
    }
    for name, (label, value) in figures.items():
        if any(value(row) is not None for row in members):
            chance = _chance if name.startswith("agreement") else None
            yield name, _against_block_size(members, value, label, chance)


def _against_block_size(
    rows: Sequence[ClassifierRow],
    value: Callable[[ClassifierRow], float | None],
    label: str,
    chance: Callable[[ClassifierRow], float] | None,
) -> Drawn:
    """Draw means over images: a row per set, a column per threshold, a line per measure."""
    sets = list(dict.fromkeys(row.image_set for row in rows))
    splits = list(dict.fromkeys(row.threshold for row in rows))
    details = list(dict.fromkeys(row.detail for row in rows))
    sizes = sorted({row.block_size for row in rows})
    figure = blank(TWO_COLUMNS, 0.5 + 1.7 * len(sets))
    grid = figure.subplots(len(sets), len(splits), squeeze=False, sharex=True, sharey=True)
    ends: dict[Axes, list[End]] = {}
    for axes_row, name in zip(grid, sets, strict=True):
        for axes, split in zip(axes_row, splits, strict=True):
            chosen = [row for row in rows if (row.image_set, row.threshold) == (name, split)]
            for detail, style in zip(details, looks(details), strict=True):
                groups = [
                    [r for r in chosen if (r.detail, r.block_size) == (detail, size)]
                    for size in sizes
                ]
                means = [mean([value(row) for row in group]) for group in groups]
                axes.plot(sizes, means, label=detail, **style)
                if split == splits[-1] and math.isfinite(means[-1]):
                    ends.setdefault(axes, []).append(
                        End(detail, sizes[-1], means[-1], style["color"])
                    )
                if chance is not None:
                    by_chance = [mean([chance(row) for row in group]) for group in groups]
                    axes.plot(sizes, by_chance, linestyle=":", color=style["color"])
            label_doubling(axes, sizes)
            images = len({row.image for row in chosen})
            axes.set_title(f"{split}\n{name}, {counted(images, 'image')}")
            axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
            axes.grid()
    figure.supylabel(label, fontsize=8)
    figure.supxlabel("side of a block, pixels", fontsize=8)
    label_ends(figure, ends)
    dotted = "" if chance is None else " Dotted: by chance, at the same share of blocks."
    count = counted(len({row.image for row in rows}), "image")
    return Drawn(
        figure,
        f"{label.capitalize()}, by detail measure, threshold and block size: means over {count}. "
        f"The names at the right hold for the whole row.{dotted}",
    )


def _chance(row: ClassifierRow) -> float:
    """Return the percentage of blocks on which two random choices of that share agree."""
    share = row.high_percent / 100
    return 100 * (share**2 + (1 - share) ** 2)
