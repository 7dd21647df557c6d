"""`Nearest`: the input of dithering, and the strength that dithering methods have in common."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.alpha import OPAQUE, Plane
from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.luma import luma_order

ROWS = 128
"""Rows that are dithered between two reports of progress."""
FULL = 256
"""Strength 1, as kernels represent it."""
LUMA = np.array([299, 587, 114], dtype=np.int64)
"""Weights of red, green and blue, in thousandths, as in `adaptive_kmeans.luma`."""


@dataclass(frozen=True, eq=False)
class Nearest:
    """An image and its nearest codewords.

    Parameters
    ----------
    image : (H, W, 3) uint8
    alpha : (H, W) uint8 or None
        How visible each pixel is, None for an opaque image; see `adaptive_kmeans.alpha`.
    pixel_regions : (H, W) uint8
        The region of each pixel.
    codebooks : tuple of (k, 3) uint8
        The codewords of each region.
    index_map : (H, W) uint16
        The nearest codeword of each pixel in the codebook of its region; 0 for hidden pixels.
    """

    image: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.uint8] | None
    pixel_regions: npt.NDArray[np.uint8]
    codebooks: tuple[npt.NDArray[np.uint8], ...]
    index_map: npt.NDArray[np.uint16]

    @property
    def visible(self) -> npt.NDArray[np.bool_]:
        """Whether each pixel is visible: (H, W)."""
        if self.alpha is None:
            return np.ones(self.index_map.shape, dtype=np.bool_)
        return self.alpha > 0

    def planes(self) -> tuple[Plane, Plane, Plane]:
        """Return image, alpha and regions as read-only arrays, for which kernels are compiled."""
        alpha = self.alpha
        if alpha is None:
            alpha = np.full(self.index_map.shape, OPAQUE, dtype=np.uint8)
        return _read_only(self.image), _read_only(alpha), _read_only(self.pixel_regions)

    def starts(self) -> npt.NDArray[np.int64]:
        """Return where each region's codewords start, and where all end: (regions + 1,)."""
        return np.cumsum([0, *map(len, self.codebooks)], dtype=np.int64)

    def by_luma(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the codewords of all regions, those of each region sorted by luma.

        Returns
        -------
        codewords : (n, 5) int64
            Red, green, blue, luma in thousandths, and the index in the region's codebook.
        places : (n,) int64
            Position of each codeword of the unsorted codebooks among the sorted ones.
        """
        tables, places = [], []
        for start, codebook in zip(self.starts(), self.codebooks, strict=False):
            order = luma_order(codebook)
            colors = codebook[order].astype(np.int64)
            tables.append(np.column_stack([colors, colors @ LUMA, order]))
            places.append(start + np.argsort(order))
        return np.ascontiguousarray(np.concatenate(tables)), np.concatenate(places)

    def neighbors(
        self, codewords: npt.NDArray[np.int64], count: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return, for each codeword of `by_luma`, the nearest others in its region.

        Returns
        -------
        neighbors : (n, count) int64
            Their places, nearest first; -1 where there are no more.
        distances : (n, count) int64
            Their squared distances; meaningless where the place is -1.
        """
        from adaptive_kmeans.dithering._kernels import list_neighbors

        places = np.empty((len(codewords), count), dtype=np.int64)
        distances = np.empty_like(places)
        list_neighbors(codewords, self.starts(), places, distances)
        return places, distances


def _read_only(plane: Plane) -> Plane:
    view = np.ascontiguousarray(plane).view()
    view.flags.writeable = False
    return view


def check_strength(name: str, value: object) -> float:
    """Return a strength from 0 to 1 as a float.

    Raises
    ------
    ConfigError
        It is not such a number.

    Examples
    --------
    >>> check_strength("diffusion", 1)
    1.0
    """
    strength = math.nan
    if not isinstance(value, bool) and isinstance(value, numbers.Real):
        strength = float(value)
    if not 0.0 <= strength <= 1.0:
        raise ConfigError(f"dithering {name}", "a strength of 0 to 1", repr(value))
    return strength
