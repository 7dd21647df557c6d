"""Sorting colors by luma, the order of codebooks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def luma_order(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """Return the order of (k, 3) colors by ITU-R BT.601 luma in thousandths, then red, green, blue.

    Examples
    --------
    >>> luma_order(np.array([[255, 255, 255], [0, 0, 255], [9, 0, 0]], dtype=np.uint8)).tolist()
    [2, 1, 0]
    """
    red, green, blue = colors.astype(np.int64).T
    return np.lexsort((blue, green, red, 299 * red + 587 * green + 114 * blue))
