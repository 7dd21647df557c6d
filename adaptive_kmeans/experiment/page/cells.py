"""Tables of the page: cells with their sort keys."""

from __future__ import annotations

import math
import numbers
import re
from typing import Any, NamedTuple

import pandas as pd

from adaptive_kmeans.experiment.columns import Columns
from adaptive_kmeans.experiment.findings import Summary
from adaptive_kmeans.experiment.tables import is_numeric, shown_value

LONG = 300
"""Number of rows beyond which the browser holds only the visible rows of a table."""

NUMBER = re.compile(r"[+−-]?\d[\d,]*(\.\d+)?")


class Cell(NamedTuple):
    """A cell: its text, and the number that it is sorted by, None to sort by the text."""

    text: str
    value: float | str | None = None


class Table(NamedTuple):
    """A table that can be sorted.

    Parameters
    ----------
    heads : list of (str, bool)
        Titles of the columns, and whether they are numbers.
    rows : list of list of Cell
    same : list of (str, str)
        Columns with the same value in all rows, and that value; they are not in the table.
    title, note : str
        Its title, and a sentence below it.
    """

    heads: list[tuple[str, bool]]
    rows: list[list[Cell]]
    same: list[tuple[str, str]]
    title: str = ""
    note: str = ""

    def letters(self, column: int) -> int:
        """Return the length of the longest text in a column."""
        texts = [self.heads[column][0], *(row[column].text for row in self.rows)]
        return max(map(len, texts))


def of_table(table: pd.DataFrame, columns: Columns) -> Table:
    """Return a table of the columns that vary, without those that no table shows.

    Parameters
    ----------
    table : DataFrame
        Unrounded cells.
    columns : mapping of str to Column
        Its columns.

    Examples
    --------
    >>> from adaptive_kmeans.experiment.columns import Column, table_of
    >>> columns = {"image": Column(), "bytes": Column("measured", ",")}
    >>> rows = [{"image": "a", "bytes": 1234}, {"image": "a", "bytes": 99}]
    >>> shown = of_table(table_of(rows, columns), columns)
    >>> shown.heads, shown.same
    ([('bytes', True)], [('image', 'a')])
    >>> [row[0].text for row in shown.rows]
    ['1,234', '99']
    """
    heads, found, same = [], [], []
    for name, column in columns.items():
        if not column.is_written or column.shown == "never":
            continue
        values = [None if pd.isna(value) else value for value in table[name]]
        there = {value for value in values if value is not None}
        if not there:
            continue
        if len(values) > 1 and len(there) == 1 and None not in values:
            same.append((name, shown_value(values[0], column.digits)))
            continue
        is_number = all(isinstance(value, numbers.Real) for value in there)
        heads.append((name, is_number))
        found.append([_cell(value, column.digits, is_number) for value in values])
    return Table(heads, [list(row) for row in zip(*found, strict=True)], same)


def _cell(value: Any, digits: str, is_number: bool) -> Cell:
    text = shown_value(value, digits)
    if not is_number or value is None or text.replace(",", "") == str(value):
        return Cell(text)
    return Cell(text, "Infinity" if math.isinf(value) else float(value))


def of_summary(summary: Summary) -> list[Table]:
    """Return the tables of a summary; numeric cells are sorted by their first number."""
    return [
        _of_cells(table, summary.title if i == 0 else "", summary.note if i == 0 else "")
        for i, table in enumerate(summary.tables)
    ]


def _of_cells(table: pd.DataFrame, title: str, note: str) -> Table:
    are_numbers = [is_numeric(table[name]) for name in table]
    rows = [
        [_of_text(text, is_number) for text, is_number in zip(row, are_numbers, strict=True)]
        for row in table.to_numpy().tolist()
    ]
    return Table(list(zip(table.columns, are_numbers, strict=True)), rows, [], title, note)


def _of_text(text: str, is_number: bool) -> Cell:
    found = NUMBER.match(text) if is_number else None
    number = found and found[0].replace(",", "").replace("−", "-")
    return Cell(text, None if number in (None, text) else number)
