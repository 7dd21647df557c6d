"""A blue-noise mask: thresholds whose places look random, but are evenly spread.

R. Ulichney, "The Void-and-Cluster Method for Dither Array Generation", Proc. SPIE 1913, 1993. Its
last two phases are merged here: the tightest cluster of places without a point is where the
Gaussian sum over the points is smallest, since the two sums add up to a constant. The Gaussian is
in integers and the first points come from a bit generator whose stream never changes, so that the
mask is the same on every machine.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

SIDE = 64
AREA = SIDE * SIDE
_SIGMA = 1.5
"""Ulichney's standard deviation of the Gaussian, in pixels."""
_ONE = 1 << 24
_FIRST_POINTS = AREA // 10


@functools.cache
def blue_noise_mask() -> npt.NDArray[np.int64]:
    """Return the mask, (`SIDE`, `SIDE`) int64, read-only: each number below `AREA` once.

    The mask tiles without seams. The places below any threshold are evenly spread.
    """
    sums = _Sums()
    stream = np.random.PCG64(0).random_raw(AREA)
    points = np.zeros(AREA, dtype=bool)
    points[np.argsort(stream, kind="stable")[:_FIRST_POINTS]] = True
    for point in np.flatnonzero(points):
        sums.add(int(point), 1)
    while True:  # move points from clusters to voids until one returns to its place
        cluster = sums.tightest_cluster(points)
        sums.add(cluster, -1)
        points[cluster] = False
        void = sums.largest_void(points)
        sums.add(void, 1)
        points[void] = True
        if void == cluster:
            break
    ranks = np.empty(AREA, dtype=np.int64)
    rest, left = sums.copy(), points.copy()
    for rank in range(_FIRST_POINTS - 1, -1, -1):
        place = rest.tightest_cluster(left)
        rest.add(place, -1)
        left[place] = False
        ranks[place] = rank
    for rank in range(_FIRST_POINTS, AREA):
        place = sums.largest_void(points)
        sums.add(place, 1)
        points[place] = True
        ranks[place] = rank
    mask = ranks.reshape(SIDE, SIDE)
    mask.flags.writeable = False
    return mask


class _Sums:
    """The sum, at each place, of Gaussians around all points, on a torus."""

    def __init__(self) -> None:
        self._sums = np.zeros((SIDE, SIDE), dtype=np.int64)
        nearer = [min(offset, SIDE - offset) for offset in range(SIDE)]
        once = [
            [round(_ONE * math.exp(-(y * y + x * x) / (2 * _SIGMA**2))) for x in nearer]
            for y in nearer
        ]
        self._twice = np.tile(np.array(once, dtype=np.int64), (2, 2))

    def copy(self) -> _Sums:
        other = _Sums()
        other._sums = self._sums.copy()
        return other

    def add(self, place: int, sign: int) -> None:
        """Add a point, or remove one if the sign is -1."""
        y, x = divmod(place, SIDE)
        around = self._twice[SIDE - y : 2 * SIDE - y, SIDE - x : 2 * SIDE - x]
        self._sums += sign * around

    def tightest_cluster(self, points: npt.NDArray[np.bool_]) -> int:
        """Return the point with the largest sum, the first of equal ones."""
        return int(np.where(points, self._sums.reshape(-1), -1).argmax())

    def largest_void(self, points: npt.NDArray[np.bool_]) -> int:
        """Return the place without a point with the smallest sum, the first of equal ones."""
        taken = np.iinfo(np.int64).max
        return int(np.where(points, taken, self._sums.reshape(-1)).argmin())
