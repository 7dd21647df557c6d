"""Comparing the numbers of a paper with ours."""

from __future__ import annotations

from typing import Any

import pandas as pd

from adaptive_kmeans.experiment.columns import Column, rows_of
from adaptive_kmeans.experiment.rows import COLUMNS
from adaptive_kmeans.experiment.schema import Published, PublishedRow
from adaptive_kmeans.experiment.tables import shown_value


def find(published: Published | None, row: Any) -> PublishedRow | None:
    """Return the published row of the same image, method and smaller codebook as a file of ours."""
    if published is None or row.image != published.image:
        return None
    own = row.label, row.smaller_codebook
    return next((each for each in published.rows if (each.method, each.k) == own), None)


def beside(table: pd.DataFrame, published: Published | None) -> pd.DataFrame:
    """Return the cells "published → ours" of the published image, and our other files of its sizes.

    Published rows without a file of ours are in the table, too.

    Parameters
    ----------
    table : DataFrame
        The files, with the names of their series.
    published : Published, optional
        The paper's numbers.

    Returns
    -------
    DataFrame
        Empty if the published image was not measured.
    """
    if published is None or published.image not in set(table["image"]):
        return pd.DataFrame()
    sizes = {row.k for row in published.rows}
    ours = table[(table["image"] == published.image) & table["smaller_codebook"].isin(sizes)]
    lines = [(row.series, row.smaller_codebook, find(published, row), row) for row in rows_of(ours)]
    found = [row for _, _, row, _ in lines]
    lines += [(row.method, row.k, row, None) for row in published.rows if row not in found]
    said = [
        name
        for name in PublishedRow.model_fields
        if name in COLUMNS
        and COLUMNS[name].role == "measured"
        and any(getattr(row, name, None) is not None for row in published.rows)
    ]
    shown = {name: COLUMNS[name] for name in dict.fromkeys([*said, "bytes"])}
    return pd.DataFrame(
        [
            {"method": method, "k or k1": str(k)}
            | {column.heading: _cell(row, own, name, column) for name, column in shown.items()}
            for method, k, row, own in lines
        ]
    )


def _cell(row: PublishedRow | None, own: Any, name: str, column: Column) -> str:
    printed, ours = (getattr(source, name, None) for source in (row, own))
    text = shown_value(ours, column.digits) or "–"
    return text if printed is None else f"{shown_value(printed, column.digits)} → {text}"
