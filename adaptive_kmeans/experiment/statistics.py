"""Summary statistics of deltas over images: means, bootstrapped intervals, wins."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
MIN_IMAGES = 3
"""Minimum number of images to resample: the interval of two would be from one to the other."""
SEED = 0


@dataclass(frozen=True)
class Delta:
    """The mean of a difference over images.

    Parameters
    ----------
    mean : float
        Arithmetic mean; NaN if there are no images.
    low, high : float
        Bootstrapped 95 % interval of the mean, from percentiles of 10,000 resamples of the images;
        NaN with fewer than `MIN_IMAGES`.
    wins : int
        Images on which the method is better than the anchor.
    images : int
        Images whose curves could be compared.
    refused : int
        Images excluded because their curves barely overlap or have fewer than three points.
    """

    mean: float
    low: float
    high: float
    wins: int
    images: int
    refused: int


def summarize(deltas: Iterable[float], better: Literal["lower", "higher"]) -> Delta:
    """Summarize the deltas of images, NaN where curves could not be compared.

    Examples
    --------
    >>> summarize([-3.0, -1.0, 1.0, math.nan], "lower").wins
    2
    """
    given = np.array([*deltas], dtype=np.float64)
    values = given[~np.isnan(given)]
    wins = int((values < 0).sum() if better == "lower" else (values > 0).sum())
    low, high = _interval(values)
    mean = float(values.mean()) if values.size else math.nan
    return Delta(mean, low, high, wins, values.size, given.size - values.size)


def _interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    if values.size < MIN_IMAGES:
        return math.nan, math.nan
    from scipy.stats import bootstrap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # equal values have an interval of zero width
        found = bootstrap(
            (values,),
            np.mean,
            n_resamples=RESAMPLES,
            method="percentile",
            rng=np.random.default_rng(SEED),
        )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
