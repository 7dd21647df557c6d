"""The findings of an experiment of any kind, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Ended(NamedTuple):
    """What a trial of a view gave, as the store has it.

    Parameters
    ----------
    rows : list
        Its rows, with the name and the set that the image has in this experiment.
    data : bytes or None
        What figures need besides.
    """

    rows: list[Any]
    data: bytes | None


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


def no_pictures() -> dict[str, Callable[[], npt.NDArray[np.uint8]]]:
    """Return no pictures for the page."""
    return {}


@dataclass(frozen=True)
class Findings:
    """What an experiment measured, and how to show it.

    Parameters
    ----------
    rows : list
        The rows of its table.
    draw : callable
        Draws the figures into a folder.
    texts : dict of str to str
        Other files to write, by name; empty ones are not written.
    facts : dict
        What `environment.json` records of the measurements.
    pictures : callable
        Returns what makes each picture that the page compares, by its title.
    """

    rows: list[Any]
    draw: Callable[[Path], None]
    texts: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    pictures: Callable[[], dict[str, Callable[[], npt.NDArray[np.uint8]]]] = no_pictures


def all_rows(ended: Sequence[Ended]) -> list[Any]:
    """Return the rows of all trials."""
    return [row for trial in ended for row in trial.rows]
