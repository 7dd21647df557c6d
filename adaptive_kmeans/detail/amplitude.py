"""The gray amplitude that `variance` and `total-variation` measure.

The published code uses scikit-image's ``rgb2gray``, which is 0.2125 R + 0.7154 G + 0.0721 B. The
weights have four decimals, so ten thousand times the amplitude is an integer: sums over a block are
exact, and a flat block scores exactly zero.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

WEIGHTS = (2125, 7154, 721)
SCALE = 10_000


def scaled_amplitude(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Return `SCALE` times the gray amplitude of an (H, W, 3) uint8 image: (H, W) int32.

    Examples
    --------
    >>> scaled_amplitude(np.array([[[255, 255, 255], [0, 1, 0]]], dtype=np.uint8))
    array([[2550000,    7154]], dtype=int32)
    """
    amplitude = image[..., 0].astype(np.int32)
    amplitude *= WEIGHTS[0]
    for channel in (1, 2):
        amplitude += WEIGHTS[channel] * image[..., channel].astype(np.int32)
    return amplitude
