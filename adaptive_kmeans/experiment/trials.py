"""Trials: one image under one setting, measured on the file that it makes."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import codec, container, metrics
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import AdaptiveKMeansError
from adaptive_kmeans.progress import Progress


@dataclass(frozen=True)
class Trial:
    """One image under one setting."""

    image: ImageSource
    settings: Settings
    metrics: tuple[str, ...] = ("psnr", "ssim")
    background: str | None = None


@dataclass(frozen=True)
class Row:
    """A row of the table: parameters, quality, rate in bytes of the file, and times.

    `k` is the codebook of regular K-means, `k1` and `k2` those of two regions; those that do not
    apply are None, and so are metrics that were not asked for. The last four columns add up to
    `bytes`.
    """

    image: str
    method: str
    detail: str | None
    k: int | None
    k1: int | None
    k2: int | None
    block_size: int
    coder: str
    psnr_db: float | None
    ssim: float | None
    bytes: int
    bits_per_pixel: float
    compression_ratio: float
    space_saving_percent: float
    encode_s: float
    decode_s: float
    ssim_published: float | None
    threshold: str | None
    color_space: str
    seed: int
    header_bytes: int
    codebook_bytes: int
    region_map_bytes: int
    index_map_bytes: int

    @property
    def label(self) -> str:
        """What a figure or a terminal calls the method: "regular", or the detail measure."""
        return self.detail or self.method

    @property
    def codebook_sizes(self) -> str:
        """The codebook sizes as a figure or a terminal says them: "64", or "64+256"."""
        return str(self.k) if self.k is not None else f"{self.k1}+{self.k2}"


@dataclass(frozen=True)
class Outcome:
    """What a trial gave: a row and the file, or an error."""

    trial: Trial
    row: Row | None = None
    data: bytes = b""
    error: AdaptiveKMeansError | None = None


def expand(
    images: Iterable[ImageSource],
    settings: Iterable[Settings],
    metrics: Sequence[str] = ("psnr", "ssim"),
    background: str | None = None,
) -> list[Trial]:
    """List the trials of all images under all settings, image by image, none twice."""
    settings = list(dict.fromkeys(settings))
    return [
        Trial(image, setting, tuple(metrics), background)
        for image in images
        for setting in settings
    ]


def run_trial(trial: Trial) -> Outcome:
    """Encode, decode, and measure the decoded file; an error becomes part of the outcome."""
    try:
        pixels = load(trial.image, trial.background)
        row, data = measure(trial.image.name, pixels, trial.settings, asked=trial.metrics)
        return Outcome(trial, row, data)
    except AdaptiveKMeansError as error:
        return Outcome(trial, error=error)


def pixel_hash(pixels: npt.NDArray[np.uint8]) -> str:
    """Return the SHA-256 of an image's size and pixels, whatever file they came from."""
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


@functools.lru_cache(maxsize=1)
def load(image: ImageSource, background: str | None) -> npt.NDArray[np.uint8]:
    """Load an image; trials come image by image, so the last one is kept."""
    return image.load(background)


@functools.cache
def _warm_up(stages: Settings) -> None:
    """Load and compile once a process what trials need, which is no part of any trial's time."""
    codec.warm_up(stages)


def measure(
    name: str,
    pixels: npt.NDArray[np.uint8],
    settings: Settings,
    *,
    asked: Sequence[str] = ("psnr", "ssim"),
    progress: Progress | None = None,
) -> tuple[Row, bytes]:
    """Encode an image, decode the file, and measure what was decoded.

    Parameters
    ----------
    name : str
        What the row calls the image.
    pixels : (H, W, 3) uint8
        The image.
    settings : Settings
        How to encode it.
    asked : sequence of str
        Metrics to compute: "psnr", "ssim", "ssim-published".
    progress : callable, optional
        Called with the stage's name and its finished share.

    Returns
    -------
    row : Row
        The measurements.
    data : bytes
        The file.
    """
    # The kernels are the same for codebooks of any size and whatever the seed.
    _warm_up(dataclasses.replace(settings, k1=2, k2=None if settings.is_regular else 3, seed=0))
    start = time.perf_counter()
    data = codec.encode(pixels, settings, progress=progress)
    encoded = time.perf_counter()
    decoded = codec.decode(data, progress=progress)
    decode_s = time.perf_counter() - encoded
    layout = container.inspect(data)
    regular = settings.is_regular
    row = Row(
        image=name,
        method="regular" if regular else "region-adaptive",
        detail=None if regular else settings.detail,
        k=settings.k1 if regular else None,
        k1=None if regular else settings.k1,
        k2=settings.k2,
        block_size=settings.block_size,
        coder=settings.coder,
        psnr_db=metrics.psnr(pixels, decoded) if "psnr" in asked else None,
        ssim=metrics.ssim(pixels, decoded) if "ssim" in asked else None,
        bytes=len(data),
        bits_per_pixel=metrics.bits_per_pixel(data, pixels.shape),
        compression_ratio=pixels.size / len(data),
        space_saving_percent=100 * (1 - len(data) / pixels.size),
        encode_s=encoded - start,
        decode_s=decode_s,
        ssim_published=metrics.ssim(pixels, decoded, "published")
        if "ssim-published" in asked
        else None,
        threshold=None if regular else settings.threshold,
        color_space=settings.color_space,
        seed=settings.seed,
        header_bytes=layout.header_bytes,
        codebook_bytes=layout.codebook_bytes,
        region_map_bytes=layout.region_map_bytes,
        index_map_bytes=layout.index_map_bytes,
    )
    return row, data
