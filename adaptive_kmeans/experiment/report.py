"""The report of an experiment: its tables, its figures, and one HTML page of them."""

from __future__ import annotations

from pathlib import Path

from adaptive_kmeans import files
from adaptive_kmeans.errors import ReadError, TrialsFailedError
from adaptive_kmeans.experiment import page, results, view
from adaptive_kmeans.experiment.store import FILE_NAME, Store
from adaptive_kmeans.progress import say

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
            files.write_bytes(place / FILE, page.render(place, seen).encode())
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
