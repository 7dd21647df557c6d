"""Bar charts: quality by codebook size, and how the bits of a file divide up."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment.columns import rows_of
from adaptive_kmeans.experiment.families import shortened
from adaptive_kmeans.experiment.published import find
from adaptive_kmeans.experiment.rows import SPLIT
from adaptive_kmeans.experiment.schema import Published
from adaptive_kmeans.experiment.series import complete, groups, panels
from adaptive_kmeans.experiment.style import (
    COLORS,
    HATCHES,
    MAX_SERIES,
    PAGE,
    TWO_COLUMNS,
    Drawn,
    blank,
    wrapped,
)
from adaptive_kmeans.metrics import METRICS, Metric

MAX_BARS = 40
"""Maximum number of bars below each other; more are split into several figures."""

BAR_PANEL, AXIS_WIDTH = 2.0, 0.75
"""Height of a panel of bars, and the width of its axis, in inches."""

LETTER = 0.057
"""Width of a letter of a group's name, in inches."""

MAX_COLUMNS = 3
"""Maximum number of images side by side."""

LOSSLESS, PUBLISHED, STARTS = "lossless", "published", "axis starts at"

_Thing = TypeVar("_Thing")


def quality_bars(table: pd.DataFrame, published: Published | None) -> list[Drawn]:
    """Draw PSNR above SSIM, with a group of bars for each method and a bar for each codebook size.

    A bar is named by k or k1 alone, unless a method has several k2 beside one k1. If several images
    are averaged, a bar needs a file of each of them.

    As many images are side by side as leave room for the names of the groups. Files coded by
    quality have no codebook size; only the curves show them. A black line across a bar marks the
    published number. Each panel has its own axis, whose label says where it starts; a lossless file
    has a word instead of a bar.
    """
    table = table[table["is_ours"] & (table["sizes"] != "")]
    by_paper = table["ssim_published"].notna().any()
    similarity = METRICS["ssim-published" if by_paper else "ssim"]
    metrics = [each for each in (METRICS["psnr"], similarity) if _finite(table[each.column]).any()]
    is_by_smaller = (table.groupby(["series", "smaller_codebook"])["sizes"].nunique() == 1).all()
    table = table.assign(
        bar=table["smaller_codebook"].map(str) if is_by_smaller else table["sizes"]
    )
    if not metrics or not 0 < table["bar"].nunique() <= len(COLORS):
        return []
    bars = _Bars.of(table, published)
    grouped = [list(panels(table, table[each.column]).items()) for each in metrics]
    columns, per_panel = _arrange(list(bars.names.values()), len(grouped[0]))
    # A block is a row of images, with a row of panels for each metric.
    blocks = [
        (range(first, first + columns), part)
        for first in range(0, len(grouped[0]), columns)
        for part in _chunks(list(bars.names), per_panel)
    ]
    drawn = []
    for page in _chunks(blocks, max(1, int((PAGE - 0.4) / (BAR_PANEL * len(metrics))))):
        height = BAR_PANEL * len(metrics)
        figure = blank(TWO_COLUMNS, 0.4 + height * len(page))
        grid = figure.subplots(len(metrics) * len(page), columns, squeeze=False)
        grid = grid.reshape(len(page), len(metrics), columns)
        for (places, part), of_block in zip(page, grid, strict=True):
            for axes_row, metric, images in zip(of_block, metrics, grouped, strict=True):
                for axes, place in zip(axes_row, places, strict=True):
                    if place < len(images):
                        bars.draw(axes, metric, *images[place], part, TWO_COLUMNS / columns)
                    else:
                        axes.remove()
        drawn.append(bars.finish(figure, [title for title, _ in grouped[0]]))
    return drawn


def _arrange(names: Sequence[str], images: int) -> tuple[int, int]:
    """Return the number of images side by side, and of groups that fit into a panel."""
    longest = max(len(part) for name in names for part in re.split(r"(?<=-)| ", name))
    need = LETTER * (longest + 1)
    for columns in range(min(images, MAX_COLUMNS), 0, -1):
        room = max(1, int((TWO_COLUMNS / columns - AXIS_WIDTH) / need))
        if room >= len(names):
            return columns, MAX_SERIES
    return 1, min(room, MAX_SERIES)


