"""The report of an experiment: its tables, its figures, and an HTML page with both."""

from __future__ import annotations

from pathlib import Path

from adaptive_kmeans import files
from adaptive_kmeans.errors import ReadError, TrialsFailedError
from adaptive_kmeans.experiment import page, results, view
from adaptive_kmeans.experiment.store import FILE_NAME
from adaptive_kmeans.progress import say

FILE = "report.html"


def write_report(folder: Path) -> list[Path]:
    """Rewrite tables and figures and write `report.html`, without measuring anything.

    Everything comes from the store. Results without one, such as committed ones, keep their tables
    and pictures; figures that need only the table are drawn again.

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
        There is no folder of results.
    """
    places = [folder] if _has_results(folder) else sorted(folder.glob("*"))
    folders = [place for place in places if _has_results(place)]
    if not folders:
        expected = f"a folder of results, with {FILE_NAME} or {view.TABLE}"
        raise ReadError(str(folder), expected, "none")
    pages: list[Path] = []
    for place in folders:
        try:
            with results.locked(place):
                seen = view.see_folder(place)
                results.publish_again(place, seen)
        except TrialsFailedError as error:  # no trial is finished
            if place == folders[-1] and not pages:
                raise
            say(f"skipped: {error}")
            continue
        files.write_bytes(place / FILE, page.render(place, seen).encode())
        pages.append(place / FILE)
    return pages


def _has_results(folder: Path) -> bool:
    return (folder / FILE_NAME).exists() or (folder / view.TABLE).exists()
