"""The kind of experiment that measures codecs on images: its trials and its findings."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from adaptive_kmeans.codec import NamedCodec
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import MissingDependencyError
from adaptive_kmeans.experiment import comparison, figures, published, style, tables
from adaptive_kmeans.experiment.codec_trials import CodecTrial
from adaptive_kmeans.experiment.columns import rows_of
from adaptive_kmeans.experiment.combinations import Combinations
from adaptive_kmeans.experiment.findings import Findings, Measured, Picture, Shown, Summary
from adaptive_kmeans.experiment.kind import Kind
from adaptive_kmeans.experiment.rows import COLUMNS, METRICS
from adaptive_kmeans.experiment.schema import CompressionConfig
from adaptive_kmeans.experiment.series import decode, named
from adaptive_kmeans.progress import say, with_bar

LISTED = 2_000
"""Maximum number of codecs, or trials, to list just to count them."""


def plan(config: CompressionConfig, sources: Sequence[ImageSource]) -> list[CodecTrial]:
    """List the trials of an experiment, skipping codecs and metrics whose library is missing.

    Skipped ones are printed. A codec that the config names in two ways, such as ``jpeg`` and
    ``jpeg:75``, has one trial per image.

    Returns
    -------
    list of CodecTrial
        Image by image, in the order of the config's methods.
    """
    methods, shared = _measured(config)
    lists = [with_bar("listing codecs", codecs) for codecs in methods]
    codecs = list(dict.fromkeys(itertools.chain(*lists)))
    return [CodecTrial(source, codec, *shared) for source in sources for codec in codecs]


def survey(config: CompressionConfig, sources: Sequence[ImageSource]) -> Sequence[CodecTrial]:
    """Return the trials, each made on demand.

    With more than `LISTED` codecs, those of two methods may be equal.
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
    """Return the codecs of each method, and the other fields of trials except the image."""
    skipped: dict[str, None] = {}  # a set in order

    def skip(name: str, error: MissingDependencyError) -> None:
        skipped[f"skipped: {name}: {error}"] = None

    methods = config.codecs_by_method(skip)
    metrics = []
    for name in config.metrics:
        if METRICS[name].is_installed:
            metrics.append(name)
        else:
            skipped[f"skipped: {name}: pip install 'adaptive-kmeans[metrics]' brings it"] = None
    for message in skipped:
        say(message)
    return methods, (tuple(metrics), config.background, config.repeats if config.timing else 0)


def find(config: CompressionConfig, measured: Measured, shown: Shown) -> Findings:
    """Compare all series at equal quality and rate, and with published numbers."""
    measured = Measured(named(measured.table), measured.data)
    table, paper = measured.table, config.published
    own = measured._replace(table=published.without_repeats(table, paper))
    compared = comparison.compare(own.table, config.figures.anchor)
    summaries = {
        "summary": Summary("", [comparison.summary(compared)], comparison.left_out(own.table)),
        "published": published.summary(table, paper),
    }
    csv = "" if compared.empty else tables.to_csv(compared, comparison.COLUMNS)
    drawings = partial(figures.draw, own, compared, shown, config.figures, paper)
    draw = partial(style.save, draw=drawings, config=config.name, suffixes=config.figures.formats)
    settings = {
        name: dict(metric.settings)
        for name, metric in METRICS.items()
        if table[metric.column].notna().any()
    }
    return Findings(
        table,
        draw,
        summaries,
        {"comparison.csv": csv},
        {"metrics": settings},
        partial(_pictures, measured, shown),
        compared,
    )


def _pictures(measured: Measured, shown: Shown) -> list[Picture]:
    """Return the original and all decoded pictures of the image that figures show."""
    original = shown.pixels
    own = measured.table[measured.table["key"].isin(measured.data)]
    own = own[own["image"] == shown.name]
    if original is None or own.empty:
        return []
    first = Picture(f"{shown.name}, original", "", lambda: original)
    return [first, *(_picture(row, measured.data[row.key]) for row in rows_of(own))]


def _picture(row: Any, data: bytes) -> Picture:
    psnr_db = None if math.isnan(row.psnr_db) else row.psnr_db
    make = partial(decode, row, data)
    return Picture(row.title, row.series, make, row.bytes, row.bits_per_pixel, psnr_db)


KIND = Kind(
    "compression",
    CompressionConfig,
    COLUMNS,
    plan,
    find,
    lambda config: bool(config.timing),
    survey,
    shows_picture=True,
)
