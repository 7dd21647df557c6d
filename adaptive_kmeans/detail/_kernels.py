"""Kernels of the detail measures: arrays in, arrays out, no validation.

One thread computes a block's sums in a fixed order, in integers as far as they fit, so a score does
not depend on the machine's thread count.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]


@njit(cache=True, nogil=True)
def color_moments(image: Array, block_size: int, sums: Array, products: Array) -> None:
    """Sum the colors of each block and their products.

    image : (H, W, 3) uint8
    sums : (rows, columns, 3) int64  # OUT, zeroed by the caller
    products : (rows, columns, 6) int64  # OUT, zeroed: rr, gg, bb, rg, rb, gb
    """
    height, width = image.shape[:2]
    for y in range(height):
        row = y // block_size
        for x in range(width):
            column = x // block_size
            r = np.int64(image[y, x, 0])
            g = np.int64(image[y, x, 1])
            b = np.int64(image[y, x, 2])
            sums[row, column, 0] += r
            sums[row, column, 1] += g
            sums[row, column, 2] += b
            products[row, column, 0] += r * r
            products[row, column, 1] += g * g
            products[row, column, 2] += b * b
            products[row, column, 3] += r * g
            products[row, column, 4] += r * b
            products[row, column, 5] += g * b


@njit(cache=True, nogil=True)
def squared_deviations(amplitude: Array, block_size: int, deviations: Array) -> None:
    """Sum the squared deviations of each block's amplitude from its mean.

    amplitude : (H, W) int32
    deviations : (rows, columns) float64  # OUT
    """
    height, width = amplitude.shape
    for row in range(deviations.shape[0]):
        top = row * block_size
        bottom = min(top + block_size, height)
        for column in range(deviations.shape[1]):
            left = column * block_size
            right = min(left + block_size, width)
            total = np.int64(0)
            for y in range(top, bottom):
                for x in range(left, right):
                    total += np.int64(amplitude[y, x])
            mean = total / ((bottom - top) * (right - left))
            deviation = 0.0
            for y in range(top, bottom):
                for x in range(left, right):
                    difference = amplitude[y, x] - mean
                    deviation += difference * difference
            deviations[row, column] = deviation


@njit(cache=True, nogil=True)
def gradient_magnitudes(amplitude: Array, block_size: int, magnitudes: Array) -> None:
    """Sum twice the gradient magnitude of each block; the gradient stays inside the block.

    Differences are central inside the block and one-sided at its edges; along an axis with a single
    pixel, the gradient is zero.

    amplitude : (H, W) int32
    magnitudes : (rows, columns) float64  # OUT
    """
    height, width = amplitude.shape
    for row in range(magnitudes.shape[0]):
        top = row * block_size
        bottom = min(top + block_size, height) - 1
        for column in range(magnitudes.shape[1]):
            left = column * block_size
            right = min(left + block_size, width) - 1
            total = 0.0
            for y in range(top, bottom + 1):
                above = max(y - 1, top)
                below = min(y + 1, bottom)
                for x in range(left, right + 1):
                    before = max(x - 1, left)
                    after = min(x + 1, right)
                    # Twice the gradient: a one-sided difference spans one pixel, a central one two.
                    dx = np.int64(amplitude[y, after]) - np.int64(amplitude[y, before])
                    dy = np.int64(amplitude[below, x]) - np.int64(amplitude[above, x])
                    if after - before == 1:
                        dx *= np.int64(2)
                    if below - above == 1:
                        dy *= np.int64(2)
                    total += np.sqrt(np.float64(dx * dx + dy * dy))
            magnitudes[row, column] = total
