"""Kernels of dithering: arrays in, arrays out, no validation. All arithmetic is in integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from adaptive_kmeans.dithering.nearest import FULL

Array = npt.NDArray[Any]

LEVEL = 256
"""One level in the units of a carried error."""
NOISE = 8
"""Weight of the error of the mean relative to the square of the noise."""
FARTHER = 3 * 255 * 255 + 1
"""A squared distance that no two colors have."""
LUMA_SQUARED = 299 * 299 + 587 * 587 + 114 * 114
"""Upper bound of squared luma distance, in thousandths, over squared color distance."""


@njit(cache=True, nogil=True)
def nearest_codeword(codewords, first, last, place, red, green, blue):
    """Return the place of the nearest codeword, ties to the lowest index.

    codewords (n, 5) int64, those of first..last sorted by luma; place is where to look first,
    ideally near the color. The search goes both ways from there, and ends where the distance in
    luma alone is too large.
    """
    luma = 299 * red + 587 * green + 114 * blue
    best = np.int64(FARTHER)
    found = place
    for step in (1, -1):
        at = place if step == 1 else place - 1
        while first <= at < last:
            rise = (codewords[at, 3] - luma) * step
            if rise > 0 and rise * rise > best * LUMA_SQUARED:
                break
            dr = codewords[at, 0] - red
            dg = codewords[at, 1] - green
            db = codewords[at, 2] - blue
            distance = dr * dr + dg * dg + db * db
            if distance < best or (distance == best and codewords[at, 4] < codewords[found, 4]):
                best = distance
                found = at
            at += step
    return found


@njit(cache=True, nogil=True)
def list_neighbors(codewords, starts, neighbors, distances):
    """Find the other codewords of its region that are nearest to each codeword.

    codewords (n, 5) int64, those of each region sorted by luma; starts (regions + 1,) int64;
    neighbors (n, m) int64, their places, nearest first, ties to the lowest place, -1 where there
    are none # OUT; distances (n, m) int64, squared # OUT.
    """
    count = neighbors.shape[1]
    neighbors[:] = -1
    distances[:] = FARTHER
    for region in range(starts.shape[0] - 1):
        for place in range(starts[region], starts[region + 1]):
            found = neighbors[place]
            furthest = distances[place]
            for step in (-1, 1):
                at = place + step
                while starts[region] <= at < starts[region + 1]:
                    rise = codewords[at, 3] - codewords[place, 3]
                    if rise * rise > furthest[count - 1] * LUMA_SQUARED:
                        break
                    distance = np.int64(0)
                    for c in range(3):
                        difference = codewords[at, c] - codewords[place, c]
                        distance += difference * difference
                    rank = count
                    while rank > 0 and (
                        distance < furthest[rank - 1]
                        or (distance == furthest[rank - 1] and at < found[rank - 1])
                    ):
                        rank -= 1
                    for later in range(count - 1, rank, -1):
                        found[later] = found[later - 1]
                        furthest[later] = furthest[later - 1]
                    if rank < count:
                        found[rank] = at
                        furthest[rank] = distance
                    at += step


@njit(cache=True, nogil=True)
def pass_on(error, alpha, to):
    """Return how much of an error a pixel of another alpha takes; a hidden one takes none."""
    if to == 0:
        return np.int64(0)
    return error if to <= alpha else error * alpha // to


@njit(cache=True, nogil=True)
def diffuse_rows(
    image, alpha, regions, codewords, places, starts, limits, strength, top, bottom, errors,
    index_map,
):  # fmt: skip
    """Diffuse the errors of the rows top..bottom.

    image (H, W, 3) uint8; alpha, regions (H, W) uint8; codewords (n, 5) int64, places (n,) int64
    and starts (regions + 1,) int64 of `Nearest`; limits (regions,) int64, of the carried errors, in
    1 / 256 of a level; strength in 1 / 256; errors (2, W + 2, 3) int64, in 1 / 256 of a level,
    those carried to row y at [y % 2], with an extra column on each side # IN, OUT; index_map (H, W)
    uint16, the nearest codewords # IN, OUT.
    """
    height, width = alpha.shape
    color = np.empty(3, np.int64)
    for y in range(top, bottom):
        here = errors[y % 2]
        below = errors[1 - y % 2]
        below[:] = 0
        step = 1 - 2 * (y % 2)
        for column in range(width):
            x = column if step == 1 else width - 1 - column
            shown = np.int64(alpha[y, x])
            if shown == 0:
                continue
            region = np.int64(regions[y, x])
            place = places[starts[region] + np.int64(index_map[y, x])]
            for c in range(3):
                level = np.int64(image[y, x, c]) * LEVEL + here[x + 1, c]
                color[c] = min(max(level, 0), 255 * LEVEL)
            if here[x + 1, 0] != 0 or here[x + 1, 1] != 0 or here[x + 1, 2] != 0:
                place = nearest_codeword(
                    codewords,
                    starts[region],
                    starts[region + 1],
                    place,
                    (color[0] + LEVEL // 2) // LEVEL,
                    (color[1] + LEVEL // 2) // LEVEL,
                    (color[2] + LEVEL // 2) // LEVEL,
                )
                index_map[y, x] = np.uint16(codewords[place, 4])
            goes_on = 0 <= x + step < width
            comes_from = 0 <= x - step < width
            has_below = y + 1 < height
            ahead = np.int64(alpha[y, x + step]) if goes_on else 0
            below_ahead = np.int64(alpha[y + 1, x + step]) if has_below and goes_on else 0
            below_here = np.int64(alpha[y + 1, x]) if has_below else 0
            below_behind = np.int64(alpha[y + 1, x - step]) if has_below and comes_from else 0
            for c in range(3):
                error = color[c] - codewords[place, c] * LEVEL
                error = (error * strength + FULL // 2) // FULL
                error = min(max(error, -limits[region]), limits[region])
                seven = (7 * error + 8) // 16
                three = (3 * error + 8) // 16
                five = (5 * error + 8) // 16
                here[x + 1 + step, c] += pass_on(seven, shown, ahead)
                below[x + 1 - step, c] += pass_on(three, shown, below_behind)
                below[x + 1, c] += pass_on(five, shown, below_here)
                below[x + 1 + step, c] += pass_on(error - seven - three - five, shown, below_ahead)


@njit(cache=True, nogil=True)
def choose_by_mask(
    image, alpha, regions, codewords, places, starts, neighbors, mask, strength, top, bottom,
    index_map,
):  # fmt: skip
    """Choose between two codewords by a mask, in the rows top..bottom.

    neighbors (n, m) int64, from `list_neighbors`; mask (s, s) int64, each number below s * s once;
    strength in 1 / 256; index_map (H, W) uint16, the nearest codewords # IN, OUT; the others as in
    `diffuse_rows`.
    """
    width = alpha.shape[1]
    side = mask.shape[0]
    error = np.empty(3, np.int64)
    for y in range(top, bottom):
        for x in range(width):
            if alpha[y, x] == 0:
                continue
            place = places[starts[regions[y, x]] + np.int64(index_map[y, x])]
            for c in range(3):
                error[c] = np.int64(image[y, x, c]) - codewords[place, c]
            if error[0] == 0 and error[1] == 0 and error[2] == 0:
                continue
            other = np.int64(-1)
            along, length, cost = np.int64(0), np.int64(1), np.int64(0)
            for rank in range(neighbors.shape[1]):
                at = neighbors[place, rank]
                if at < 0:
                    break
                projection = np.int64(0)
                squared = np.int64(0)
                for c in range(3):
                    direction = codewords[at, c] - codewords[place, c]
                    projection += error[c] * direction
                    squared += direction * direction
                if projection <= 0:
                    continue
                projection = min(projection, squared)
                noise = projection * (squared - projection)
                here = noise - NOISE * projection * projection
                if other < 0 or here * length < cost * squared:
                    other, along, length, cost = at, projection, squared, here
            if other < 0:
                continue
            # The lighter one where the mask is high, so that all pairs have the same noise.
            threshold = 2 * mask[y % side, x % side] + 1
            if codewords[other, 3] > codewords[place, 3]:
                threshold = 2 * side * side - threshold
            if threshold * length * FULL < 2 * side * side * along * strength:
                index_map[y, x] = np.uint16(codewords[other, 4])
