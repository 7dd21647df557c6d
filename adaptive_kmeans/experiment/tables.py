"""Tables of rows: CSV in full precision, Markdown and the terminal in the digits that matter."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from adaptive_kmeans.experiment.trials import Row

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

FORMATS = {
    "psnr_db": ".3f",
    "ssim": ".5f",
    "ssim_published": ".5f",
    "bytes": ",",
    "bits_per_pixel": ".3f",
    "compression_ratio": ".2f",
    "space_saving_percent": ".2f",
    "encode_s": ".2f",
    "decode_s": ".2f",
    "header_bytes": ",",
    "codebook_bytes": ",",
    "region_map_bytes": ",",
    "index_map_bytes": ",",
}

COLUMNS = tuple(field.name for field in dataclasses.fields(Row))

PARTICULARS = ("threshold", "color_space", "seed")
"""Columns that only the CSV has, unless the experiment sweeps them."""

SPLIT = ("header_bytes", "codebook_bytes", "region_map_bytes", "index_map_bytes")
"""Columns that only the CSV has."""


def data_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the rows as a data frame with the columns of `Row`, in their order."""
    import pandas as pd

    frame = pd.DataFrame([dataclasses.asdict(row) for row in rows], columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(("k", "k1", "k2"), "Int64"))


def to_csv(rows: Sequence[Row]) -> str:
    """Return the rows as CSV: every column, floats in full, what does not apply left empty."""
    return str(data_frame(rows).to_csv(index=False, lineterminator="\n"))


def to_markdown(rows: Sequence[Row]) -> str:
    r"""Return the rows as a Markdown table, without columns that are empty or particulars.

    Examples
    --------
    >>> to_markdown([])
    'No trial succeeded.\n'
    """
    if not rows:
        return "No trial succeeded.\n"
    names = [name for name in COLUMNS if _is_shown(rows, name)]
    lines = [names, [":--" if not _is_number(rows, name) else "--:" for name in names]]
    lines += [[_shown(getattr(row, name), name) for name in names] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_terminal(rows: Sequence[Row]) -> Table:
    """Return the main columns as a table that fits a terminal of 80 columns."""
    from rich import box
    from rich.table import Table

    numbers = {
        "PSNR dB": "psnr_db",
        "SSIM": "ssim",
        "bytes": "bytes",
        "bpp": "bits_per_pixel",
        "ratio": "compression_ratio",
        "enc s": "encode_s",
    }
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("image", overflow="ellipsis", no_wrap=True)
    table.add_column("method", no_wrap=True)
    table.add_column("k", no_wrap=True)
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        values = (_shown(getattr(row, name), name) for name in numbers.values())
        table.add_row(row.image, row.detail or row.method, row.codebook_sizes, *values)
    return table


def _is_shown(rows: Sequence[Row], name: str) -> bool:
    values = {getattr(row, name) for row in rows} - {None}
    return name not in SPLIT and len(values) > (1 if name in PARTICULARS else 0)


def _is_number(rows: Sequence[Row], name: str) -> bool:
    return all(isinstance(getattr(row, name), int | float | None) for row in rows)


def _shown(value: object, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return "∞" if value > 0 else "–"
    return format(value, FORMATS.get(name, ""))
