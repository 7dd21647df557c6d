"""Bar charts: quality by codebook size, and how the bits of a file divide up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment.published import find
from adaptive_kmeans.experiment.rows import SPLIT, Row
from adaptive_kmeans.experiment.schema import Published, PublishedRow
from adaptive_kmeans.experiment.series import Measured, finite, panels, values
from adaptive_kmeans.experiment.style import (
    COLORS,
    HATCHES,
    TWO_COLUMNS,
    Drawn,
    blank,
    plain,
)

MAX_GROUPS, MAX_BARS = 10, 40
"""Most groups side by side, and most bars below each other."""

MAX_COLUMNS = 3
"""Most images side by side."""

LOSSLESS = "lossless"


def quality_bars(measured: Sequence[Measured], published: Published | None) -> Drawn | None:
    """Draw PSNR above SSIM, a column for each image; groups are methods, bars codebook sizes.

    Files by quality have no codebook size, and are left to the curves. A black line across a bar is
    the published number. Each panel has an axis of its own, which says where it starts; a lossless
    file has a word instead of a bar.
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
    titles = list(panels(measured, metrics[0][1]))
    columns = min(len(titles), MAX_COLUMNS if len(groups) <= 4 else 1)
    across = -(-len(titles) // columns)
    figure = blank(TWO_COLUMNS, 0.3 + 2.0 * len(metrics) * across)
    grid = figure.subplots(len(metrics) * across, columns, squeeze=False)
    for unused in grid[:, len(titles) % columns or columns :][-len(metrics) :].ravel():
        unused.remove()
    for which, (label, value) in enumerate(metrics):
        for i, (title, members) in enumerate(panels(measured, value).items()):
            axes = grid[len(metrics) * (i // columns) + which, i % columns]
            _draw_bars(axes, members, value, published)
            axes.set_title(plain(title))
            axes.set_ylabel(label)
            _set_range(axes, members, value, published)
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    published_last = sorted(entries, key=lambda label: label == "published")
    figure.legend(
        [entries[label] for label in published_last],
        published_last,
        loc="outside lower center",
        ncols=len(published_last),
        title="k or k1",
    )
    images = counted(len({m.row.image for m in measured}), "image")
    marks = (
        "" if "published" not in entries else f" Black lines: published by {_source(published)}."
    )
    return Drawn(
        figure,
        f"Quality by method and codebook size: {images} ({'; '.join(titles)}). Axes start where "
        f"their labels say.{marks}",
    )


def _source(published: Published | None) -> str:
    return "" if published is None else published.source


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
        places = np.arange(len(groups)) + (i - (len(ks) - 1) / 2) * width
        heights = []
        for place, group in zip(places, groups, strict=True):
            own = [m for m in members if (m.series, m.smaller_codebook) == (group, k)]
            heights.append(_mean(values(own, value)))
            if own and math.isnan(heights[-1]) and any(value(m.row) == math.inf for m in own):
                _write_lossless(axes, place)
        color, hatch = COLORS[i % len(COLORS)], HATCHES[i % len(HATCHES)]
        axes.bar(places, heights, width, label=str(k), color=color, hatch=hatch, edgecolor="white")
    marked = {(m.series, m.smaller_codebook): find(published, m) for m in members}
    for (group, k), row in marked.items():
        level = None if row is None else value(row)
        if level is not None:
            middle = groups.index(group) + (ks.index(k) - (len(ks) - 1) / 2) * width
            ends = middle - width / 2, middle + width / 2
            axes.hlines(level, *ends, colors="black", linewidth=1.5, label="published")
    axes.set_xticks(np.arange(len(groups)), [group.replace(", ", ",\n") for group in groups])
    if len(groups) > 3:
        axes.tick_params(axis="x", labelsize=6)
    axes.grid(axis="y")


def _write_lossless(axes: Axes, place: float) -> None:
    axes.text(
        place,
        0.03,
        LOSSLESS,
        rotation=90,
        fontsize=6,
        ha="center",
        va="bottom",
        transform=axes.get_xaxis_transform(),
    )


def _set_range(
    axes: Axes,
    members: Sequence[Measured],
    value: Callable[[Row | PublishedRow], float | None],
    published: Published | None,
) -> None:
    """Leave out what all bars share, and say so."""
    printed = [find(published, m) for m in members]
    of_paper = finite([value(row) for row in printed if row is not None])
    shown = [*values(members, value), *of_paper]
    if not shown:
        axes.set_yticks([])
        return
    margin = 0.15 * (max(shown) - min(shown)) or 1e-3
    low = max(0.0, min(shown) - margin)
    axes.set_ylim(low, max(shown) + margin)
    if low:
        axes.set_ylabel(f"{axes.get_ylabel()}\n(axis starts at {low:.3g})")


def rate_split(measured: Sequence[Measured], published: Published | None = None) -> Drawn | None:
    """Draw how bits divide into the parts of a file, as means over images.

    Files of other codecs and published sizes are whole bars, if not all of them are too many.
    """
    ours = [m for m in measured if m.row.is_ours]
    groups: dict[str, list[Row]] = {}
    for m in measured:
        groups.setdefault(m.title, []).append(m.row)
    sizes = _published_rates(measured, published)
    if len(groups) + len(sizes) > MAX_BARS:
        groups, sizes = {title: groups[title] for title in dict.fromkeys(m.title for m in ours)}, {}
    if not ours or not 0 < len(groups) <= MAX_BARS:
        return None
    figure = blank(TWO_COLUMNS, 0.8 + 0.17 * (len(groups) + len(sizes)))
    axes = figure.subplots()
    names = list(groups)
    left = np.zeros(len(groups))
    for i, part in enumerate(SPLIT):
        widths = np.array([_mean([_share(row, part) for row in rows]) for rows in groups.values()])
        if widths.any():
            label = part.removesuffix("_bytes").replace("_", " ")
            look: dict[str, Any] = {"color": COLORS[i], "hatch": HATCHES[i], "edgecolor": "white"}
            axes.barh(names, widths, left=left, label=label, **look)
        left += widths
    others = {n: rows for n, rows in groups.items() if not rows[0].is_ours}
    whole = {name: _mean([row.bits_per_pixel for row in rows]) for name, rows in others.items()}
    if whole:
        axes.barh(list(whole), list(whole.values()), color="0.6", label="file of another codec")
    if sizes:
        axes.barh(
            list(sizes),
            list(sizes.values()),
            color="white",
            edgecolor="black",
            hatch="////",
            label="published",
        )
    for place, rate in enumerate([*(left + [whole.get(n, 0.0) for n in names]), *sizes.values()]):
        axes.text(rate, place, f" {rate:.2f}", fontsize=6, va="center")
    axes.margins(x=0.08, y=0.02)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=6.5)
    for tick in axes.get_yticklabels():
        tick.set_parse_math(False)
    axes.set_xlabel("rate, bits per pixel of the file")
    axes.grid(axis="x")
    figure.legend(loc="outside upper center", ncols=5)
    images = counted(len({m.row.image for m in measured}), "image")
    source = f" Published: {_source(published)}." if sizes else ""
    return Drawn(
        figure,
        f"How the bits of the files divide up: means over {images}; the number at the end of a "
        f"bar is the rate of the whole file.{source}",
    )


def _share(row: Row, part: str) -> float:
    return (getattr(row, part) or 0) / row.bytes * row.bits_per_pixel


def _published_rates(measured: Sequence[Measured], published: Published | None) -> dict[str, float]:
    """Return the rates of published file sizes, if their image was measured."""
    if published is None:
        return {}
    pixels = [
        8 * m.row.bytes / m.row.bits_per_pixel for m in measured if m.row.image == published.image
    ]
    return {
        f"{row.method}, k = {row.k}, as published": 8 * row.bytes / pixels[0]
        for row in published.rows
        if row.bytes is not None and pixels
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan
