"""Curves: quality and time against the rate, a panel an image or a mean over images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from adaptive_kmeans.experiment.series import Measured, by_series, curve, finite, panels
from adaptive_kmeans.experiment.style import COLORS, LINES, MARKERS
from adaptive_kmeans.experiment.trials import Row
from adaptive_kmeans.metrics import front


def against_rate(
    measured: Sequence[Measured], quality: Callable[[Row], float | None], label: str
) -> Figure | None:
    """Quality against bits per pixel, a curve a series: the best choices of its parameters.

    Choices that another one of the series beats in both are faint. Where images are averaged, the
    band holds the middle half of the images at each choice.
    """
    grouped = {title: by_series(members) for title, members in panels(measured).items()}
    curves = {
        title: {name: curve(members, quality) for name, members in groups.items()}
        for title, groups in grouped.items()
    }
    if not any(any(map(len, of_panel.values())) for of_panel in curves.values()):
        return None
    names = list(dict.fromkeys(m.series for m in measured))
    figure = Figure(figsize=(max(7.0, 4.2 * len(grouped) + 1.5), 4.2), layout="constrained")
    grid = figure.subplots(1, len(grouped), squeeze=False)[0]
    for axes, (title, groups) in zip(grid, grouped.items(), strict=True):
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


def time_against_rate(measured: Sequence[Measured]) -> Figure | None:
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


def _draw_band(
    axes: Axes, members: Sequence[Measured], quality: Callable[[Row], float | None], color: str
) -> None:
    """Fill between the quartiles of quality over images, for series swept in one parameter."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for m in members:
        groups.setdefault((m.row.k, m.row.k1, m.row.k2, m.row.quality), []).append(m.row)
    band = []
    for rows in groups.values():
        values = finite([quality(row) for row in rows])
        if values:
            rate = float(np.mean([row.bits_per_pixel for row in rows]))
            band.append((rate, *np.percentile(values, [25, 75])))
    kept = [m.row.k1 for m in members if m.row.k1 is not None]
    if len(band) > 1 and len(set(kept)) <= 1:
        rates, low, high = zip(*sorted(band), strict=True)
        axes.fill_between(rates, low, high, color=color, alpha=0.12, linewidth=0)


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
