"""`eigenvalue`: the spread of a block's colors, from the eigenvalues of their covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.errors import ConfigError

WHICH = ("mean", "largest")


@dataclass(frozen=True)
class Eigenvalue:
    """Mean or largest eigenvalue of each block's 3×3 color covariance.

    pmephin, section 1.1. The mean of the three eigenvalues is a third of the trace, so it needs no
    eigendecomposition; the largest one does. The covariance has the divisor n − 1, as published
    (NumPy's ``cov``); a block of one pixel has no covariance and scores 0.

    Parameters
    ----------
    which : {"mean", "largest"}
        The published measure, or the largest eigenvalue.

    Examples
    --------
    >>> image = np.zeros((4, 8, 3), dtype=np.uint8)
    >>> image[:, 4:6] = 6
    >>> Eigenvalue()(image, BlockGrid(4, 8, 4)).round(2)
    array([[0. , 9.6]])
    >>> Eigenvalue("largest")(image, BlockGrid(4, 8, 4)).round(2)
    array([[ 0. , 28.8]])
    """

    which: str = "mean"

    def __post_init__(self) -> None:
        if self.which not in WHICH:
            raise ConfigError("eigenvalue", f"one of {', '.join(WHICH)}", self.which)

    def __call__(self, image: npt.NDArray[np.uint8], grid: BlockGrid) -> npt.NDArray[np.float64]:
        """Score the blocks of an (H, W, 3) uint8 image: (rows, columns) float64, in levels²."""
        from adaptive_kmeans.detail._kernels import color_moments

        sums = np.zeros((*grid.shape, 3), dtype=np.int64)
        products = np.zeros((*grid.shape, 6), dtype=np.int64)
        color_moments(image, grid.block_size, sums, products)
        n = grid.pixel_counts()
        divisor = n * np.maximum(n - 1, 1)
        if self.which == "mean":
            trace = n * products[..., :3].sum(axis=-1) - (sums**2).sum(axis=-1)
            mean: npt.NDArray[np.float64] = trace / (3 * divisor)
            return mean
        covariance = np.empty((*grid.shape, 3, 3))
        for moment, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))):
            scaled = n * products[..., moment] - sums[..., i] * sums[..., j]
            covariance[..., i, j] = covariance[..., j, i] = scaled / divisor
        # Rounding errors may make a flat block's eigenvalues slightly negative.
        largest = np.linalg.eigvalsh(covariance)[..., -1]
        scores: npt.NDArray[np.float64] = np.maximum(largest, 0.0)
        return scores
