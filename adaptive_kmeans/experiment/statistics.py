"""Comparing methods over images: Bjøntegaard deltas, confidence intervals, wins.

A *curve* is a method's files of one image, as (rate in bits per pixel, quality in dB). Two curves
are compared where they overlap: BD-rate is the mean change of rate at equal quality in percent
(below zero: fewer bytes), BD-PSNR the mean change of quality in dB at equal rate. Both are computed
by the `bjontegaard` package with Akima interpolation (C. Herglotz et al., "The Bjøntegaard Bible:
Why Your Way of Comparing Video Codecs May Be Wrong", IEEE Trans. Image Processing 33, 2024); that
package is checked against the reference implementations of G. Bjøntegaard's method (VCEG-M33,
2001).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.errors import MissingDependencyError

Curve = Sequence[tuple[float, float]]

MIN_POINTS = 3
"""Points of a curve; fewer say nothing about its shape."""

MIN_OVERLAP = 0.5
"""Least share of the narrower of two curves, in quality or in the logarithm of the rate, that the
other one covers as well."""

RESAMPLES = 10_000
SEED = 0


@dataclass(frozen=True)
class Delta:
    """The mean of a difference over images.

    Parameters
    ----------
    mean : float
        Arithmetic mean; NaN without images.
    low, high : float
        Bootstrapped 95 % interval of the mean, percentiles of 10,000 resamples of the images; NaN
        with fewer than two images.
    wins : int
        Images on which the method is better than the anchor.
    images : int
        Images whose curves could be compared.
    refused : int
        Images left out, since their curves barely overlap or have fewer than three points.
    """

    mean: float
    low: float
    high: float
    wins: int
    images: int
    refused: int


def bd_rate(anchor: Curve, method: Curve) -> float | None:
    """Mean change of rate at equal quality, in percent; None where it cannot be said.

    Parameters
    ----------
    anchor, method : sequence of (float, float)
        Rate in bits per pixel and quality in dB. Points of infinite quality are left out: at no
        distortion a curve has no slope.

    Examples
    --------
    >>> anchor = [(1.0, 30.0), (2.0, 33.0), (3.0, 35.0), (4.0, 36.5)]
    >>> round(bd_rate(anchor, [(0.9 * rate, psnr) for rate, psnr in anchor]), 6)
    -10.0
    """
    return _delta(anchor, method, "rate")


def bd_psnr(anchor: Curve, method: Curve) -> float | None:
    """Mean change of quality at equal rate, in dB; None where it cannot be said.

    Examples
    --------
    >>> anchor = [(1.0, 30.0), (2.0, 33.0), (3.0, 35.0), (4.0, 36.5)]
    >>> round(bd_psnr(anchor, [(rate, psnr + 1) for rate, psnr in anchor]), 6)
    1.0
    """
    return _delta(anchor, method, "psnr")


def summarize(deltas: Sequence[float | None], better: Literal["lower", "higher"]) -> Delta:
    """Sum up one delta an image: mean, interval, wins.

    Examples
    --------
    >>> summarize([-3.0, -1.0, 1.0, None], "lower").wins
    2
    """
    values = np.array([delta for delta in deltas if delta is not None], dtype=np.float64)
    wins = int((values < 0).sum() if better == "lower" else (values > 0).sum())
    low, high = _interval(values)
    mean = float(values.mean()) if values.size else math.nan
    return Delta(mean, low, high, wins, values.size, len(deltas) - values.size)


def front(curve: Curve) -> list[tuple[float, float]]:
    """Return the finite points by rate, without those that cost more for no more quality.

    Examples
    --------
    >>> front([(2.0, 31.0), (1.0, 30.0), (1.5, 29.0)])
    [(1.0, 30.0), (2.0, 31.0)]
    """
    kept: list[tuple[float, float]] = []
    for rate, quality in sorted(curve, key=lambda point: (point[0], -point[1])):
        if math.isfinite(quality) and (not kept or quality > kept[-1][1]):
            kept.append((rate, quality))
    return kept


def _interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    if values.size < 2:
        return math.nan, math.nan
    from scipy.stats import bootstrap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # equal values have an interval of no width
        found = bootstrap(
            (values,),
            np.mean,
            n_resamples=RESAMPLES,
            method="percentile",
            rng=np.random.default_rng(SEED),
        )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _delta(anchor: Curve, method: Curve, axis: Literal["rate", "psnr"]) -> float | None:
    try:
        import bjontegaard
    except ImportError as error:
        expected = "it to be installed: pip install bjontegaard"
        raise MissingDependencyError("library bjontegaard", expected, str(error)) from error
    curves = [front(curve) for curve in (anchor, method)]
    if min(map(len, curves)) < MIN_POINTS:
        return None
    values = [list(column) for curve in curves for column in zip(*curve, strict=True)]
    if _overlap(*(values[1::2] if axis == "rate" else _logs(values[0::2]))) < MIN_OVERLAP:
        return None
    compute = bjontegaard.bd_rate if axis == "rate" else bjontegaard.bd_psnr
    delta = compute(*values, method="akima", require_matching_points=False, min_overlap=0)
    return float(delta) if math.isfinite(delta) else None


def _logs(rates: Sequence[Sequence[float]]) -> list[list[float]]:
    return [[math.log(rate) for rate in curve] for curve in rates]


def _overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the share of the narrower of two ranges that both cover."""
    shared = min(max(first), max(second)) - max(min(first), min(second))
    narrower = min(max(first) - min(first), max(second) - min(second))
    return shared / narrower if narrower else 0.0
