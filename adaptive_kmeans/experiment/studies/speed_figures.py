"""The figure of clustering engines: time against error, with the Pareto front."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment.studies.clustering_speed import SpeedRow, mean_point
from adaptive_kmeans.experiment.style import COLORS, DPI, MARKERS


def draw_all(folder: Path, rows: list[SpeedRow]) -> None:
    """Draw the figures of a table of speeds into a folder, as PNG files."""
    if rows:
        figure = _pareto(rows)
        figure.savefig(folder / "time_against_error.png", dpi=DPI)


def _pareto(rows: list[SpeedRow]) -> Figure:
    """Draw time against mean squared error for each k, as means over the images.

    Times are geometric means, errors arithmetic. Lower left is better; the line joins the engines
    that no other beats in both.
    """
    ks = sorted({row.k for row in rows})
    contestants = list(dict.fromkeys((row.engine, row.threads) for row in rows))
    figure = Figure(figsize=(max(6.5, 3.9 * len(ks)), 4.0), layout="constrained")
    grid = figure.subplots(1, len(ks), squeeze=False)[0]
    images = len({row.image for row in rows})
    for axes, k in zip(grid, ks, strict=True):
        points = {}
        for engine, threads in contestants:
            points[engine, threads] = mean_point(rows, engine, threads, k)
        for i, ((engine, threads), point) in enumerate(points.items()):
            axes.plot(
                *point,
                marker=MARKERS[i % len(MARKERS)],
                color=COLORS[i % len(COLORS)],
                linestyle="",
                markersize=8,
                label=f"{engine}, {counted(threads, 'thread')}",
            )
        axes.plot(*zip(*_front(list(points.values())), strict=True), color="0.6", zorder=0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(f"k = {k}, {counted(images, 'image')}", fontsize=10)
        axes.set_xlabel("time, s")
        axes.grid(alpha=0.3, which="both")
    grid[0].set_ylabel("mean squared error of the 8-bit pixels")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return figure


def _front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no other beats in both, sorted by time."""
    front: list[tuple[float, float]] = []
    for point in sorted(points):
        if not front or point[1] < front[-1][1]:
            front.append(point)
    return front
