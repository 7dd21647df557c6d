"""The decoded files of an experiment, as PNG beside the originals.

They come from the store alone, which keeps the files of the image that figures show and, after
``run --keep-files``, those of all images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import image
from adaptive_kmeans.errors import ReadError
from adaptive_kmeans.experiment import view
from adaptive_kmeans.experiment.columns import rows_of
from adaptive_kmeans.experiment.interchange.measurements import Measurements
from adaptive_kmeans.experiment.interchange.names import distinct
from adaptive_kmeans.experiment.series import decode
from adaptive_kmeans.experiment.store import FILE_NAME, Store

ORIGINAL = "original"


@dataclass(frozen=True)
class Picture:
    """A PNG file to write.

    Parameters
    ----------
    path : Path
        Where to write it.
    pixels : callable
        Returns the image.
    """

    path: Path
    pixels: Callable[[], npt.NDArray[np.uint8]]


def plan(
    found: Measurements, results: Path, folder: Path
) -> tuple[list[Picture], dict[int, tuple[Path, Path]]]:
    """List the pictures of an experiment: all decoded files, and the originals.

    Parameters
    ----------
    found : Measurements
        What was measured.
    results : Path
        The folder of results, whose store has the files.
    folder : Path
        Where to write ``IMAGE/original.png``, and for each file ``IMAGE/SERIES.png``.

    Returns
    -------
    pictures : list of Picture
    paths : dict
        The paths of the original and the picture of a file, by its place in `found.files`.

    Raises
    ------
    ReadError
        There is no store, or it has not kept all files.
    """
    expected = "the file of every trial in its store, as after `run --keep-files`"
    if not (results / FILE_NAME).exists():
        raise ReadError(str(results), expected, "no store")
    with Store(results, create=False) as store:
        originals = {name: store.file(key) for name, key in view.read(store).originals.items()}
        files = {key: store.file(key) for key in found.files["key"]}
    data = {key: file for key, file in files.items() if file is not None}
    if len(data) < len(files) or not originals:
        count = len(data) if originals else 0
        raise ReadError(str(results), expected, f"{count} of {len(files)}")
    images = distinct(found.files["image"])
    has_seeds = found.files["seed"].nunique() > 1
    titles = distinct([ORIGINAL, *(_title(row, has_seeds) for row in rows_of(found.files))])
    pictures: dict[Path, Picture] = {}
    paths = {}
    for row in rows_of(found.files):
        original = folder / images[row.image] / f"{titles[ORIGINAL]}.png"
        decoded = original.with_name(f"{titles[_title(row, has_seeds)]}.png")
        png = originals.get(row.image)
        if png is None:
            raise ReadError(str(results), f"the original of {row.image} in its store", "none")
        pictures.setdefault(original, Picture(original, partial(_pixels, png)))
        pictures[decoded] = Picture(decoded, partial(decode, row, data[row.key]))
        paths[row.Index] = original, decoded
    return list(pictures.values()), paths


def _title(row: Any, has_seeds: bool) -> str:
    return f"{row.title}, seed {row.seed}" if has_seeds and row.is_ours else row.title


def _pixels(png: bytes) -> npt.NDArray[np.uint8]:
    return image.decode_image(png).pixels
