"""Kernels of the metrics: arrays in, numbers out, nothing validated."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]


@njit(cache=True, nogil=True)
def squared_error(original: Array, decoded: Array) -> np.int64:
    """Sum the squared differences of two flat uint8 arrays."""
    total = np.int64(0)
    for i in range(original.size):
        difference = np.int32(original[i]) - np.int32(decoded[i])
        total += np.int64(difference * difference)
    return total


@njit(cache=True, nogil=True)
def gaussian_ssim(
    original: Array, decoded: Array, step: int, taps: Array, c1: float, c2: float, rows: Array
) -> float:
    """Sum the SSIM index of every whole window, weighted by the outer product of the taps.

    original, decoded : (H, W × step) uint8, the channels of a pixel side by side
    taps : (n,) float64, which add up to 1
    rows : (4, W × step) float64  # scratch: x, y, x² + y² and xy, filtered down the columns
    """
    height, width = original.shape
    n = taps.size
    total = 0.0
    for top in range(height - n + 1):
        rows[:] = 0.0
        for i in range(n):
            tap = taps[i]
            for j in range(width):
                x = np.float64(original[top + i, j])
                y = np.float64(decoded[top + i, j])
                rows[0, j] += tap * x
                rows[1, j] += tap * y
                rows[2, j] += tap * (x * x + y * y)
                rows[3, j] += tap * (x * y)
        for j in range(width - (n - 1) * step):
            ux = 0.0
            uy = 0.0
            squares = 0.0
            product = 0.0
            for i in range(n):
                tap = taps[i]
                ux += tap * rows[0, j + i * step]
                uy += tap * rows[1, j + i * step]
                squares += tap * rows[2, j + i * step]
                product += tap * rows[3, j + i * step]
            means = ux * ux + uy * uy
            total += ((2.0 * ux * uy + c1) * (2.0 * (product - ux * uy) + c2)) / (
                (means + c1) * (squares - means + c2)
            )
    return total


@njit(cache=True, nogil=True)
def cube_ssim(original: Array, decoded: Array, c1: float, c2: float) -> float:
    """Sum the SSIM index of every whole window of 3×3 pixels and their three channels.

    original, decoded : (H, W, 3) uint8
    """
    height, width = original.shape[:2]
    n = 27.0
    total = 0.0
    # Per column, the sums over three rows and all channels, of x, y, x² + y² and xy.
    sums = np.empty((4, width), np.int64)
    for top in range(height - 2):
        for j in range(width):
            sx = np.int64(0)
            sy = np.int64(0)
            squares = np.int64(0)
            product = np.int64(0)
            for i in range(top, top + 3):
                for channel in range(3):
                    x = np.int64(original[i, j, channel])
                    y = np.int64(decoded[i, j, channel])
                    sx += x
                    sy += y
                    squares += x * x + y * y
                    product += x * y
            sums[0, j] = sx
            sums[1, j] = sy
            sums[2, j] = squares
            sums[3, j] = product
        for j in range(width - 2):
            ux = np.float64(sums[0, j] + sums[0, j + 1] + sums[0, j + 2]) / n
            uy = np.float64(sums[1, j] + sums[1, j + 1] + sums[1, j + 2]) / n
            squares_mean = np.float64(sums[2, j] + sums[2, j + 1] + sums[2, j + 2]) / n
            product_mean = np.float64(sums[3, j] + sums[3, j + 1] + sums[3, j + 2]) / n
            means = ux * ux + uy * uy
            covariance = (product_mean - ux * uy) * n / (n - 1.0)
            variances = (squares_mean - means) * n / (n - 1.0)
            total += ((2.0 * ux * uy + c1) * (2.0 * covariance + c2)) / (
                (means + c1) * (variances + c2)
            )
    return total
