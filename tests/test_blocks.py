import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.errors import ConfigError

sizes = st.integers(1, 40)


@given(height=sizes, width=sizes, block_size=st.integers(1, 20))
def test_blocks_cover_every_pixel_once_and_in_order(height, width, block_size):
    grid = BlockGrid(height, width, block_size)
    numbers = np.arange(grid.rows * grid.columns).reshape(grid.shape)
    spread = grid.spread(numbers)
    blocks = list(grid.split(spread))
    assert spread.shape == (height, width)
    assert [np.unique(block).tolist() for block in blocks] == [[n] for n in numbers.flat]
    assert [block.size for block in blocks] == grid.pixel_counts().ravel().tolist()
    assert all(max(block.shape) <= block_size for block in blocks)


@pytest.mark.parametrize("block_size", [0, 257, -4])
def test_block_size_has_a_range(block_size):
    with pytest.raises(ConfigError, match=r"block size: expected an integer in 1\.\.256"):
        BlockGrid(8, 8, block_size)


def test_an_image_without_pixels_has_no_grid():
    with pytest.raises(ConfigError, match="at least 1×1"):
        BlockGrid(0, 5, 4)
