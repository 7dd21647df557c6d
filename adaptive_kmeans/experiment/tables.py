"""Tables of rows: CSV in full precision, Markdown and terminal rounded to significant digits."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from adaptive_kmeans.experiment.rows import SPLIT

if TYPE_CHECKING:
    from rich.table import Table

FORMATS = {
    "psnr_db": ".3f",
    "restored_bytes": ",",
    "restored_psnr_db": ".3f",
    "ssim": ".5f",
    "ssim_published": ".5f",
    "bytes": ",",
    "bits_per_pixel": ".3f",
    "compression_ratio": ".2f",
    "space_saving_percent": ".2f",
    "ciede2000": ".3f",
    "ssimulacra2": ".2f",
    "target_value": "g",
    "encode_s": ".2f",
    "decode_s": ".2f",
    **dict.fromkeys(SPLIT, ","),
    "mse": ".3f",
    "seconds": ".4f",
    "seconds_min": ".4f",
    "seconds_max": ".4f",
    "milliseconds": ".1f",
    **dict.fromkeys(("median_ms", "p95_ms", "computed_ms"), ".1f"),
    "around": "g",
    "megapixels": ".2f",
    "peak_mb": ".0f",
    "payload_bytes": ",",
    "growth_percent": "+.2f",
    "agreement_percent": ".1f",
    "kappa": ".3f",
    "high_percent": ".1f",
    "benefit_percent": ".1f",
    "is_elbow": "d",
}

NO_COLUMN = {"is_column": False}
"""Metadata of a field that is not a column, such as pictures for a figure."""

UNLESS_SWEPT = (
    "threshold",
    "color_space",
    "seed",
    "image_set",
    "detail_power",
    "tune",
    "effort",
    "restoration",
    "correction",
)
"""Columns that only the CSV has, unless they are swept."""

PARAMETERS = ("block_size", "coder", "alpha_levels", *UNLESS_SWEPT)
"""Columns that a terminal's table has where they tell rows apart."""


def columns(row_type: type[Any]) -> tuple[str, ...]:
    """Return the names of a table's columns: fields of its row's dataclass, but for `NO_COLUMN`."""
    fields = dataclasses.fields(row_type)
    return tuple(field.name for field in fields if field.metadata != NO_COLUMN)


def as_dict(row: Any) -> dict[str, Any]:
    """Return the columns of a row by name; infinite and undefined numbers are kept."""
    return {name: getattr(row, name) for name in columns(type(row))}


def to_csv(rows: Sequence[Any], row_type: type[Any]) -> str:
    """Return the rows as CSV: all columns in full precision, empty where they do not apply.

    Parameters
    ----------
    rows : sequence of row_type
        The rows; may be empty.
    row_type : type
        Their dataclass.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = columns(row_type)
    writer.writerow(names)
    writer.writerows([getattr(row, name) for name in names] for row in rows)
    return text.getvalue()


def to_markdown(rows: Sequence[Any]) -> str:
    r"""Return the rows as a Markdown table, without empty columns and `UNLESS_SWEPT`.

    Examples
    --------
    >>> to_markdown([])
    'No trial succeeded.\n'
    """
    if not rows:
        return "No trial succeeded.\n"
    names = [name for name in columns(type(rows[0])) if _is_shown(rows, name)]
    lines = [names, [":--" if not _is_number(rows, name) else "--:" for name in names]]
    lines += [[shown_value(getattr(row, name), name) for name in names] for row in rows]
    lines = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_latex(rows: Sequence[Any]) -> str:
    r"""Return the columns of the Markdown table as a LaTeX table that uses `booktabs`.

    Examples
    --------
    >>> to_latex([])
    ''
    """
    if not rows:
        return ""
    names = [name for name in columns(type(rows[0])) if _is_shown(rows, name)]
    alignment = "".join("r" if _is_number(rows, name) else "l" for name in names)
    lines = [_latex_line(names)]
    lines += [
        _latex_line([shown_value(getattr(row, name), name) for name in names]) for row in rows
    ]
    body = "".join([lines[0], "\\midrule\n", *lines[1:]])
    return f"\\begin{{tabular}}{{{alignment}}}\n\\toprule\n{body}\\bottomrule\n\\end{{tabular}}\n"


LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}"}
LATEX |= {"∞": r"$\infty$", "–": "--", "×": r"$\times$", "\\": r"\textbackslash{}"}
LATEX |= {"[": "{[}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def _latex_line(cells: Sequence[str]) -> str:
    escaped = ("".join(LATEX.get(letter, letter) for letter in cell) for cell in cells)
    return " & ".join(escaped) + " \\\\\n"


def to_terminal(rows: Sequence[Any]) -> Table:
    """Return a table for a terminal: the main columns that vary, and what they are not enough for.

    Columns with one value in all rows are left out, unless there is one row; their values are
    below the table. A parameter that tells apart rows which are equal in the others is added.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text  # does not take brackets for markup

    main: dict[str, str] = type(rows[0]).TERMINAL
    varying = {title: name for title, name in main.items() if len(rows) == 1 or _varies(rows, name)}
    told = [name for name in varying.values() if name not in FORMATS]
    chosen = {name: name for name in PARAMETERS if _tells_apart(rows, name, told)} | varying
    chosen = {title: name for title, name in chosen.items() if _has_any(rows, name)}
    same = [
        f"{title} {shown_value(getattr(rows[0], name), name)}"
        for title, name in main.items()
        if name not in chosen.values() and shown_value(getattr(rows[0], name), name)
    ]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    if same:
        table.caption = Text(f"all: {', '.join(same)}")
        table.caption_justify = "left"
    for title, name in chosen.items():
        justify: Any = "right" if name in FORMATS else "left"
        table.add_column(title, justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(shown_value(getattr(row, name), name)) for name in chosen.values()))
    return table


def _has_any(rows: Sequence[Any], name: str) -> bool:
    return any(getattr(row, name) is not None for row in rows)


def _varies(rows: Sequence[Any], name: str) -> bool:
    return len({getattr(row, name) for row in rows}) > 1


def _tells_apart(rows: Sequence[Any], name: str, told: Sequence[str]) -> bool:
    """Whether a column differs between rows that are equal in the columns that are told."""
    if name in told or not hasattr(rows[0], name):
        return False
    places = {tuple(getattr(row, each) for each in told) for row in rows}
    with_it = {tuple(getattr(row, each) for each in (*told, name)) for row in rows}
    return len(with_it) > len(places)


def _is_shown(rows: Sequence[Any], name: str) -> bool:
    values = {getattr(row, name) for row in rows} - {None}
    return name not in SPLIT and len(values) > (1 if name in UNLESS_SWEPT else 0)


def _is_number(rows: Sequence[Any], name: str) -> bool:
    return all(isinstance(getattr(row, name), int | float | None) for row in rows)


def shown_value(value: object, name: str) -> str:
    """Return a value rounded to significant digits, "" if it does not apply."""
    if value is None:
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return "∞" if value > 0 else "–"
    return format(value, FORMATS.get(name, ""))
