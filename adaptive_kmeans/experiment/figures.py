"""Figures of an experiment, from what its store holds: PNG, and PDF of those that are drawings.

Each is left out where the trials have nothing to show. Several images have axes of their own; more
than `MOST_IMAGES` are averaged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from adaptive_kmeans.experiment import pictures
from adaptive_kmeans.experiment.config import Figures
from adaptive_kmeans.experiment.series import (
    Measured,
    by_series,
    curve,
    minus_ciede2000,
    psnr,
    ssim_db,
    ssimulacra2,
)
from adaptive_kmeans.experiment.trials import Row
from adaptive_kmeans.metrics import front

# Okabe and Ito's palette, told apart by the color-blind; markers and hatches repeat the message.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000")
MARKERS = "osD^vP*Xp<>hd8"
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")
LINES = ("-", "--", ":", "-.")

MOST_IMAGES = 4
"""Images with axes of their own; more are averaged."""

MOST_GROUPS, MOST_BARS = 10, 40
"""Groups of bars side by side, and bars one below the other."""

DPI = 150

UNDATED: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""So that the same figure gives the same file."""


@dataclass(frozen=True)
class Shown:
    """The image whose pixels figures show.

    Parameters
    ----------
    name : str or None
        Its name; None where no image could be read.
    pixels : (H, W, 3) uint8 or None
        The image.
    """

    name: str | None
    pixels: npt.NDArray[np.uint8] | None


def draw_all(folder: Path, measured: Sequence[Measured], shown: Shown, asked: Figures) -> None:
    """Draw the figures that the trials allow into a folder.

    Parameters
    ----------
    folder : Path
        Where the files go.
    measured : sequence of Measured
        The trials that succeeded, their series named.
    shown : Shown
        The image whose pixels are shown; its trials have their files.
    asked : Figures
        Which figures, in which formats.
    """
    drawings: dict[str, Callable[[], Figure | None]] = {
        "quality": lambda: _quality_bars(measured),
        "psnr_against_rate": lambda: _against_rate(measured, psnr, "PSNR, dB"),
        "ssim_against_rate": lambda: _against_rate(measured, ssim_db, "−10 log10(1 − SSIM), dB"),
        "ssimulacra2_against_rate": lambda: _against_rate(measured, ssimulacra2, "SSIMULACRA 2"),
        "ciede2000_against_rate": lambda: _against_rate(
            measured, minus_ciede2000, "−CIEDE2000, mean over pixels"
        ),
        "rate_split": lambda: _rate_split(measured),
        "time_against_rate": lambda: _time_against_rate(measured),
    }
    for name, draw in drawings.items():
        if name in asked.draw and (figure := draw()) is not None:
            for suffix in asked.formats:
                figure.savefig(folder / f"{name}.{suffix}", dpi=DPI, metadata=UNDATED.get(suffix))
    pictured = [m for m in measured if m.row.image == shown.name and m.data is not None]
    if shown.pixels is None or not pictured:
        return
    grids = {
        "classification": pictures.classification_maps,
        "reconstructions": pictures.reconstructions,
        "details": pictures.details,
    }
    for name, arrange in grids.items():
        if name in asked.draw and (figure := arrange(shown.pixels, pictured)) is not None:
            figure.savefig(folder / f"{name}.png", pil_kwargs={"compress_level": 3})


def _quality_bars(measured: Sequence[Measured]) -> Figure | None:
    """PSNR above SSIM, a column of axes an image; groups are methods, bars the codebook sizes."""
    by_ssim = any(m.row.ssim_published is not None for m in measured)
    metrics: list[tuple[str, Callable[[Row], float | None]]] = [
        ("PSNR, dB", lambda row: row.psnr_db),
        ("SSIM, 3×3×3 window" if by_ssim else "SSIM", lambda row: row.ssim_published or row.ssim),
    ]
    measured = [m for m in measured if m.row.coder is not None]
    metrics = [(label, value) for label, value in metrics if _values(measured, value)]
    ks, groups = {m.smaller_codebook for m in measured}, {m.series for m in measured}
    if not metrics or not ks or len(ks) > len(COLORS) or len(groups) > MOST_GROUPS:
        return None
    panels = _panels(measured)
    size = (max(6.0, 4.2 * len(panels)), 2.6 * len(metrics) + 0.4)
    figure = Figure(figsize=size, layout="constrained", dpi=DPI)
    grid = figure.subplots(len(metrics), len(panels), squeeze=False, sharey="row")
    for axes_row, (label, value) in zip(grid, metrics, strict=True):
        for axes, (title, members) in zip(axes_row, panels.items(), strict=True):
            _draw_bars(axes, members, value)
            axes.set_title(title.replace("$", r"\$"), fontsize=10)
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


