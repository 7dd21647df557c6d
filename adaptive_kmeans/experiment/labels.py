"""Names at the ends of curves and beside vertical lines, placed so that they do not overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path as MplPath
from matplotlib.text import Text

from adaptive_kmeans.experiment.style import BACKED, wrapped

WIDTH = 21
"""Maximum number of letters in a line of a name."""
FONT_SIZE = 7.0
BESIDE = 1.04
"""Where names begin, as a fraction of the width of the axes."""
GAP = 1.5
"""Space between two names, in points."""
EDGE = 0.02
"""Space between upright names and the edge of the axes, as a fraction of their height."""


class End(NamedTuple):
    """The end of a curve: its name, its place in the data, its color."""

    name: str
    x: float
    y: float
    color: str


def label_ends(
    figure: Figure,
    ends: Mapping[Axes, Sequence[End]],
    uprights: Mapping[Axes, Sequence[Text]] = MappingProxyType({}),
    width: int = WIDTH,
) -> None:
    """Write names to the right of the axes, each joined to the end of its curve.

    The axes keep their limits. If all curves end in the left half, their names begin there. Names
    that would overlap are moved up and down, with the least possible sum of squared shifts.

    Parameters
    ----------
    figure : Figure
        The figure, with all its curves drawn; it is laid out here.
    ends : mapping of Axes to sequence of End
        The ends of the curves in each panel.
    uprights : mapping of Axes to sequence of Text
        Upright names to the left of vertical lines, which are moved apart horizontally.
    width : int
        Maximum number of letters in a line of a name.
    """
    written: dict[Axes, list[Any]] = {}
    for axes, of_axes in ends.items():
        axes.set_xlim(axes.get_xlim())
        axes.set_ylim(axes.get_ylim())
        written[axes] = [
            axes.annotate(
                wrapped(end.name, width),
                (end.x, end.y),
                (BESIDE, 0.5),
                textcoords="axes fraction",
                color=end.color,
                fontsize=FONT_SIZE,
                linespacing=0.95,
                ha="left",
                va="center",
                bbox=BACKED,
                arrowprops={
                    "arrowstyle": "-",
                    "color": end.color,
                    "linewidth": 0.5,
                    "alpha": 0.7,
                    "shrinkA": 0,
                    "shrinkB": 2,
                    "relpos": (0, 0.5),
                },
            )
            for end in of_axes
        ]
    figure.draw_without_rendering()
    for axes, texts in written.items():
        if not texts:
            continue
        box = axes.get_window_extent()
        last = max(axes.transData.transform(text.xy)[0] for text in texts)
        across = (last - box.x0) / box.width
        left = across + 0.1 if across < 0.5 else BESIDE
        wanted = [axes.transData.transform(text.xy)[1] for text in texts]
        gap = GAP * figure.dpi / 72
        # The extent of the text alone, without the line to the curve.
        heights = [Text.get_window_extent(text).height + gap for text in texts]
        for text, middle in zip(texts, spread(wanted, heights, box.y0, box.y1), strict=True):
            text.set_position((left, (middle - box.y0) / box.height))
    for axes, names in uprights.items():
        if not names:
            continue
        box = axes.get_window_extent()
        boxes = [text.get_window_extent() for text in names]
        wanted = [(each.x0 + each.x1) / 2 for each in boxes]
        placed = spread(wanted, [each.width for each in boxes], box.x0, box.x1)
        for text, old, new in zip(names, wanted, placed, strict=True):
            x, y = axes.transData.transform((text.get_position()[0], 0.0))
            text.set_x(axes.transData.inverted().transform((x + new - old, y))[0])
        _move_from_curves(axes, names, written.get(axes, []))


def _move_from_curves(axes: Axes, names: Sequence[Text], ends: Sequence[Any]) -> None:
    """Move upright names to the top of the axes if they cross fewer curves there."""
    paths = [line.get_transform().transform_path(line.get_path()) for line in axes.lines]
    for end in ends:
        side = axes.transAxes.transform(end.get_position())
        paths.append(MplPath([axes.transData.transform(end.xy), side]))

    def crossed_at(edge: str) -> int:
        """Move the names to an edge, and return how many curves cross them there."""
        for text in names:
            text.set(y=EDGE if edge == "bottom" else 1 - EDGE, verticalalignment=edge)
        boxes = [text.get_window_extent() for text in names]
        return sum(path.intersects_bbox(box, False) for path in paths for box in boxes)

    crossed_at(min(("bottom", "top"), key=crossed_at))


def spread(
    wanted: Sequence[float], heights: Sequence[float], low: float, high: float
) -> list[float]:
    """Place boxes as near as possible to where they are wanted, without overlap.

    Parameters
    ----------
    wanted : sequence of float
        The wanted middles of the boxes.
    heights : sequence of float
        Their heights.
    low, high : float
        Where the lowest may start and the highest end, if all fit in between.

    Returns
    -------
    list of float
        The middles of the boxes, in the order of `wanted`.

    Examples
    --------
    >>> spread([5.0, 5.0, 9.0], [2.0, 2.0, 2.0], 0.0, 20.0)
    [4.0, 6.0, 9.0]
    """
    from sklearn.isotonic import isotonic_regression

    order = np.argsort(wanted, kind="stable")
    sizes = np.asarray(heights, dtype=np.float64)[order]
    # Where each would be if all were stacked on the first, which gives the distances to keep.
    stacked = np.concatenate([[0.0], np.cumsum((sizes[1:] + sizes[:-1]) / 2)])
    least, most = low + sizes[0] / 2, high - sizes[-1] / 2 - stacked[-1]
    if most < least:  # they do not fit, and stick out equally on both sides
        least = most = (least + most) / 2
    moved = np.asarray(wanted, dtype=np.float64)[order] - stacked
    placed = isotonic_regression(moved, y_min=least, y_max=most) + stacked
    middles = np.empty(len(order))
    middles[order] = placed
    return [float(middle) for middle in middles]
