"""Curves of quality and time against the rate: a panel for each image, or for a mean over images.

At most `MAX_SERIES` series share a panel; more are split into families, each with its own panel.
These panels have the same axes, and each shows the curves of the other families in gray. Curves are
labeled at their ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment.families import Family, families
from adaptive_kmeans.experiment.findings import OtherCurve
from adaptive_kmeans.experiment.labels import EDGE, FONT_SIZE, WIDTH, End, label_ends
from adaptive_kmeans.experiment.others import comparable, draw_others
from adaptive_kmeans.experiment.series import (
    curve,
    groups,
    is_lossless,
    panels,
    quality,
    shared_images,
)
from adaptive_kmeans.experiment.style import (
    BACKED,
    CONTEXT,
    ONE_COLUMN,
    PAGE,
    TWO_COLUMNS,
    Drawn,
    blank,
    looks,
    number_axis,
    plain,
    wrapped,
)
from adaptive_kmeans.metrics import METRICS, Curve, Metric, front

PANEL_HEIGHT, HIGH_PANEL = 2.2, 2.8
"""Height of a panel, and of a single panel with many names, in inches."""
HEAD, LINE = 0.8, 0.115
"""Height of a panel's title and axis, and of a line of names, in inches."""
MANY_LINES = 8
"""Lines of names beyond which a single panel is two columns wide."""
ALONE_WIDTH = 44
"""Maximum number of letters in a line of a name beside such a panel."""
MAX_BANDS = 4
"""Maximum number of series with bands in a panel; more would cover each other."""

GRAY = "Gray: the series of the other panels."


def against_rate(
    table: pd.DataFrame, metric: Metric, theirs: Sequence[OtherCurve] = ()
) -> list[Drawn]:
    """Plot quality against bits per pixel: a curve for each series, through its best choices.

    Choices of parameters that another choice of the series beats in both rate and quality are faint
    dots. If few series are averaged over images, a band covers the middle half of the images. A
    lossless codec is a vertical line. Curves published by others, which are of PSNR, are gray, and
    drawn only where all images of their set are averaged. There is no figure without a finite
    quality.
    """
    values = quality(table, metric)
    grouped = panels(table, values)
    if not any(np.isfinite(values[files.index]).any() for files in grouped.values()):
        return []
    if metric is not METRICS["psnr"]:
        theirs = ()
    grid = _Grid(table, grouped, f"{metric.label} against the rate of the files")
    is_wide = _is_wide(grouped.values())
    said: dict[str, None] = {}  # an ordered set
    for axes, members, family, ends in grid.panels():
        own = groups(members, "series")
        averaged = members["image"].nunique() > 1
        has_bands = averaged and len(family.names) <= MAX_BANDS
        published = draw_others(axes, comparable(theirs, members, table))
        if published:
            ends += published
            said["Gray, named: as published by others."] = None
        for name, of_series in own.items():
            if name not in family.names:
                _draw_context(axes, front(curve(of_series, values)))
                said[GRAY] = None
        for name, short in family.names.items():
            if name not in own:
                continue
            of_series, look = own[name], grid.looks[name]
            if is_lossless(values[of_series.index]):
                grid.uprights[axes].append(_draw_lossless(axes, name, short, of_series, look))
                said["Dotted lines: lossless codecs, at their rate."] = None
                continue
            found = curve(of_series, values)
            best = front(found)
            _draw_curve(axes, name, best, look)
            others = sorted(set(found) - set(best))
            axes.plot(*_columns(others), ".", color=look["color"], alpha=0.3)
            if others:
                said["Dots: choices of parameters that others of the series beat."] = None
            if best:
                ends.append(End(short, *best[-1], look["color"]))
            if has_bands:
                _draw_band(axes, of_series, values[of_series.index], look["color"])
                said["Bands: the middle half of the images."] = None
        _set_rate_axis(axes, is_wide)
        axes.set_ylabel(metric.scale_label)
    return grid.drawn(said)


def time_against_rate(table: pd.DataFrame) -> list[Drawn]:
    """Plot seconds to encode against bits per pixel, if times were measured."""
    timed, absent = shared_images(table[table["encode_s"] > 0])
    if timed.empty:
        return []
    of = f"mean of {counted(timed['image'].nunique(), 'image')}"
    of += f" ({absent} left out)" if absent else ""
    grid = _Grid(timed, {of: timed}, "Seconds to encode an image, against the rate of the files")
    own = {name: curve(files, files["encode_s"]) for name, files in groups(timed, "series").items()}
    said: dict[str, None] = {}
    for axes, _, family, ends in grid.panels():
        for name, points in own.items():
            if name in family.names:
                _draw_curve(axes, name, points, grid.looks[name])
                ends += [
                    End(family.names[name], *point, grid.looks[name]["color"])
                    for point in points[-1:]
                ]
            else:
                _draw_context(axes, points)
                said[GRAY] = None
        axes.set_yscale("log")
        number_axis(axes.yaxis)
        _set_rate_axis(axes, _is_wide([timed]))
        axes.set_ylabel("encoding, seconds per image")
    return grid.drawn(said)


