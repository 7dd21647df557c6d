"""Figures of an experiment: what the table says, drawn, and what the regions look like.

Four figures, each left out where the trials have nothing to show: classification maps (low-detail
blocks painted black), a grid of reconstructions, grouped bars of PSNR and SSIM, and PSNR against
rate. The pictures are decoded from the trials' files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from adaptive_kmeans import container
from adaptive_kmeans.experiment.config import CompressionConfig
from adaptive_kmeans.experiment.trials import Outcome, Row, load
from adaptive_kmeans.regions import LOW_DETAIL

# Okabe and Ito's palette, told apart by the color-blind; markers and hatches repeat the message.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000")
MARKERS = "osD^vP*Xp<>hd8"
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")

MOST_IMAGES = 4
"""Images with axes of their own; more are averaged."""

DPI = 150

PICTURE_DPI = 110
"""That of grids of pictures, whose pixels take most of an experiment's drawing."""

TITLE_HEIGHT, GAP, MIN_CELL = 42, 8, 150
"""Pixels above a picture for its two lines of title, between pictures, and across at least."""


@dataclass(frozen=True)
class Measured:
    """A trial that succeeded."""

    row: Row
    data: bytes

    @property
    def series(self) -> str:
        """What a figure calls the method: "regular", or the detail measure."""
        if self.row.threshold in (None, "median"):
            return self.row.label
        return f"{self.row.label}, {self.row.threshold}"

    @property
    def smaller_codebook(self) -> int:
        """The published parameter: k of regular K-means, else k1."""
        return self.row.k or self.row.k1 or 0


def draw_all(folder: Path, outcomes: Sequence[Outcome], config: CompressionConfig) -> None:
    """Draw the figures that the outcomes allow into a folder, as PNG files.

    Parameters
    ----------
    folder : Path
        Where the files go.
    outcomes : sequence of Outcome
        The trials; failed ones are left out.
    config : CompressionConfig
        Names the image whose pixels are shown; the first one by default.
    """
    measured = [Measured(o.row, o.data) for o in outcomes if o.row is not None]
    if not measured:
        return
    names = [m.row.image for m in measured]
    shown = config.figures.picture if config.figures.picture in names else names[0]
    of_picture = [m for m in measured if m.row.image == shown]
    original = next(
        load(o.trial.image, o.trial.background) for o in outcomes if o.trial.image.name == shown
    )
    figures = {
        "classification": _classification_maps(original, of_picture),
        "reconstructions": _reconstructions(original, of_picture),
        "quality": _quality_bars(measured),
        "psnr_against_rate": _psnr_against_rate(measured),
    }
    for name, figure in figures.items():
        if figure is not None:
            figure.savefig(folder / f"{name}.png", pil_kwargs={"compress_level": 3})


def _classification_maps(
    original: npt.NDArray[np.uint8], measured: Sequence[Measured]
) -> Figure | None:
    """Draw the original, then the image with each measure's low-detail blocks in black."""
    first = {m.series: m for m in reversed(measured) if m.row.method != "regular"}
    if not first:
        return None
    titles, pictures = ["original"], [original]
    for series, m in sorted(first.items()):
        low = container.read(m.data).pixel_regions == LOW_DETAIL
        titles.append(f"{series}\n{100 * low.mean():.1f} % low detail, black")
        pictures.append(np.where(low[..., None], np.uint8(0), original))
    return _picture_grid([titles], [pictures])


def _reconstructions(
    original: npt.NDArray[np.uint8], measured: Sequence[Measured]
) -> Figure | None:
    """Rows of k1, columns of methods; the first trial of each cell."""
    columns = list(dict.fromkeys(m.series for m in measured))
    rows = sorted({m.smaller_codebook for m in measured})
    if len(rows) > 6 or len(columns) > 8:
        return None
    cells = {(m.smaller_codebook, m.series): m for m in reversed(measured)}
    titles, pictures = [], []
    for k in rows:
        of_row = [cells.get((k, series)) for series in columns]
        titles.append([_cell_title(m) for m in of_row])
        pictures.append(
            [None if m is None else container.read(m.data).reconstruct() for m in of_row]
        )
    return _picture_grid(titles, pictures, original.shape)


def _cell_title(m: Measured | None) -> str:
    if m is None:
        return ""
    quality = "" if m.row.psnr_db is None else f"{m.row.psnr_db:.2f} dB, "
    rate = f"{m.row.bits_per_pixel:.2f} bits per pixel"
    return f"{m.series}, k = {m.row.codebook_sizes}\n{quality}{rate}"


def _picture_grid(
    titles: Sequence[Sequence[str]],
    pictures: Sequence[Sequence[npt.NDArray[np.uint8] | None]],
    shape: tuple[int, ...] | None = None,
) -> Figure:
    """Put pictures of one size in a grid, each below its title, pixel for pixel.

    Small pictures are magnified by whole factors, large ones are shrunk before matplotlib, which
    would take far longer, sees them.
    """
    height, width = (pictures[0][0].shape if shape is None else shape)[:2]  # type: ignore[union-attr]
    rows, columns = len(pictures), len(pictures[0])
    wanted = min(3.2, 13 / columns) * PICTURE_DPI
    scale = max(1, int(wanted / width)) if width < wanted else wanted / width
    size = max(1, round(width * scale)), max(1, round(height * scale))
    cell = max(size[0], MIN_CELL) + GAP, size[1] + TITLE_HEIGHT + GAP
    inches = (columns * cell[0] / PICTURE_DPI, rows * cell[1] / PICTURE_DPI)
    figure = Figure(figsize=inches, dpi=PICTURE_DPI)
    method = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS
    for row in range(rows):
        for column in range(columns):
            middle, bottom = (column + 0.5) * cell[0], (rows - 1 - row) * cell[1] + GAP / 2
            figure.text(
                middle / PICTURE_DPI / inches[0],
                (bottom + size[1] + 4) / PICTURE_DPI / inches[1],
                titles[row][column],
                fontsize=8,
                ha="center",
                va="bottom",
            )
            picture = pictures[row][column]
            if picture is not None:
                shown = np.asarray(Image.fromarray(picture).resize(size, method))
                figure.figimage(shown, round(middle - size[0] / 2), round(bottom), origin="upper")
    return figure


