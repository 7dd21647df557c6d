"""The report of an experiment: one HTML file of tables, figures and pictures.

Everything is inline, so that the file stands alone. A click sorts by a column, and a slider
compares two pictures of the same image.
"""

from __future__ import annotations

import base64
import html
import io
import math
import string
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from adaptive_kmeans import files
from adaptive_kmeans.errors import ReadError, TrialsFailedError
from adaptive_kmeans.experiment import results, tables, view
from adaptive_kmeans.experiment.findings import Summary
from adaptive_kmeans.experiment.kinds import KINDS
from adaptive_kmeans.experiment.store import FILE_NAME, Store
from adaptive_kmeans.progress import say

MAX_PICTURES = 24
"""Most pictures to compare by the slider; the folder of figures has all."""

FILE, CONFIG = "report.html", "config.toml"


def write_report(folder: Path) -> list[Path]:
    """Rewrite tables and figures and write `report.html`, from stored trials alone.

    Parameters
    ----------
    folder : Path
        A folder of results, or the parent of several.

    Returns
    -------
    list of Path
        The pages.

    Raises
    ------
    ReadError
        There is no folder of results with a store.
    """
    folders = [folder] if (folder / FILE_NAME).exists() else _with_store(folder)
    pages: list[Path] = []
    for place in folders:
        with Store(place, create=False) as store, results.publishing(store, place):
            try:
                seen = view.see(store)
                results.publish_again(place, seen)
            except TrialsFailedError as error:  # no trial is finished
                if place == folders[-1] and not pages:
                    raise
                say(f"skipped: {error}")
                continue
            files.write_bytes(place / FILE, _page(place, seen).encode())
        pages.append(place / FILE)
    return pages


def _with_store(folder: Path) -> list[Path]:
    """Return the folders of results with a store in a folder, or raise an error without one."""
    found = [path.parent for path in sorted(folder.glob(f"*/{FILE_NAME}"))]
    if found:
        return found
    has_tables = (folder / CONFIG).exists() or any(folder.glob(f"*/{CONFIG}"))
    received = "tables without it, which `run` makes a page of" if has_tables else "none"
    expected = f"a folder of results, with the file {FILE_NAME} that `run` makes"
    raise ReadError(str(folder), expected, received)


def _page(folder: Path, seen: view.Seen) -> str:
    found = seen.findings
    parts = {
        "title": html.escape(folder.resolve().name),
        "question": html.escape(seen.config.question),
        "count": str(seen.trials),
        "failures": "".join(f"<li>{html.escape(str(failure))}</li>" for failure in seen.failures),
        "summary": "".join(map(_summary, found.summaries.values())),
        "figures": "".join(map(_figure, sorted((folder / "figures").glob("*.png")))),
        "swipe": _swipe(found.pictures()),
        "table": _table(_cells(tables.rounded(found.table, KINDS[seen.config.kind].columns))),
    }
    return string.Template(_PAGE).substitute(parts)


def _cells(table: pd.DataFrame) -> list[list[str]]:
    """Return the heads and the cells of a table."""
    return [list(table.columns), *table.to_numpy().tolist()]


def _summary(summary: Summary) -> str:
    """Return tables under a title, or "" if there is none."""
    made = "".join(_table(_cells(table)) for table in summary.tables if not table.empty)
    return made and f'<section class="scroll"><h2>{summary.title}</h2>{made}</section>'


def _table(cells: Sequence[Sequence[str]]) -> str:
    if not cells:
        return ""
    columns = zip(*cells, strict=True)
    marks = ["" if tables.is_numeric(column[1:]) else ' class="words"' for column in columns]
    heads = _line("th", cells[0], marks)
    body = "".join(_line("td", row, marks) for row in cells[1:])
    return f"<table><thead>{heads}</thead><tbody>\n{body}</tbody></table>"


def _line(tag: str, cells: Sequence[str], marks: Sequence[str]) -> str:
    pairs = zip(cells, marks, strict=True)
    line = "".join(f"<{tag}{mark}>{html.escape(cell)}</{tag}>" for cell, mark in pairs)
    return f"<tr>{line}</tr>\n"


def _figure(path: Path) -> str:
    name = html.escape(path.stem.replace("_", " "))
    caption = path.with_suffix(".txt")
    text = html.escape(caption.read_text("utf-8").strip()) if caption.exists() else name
    data = _inline(path.read_bytes())
    return f'<figure><img alt="{name}" src="{data}"><figcaption>{text}</figcaption></figure>\n'


def _swipe(pictures: Mapping[str, Callable[[], npt.NDArray[np.uint8]]]) -> str:
    """Return two overlaid pictures with a slider between them, and a list for each side."""
    if not pictures:
        return ""
    step = math.ceil(len(pictures) / MAX_PICTURES)
    sources = {name: _inline(_png(pictures[name]())) for name in list(pictures)[::step]}
    options = "".join(f"<option>{html.escape(name)}</option>" for name in sources)
    return string.Template(_SWIPE).substitute(options=options, sources=list(sources.values()))


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _inline(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


_SWIPE = """<section><h2>Side by side</h2>
<p><select id="left">$options</select> left, <select id="right">$options</select> right</p>
<div id="swipe"><img id="below" alt="right"><img id="above" alt="left">
<input id="slider" type="range" min="0" max="100" value="50" aria-label="where they meet"></div>
<script>const pictures = $sources;</script></section>"""

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1200px; padding: 0 1em; }
figure { margin: 1.5em 0; } img { max-width: 100%; } figcaption { color: #555; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 2px 9px; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th { cursor: pointer; position: sticky; top: 0; background: #fff; border-bottom: 2px solid #333; }
th[data-order="1"]::after { content: " ▲"; } th[data-order="-1"]::after { content: " ▼"; }
.words { text-align: left; }
.scroll { overflow: auto; max-height: 85vh; }
#swipe { position: relative; display: inline-block; }
#swipe img { display: block; image-rendering: pixelated; min-width: 512px; }
#above { position: absolute; top: 0; left: 0; clip-path: inset(0 50% 0 0); }
#slider { width: 100%; margin: 0.4em 0 0; }
</style></head><body>
<h1>$title</h1>
<p><strong>$question</strong></p>
<p>$count trials. Rate is 8 × file bytes / pixels, of files that have been decoded.</p>
<ul>$failures</ul>
$summary
$swipe
<section><h2>Figures</h2>$figures</section>
<section><h2>Trials</h2><div class="scroll">$table</div></section>
<script>
for (const table of document.querySelectorAll("table")) {
  table.querySelectorAll("th").forEach((head, column) => head.onclick = () => {
    const order = head.dataset.order === "1" ? -1 : 1;
    table.querySelectorAll("th").forEach((other) => delete other.dataset.order);
    head.dataset.order = order;
    const value = (row) => row.cells[column].textContent.replaceAll(",", "").replace("∞", "1e99");
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      const [p, q] = [parseFloat(x), parseFloat(y)];
      return order * (isNaN(p) || isNaN(q) ? x.localeCompare(y) : p - q);
    });
    table.tBodies[0].append(...rows);
  });
}
const slider = document.getElementById("slider");
if (slider) {
  const show = () => {
    const chosen = (side) => pictures[document.getElementById(side).selectedIndex];
    document.getElementById("above").src = chosen("left");
    document.getElementById("below").src = chosen("right");
    const cut = 100 - slider.value;
    document.getElementById("above").style.clipPath = "inset(0 " + cut + "% 0 0)";
  };
  document.getElementById("right").selectedIndex = 1;
  for (const id of ["left", "right", "slider"]) document.getElementById(id).oninput = show;
  show();
}
</script></body></html>
"""
