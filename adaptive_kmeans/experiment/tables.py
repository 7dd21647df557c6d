"""Tables as text: CSV in full precision; Markdown, LaTeX and terminals rounded."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from adaptive_kmeans.experiment.columns import Columns

if TYPE_CHECKING:
    from rich.table import Table

_NUMERIC = re.compile(r"[+\-−]?\d|[–∞]?$")
"""How numeric cells begin, or what they consist of."""

_LATEX = {
    "[": "{[}",
    "–": "--",
    "−": "$-$",
    "×": r"$\times$",
    "∞": r"$\infty$",
    "→": r"$\to$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "κ": r"$\kappa$",
    "λ": r"$\lambda$",
}
"""Characters that pandas does not escape."""


def to_csv(table: pd.DataFrame, columns: Columns) -> str:
    """Return a table as CSV: all columns in full precision, empty where they do not apply."""
    written = [name for name, column in columns.items() if column.is_written]
    return table[written].to_csv(index=False, lineterminator="\n")


def rounded(table: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Return the formatted cells, without empty columns and those that are not swept."""
    names = [
        name
        for name, column in columns.items()
        if column.is_written and _is_shown(table[name], column.shown)
    ]
    return pd.DataFrame({name: shown_values(table[name], columns[name].digits) for name in names})


def to_markdown(cells: pd.DataFrame) -> str:
    r"""Return cells as a Markdown table, numeric columns right-aligned; "" without rows.

    Examples
    --------
    >>> print(to_markdown(pd.DataFrame({"image": ["a|b"], "bytes": ["1,234"]})), end="")
    | image   |   bytes |
    |:--------|--------:|
    | a\|b    |   1,234 |
    """
    if cells.empty:
        return ""
    escaped = cells.rename(columns=_escaped).map(_escaped)
    align = ["right" if is_numeric(cells[name]) else "left" for name in cells]
    return f"{escaped.to_markdown(index=False, disable_numparse=True, colalign=align)}\n"


def pivoted(
    table: pd.DataFrame,
    down: Sequence[str],
    across: Sequence[str],
    cells: Callable[[pd.DataFrame], Mapping[str, str]],
    heading: Callable[..., str],
) -> pd.DataFrame:
    """Return formatted cells of groups of rows, in the order in which the groups first occur.

    Parameters
    ----------
    table : DataFrame
        The rows.
    down, across : sequence of str
        Columns of the table whose values each have a row, or a column.
    cells : callable
        Takes the rows of a group, and returns the texts of its cells by their names; "" names a
        single cell.
    heading : callable
        Takes values of `across`, and returns the heading of their columns.

    Examples
    --------
    >>> table = pd.DataFrame({"coder": ["a", "a", "b"], "k": [2, 4, 4], "bytes": [9, 8, 7]})
    >>> largest = lambda rows: {"": str(rows["bytes"].max())}
    >>> print(pivoted(table, ["coder"], ["k"], largest, "k = {}".format))
      coder k = 2 k = 4
    0     a     9     8
    1     b           7
    """
    grouped = table.groupby([*down, *across], sort=False)
    found: dict[Any, Mapping[str, str]] = {key: cells(rows) for key, rows in grouped}
    names = dict.fromkeys(key[: len(down)] for key in found)
    heads = {key[len(down) :]: shown for key, shown in found.items()}
    rows = []
    for name in names:
        row = {column: str(value) for column, value in zip(down, name, strict=True)}
        for head, kinds in heads.items():
            own = found.get((*name, *head), {})
            for what in kinds:
                row[": ".join(filter(None, (heading(*head), what)))] = own.get(what, "")
        rows.append(row)
    return pd.DataFrame(rows)


def of_paper(table: pd.DataFrame, columns: Columns) -> str:
    """Return a table as LaTeX, with the columns and headings of a terminal's table.

    What all rows have in common is a comment below it.
    """
    names, same = _main(table, columns)
    cells = {columns[name].heading or name: _shown(table, columns, name) for name in names}
    text = to_latex(pd.DataFrame(cells))
    return f"{text}% all: {', '.join(same)}\n" if text and same else text


