"""Numbers of a paper beside ours, for the files that both have."""

from __future__ import annotations

from collections.abc import Sequence

from adaptive_kmeans.experiment.schema import Published, PublishedRow
from adaptive_kmeans.experiment.series import Measured
from adaptive_kmeans.experiment.tables import FORMATS

TITLES = {
    "psnr_db": "PSNR dB",
    "ssim": "SSIM",
    "ssim_published": "SSIM, 3×3×3",
    "bytes": "bytes",
}
"""Columns that can be published, and what the table calls them."""


def find(published: Published | None, m: Measured) -> PublishedRow | None:
    """Return what was published of the same image, method and smaller codebook."""
    if published is None or m.row.image != published.image:
        return None
    own = m.row.label, m.smaller_codebook
    return next((row for row in published.rows if (row.method, row.k) == own), None)


def to_markdown(measured: Sequence[Measured], published: Published | None) -> str:
    """Return all files of the published image as a Markdown table of "published → ours".

    Returns
    -------
    str
        The table below its source, or "" when nothing was published of the images measured.
    """
    pairs = [(m, find(published, m)) for m in measured]
    if published is None or all(row is None for _, row in pairs):
        return ""
    said = [
        name for name in TITLES if any(getattr(row, name, None) is not None for _, row in pairs)
    ]
    shown = list(dict.fromkeys([*said, "bytes"]))
    lines = [["method", "k or k1", *(TITLES[name] for name in shown)]]
    lines.append(["---", "--:", *("---" if name in said else "--:" for name in shown)])
    for m, row in pairs:
        if m.row.image == published.image:
            cells = [_cell(getattr(row, name, None), getattr(m.row, name), name) for name in shown]
            lines.append([m.series, str(m.smaller_codebook), *cells])
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    return f"{published.source}, on {published.image}: published → ours.\n\n{table}"


def _cell(published: float | None, ours: float | None, name: str) -> str:
    own = "–" if ours is None else format(ours, FORMATS[name])
    return own if published is None else f"{format(published, FORMATS[name])} → {own}"
