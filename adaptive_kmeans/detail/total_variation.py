"""`total-variation`: the gradient magnitude of the gray amplitude, summed inside a block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.detail.amplitude import SCALE, scaled_amplitude


@dataclass(frozen=True)
class TotalVariation:
    """Sum of |∇g| over each block of the gray amplitude g.

    pmephin, section 1.2, second metric. The gradient stays inside the block, as published: central
    differences, one-sided at the block's edges (NumPy's ``gradient``). If a block is one pixel
    wide, the published code fails; here, the gradient along that axis is zero.

    Examples
    --------
    >>> image = np.zeros((4, 8, 3), dtype=np.uint8)
    >>> image[:, 4:6] = 6
    >>> TotalVariation()(image, BlockGrid(4, 8, 4)).round(2)
    array([[ 0., 24.]])
    """

    def __call__(self, image: npt.NDArray[np.uint8], grid: BlockGrid) -> npt.NDArray[np.float64]:
        """Score the blocks of an (H, W, 3) uint8 image: (rows, columns) float64, in levels."""
        from adaptive_kmeans.detail._kernels import gradient_magnitudes

        magnitudes = np.empty(grid.shape)
        gradient_magnitudes(scaled_amplitude(image), grid.block_size, magnitudes)
        return magnitudes / (2.0 * SCALE)
