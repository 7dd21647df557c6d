"""Images that the clustering tests share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from numba import config

COMPILED = not config.DISABLE_JIT
"""Whether kernels run compiled; without, only small problems are tried."""
EXAMPLES = 30 if COMPILED else 3
only_compiled = pytest.mark.skipif(not COMPILED, reason="takes minutes without the compiler")


def smooth(height: int = 48, width: int = 64, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return a colored gradient with some noise, made from integers only."""
    rng = np.random.Generator(np.random.PCG64(seed))
    y, x = np.mgrid[:height, :width]
    noise = rng.integers(-6, 7, (height, width, 3))
    base = np.stack([x * 255 // width, y * 255 // height, (x + y) * 2 % 256], axis=2)
    return np.clip(base + noise, 0, 255).astype(np.uint8)


def clustered(height: int = 40, width: int = 40, seed: int = 1) -> npt.NDArray[np.uint8]:
    """Return a few dense clusters of colors."""
    rng = np.random.Generator(np.random.PCG64(seed))
    centers = rng.integers(0, 256, (9, 3))
    chosen = centers[rng.integers(0, 9, (height, width))]
    return np.clip(chosen + rng.integers(-3, 4, chosen.shape), 0, 255).astype(np.uint8)


def uniform(height: int = 40, width: int = 40, seed: int = 2) -> npt.NDArray[np.uint8]:
    """Return independent colors."""
    rng = np.random.Generator(np.random.PCG64(seed))
    return rng.integers(0, 256, (height, width, 3)).astype(np.uint8)


def flat() -> npt.NDArray[np.uint8]:
    """Return one color."""
    return np.full((9, 7, 3), (12, 200, 3), np.uint8)


def two_colors() -> npt.NDArray[np.uint8]:
    """Return a chessboard."""
    board = np.indices((10, 11)).sum(axis=0) % 2
    return np.array([(0, 0, 0), (255, 254, 253)], np.uint8)[board]


def all_distinct() -> npt.NDArray[np.uint8]:
    """Return a cube of 12 levels a side, each color once."""
    levels = np.arange(12, dtype=np.uint8) * 2 + 100
    return np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(48, 36, 3)


IMAGES = {
    "smooth": smooth,
    "clustered": clustered,
    "uniform": uniform,
    "flat": flat,
    "two-colors": two_colors,
    "all-distinct": all_distinct,
}