class _Grid:
    """A panel for each family of series and group of images, on as many pages as needed."""

    def __init__(self, table: pd.DataFrame, grouped: Mapping[str, pd.DataFrame], what: str) -> None:
        labels = table.groupby("series")["label"].first()
        self._what, self._table, self._grouped = what, table, grouped
        self._families = families(table)
        self.looks: dict[str, dict[str, Any]] = {}
        for family in self._families:
            methods = [str(labels[name]) for name in family.names]
            self.looks |= dict(zip(family.names, looks(methods), strict=True))
        shown = [(title, i) for title in grouped for i in range(len(self._families))]
        names = [short for family in self._families for short in family.names.values()]
        lines = {name: wrapped(name, WIDTH).count("\n") + 1 for name in names}
        self._is_alone = len(shown) == 1 and sum(lines.values()) > MANY_LINES
        most = max(
            sum(lines[short] for short in family.names.values()) for family in self._families
        )
        height = HIGH_PANEL if self._is_alone else max(PANEL_HEIGHT, HEAD + LINE * most)
        columns = min(2, len(shown))
        of_page = columns * max(1, int(PAGE / height))
        self._axes: dict[tuple[str, int], Axes] = {}
        self._figures: list[Figure] = []
        for start in range(0, len(shown), of_page):
            page = shown[start : start + of_page]
            rows = -(-len(page) // columns)
            figure = blank(
                TWO_COLUMNS if columns > 1 or self._is_alone else ONE_COLUMN,
                rows * height,
            )
            grid = figure.subplots(rows, columns, squeeze=False).ravel()
            self._axes |= dict(zip(page, grid, strict=False))
            for unused in grid[len(page) :]:
                unused.remove()
            self._figures.append(figure)
        for (title, i), axes in self._axes.items():
            if i:
                axes.sharex(self._axes[title, 0])
                axes.sharey(self._axes[title, 0])
        self._ends: dict[Axes, list[End]] = {axes: [] for axes in self._axes.values()}
        self.uprights: dict[Axes, list[Text]] = {axes: [] for axes in self._axes.values()}

    def panels(self) -> Iterable[tuple[Axes, pd.DataFrame, Family, list[End]]]:
        """Yield the axes of each panel, its files, its family, and a list for ends of curves."""
        for title, members in self._grouped.items():
            for i, family in enumerate(self._families):
                axes = self._axes[title, i]
                axes.set_title("\n".join(wrapped(text) for text in (title, family.title) if text))
                axes.grid()
                yield axes, members, family, self._ends[axes]

    def drawn(self, said: Iterable[str]) -> list[Drawn]:
        """Write the names of the curves and the caption."""
        width = ALONE_WIDTH if self._is_alone else WIDTH
        for figure in self._figures:
            ends = {axes: own for axes, own in self._ends.items() if axes.figure is figure}
            uprights = {axes: own for axes, own in self.uprights.items() if axes.figure is figure}
            label_ends(figure, ends, uprights, width)
        series = sum(len(family.names) for family in self._families)
        panels = "; ".join(self._grouped)
        images = counted(self._table["image"].nunique(), "image")
        notes = list(said)
        if any(files["image"].nunique() > 1 for files in self._grouped.values()):
            notes.insert(0, "Points: arithmetic means over the images.")
        if len(self._families) > 1:
            notes.append("Panels of the same images have the same axes.")
        caption = " ".join([f"{self._what}: {series} series, {images} ({panels}).", *notes])
        return [Drawn(figure, caption) for figure in self._figures]


def _draw_curve(axes: Axes, name: str, points: Curve, look: dict[str, Any]) -> None:
    # Hollow markers keep overlapping curves visible.
    axes.plot(*_columns(points), label=name, markerfacecolor="none", **look)


def _draw_context(axes: Axes, points: Curve) -> None:
    # Unlike a plot, an artist does not widen the axes.
    axes.add_artist(Line2D(*_columns(points), color=CONTEXT, linewidth=0.8, zorder=0))


def _draw_lossless(
    axes: Axes, name: str, short: str, files: pd.DataFrame, look: dict[str, Any]
) -> Text:
    """Draw a vertical line, and return its label."""
    rate = float(files["bits_per_pixel"].mean())
    axes.axvline(rate, color=look["color"], linestyle=":", label=name)
    return axes.text(
        rate,
        EDGE,
        plain(short),
        color=look["color"],
        fontsize=FONT_SIZE,
        rotation=90,
        bbox=BACKED,
        ha="right",
        va="bottom",
        transform=axes.get_xaxis_transform(),
    )


def _is_wide(panels: Iterable[pd.DataFrame]) -> bool:
    """Return whether the rates in some panel differ by a factor of ten."""
    rates = [files["bits_per_pixel"] for files in panels]
    return any(of_panel.max() > 10 * of_panel.min() for of_panel in rates)


def _set_rate_axis(axes: Axes, is_wide: bool) -> None:
    axes.set_xlabel("rate, bits per pixel of the file")
    if is_wide:
        axes.set_xscale("log")
        number_axis(axes.xaxis)


def _draw_band(axes: Axes, files: pd.DataFrame, values: pd.Series[Any], color: str) -> None:
    """Fill between the quartiles of quality over images, for series with one swept parameter."""
    scored = files[["point", "bits_per_pixel"]].assign(value=values.where(np.isfinite(values)))
    of_point = scored[scored.groupby("point")["value"].transform("count") > 0].groupby("point")
    quartiles = of_point["value"].quantile(np.array([0.25, 0.75])).unstack()
    if len(quartiles) > 1 and files["k1"].nunique() <= 1:
        band = quartiles.assign(rate=of_point["bits_per_pixel"].mean()).sort_values("rate")
        axes.fill_between(
            band["rate"], band[0.25], band[0.75], color=color, alpha=0.12, linewidth=0
        )


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
