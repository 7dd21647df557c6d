"""`blue-noise`: ordered dithering between two codewords, by a blue-noise mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.dithering.mask import blue_noise_mask
from adaptive_kmeans.dithering.nearest import FULL, ROWS, Nearest, check_strength
from adaptive_kmeans.progress import Progress
from adaptive_kmeans.threads import Workers, split_evenly

NEIGHBORS = 16
"""Number of codewords that are tried beside the nearest one: those nearest to it."""


@dataclass(frozen=True)
class BlueNoise:
    """Ordered dithering: a mask gives each pixel its nearest codeword or a second one.

    The color nearest to the pixel's on the line between the two gives the share of the second one.
    The second one is chosen to minimize the squared error of that color plus an eighth of the
    variance of the noise: J. Yliluoma, "Arbitrary-Palette Positional Dithering Algorithm", 2011,
    with a different weight of the noise. The mask is that of `adaptive_kmeans.dithering.mask`.

    No pixel depends on another, so there are no worms, and editing one part of an image changes
    nothing elsewhere. The mean of a plain area is never farther from its color than without
    dithering.

    Parameters
    ----------
    strength : float
        Factor of the second codeword's share, 0 to 1, in 1 / 256.

    Examples
    --------
    >>> image = np.full((2, 4, 3), 64, np.uint8)
    >>> codebook = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)
    >>> nearest = np.zeros((2, 4), np.uint16)
    >>> BlueNoise()(Nearest(image, None, np.zeros((2, 4), np.uint8), (codebook,), nearest), None)
    array([[0, 0, 1, 0],
           [0, 1, 0, 0]], dtype=uint16)
    """

    strength: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "strength", check_strength("blue-noise", self.strength))

    def __call__(self, start: Nearest, progress: Progress | None) -> npt.NDArray[np.uint16]:
        """Return the dithered index map, (H, W) uint16."""
        from adaptive_kmeans.dithering._kernels import choose_by_mask

        index_map = start.index_map.copy()
        strength = round(self.strength * FULL)
        if strength == 0:
            return index_map
        planes, (codewords, places) = start.planes(), start.by_luma()
        neighbors, _ = start.neighbors(codewords, NEIGHBORS)
        mask = blue_noise_mask()

        def choose(top: int, bottom: int) -> None:
            choose_by_mask(
                *planes, codewords, places, start.starts(), neighbors, mask, strength, top, bottom,
                index_map,
            )  # fmt: skip

        height = len(index_map)
        with Workers() as workers:
            for top in range(0, height, ROWS):
                if progress is not None:
                    progress("dithering", top / height)
                rows = split_evenly(min(height, top + ROWS) - top, workers.count)
                workers.map(choose, [(top + first, top + last) for first, last in rows])
        return index_map
