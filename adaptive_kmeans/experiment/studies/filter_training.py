"""Default coefficients of the restoration filter, by least squares over a set of images.

Every image at every k has the same weight: its squared errors are divided by their sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from adaptive_kmeans import codec
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import TrialsFailedError
from adaptive_kmeans.experiment import tables
from adaptive_kmeans.experiment.columns import columns_of, measured, parameter, rows_of, table_of
from adaptive_kmeans.experiment.findings import Measured
from adaptive_kmeans.experiment.keys import Ks
from adaptive_kmeans.experiment.kind import study
from adaptive_kmeans.experiment.schema import Experiment
from adaptive_kmeans.experiment.studies.opaque import opaque_images
from adaptive_kmeans.experiment.trials import Measurement, StudyTrial, load
from adaptive_kmeans.restoration import fit, wiener
from adaptive_kmeans.threads import Workers

VERSION = 1
CHANNELS = ("red", "green", "blue")


class FilterTrainingConfig(Experiment):
    """Images × k, from which one set of coefficients is fitted."""

    SAMPLE: ClassVar = {"k": [16, 64]}

    kind: Literal["filter-training"]
    k: Ks

    def check(self) -> None:
        """Check the codebook sizes."""
        super().check()
        for k in self.k:
            Settings.regular(k)


@dataclass(frozen=True)
class CoefficientRow:
    """A row of the table: a coefficient of the filter, in units of 1 / 256.

    `sees` is what it multiplies: the offset (dy, dx) of one pixel of a pair, or a ring's radius,
    and the channel.
    """

    fine_class: int = parameter("class")
    sees: str = parameter("sees")
    output: str = parameter("output")
    coefficient: int = measured("d", "coefficient")


def plan(config: FilterTrainingConfig, sources: Sequence[ImageSource]) -> list[StudyTrial]:
    """List a trial for each image and k."""
    return [
        StudyTrial("filter-training", VERSION, source, config.background, _measure, {"k": k})
        for source in opaque_images(sources, config.background)
        for k in config.k
    ]


def combine(found: Measured) -> pd.DataFrame:
    """Fit the coefficients of all classes to all images: class by class, input by input."""
    columns = columns_of(CoefficientRow)
    parts = [np.frombuffer(data, np.float64) for data in found.data.values()]
    if not parts:
        return table_of([], columns)
    total = np.sum(parts, axis=0).reshape(wiener.FINE, wiener.LANES, wiener.LANES)
    inputs, targets = slice(0, wiener.INPUTS), slice(wiener.INPUTS, wiener.INPUTS + 3)
    rows = []
    for fine, sums in enumerate(total):
        square = sums[inputs, inputs]
        if square[0, 0] == 0:
            expected = f"images that have all {wiener.FINE} classes of activity"
            raise TrialsFailedError("filter-training", expected, f"none with class {fine}")
        damped = square + fit.RIDGE * square[0, 0] * np.eye(wiener.INPUTS)
        solved = np.linalg.solve(damped, sums[inputs, targets]) * (1 << wiener.SHIFT)
        for sees, coefficients in zip(_inputs(), np.rint(solved).astype(int), strict=True):
            rows += [
                asdict(CoefficientRow(fine, sees, output, int(coefficient)))
                for output, coefficient in zip(CHANNELS, coefficients, strict=True)
            ]
    return table_of(rows, columns)


def _measure(source: ImageSource, background: str | None, k: int) -> Measurement:
    """Return the least-squares sums of an image as data; rows come from all images together."""
    pixels = load(source, background)
    decoded = codec.quantize(pixels, Settings.regular(k)).reconstruct()
    with Workers(1) as workers:
        sums = fit.sums(pixels, decoded, workers)
    targets = range(wiener.INPUTS, wiener.INPUTS + 3)
    error = sum(sums[:, i, i].sum() for i in targets)
    return Measurement([], (sums / error).tobytes() if error else b"")


def _inputs() -> list[str]:
    """Name the inputs of the filter, in its order."""
    places = [f"({dy}, {dx})" for dy, dx in wiener.PAIRS]
    places += [f"ring {ring[0, 1]}" for ring in wiener.RINGS]
    return [f"{place} {channel}" for place in places for channel in CHANNELS]


def summarize(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the same-channel coefficients, averaged over the channels, by class."""
    same = table[[row.sees.endswith(f" {row.output}") for row in rows_of(table)]]
    places = same["sees"].str.rsplit(" ", n=1).str[0]

    def mean(rows: pd.DataFrame) -> dict[str, str]:
        return {"": f"{rows['coefficient'].mean() / (1 << wiener.SHIFT):+.3f}"}

    return [tables.pivoted(same.assign(place=places), ["fine_class"], ["place"], mean, str)]


KIND = study(
    "filter-training",
    FilterTrainingConfig,
    columns_of(CoefficientRow),
    plan,
    summarize=summarize,
    combine=combine,
)
