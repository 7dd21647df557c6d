"""The kind of experiment that measures codecs on images: its trials, and what is made of them."""

from __future__ import annotations

import bisect
import importlib.util
import itertools
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.codec import NamedCodec
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import MissingDependencyError
from adaptive_kmeans.experiment import comparison, figures, published, style, tables
from adaptive_kmeans.experiment.codec_trials import METRICS, CodecTrial
from adaptive_kmeans.experiment.combinations import Combinations
from adaptive_kmeans.experiment.findings import Ended, Findings, Shown
from adaptive_kmeans.experiment.schema import CompressionConfig
from adaptive_kmeans.experiment.series import Measured, named
from adaptive_kmeans.progress import say

LISTED = 2_000
"""Most codecs, or trials, to be listed just to count them."""


def plan(config: CompressionConfig, sources: Sequence[ImageSource]) -> list[CodecTrial]:
    """List the trials of an experiment; codecs and metrics without their library are skipped.

    Skipped ones are printed. A codec that the config names in two ways, such as ``jpeg`` and
    ``jpeg:75``, has one trial per image.

    Returns
    -------
    list of CodecTrial
        Image by image, in the order of the config's methods.
    """
    methods, shared = _measured(config)
    codecs = list(dict.fromkeys(codec for codecs in methods for codec in codecs))
    return [CodecTrial(source, codec, *shared) for source in sources for codec in codecs]


def survey(config: CompressionConfig, sources: Sequence[ImageSource]) -> Sequence[CodecTrial]:
    """Return the trials, which are made when they are asked for.

    Of more than `LISTED` codecs, those of two methods may be equal.
    """
    methods, shared = _measured(config)
    if sum(map(len, methods)) <= LISTED:
        methods = [list(dict.fromkeys(codec for codecs in methods for codec in codecs))]
    starts = [0, *itertools.accumulate(map(len, methods))]

    def trial(image: int, number: int) -> CodecTrial:
        method = bisect.bisect_right(starts, number) - 1
        return CodecTrial(sources[image], methods[method][number - starts[method]], *shared)

    return Combinations(trial, {"image": range(len(sources)), "number": range(starts[-1])})


def _measured(
    config: CompressionConfig,
) -> tuple[list[Sequence[NamedCodec]], tuple[tuple[str, ...], str | None, int]]:
    """Return the codecs of each method, and what else trials have but the image."""
    skipped: dict[str, None] = {}  # a set in order

    def skip(name: str, error: MissingDependencyError) -> None:
        skipped[f"skipped: {name}: {error}"] = None

    methods = config.codecs_by_method(skip)
    metrics = []
    for name in config.metrics:
        package = METRICS[name].package
        if package is None or importlib.util.find_spec(package) is not None:
            metrics.append(name)
        else:
            skipped[f"skipped: {name}: pip install 'adaptive-kmeans[metrics]' brings it"] = None
    for message in skipped:
        say(message)
    return methods, (tuple(metrics), config.background, config.repeats if config.timing else 0)


def find(config: CompressionConfig, ended: Sequence[Ended], shown: Shown) -> Findings:
    """Compare the files of all series, at equal bytes and beside published numbers."""
    measured = named([Measured(row, data) for rows, data in ended for row in rows])
    compared = comparison.compare(measured, config.figures.anchor)
    csv = tables.to_csv(compared, comparison.ComparisonRow) if compared else ""
    texts = {
        "summary.md": comparison.to_markdown(compared),
        "comparison.csv": csv,
        "published.md": published.to_markdown(measured, config.published),
    }
    drawings = partial(figures.draw, measured, compared, shown, config.figures, config.published)
    draw = partial(style.save, draw=drawings, config=config.name, suffixes=config.figures.formats)
    rows = [m.row for m in measured]
    settings = {
        name: metric.settings
        for name, metric in METRICS.items()
        if any(getattr(row, metric.column) is not None for row in rows)
    }
    return Findings(rows, draw, texts, {"metrics": settings}, lambda: _pictures(measured, shown))


def _pictures(
    measured: Sequence[Measured], shown: Shown
) -> dict[str, Callable[[], npt.NDArray[np.uint8]]]:
    """Return what makes the original and all decoded pictures, by their titles."""
    original = shown.pixels
    pictured = [m for m in measured if m.row.image == shown.name and m.data is not None]
    if original is None or not pictured:
        return {}
    made: dict[str, Callable[[], npt.NDArray[np.uint8]]] = {
        f"{shown.name}, original": lambda: original
    }
    for m in pictured:
        rate = f"{m.row.bits_per_pixel:.2f} bits per pixel"
        quality = "" if m.row.psnr_db is None else f", {m.row.psnr_db:.2f} dB"
        made[f"{m.title}, {rate}{quality}"] = m.decode
    return made
