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
    """What the trials of a view gave, as the store has it.

    Parameters
    ----------
    table : DataFrame
        The rows of all trials, in order, with the columns of the kind, the name and the set that
        the image has in this experiment, and the key of the trial as the column `key`.
    data : dict of str to bytes
        What figures need besides, by the keys of trials; of an experiment that shows an image, the
        files of that image.
    """

    table: pd.DataFrame
    data: Mapping[str, bytes]


@dataclass(frozen=True)
class OtherCurve:
    """A curve that others have published, for figures alone: it is of no file measured here.

    Parameters
    ----------
    name : str
        What its file calls it.
    image_set : str
        The set of images over which its numbers are means.
    psnr_db : list of (float, float)
        Rate in bits per pixel and PSNR in dB, sorted by rate.
    """

    name: str
    image_set: str
    psnr_db: Sequence[tuple[float, float]]


class Shown(NamedTuple):
    """What figures show besides the rows: an image, and what others have published.

    Parameters
    ----------
    name : str or None
        Its name; None if the experiment shows none, or no image could be read.
    pixels : (H, W, 3) or (H, W, 4) uint8, or None
        The image.
    others : sequence of OtherCurve
        Curves of others.
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
        Its series; "" of an original.
    pixels : callable
        Returns the picture.
    size : int or None
        Bytes of its file; None of an original.
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
        What it is, for the page; "" if it says itself.
    tables : sequence of DataFrame
        Shown cells; an empty table is left out.
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
        What sums the table up, by the names of the files without their suffixes.
    csvs : dict of str to str
        Tables besides, as CSV, by the names of their files.
    facts : dict
        What `environment.json` records of the measurements.
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
