"""The findings of an experiment of any kind, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from adaptive_kmeans.experiment import tables


class Measured(NamedTuple):
    """The stored outcomes of the trials of a view.

    Parameters
    ----------
    table : DataFrame
        The rows of all trials, in order, with the columns of the kind, the name and the set that
        the image has in this experiment, and the key of the trial as the column `key`.
    data : dict of str to bytes
        Further data for figures, by the keys of trials; if the experiment shows an image, the
        files of that image.
    """

    table: pd.DataFrame
    data: Mapping[str, bytes]


@dataclass(frozen=True)
class OtherCurve:
    """A curve published by others, only for figures: none of its files was measured here.

    Parameters
    ----------
    name : str
        Its name in its file.
    image_set : str
        The set of images over which its numbers are means.
    psnr_db : list of (float, float)
        Rate in bits per pixel and PSNR in dB, sorted by rate.
    """

    name: str
    image_set: str
    psnr_db: Sequence[tuple[float, float]]


class Shown(NamedTuple):
    """What figures show besides the rows: an image, and curves published by others.

    Parameters
    ----------
    name : str or None
        Name of the image; None if the experiment shows none, or no image could be read.
    pixels : (H, W, 3) or (H, W, 4) uint8, or None
        The image.
    others : sequence of OtherCurve
        Curves published by others.
    """

    name: str | None
    pixels: npt.NDArray[np.uint8] | None
    others: Sequence[OtherCurve] = ()


NOTHING_SHOWN = Shown(None, None)


class Picture(NamedTuple):
    """A picture that the page compares with the others of its image.

    Parameters
    ----------
    title : str
        The series with its setting, or "original".
    series : str
        Its series; "" for an original.
    pixels : callable
        Returns the picture.
    size : int or None
        Bytes of its file; None for an original.
    bits_per_pixel, psnr_db : float or None
        Rate and quality of its file.
    """

    title: str
    series: str
    pixels: Callable[[], npt.NDArray[np.uint8]]
    size: int | None = None
    bits_per_pixel: float | None = None
    psnr_db: float | None = None


def no_pictures() -> list[Picture]:
    """Return no pictures for the page."""
    return []


class Summary(NamedTuple):
    """A table that sums up another.

    Parameters
    ----------
    title : str
        Its title on the page; "" if it needs none.
    tables : sequence of DataFrame
        Formatted cells; an empty table is left out.
    note : str
        A sentence above them.
    """

    title: str
    tables: Sequence[pd.DataFrame]
    note: str = ""

    def to_markdown(self) -> str:
        """Return the note and the tables as Markdown, "" without any rows."""
        written = [tables.to_markdown(table) for table in self.tables if not table.empty]
        return "\n".join([*([f"{self.note}\n"] if written and self.note else []), *written])

    def to_latex(self) -> str:
        """Return the tables as LaTeX, "" without any rows."""
        return "\n".join(tables.to_latex(table) for table in self.tables if not table.empty)


@dataclass(frozen=True)
class Findings:
    """What an experiment measured, and how to show it.

    Parameters
    ----------
    table : DataFrame
        Its table.
    draw : callable
        Draws the figures into a folder.
    summaries : dict of str to Summary
        Summaries of the table, by the names of their files without suffixes.
    csvs : dict of str to str
        Further tables as CSV, by the names of their files.
    facts : dict
        What `environment.json` records about the measurements.
    pictures : callable
        Returns the pictures that the page compares, all of one image, the original first.
    compared : DataFrame
        The comparison of series at equal quality; see `comparison`.
    """

    table: pd.DataFrame
    draw: Callable[[Path], None]
    summaries: Mapping[str, Summary] = field(default_factory=dict)
    csvs: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    pictures: Callable[[], Sequence[Picture]] = no_pictures
    compared: pd.DataFrame | None = None
