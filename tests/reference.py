"""Naive twins: the published formulas and the formats, written out as loops.

The measures follow pmephin, "Improved Image Compression with KMeans", and what NumPy's `cov`,
`eigvalsh`, `var` and `gradient` do, block by block.
"""

from collections.abc import Callable

import numpy as np

from adaptive_kmeans.blocks import BlockGrid


def eigenvalue_mean(block: np.ndarray) -> float:
    colors = block.reshape(-1, 3).astype(float)
    if len(colors) == 1:
        return 0.0
    return float(np.mean(np.linalg.eigvalsh(np.cov(colors, rowvar=False))))


def eigenvalue_largest(block: np.ndarray) -> float:
    colors = block.reshape(-1, 3).astype(float)
    if len(colors) == 1:
        return 0.0
    return float(np.linalg.eigvalsh(np.cov(colors, rowvar=False)).max())


def gray(block: np.ndarray) -> list[list[float]]:
    return [[0.2125 * r + 0.7154 * g + 0.0721 * b for r, g, b in row] for row in block.tolist()]


def variance(block: np.ndarray) -> float:
    values = [value for row in gray(block) for value in row]
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)


def total_variation(block: np.ndarray) -> float:
    amplitude = gray(block)
    height, width = len(amplitude), len(amplitude[0])

    def slope(before: float, here: float, after: float, place: int, length: int) -> float:
        if length == 1:
            return 0.0
        if place == 0:
            return after - here
        if place == length - 1:
            return here - before
        return (after - before) / 2

    total = 0.0
    for y in range(height):
        for x in range(width):
            here = amplitude[y][x]
            left, right = amplitude[y][max(x - 1, 0)], amplitude[y][min(x + 1, width - 1)]
            above, below = amplitude[max(y - 1, 0)][x], amplitude[min(y + 1, height - 1)][x]
            dx = slope(left, here, right, x, width)
            dy = slope(above, here, below, y, height)
            total += (dx**2 + dy**2) ** 0.5
    return total


def score_blocks(
    image: np.ndarray, grid: BlockGrid, measure: Callable[[np.ndarray], float]
) -> np.ndarray:
    scores = [
        measure(image[top : top + grid.block_size, left : left + grid.block_size])
        for top in range(0, grid.height, grid.block_size)
        for left in range(0, grid.width, grid.block_size)
    ]
    return np.array(scores).reshape(grid.shape)


def packed(values: list[int], bits: int) -> bytes:
    text = "".join(format(value, f"0{bits}b") for value in values) if bits else ""
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