def _against_rate(
    measured: Sequence[Measured], quality: Callable[[Row], float | None], label: str
) -> Figure | None:
    """Quality against bits per pixel, a curve a series: the best choices of its parameters.

    Choices that another one of the series beats in both are faint. Where images are averaged, the
    band holds the middle half of the images at each choice.
    """
    panels = {title: by_series(members) for title, members in _panels(measured).items()}
    curves = {
        title: {name: curve(members, quality) for name, members in groups.items()}
        for title, groups in panels.items()
    }
    if not any(any(map(len, of_panel.values())) for of_panel in curves.values()):
        return None
    names = list(dict.fromkeys(m.series for m in measured))
    figure = Figure(figsize=(max(7.0, 4.2 * len(panels) + 1.5), 4.2), layout="constrained")
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, groups) in zip(grid, panels.items(), strict=True):
        for i, name in enumerate(names):
            points = curves[title].get(name, [])
            best = front(points)
            color = COLORS[i % len(COLORS)]
            axes.plot(
                *_columns(best),
                marker=MARKERS[i % len(MARKERS)],
                color=color,
                linestyle=LINES[i // len(COLORS) % len(LINES)],
                label=name,
                markersize=5,
                linewidth=1.3,
            )
            axes.plot(*_columns(sorted(set(points) - set(best))), ".", color=color, alpha=0.3)
            if title.startswith("mean"):
                _draw_band(axes, groups.get(name, []), quality, color)
        axes.set_title(title.replace("$", r"\$"), fontsize=10)
        axes.set_xlabel("rate, bits per pixel of the file")
        axes.grid(alpha=0.3)
    grid[0].set_ylabel(label)
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return figure


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _draw_band(
    axes: Axes, members: Sequence[Measured], quality: Callable[[Row], float | None], color: str
) -> None:
    """Fill between the quartiles of quality over images, for series swept in one parameter."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for m in members:
        groups.setdefault((m.row.k, m.row.k1, m.row.k2, m.row.quality), []).append(m.row)
    band = []
    for rows in groups.values():
        values = _finite([quality(row) for row in rows])
        if values:
            rate = float(np.mean([row.bits_per_pixel for row in rows]))
            band.append((rate, *np.percentile(values, [25, 75])))
    kept = [m.row.k1 for m in members if m.row.k1 is not None]
    if len(band) > 1 and len(set(kept)) <= 1:
        rates, low, high = zip(*sorted(band), strict=True)
        axes.fill_between(rates, low, high, color=color, alpha=0.12, linewidth=0)


def _rate_split(measured: Sequence[Measured]) -> Figure | None:
    """Where the bits go: header, codebooks, region map, indices, as means over the images."""
    ours = [m for m in measured if m.row.index_map_bytes is not None]
    groups: dict[str, list[Row]] = {}
    for m in ours:
        groups.setdefault(m.title, []).append(m.row)
    if not 0 < len(groups) <= MOST_BARS:
        return None
    figure = Figure(figsize=(8.0, 1.2 + 0.22 * len(groups)), layout="constrained")
    axes = figure.subplots()
    left = np.zeros(len(groups))
    parts = ("header", "codebook", "region_map", "index_map")
    for part, color, hatch in zip(parts, COLORS, HATCHES, strict=False):
        widths = np.array(
            [
                np.mean([getattr(r, f"{part}_bytes") / r.bytes * r.bits_per_pixel for r in rows])
                for rows in groups.values()
            ]
        )
        label = part.replace("_", " ")
        axes.barh(
            list(groups),
            widths,
            left=left,
            label=label,
            color=color,
            hatch=hatch,
            edgecolor="white",
        )
        left += widths
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel("rate, bits per pixel of the file")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=len(parts), fontsize=8)
    return figure


def _time_against_rate(measured: Sequence[Measured]) -> Figure | None:
    """Seconds to encode against bits per pixel, for experiments that ask for times."""
    timed = [m for m in measured if m.row.encode_s]
    if not timed:
        return None
    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    axes = figure.subplots()
    for i, (name, members) in enumerate(by_series(timed).items()):
        points = curve(members, lambda row: row.encode_s)
        color, marker = COLORS[i % len(COLORS)], MARKERS[i % len(MARKERS)]
        axes.plot(*_columns(points), marker=marker, color=color, linestyle="", label=name)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("rate, bits per pixel of the file, mean over the images")
    axes.set_ylabel("encoding, seconds an image")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def _panels(measured: Sequence[Measured]) -> dict[str, list[Measured]]:
    """Group by image, or put many images together to be averaged."""
    images = list(dict.fromkeys(m.row.image for m in measured))
    if len(images) > MOST_IMAGES:
        sets: dict[str, list[Measured]] = {}
        for m in measured:
            sets.setdefault(m.row.image_set, []).append(m)
        return {
            f"mean of {len({m.row.image for m in members})} images, {name}": members
            for name, members in sets.items()
        }
    return {image: [m for m in measured if m.row.image == image] for image in images}


def _values(members: Sequence[Measured], value: Callable[[Row], float | None]) -> list[float]:
    return _finite([value(m.row) for m in members])


def _finite(values: Sequence[float | None]) -> list[float]:
    return [v for v in values if v is not None and math.isfinite(v)]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)
