"""How the bits of our files divide up, as bars."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from adaptive_kmeans.experiment.bars import split_of
from adaptive_kmeans.experiment.rows import COLUMNS
from adaptive_kmeans.experiment.tables import shown_value

MAX_BARS = 60
"""Maximum number of bars; the CSV has all."""


class Segment(NamedTuple):
    """A part of a file: its place in the legend, its rate as text, its length in percent."""

    place: int
    text: str
    percent: float


class Bar(NamedTuple):
    """The files of one setting: their name, their rate as text, and its parts."""

    name: str
    rate: str
    segments: list[Segment]


class Split(NamedTuple):
    """The bars, the names of the parts that are not empty, and how many bars are left out."""

    parts: list[str]
    bars: list[Bar]
    left_out: int


def split(files: pd.DataFrame) -> Split | None:
    """Return how the bits of our files divide up, as means over images; None if none are ours.

    Parameters
    ----------
    files : DataFrame
        The table of an experiment, with the names of its series.
    """
    rates = split_of(files, "title")
    if rates.empty:
        return None
    names = [str(part).removesuffix("_bytes").replace("_", " ") for part in rates]
    whole, digits = rates.sum(axis=1), COLUMNS["bits_per_pixel"].digits
    bars = []
    longest = whole.max()
    for title, total, values in zip(rates.index, whole, rates.to_numpy(), strict=True):
        segments = [
            Segment(
                place,
                f"{name} {shown_value(rate, digits)} bits per pixel, {100 * rate / total:.0f} %",
                100 * rate / longest,
            )
            for place, (name, rate) in enumerate(zip(names, values, strict=True))
            if rate > 0
        ]
        bars.append(Bar(str(title), shown_value(total, digits), segments))
    return Split(names, bars[:MAX_BARS], len(bars[MAX_BARS:]))
