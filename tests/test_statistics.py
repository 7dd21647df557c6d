import math

import numpy as np
import pytest

from adaptive_kmeans.experiment.statistics import summarize
from adaptive_kmeans.metrics import bd_psnr, bd_rate, front

ANCHOR = [(0.5, 30.0), (1.0, 33.2), (2.0, 36.1), (4.0, 39.4)]


def test_curves_that_are_shifted_have_that_delta():
    assert bd_rate(ANCHOR, [(1.25 * rate, q) for rate, q in ANCHOR]) == pytest.approx(25)
    assert bd_psnr(ANCHOR, [(rate, q - 0.7) for rate, q in ANCHOR]) == pytest.approx(-0.7)
    assert bd_rate(ANCHOR, ANCHOR[::-1]) == pytest.approx(0, abs=1e-9)


def test_bd_rate_is_the_area_between_the_curves():
    """Against the definition: the mean difference of log rates over the shared qualities."""
    other = [(0.45, 30.4), (0.95, 33.9), (1.7, 36.0), (3.9, 39.9)]
    from scipy.interpolate import Akima1DInterpolator

    low, high = 30.4, 39.4
    qualities = np.linspace(low, high, 20_001)
    logs = [
        Akima1DInterpolator([q for _, q in curve], np.log10([r for r, _ in curve]))(qualities)
        for curve in (ANCHOR, other)
    ]
    expected = 100 * (10 ** (np.trapezoid(logs[1] - logs[0], qualities) / (high - low)) - 1)
    assert bd_rate(ANCHOR, other) == pytest.approx(expected, rel=1e-3)


def test_curves_that_barely_overlap_are_refused():
    assert bd_rate(ANCHOR, [(rate, q + 8) for rate, q in ANCHOR]) is None
    assert bd_psnr(ANCHOR, [(20 * rate, q) for rate, q in ANCHOR]) is None
    assert bd_rate(ANCHOR, ANCHOR[:2]) is None
    assert bd_rate(ANCHOR, [(1.0, math.inf), (2.0, math.inf), (3.0, math.inf)]) is None


def test_points_that_cost_more_for_less_are_excluded():
    worse = [*ANCHOR, (1.5, 32.0), (3.0, 36.0)]
    assert front(worse) == ANCHOR
    assert bd_rate(ANCHOR, worse) == pytest.approx(0, abs=1e-9)


def test_the_interval_holds_the_mean_and_narrows_with_images():
    random = np.random.default_rng(0)
    few = summarize(list(random.normal(-5, 2, 8)), "lower")
    many = summarize([*random.normal(-5, 2, 200), None, None], "lower")
    assert few.low < few.mean < few.high
    assert many.high - many.low < (few.high - few.low) / 2
    assert (many.images, many.refused) == (200, 2)
    assert many.wins > 190
    assert summarize([1.0], "lower").wins == 0
    assert math.isnan(summarize([1.0, 2.0], "higher").low)  # two images are no sample
    assert math.isnan(summarize([None], "higher").mean)
    same = summarize([2.0, 2.0, 2.0], "higher")
    assert (same.low, same.mean, same.high, same.wins) == (2.0, 2.0, 2.0, 3)
