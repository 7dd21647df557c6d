"""Curves of quality and time against the rate: a panel for each image, or a mean over images.

At most `MAX_SERIES` series share a panel; more are split into families, and each panel shows the
curves of the others in gray. Curves carry their names at their ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment.families import Family, families
from adaptive_kmeans.experiment.findings import OtherCurve
from adaptive_kmeans.experiment.labels import End, label_ends
from adaptive_kmeans.experiment.others import comparable, draw_others
from adaptive_kmeans.experiment.rows import Row
from adaptive_kmeans.experiment.series import (
    Measured,
    by_series,
    curve,
    finite,
    is_lossless,
    panels,
    values,
)
from adaptive_kmeans.experiment.style import (
    CONTEXT,
    ONE_COLUMN,
    TWO_COLUMNS,
    Drawn,
    blank,
    looks,
    number_axis,
    plain,
    wrapped,
)
from adaptive_kmeans.metrics import Curve, front

PANEL_HEIGHT = 2.5
MAX_BANDS = 4
"""Most series with bands in a panel; more would cover each other."""

GRAY = "Gray: the series of the other panels, as far as they come into view."

Score = Callable[[Row], float | None]


def against_rate(
    measured: Sequence[Measured],
    quality: Score,
    label: str,
    theirs: Sequence[OtherCurve] = (),
) -> Drawn | None:
    """Plot quality against bits per pixel, a curve for each series through its best choices.

    Choices of parameters that another choice of the series beats in both are faint dots. Where few
    series of many images are averaged, a band covers the middle half of the images. A lossless
    codec is a vertical line. Curves of others are gray, and only where all images of their set are
    averaged.
    """
    grouped = panels(measured, quality)
    if not any(values(members, quality) for members in grouped.values()):
        return None
    grid = _Grid(measured, grouped, f"{label.partition(', ')[0]} against the rate of the files")
    is_wide = _is_wide(grouped.values())
    said: dict[str, None] = {}  # a set in order
    for axes, members, family, ends in grid.panels():
        own = by_series(members)
        averaged = len({m.row.image for m in members}) > 1
        has_bands = averaged and len(family.names) <= MAX_BANDS
        published = draw_others(axes, comparable(theirs, members, measured))
        if published:
            ends += published
            said["Gray, named: as published by others."] = None
        for name, of_series in own.items():
            if name not in family.names:
                _draw_context(axes, front(curve(of_series, quality)))
                said[GRAY] = None
        for name, short in family.names.items():
            of_series, look = own.get(name, []), grid.looks[name]
            if not of_series:
                continue
            if is_lossless(of_series, quality):
                _draw_lossless(axes, name, short, of_series, look)
                said["Dotted lines: lossless codecs, at their rate."] = None
                continue
            found = curve(of_series, quality)
            best = front(found)
            _draw_curve(axes, name, best, look)
            others = sorted(set(found) - set(best))
            axes.plot(*_columns(others), ".", color=look["color"], alpha=0.3)
            if others:
                said["Dots: choices of parameters that others of the series beat."] = None
            if best:
                ends.append(End(short, *best[-1], look["color"]))
            if has_bands:
                _draw_band(axes, of_series, quality, look["color"])
                said["Bands: the middle half of the images."] = None
        _set_rate_axis(axes, is_wide)
        axes.set_ylabel(label)
    return grid.drawn(said)


def time_against_rate(measured: Sequence[Measured]) -> Drawn | None:
    """Plot seconds to encode against bits per pixel, if times were measured."""
    timed = [m for m in measured if m.row.encode_s]
    if not timed:
        return None
    images = len({m.row.image for m in timed})
    of = f"mean of {counted(images, 'image')}"
    grid = _Grid(timed, {of: timed}, "Seconds to encode an image, against the rate of the files")
    own = {name: curve(members, _seconds) for name, members in by_series(timed).items()}
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
    """A panel for each family of series of each group of images."""

    def __init__(
        self, measured: Sequence[Measured], grouped: Mapping[str, Sequence[Measured]], what: str
    ) -> None:
        groups = by_series(measured)
        self._what, self._measured, self._grouped = what, measured, grouped
        self._families = families(groups)
        self.looks: dict[str, dict[str, Any]] = {}
        for family in self._families:
            methods = [groups[name][0].row.label for name in family.names]
            self.looks |= dict(zip(family.names, looks(methods), strict=True))
        shown = [(title, i) for title in grouped for i in range(len(self._families))]
        columns = min(2, len(shown))
        rows = -(-len(shown) // columns)
        self._figure = blank(ONE_COLUMN if columns == 1 else TWO_COLUMNS, PANEL_HEIGHT * rows)
        grid = self._figure.subplots(rows, columns, squeeze=False)
        self._axes = dict(zip(shown, grid.ravel(), strict=False))
        for unused in grid.ravel()[len(shown) :]:
            unused.remove()
        self._ends: dict[Axes, list[End]] = {axes: [] for axes in self._axes.values()}

    def panels(self) -> Iterable[tuple[Axes, Sequence[Measured], Family, list[End]]]:
        """Yield the axes of each panel, its files, its family, and a list for ends of curves."""
        for title, members in self._grouped.items():
            for i, family in enumerate(self._families):
                axes = self._axes[title, i]
                axes.set_title("\n".join(wrapped(text) for text in (title, family.title) if text))
                axes.grid()
                yield axes, members, family, self._ends[axes]

    def drawn(self, said: Iterable[str]) -> Drawn:
        """Write the names of the curves and the caption."""
        label_ends(self._figure, self._ends)
        series = sum(len(family.names) for family in self._families)
        panels = "; ".join(self._grouped)
        images = counted(len({m.row.image for m in self._measured}), "image")
        return Drawn(
            self._figure, " ".join([f"{self._what}: {series} series, {images} ({panels}).", *said])
        )


def _seconds(row: Row) -> float | None:
    return row.encode_s


def _draw_curve(axes: Axes, name: str, points: Curve, look: dict[str, Any]) -> None:
    # Hollow markers keep curves visible that lie on top of each other.
    axes.plot(*_columns(points), label=name, markerfacecolor="none", **look)


def _draw_context(axes: Axes, points: Curve) -> None:
    # An artist does not widen the axes, as a plot would.
    axes.add_artist(Line2D(*_columns(points), color=CONTEXT, linewidth=0.8, zorder=0))


def _draw_lossless(
    axes: Axes, name: str, short: str, members: Sequence[Measured], look: dict[str, Any]
) -> None:
    rate = float(np.mean([m.row.bits_per_pixel for m in members]))
    axes.axvline(rate, color=look["color"], linestyle=":", label=name)
    axes.text(
        rate,
        0.02,
        plain(short),
        color=look["color"],
        fontsize=6.5,
        rotation=90,
        ha="right",
        va="bottom",
        transform=axes.get_xaxis_transform(),
    )


def _is_wide(panels: Iterable[Sequence[Measured]]) -> bool:
    """Return whether the rates in some panel differ by a factor of ten."""
    rates = [[m.row.bits_per_pixel for m in members] for members in panels]
    return any(max(of_panel) > 10 * min(of_panel) for of_panel in rates)


def _set_rate_axis(axes: Axes, is_wide: bool) -> None:
    axes.set_xlabel("rate, bits per pixel of the file")
    if is_wide:
        axes.set_xscale("log")
        number_axis(axes.xaxis)


def _draw_band(axes: Axes, members: Sequence[Measured], quality: Score, color: str) -> None:
    """Fill between the quartiles of quality over images, for series with one swept parameter."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for m in members:
        groups.setdefault(m.row.point, []).append(m.row)
    band = []
    for rows in groups.values():
        scores = finite([quality(row) for row in rows])
        if scores:
            rate = float(np.mean([row.bits_per_pixel for row in rows]))
            band.append((rate, *np.percentile(scores, [25, 75])))
    kept = [m.row.k1 for m in members if m.row.k1 is not None]
    if len(band) > 1 and len(set(kept)) <= 1:
        rates, low, high = zip(*sorted(band), strict=True)
        axes.fill_between(rates, low, high, color=color, alpha=0.12, linewidth=0)


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