def _quality_bars(measured: Sequence[Measured]) -> Figure | None:
    """PSNR above SSIM, a column of axes an image; groups are methods, bars the codebook sizes."""
    by_ssim = any(m.row.ssim_published is not None for m in measured)
    metrics: list[tuple[str, Callable[[Row], float | None]]] = [
        ("PSNR, dB", lambda row: row.psnr_db),
        ("SSIM, 3×3×3 window" if by_ssim else "SSIM", lambda row: row.ssim_published or row.ssim),
    ]
    metrics = [(label, value) for label, value in metrics if _values(measured, value)]
    if not metrics:
        return None
    panels = _panels(measured)
    size = (max(6.0, 4.2 * len(panels)), 2.6 * len(metrics) + 0.4)
    figure = Figure(figsize=size, layout="constrained", dpi=DPI)
    grid = figure.subplots(len(metrics), len(panels), squeeze=False, sharey="row")
    for axes_row, (label, value) in zip(grid, metrics, strict=True):
        for axes, (title, members) in zip(axes_row, panels.items(), strict=True):
            _draw_bars(axes, members, value)
            axes.set_title(title, fontsize=10)
        axes_row[0].set_ylabel(label)
        lowest, highest = _range(_values(measured, value))
        margin = 0.15 * (highest - lowest) or 1e-3
        axes_row[0].set_ylim(lowest - margin, highest + margin)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", title="k or k1")
    return figure


def _draw_bars(
    axes: Axes, members: Sequence[Measured], value: Callable[[Row], float | None]
) -> None:
    groups = list(dict.fromkeys(m.series for m in members))
    ks = sorted({m.smaller_codebook for m in members})
    width = 0.8 / len(ks)
    for i, k in enumerate(ks):
        heights = [
            _mean(_values([m for m in members if (m.series, m.smaller_codebook) == (g, k)], value))
            for g in groups
        ]
        places = np.arange(len(groups)) + (i - (len(ks) - 1) / 2) * width
        color, hatch = COLORS[i % len(COLORS)], HATCHES[i % len(HATCHES)]
        axes.bar(places, heights, width, label=str(k), color=color, hatch=hatch, edgecolor="white")
    axes.set_xticks(np.arange(len(groups)), groups, fontsize=8)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)


def _psnr_against_rate(measured: Sequence[Measured]) -> Figure | None:
    """PSNR against bits per pixel, one line a method and coder."""
    finite = [m for m in measured if m.row.psnr_db is not None and math.isfinite(m.row.psnr_db)]
    if not finite:
        return None
    panels = _panels(finite)
    coders = list(dict.fromkeys(m.row.coder for m in finite))
    figure = Figure(figsize=(max(6.5, 4.2 * len(panels)), 3.8), layout="constrained", dpi=DPI)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    series = list(dict.fromkeys((m.series, m.row.coder) for m in finite))
    methods = list(dict.fromkeys(name for name, _ in series))
    for axes, (title, members) in zip(grid, panels.items(), strict=True):
        for name, coder in series:
            points = _curve([m for m in members if (m.series, m.row.coder) == (name, coder)])
            which = methods.index(name)
            axes.plot(
                *zip(*points, strict=True) if points else ([], []),
                marker=MARKERS[which % len(MARKERS)],
                color=COLORS[which % len(COLORS)],
                linestyle=("-", "--", ":", "-.")[coders.index(coder) % 4],
                label=name if len(coders) == 1 else f"{name}, {coder}",
                markersize=5,
            )
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("rate, bits per pixel of the file")
        axes.grid(alpha=0.3)
    grid[0].set_ylabel("PSNR, dB")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def _curve(members: Sequence[Measured]) -> list[tuple[float, float]]:
    """Return (rate, PSNR) for each pair of codebook sizes, averaged over images, by rate."""
    by_size: dict[tuple[object, ...], list[Row]] = {}
    for m in members:
        key = (m.smaller_codebook, m.row.k2, m.row.block_size, m.row.seed, m.row.color_space)
        by_size.setdefault(key, []).append(m.row)
    return sorted(
        (_mean([row.bits_per_pixel for row in rows]), _mean([row.psnr_db or 0.0 for row in rows]))
        for rows in by_size.values()
    )


def _panels(measured: Sequence[Measured]) -> dict[str, list[Measured]]:
    """Group by image, or put many images together to be averaged."""
    images = list(dict.fromkeys(m.row.image for m in measured))
    if len(images) > MOST_IMAGES:
        return {f"mean of {len(images)} images": list(measured)}
    return {image: [m for m in measured if m.row.image == image] for image in images}


def _values(members: Sequence[Measured], value: Callable[[Row], float | None]) -> list[float]:
    values = (value(m.row) for m in members)
    return [v for v in values if v is not None and math.isfinite(v)]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)
