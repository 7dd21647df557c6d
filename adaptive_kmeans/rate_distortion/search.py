# mypy: disable-error-code="operator,arg-type,assignment,return-value"
"""The search over the map of indices: iterated conditional modes.

J. Besag, "On the Statistical Analysis of Dirty Pictures", J. R. Stat. Soc. B 48 (3), 1986.

Pixel by pixel, in reading order, the codeword is taken that makes squared error plus λ times bits
least while all others stand: the bits of the pixel itself and of the four later ones that see it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from adaptive_kmeans.rate_distortion.proxy import Costs, Palette, bits

Array = npt.NDArray[Any]

LATER = np.array([(0, 1), (1, -1), (1, 0), (1, 1)], dtype=np.int64)
"""(dy, dx) of the later pixels that see a pixel as W, NE, N and NW."""


@njit(cache=True, nogil=True)
def sweep(
    image: Array, labels: Array, prices: Array, palette: Palette, costs: Costs, moved: Array
) -> int:
    """Choose every pixel's codeword once; return how many changed.

    image : (h, w, 3) uint8
    labels : (h + 2, w + 4) int32  # OUT, between margins of -1
    prices : (h, w) int32, squared error that a bit is worth
    moved : (2, h, w) uint8, 1 where a codeword changed in the sweep before; then OUT, in this one
    """
    height, width = prices.shape
    candidates = np.zeros(palette.close.shape[1] + 8, dtype=np.int64)
    changes = 0
    for y in range(height):
        for x in range(width):
            if not _is_near(moved, y, x):
                continue
            row, column = y + 2, x + 2
            now = np.int64(labels[row, column])
            red, green, blue = image[y, x, 0], image[y, x, 1], image[y, x, 2]
            first = palette.nearest[red >> 3, green >> 3, blue >> 3]
            count = 0
            for i in range(palette.close.shape[1]):
                candidates[count] = palette.close[first, i]
                count += 1
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    inside = row + dy < labels.shape[0] and (dy != 0 or dx != 0)
                    if inside and labels[row + dy, column + dx] >= 0:
                        candidates[count] = labels[row + dy, column + dx]
                        count += 1
            price = np.int64(prices[y, x])
            best = now
            least = _cost(image, labels, y, x, price, palette, costs, np.int64(-1))
            for i in range(count):
                trial = candidates[i]
                if trial == now or _seen_before(candidates, i):
                    continue
                labels[row, column] = trial
                cost = _cost(image, labels, y, x, price, palette, costs, least)
                if cost < least:
                    best, least = trial, cost
            labels[row, column] = best
            moved[1, y, x] = np.int64(best != now)
            changes += np.int64(best != now)
    return changes


@njit(nogil=True, inline="always")
def _seen_before(candidates: Array, i: int) -> bool:
    found = False
    for j in range(i):
        found |= candidates[j] == candidates[i]
    return found


@njit(nogil=True, inline="always")
def _is_near(moved: Array, y: int, x: int) -> bool:
    """Whether a codeword within two pixels changed in the sweep before, or has in this one."""
    for row in range(max(y - 2, 0), min(y + 3, moved.shape[1])):
        for column in range(max(x - 2, 0), min(x + 3, moved.shape[2])):
            if moved[0, row, column] != 0 or moved[1, row, column] != 0:
                return True
    return False


@njit(nogil=True)
def _cost(
    image: Array,
    labels: Array,
    y: int,
    x: int,
    price: int,
    palette: Palette,
    costs: Costs,
    least: int,
) -> int:
    """Return 256 times the squared error of a pixel's codeword plus λ times the bits.

    Where it is found to be no less than `least`, if that is not negative, the rest is not added.
    """
    row, column = y + 2, x + 2
    label = np.int64(labels[row, column])
    error = np.int64(0)
    for c in range(3):
        difference = np.int64(image[y, x, c]) - np.int64(palette.colors[label, c])
        error += difference * difference
    total = 256 * error
    if 0 <= least <= total:
        return total
    total += price * bits(labels, row, column, palette, costs)
    for i in range(4):
        if 0 <= least <= total:
            return total
        below, beside = row + LATER[i, 0], column + LATER[i, 1]
        if below < labels.shape[0] and 2 <= beside < labels.shape[1] - 2:
            total += price * bits(labels, below, beside, palette, costs)
    return total
