"""Curves of quality and time against the rate: a panel for each image, or a mean over images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

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
from adaptive_kmeans.experiment.style import COLORS, LINES, MARKERS
from adaptive_kmeans.metrics import front

LONG_NAME = 32
LEGEND_ROW_INCHES = 0.2


def against_rate(
    measured: Sequence[Measured], quality: Callable[[Row], float | None], label: str
) -> Figure | None:
    """Plot quality against bits per pixel, a curve for each series through its best choices.

    Choices of parameters that another choice of the series beats in both are faint dots. Where
    images are averaged, a band covers the middle half of the images. A lossless codec is a vertical
    line.
    """
    grouped = panels(measured, quality)
    if not any(values(members, quality) for members in grouped.values()):
        return None
    figure = Figure(figsize=(max(7.0, 4.2 * len(grouped) + 1.5), 4.2), layout="constrained")
    grid = figure.subplots(1, len(grouped), squeeze=False)[0]
    looks = {name: _look(i) for i, name in enumerate(by_series(measured))}
    is_wide = _is_wide(grouped.values())
    entries: dict[str, Any] = {}
    for axes, (title, members) in zip(grid, grouped.items(), strict=True):
        averaged = len({m.row.image for m in members}) > 1
        for name, of_series in by_series(members).items():
            _draw_series(axes, name, of_series, quality, looks[name])
            if averaged:
                _draw_band(axes, of_series, quality, looks[name]["color"])
        _set_rate_axis(axes, is_wide)
        axes.set_title(title.replace("$", r"\$"), fontsize=10)
        axes.grid(alpha=0.3)
        handles, names = axes.get_legend_handles_labels()
        entries |= dict(zip(names, handles, strict=True))
    grid[0].set_ylabel(label)
    ordered = [name for name in looks if name in entries]
    handles = [entries[name] for name in ordered]
    _add_legend(figure, handles, ordered)
    return figure


def _add_legend(figure: Figure, handles: list[Any], names: list[str]) -> None:
    """Put the legend beside the panels, or below them where long names would squeeze them."""
    place: Any = "outside right upper"
    if max(map(len, names), default=0) > LONG_NAME:
        place = "outside lower center"
        figure.set_figheight(figure.get_figheight() + LEGEND_ROW_INCHES * len(names))
    figure.legend(handles, names, loc=place, fontsize=8)


def _look(i: int) -> dict[str, Any]:
    """Return color, marker and line of the i-th series."""
    color, marker = COLORS[i % len(COLORS)], MARKERS[i % len(MARKERS)]
    return {"color": color, "marker": marker, "linestyle": LINES[i // len(COLORS) % len(LINES)]}


def _draw_series(
    axes: Axes,
    name: str,
    members: Sequence[Measured],
    quality: Callable[[Row], float | None],
    look: dict[str, Any],
) -> None:
    if is_lossless(members, quality):
        rate = float(np.mean([m.row.bits_per_pixel for m in members]))
        axes.axvline(rate, color=look["color"], linestyle=":", label=name, linewidth=1.3)
        return
    points = curve(members, quality)
    best = front(points)
    # Hollow markers keep curves visible that lie on top of each other.
    hollow: dict[str, Any] = {"markersize": 5, "markerfacecolor": "none", "linewidth": 1.3}
    axes.plot(*_columns(best), label=name, **look, **hollow)
    others = sorted(set(points) - set(best))
    axes.plot(*_columns(others), ".", color=look["color"], alpha=0.3)


def _is_wide(panels: Iterable[Sequence[Measured]]) -> bool:
    """Return whether the rates in some panel differ by a factor of ten."""
    rates = [[m.row.bits_per_pixel for m in members] for members in panels]
    return any(max(of_panel) > 10 * min(of_panel) for of_panel in rates)


def _set_rate_axis(axes: Axes, is_wide: bool) -> None:
    axes.set_xlabel("rate, bits per pixel of the file")
    if is_wide:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda rate, _: f"{rate:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())


def time_against_rate(measured: Sequence[Measured]) -> Figure | None:
    """Plot seconds to encode against bits per pixel, if times were measured."""
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
    axes.set_ylabel("encoding, seconds per image")
    axes.grid(alpha=0.3)
    _add_legend(figure, *axes.get_legend_handles_labels())
    return figure


def _draw_band(
    axes: Axes, members: Sequence[Measured], quality: Callable[[Row], float | None], color: str
) -> None:
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
