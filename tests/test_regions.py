import numpy as np
import pytest

from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.regions import Quantile, classify, thresholds

SCORES = np.array([[1.0, 2.0, 3.0], [10.0, 50.0, 60.0]])


@pytest.mark.parametrize(
    ("spec", "high"),
    [
        ("median", [[0, 0, 0], [1, 1, 1]]),
        ("mean", [[0, 0, 0], [0, 1, 1]]),
        ("otsu", [[0, 0, 0], [0, 1, 1]]),
        ("quantile:0", [[1, 1, 1], [1, 1, 1]]),
        ("quantile:1", [[0, 0, 0], [0, 0, 1]]),
    ],
)
def test_a_block_is_high_detail_at_or_above_the_threshold(spec, high):
    region_map = classify(SCORES, thresholds.create(spec))
    assert region_map.dtype == np.uint8
    assert region_map.tolist() == high


@pytest.mark.parametrize("spec", ["median", "mean", "otsu", "quantile"])
@pytest.mark.parametrize("score", [0.0, 0.1, 1e9 / 3])
def test_equal_scores_are_all_high_detail(spec, score):
    assert classify(np.full((3, 7), score), thresholds.create(spec)).all()


def test_the_half_quantile_is_the_median():
    assert Quantile(0.5)(SCORES) == thresholds.create("median")(SCORES) == 6.5


def test_a_share_is_between_zero_and_one():
    with pytest.raises(ConfigError, match=r"a share of blocks in 0\.\.1, received 1.5"):
        thresholds.create("quantile:1.5")
    with pytest.raises(
        ConfigError, match="share of threshold quantile: expected a number, received half"
    ):
        thresholds.create("quantile:half")
