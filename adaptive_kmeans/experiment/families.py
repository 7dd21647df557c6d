"""Splitting many series into panels of at most `MAX_SERIES`, by what tells them apart.

Our series are separated from other codecs first, then series with different coders, color spaces
and so on. Series that differ in one setting with more values than fit are cut into ranges of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from adaptive_kmeans.experiment.columns import rows_of
from adaptive_kmeans.experiment.series import SERIES_COLUMNS, groups
from adaptive_kmeans.experiment.style import MAX_SERIES

OURS, OTHERS = "ours", "other codecs"
_BEFORE = ("coder", "color_space")
"""Columns that split first: they are choices independent of the method."""


class Family(NamedTuple):
    """Series that share a panel.

    Parameters
    ----------
    title : str
        What they have in common, and the range that they cover; "" if there is nothing to say.
    names : dict of str to str
        Names of the series without what is in the title, by their names in the table.
    """

    title: str
    names: dict[str, str]


def families(table: pd.DataFrame) -> list[Family]:
    """Split the series of files into families of at most `MAX_SERIES`."""
    first = {name: rows_of(files)[0] for name, files in groups(table, "series").items()}
    return [_named(part, first, is_range) for part, is_range in _split(list(first), first)]


def _split(names: list[str], every: Mapping[str, Any]) -> list[tuple[list[str], bool]]:
    """Return the names of each family, and whether it is a range of a larger one."""
    if len(names) <= MAX_SERIES:
        return [(names, False)]
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
    codecs = [every[name].label.partition(":")[0] for name in names]
    names = sorted(names, key=lambda name: codecs.index(every[name].label.partition(":")[0]))
    count = -(-len(names) // MAX_SERIES)
    size = -(-len(names) // count)
    return [(names[start : start + size], True) for start in range(0, len(names), size)]


def _named(names: list[str], every: Mapping[str, Any], is_range: bool) -> Family:
    """Move what all names of a family have in common into its title."""
    common, short = shortened(names)
    ours = {every[name].is_ours for name in names}
    if not common and len(ours) == 1 and len({row.is_ours for row in every.values()}) == 2:
        common = [OURS if ours == {True} else OTHERS]
    if is_range:
        common = [*common, f"{short[names[0]]} to {short[names[-1]]}"]
    return Family(", ".join(common), short)


def shortened(names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the parts that all names share, and the names without them.

    A name without any other part keeps its first part.

    Examples
    --------
    >>> shortened(["regular, rgb", "regular, lab"])
    (['regular'], {'regular, rgb': 'rgb', 'regular, lab': 'lab'})
    >>> shortened(["regular", "regular, restored"])
    (['regular'], {'regular': 'regular', 'regular, restored': 'restored'})
    """
    parts = {name: name.split(", ") for name in names}
    first = parts[names[0]]
    common = [part for part in first if all(part in own for own in parts.values())]
    if len(parts) == 1:
        common = []
    short = {
        name: ", ".join([part for part in own if part not in common] or own[:1])
        for name, own in parts.items()
    }
    return common, short
