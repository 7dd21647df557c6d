"""Comparison of series with an anchor at equal quality or rate, on each image and in summary.

An anchor is a method, such as "regular", without restoration. A series is compared with the
anchor's series that has the same coder, if there is one, so that gains of coders and of methods are
kept apart.

A comparison is a table of `COLUMNS`: a series and its anchor on one image, with a delta for each
metric. A BD-rate below zero means that the series needs fewer bytes than the anchor at equal
quality. Deltas are missing where the two curves barely overlap or have fewer than three points, and
for metrics that were not measured. An image of which a series has no files counts as one that
cannot be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from adaptive_kmeans.experiment.columns import Column, rows_of, table_of
from adaptive_kmeans.experiment.rows import METRICS
from adaptive_kmeans.experiment.series import OPTIONAL, curve, groups, is_restored, quality
from adaptive_kmeans.experiment.statistics import Delta, summarize
from adaptive_kmeans.metrics import MIN_POINTS, Curve, Metric, bd_psnr, bd_rate
from adaptive_kmeans.progress import say


@dataclass(frozen=True)
class Comparison:
    """A kind of delta between two curves.

    Parameters
    ----------
    title : str
        Its heading in tables.
    metric : Metric
        The quality at which the curves are compared.
    compute : callable
        Takes the anchor's curve and the other one.
    digits : str
        Format of its values.
    better : {"lower", "higher"}
        Which values mean that the series is better than its anchor.
    """

    title: str
    metric: Metric
    compute: Callable[[Curve, Curve], float | None]
    digits: str = "+.1f"
    better: Literal["lower", "higher"] = "lower"


_PSNR = METRICS["psnr"]
DELTAS = {
    "bd_rate_percent": Comparison("BD-rate %", _PSNR, bd_rate),
    "bd_psnr_db": Comparison("BD-PSNR dB", _PSNR, bd_psnr, digits="+.2f", better="higher"),
    **{
        f"bd_rate_{name}_percent": Comparison(f"BD-rate by {metric.label} %", metric, bd_rate)
        for name, metric in METRICS.items()
        if metric.scale is not None and metric is not _PSNR
    },
}
"""The deltas by their columns: PSNR at equal rate, and rate at equal quality by each metric."""

COLUMNS = {
    **dict.fromkeys(("image_set", "image", "series", "anchor"), Column()),
    **{name: Column("measured", delta.digits) for name, delta in DELTAS.items()},
}
"""The columns of `comparison.csv`."""


def compare(table: pd.DataFrame, anchors: Sequence[str]) -> pd.DataFrame:
    """Compare every series with its anchors on every image.

    Parameters
    ----------
    table : DataFrame
        The files, with the names of their series.
    anchors : sequence of str
        Names of series, or of methods, which have a series for each coder.

    Returns
    -------
    DataFrame
        Ordered by anchor, then by series; empty if no series has three points on an image, or if
        there is no such anchor, in which case a note is printed.
    """
    series = groups(table, "series")
    rows = [row for anchor in anchors for row in _compare_with(series, anchor)]
    return table_of(rows, COLUMNS)


def _compare_with(series: dict[str, pd.DataFrame], anchor: str) -> Iterator[dict[str, Any]]:
    """Compare every series with one anchor, or with its series of the same coder."""
    first = {name: rows_of(files)[0] for name, files in series.items()}
    anchors = [name for name, row in first.items() if row.label == anchor and not is_restored(row)]
    if anchor in series:
        anchors = [anchor]
    if not anchors:
        if len(series) > 1:
            known = "; ".join(series)
            say(f"note: no comparison: figures.anchor is {anchor}, and the series are {known}")
        return
    for name, files in series.items():
        if name in anchors:
            continue
        beside = max(anchors, key=lambda each: _alike(first[each], first[name]))
        of_mine = groups(files, "image")
        rows = []
        for image, others in groups(series[beside], "image").items():
            place = {"image_set": others["image_set"].iloc[0], "image": image}
            mine = of_mine.get(image, others[:0])
            is_enough = min(len(mine), len(others)) >= MIN_POINTS
            deltas = _deltas(others, mine) if is_enough else dict.fromkeys(DELTAS)
            rows.append((is_enough, place | {"series": name, "anchor": beside} | deltas))
        if any(is_enough for is_enough, _ in rows):
            yield from (row for _, row in rows)


def _deltas(anchor: pd.DataFrame, mine: pd.DataFrame) -> dict[str, float | None]:
    found = {}
    for name, delta in DELTAS.items():
        curves = [curve(files, quality(files, delta.metric)) for files in (anchor, mine)]
        found[name] = delta.compute(*curves)
    return found


def _alike(anchor: Any, row: Any) -> tuple[bool, ...]:
    """Return which settings an anchor shares with a series, the most important first."""
    names = ("coder", "color_space", "block_size", *OPTIONAL)
    return tuple(getattr(anchor, name) == getattr(row, name) for name in names)


def main_rows(compared: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that figures and the page show; the full table has the others, too.

    Beside an anchor that is another codec, only our series and that codec at other settings are
    shown.

    Parameters
    ----------
    compared : DataFrame
        The comparison.
    table : DataFrame
        The files, which tell which series are ours.
    """
    ours = set(table.loc[table["is_ours"], "series"])
    if not ours:
        return compared
    is_same = compared["series"].map(_codec) == compared["anchor"].map(_codec)
    return compared[compared["anchor"].isin(ours) | compared["series"].isin(ours) | is_same]


def _codec(series: str) -> str:
    return series.partition(", ")[0]


def rate_deltas(compared: pd.DataFrame) -> list[str]:
    """Return the BD-rate columns that have any values."""
    return [
        name
        for name, delta in DELTAS.items()
        if delta.better == "lower" and compared[name].notna().any()
    ]


def summary(compared: pd.DataFrame) -> pd.DataFrame:
    """Return means over images, with intervals, wins and the images that cannot be compared.

    Returns
    -------
    DataFrame
        Formatted cells, a row for each set and series.
    """
    present = [name for name in DELTAS if compared[name].notna().any()]
    rows = []
    for place, images in compared.groupby(["image_set", "series", "anchor"], sort=False):
        row = dict(zip(("set", "series", "against"), place, strict=True))
        for name in present:
            delta = summarize(images[name], DELTAS[name].better)
            row[f"{DELTAS[name].title} [95 %], wins/N"] = _cell(delta, DELTAS[name].digits)
        row["not comparable"] = str(images["bd_rate_percent"].isna().sum())
        rows.append(row)
    cells = pd.DataFrame(rows)
    return cells if cells.empty else cells.sort_values("set", kind="stable")


def left_out(table: pd.DataFrame) -> str:
    """Return a sentence on the series with too few files to be compared; "" if there are none."""
    files = table.groupby(["series", "image"], sort=False).size().groupby("series", sort=False)
    names = [str(name) for name, most in files.max().items() if most < MIN_POINTS]
    if not names:
        return ""
    few = f"fewer than {MIN_POINTS} files of each image"
    return f"Not compared, because they have {few}: {'; '.join(names)}."


def _cell(delta: Delta, digits: str) -> str:
    wins = f"{delta.wins}/{delta.images}"
    if math.isnan(delta.mean):
        return f"–, {wins}"
    text = format(delta.mean, digits)
    if not math.isnan(delta.low):
        text += f" [{format(delta.low, digits)}, {format(delta.high, digits)}]"
    return f"{text}, {wins}"
