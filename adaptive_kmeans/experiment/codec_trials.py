"""Trials of codecs: one image and one codec, measured on the file that the codec writes."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from adaptive_kmeans import container, metrics
from adaptive_kmeans.codec import NamedCodec
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import AdaptiveKMeansError, TrialsFailedError, UnreachableError
from adaptive_kmeans.experiment.memory import PeakMemory
from adaptive_kmeans.experiment.rows import SPLIT, Row
from adaptive_kmeans.experiment.trials import Measurement, Pixels, hash_of, load
from adaptive_kmeans.regions import HIGH_DETAIL
from adaptive_kmeans.targets import Targeted

WARM_UP_SIDE = 96
"""Side of the image that warms up a codec: it has more colors than any two codebooks."""


class Metric(NamedTuple):
    """A quality metric that a config can name.

    Parameters
    ----------
    column : str
        Its column in the table.
    score : callable
        Function of the original and the decoded image.
    settings : dict
        Stored with its numbers. Its version is raised when the numbers change, so that stored
        trials are measured again.
    package : str or None
        The library of the extra ``metrics`` that it needs.
    """

    column: str
    score: Callable[[Pixels, Pixels], float]
    settings: dict[str, Any]
    package: str | None = None


METRICS = {
    "psnr": Metric("psnr_db", metrics.psnr, {"version": 1, "peak": 255}),
    "ssim": Metric("ssim", metrics.ssim, {"version": 1, "window": "11×11 Gaussian, σ = 1.5"}),
    "ssim-published": Metric(
        "ssim_published",
        functools.partial(metrics.ssim, window="published"),
        {"version": 1, "window": "3×3×3, uniform"},
    ),
    "ciede2000": Metric("ciede2000", metrics.ciede2000, {"version": 1, "mean": "over pixels"}),
    "ssimulacra2": Metric("ssimulacra2", metrics.ssimulacra2, {"version": 1}, "ssimulacra2"),
}
"""The metrics, by their names in a config."""


@dataclass(frozen=True)
class CodecTrial:
    """One image and one codec.

    Parameters
    ----------
    image : ImageSource
        The image.
    codec : NamedCodec
        The codec.
    metrics : tuple of str
        Names of `METRICS`.
    background : str or None
        Color over which a translucent image is flattened; None keeps its alpha.
    repeats : int
        How often encoding and decoding are timed, for the median. 0 if they are not timed; other
        trials may then run at the same time.
    """

    image: ImageSource
    codec: NamedCodec
    metrics: tuple[str, ...] = ("psnr", "ssim")
    background: str | None = None
    repeats: int = 1

    @property
    def summary(self) -> str:
        """The image and the codec in a few words."""
        return f"{self.image.name}, {self.codec.label}"

    def key(self, image_hash: str) -> str:
        """Return a hash of everything that the trial's numbers depend on."""
        depends = {
            "image": image_hash,
            "codec": self.codec.parameters,
            "metrics": {name: METRICS[name].settings for name in sorted(self.metrics)},
            "repeats": self.repeats,
        }
        return hash_of(depends)

    def measure(self) -> Measurement:
        """Encode the image, decode the file, and score what was decoded."""
        row, data = measure(self, load(self.image, self.background))
        return Measurement([row], data)


def expand(
    images: Iterable[ImageSource],
    codecs: Iterable[NamedCodec],
    metrics: Sequence[str] = ("psnr", "ssim"),
    background: str | None = None,
    repeats: int = 1,
) -> list[CodecTrial]:
    """List the trials of all images and codecs, image by image, without duplicates."""
    codecs = list(dict.fromkeys(codecs))
    return [
        CodecTrial(image, codec, tuple(metrics), background, repeats)
        for image in images
        for codec in codecs
    ]


@functools.cache
def _warm_up(codec: NamedCodec) -> None:
    """Code a small image, once a process, so that timings exclude imports and compilation."""
    shape = (WARM_UP_SIDE, WARM_UP_SIDE, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with contextlib.suppress(AdaptiveKMeansError):  # the trial itself will report it
        codec.decode(codec.encode(noise))


def measure(trial: CodecTrial, pixels: Pixels) -> tuple[Row, bytes]:
    """Encode the image of a trial, decode the file, and score what was decoded.

    Parameters
    ----------
    trial : CodecTrial
        What to measure. With 0 repeats the row has no times.
    pixels : (H, W, 3) or (H, W, 4) uint8
        Its image.

    Returns
    -------
    row : Row
        The measurements.
    data : bytes
        The file.
    """
    codec, is_timed = trial.codec, trial.repeats > 0
    if is_timed:
        _warm_up(codec)
    encode_s, decode_s = [], []
    with PeakMemory() as peak:
        for _ in range(max(1, trial.repeats)):
            start = time.perf_counter()
            data, found = _encode(trial, pixels)
            encoded = time.perf_counter()
            decoded = codec.decode(data)
            decode_s.append(time.perf_counter() - encoded)
            encode_s.append(encoded - start)
    if decoded.shape[:2] != pixels.shape[:2]:
        expected = f"an image of shape {pixels.shape}"
        raise TrialsFailedError(f"{trial.summary}: decode", expected, f"{decoded.shape}")
    scores = {
        metric.column: metric.score(pixels, decoded)
        for name, metric in METRICS.items()
        if name in trial.metrics
    }
    row = Row.of(
        **codec.columns,
        **found,
        **scores,
        image=trial.image.name,
        image_set="",
        bytes=len(data),
        bits_per_pixel=metrics.bits_per_pixel(data, pixels.shape),
        compression_ratio=metrics.compression_ratio(data, pixels.shape),
        space_saving_percent=metrics.space_saving_percent(data, pixels.shape),
        encode_s=statistics.median(encode_s) if is_timed else None,
        decode_s=statistics.median(decode_s) if is_timed else None,
        peak_mb=peak.mb if is_timed else None,
    )
    return (_with_split(row, data) if row.is_ours else row), data


def _encode(trial: CodecTrial, pixels: Pixels) -> tuple[bytes, dict[str, Any]]:
    """Encode an image; return the file, and by the columns what a search has found."""
    if not isinstance(trial.codec, Targeted):
        return trial.codec.encode(pixels), {}
    try:
        found = trial.codec.find(pixels)
    except UnreachableError as error:
        raise UnreachableError(trial.summary, error.expected, error.received) from error
    return found.data, {"quality": found.quality, "tries": found.tries}


def _with_split(row: Row, data: bytes) -> Row:
    """Add where the bytes of a file of ours go, and how its blocks are split."""
    reader = container.Reader(data)
    split = {name: getattr(reader.contents, name) for name in SPLIT}
    high = reader.region_shares()[HIGH_DETAIL] if len(reader.contents.codewords) == 2 else None
    return dataclasses.replace(row, **split, high_percent=high)
