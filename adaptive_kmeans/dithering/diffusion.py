"""`diffusion`: error diffusion by Floyd and Steinberg, in serpentine order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.dithering.nearest import FULL, ROWS, Nearest, check_strength
from adaptive_kmeans.progress import Progress


@dataclass(frozen=True)
class Diffusion:
    """Error diffusion: the pixels after a pixel compensate for the error of its codeword.

    7/16 of the error goes to the next pixel, and 3/16, 5/16 and 1/16 go to the next row: R. W.
    Floyd and L. Steinberg, "An Adaptive Algorithm for Spatial Grayscale", Proc. Society for
    Information Display 17 (2), 1976. Rows alternate between left to right and right to left, which
    avoids most worms: R. Ulichney, "Digital Halftoning", MIT Press, 1987, section 8.3.

    A color plus the error carried to it is clamped to 0..255, and the error of a channel to the
    mean distance of a codeword from the nearest other one. Larger errors mostly belong to colors
    outside the convex hull of the codewords; nothing can compensate for them, and they would smear
    over the neighbors. The nearest codeword is found for the color in whole levels. Errors cross
    region borders. They are weighted by alpha, so that a barely visible pixel does not disturb a
    visible one; hidden pixels neither take nor pass on errors.

    Parameters
    ----------
    strength : float
        The fraction of the error that is passed on, 0 to 1, in 1 / 256.

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
    """Return each region's mean distance between nearest codewords, in units of carried errors."""
    from adaptive_kmeans.dithering._kernels import LEVEL

    neighbors, squared = start.neighbors(codewords, 1)
    distances = np.where(neighbors < 0, 0, squared)[:, 0]
    # Square roots of integers are the same on every machine: IEEE 754 rounds them correctly.
    carried = np.floor(LEVEL * np.sqrt(distances.astype(np.float64))).astype(np.int64)
    means = [
        int(part.sum()) // max(1, len(part)) for part in np.split(carried, start.starts()[1:-1])
    ]
    return np.array(means, dtype=np.int64)
