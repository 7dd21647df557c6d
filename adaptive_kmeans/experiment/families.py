"""Splitting many series into panels of at most `MAX_SERIES`, by what tells them apart.

Ours stand apart from other codecs, then series of different coders, color spaces and so on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from adaptive_kmeans.experiment.columns import rows_of
from adaptive_kmeans.experiment.series import SERIES_COLUMNS, groups
from adaptive_kmeans.experiment.style import MAX_SERIES

OURS, OTHERS = "ours", "other codecs"
_BEFORE = ("coder", "color_space")
"""Columns that split first: they are choices beside the method."""


class Family(NamedTuple):
    """Series that share a panel.

    Parameters
    ----------
    title : str
        What they have in common; "" if there is one family.
    names : dict of str to str
        Names of the series, by those in the table, without what is in the title.
    """

    title: str
    names: dict[str, str]


def families(table: pd.DataFrame) -> list[Family]:
    """Split the series of files into families of at most `MAX_SERIES`."""
    first = {name: rows_of(files)[0] for name, files in groups(table, "series").items()}
    return [_named(part, first) for part in _split(list(first), first)]


def _split(names: list[str], every: Mapping[str, Any]) -> list[list[str]]:
    if len(names) <= MAX_SERIES:
        return [names]
    first = {name: every[name] for name in names}
    keys: list[dict[str, object]] = [{name: row.is_ours for name, row in first.items()}]
    columns = [*_BEFORE, *(column for column in SERIES_COLUMNS if column not in _BEFORE)]
    keys += [{name: getattr(row, column) for name, row in first.items()} for column in columns]
    keys += [{name: row.label for name, row in first.items()}]
    keys += [{name: row.label.partition(":")[0] for name, row in first.items()}]  # of codecs
    for key in keys:
        parts: dict[object, list[str]] = {}
        for name in names:
            parts.setdefault(key[name], []).append(name)
        if len(parts) > 1 and all(len(part) > 1 for part in parts.values()):
            return [small for part in parts.values() for small in _split(part, every)]
    count = -(-len(names) // MAX_SERIES)
    size = -(-len(names) // count)
    return [names[start : start + size] for start in range(0, len(names), size)]


def _named(names: list[str], every: Mapping[str, Any]) -> Family:
    """Move what all names of a family end with into its title."""
    if len(names) == len(every):
        return Family("", {name: name for name in names})
    parts = {name: name.split(", ") for name in names}
    common = [part for part in parts[names[0]][1:] if all(part in p[1:] for p in parts.values())]
    title = ", ".join(common)
    ours = {every[name].is_ours for name in names}
    if not title and len(ours) == 1 and len({row.is_ours for row in every.values()}) == 2:
        title = OURS if ours == {True} else OTHERS
    short = {
        name: ", ".join(part for i, part in enumerate(own) if i == 0 or part not in common)
        for name, own in parts.items()
    }
    return Family(title, short)
