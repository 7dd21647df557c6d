"""Gray regions: their levels, at most 256, lie on a line, where K-means can be solved optimally.

K-means in one dimension is solved by dynamic programming (Wang and Song, "Ckmeans.1d.dp", The R
Journal 3(2), 2011); Lloyd's iterations then have nothing left to do but round.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.clustering import _gray_kernels as kernels


def is_gray(colors: npt.NDArray[np.uint8]) -> bool:
    """Return whether the channels of every color (n, 3) are equal.

    Examples
    --------
    >>> is_gray(np.array([[7, 7, 7], [9, 9, 9]], np.uint8))
    True
    """
    if colors.shape[0] > 256:
        return False
    return bool((colors[:, 0] == colors[:, 1]).all() and (colors[:, 0] == colors[:, 2]).all())


def best_levels(
    levels: npt.NDArray[np.uint8], weights: npt.NDArray[np.int32], k: int
) -> npt.NDArray[np.float64]:
    """Return the k centroids of least weighted squared error, (k,) float64.

    Parameters
    ----------
    levels : (n,) uint8
        Each once, n at least k, in any order.
    weights : (n,) int32
    k : int

    Examples
    --------
    >>> best_levels(np.array([0, 4, 90, 96], np.uint8), np.array([1, 3, 1, 1], np.int32), 2)
    array([ 3., 93.])
    """
    order = np.argsort(levels)
    points, mass = levels[order].astype(np.int64), weights[order].astype(np.int64)
    shape = (k + 1, points.size + 1)
    starts = np.empty(k, np.int64)
    kernels.cut_levels(points, mass, np.empty(shape), np.empty(shape, np.int16), starts)
    return np.add.reduceat(points * mass, starts) / np.add.reduceat(mass, starts)


def fewer_levels(plane: npt.NDArray[np.uint8], k: int) -> npt.NDArray[np.uint8]:
    """Return a plane with at most k levels, those of least squared error.

    Levels 0 and 255, if present, stay as they are, and no other level becomes one of them as long
    as k leaves room: exactly the hidden pixels stay hidden, and exactly the opaque ones opaque.

    Parameters
    ----------
    plane : (H, W) uint8
    k : int
        At least 2.

    Examples
    --------
    >>> fewer_levels(np.array([[0, 3, 90, 96, 250, 255]], np.uint8), 4)
    array([[  0,  63,  63,  63, 250, 255]], dtype=uint8)
    """
    counts = np.bincount(plane.reshape(-1), minlength=256).astype(np.int32)
    levels = np.flatnonzero(counts).astype(np.uint8)
    if len(levels) <= k:
        return plane
    ends = (levels == 0) | (levels == 255)
    inner = k - int(ends.sum())
    chosen = levels[ends]
    if inner > 0:
        chosen = np.rint(best_levels(levels[~ends], counts[levels[~ends]], inner)).astype(np.uint8)
    gaps = np.abs(np.arange(256)[:, None] - chosen.astype(np.int64))
    table: npt.NDArray[np.uint8] = chosen[gaps.argmin(axis=1)]
    table[levels[ends]] = levels[ends]
    found: npt.NDArray[np.uint8] = table[plane]
    return found
