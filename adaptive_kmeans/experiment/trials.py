"""Trials: one image under one setting, measured on the file that it makes."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import codec, metrics
from adaptive_kmeans.baselines.checked import Baseline
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import AdaptiveKMeansError, LimitError, TrialsFailedError, one_line
from adaptive_kmeans.experiment.memory import PeakMemory
from adaptive_kmeans.experiment.rows import Row, parameter_columns, split_columns
from adaptive_kmeans.progress import Progress

Pixels = npt.NDArray[np.uint8]


class Metric(NamedTuple):
    """A measure of quality that a config can ask for.

    Parameters
    ----------
    column : str
        Its column in the table.
    score : callable
        Function of the original and the decoded image.
    settings : dict
        What is stored beside its numbers. The version is raised when the number that it gives
        changes: stored trials then no longer count.
    package : str or None
        A library of the extra ``metrics`` that it needs.
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
"""The metrics by their names in a config."""


@dataclass(frozen=True)
class Trial:
    """One image under one codec.

    Parameters
    ----------
    image : ImageSource
        The image.
    codec : Settings or str
        Settings of our codec, or the spec of a baseline, such as ``"jpeg:75"``.
    metrics : tuple of str
        Names of `METRICS`.
    background : str or None
        Color for a translucent image.
    repeats : int
        How often encoding and decoding are timed, for the median; 0 when times are not asked for,
        which other trials may then disturb.
    """

    image: ImageSource
    codec: Settings | str
    metrics: tuple[str, ...] = ("psnr", "ssim")
    background: str | None = None
    repeats: int = 1

    @property
    def summary(self) -> str:
        """What the trial is, in a few words."""
        return f"{self.image.name}, {describe(self.codec)}"

    def key(self, image_hash: str) -> str:
        """Return a hash of all that the trial's numbers depend on."""
        depends = {
            "image": image_hash,
            "codec": parameters(self.codec),
            "metrics": {name: METRICS[name].settings for name in sorted(self.metrics)},
            "repeats": self.repeats,
        }
        return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


def describe(asked: Settings | str) -> str:
    """Say what a codec is in a few words.

    Examples
    --------
    >>> describe(Settings(k1=32, coder="deflate")), describe("jpeg:75")
    ('eigenvalue k = 32+256 4×4 deflate', 'jpeg:75')
    """
    if isinstance(asked, str):
        return asked
    name = "regular" if asked.is_regular else asked.detail
    sizes = "+".join(str(k) for k in asked.ks)
    return f"{name} k = {sizes} {asked.block_size}×{asked.block_size} {asked.coder}"


def parameters(asked: Settings | str) -> dict[str, Any]:
    """Return all that a codec's files depend on beside the image, its declared version included."""
    if isinstance(asked, Settings):
        return {**dataclasses.asdict(asked), "version": codec.ENCODER_VERSION}
    return {"baseline": asked, "version": Baseline.create(asked).version}


@dataclass(frozen=True)
class Outcome:
    """What a trial gave: a row and the file, or an error; and the seconds that it took in all."""

    trial: Trial
    row: Row | None = None
    data: bytes = b""
    error: AdaptiveKMeansError | None = None
    seconds: float = 0.0


def expand(
    images: Iterable[ImageSource],
    codecs: Iterable[Settings | str],
    metrics: Sequence[str] = ("psnr", "ssim"),
    background: str | None = None,
    repeats: int = 1,
) -> list[Trial]:
    """List the trials of all images under all codecs, image by image, none twice."""
    codecs = list(dict.fromkeys(codecs))
    return [
        Trial(image, asked, tuple(metrics), background, repeats)
        for image in images
        for asked in codecs
    ]


def run_trial(trial: Trial) -> Outcome:
    """Encode, decode, and measure the decoded file; an error becomes part of the outcome."""
    start = time.perf_counter()
    try:
        pixels = load(trial.image, trial.background)
        row, data = measure(
            trial.image.name, pixels, trial.codec, asked=trial.metrics, repeats=trial.repeats
        )
        return Outcome(trial, row, data, seconds=time.perf_counter() - start)
    except AdaptiveKMeansError as error:
        failure = error
    except MemoryError:
        failure = LimitError("memory", f"enough for {trial.summary}", "none left")
    except Exception as error:
        failure = TrialsFailedError(f"{trial.summary}: {one_line(error)}")
    return Outcome(trial, error=failure, seconds=time.perf_counter() - start)


def pixel_hash(pixels: Pixels) -> str:
    """Return the SHA-256 of an image's size and pixels, whatever file they came from."""
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


@functools.lru_cache(maxsize=1)
def load(image: ImageSource, background: str | None) -> Pixels:
    """Load an image; trials come image by image, so the last one is kept."""
    return image.load(background)


@functools.cache
def _warm_up(asked: Settings | str) -> None:
    """Load and compile once a process what trials need, which is no part of any trial's time."""
    if isinstance(asked, str):
        Baseline.create(asked).warm_up()
    else:
        codec.warm_up(asked)


def measure(
    name: str,
    pixels: Pixels,
    asked_codec: Settings | str,
    *,
    asked: Sequence[str] = ("psnr", "ssim"),
    repeats: int = 1,
    progress: Progress | None = None,
) -> tuple[Row, bytes]:
    """Encode an image, decode the file, and measure what was decoded.

    Parameters
    ----------
    name : str
        What the row calls the image.
    pixels : (H, W, 3) uint8
        The image.
    asked_codec : Settings or str
        Settings of our codec, or the spec of a baseline.
    asked : sequence of str
        Names of `METRICS`.
    repeats : int
        How often encoding and decoding are timed, for the median; with 0 the row has no times.
    progress : callable, optional
        Called with the stage's name and its finished share.

    Returns
    -------
    row : Row
        The measurements.
    data : bytes
        The file.
    """
    encode: Callable[[Pixels], bytes]
    decode: Callable[[bytes], Pixels]
    if isinstance(asked_codec, Settings):
        ours = asked_codec
        # The kernels are the same for codebooks of any size and whatever the seed.
        _warm_up(dataclasses.replace(ours, k1=2, k2=None if ours.is_regular else 3, seed=0))
        encode = functools.partial(codec.encode, settings=ours, progress=progress)
        decode = functools.partial(codec.decode, progress=progress)
    else:
        baseline = Baseline.create(asked_codec)
        if repeats:
            _warm_up(asked_codec)
        encode, decode = baseline.encode, functools.partial(baseline.decode, shape=pixels.shape)
    encode_s, decode_s = [], []
    with PeakMemory() as peak:
        for _ in range(max(1, repeats)):
            start = time.perf_counter()
            data = encode(pixels)
            encoded = time.perf_counter()
            decoded = decode(data)
            decode_s.append(time.perf_counter() - encoded)
            encode_s.append(encoded - start)
    columns: dict[str, Any] = {}
    for name_of_metric, metric in METRICS.items():
        wanted = name_of_metric in asked
        columns[metric.column] = metric.score(pixels, decoded) if wanted else None
    columns |= parameter_columns(asked_codec) | split_columns(asked_codec, data)
    row = Row(
        image=name,
        image_set="",
        bytes=len(data),
        bits_per_pixel=metrics.bits_per_pixel(data, pixels.shape),
        compression_ratio=pixels.size / len(data),
        space_saving_percent=100 * (1 - len(data) / pixels.size),
        encode_s=statistics.median(encode_s) if repeats else None,
        decode_s=statistics.median(decode_s) if repeats else None,
        peak_mb=peak.mb if repeats else None,
        **columns,
    )
    return row, data
