"""Exporting the results of an experiment in the formats of other projects."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from adaptive_kmeans import files, image
from adaptive_kmeans.errors import OutputError
from adaptive_kmeans.experiment.interchange import codec_compare, compressai, reconstructions
from adaptive_kmeans.experiment.interchange.measurements import measurements


def export_results(
    results: Path,
    *,
    to_compressai: Path | None = None,
    to_codec_compare: Path | None = None,
    pictures: Path | None = None,
    force: bool = False,
) -> list[Path]:
    """Write the results of an experiment for other projects.

    Parameters
    ----------
    results : Path
        A folder of results of the kind compression.
    to_compressai : Path, optional
        Folder for curves in CompressAI's format, one per series, in a folder for each image set.
    to_codec_compare : Path, optional
        Folder for Codec-Compare batches and their list.
    pictures : Path, optional
        Folder for originals and reconstructions, which batches then refer to.
    force : bool
        Whether to replace existing files.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ReadError
        There are no results, they are damaged, or files for the reconstructions are missing.
    OutputError
        A file exists, or cannot be written.
    """
    found = measurements(results)
    makers: dict[Path, Callable[[], bytes]] = {}
    places: dict[int, tuple[str, str]] = {}
    if pictures is not None:
        planned, paths = reconstructions.plan(found, results, pictures)
        for picture in planned:
            makers[picture.path] = partial(_png, picture)
        if to_codec_compare is not None:
            site = to_codec_compare.absolute().parent
            places = {place: (_from(site, a), _from(site, b)) for place, (a, b) in paths.items()}
    if to_compressai is not None:
        for name, text in compressai.write(found).items():
            makers[to_compressai / name] = text.encode
    if to_codec_compare is not None:
        for name, text in codec_compare.write(found, places).items():
            makers[to_codec_compare / name] = text.encode
    for path in makers:
        if not force and files.is_taken(path):
            raise OutputError(str(path), "no file there, or --force", "one that exists")
    for path, make in makers.items():
        files.make_folder(path.parent)
        files.write_bytes(path, make())
    return list(makers)


def _png(picture: reconstructions.Picture) -> bytes:
    return image.encode_image(picture.pixels())


def _from(site: Path, path: Path) -> str:
    """Return the path of a file relative to a folder, in the form used in addresses."""
    return Path(os.path.relpath(path.absolute(), site)).as_posix()
