"""Splitting many series into panels of at most `MAX_SERIES`, by what tells them apart.

Ours stand apart from other codecs, then series of different coders, color spaces and so on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from adaptive_kmeans.experiment.series import SERIES_COLUMNS, Measured
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


def families(groups: Mapping[str, Sequence[Measured]]) -> list[Family]:
    """Split series, by name, into families of at most `MAX_SERIES`."""
    return [_named(part, groups) for part in _split(list(groups), groups)]


def _split(names: list[str], groups: Mapping[str, Sequence[Measured]]) -> list[list[str]]:
    if len(names) <= MAX_SERIES:
        return [names]
    first = {name: groups[name][0].row for name in names}
    keys: list[dict[str, object]] = [{name: row.is_ours for name, row in first.items()}]
    columns = [*_BEFORE, *(column for column in SERIES_COLUMNS if column not in _BEFORE)]
    keys += [{name: getattr(row, column) for name, row in first.items()} for column in columns]
    keys += [{name: row.label for name, row in first.items()}]
    for key in keys:
        parts: dict[object, list[str]] = {}
        for name in names:
            parts.setdefault(key[name], []).append(name)
        if len(parts) > 1 and all(len(part) > 1 for part in parts.values()):
            return [small for part in parts.values() for small in _split(part, groups)]
    count = -(-len(names) // MAX_SERIES)
    size = -(-len(names) // count)
    return [names[start : start + size] for start in range(0, len(names), size)]


def _named(names: list[str], groups: Mapping[str, Sequence[Measured]]) -> Family:
    """Move what all names of a family end with into its title."""
    if len(names) == len(groups):
        return Family("", {name: name for name in names})
    parts = {name: name.split(", ") for name in names}
    common = [part for part in parts[names[0]][1:] if all(part in p[1:] for p in parts.values())]
    title = ", ".join(common)
    ours = {groups[name][0].row.is_ours for name in names}
    if not title and len(ours) == 1 and len({of[0].row.is_ours for of in groups.values()}) == 2:
        title = OURS if ours == {True} else OTHERS
    short = {
        name: ", ".join(part for i, part in enumerate(own) if i == 0 or part not in common)
        for name, own in parts.items()
    }
    return Family(title, short)
