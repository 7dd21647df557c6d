"""Figures of coders: sizes relative to the smallest peer, and what groups of contexts save."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, PercentFormatter

from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment.studies.coder_ablation import NOTHING, AblationRow
from adaptive_kmeans.experiment.studies.coding_size import CodingSizeRow, Comparison, compare
from adaptive_kmeans.experiment.style import COLORS, DPI, MARKERS

GROWTH_TICKS = (-1, -0.5, 0, 0.5, 1, 2, 5, 10, 20, 50, 100)
"""In percent; the axis is linear up to one percent, then logarithmic."""


def draw_sizes(folder: Path, rows: Sequence[CodingSizeRow]) -> None:
    """Draw the sizes relative to the smallest peer's, if there are peers."""
    comparisons = compare(rows)
    if comparisons:
        _relative_sizes(comparisons).savefig(folder / "size_against_best_peer.png", dpi=DPI)


def draw_ablation(folder: Path, rows: Sequence[AblationRow]) -> None:
    """Draw how index maps grow without each group of contexts."""
    if any(row.without != NOTHING for row in rows):
        _growth(rows).savefig(folder / "growth_without_group.png", dpi=DPI)


def _relative_sizes(comparisons: Sequence[Comparison]) -> Figure:
    """Draw a panel per set: for each k and coder, a point per image and a line at the mean."""
    sets = list(dict.fromkeys(c.image_set for c in comparisons))
    coders = list(dict.fromkeys(c.coder for c in comparisons))
    ks = sorted({c.k for c in comparisons})
    figure = Figure(figsize=(max(6.0, 1.2 + 3.2 * len(sets)), 4.2), layout="constrained")
    grid = figure.subplots(1, len(sets), squeeze=False, sharey=True)[0]
    width = 0.8 / len(coders)
    for axes, name in zip(grid, sets, strict=True):
        for i, coder in enumerate(coders):
            for place, k in enumerate(ks):
                sizes = [
                    c.percent_of_best_peer
                    for c in comparisons
                    if (c.image_set, c.k, c.coder) == (name, k, coder)
                ]
                if sizes:
                    middle = place + (i - (len(coders) - 1) / 2) * width
                    _draw_group(axes, sizes, i, middle, width, coder if place == 0 else "")
        axes.axhline(100, color="black", linestyle="--", linewidth=1, label="smallest peer")
        images = len({c.image for c in comparisons if c.image_set == name})
        axes.set_title(f"{name}, {counted(images, 'image')}", fontsize=10)
        axes.set_xticks(range(len(ks)), [str(k) for k in ks])
        axes.set_xlim(-0.55, len(ks) - 0.35)
        axes.set_xlabel("codewords k")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
        axes.grid(axis="y", alpha=0.3)
        axes.set_axisbelow(True)
    grid[0].set_ylabel("file size relative to the smallest peer's")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)))
    return figure


def _draw_group(
    axes: Axes, sizes: Sequence[float], which: int, middle: float, width: float, label: str
) -> None:
    """Draw a point for each image and a line at their mean; an empty label has no legend entry."""
    color = COLORS[which % len(COLORS)]
    spread = np.linspace(-0.3, 0.3, len(sizes)) if len(sizes) > 1 else np.zeros(1)
    axes.plot(
        middle + width * spread,
        sizes,
        linestyle="",
        marker=MARKERS[which % len(MARKERS)],
        markersize=4,
        alpha=0.6,
        color=color,
        label=f"{label}: an image" if label else "_",
    )
    mean, end = statistics.fmean(sizes), middle + 0.42 * width
    mean_label = f"{label}: mean" if label else "_"
    axes.hlines(mean, middle - 0.42 * width, end, color=color, linewidth=2.5, label=mean_label)
    axes.annotate(
        f"{mean:.0f}", (end, mean), (2, 0), textcoords="offset points", va="center", fontsize=8
    )


def _growth(rows: Sequence[AblationRow]) -> Figure:
    """Draw a panel per k: for each group, a point per image and a bar for the mean."""
    groups = list(dict.fromkeys(row.without for row in rows if row.without != NOTHING))
    ks = sorted({row.k for row in rows})
    sets = list(dict.fromkeys(row.image_set for row in rows))
    figure = Figure(figsize=(3.6 + 2.8 * len(ks), 1.6 + 0.3 * len(groups)), layout="constrained")
    grid = figure.subplots(1, len(ks), squeeze=False, sharex=True, sharey=True)[0]
    places = np.arange(len(groups))
    for axes, k in zip(grid, ks, strict=True):
        means = [
            statistics.fmean(r.growth_percent for r in rows if (r.k, r.without) == (k, group))
            for group in groups
        ]
        axes.barh(places, means, color="0.8", label="mean of all images")
        for i, name in enumerate(sets):
            chosen = [r for r in rows if (r.k, r.image_set) == (k, name) and r.without != NOTHING]
            axes.plot(
                [r.growth_percent for r in chosen],
                [groups.index(r.without) for r in chosen],
                linestyle="",
                marker=MARKERS[i % len(MARKERS)],
                markersize=4,
                alpha=0.7,
                color=COLORS[i % len(COLORS)],
                label=f"an image of {name}",
            )
        axes.axvline(0, color="black", linewidth=1)
        axes.set_xscale("symlog", linthresh=1.0)
        axes.xaxis.set_major_locator(FixedLocator(GROWTH_TICKS))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_title(f"k = {k}", fontsize=10)
        axes.set_xlabel("growth of the index map, %", fontsize=9)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    grid[0].set_yticks(places, groups, fontsize=8)
    grid[0].invert_yaxis()
    figure.legend(
        *grid[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=min(4, 1 + len(sets)),
    )
    return figure
