"""The JSON of CompressAI: the curve of a codec, as means over a set of images.

CompressAI (J. Bégaint et al., "CompressAI: a PyTorch library and evaluation platform for
end-to-end compression research", 2020, github.com/InterDigitalInc/CompressAI) publishes and plots
results as

.. code-block:: json

    {
      "name": "cheng2020-attn",
      "description": "Inference (ans)",
      "results": {"bpp": [0.116, 0.174], "psnr-rgb": [28.43, 29.77], "ms-ssim-rgb": [0.92, 0.95]}
    }

in which the i-th numbers of all lists belong together. Each is an arithmetic mean over the images
of a set, like the points of our curves. Its ``python -m compressai.utils.plot`` reads what `write`
returns, and `read` accepts the files in its ``results/image/``. Of its metrics, only PSNR is the
same as ours; MS-SSIM is not our SSIM.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from adaptive_kmeans import files
from adaptive_kmeans.errors import AdaptiveKMeansError, ReadError, printable
from adaptive_kmeans.experiment.findings import OtherCurve
from adaptive_kmeans.experiment.interchange.names import distinct
from adaptive_kmeans.experiment.series import curve, groups

if TYPE_CHECKING:
    from adaptive_kmeans.experiment.interchange.measurements import Measurements

RATE, PSNR = "bpp", ("psnr-rgb", "psnr")
"""Keys of the results; older files have the second key for PSNR, which is also of RGB."""

SCORES = {
    PSNR[0]: "psnr_db",
    "ssim-rgb": "ssim",
    "ssimulacra2": "ssimulacra2",
    "ciede2000": "ciede2000",
    "encoding_time": "encode_s",
    "decoding_time": "decode_s",
}
"""The lists written besides the rate, if all files have the value, and their columns."""

MAX_BYTES, MAX_POINTS, MAX_NAME = 2**20, 4096, 60
MAX_BPP, MAX_DB = 1e4, 1e3


def write(found: Measurements) -> dict[str, str]:
    """Return a JSON file for each set of images and each series, by path.

    A point of a curve is one choice of parameters that all images of the set have; those with a
    file of infinite PSNR are left out, since they have no mean.
    """
    made: dict[str, str] = {}
    sets = groups(found.files, "image_set")
    folders = distinct(sets)
    for name, of_set in sets.items():
        series = groups(of_set, "series")
        titles = distinct(series)
        for title, members in series.items():
            results = _results(members)
            if not results[RATE]:
                continue
            count = members["image"].nunique()
            document = {
                "name": f"adaptive-kmeans {title}" if members["is_ours"].iloc[0] else title,
                "description": f"adaptive-kmeans, experiment {found.name}: mean of {count} "
                f"image{'' if count == 1 else 's'} of {name or 'no set'}, bytes of real files",
                "results": results,
            }
            text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
            made[f"{folders[name]}/{titles[title]}.json"] = f"{text}\n"
    return made


def _results(members: pd.DataFrame) -> dict[str, list[float]]:
    """Return the lists of one curve; the points are those of PSNR, if it was measured."""
    measured = {name: curve(members, members[column]) for name, column in SCORES.items()}
    points = measured[PSNR[0]] or next(filter(None, measured.values()), [])
    results = {RATE: [rate for rate, _ in points]}
    for name, of_metric in measured.items():
        # A metric without a mean at some point has a different number of points.
        if [rate for rate, _ in of_metric] == results[RATE] and points:
            results[name] = [value for _, value in of_metric]
    return results


def read(path: Path, image_set: str) -> OtherCurve:
    """Read the curve of PSNR from a file of CompressAI's format.

    Parameters
    ----------
    path : Path
        The file.
    image_set : str
        The set of images over which its numbers are means, which the file does not say.

    Raises
    ------
    ReadError
        It cannot be read, is not of this format, or has no PSNR.
    LimitError
        It is larger than any file of this format can be expected to be.
    """
    try:
        document = json.loads(files.read_bytes(path, MAX_BYTES))
    except (ValueError, RecursionError) as error:
        if isinstance(error, AdaptiveKMeansError):
            raise
        raise ReadError(str(path), "JSON of CompressAI's format", _reason(error)) from error
    if not isinstance(document, dict):
        raise ReadError(str(path), "a JSON object", type(document).__name__)
    results = document.get("results", document)
    if not isinstance(results, dict):
        raise ReadError(f"{path}: results", "an object of lists", type(results).__name__)
    key = next((key for key in PSNR if key in results), None)
    if key is None:
        received = ", ".join(map(printable, list(results)[:6])) or "none"
        raise ReadError(f"{path}: results", f"the key {PSNR[0]}", received)
    rates = _numbers(path, RATE, results, MAX_BPP)
    values = _numbers(path, key, results, MAX_DB)
    if len(rates) != len(values):
        expected = f"as many numbers as in {RATE}, {len(rates)}"
        raise ReadError(f"{path}: {key}", expected, len(values))
    name = document.get("name", path.stem)
    if not isinstance(name, str):
        raise ReadError(f"{path}: name", "a text", type(name).__name__)
    points = sorted(zip(rates, values, strict=True))
    return OtherCurve(printable(name).strip()[:MAX_NAME] or path.stem, image_set, points)


def _numbers(path: Path, key: str, results: Mapping[str, Any], most: float) -> list[float]:
    """Return one of the lists, whose numbers must be above 0."""
    values = results.get(key)
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_POINTS:
        received = f"{len(values)} of them" if isinstance(values, list) else type(values).__name__
        raise ReadError(f"{path}: {key}", f"a list of 1..{MAX_POINTS} numbers", received)
    for value in values:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not 0 < value <= most:
            expected = f"numbers above 0, at most {most:g}"
            raise ReadError(f"{path}: {key}", expected, printable(repr(value))[:40])
    return [float(value) for value in values]


def _reason(error: Exception) -> str:
    return "brackets too deep" if isinstance(error, RecursionError) else str(error)
