"""Bar charts: quality by codebook size, and how the bits of a file divide up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment.columns import rows_of
from adaptive_kmeans.experiment.published import find
from adaptive_kmeans.experiment.rows import SPLIT
from adaptive_kmeans.experiment.schema import Published
from adaptive_kmeans.experiment.series import groups, panels
from adaptive_kmeans.experiment.style import (
    COLORS,
    HATCHES,
    TWO_COLUMNS,
    Drawn,
    blank,
    plain,
)
from adaptive_kmeans.metrics import METRICS

MAX_GROUPS, MAX_BARS = 10, 40
"""Most groups side by side, and most bars below each other."""

MAX_COLUMNS = 3
"""Most images side by side."""

LOSSLESS, PUBLISHED = "lossless", "published"


def quality_bars(table: pd.DataFrame, published: Published | None) -> Drawn | None:
    """Draw PSNR above SSIM, a column for each image; groups are methods, bars codebook sizes.

    Files by quality have no codebook size, and are left to the curves. A black line across a bar is
    the published number. Each panel has an axis of its own, which says where it starts; a lossless
    file has a word instead of a bar.
    """
    table = table[table["is_ours"] & (table["sizes"] != "")]
    by_paper = table["ssim_published"].notna().any()
    similarity = METRICS["ssim-published" if by_paper else "ssim"]
    metrics = [each for each in (METRICS["psnr"], similarity) if _finite(table[each.column]).any()]
    ks, series = table["smaller_codebook"].nunique(), table["series"].nunique()
    if not metrics or not ks or ks > len(COLORS) or series > MAX_GROUPS:
        return None
    titles = list(panels(table, table[metrics[0].column]))
    columns = min(len(titles), MAX_COLUMNS if series <= 4 else 1)
    across = -(-len(titles) // columns)
    figure = blank(TWO_COLUMNS, 0.3 + 2.0 * len(metrics) * across)
    grid = figure.subplots(len(metrics) * across, columns, squeeze=False)
    for unused in grid[:, len(titles) % columns or columns :][-len(metrics) :].ravel():
        unused.remove()
    for which, metric in enumerate(metrics):
        for i, (title, files) in enumerate(panels(table, table[metric.column]).items()):
            axes = grid[len(metrics) * (i // columns) + which, i % columns]
            marks = _marks(files, metric.column, published)
            _draw_bars(axes, files, metric.column, marks)
            axes.set_title(plain(title))
            axes.set_ylabel(", ".join(filter(None, (metric.label, metric.unit))))
            _set_range(
                axes, [*files.loc[_finite(files[metric.column]), metric.column], *marks.values()]
            )
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    published_last = sorted(entries, key=lambda label: label == PUBLISHED)
    figure.legend(
        [entries[label] for label in published_last],
        published_last,
        loc="outside lower center",
        ncols=len(published_last),
        title="k or k1",
    )
    images = counted(table["image"].nunique(), "image")
    marked = "" if PUBLISHED not in entries else f" Black lines: published by {_source(published)}."
    return Drawn(
        figure,
        f"Quality by method and codebook size: {images} ({'; '.join(titles)}). Axes start where "
        f"their labels say.{marked}",
    )


def _source(published: Published | None) -> str:
    return "" if published is None else published.source


def _finite(values: pd.Series[Any]) -> pd.Series[Any]:
    return values.map(math.isfinite)


def _marks(
    files: pd.DataFrame, column: str, published: Published | None
) -> dict[tuple[str, int], float]:
    """Return the published number of each series and codebook size that has one."""
    marks = {}
    for row in rows_of(files):
        printed = find(published, row)
        level = None if printed is None else getattr(printed, column)
        if level is not None:
            marks[row.series, row.smaller_codebook] = level
    return marks


def _draw_bars(
    axes: Axes, files: pd.DataFrame, column: str, marks: Mapping[tuple[str, int], float]
) -> None:
    names = list(groups(files, "series"))
    ks = sorted(set(files["smaller_codebook"]))
    width = 0.8 / len(ks)
    finite = files[_finite(files[column])]
    means = finite.groupby(["series", "smaller_codebook"])[column].mean()
    lossless = files[files[column] == math.inf].groupby(["series", "smaller_codebook"]).size()
    for i, k in enumerate(ks):
        offset = (i - (len(ks) - 1) / 2) * width
        places = [place + offset for place in range(len(names))]
        heights = [means.get((name, k), math.nan) for name in names]
        for place, name in zip(places, names, strict=True):
            if (name, k) in lossless and (name, k) not in means:
                _write_lossless(axes, place)
            if (name, k) in marks:
                ends = place - width / 2, place + width / 2
                look: dict[str, Any] = {"color": "black", "linewidth": 1.5, "label": PUBLISHED}
                axes.hlines(marks[name, k], *ends, **look)
        color, hatch = COLORS[i % len(COLORS)], HATCHES[i % len(HATCHES)]
        axes.bar(places, heights, width, label=str(k), color=color, hatch=hatch, edgecolor="white")
    axes.set_xticks(np.arange(len(names)), [name.replace(", ", ",\n") for name in names])
    if len(names) > 3:
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


def _set_range(axes: Axes, shown: Sequence[float]) -> None:
    """Leave out what all bars share, and say so."""
    if not shown:
        axes.set_yticks([])
        return
    margin = 0.15 * (max(shown) - min(shown)) or 1e-3
    low = max(0.0, min(shown) - margin)
    axes.set_ylim(low, max(shown) + margin)
    if low:
        axes.set_ylabel(f"{axes.get_ylabel()}\n(axis starts at {low:.3g})")


def split_of(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the bits per pixel of each part of files of ours, as means over groups of files.

    Parts that no file has are left out, and groups without a file of ours.
    """
    ours = table[table["is_ours"]]
    bits = ours[list(SPLIT)].astype("float64").mul(ours["bits_per_pixel"] / ours["bytes"], axis=0)
    means = bits.fillna(0.0).groupby(ours[by], sort=False).mean()
    return means.loc[:, (means > 0).any()]


