"""Comparing the numbers of a paper with ours."""

from __future__ import annotations

from collections.abc import Sequence

from adaptive_kmeans.experiment.rows import Row
from adaptive_kmeans.experiment.schema import Published, PublishedRow
from adaptive_kmeans.experiment.series import Measured
from adaptive_kmeans.experiment.tables import shown_value

TITLES = {
    "psnr_db": "PSNR dB",
    "ssim": "SSIM",
    "ssim_published": "SSIM, 3×3×3",
    "bytes": "bytes",
}
"""Columns that a paper may have, and their titles in the table."""


def find(published: Published | None, m: Measured) -> PublishedRow | None:
    """Return the published row of the same image, method and smaller codebook."""
    if published is None or m.row.image != published.image:
        return None
    own = m.row.label, m.smaller_codebook
    return next((row for row in published.rows if (row.method, row.k) == own), None)


def to_markdown(measured: Sequence[Measured], published: Published | None) -> str:
    """Return a Markdown table of "published → ours", and of our other files of these sizes.

    Published rows without a file of ours are in the table, too.

    Returns
    -------
    str
        The source and the table, or "" if the published image was not measured.
    """
    ours = [m for m in measured if published is not None and m.row.image == published.image]
    if published is None or not ours:
        return ""
    sizes = {row.k for row in published.rows}
    lines: list[tuple[str, int, PublishedRow | None, Row | None]] = [
        (m.series, m.smaller_codebook, find(published, m), m.row)
        for m in ours
        if m.smaller_codebook in sizes
    ]
    found = [row for _, _, row, _ in lines]
    lines += [(row.method, row.k, row, None) for row in published.rows if row not in found]
    said = [
        name for name in TITLES if any(getattr(row, name) is not None for row in published.rows)
    ]
    shown = list(dict.fromkeys([*said, "bytes"]))
    table = [["method", "k or k1", *(TITLES[name] for name in shown)]]
    table.append(["---", "--:", *("---" if name in said else "--:" for name in shown)])
    for method, k, row, own in lines:
        cells = [_cell(getattr(row, name, None), getattr(own, name, None), name) for name in shown]
        table.append([method, str(k), *cells])
    text = "".join(f"| {' | '.join(cells)} |\n" for cells in table)
    return f"{published.source}, on {published.image}: published → ours.\n\n{text}"


def _cell(published: float | None, ours: float | None, name: str) -> str:
    own = shown_value(ours, name) or "–"
    return own if published is None else f"{shown_value(published, name)} → {own}"
