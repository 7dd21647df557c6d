import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.detail import measures
from adaptive_kmeans.errors import ConfigError, UnknownNameError
from adaptive_kmeans.regions import Median, classify
from tests import reference

TWINS = {
    "eigenvalue": reference.eigenvalue_mean,
    "eigenvalue:largest": reference.eigenvalue_largest,
    "variance": reference.variance,
    "total-variation": reference.total_variation,
}

pytestmark = pytest.mark.kernels
shapes = st.tuples(st.integers(1, 17), st.integers(1, 17), st.just(3))


@pytest.mark.parametrize("name", TWINS)
@given(image=arrays(np.uint8, shapes), block_size=st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_scores_equal_the_published_formulas(name, image, block_size):
    grid = BlockGrid(*image.shape[:2], block_size)
    scores = measures.create(name)(image, grid)
    assert scores.dtype == np.float64
    assert scores.shape == grid.shape
    expected = reference.score_blocks(image, grid, TWINS[name])
    np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("name", TWINS)
def test_a_flat_block_scores_exactly_zero(name):
    image = np.full((40, 40, 3), (17, 201, 99), dtype=np.uint8)
    for block_size in (1, 3, 4, 40):
        grid = BlockGrid(40, 40, block_size)
        assert not measures.create(name)(image, grid).any()


@pytest.mark.parametrize("name", TWINS)
def test_the_largest_blocks_do_not_overflow(name):
    image = np.zeros((256, 256, 3), dtype=np.uint8)
    image[:, 128:] = 255
    grid = BlockGrid(256, 256, 256)
    score = measures.create(name)(image, grid)[0, 0]
    assert score == pytest.approx(TWINS[name](image), rel=1e-9)


def test_only_the_eigenvalue_sees_a_change_of_color_at_equal_amplitude():
    # 0.2125 × 143 = 30.3875 and 0.7154 × 42.476 …: the nearest integers that agree in amplitude.
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    image[:, :2, 0] = 2 * 50
    image[:, 2:, 1] = 30
    grid = BlockGrid(4, 4, 4)
    by_color = measures.create("eigenvalue")(image, grid)[0, 0]
    by_amplitude = measures.create("variance")(image, grid)[0, 0]
    assert by_amplitude < 0.02
    assert by_color > 900


def test_a_flat_image_is_high_detail_everywhere():
    image = np.full((16, 16, 3), 128, dtype=np.uint8)
    grid = BlockGrid(16, 16, 4)
    for name in measures.names():
        assert (classify(measures.create(name)(image, grid), Median()) == 1).all()


def test_an_unknown_measure_lists_the_known_ones_and_the_closest():
    with pytest.raises(
        UnknownNameError, match=r"eigenvalue, total-variation, variance.*mean varia"
    ):
        measures.create("varianc")


def test_a_measure_without_settings_takes_none():
    with pytest.raises(ConfigError, match="variance: expected no value"):
        measures.create("variance:3")
    with pytest.raises(ConfigError, match="one of mean, largest, received median"):
        measures.create("eigenvalue:median")
