"""Curves published by others, drawn in our figures in gray and labeled as theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from adaptive_kmeans.experiment.findings import OtherCurve
from adaptive_kmeans.experiment.labels import End
from adaptive_kmeans.experiment.style import LINES

GRAY = "#707070"
PUBLISHED = "as published"


def other_label(curve: OtherCurve) -> str:
    """Return the name of a curve in legends, which says that we did not measure it.

    Examples
    --------
    >>> other_label(OtherCurve("BPG 4:4:4", "kodak", [(0.5, 31.0)]))
    'BPG 4:4:4, as published'
    """
    return f"{curve.name}, {PUBLISHED}"


def comparable(
    others: Sequence[OtherCurve], panel: pd.DataFrame, table: pd.DataFrame
) -> list[OtherCurve]:
    """Return the curves that are means over exactly the images that a panel averages."""
    shown = set(zip(panel["image_set"], panel["image"], strict=True))
    found = []
    for other in others:
        images = set(table.loc[table["image_set"] == other.image_set, "image"])
        if len(shown) > 1 and shown == {(other.image_set, image) for image in images}:
            found.append(other)
    return found


def draw_others(axes: Axes, curves: Sequence[OtherCurve]) -> list[End]:
    """Draw curves of others behind ours, and return their ends."""
    ends = []
    for i, curve in enumerate(curves):
        rates, values = zip(*curve.psnr_db, strict=True)
        look: dict[str, Any] = {
            "color": GRAY,
            "linestyle": LINES[i % len(LINES)],
            "marker": ".",
            "markersize": 3,
        }
        axes.plot(rates, values, label=other_label(curve), linewidth=1.0, zorder=1.5, **look)
        ends.append(End(other_label(curve), *curve.psnr_db[-1], GRAY))
    return ends
