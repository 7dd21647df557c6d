"""`variance`: the mean squared deviation of a block's gray amplitude."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.detail.amplitude import SCALE, scaled_amplitude


@dataclass(frozen=True)
class Variance:
    """Variance of each block's gray amplitude, with the divisor n.

    pmephin, section 1.2, first metric. Unlike `Eigenvalue`, it cannot see a change of color at
    equal amplitude.

    Examples
    --------
    >>> image = np.zeros((4, 8, 3), dtype=np.uint8)
    >>> image[:, 4:6] = 6
    >>> Variance()(image, BlockGrid(4, 8, 4)).round(2)
    array([[0., 9.]])
    """

    def __call__(self, image: npt.NDArray[np.uint8], grid: BlockGrid) -> npt.NDArray[np.float64]:
        """Score the blocks of an (H, W, 3) uint8 image: (rows, columns) float64, in levels²."""
        from adaptive_kmeans.detail._kernels import squared_deviations

        deviations = np.empty(grid.shape)
        squared_deviations(scaled_amplitude(image), grid.block_size, deviations)
        return deviations / (grid.pixel_counts() * float(SCALE**2))