def _chunks(things: Sequence[_Thing], most: int) -> list[Sequence[_Thing]]:
    """Split into as few parts as possible, of about equal length."""
    count = max(1, -(-len(things) // most))
    size = max(1, -(-len(things) // count))
    return [things[start : start + size] for start in range(0, len(things), size)]


@dataclass(frozen=True)
class _Bars:
    """What all panels of bars share.

    Parameters
    ----------
    images : int
        Number of images.
    common : list of str
        What the names of all groups have in common.
    names : dict of str to str
        Names of the groups without the common parts, by their series.
    sizes : list of str
        Codebook sizes; each has its own color.
    published : Published or None
        Published numbers.
    """

    images: int
    common: list[str]
    names: dict[str, str]
    sizes: list[str]
    published: Published | None

    @classmethod
    def of(cls, table: pd.DataFrame, published: Published | None) -> _Bars:
        """Return what the panels of a table share."""
        shared = shortened(list(groups(table, "series")))
        first = table.drop_duplicates("bar").sort_values(["k1", "k", "k2"], kind="stable")
        sizes = list(first.sort_values("smaller_codebook", kind="stable")["bar"])
        return cls(table["image"].nunique(), *shared, sizes, published)

    def draw(
        self,
        axes: Axes,
        metric: Metric,
        title: str,
        files: pd.DataFrame,
        part: Sequence[str],
        inches: float,
    ) -> None:
        """Draw the groups of the series `part` in a panel of the given width in inches."""
        marks = _marks(files, metric.column, self.published)
        letters = max(1, int((inches - AXIS_WIDTH) / len(part) / LETTER))
        heights = self._draw_groups(axes, files, metric.column, marks, part)
        names = [wrapped(self.names[name], letters) for name in part]
        axes.set_xticks(np.arange(len(part)), names)
        axes.set_xlim(-0.55, len(part) - 0.45)
        axes.grid(axis="y")
        axes.set_title(wrapped(", ".join([title, *self.common]), int(inches / LETTER) - 8))
        axes.set_ylabel(metric.score_label)
        _set_range(axes, [*heights, *marks.values()])

    def _draw_groups(
        self,
        axes: Axes,
        files: pd.DataFrame,
        column: str,
        marks: Mapping[tuple[str, str], float],
        names: Sequence[str],
    ) -> list[float]:
        """Draw a group of bars for each name, and return the bar heights of all files."""
        width = min(0.8 / len(self.sizes), 0.25)
        by = ["series", "bar"]
        finite = files[_finite(files[column])].groupby(by)
        means = finite[column].mean()[finite["image"].nunique() == files["image"].nunique()]
        lossless = files[files[column] == math.inf].groupby(by).size()
        for i, size in enumerate(self.sizes):
            offset = (i - (len(self.sizes) - 1) / 2) * width
            places = [place + offset for place in range(len(names))]
            heights = [means.get((name, size), math.nan) for name in names]
            for place, name in zip(places, names, strict=True):
                if (name, size) in lossless and (name, size) not in means:
                    _write_lossless(axes, place)
                if (name, size) in marks:
                    ends = place - width / 2, place + width / 2
                    look: dict[str, Any] = {"color": "black", "linewidth": 1.5, "label": PUBLISHED}
                    axes.hlines(marks[name, size], *ends, **look)
            look = {"color": COLORS[i], "hatch": HATCHES[i], "edgecolor": "white"}
            axes.bar(places, heights, width, label=size, **look)
        return list(means)

    def finish(self, figure: Figure, titles: Sequence[str]) -> Drawn:
        """Add the legend and the caption."""
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
            title="k or k1 + k2" if any("+" in size for size in self.sizes) else "k or k1",
        )
        starts = any(STARTS in axes.get_ylabel() for axes in figure.axes)
        notes = [
            f"Quality by method and codebook size: {counted(self.images, 'image')} "
            f"({'; '.join(titles)}).",
            "Axes start where their labels say." if starts else "",
            f"Black lines: published by {_source(self.published)}." if PUBLISHED in entries else "",
        ]
        return Drawn(figure, " ".join(filter(None, notes)))


def _source(published: Published | None) -> str:
    return "" if published is None else published.source


def _finite(values: pd.Series[Any]) -> pd.Series[Any]:
    return values.map(math.isfinite)


def _marks(
    files: pd.DataFrame, column: str, published: Published | None
) -> dict[tuple[str, str], float]:
    """Return the published number of each series and codebook size that has one."""
    marks = {}
    for row in rows_of(files):
        printed = find(published, row)
        level = None if printed is None else getattr(printed, column)
        if level is not None:
            marks[row.series, row.bar] = level
    return marks


def _write_lossless(axes: Axes, place: float) -> None:
    axes.text(
        place,
        0.03,
        LOSSLESS,
        rotation=90,
        fontsize=7,
        ha="center",
        va="bottom",
        transform=axes.get_xaxis_transform(),
    )


def _set_range(axes: Axes, shown: Sequence[float]) -> None:
    """Start the axis where the bars begin to differ, and say so in its label."""
    if not shown:
        axes.set_yticks([])
        return
    differ = max(shown) - min(shown)
    # Differences by rounding alone should not be visible.
    margin = 0.15 * differ if differ > 1e-3 * max(shown) else 0.01 * max(shown) or 1e-3
    low = max(0.0, min(shown) - margin)
    axes.set_ylim(low, max(shown) + margin)
    axes.yaxis.get_major_formatter().set_useOffset(False)  # type: ignore[attr-defined]
    if low:
        axes.set_ylabel(f"{axes.get_ylabel()}\n({STARTS} {low:.3g})")


def split_of(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the bits per pixel of each part of our files, as means over groups of files.

    Parts that no file has, groups without one of our files, and those without one of every image
    are left out.
    """
    ours = complete(table, by)
    ours = ours[ours["is_ours"]]
    bits = ours[list(SPLIT)].astype("float64").mul(ours["bits_per_pixel"] / ours["bytes"], axis=0)
    means = bits.fillna(0.0).groupby(ours[by], sort=False).mean()
    return means.loc[:, (means > 0).any()]


def rate_split(table: pd.DataFrame, published: Published | None = None) -> list[Drawn]:
    """Draw how the bits of a file divide up into its parts, as means over images.

    Files of other codecs and published sizes are undivided bars, if everything fits into one
    figure; otherwise they are left out.
    """
    named = table["title"].nunique()
    table = complete(table, "title")
    split = split_of(table, "title")
    rates = table.groupby("title", sort=False)["bits_per_pixel"].mean()
    whole = rates[~rates.index.isin(split.index)]
    sizes = _published_rates(table, published)
    absent = named - table["title"].nunique()
    others = [f"{absent} without a file of every image"] if absent else []
    if len(rates) + len(sizes) > MAX_BARS:
        others += ["files of other codecs"] * (not whole.empty) + ["published sizes"] * bool(sizes)
        rates, sizes = rates[rates.index.isin(split.index)], {}
    if split.empty:
        return []
    images = counted(table["image"].nunique(), "image")
    source = f" Published: {_source(published)}." if sizes else ""
    left_out = f" Left out: {' and '.join(others)}." if others else ""
    caption = (
        f"How the bits of the files divide up: means over {images}; the number at the end of a "
        f"bar is the rate of the whole file.{left_out}{source}"
    )
    most = max([*rates, *sizes.values()])
    parts = [rates[[*names]] for names in _chunks(list(rates.index), MAX_BARS)]
    return [Drawn(_split_figure(part, split, sizes, most), caption) for part in parts]


def _split_figure(
    rates: pd.Series[Any], every: pd.DataFrame, sizes: Mapping[str, float], most: float
) -> Figure:
    """Draw a bar for each rate, on an axis up to the highest rate of all; `sizes` are published."""
    split = every[every.index.isin(rates.index)]
    whole = rates[~rates.index.isin(split.index)]
    figure = blank(TWO_COLUMNS, 0.8 + 0.17 * (len(rates) + len(sizes)))
    axes = figure.subplots()
    names = list(rates.index)
    axes.barh(names, [0.0] * len(names))  # in the order of the table
    left = np.zeros(len(split))
    for part, widths in split.items():
        i = SPLIT.index(str(part))
        look: dict[str, Any] = {"color": COLORS[i], "hatch": HATCHES[i], "edgecolor": "white"}
        label = str(part).removesuffix("_bytes").replace("_", " ")
        axes.barh(list(split.index), widths, left=left, label=label, linewidth=0.3, **look)
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
        axes.text(rate, place, f" {rate:.2f}", fontsize=7, va="center")
    axes.set_xlim(0, 1.08 * most)
    axes.margins(y=0.02)
    axes.invert_yaxis()
    for tick in axes.get_yticklabels():
        tick.set_parse_math(False)
    axes.set_xlabel("rate, bits per pixel of the file")
    axes.grid(axis="x")
    figure.legend(loc="outside upper center", ncols=5)
    return figure


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