def rate_split(table: pd.DataFrame, published: Published | None = None) -> Drawn | None:
    """Draw how bits divide into the parts of a file, as means over images.

    Files of other codecs and published sizes are whole bars, if not all of them are too many.
    """
    split = split_of(table, "title")
    rates = table.groupby("title", sort=False)["bits_per_pixel"].mean()
    whole = rates[~rates.index.isin(split.index)]
    sizes = _published_rates(table, published)
    if len(rates) + len(sizes) > MAX_BARS:
        rates, whole, sizes = rates[split.index], rates[:0], {}
    if split.empty or len(rates) > MAX_BARS:
        return None
    figure = blank(TWO_COLUMNS, 0.8 + 0.17 * (len(rates) + len(sizes)))
    axes = figure.subplots()
    names = list(rates.index)
    axes.barh(names, [0.0] * len(names))  # in the order of the table
    left = np.zeros(len(split))
    for part, widths in split.items():
        i = SPLIT.index(str(part))
        look: dict[str, Any] = {"color": COLORS[i], "hatch": HATCHES[i], "edgecolor": "white"}
        label = str(part).removesuffix("_bytes").replace("_", " ")
        axes.barh(list(split.index), widths, left=left, label=label, **look)
        left += widths.to_numpy()
    if not whole.empty:
        axes.barh(list(whole.index), list(whole), color="0.6", label="file of another codec")
    if sizes:
        axes.barh(
            list(sizes),
            list(sizes.values()),
            color="white",
            edgecolor="black",
            hatch="////",
            label=PUBLISHED,
        )
    for place, rate in enumerate([*rates, *sizes.values()]):
        axes.text(rate, place, f" {rate:.2f}", fontsize=6, va="center")
    axes.margins(x=0.08, y=0.02)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=6.5)
    for tick in axes.get_yticklabels():
        tick.set_parse_math(False)
    axes.set_xlabel("rate, bits per pixel of the file")
    axes.grid(axis="x")
    figure.legend(loc="outside upper center", ncols=5)
    images = counted(table["image"].nunique(), "image")
    source = f" Published: {_source(published)}." if sizes else ""
    return Drawn(
        figure,
        f"How the bits of the files divide up: means over {images}; the number at the end of a "
        f"bar is the rate of the whole file.{source}",
    )


def _published_rates(table: pd.DataFrame, published: Published | None) -> dict[str, float]:
    """Return the rates of published file sizes, if their image was measured."""
    if published is None:
        return {}
    files = table[table["image"] == published.image]
    pixels = 8 * files["bytes"] / files["bits_per_pixel"]
    return {
        f"{row.method}, k = {row.k}, as published": 8 * row.bytes / pixels.iloc[0]
        for row in published.rows
        if row.bytes is not None and not files.empty
    }
