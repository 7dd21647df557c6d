"""Columns of tables: one record holds everything known about a column.

A table is a pandas DataFrame with a row for each file or measurement, and with every column of its
kind of experiment, whether or not it applies.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

import pandas as pd

Role = Literal["parameter", "measured", "derived", "time", "label", "name"]
_TEXTS = ("parameter", "label", "name")

KEY = "key"
"""Column of a table that is never written to a file: the key of the row's trial in the store."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    role : {"parameter", "measured", "derived", "time", "label", "name"}
        Parameters tell rows apart. Measured values must agree when they are reproduced; values
        derived from them, times, and labels, which are texts, need not. A name is a text that is
        shown in terminals and figures but written to no file.
    digits : str
        Format of its values wherever they are rounded; the CSV has them in full precision.
    heading : str
        Heading in terminal tables. These omit columns without a heading, except for parameters
        that tell rows apart.
    tolerance : float
        Largest difference at which two measured values agree.
    is_number : bool
        Whether a parameter is a number.
    is_required : bool
        Whether rows without it are of another version; the fields of studies are required, unless
        they may be None.
    shown : {"always", "if swept", "never"}
        Whether rounded tables have it; those in the terminal go by `heading`.
    """

    role: Role = "parameter"
    digits: str = ""
    heading: str = ""
    tolerance: float = 0.0
    is_number: bool = False
    is_required: bool = False
    shown: Literal["always", "if swept", "never"] = "always"

    @property
    def is_written(self) -> bool:
        """Whether the CSV has it."""
        return self.role != "name"


Columns = Mapping[str, Column]


def parameter(heading: str = "", digits: str = "") -> Any:
    """Declare a field of a row: a parameter, which is the default."""
    return _field(Column("parameter", digits, heading))


def label(heading: str = "") -> Any:
    """Declare a field of a row: a text that is not compared, such as the set of an image."""
    return _field(Column("label", heading=heading))


def measured(digits: str, heading: str = "", tolerance: float = 0.0) -> Any:
    """Declare a field of a row: a measured value, compared when it is reproduced."""
    return _field(Column("measured", digits, heading, tolerance))


def derived(digits: str = "", heading: str = "") -> Any:
    """Declare a field of a row: a value that follows from others or varies by chance."""
    return _field(Column("derived", digits, heading))


def timed(digits: str, heading: str = "") -> Any:
    """Declare a field of a row: a time or a peak of memory, never compared."""
    return _field(Column("time", digits, heading))


def _field(column: Column) -> Any:
    return dataclasses.field(metadata={"column": column})


def columns_of(row_type: type[Any]) -> Columns:
    """Return the columns that the fields of a dataclass declare; the default is a parameter."""
    hints = get_type_hints(row_type)
    found = {}
    for field in dataclasses.fields(row_type):
        column: Column = field.metadata.get("column", Column())
        hint = hints[field.name]
        is_number, is_required = hint in (int, float), type(None) not in get_args(hint)
        found[field.name] = dataclasses.replace(
            column, is_required=is_required, is_number=is_number
        )
    return found


def required(columns: Columns) -> list[str]:
    """Return the columns that every row has."""
    return [name for name, column in columns.items() if column.is_required]


def table_of(rows: Iterable[Mapping[str, Any]], columns: Columns) -> pd.DataFrame:
    """Return rows as a table; cells that a row lacks are empty, and unknown columns are dropped.

    Parameters, labels and names are objects, None where they do not apply. Numbers are integers or
    floats, and missing where they do not apply.

    Examples
    --------
    >>> columns = {"image": Column(), "bytes": Column("measured", ",")}
    >>> table_of([{"image": "a", "bytes": 10}, {"image": "b"}], columns)
      image  bytes
    0     a     10
    1     b   <NA>
    """
    rows = list(rows)
    cells = {name: [row.get(name) for row in rows] for name in columns}
    return pd.DataFrame({name: _typed(values, columns[name]) for name, values in cells.items()})


def from_csv(text: str, columns: Columns) -> pd.DataFrame:
    """Read a table from CSV; columns that it lacks are empty, and unknown ones are dropped.

    Raises
    ------
    ValueError
        It is not CSV, or a cell of a numeric column is not a number.
    """
    read = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    records: list[dict[str, str]] = read.to_dict("records")  # type: ignore[assignment]
    rows = [
        {name: _read(cell, columns[name]) for name, cell in record.items() if name in columns}
        for record in records
    ]
    return table_of(rows, columns)


def _read(cell: str, column: Column) -> Any:
    if cell == "" and column.role != "label":
        return None
    if column.role in _TEXTS and not column.is_number:
        return cell
    return int(cell) if cell.lstrip("-").isdigit() else float(cell)


def rows_of(table: pd.DataFrame) -> list[Any]:
    """Return the rows, with the columns as attributes; `Index` is the place in the table."""
    return list(table.itertuples())


def _typed(values: list[Any], column: Column) -> pd.Series[Any]:
    if column.role in _TEXTS:
        return pd.Series(values, dtype=object)
    if any(value is not None for value in values) and all(
        value is None or isinstance(value, int) for value in values
    ):
        return pd.Series(values, dtype="Int64" if None in values else "int64")
    return pd.Series(values, dtype="float64")