def to_latex(cells: pd.DataFrame) -> str:
    r"""Return cells as a LaTeX table that uses `booktabs`; "" without rows.

    Examples
    --------
    >>> print(to_latex(pd.DataFrame({"a_b": ["[x]"], "gain": ["−3 %"]})), end="")
    \begin{tabular}{lr}
    \toprule
    a\_b & gain \\
    \midrule
    {[}x] & $-$3 \% \\
    \bottomrule
    \end{tabular}
    """
    if cells.empty:
        return ""
    align = "".join("r" if is_numeric(cells[name]) else "l" for name in cells)
    text = cells.to_latex(index=False, escape=True, column_format=align)
    return "".join(_LATEX.get(letter, letter) for letter in text)


def to_terminal(table: pd.DataFrame, columns: Columns) -> Table:
    """Return a table for a terminal: the main columns that vary, and others that they need.

    Columns with the same value in all rows are left out, unless there is only one row; their values
    are below the table. A parameter that tells apart rows that are otherwise equal is added.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text  # does not interpret brackets as markup

    names, same = _main(table, columns)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    if same:
        shown.caption = Text(f"all: {', '.join(same)}")
        shown.caption_justify = "left"
    for name in names:
        justify: Any = "right" if columns[name].digits else "left"
        shown.add_column(columns[name].heading or name, justify=justify, no_wrap=True)
    for row in zip(*(_shown(table, columns, name) for name in names), strict=True):
        shown.add_row(*map(Text, row))
    return shown


def _main(table: pd.DataFrame, columns: Columns) -> tuple[list[str], list[str]]:
    """Return the names of the main columns that vary, and what all rows have in common in words."""
    main = [name for name, column in columns.items() if column.heading]
    varying = [name for name in main if len(table) == 1 or table[name].nunique(dropna=False) > 1]
    told = [name for name in varying if not columns[name].digits]
    added = [name for name, column in columns.items() if column.role == "parameter"]
    others = [name for name in added if name not in main and _tells_apart(table, name, told)]
    measured = [name for name in varying if name not in told]
    chosen = [name for name in [*told, *others, *measured] if table[name].notna().any()]
    same = [
        f"{columns[name].heading} {value}"
        for name in main
        if name not in chosen and (value := shown_value(table[name].iloc[0], columns[name].digits))
    ]
    return chosen, same


def _shown(table: pd.DataFrame, columns: Columns, name: str) -> list[str]:
    return shown_values(table[name], columns[name].digits)


def shown_values(values: pd.Series[Any], digits: str) -> list[str]:
    """Return the values of a column as they are displayed."""
    return [shown_value(value, digits) for value in values]


def shown_value(value: Any, digits: str) -> str:
    """Return a value rounded by a format specification, "" if it does not apply.

    Examples
    --------
    >>> shown_value(31.4159, ".2f"), shown_value(float("inf"), ".2f"), shown_value(None, "")
    ('31.42', '∞', '')
    """
    if pd.isna(value):
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return "∞" if value > 0 else "–"
    return format(value, digits)


def is_numeric(cells: Sequence[str] | pd.Series[Any]) -> bool:
    """Return whether shown cells are all numbers, or empty."""
    return all(_NUMERIC.match(cell) for cell in cells)


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|")


def _is_shown(values: pd.Series[Any], shown: str) -> bool:
    return shown != "never" and values.nunique() > (1 if shown == "if swept" else 0)


def _tells_apart(table: pd.DataFrame, name: str, told: Sequence[str]) -> bool:
    """Whether a column differs between rows that are equal in the columns `told`."""
    places = len(table[list(told)].drop_duplicates()) if told else 1
    return len(table[[*told, name]].drop_duplicates()) > places
