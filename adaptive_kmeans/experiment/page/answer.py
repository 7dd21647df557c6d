"""The answer in numbers: what each series needs at equal quality, or why that cannot be said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment.comparison import DELTAS, main_rows, rate_deltas
from adaptive_kmeans.experiment.statistics import Delta, summarize
from adaptive_kmeans.experiment.tables import shown_value
from adaptive_kmeans.metrics import MIN_POINTS

MAX_CLAIMS = 8
"""Maximum number of series that are described in words; the table has all."""


class Claim(NamedTuple):
    """What one series needs at equal quality.

    Parameters
    ----------
    number : str
        The mean of the deltas, such as "−36.9 %".
    mood : str
        "fewer" or "more", or "unclear" if the interval includes 0 or there is none.
    text : str
        The whole claim in words.
    """

    number: str
    mood: str
    text: str


class Answer(NamedTuple):
    """The claims, the best first.

    Parameters
    ----------
    claims : list of Claim
    left_out : int
        How many more there are.
    notice : str
        Why there are none; "" otherwise.
    """

    claims: list[Claim]
    left_out: int
    notice: str


def answer(files: pd.DataFrame, compared: pd.DataFrame, anchors: Sequence[str]) -> Answer:
    """Say what each series needs at equal quality, or why that cannot be said.

    The series are those of `comparison.main_rows`. If there are too many, the best against each
    anchor come first, so that a weak anchor does not crowd out a strong one. Series that cannot be
    compared on every image come last: their means are over other images.

    Parameters
    ----------
    files : DataFrame
        The table of an experiment, with the names of its series.
    compared : DataFrame
        The comparison at equal quality; see `comparison`.
    anchors : sequence of str
        The anchors that the config names.
    """
    rates = rate_deltas(compared)
    if not rates:
        return Answer([], 0, _why_not(files, compared, anchors))
    compared = main_rows(compared, files)
    sets = compared["image_set"].nunique()
    found: dict[tuple[str, str], list[tuple[tuple[bool, float], Claim]]] = {}
    for (name, series, anchor), members in compared.groupby(
        ["image_set", "series", "anchor"], sort=False
    ):
        deltas = {name: summarize(members[name], DELTAS[name].better) for name in rates}
        first = next(iter(deltas.values()))
        if first.images:
            place = f" on {name}" if sets > 1 else ""
            claim = _claim(f"{series}{place}", str(anchor), deltas)
            found.setdefault((str(name), str(anchor)), []).append(
                ((first.refused > 0, first.mean), claim)
            )
    ranked = [
        (rank, mean, claim)
        for members in found.values()
        for rank, (mean, claim) in enumerate(sorted(members, key=lambda pair: pair[0]))
    ]
    ranked.sort(key=lambda entry: entry[:2])
    claims = [claim for *_, claim in sorted(ranked[:MAX_CLAIMS], key=lambda entry: entry[1])]
    return Answer(claims, len(ranked[MAX_CLAIMS:]), "")


def _claim(series: str, anchor: str, deltas: dict[str, Delta]) -> Claim:
    (name, first), *others = deltas.items()
    is_sure = first.low > 0 or first.high < 0
    side = "fewer" if first.mean < 0 else "more"
    size = _signed(abs(first.mean), name).removeprefix("+")
    text = f"{series} needs {size} % {side} bytes than {anchor} at equal {_metric(name)}"
    if not math.isnan(first.low):
        text += f" (95 % interval {_signed(first.low, name)} to {_signed(first.high, name)} %"
        text += ")" if is_sure else ", which includes 0)"
    text += f"; it needs fewer on {first.wins} of {counted(first.images, 'image')}"
    text += f", and {first.refused} cannot be compared." if first.refused else "."
    told = [
        f"at equal {_metric(other)} {_signed(delta.mean, other)} %"
        for other, delta in others
        if delta.images
    ]
    if told:
        text += f" A{', '.join(told)[1:]}."
    texts = [words.replace(" %", "\u00a0%") for words in (f"{_signed(first.mean, name)} %", text)]
    return Claim(texts[0], side if is_sure else "unclear", texts[1])


def _metric(name: str) -> str:
    return DELTAS[name].metric.label


def _signed(value: float, name: str) -> str:
    return shown_value(value, DELTAS[name].digits).replace("-", "−")


def _why_not(files: pd.DataFrame, compared: pd.DataFrame, anchors: Sequence[str]) -> str:
    """Say why there is no comparison at equal quality."""
    points = files.groupby(["series", "image"], sort=False).size().groupby("series", sort=False)
    most = points.max()
    if len(most) == 1:
        return f"There is nothing to compare: {most.index[0]} is the only series."
    if most.max() == 1:
        return (
            "There is nothing to compare at equal quality: each series has one file of an image, "
            f"and a curve takes {MIN_POINTS}."
        )
    curves = most[most >= MIN_POINTS]
    if len(curves) < 2:
        has = f"only {curves.index[0]} has as many" if len(curves) else "no series has as many"
        return (
            f"There is nothing to compare at equal quality: a curve takes {MIN_POINTS} files of an "
            f"image, and {has}."
        )
    if compared.empty:
        return (
            f"There is nothing to compare with: figures.anchor is {', '.join(anchors)}, and the "
            f"series with curves are {'; '.join(map(str, curves.index))}."
        )
    return "There is nothing to compare at equal quality: the curves barely overlap."
