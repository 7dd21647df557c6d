"""One codebook a region, by scikit-learn's K-means over the region's distinct colors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Colors = npt.NDArray[np.uint8]


def cluster_regions(
    image: Colors,
    pixel_regions: npt.NDArray[np.uint8],
    ks: tuple[int, ...],
    *,
    color_space: str = "rgb",
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> tuple[tuple[Colors, ...], npt.NDArray[np.uint16]]:
    """Cluster the colors of every region into a codebook of its own.

    Parameters
    ----------
    image : (H, W, 3) uint8
        The pixels.
    pixel_regions : (H, W) uint8
        Region of each pixel, below ``len(ks)``.
    ks : tuple of int
        Codewords for each region, 1..4096.
    color_space : str
        The space in which distances are taken.
    seed : int
        Seed of the initialization.
    progress : callable, optional
        Called with the finished share, 0..1.

    Returns
    -------
    codebooks : tuple of (k, 3) uint8
        One codebook a region: rounded, distinct, sorted; no codeword for a region without pixels,
        and exactly the region's colors when it has no more than k.
    index_map : (H, W) uint16
        Index of each pixel's closest codeword, the lowest one on a tie.
    """
    index_map = np.zeros(image.shape[:2], dtype=np.uint16)
    codebooks = []
    for region, k in enumerate(ks):
        members = pixel_regions == region
        codebook, index_map[members] = _cluster(image[members], k, seed)
        codebooks.append(codebook)
        if progress is not None:
            progress((region + 1) / len(ks))
    return tuple(codebooks), index_map


def _cluster(pixels: Colors, k: int, seed: int) -> tuple[Colors, npt.NDArray[np.uint16]]:
    """Cluster (n, 3) pixels: codebook and each pixel's index."""
    colors, color_of_pixel, counts = _distinct_colors(pixels)
    if len(colors) <= k:
        return colors, color_of_pixel.astype(np.uint16)
    from sklearn.cluster import KMeans
    from sklearn.metrics import pairwise_distances_argmin
    from threadpoolctl import threadpool_limits

    points = colors.astype(np.float64)
    # With more threads scikit-learn adds partial sums in the order in which they finish.
    with threadpool_limits(limits=1):
        fitted = KMeans(k, n_init=1, max_iter=100, random_state=seed).fit(points, None, counts)
        codebook = np.unique(np.rint(fitted.cluster_centers_).astype(np.uint8), axis=0)
        closest = pairwise_distances_argmin(points, codebook.astype(np.float64))
    return codebook, closest.astype(np.uint16)[color_of_pixel]


def _distinct_colors(
    pixels: Colors,
) -> tuple[Colors, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find the distinct colors of (n, 3) pixels, each pixel's color, and the counts."""
    packed = pixels.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.int32)
    distinct, color_of_pixel, counts = np.unique(packed, return_inverse=True, return_counts=True)
    colors = (distinct[:, None] >> np.array([16, 8, 0])) & 0xFF
    return colors.astype(np.uint8), color_of_pixel, counts
