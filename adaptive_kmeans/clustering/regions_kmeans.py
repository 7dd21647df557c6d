"""One codebook for each region of an image, and the index map."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.alpha import mark_hidden, weights
from adaptive_kmeans.clustering.color_kmeans import (
    DEFAULT_MAX_ITERATIONS,
    DEFAULT_TOLERANCE,
    check_color_settings,
    cluster_colors,
)
from adaptive_kmeans.clustering.histogram import ColorSet, count_colors
from adaptive_kmeans.clustering.lloyd import Clustering, Progress
from adaptive_kmeans.clustering.locked import Color
from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.limits import MAX_REGIONS
from adaptive_kmeans.threads import Workers

RegionProgress = Callable[[int, int, float], None]
"""Called with the region, the iteration number, from 1, and the distortion."""


def cluster_regions(
    image: npt.NDArray[np.uint8],
    pixel_regions: npt.NDArray[np.uint8] | None,
    ks: tuple[int, ...],
    *,
    init: str = "wu",
    tolerance: float = DEFAULT_TOLERANCE,
    max_iterations: int = DEFAULT_MAX_ITERATIONS,
    color_space: str = "rgb",
    seed: int = 0,
    evenness: float = 1.0,
    progress: RegionProgress | None = None,
) -> tuple[tuple[npt.NDArray[np.uint8], ...], npt.NDArray[np.uint16]]:
    """Find a codebook for the pixels of each region, and each pixel's codeword.

    The result is the same in every run and for any number of threads. In rgb, with ``wu`` or
    ``maximin``, it depends only on integers and single IEEE 754 operations.

    Parameters
    ----------
    image : (H, W, 3) uint8
    pixel_regions : (H, W) uint8 or None
        Each pixel's region; None means one region.
    ks : tuple of int
        Codewords of each region, 1 to `MAX_CODEWORDS`.
    init, tolerance, max_iterations, color_space, seed
        As for `cluster_colors`.
    evenness : float
        Exponent of the colors' weights. Below 1, codewords are spread more evenly than pixels,
        which suits an entropy coder: H. Gish and J. N. Pierce, "Asymptotically Efficient
        Quantizing", IEEE Trans. Inf. Theory 14 (5), 1968.
    progress : callable or None
        Called with the region, the iteration number and the distortion.

    Returns
    -------
    codebooks : tuple of (k', 3) uint8
        As for `cluster_colors`; (0, 3) for an empty region.
    index_map : (H, W) uint16
        The index of each pixel's codeword in the codebook of its region.

    Raises
    ------
    ConfigError
        If a shape, a type or a number is not as stated.
    UnknownNameError
        If there is no such initialization or color space.

    Examples
    --------
    >>> image = np.array([[[0, 0, 0], [9, 9, 9], [5, 0, 0]]], np.uint8)
    >>> codebooks, index_map = cluster_regions(image, np.array([[0, 0, 1]], np.uint8), (2, 2))
    >>> [codebook.tolist() for codebook in codebooks], index_map.tolist()
    ([[[0, 0, 0], [9, 9, 9]], [[5, 0, 0]]], [[0, 1, 0]])
    """
    for k in ks:
        check_color_settings(k, init, tolerance, max_iterations, color_space)
    return RegionColors(image, pixel_regions, len(ks)).cluster(
        ks, init=init, tolerance=tolerance, max_iterations=max_iterations,
        color_space=color_space, seed=seed, evenness=evenness, progress=progress,
    )  # fmt: skip


class RegionColors:
    """The distinct colors of an image's regions, to be clustered any number of times.

    The last codebook of each region is cached, for when only other regions' codebooks change.

    Parameters
    ----------
    image, pixel_regions
        See `cluster_regions`.
    n_regions : int
    alpha : (H, W) uint8 or None
        How visible each pixel is. Colors are weighted by it; those of hidden pixels do not count
        and have label 0.

    Examples
    --------
    >>> image = np.array([[[0, 0, 0], [9, 9, 9], [5, 0, 0]]], np.uint8)
    >>> colors = RegionColors(image, np.array([[0, 0, 1]], np.uint8), 2)
    >>> [len(codebook) for k in (1, 2) for codebook in colors.cluster((k, 2))[0]]
    [1, 1, 2, 1]
    """

    def __init__(
        self,
        image: npt.NDArray[np.uint8],
        pixel_regions: npt.NDArray[np.uint8] | None,
        n_regions: int,
        alpha: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        if not 1 <= n_regions <= MAX_REGIONS or (pixel_regions is None and n_regions != 1):
            wanted = "1" if pixel_regions is None else f"1 to {MAX_REGIONS}"
            raise ConfigError("wrong number of regions", wanted, n_regions)
        pixel_weights = None
        self._hidden_regions = 0
        if alpha is not None:
            pixel_weights = weights(alpha)
            if not alpha.all():
                self._hidden_regions = 1
                plane = np.zeros(alpha.shape, np.uint8) if pixel_regions is None else pixel_regions
                pixel_regions = mark_hidden(plane, alpha, n_regions)
        self._image = image
        self._pixel_regions = pixel_regions
        with Workers() as workers:
            self._histogram = count_colors(
                image, pixel_regions, n_regions + self._hidden_regions, workers, pixel_weights
            )
        self._last: dict[int, tuple[tuple[Any, ...], Clustering]] = {}

    def cluster(
        self,
        ks: tuple[int, ...],
        *,
        init: str = "wu",
        tolerance: float = DEFAULT_TOLERANCE,
        max_iterations: int = DEFAULT_MAX_ITERATIONS,
        color_space: str = "rgb",
        seed: int = 0,
        evenness: float = 1.0,
        locked: tuple[Color, ...] = (),
        progress: RegionProgress | None = None,
    ) -> tuple[tuple[npt.NDArray[np.uint8], ...], npt.NDArray[np.uint16]]:
        """Find a codebook for each region, and each pixel's codeword; see `cluster_regions`.

        All codebooks contain the locked colors; see `cluster_colors`.
        """
        found = []
        sets = self._histogram.sets
        seen = len(sets) - self._hidden_regions
        with Workers() as workers:
            for region, (color_set, k) in enumerate(zip(sets[:seen], ks, strict=True)):
                settings = (k, init, tolerance, max_iterations, color_space, seed, evenness, locked)
                last, result = self._last.get(region, (None, None))
                if result is None or last != settings:
                    result = cluster_colors(
                        _evened(color_set, evenness), k, init=init, tolerance=tolerance,
                        max_iterations=max_iterations, color_space=color_space, seed=seed,
                        locked=locked, progress=_of_region(progress, region), workers=workers,
                    )  # fmt: skip
                    self._last[region] = settings, result
                found.append(result)
            hidden = [np.zeros(len(color_set.colors), np.uint16) for color_set in sets[seen:]]
            labels = np.concatenate([*(result.labels for result in found), *hidden])
            index_map = self._histogram.map_labels(
                self._image, self._pixel_regions, labels, workers
            )
        return tuple(result.centroids for result in found), index_map


def _evened(color_set: ColorSet, evenness: float) -> ColorSet:
    """Return the colors with their weights raised to a power, in sixteenths."""
    if evenness == 1.0:
        return color_set
    evened = np.maximum(1, np.rint(16 * color_set.weights**evenness)).astype(np.int32)
    return dataclasses.replace(color_set, weights=evened)


def _of_region(progress: RegionProgress | None, region: int) -> Progress | None:
    if progress is None:
        return None
    return lambda iteration, distortion: progress(region, iteration, distortion)
