"""The JSON of Codec-Compare: batches of encoded images, a row for each file of each image.

Codec-Compare (github.com/webmproject/codec-compare) matches the rows of two batches by image and
quality and shows their ratios. A batch has two lists of the same length for its constants, one of
``{name: description}`` and one of values. For its fields it has a list of ``{name: description}``
and a list of rows with as many values. ``batches.json`` lists the batches: serve the folder beside
the page, and open ``index.html?load=FOLDER/batches.json``.

A batch is a series: a method in which everything but codebook sizes and quality is fixed. A field
is left out if any row lacks a value for it. As in Codec-Compare's own generator, lossless quality
is 99, and SSIM is in dB.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from adaptive_kmeans.experiment.interchange.measurements import Measurements
from adaptive_kmeans.experiment.interchange.names import distinct
from adaptive_kmeans.experiment.series import groups
from adaptive_kmeans.metrics import ssim_db

LIST = "batches.json"
NO_DISTORTION = 99.0

Paths = Mapping[int, tuple[str, str]]
"""Where the page finds the original and reconstruction of a file, by its place."""


class _Field(NamedTuple):
    """A field of a batch: its description, its column in the table, and how to convert values."""

    description: str
    column: str
    scale: Callable[[float], float] | None = None


_FIELDS = {
    "original_name": _Field("Name of the image", "image"),
    "quality": _Field("Quality, a setting of the encoder", "quality"),
    "target": _Field("Target of the search for a quality", "aim"),
    "price": _Field("λ, what a bit is worth in distortion", "price"),
    "k": _Field("Codewords of one region", "k"),
    "k1": _Field("Codewords of the region of low detail", "k1"),
    "k2": _Field("Codewords of the region of high detail", "k2"),
    "effort": _Field("Effort, a setting of the encoder", "effort"),
    "encoded_size": _Field("Bytes of the file", "bytes"),
    "bpp": _Field("8 × bytes of the file / pixels", "bits_per_pixel"),
    "psnr": _Field("PSNR of 8-bit RGB, dB", "psnr_db"),
    "ssim": _Field("SSIM as −10 log10(1 − SSIM), dB; 11×11 Gaussian window, RGB", "ssim", ssim_db),
    "ssimulacra2": _Field("SSIMULACRA 2", "ssimulacra2"),
    "ciede2000": _Field("Mean CIEDE2000 over pixels; less is better", "ciede2000"),
    "encoding_time": _Field("Encoding, seconds", "encode_s"),
    "decoding_time": _Field("Decoding, seconds", "decode_s"),
}


def write(found: Measurements, paths: Paths | None = None) -> dict[str, str]:
    """Return the batches and their list as JSON, by file name.

    Parameters
    ----------
    found : Measurements
        What was measured.
    paths : mapping, optional
        Where the page finds originals and reconstructions; all files of a batch must have one.
    """
    series = groups(found.files, "series")
    titles = distinct(series)
    made = {
        f"{titles[title]}.json": _json(_batch(found, title, files, paths or {}))
        for title, files in series.items()
    }
    return {**made, LIST: _json([[name] for name in made])}


def _batch(found: Measurements, title: str, files: pd.DataFrame, paths: Paths) -> dict[str, Any]:
    """Return a batch of one series."""
    is_ours = bool(files["is_ours"].iloc[0])
    sets = ", ".join(filter(None, files["image_set"].unique()))
    constants = {
        "name": ("Name of this batch", title),
        "codec": ("Codec", "adaptive-kmeans" if is_ours else files["method"].iloc[0]),
        "version": ("Version", (found.version("adaptive-kmeans") or "") if is_ours else ""),
        "time": ("When the run ended", found.finished or ""),
        "source_data_set": ("Set of images", sets),
        "experiment": ("Experiment of adaptive-kmeans", found.name),
    }
    columns: dict[str, tuple[str, Sequence[float | str | None]]] = {
        name: (field.description, [_value(value, field.scale) for value in files[field.column]])
        for name, field in _FIELDS.items()
    }
    sizes = [found.size(image) for image in files["image"]]
    for side, what in enumerate(("width", "height")):
        pixels = [None if size is None else size[side] for size in sizes]
        columns[what] = (f"{what.capitalize()} of the image in pixels", pixels)
    shown = [paths.get(place, (None, None)) for place in files.index]
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


def _value(value: Any, scale: Callable[[float], float] | None) -> float | str | None:
    """Convert a value for JSON."""
    if pd.isna(value):
        return None
    if scale is not None:
        value = scale(value)
    if isinstance(value, float) and not math.isfinite(value):
        return NO_DISTORTION if value > 0 else None
    return value.item() if isinstance(value, np.generic) else value  # type: ignore[no-any-return]


def _json(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
