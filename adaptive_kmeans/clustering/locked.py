"""Locked codewords: colors that the codebook contains whatever the image is.

The iterations are Lloyd's, except that locked centroids stay in place. They start from the locked
codewords and, of the clusters of K-means without locking, those that these serve worst.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.limits import MAX_CODEWORDS
from adaptive_kmeans.luma import luma_order

Color = tuple[int, int, int]
Colors = npt.NDArray[np.uint8]


def check_colors(colors: object) -> tuple[Color, ...]:
    """Return colors as they are in a codebook: each once, in the order of luma.

    Parameters
    ----------
    colors : (n, 3) array or sequence of integers in 0..255

    Raises
    ------
    ConfigError
        They are not such colors, or there are not 1 to `MAX_CODEWORDS` of them.

    Examples
    --------
    >>> check_colors([[255, 255, 255], [0, 0, 9], [255, 255, 255]])
    ((0, 0, 9), (255, 255, 255))
    """
    expected = f"1..{MAX_CODEWORDS} colors of three levels in 0..255"
    try:
        levels = np.asarray(colors)
    except ValueError as error:  # rows of different lengths
        raise ConfigError("codebook", expected, "something else") from error
    if levels.dtype.kind not in "iu" or levels.ndim != 2 or levels.shape[1] != 3:
        raise ConfigError("codebook", expected, f"{levels.shape} {levels.dtype}")
    if levels.size and not 0 <= levels.min() <= levels.max() <= 255:
        raise ConfigError("codebook", expected, f"levels in {levels.min()}..{levels.max()}")
    distinct = np.unique(levels.astype(np.uint8), axis=0)
    if not 1 <= len(distinct) <= MAX_CODEWORDS:
        raise ConfigError("codebook", expected, len(distinct))
    return tuple((red, green, blue) for red, green, blue in distinct[luma_order(distinct)].tolist())


def as_array(colors: tuple[Color, ...]) -> Colors:
    """Return colors as an (n, 3) uint8 array."""
    return np.array(colors, np.uint8).reshape(-1, 3)


def add_missing(locked: Colors, colors: Colors) -> Colors:
    """Return a codebook of locked colors, (m, 3), and all others, (n, 3), in the order of luma."""
    both = np.unique(np.concatenate([locked, colors]), axis=0) if len(locked) else colors
    return both[luma_order(both)]


def places_of(colors: Colors, codebook: Colors) -> npt.NDArray[np.uint16]:
    """Return the indices of colors in a codebook that contains all of them: (n,) uint16.

    Examples
    --------
    >>> codebook = np.array([[9, 0, 0], [1, 2, 3], [7, 7, 7]], dtype=np.uint8)
    >>> places_of(codebook[[2, 0]], codebook).tolist()
    [2, 0]
    """
    codes, wanted = (array.astype(np.int64) @ [1 << 16, 1 << 8, 1] for array in (codebook, colors))
    order = np.argsort(codes)
    return order[np.searchsorted(codes, wanted, sorter=order)].astype(np.uint16)
