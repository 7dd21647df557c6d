"""Columns of tables: what is known of a column stands in its one record.

A table is a pandas DataFrame with a row for each file or measurement, and with the name of every
column of its kind of experiment, whether or not it applies.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

import pandas as pd

Role = Literal["parameter", "measured", "derived", "time", "label", "name"]
_TEXTS = ("parameter", "label", "name")

KEY = "key"
"""Column of a table that no file has: the key of the row's trial in the store."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    role : {"parameter", "measured", "derived", "time", "label", "name"}
        A parameter tells rows apart; what is measured must agree when it is reproduced, what is
        derived from it and times need not, nor labels, which are texts. A name is a text that
        terminals and figures show and no file has.
    digits : str
        Format of its values wherever they are rounded; the CSV has them in full precision.
    heading : str
        Heading in a terminal's table, which has no other columns but parameters that tell apart
        rows.
    tolerance : float
        Largest difference of two measured values that agree.
    is_number : bool
        Whether a parameter is a number.
    is_required : bool
        Whether rows without it are not of this version; the fields of studies are.
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
    """Declare a field of a row: a parameter, which fields are by default."""
    return _field(Column("parameter", digits, heading))


def label(heading: str = "") -> Any:
    """Declare a field of a row: a text that is not compared, such as the set of an image."""
    return _field(Column("label", heading=heading))


def measured(digits: str, heading: str = "", tolerance: float = 0.0) -> Any:
    """Declare a field of a row: a measured value, compared when it is reproduced."""
    return _field(Column("measured", digits, heading, tolerance))


def derived(digits: str = "", heading: str = "") -> Any:
    """Declare a field of a row: a value that follows from others, or differs by chance."""
    return _field(Column("derived", digits, heading))


def timed(digits: str, heading: str = "") -> Any:
    """Declare a field of a row: a time or a peak of memory, never compared."""
    return _field(Column("time", digits, heading))


def _field(column: Column) -> Any:
    return dataclasses.field(metadata={"column": column})


def columns_of(row_type: type[Any]) -> Columns:
    """Return the columns that the fields of a dataclass declare, by default parameters."""
    hints = get_type_hints(row_type)
    found = {}
    for field in dataclasses.fields(row_type):
        column: Column = field.metadata.get("column", Column())
        is_number = hints[field.name] in (int, float)
        found[field.name] = dataclasses.replace(column, is_required=True, is_number=is_number)
    return found


def required(columns: Columns) -> list[str]:
    """Return the columns that every row has."""
    return [name for name, column in columns.items() if column.is_required]


def table_of(rows: Iterable[Mapping[str, Any]], columns: Columns) -> pd.DataFrame:
    """Return rows as a table; columns that a row lacks are empty, and others are left out.

    Parameters and names are objects, None where they do not apply. Numbers are integers or
    floats, which are missing where they do not apply.

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
    """Read a table from CSV; columns that it does not have are empty, and others are left out.

    Raises
    ------
    ValueError
        It is no CSV, or a cell of a column of numbers is none.
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
    """Return the rows, whose attributes are the columns; `Index` is their place in the table."""
    return list(table.itertuples())


def _typed(values: list[Any], column: Column) -> pd.Series[Any]:
    if column.role in _TEXTS:
        return pd.Series(values, dtype=object)
    if any(value is not None for value in values) and all(
        value is None or isinstance(value, int) for value in values
    ):
        return pd.Series(values, dtype="Int64" if None in values else "int64")
    return pd.Series(values, dtype="float64")
