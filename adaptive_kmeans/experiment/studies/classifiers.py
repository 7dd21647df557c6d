"""Agreement of detail measures with each other, and with a rate–distortion choice of blocks.

The whole image is quantized twice by regular K-means, with k1 and with k2 > k1 codewords, so that
only the choice of blocks is compared, not codebooks that depend on it. In the two, a block of n
pixels has distortions D1 and D2, sums of squared errors. With fixed-length indices it costs
n log2 k1 or n log2 k2 bits, and the large codebook saves (D1 − D2) / (n log2(k2 / k1)) for each
additional bit. Minimizing D + λR gives the large codebook to each block that saves at least λ per
bit, whatever the other blocks get: Y. Shoham, A. Gersho, "Efficient bit allocation for an arbitrary
set of quantizers", IEEE Trans. ASSP 36(9), 1988. As λ falls, blocks are added in the order of their
savings per pixel. A measure and a threshold give a share of high-detail pixels, and so a rate;
the best choice at this rate takes blocks in that order until it has the same share.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from pydantic import Field

from adaptive_kmeans import codec
from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.detail import measures
from adaptive_kmeans.errors import ConfigError, counted
from adaptive_kmeans.experiment.columns import columns_of, label, measured, parameter
from adaptive_kmeans.experiment.keys import BlockSizes, Details, Thresholds
from adaptive_kmeans.experiment.kind import study
from adaptive_kmeans.experiment.labels import End, label_ends
from adaptive_kmeans.experiment.schema import Experiment, check_once
from adaptive_kmeans.experiment.studies.opaque import opaque_images
from adaptive_kmeans.experiment.style import TWO_COLUMNS, Drawn, blank, label_doubling, looks
from adaptive_kmeans.experiment.tables import pivoted
from adaptive_kmeans.experiment.trials import Measurement, StudyTrial, cached, load
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
    k2: int = Field(256, description="Likewise, for the large codebook.")

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
    it saves in the best ones at the same rate; None if it saves nothing, and if `other` is a
    measure.
    """

    image_set: str = label()
    image: str = parameter("image")
    block_size: int = parameter("block")
    threshold: str = parameter("threshold")
    detail: str = parameter("detail")
    other: str = parameter("other")
    agreement_percent: float = measured(".1f", "agree %", tolerance=0.1)
    kappa: float | None = measured(".3f", "κ", tolerance=0.002)
    high_percent: float = measured(".1f", tolerance=0.1)
    benefit_percent: float | None = measured(".1f", "gain %", tolerance=0.1)


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
    packages = {
        *map(measures.package, config.detail),
        *map(thresholds.package, config.threshold),
    } - {""}
    shared = config.background, _measure
    return [
        StudyTrial("classifiers", VERSION, source, *shared, swept | fixed, tuple(sorted(packages)))
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
    return Measurement([asdict(row) for row in rows])


@cached(2)  # two codebook sizes
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


def summarize(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Return means over images: a row for each pair, a column for each block size."""
    found = []
    heads = {
        True: "agreement % with the rate–distortion choice (κ), benefit %",
        False: "agreement % of two measures (κ)",
    }
    for is_best, head in heads.items():
        own = table[(table["other"] == BEST) == is_best]
        name = own["detail"] if is_best else own["detail"] + " – " + own["other"]
        down = ["image_set", "threshold", head]
        cells = pivoted(own.assign(**{head: name}), down, ["block_size"], _means, "{0}×{0}".format)
        found.append(cells.rename(columns={"image_set": "set"}))
    return found


def _means(rows: pd.DataFrame) -> dict[str, str]:
    means = rows[["agreement_percent", "kappa", "benefit_percent"]].mean()
    equal, kappa, benefit = means
    text = f"{equal:.1f} ({'–' if math.isnan(kappa) else f'{kappa:.2f}'})"
    return {"": text if math.isnan(benefit) else f"{text}, {benefit:.1f}"}


def draw(table: pd.DataFrame) -> Iterator[tuple[str, Drawn]]:
    """Draw how close measures come to the rate–distortion choice, against the block size."""
    share = table["high_percent"] / 100
    # How often two random choices with that share agree.
    own = table.assign(chance=100 * (share**2 + (1 - share) ** 2))[table["other"] == BEST]
    figures = {
        "benefit": ("distortion saved, relative to the rate–distortion choice", None),
        "agreement": ("blocks in the same region as by the rate–distortion choice", "chance"),
    }
    for name, (what, chance) in figures.items():
        column = f"{name}_percent"
        if own[column].notna().any():
            yield f"{name}_against_block_size", _against_block_size(own, column, what, chance)


def _against_block_size(table: pd.DataFrame, column: str, what: str, chance: str | None) -> Drawn:
    """Draw means over images: a row per set, a column per threshold, a line per measure."""
    sets, splits = table["image_set"].unique(), table["threshold"].unique()
    details, sizes = list(table["detail"].unique()), sorted(table["block_size"].unique())
    figure = blank(TWO_COLUMNS, 0.5 + 1.7 * len(sets))
    grid = figure.subplots(len(sets), len(splits), squeeze=False, sharex=True, sharey=True)
    ends: dict[Axes, list[End]] = {}
    for axes_row, name in zip(grid, sets, strict=True):
        for axes, split in zip(axes_row, splits, strict=True):
            chosen = table[(table["image_set"] == name) & (table["threshold"] == split)]
            means = chosen.groupby(["detail", "block_size"]).mean(numeric_only=True)
            for detail, style in zip(details, looks(details), strict=True):
                line = means.loc[detail].sort_index()
                axes.plot(line.index, line[column], label=detail, **style)
                if split == splits[-1] and math.isfinite(line[column].iloc[-1]):
                    end = End(detail, line.index[-1], line[column].iloc[-1], style["color"])
                    ends.setdefault(axes, []).append(end)
                if chance is not None:
                    axes.plot(line.index, line[chance], linestyle=":", color=style["color"])
            label_doubling(axes, sizes)
            axes.set_title(f"{split}\n{name}, {counted(chosen['image'].nunique(), 'image')}")
            axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
            axes.grid()
    figure.supylabel(what, fontsize=8)
    figure.supxlabel("side of a block, pixels", fontsize=8)
    label_ends(figure, ends)
    dotted = "" if chance is None else " Dotted: by chance, at the same share of blocks."
    count = counted(table["image"].nunique(), "image")
    return Drawn(
        figure,
        f"{what.capitalize()}, by detail measure, threshold and block size: means over {count}. "
        f"The names at the right hold for the whole row.{dotted}",
    )


KIND = study(
    "classifiers",
    ClassifiersConfig,
    columns_of(ClassifierRow),
    plan,
    summarize=summarize,
    draw=draw,
)
