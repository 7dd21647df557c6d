"""Trials of codecs: one image and one codec, measured on the file that the codec writes."""

from __future__ import annotations

import contextlib
import functools
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adaptive_kmeans import container, metrics
from adaptive_kmeans.codec import NamedCodec
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import AdaptiveKMeansError, TrialsFailedError, UnreachableError
from adaptive_kmeans.experiment.memory import PeakMemory
from adaptive_kmeans.experiment.rows import METRICS, SPLIT
from adaptive_kmeans.experiment.trials import Measurement, Pixels, hash_of, load
from adaptive_kmeans.regions import HIGH_DETAIL
from adaptive_kmeans.targets import Targeted

WARM_UP_SIDE = 96
"""Side of the image that warms up a codec: large enough for more colors than any two codebooks."""


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
        Names in `METRICS`.
    background : str or None
        Color over which a translucent image is flattened; None keeps its alpha.
    repeats : int
        How many times encoding and decoding are timed; times are medians. With 0 they are not
        timed, and other trials may run at the same time.
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
            "metrics": {name: METRICS[name].declared for name in sorted(self.metrics)},
            "repeats": self.repeats,
        }
        return hash_of(depends)

    def measure(self) -> Measurement:
        """Encode the image, decode the file, and score the decoded image.

        The data are the file. The row has times if there are repeats; those of a target are of
        coding at the quality found, without the search.
        """
        pixels, is_timed = load(self.image, self.background), self.repeats > 0
        if is_timed:
            _warm_up(self.codec)
        codec, found, ready = self._settle(pixels)
        encode_s, decode_s = [], []
        with PeakMemory() as peak:
            for _ in range(max(1, self.repeats)):
                start = time.perf_counter()
                data = codec.encode(pixels) if is_timed or ready is None else ready
                encoded = time.perf_counter()
                decoded = codec.decode(data)
                decode_s.append(time.perf_counter() - encoded)
                encode_s.append(encoded - start)
        if decoded.shape[:2] != pixels.shape[:2]:
            expected = f"an image of shape {pixels.shape}"
            raise TrialsFailedError(f"{self.summary}: decode", expected, f"{decoded.shape}")
        row = {
            "image": self.image.name,
            **self.codec.columns,
            **found,
            "bytes": len(data),
            "bits_per_pixel": metrics.bits_per_pixel(data, pixels.shape),
            "compression_ratio": metrics.compression_ratio(data, pixels.shape),
            "space_saving_percent": metrics.space_saving_percent(data, pixels.shape),
        }
        for name in self.metrics:
            metric = METRICS[name]
            row[metric.column] = metric.score(pixels, decoded)
        if is_timed:
            row["encode_s"] = statistics.median(encode_s)
            row["decode_s"] = statistics.median(decode_s)
            row["peak_mb"] = peak.mb
        if row.get("coder") is not None:
            row |= _split(data)
        return Measurement([row], data)

    def _settle(self, pixels: Pixels) -> tuple[NamedCodec, dict[str, Any], bytes | None]:
        """Return the codec to measure; for a target at the quality found, with columns and file."""
        if not isinstance(self.codec, Targeted):
            return self.codec, {}, None
        try:
            found = self.codec.find(pixels)
        except UnreachableError as error:
            raise UnreachableError(self.summary, error.expected, error.received) from error
        columns = {"quality": found.quality, "tries": found.tries}
        return self.codec.codec.with_quality(found.quality), columns, found.data


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
    """Code a small image, once per process, so that timings exclude imports and compilation."""
    shape = (WARM_UP_SIDE, WARM_UP_SIDE, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with contextlib.suppress(AdaptiveKMeansError):  # the trial itself will report it
        codec.decode(codec.encode(noise))


def _split(data: bytes) -> dict[str, Any]:
    """Return the sizes of the parts of one of our files, and how its blocks are split."""
    reader = container.Reader(data)
    split = {name: getattr(reader.contents, name) for name in SPLIT}
    if len(reader.contents.codewords) == 2:
        split["high_percent"] = reader.region_shares()[HIGH_DETAIL]
    return split
