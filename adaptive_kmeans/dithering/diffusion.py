"""`diffusion`: error diffusion by Floyd and Steinberg, in serpentine order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.dithering.nearest import FULL, ROWS, Nearest, check_strength
from adaptive_kmeans.progress import Progress


@dataclass(frozen=True)
class Diffusion:
    """Error diffusion: what a pixel's codeword is off is made up for by the pixels after it.

    7/16 of the error goes to the next pixel, 3/16, 5/16 and 1/16 go to the next row: R. W. Floyd
    and L. Steinberg, "An Adaptive Algorithm for Spatial Grayscale", Proc. Society for Information
    Display 17 (2), 1976. Rows are taken in turns from the left and from the right, which avoids
    most of the worms: R. Ulichney, "Digital Halftoning", MIT Press, 1987, section 8.3.

    A color with what is carried to it is cut to 0..255, and the error of a channel to the mean
    distance of a codeword from the one next to it. More is mostly that of colors outside the hull
    of the codewords, which nothing can make up for, and which would smear over the neighbors.
    The nearest codeword is that of the color in whole levels. Errors cross the borders of regions.
    They are weighted by alpha, so that a pixel that is hardly seen does not disturb one that is;
    hidden pixels neither take nor pass on any.

    Parameters
    ----------
    strength : float
        The part of the error that is passed on, 0 to 1, in 1 / 256.

    Examples
    --------
    >>> image = np.full((2, 4, 3), 64, np.uint8)
    >>> codebook = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)
    >>> nearest = np.zeros((2, 4), np.uint16)
    >>> Diffusion()(Nearest(image, None, np.zeros((2, 4), np.uint8), (codebook,), nearest), None)
    array([[0, 0, 0, 0],
           [1, 0, 1, 0]], dtype=uint16)
    """

    strength: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "strength", check_strength("diffusion", self.strength))

    def __call__(self, start: Nearest, progress: Progress | None) -> npt.NDArray[np.uint16]:
        """Return the dithered index map, (H, W) uint16."""
        from adaptive_kmeans.dithering._kernels import diffuse_rows

        strength = round(self.strength * FULL)
        index_map = start.index_map.copy()
        if strength == 0:
            return index_map
        planes, (codewords, places) = start.planes(), start.by_luma()
        limits = _limits(start, codewords)
        height, width = index_map.shape
        errors = np.zeros((2, width + 2, 3), dtype=np.int64)
        for top in range(0, height, ROWS):
            if progress is not None:
                progress("dithering", top / height)
            bottom = min(height, top + ROWS)
            diffuse_rows(
                *planes, codewords, places, start.starts(), limits, strength, top, bottom, errors,
                index_map,
            )  # fmt: skip
        return index_map


def _limits(start: Nearest, codewords: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the mean distance of the codewords of each region from the next ones, as carried."""
    from adaptive_kmeans.dithering._kernels import LEVEL

    neighbors, squared = start.neighbors(codewords, 1)
    distances = np.where(neighbors < 0, 0, squared)[:, 0]
    # Square roots of integers are the same on every machine: IEEE 754 rounds them correctly.
    carried = np.floor(LEVEL * np.sqrt(distances.astype(np.float64))).astype(np.int64)
    means = [
        int(part.sum()) // max(1, len(part)) for part in np.split(carried, start.starts()[1:-1])
    ]
    return np.array(means, dtype=np.int64)
