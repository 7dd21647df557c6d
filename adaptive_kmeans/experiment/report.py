"""The report of an experiment: its tables, its figures, and an HTML page with both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from adaptive_kmeans import files
from adaptive_kmeans.errors import AdaptiveKMeansError, ReadError, TrialsFailedError
from adaptive_kmeans.experiment import page, results, view
from adaptive_kmeans.experiment.store import FILE_NAME
from adaptive_kmeans.progress import Progress, progress_bar, say

FILE = "report.html"


def write_report(folder: Path, done: Callable[[Path], None] = lambda _: None) -> list[Path]:
    """Rewrite tables and figures and write `report.html`, without measuring anything.

    Everything comes from the store. Results without one, such as committed ones, keep their tables
    and pictures; figures that need only the table are drawn again.

    Parameters
    ----------
    folder : Path
        A folder of results, or the parent of several.
    done : callable
        Called with each page that is written.

    Returns
    -------
    list of Path
        The pages.

    Raises
    ------
    ReadError
        There is no folder of results.
    AdaptiveKMeansError
        The results of a folder cannot be shown; the pages of the others are written.
    """
    places = [folder] if _has_results(folder) else sorted(folder.glob("*"))
    folders = [place for place in places if _has_results(place)]
    if not folders:
        expected = f"a folder of results, with {FILE_NAME} or {view.TABLE}"
        raise ReadError(str(folder), expected, "none")
    pages: list[Path] = []
    errors: list[AdaptiveKMeansError] = []
    for place in folders:
        try:
            with progress_bar(f"report of {place.name}") as progress:
                pages.append(_write(place, progress))
        except TrialsFailedError as error:  # no trial is finished
            if place == folders[-1] and not pages and not errors:
                raise
            say(f"skipped: {error}")
        except AdaptiveKMeansError as error:
            errors.append(error)
        else:
            done(pages[-1])
    for failure in errors[:-1]:
        say(f"failed: {failure}")
    if errors:
        raise errors[-1]
    return pages


def _write(place: Path, progress: Progress) -> Path:
    """Write the page of one folder of results, and return its path."""
    with results.locked(place):
        progress("reading trials", 0.0)
        seen = view.see_folder(place)
        progress("drawing figures", 0.2)
        results.publish_again(place, seen)
    progress("writing the page", 0.8)
    files.write_bytes(place / FILE, page.render(place, seen).encode())
    return place / FILE


def _has_results(folder: Path) -> bool:
    return (folder / FILE_NAME).exists() or (folder / view.TABLE).exists()
