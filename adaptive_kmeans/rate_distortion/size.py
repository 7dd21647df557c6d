"""How many codewords an image should have at a price of a bit.

A larger codebook costs bits and reduces the error, with diminishing returns. The best size is about
where plain K-means would pay `STEEPNESS` times the price for a bit, since the choice of codewords
by distortion and bits, and restoration, are still to come. Where plain K-means has the last word,
as on screens, `plain` finds the size.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.alpha import split
from adaptive_kmeans.limits import MAX_CODEWORDS
from adaptive_kmeans.quantize import RegionAdaptive
from adaptive_kmeans.rate_distortion import proxy
from adaptive_kmeans.restoration import squared_error
from adaptive_kmeans.restoration.price import slope

STEEPNESS = {"psnr": 4.5, "perceptual": 9.0}
SMALLEST, FIRST, LARGEST = 8, 64, MAX_CODEWORDS
"""Sizes that are measured: first 64, then four times or a quarter as many, until the slope is
passed."""
STEP = 4
STRIP = 16
"""Rows of each strip that is sampled from a large image."""
PIXELS = 1 << 17
"""Images with more pixels are sampled."""


class Slopes:
    """What a bit is worth with codebooks of one image; each size is measured once.

    Parameters
    ----------
    image : (H, W, 3) or (H, W, 4) uint8
    """

    def __init__(self, image: npt.NDArray[np.uint8]) -> None:
        self._part = _part(image)
        self._known: dict[int, float] = {}

    def codewords(self, price: float, tune: str = "psnr") -> int:
        """Return the number of codewords that suits the image at a price of a bit."""
        wanted = STEEPNESS[tune] * price
        k, here = FIRST, self._at(FIRST)
        larger = here > wanted
        while here > 0 and (k < LARGEST if larger else k > SMALLEST):
            beyond = min(STEP * k, LARGEST) if larger else max(k // STEP, SMALLEST)
            there = self._at(beyond)
            if (there > wanted) != larger:
                if there <= 0:
                    return beyond
                share = math.log(here / wanted) / math.log(here / there)
                return round(k * math.pow(beyond / k, share))
            k, here = beyond, there
        return k

    def _at(self, k: int) -> float:
        if k not in self._known:
            self._known[k] = _slope(self._part, k)
        return self._known[k]


def _part(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return strips of rows from all over an image."""
    height, width = image.shape[:2]
    every = round(height * width / PIXELS)
    if every < 2:
        return image
    strips = (image[top : top + STRIP] for top in range(0, height, STRIP * every))
    return np.concatenate(list(strips))


def _slope(image: npt.NDArray[np.uint8], k: int) -> float:
    """Return what a bit is worth with k codewords of plain K-means."""
    plain = RegionAdaptive((k,), 4, None, None, "wu", 1e-2, "rgb", 0)(image)
    if len(plain.codebooks[0]) < 2:
        return 0.0
    colors, alpha = split(image)
    if alpha is None:
        difference = plain.reconstruct().astype(np.int32) - image
        error = float(np.einsum("ijk,ijk->", difference, difference, dtype=np.int64))
    else:
        error = float(squared_error(colors, plain.reconstruct_colors(), alpha))
    return slope(error, plain, proxy.estimated_bits(plain))
