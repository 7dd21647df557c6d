"""The JSON of Codec-Compare: batches of encoded images, a row for each file of each image.

Codec-Compare (github.com/webmproject/codec-compare) matches the rows of two batches by image and
quality and shows their ratios. A batch has two lists of the same length for constants, one of
``{name: description}`` and one of values, and for fields one of ``{name: description}`` and rows
of as many values. ``batches.json`` lists the batches: serve the folder beside the page, and open
``index.html?load=FOLDER/batches.json``.

A batch is a series: a method in which all but codebook sizes and quality is fixed. Fields that
some row of it has no number for are left out. As its own generator does, quality without loss is
99, and SSIM is in dB.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from adaptive_kmeans.experiment.interchange.measurements import Measurements
from adaptive_kmeans.experiment.interchange.names import distinct
from adaptive_kmeans.experiment.rows import Row
from adaptive_kmeans.experiment.series import Measured, by_series, ssim_db

LIST = "batches.json"
NO_DISTORTION = 99.0

Paths = Mapping[int, tuple[str, str]]
"""By the place of a file among all: where the page finds its original and its reconstruction."""


class _Field(NamedTuple):
    """A column of a batch."""

    description: str
    value: Callable[[Row], float | str | None]


_FIELDS = {
    "original_name": _Field("Name of the image", lambda row: row.image),
    "quality": _Field("Quality, a setting of the encoder", lambda row: row.quality),
    "target": _Field("Target of the search for a quality", lambda row: row.aim or None),
    "price": _Field("λ, what a bit is worth in distortion", lambda row: row.price),
    "k": _Field("Codewords of one region", lambda row: row.k),
    "k1": _Field("Codewords of the region of low detail", lambda row: row.k1),
    "k2": _Field("Codewords of the region of high detail", lambda row: row.k2),
    "effort": _Field("Effort, a setting of the encoder", lambda row: row.effort),
    "encoded_size": _Field("Bytes of the file", lambda row: row.bytes),
    "bpp": _Field("8 × bytes of the file / pixels", lambda row: row.bits_per_pixel),
    "psnr": _Field("PSNR of 8-bit RGB, dB", lambda row: row.psnr_db),
    "ssim": _Field("SSIM as −10 log10(1 − SSIM), dB; 11×11 Gaussian window, RGB", ssim_db),
    "ssimulacra2": _Field("SSIMULACRA 2", lambda row: row.ssimulacra2),
    "ciede2000": _Field("Mean CIEDE2000 over pixels; less is better", lambda row: row.ciede2000),
    "encoding_time": _Field("Encoding, seconds", lambda row: row.encode_s),
    "decoding_time": _Field("Decoding, seconds", lambda row: row.decode_s),
}


def write(found: Measurements, paths: Paths | None = None) -> dict[str, str]:
    """Return the batches and their list as JSON files, by their names.

    Parameters
    ----------
    found : Measurements
        What was measured.
    paths : mapping, optional
        Where the page finds originals and reconstructions; all files of a batch must have one.
    """
    places = {id(m): place for place, m in enumerate(found.files)}
    series = by_series(found.files)
    titles = distinct(series)
    made = {
        f"{titles[title]}.json": _json(_batch(found, title, members, places, paths or {}))
        for title, members in series.items()
    }
    return {**made, LIST: _json([[name] for name in made])}


def _batch(
    found: Measurements,
    title: str,
    members: Sequence[Measured],
    places: Mapping[int, int],
    paths: Paths,
) -> dict[str, Any]:
    """Return a batch of one series."""
    is_ours = members[0].row.is_ours
    sets = ", ".join(dict.fromkeys(m.row.image_set for m in members if m.row.image_set))
    constants = {
        "name": ("Name of this batch", title),
        "codec": ("Codec", "adaptive-kmeans" if is_ours else members[0].row.method),
        "version": ("Version", (found.version("adaptive-kmeans") or "") if is_ours else ""),
        "time": ("When the run ended", found.finished or ""),
        "source_data_set": ("Set of images", sets),
        "experiment": ("Experiment of adaptive-kmeans", found.name),
    }
    columns: dict[str, tuple[str, Sequence[float | str | None]]] = {
        name: (field.description, [_value(field.value(m.row)) for m in members])
        for name, field in _FIELDS.items()
    }
    sizes = [found.size(m.row.image) for m in members]
    for side, what in enumerate(("width", "height")):
        pixels = [None if size is None else size[side] for size in sizes]
        columns[what] = (f"{what.capitalize()} of the image in pixels", pixels)
    shown = [paths.get(places[id(m)], (None, None)) for m in members]
    for side, what in enumerate(("original", "decoded")):
        description = f"Where the page finds the {what} image"
        columns[f"{what}_path"] = (description, [pair[side] for pair in shown])
    columns = {name: column for name, column in columns.items() if None not in column[1]}
    values = (column for _, column in columns.values())
    return {
        "constant_descriptions": [{name: text} for name, (text, _) in constants.items()],
        "constant_values": [value for _, value in constants.values()],
        "field_descriptions": [{name: text} for name, (text, _) in columns.items()],
        "field_values": [list(row) for row in zip(*values, strict=True)],
    }


def _value(value: float | str | None) -> float | str | None:
    """Return a value as JSON takes it."""
    if isinstance(value, float) and not math.isfinite(value):
        return NO_DISTORTION if value > 0 else None
    return value


def _json(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
