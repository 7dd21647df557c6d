"""Figures of studies: the blocks that detail measures select, and the elbows of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment.studies.classifiers import BEST, ClassifierRow, mean
from adaptive_kmeans.experiment.studies.elbow import ElbowRow
from adaptive_kmeans.experiment.style import COLORS, DPI, LINES, MARKERS, UNDATED

SUFFIXES = ("png", "pdf")


def draw_classifiers(folder: Path, rows: Sequence[ClassifierRow]) -> None:
    """Draw how close measures come to the rate–distortion choice, against the block size."""
    members = [row for row in rows if row.other == BEST]
    figures: dict[str, tuple[str, Callable[[ClassifierRow], float | None]]] = {
        "benefit_against_block_size": (
            "distortion saved, relative to\nthe rate–distortion choice",
            lambda row: row.benefit_percent,
        ),
        "agreement_against_block_size": (
            "blocks in the same region as by\nthe rate–distortion choice",
            lambda row: row.agreement_percent,
        ),
    }
    for name, (label, value) in figures.items():
        if any(value(row) is not None for row in members):
            chance = _chance if name.startswith("agreement") else None
            _save(_against_block_size(members, value, label, chance), folder / name)


def draw_elbows(folder: Path, rows: Sequence[ElbowRow]) -> None:
    """Draw the curves of distortion, scaled as the elbow rule does, and of PSNR of every image."""
    if rows:
        _save(_elbows(rows), folder / "elbows")


def _save(figure: Figure, path: Path) -> None:
    for suffix in SUFFIXES:
        figure.savefig(path.with_suffix(f".{suffix}"), dpi=DPI, metadata=UNDATED.get(suffix))


def _against_block_size(
    rows: Sequence[ClassifierRow],
    value: Callable[[ClassifierRow], float | None],
    label: str,
    chance: Callable[[ClassifierRow], float] | None,
) -> Figure:
    """Draw means over images: a row per set, a column per threshold, a line per measure."""
    sets = list(dict.fromkeys(row.image_set for row in rows))
    splits = list(dict.fromkeys(row.threshold for row in rows))
    details = list(dict.fromkeys(row.detail for row in rows))
    sizes = sorted({row.block_size for row in rows})
    figure = Figure(
        figsize=(max(5.0, 1.0 + 2.3 * len(splits)), 0.9 + 2.5 * len(sets)), layout="constrained"
    )
    grid = figure.subplots(len(sets), len(splits), squeeze=False, sharex=True, sharey=True)
    for axes_row, name in zip(grid, sets, strict=True):
        for axes, split in zip(axes_row, splits, strict=True):
            chosen = [row for row in rows if (row.image_set, row.threshold) == (name, split)]
            for i, detail in enumerate(details):
                groups = [
                    [r for r in chosen if (r.detail, r.block_size) == (detail, size)]
                    for size in sizes
                ]
                means = [mean([value(row) for row in group]) for group in groups]
                _draw_line(axes, sizes, means, i, detail)
                if chance is not None:
                    by_chance = [mean([chance(row) for row in group]) for group in groups]
                    axes.plot(sizes, by_chance, linestyle=":", color=COLORS[i % len(COLORS)])
            _label_doubling(axes, sizes)
            images = len({row.image for row in chosen})
            axes.set_title(f"{split}\n{name}, {counted(images, 'image')}", fontsize=9)
            axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
        axes_row[0].set_ylabel(label, fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("side of a block, pixels", fontsize=9)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=len(details),
        fontsize=9,
        title=None if chance is None else "dotted: by chance, at the same share of blocks",
        title_fontsize=9,
    )
    return figure


def _chance(row: ClassifierRow) -> float:
    """Return the percentage of blocks on which two random choices of that share agree."""
    share = row.high_percent / 100
    return 100 * (share**2 + (1 - share) ** 2)


def _elbows(rows: Sequence[ElbowRow]) -> Figure:
    """Draw a row per set: normalized distortion against k, and PSNR against rate."""
    sets = list(dict.fromkeys(row.image_set for row in rows))
    ks = sorted({row.k for row in rows})
    figure = Figure(figsize=(9.5, 0.4 + 3.4 * len(sets)), layout="constrained")
    grid = figure.subplots(len(sets), 2, squeeze=False)
    for (left, right), name in zip(grid, sets, strict=True):
        curves: dict[str, list[ElbowRow]] = {}
        for row in rows:
            if row.image_set == name:
                curves.setdefault(row.image, []).append(row)
        groups = _named_curves(curves)
        for i, (label, members) in enumerate(groups.items()):
            for curve in members:
                chosen = [row.is_elbow for row in curve].index(1)
                shown = label if curve is members[0] else "_"
                drawn = [row.k for row in curve], _normalized(curve)
                _draw_line(left, *drawn, i, shown, chosen)
                quality = [row.psnr_db for row in curve]
                _draw_line(right, [r.bits_per_pixel for r in curve], quality, i, shown, chosen)
        steps = np.geomspace(ks[0], ks[-1])
        chord = 1 - (steps - ks[0]) / (ks[-1] - ks[0])
        left.plot(steps, chord, color="black", linestyle="--", linewidth=1, label="chord")
        _label_doubling(left, ks)
        title = f"{name}, {counted(len(curves), 'image')}"
        _style(left, title, "k, codewords", "mean squared error, normalized")
        _style(right, title, "rate, bits per pixel of the file", "PSNR, dB")
        left.legend(loc="center", fontsize=8, title="large marker: the elbow", title_fontsize=8)
    return figure


def _style(axes: Axes, title: str, across: str, up: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(across)
    axes.set_ylabel(up)


def _named_curves(curves: dict[str, list[ElbowRow]]) -> dict[str, list[list[ElbowRow]]]:
    """Group curves by legend entry: each image or, if there are many, each elbow."""
    if len(curves) <= len(COLORS):
        return {image: [curve] for image, curve in curves.items()}
    groups: dict[int, list[list[ElbowRow]]] = {}
    for curve in curves.values():
        groups.setdefault(next(row.k for row in curve if row.is_elbow), []).append(curve)
    return {f"k = {k}: {counted(len(groups[k]), 'image')}": groups[k] for k in sorted(groups)}


def _normalized(curve: Sequence[ElbowRow]) -> list[float]:
    """Scale distortion to 0..1, as the rule of the elbow does; a flat curve is 0 everywhere."""
    mses = [row.mse for row in curve]
    height = mses[0] - mses[-1]
    return [(mse - mses[-1]) / height if height > 0 else 0.0 for mse in mses]


def _draw_line(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    which: int,
    label: str,
    chosen: int | None = None,
) -> None:
    """Draw a line with a marker a point; the chosen one is large."""
    color, marker = COLORS[which % len(COLORS)], MARKERS[which % len(MARKERS)]
    line = LINES[which // len(COLORS) % len(LINES)]
    axes.plot(
        x, y, linestyle=line, linewidth=1.3, marker=marker, markersize=4, color=color, label=label
    )
    if chosen is not None:
        axes.plot(
            x[chosen],
            y[chosen],
            linestyle="",
            marker=marker,
            markersize=8,
            markeredgecolor="black",
            color=color,
            zorder=3,
        )
    axes.grid(alpha=0.3)


def _label_doubling(axes: Axes, values: Sequence[int]) -> None:
    """Put each value, as they double, at an equal distance."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(values, [str(value) for value in values])
    axes.minorticks_off()
