"""The block grid: where an image is cut, and how block values spread back to pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.errors import ConfigError, LimitError

MAX_BLOCK_SIZE = 256
MAX_PIXELS = 2**27
"""Pixels of an image at most, read, encoded or decoded: 134 megapixels."""

Scalar = TypeVar("Scalar", bound=np.generic)


def check_pixels(what: str, width: int, height: int) -> None:
    """Raise `LimitError` for an image that has more than `MAX_PIXELS` pixels."""
    if width * height > MAX_PIXELS:
        raise LimitError(what, f"at most {MAX_PIXELS:,} pixels", f"{width}×{height}")


@dataclass(frozen=True)
class BlockGrid:
    """A grid of square blocks over an image; blocks at the right and bottom edge may be smaller.

    The published code widens all blocks until none is one pixel wide; here a ragged edge simply
    has smaller blocks, so that the block size is the one asked for.

    Parameters
    ----------
    height, width : int
        Size of the image in pixels.
    block_size : int
        Side of a block in pixels, 1..256.

    Raises
    ------
    ConfigError
        The block size is out of range, or the image has no pixels.

    Examples
    --------
    >>> grid = BlockGrid(height=5, width=7, block_size=4)
    >>> grid.shape
    (2, 2)
    >>> grid.pixel_counts()
    array([[16, 12],
           [ 4,  3]])
    >>> grid.spread(np.array([[0, 1], [2, 3]]))[4]
    array([2, 2, 2, 2, 3, 3, 3])
    """

    height: int
    width: int
    block_size: int

    def __post_init__(self) -> None:
        if not 1 <= self.block_size <= MAX_BLOCK_SIZE:
            expected = f"an integer in 1..{MAX_BLOCK_SIZE}"
            raise ConfigError("block size", expected, self.block_size)
        if self.height < 1 or self.width < 1:
            received = f"{self.width}×{self.height}"
            raise ConfigError("block grid", "an image of at least 1×1 pixels", received)

    @property
    def rows(self) -> int:
        """Number of block rows."""
        return -(-self.height // self.block_size)

    @property
    def columns(self) -> int:
        """Number of block columns."""
        return -(-self.width // self.block_size)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of an array with one value a block: (rows, columns)."""
        return self.rows, self.columns

    def pixel_counts(self) -> npt.NDArray[np.int64]:
        """Count the pixels of each block: (rows, columns) int64."""
        heights = np.diff(np.append(np.arange(self.rows) * self.block_size, self.height))
        widths = np.diff(np.append(np.arange(self.columns) * self.block_size, self.width))
        return np.multiply.outer(heights, widths).astype(np.int64)

    def split(self, image: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
        """Yield the blocks of an (H, W, …) array as views, row by row."""
        for top in range(0, self.height, self.block_size):
            for left in range(0, self.width, self.block_size):
                yield image[top : top + self.block_size, left : left + self.block_size]

    def spread(self, block_values: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Give every pixel the value of its block: (rows, columns) to (H, W)."""
        wide = block_values.repeat(self.block_size, axis=1)[:, : self.width]
        return wide.repeat(self.block_size, axis=0)[: self.height]
