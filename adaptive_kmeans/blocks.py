"""The block grid: how an image is cut into blocks, and how block values spread back to pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.limits import MAX_BLOCK_SIZE, check_integer

Scalar = TypeVar("Scalar", bound=np.generic)

RUN = 2**18
"""Values that NumPy processes at a time where it widens each to eight bytes."""


@dataclass(frozen=True)
class BlockGrid:
    """A grid of square blocks over an image; blocks at the right and bottom edge may be smaller.

    The published code widens all blocks until none is one pixel wide; here a ragged edge simply
    has smaller blocks, so that the block size is always the requested one.

    Parameters
    ----------
    height, width : int
        Size of the image in pixels.
    block_size : int
        Side of a block in pixels, at most `MAX_BLOCK_SIZE`.

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
        check_integer("block size", self.block_size, 1, MAX_BLOCK_SIZE)
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
        """Shape of an array with one value per block: (rows, columns)."""
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
        if self.block_size == 1:
            return block_values
        wide = block_values.repeat(self.block_size, axis=1)[:, : self.width]
        pixels = np.empty((self.height, self.width), dtype=block_values.dtype)
        whole = self.height // self.block_size
        tall = pixels[: whole * self.block_size].reshape(whole, self.block_size, self.width)
        tall[...] = wide[:whole, None]
        pixels[whole * self.block_size :] = wide[whole:]
        return pixels


def region_counts(regions: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Count the blocks or pixels of each region: (256,) int64.

    Examples
    --------
    >>> region_counts(np.array([[0, 3], [3, 3]], dtype=np.uint8))[:5]
    array([1, 0, 0, 3, 0])
    """
    counts = np.zeros(256, dtype=np.int64)
    flat = regions.reshape(-1)
    for start in range(0, flat.size, RUN):
        counts += np.bincount(flat[start : start + RUN], minlength=256)
    return counts
