"""The forest plot of BD-rates: a row for each series, with its mean, its interval and its wins."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator

from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment.comparison import DELTAS, main_rows, rate_deltas
from adaptive_kmeans.experiment.families import shortened
from adaptive_kmeans.experiment.series import groups
from adaptive_kmeans.experiment.statistics import Delta, summarize
from adaptive_kmeans.experiment.style import COLORS, PAGE, TWO_COLUMNS, Drawn, blank, plain

ROW_HEIGHT, HEAD_HEIGHT = 0.165, 0.75
"""Height of a row, and of the title and the axis of a set, in inches."""

MAX_ROWS = int((PAGE - HEAD_HEIGHT) / ROW_HEIGHT)
"""Maximum number of rows in a figure; more are split into several."""

LETTER, PANEL_WIDTH = 0.056, 1.7
"""Width of a letter of a name, and minimum width of a panel with its numbers, in inches."""

LOGARITHMIC = "log scale"

MOST_TICKS = 8
"""Maximum number of ticks on the axes of a row of panels together."""

WIDE = 100.0
"""A BD-rate in percent beyond which the axis is logarithmic in the ratio of the rates."""

RATIO_TICKS = (-98, -95, -90, -75, -50, -25, 0, 50, 100, 200, 300, 1000, 3000, 10000)


class _Line(NamedTuple):
    """A row of the figure: a heading, or a series with a delta for each metric."""

    name: str
    deltas: dict[str, Delta] | None


class _Block(NamedTuple):
    """Consecutive rows of one set of images."""

    name: str
    lines: Sequence[_Line]
    images: int

    @property
    def height(self) -> float:
        """Height of its panels, in inches."""
        return HEAD_HEIGHT + ROW_HEIGHT * len(self.lines)


_Row = tuple[_Block, Sequence[str]]
"""A row of panels: a block, and the deltas that it shows."""


def bd_rate(compared: pd.DataFrame, table: pd.DataFrame) -> list[Drawn]:
    """Draw the BD-rates of series against their anchors, a panel for each set and metric.

    The rows are those of `comparison.main_rows`.

    Parameters
    ----------
    compared : DataFrame
        The comparison on every image; see `comparison`.
    table : DataFrame
        The files, which tell which series are ours.
    """
    compared = main_rows(compared, table)
    rates = rate_deltas(compared)
    blocks = [
        _Block(name, lines, images["image"].nunique())
        for name, images in groups(compared, "image_set").items()
        for lines in _parts(_lines(images, rates))
    ]
    if not rates or not blocks:
        return []
    names = [line.name for block in blocks for line in block.lines]
    room = TWO_COLUMNS - LETTER * max(map(len, names))
    columns = max(1, min(len(rates), int(room / PANEL_WIDTH)))
    across = -(-len(rates) // -(-len(rates) // columns))
    rows = [
        (block, rates[start : start + across])
        for block in blocks
        for start in range(0, len(rates), across)
    ]
    images = counted(compared["image"].nunique(), "image")
    return [_figure(page, across, images) for page in _pages(rows)]


def _figure(rows: Sequence[_Row], columns: int, images: str) -> Drawn:
    """Draw rows of panels."""
    heights = [block.height for block, _ in rows]
    figure = blank(TWO_COLUMNS, sum(heights))
    grid = figure.subplots(
        len(rows), columns, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for axes_row, (block, rates) in zip(grid, rows, strict=True):
        for unused in axes_row[len(rates) :]:
            unused.remove()
        for axes, column in zip(axes_row, rates, strict=False):
            _draw_panel(axes, block.lines, column, MOST_TICKS // columns)
            metric = DELTAS[column].metric.label
            axes.set_title(plain(f"{metric}\n{block.name}, {counted(block.images, 'image')}"))
        _name_rows(axes_row[0], block.lines)
        for axes in axes_row[1 : len(rates)]:
            axes.set_yticks([])
    is_wide = any(axes.get_xscale() != "linear" for axes in figure.axes)
    wide = f" Axes with “{LOGARITHMIC}” are logarithmic in the ratio of the bytes." * is_wide
    return Drawn(
        figure,
        f"BD-rate on {images}: how many more bytes a series needs than the one it is compared "
        "with (bold) at equal quality; below 0 it needs fewer. Names leave out what both have in "
        "common. Points: means over the images; lines: 95 % intervals of the mean, from "
        "bootstrapped images; hollow: the interval includes 0 or there is none. Beside them: the "
        "mean, and on how many of the images that can be compared the series needs fewer bytes."
        f"{wide}",
    )


def _lines(compared: pd.DataFrame, columns: Sequence[str]) -> list[_Line]:
    """Return a heading for each anchor, followed by its series."""
    lines = []
    for anchor, own in groups(compared, "anchor").items():
        lines.append(_Line(f"against {anchor}", None))
        of_series = groups(own, "series")
        _, names = shortened([anchor, *of_series])
        for series, images in of_series.items():
            deltas = {name: summarize(images[name], "lower") for name in columns}
            lines.append(_Line(names[series], deltas))
    return lines


def _parts(lines: Sequence[_Line]) -> list[list[_Line]]:
    """Split lines that do not fit on a page, if possible at headings, which are repeated."""
    parts: list[list[_Line]] = [[]]
    heading = lines[0]
    for i, line in enumerate(lines):
        if line.deltas is None:
            heading = line
            following = itertools.takewhile(lambda each: each.deltas is not None, lines[i + 1 :])
            if len(parts[-1]) + 1 + len([*following]) > MAX_ROWS and parts[-1]:
                parts.append([])
        elif len(parts[-1]) == MAX_ROWS:
            parts.append([heading])
        parts[-1].append(line)
    return parts


def _pages(rows: Sequence[_Row]) -> list[list[_Row]]:
    pages: list[list[_Row]] = [[]]
    for row in rows:
        if sum(block.height for block, _ in [*pages[-1], row]) > PAGE and pages[-1]:
            pages.append([])
        pages[-1].append(row)
    return pages


def _draw_panel(axes: Axes, lines: Sequence[_Line], column: str, ticks: int) -> None:
    deltas = {
        place: line.deltas[column] for place, line in enumerate(lines) if line.deltas is not None
    }
    for place, delta in deltas.items():
        if not delta.images:
            continue
        is_sure = delta.low > 0 or delta.high < 0
        color = COLORS[0] if delta.mean < 0 else COLORS[1]
        if not math.isnan(delta.low):
            axes.plot([delta.low, delta.high], [place, place], color=color, linewidth=1.2)
        face = color if is_sure else "white"
        axes.plot(delta.mean, place, "s", markersize=3.5, color=color, markerfacecolor=face)
    axes.axvline(0, color="black", linewidth=0.6)
    ends = [end for d in deltas.values() for end in (d.low, d.mean, d.high) if math.isfinite(end)]
    if max(map(abs, ends), default=0) > WIDE:
        axes.set_xscale("function", functions=(_log_ratio, _percent))
        axes.xaxis.set_major_locator(FixedLocator(_few_ticks(min(ends), max(ends))))
        axes.set_xlabel(f"BD-rate, % ({LOGARITHMIC})")
    else:
        axes.set_xlabel("BD-rate, %")
        axes.xaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 5, 10]))
    for place, delta in deltas.items():
        shown = f"{delta.mean:+.1f}".replace("-", "−") if delta.images else "–"
        _write_beside(axes, place, shown, f"{delta.wins}/{delta.images}")
    for place, line in enumerate(lines):
        if line.deltas is None:
            _write_beside(axes, place, "mean", "wins/N", style="italic")
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)


def _write_beside(axes: Axes, place: float, mean: str, wins: str, **look: Any) -> None:
    """Write two columns to the right of a row."""
    for text, points in ((mean, 32), (wins, 62)):
        axes.annotate(
            text,
            (1, place),
            (points, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            fontsize=7,
            ha="right",
            va="center",
            **look,
        )


def _log_ratio(percent: npt.ArrayLike) -> npt.NDArray[np.float64]:
    ratio = np.maximum(1 + np.asarray(percent, dtype=np.float64) / 100, 1e-3)
    return np.asarray(np.log(ratio))


def _percent(log_ratio: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(100 * (np.exp(log_ratio) - 1))


def _few_ticks(low: float, high: float) -> list[float]:
    """Return the ticks of `RATIO_TICKS` in a range, thinned until they are well apart."""
    inside = [tick for tick in RATIO_TICKS if low <= tick <= high]
    whole = float(_log_ratio(max(high, 0.0)) - _log_ratio(min(low, 0.0)))
    kept: list[float] = [0]
    for side in ([t for t in inside if t > 0], [t for t in reversed(inside) if t < 0]):
        last = 0.0
        for tick in side:
            if abs(_log_ratio(tick) - _log_ratio(last)) > (0.3 if last else 0.2) * whole:
                kept.append(tick)
                last = tick
    return sorted(kept)


def _name_rows(axes: Axes, lines: Sequence[_Line]) -> None:
    axes.set_yticks(range(len(lines)), [plain(line.name) for line in lines], fontsize=7)
    axes.tick_params(axis="y", length=0)
    for label, line in zip(axes.get_yticklabels(), lines, strict=True):
        if line.deltas is None:
            label.set_fontweight("bold")
