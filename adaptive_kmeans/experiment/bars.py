"""Bar charts: quality by codebook size, and how the bits of a file divide up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adaptive_kmeans.experiment.published import find
from adaptive_kmeans.experiment.rows import Row
from adaptive_kmeans.experiment.schema import Published, PublishedRow
from adaptive_kmeans.experiment.series import Measured, finite, panels, values
from adaptive_kmeans.experiment.style import COLORS, DPI, HATCHES

MAX_GROUPS, MAX_BARS = 10, 40
"""Most groups side by side, and most bars below each other."""


def quality_bars(measured: Sequence[Measured], published: Published | None) -> Figure | None:
    """Draw PSNR above SSIM, a column for each image; groups are methods, bars codebook sizes.

    Files by quality have no codebook size, and are left to the curves. A black line across a bar is
    the published number.
    """
    by_ssim = any(m.row.ssim_published is not None for m in measured)
    metrics: list[tuple[str, Callable[[Row | PublishedRow], float | None]]] = [
        ("PSNR, dB", lambda row: row.psnr_db),
        ("SSIM, 3×3×3 window" if by_ssim else "SSIM", lambda row: row.ssim_published or row.ssim),
    ]
    measured = [m for m in measured if m.row.is_ours and m.row.codebook_sizes]
    metrics = [(label, value) for label, value in metrics if values(measured, value)]
    ks, groups = {m.smaller_codebook for m in measured}, {m.series for m in measured}
    if not metrics or not ks or len(ks) > len(COLORS) or len(groups) > MAX_GROUPS:
        return None
    columns = len(panels(measured, metrics[0][1]))
    size = (max(6.0, 4.2 * columns), 2.6 * len(metrics) + 0.4)
    figure = Figure(figsize=size, layout="constrained", dpi=DPI)
    grid = figure.subplots(len(metrics), columns, squeeze=False, sharey="row")
    for axes_row, (label, value) in zip(grid, metrics, strict=True):
        of_panel = panels(measured, value)
        for axes, (title, members) in zip(axes_row, of_panel.items(), strict=True):
            _draw_bars(axes, members, value, published)
            axes.set_title(title.replace("$", r"\$"), fontsize=10)
        axes_row[0].set_ylabel(label)
        printed = [find(published, m) for m in measured]
        of_paper = finite([value(row) for row in printed if row is not None])
        lowest, highest = _range([*values(measured, value), *of_paper])
        margin = 0.15 * (highest - lowest) or 1e-3
        axes_row[0].set_ylim(lowest - margin, highest + margin)
    entries: dict[str, Any] = {}
    for axes in grid.ravel():
        handles, labels = axes.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    published_last = sorted(entries, key=lambda label: label == "published")
    handles = [entries[label] for label in published_last]
    figure.legend(handles, published_last, loc="outside right upper", title="k or k1")
    return figure


def _draw_bars(
    axes: Axes,
    members: Sequence[Measured],
    value: Callable[[Row | PublishedRow], float | None],
    published: Published | None,
) -> None:
    groups = list(dict.fromkeys(m.series for m in members))
    ks = sorted({m.smaller_codebook for m in members})
    width = 0.8 / len(ks)
    for i, k in enumerate(ks):
        heights = [
            _mean(values([m for m in members if (m.series, m.smaller_codebook) == (g, k)], value))
            for g in groups
        ]
        places = np.arange(len(groups)) + (i - (len(ks) - 1) / 2) * width
        color, hatch = COLORS[i % len(COLORS)], HATCHES[i % len(HATCHES)]
        axes.bar(places, heights, width, label=str(k), color=color, hatch=hatch, edgecolor="white")
    marked = {(m.series, m.smaller_codebook): find(published, m) for m in members}
    for (group, k), row in marked.items():
        level = None if row is None else value(row)
        if level is not None:
            middle = groups.index(group) + (ks.index(k) - (len(ks) - 1) / 2) * width
            ends = middle - width / 2, middle + width / 2
            axes.hlines(level, *ends, colors="black", linewidth=1.5, label="published")
    axes.set_xticks(np.arange(len(groups)), groups, fontsize=8)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)


def rate_split(measured: Sequence[Measured]) -> Figure | None:
    """Draw how bits divide into header, codebooks, region map and indices, as means over images."""
    ours = [m for m in measured if m.row.is_ours]
    groups: dict[str, list[Row]] = {}
    for m in ours:
        groups.setdefault(m.title, []).append(m.row)
    if not 0 < len(groups) <= MAX_BARS:
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


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)
