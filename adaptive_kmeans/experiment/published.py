"""Comparison of a paper's numbers with ours, and with those of baselines that repeat its code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from adaptive_kmeans.experiment.columns import rows_of
from adaptive_kmeans.experiment.findings import Summary
from adaptive_kmeans.experiment.rows import COLUMNS
from adaptive_kmeans.experiment.schema import Published, PublishedRow
from adaptive_kmeans.experiment.tables import shown_value

SOURCES = ("published", "repeated", "ours")
"""Where the numbers of a row are from, in the order in which they are shown."""

JPEG_PERCENT = "jpeg_percent"
"""The published "compression rate": bytes of the result as JPEG over those of the input, in %."""

_HEADINGS = {
    name: COLUMNS[name].heading
    for name in PublishedRow.model_fields
    if name in COLUMNS and COLUMNS[name].role == "measured" and name not in ("bytes", "jpeg_bytes")
}
_HEADINGS = {**_HEADINGS, JPEG_PERCENT: "as JPEG, % of the input", "bytes": "bytes"}


def find(published: Published | None, row: Any) -> PublishedRow | None:
    """Return the published row with the image, method and smaller codebook of one of our files."""
    if published is None or row.image != published.image:
        return None
    own = row.label, row.smaller_codebook
    return next((each for each in published.rows if (each.method, each.k) == own), None)


def without_repeats(table: pd.DataFrame, published: Published | None) -> pd.DataFrame:
    """Return the files except those of the paper's code, which are not methods of their own."""
    repeats = [] if published is None else list(published.repeated.values())
    return table[~table["method"].isin(repeats)]


def summary(table: pd.DataFrame, published: Published | None) -> Summary:
    """Return "published → ours" for the published image, with our other files of the same sizes.

    The numbers that repeat the paper's code are between the two. Published rows without one of our
    files are in the table, too.

    Parameters
    ----------
    table : DataFrame
        The files, with the names of their series.
    published : Published, optional
        The paper's numbers.

    Returns
    -------
    Summary
        Without a table if the published image was not measured.
    """
    if published is None:
        return Summary("", [])
    of_image = table[table["image"] == published.image]
    ours = rows_of(without_repeats(of_image, published))
    sizes = {row.k for row in published.rows}
    lines: list[tuple[str, int, list[Any]]] = [
        (own.series, own.smaller_codebook, [find(published, own), repeat, own])
        for own in ours
        if own.smaller_codebook in sizes
        for repeat in [_repeat(of_image, published, own)]
    ]
    found = [rows[0] for _, _, rows in lines]
    lines += [(row.method, row.k, [row, None, None]) for row in published.rows if row not in found]
    sources = [0, 1, 2] if published.repeated else [0, 2]
    cells = {
        "method": [method for method, _, _ in lines],
        "k or k1": [str(k) for _, k, _ in lines],
    }
    for name, heading in _HEADINGS.items():
        values = [[_value(row, name, published) for row in rows] for _, _, rows in lines]
        said = sources
        if all(each[0] is None for each in values):
            if name != "bytes":
                continue
            said = [i for i in sources if i and any(each[i] is not None for each in values)]
        partly = f", {_arrows([SOURCES[i] for i in said])}" if said not in ([2], sources) else ""
        cells[f"{heading}{partly}"] = [_cell(each, said, name) for each in values]
    shown = _arrows([SOURCES[i] for i in sources])
    tables = [pd.DataFrame(cells)] if ours else []
    note = f"{published.source}, on {published.image}: {shown}."
    return Summary(shown.capitalize(), tables, note)


def _repeat(table: pd.DataFrame, published: Published, own: Any) -> Any:
    """Return the row of the paper's code that corresponds to one of our files."""
    same = table["smaller_codebook"] == own.smaller_codebook
    repeats = rows_of(table[same & (table["method"] == published.repeated.get(own.label))])
    return repeats[0] if repeats else None


def _value(row: Any, name: str, published: Published) -> float | None:
    if name == JPEG_PERCENT:
        size = getattr(row, "jpeg_bytes", None)
        known = size is not None and published.input_bytes is not None
        return 100 * float(size) / published.input_bytes if known else None  # type: ignore[operator,arg-type]
    value: float | None = getattr(row, name, None)
    return None if pd.isna(value) else value


def _cell(values: Sequence[float | None], said: Sequence[int], name: str) -> str:
    """Return the numbers of a row, or only ours if there are no others."""
    digits = ".1f" if name == JPEG_PERCENT else COLUMNS[name].digits
    is_ours_alone = all(value is None for value in values[:-1])
    shown = said[-1:] if is_ours_alone else said
    return _arrows([shown_value(values[i], digits) or "–" for i in shown])


def _arrows(parts: Sequence[str]) -> str:
    return " → ".join(parts)
