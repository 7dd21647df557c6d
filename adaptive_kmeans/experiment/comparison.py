"""Comparing series with an anchor at equal bytes, on each image and summed up.

An anchor is a method, such as "regular", without restoration. A series is compared with the
anchor's series that has the same coder, if there is one, so that gains of a coder and of a method
are not mixed up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from adaptive_kmeans.experiment.rows import Row
from adaptive_kmeans.experiment.series import (
    Measured,
    by_series,
    curve,
    minus_ciede2000,
    psnr,
    ssim_db,
    ssimulacra2,
)
from adaptive_kmeans.experiment.statistics import Delta, summarize
from adaptive_kmeans.metrics import bd_psnr, bd_rate
from adaptive_kmeans.progress import say


@dataclass(frozen=True)
class ComparisonRow:
    """A row of `comparison.csv`: a series compared with its anchor on one image.

    A BD-rate below zero means that the series needs fewer bytes than the anchor at equal quality.
    Deltas are None where the two curves barely overlap or have fewer than three points, and for
    metrics that were not measured.
    """

    image_set: str
    image: str
    series: str
    anchor: str
    bd_rate_percent: float | None
    bd_psnr_db: float | None
    bd_rate_ssim_percent: float | None
    bd_rate_ssimulacra2_percent: float | None
    bd_rate_ciede2000_percent: float | None


DELTAS = {
    "BD-rate %": ("bd_rate_percent", bd_rate, psnr),
    "BD-PSNR dB": ("bd_psnr_db", bd_psnr, psnr),
    "BD-rate by SSIM %": ("bd_rate_ssim_percent", bd_rate, ssim_db),
    "BD-rate by SSIMULACRA 2 %": ("bd_rate_ssimulacra2_percent", bd_rate, ssimulacra2),
    "BD-rate by CIEDE2000 %": ("bd_rate_ciede2000_percent", bd_rate, minus_ciede2000),
}
"""The deltas by title: their column, the function that computes them, and the quality."""


def compare(measured: Sequence[Measured], anchors: Sequence[str]) -> list[ComparisonRow]:
    """Compare every series with its anchors on every image.

    Parameters
    ----------
    measured : sequence of Measured
        The trials that succeeded, with the names of their series.
    anchors : sequence of str
        Each the name of a series, or of a method, which has a series for each coder.

    Returns
    -------
    list of ComparisonRow
        Anchor by anchor, series by series; empty if no series has three points on an image, or if
        there is no such anchor, which is printed.
    """
    groups = by_series(measured)
    return [row for anchor in anchors for row in _compare_with(groups, anchor)]


def _compare_with(groups: dict[str, list[Measured]], anchor: str) -> list[ComparisonRow]:
    """Compare every series with one anchor, or with its series of the same coder."""
    anchors = {
        name: members
        for name, members in groups.items()
        if members[0].row.label == anchor and not members[0].row.is_restored
    }
    if anchor in groups:
        anchors = {anchor: groups[anchor]}
    if not anchors:
        if len(groups) > 1:
            known = "; ".join(groups)
            say(f"note: no comparison: figures.anchor is {anchor}, and the series are {known}")
        return []
    rows = []
    for name, members in groups.items():
        if name in anchors:
            continue
        own = members[0].row
        beside = max(anchors, key=lambda a: _alike(anchors[a][0].row, own))
        for image in dict.fromkeys(m.row.image for m in members):
            mine = [m for m in members if m.row.image == image]
            others = [m for m in anchors[beside] if m.row.image == image]
            if len(mine) < 3 or len(others) < 3:
                continue
            deltas = {
                column: delta(curve(others, quality), curve(mine, quality))
                for column, delta, quality in DELTAS.values()
            }
            rows.append(ComparisonRow(mine[0].row.image_set, image, name, beside, **deltas))
    return rows


def _alike(anchor: Row, row: Row) -> tuple[bool, bool, bool]:
    """Return which settings an anchor shares with a series, the most important first."""
    return (
        anchor.coder == row.coder,
        anchor.color_space == row.color_space,
        anchor.block_size == row.block_size,
    )


def to_markdown(rows: Sequence[ComparisonRow]) -> str:
    """Return a Markdown table of means over images, with intervals, wins and refused images.

    Returns
    -------
    str
        The table, or "" if there are no rows.
    """
    if not rows:
        return ""
    shown = {
        title: column
        for title, (column, *_) in DELTAS.items()
        if any(getattr(row, column) is not None for row in rows)
    }
    heads = ["set", "series", "against"]
    for title in shown:
        heads += [f"{title} [95 %]", "wins/N"]
    heads.append("not comparable")
    lines = [_line(heads), _line([":--"] * 3 + ["--:"] * (len(heads) - 3))]
    groups: dict[tuple[str, str, str], list[ComparisonRow]] = {}
    for row in rows:
        groups.setdefault((row.image_set, row.series, row.anchor), []).append(row)
    for names, members in sorted(groups.items(), key=lambda group: group[0][0]):
        cells = list(names)
        for column in shown.values():
            better: Literal["lower", "higher"] = "higher" if column == "bd_psnr_db" else "lower"
            cells += _cells(summarize([getattr(row, column) for row in members], better), column)
        refused = sum(row.bd_rate_percent is None for row in members)
        lines.append(_line([*cells, str(refused)]))
    return "".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _cells(delta: Delta, column: str) -> tuple[str, str]:
    digits = ".2f" if column.endswith("_db") else ".1f"
    if math.isnan(delta.mean):
        return "–", f"{delta.wins}/{delta.images}"
    text = format(delta.mean, "+" + digits)
    if not math.isnan(delta.low):
        text += f" [{format(delta.low, '+' + digits)}, {format(delta.high, '+' + digits)}]"
    return text, f"{delta.wins}/{delta.images}"
