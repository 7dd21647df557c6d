"""One codebook for many images, such as sprites or the frames of an animation.

The colors of all images are counted in one table of all 2**24 colors, 128 MiB whatever the images
are, so that images can be added one at a time; the result does not depend on their order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import alpha as alphas
from adaptive_kmeans.clustering._histogram_kernels import WORDS_PER_REGION
from adaptive_kmeans.clustering.color_kmeans import DEFAULT_TOLERANCE, cluster_colors
from adaptive_kmeans.clustering.histogram import ColorSet, colors_of, keys_of, limit_weights
from adaptive_kmeans.clustering.locked import Color, Colors
from adaptive_kmeans.errors import ImageError
from adaptive_kmeans.limits import WITH_ALPHA, check_image
from adaptive_kmeans.threads import Workers

_ROWS = 256
"""Rows that are counted at a time."""
_IMAGE_BITS = 40
"""Bits of the sum of an image's weights, if all images count the same."""


class SharedCodebook(NamedTuple):
    """A codebook that many images share.

    Parameters
    ----------
    colors : (k, 3) uint8
        In the order of luma.
    shares : (k,) float64
        Share of the weight of all pixels that have each codeword as their nearest.
    psnr_db : float
        Of all pixels together, with these weights.
    """

    colors: Colors
    shares: npt.NDArray[np.float64]
    psnr_db: float


class JointColors:
    """The colors of many images.

    Parameters
    ----------
    per_image : bool
        Whether each image counts the same; otherwise each pixel does.

    Examples
    --------
    >>> colors = JointColors()
    >>> for level in (10, 12, 200):
    ...     colors.add(np.full((2, 2, 3), level, dtype=np.uint8))
    >>> colors.cluster(2).colors.tolist()
    [[11, 11, 11], [200, 200, 200]]
    """

    def __init__(self, *, per_image: bool = False) -> None:
        self._per_image = per_image
        self._sums = np.zeros(WORDS_PER_REGION * 64, np.int64)

    def add(self, image: npt.NDArray[np.uint8]) -> None:
        """Count the colors of an image, weighted by how visible they are.

        Parameters
        ----------
        image : (H, W, 3) or (H, W, 4) uint8

        Raises
        ------
        ImageError
            It is not such an image.
        """
        colors, alpha = alphas.split(check_image(image, channels=WITH_ALPHA))
        weights = np.full(colors.shape[:2], alphas.ONE) if alpha is None else alphas.weights(alpha)
        total = int(weights.sum())
        if total == 0:
            return
        for top in range(0, len(colors), _ROWS):
            mass = weights[top : top + _ROWS].reshape(-1).astype(np.int64)
            if self._per_image:
                mass = (mass << _IMAGE_BITS) // total
            keys = keys_of(colors[top : top + _ROWS].reshape(-1, 3))
            np.add.at(self._sums, keys, mass)

    def cluster(
        self,
        k: int,
        *,
        init: str = "wu",
        tolerance: float = DEFAULT_TOLERANCE,
        color_space: str = "rgb",
        seed: int = 0,
        locked: tuple[Color, ...] = (),
    ) -> SharedCodebook:
        """Find a codebook for all images; see `cluster_colors` for the parameters and errors.

        Raises
        ------
        ImageError
            There was no visible pixel.
        """
        color_set = self._color_set()
        with Workers() as workers:
            found = cluster_colors(
                color_set, k, init=init, tolerance=tolerance, color_space=color_space, seed=seed,
                locked=locked, workers=workers,
            )  # fmt: skip
        mass = color_set.weights.astype(np.float64)
        shares = np.bincount(found.labels, mass, len(found.centroids)) / mass.sum()
        gaps = color_set.colors.astype(np.float64) - found.centroids[found.labels]
        error = float((np.square(gaps).sum(axis=1) * mass).sum() / (3 * mass.sum()))
        psnr_db = float("inf") if error == 0 else float(10 * np.log10(255**2 / error))
        return SharedCodebook(found.centroids, shares, psnr_db)

    def _color_set(self) -> ColorSet:
        keys = np.flatnonzero(self._sums)
        if not len(keys):
            raise ImageError("images", "at least one pixel that is seen", "none")
        cubes = np.searchsorted(keys, 64 * np.arange(WORDS_PER_REGION + 1)).astype(np.int32)
        weights = limit_weights(self._sums[keys])
        return ColorSet(colors_of(keys), weights, cubes)
