# mypy: disable-error-code="assignment"
"""What the coder sees around a pixel: 25 earlier pixels, and three colors predicted from them.

Numbered from W = 0, in rows counted upward from the pixel's own and columns to the right of it (in
parentheses), they are::

    row 0: 18 (-4) 10 (-3) 4 (-2) 0 (-1)
    row 1: 19 (-4) 15 (-3) 7 (-2) 2 (-1) 1 (0) 3 (1) 8 (2) 14 (3) 20 (4)
    row 2: 22 (-3) 13 (-2) 9 (-1) 5 (0) 6 (1) 12 (2) 21 (3)
    row 3: 24 (-2) 17 (-1) 11 (0) 16 (1) 23 (2)

W, N, NW, NE, WW, NN, NNE, NWW and NEE are neighbors 0 to 8. The map has margins of 4 columns: to
the left of the image is the first pixel of the row above, to its right the last pixel of the same
row. Above the image is codeword 0. A codeword of another region is replaced by the nearest one of
the pixel's region (squared RGB distance, ties to the lowest number), but its color is kept.

Colors are measured in quarters of a level. The **median edge** is the median of W, N and ``W + N -
NW``; the **gradient** is ``W + ((NE - NW) >> 1)``, clamped to 0..1020. The **linear** prediction is
W plus the weighted differences from W of the 17 neighbors from N on: in sixteenths, ``16 W + (sum
of difference * weight >> 12)``; in quarters, that plus 2, shifted right by 2, clamped to 0..1020.
Its weights have 16 fractional bits, start at 30000, -10000 and 16000 for N, NW and NE, and are
shared by the channels.

They learn by normalized least mean squares. Let ``S`` be the sum of the squared differences of all
channels and ``gain = floor(2**24 / (S + 64 spacing))``. Each channel's ``error`` is the pixel's
color minus the linear prediction (shifted right by 4 from sixteenths), clamped to -511..511. Unless
``S`` is 0, a weight moves by ``(sum over channels of error * difference) * gain + 2**13 >> 14``,
and is clamped to ``-2**18..2**18``.

The codeword nearest to the linear prediction is the one nearest to the center of its cell, ``8 cell
+ 4`` with each channel reduced to 5 bits, by squared distance, ties to the lowest number.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adaptive_kmeans.coding.context_mixing.codeword_tree import Codewords, peer
from adaptive_kmeans.coding.context_mixing.kernel import aligned_zeros
from adaptive_kmeans.kernels import Int, inlined

ACROSS_MARGIN, ABOVE_MARGIN = 4, 3
"""Columns on either side of the map of codewords, and rows above it."""
NEIGHBORS = 25
DOWN = np.array(
    [0, 1, 1, 1, 0, 2, 2, 1, 1, 2, 0, 3, 2, 2, 1, 1, 3, 3, 0, 1, 1, 2, 2, 3, 3], dtype=np.int64
)
ACROSS = np.array(
    [-1, 0, -1, 1, -2, 0, 1, -2, 2, -1, -3, 0, 2, -2, 3, -3, 1, -1, -4, -4, 4, 3, -3, 2, -2],
    dtype=np.int64,
)
W, N, NW, NE, WW, NN, NNE, NWW, NEE = range(9)
TRAINED = 17
LINEAR_LANES = 24
"""The trained neighbors, padded with some of weight 0 to fill vectors."""
LARGEST_ERROR = 511
LARGEST_LINEAR_WEIGHT = 262144
LEARNING_SHIFT = 14

COLORS = 10
"""Colors that decisions look at: seven neighbors, median edge, linear, gradient."""
MEDIAN_EDGE, LINEAR, GRADIENT = 7, 8, 9
COLOR_LANES = 16


class Neighborhood(NamedTuple):
    """A pixel's surroundings, and the linear prediction."""

    codes: NDArray[np.int64]  # (NEIGHBORS,) codewords, mapped to the nearest of the pixel's region
    own: NDArray[np.int64]  # (NEIGHBORS,) unmapped codewords; the same array for one codebook
    colors: NDArray[np.int32]  # (3, COLOR_LANES) in quarters
    differences: NDArray[np.int32]  # (3, LINEAR_LANES) of neighbors' colors from W's, then zeros
    weights: NDArray[np.int32]  # (LINEAR_LANES,)
    linear: NDArray[np.int64]  # (4,) linear prediction in sixteenths; sum of squared differences


def new_neighborhood(codebooks: int) -> Neighborhood:
    """Return a neighborhood with an untrained linear prediction; empty codebooks do not count."""
    weights = np.zeros(LINEAR_LANES, dtype=np.int32)
    weights[:3] = 30000, -10000, 16000
    codes = np.zeros(NEIGHBORS, dtype=np.int64)
    return Neighborhood(
        codes,
        codes if codebooks == 1 else codes.copy(),
        aligned_zeros(3 * COLOR_LANES).view(np.int32).reshape(3, COLOR_LANES),
        aligned_zeros(3 * LINEAR_LANES).view(np.int32).reshape(3, LINEAR_LANES),
        weights,
        np.zeros(4, dtype=np.int64),
    )


def with_margins(codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Pad (h, w) codewords with codeword 0: three rows above, and margins on either side."""
    height, width = codes.shape
    framed = np.zeros((height + ABOVE_MARGIN, width + 2 * ACROSS_MARGIN), dtype=np.int32)
    framed[ABOVE_MARGIN:, ACROSS_MARGIN : ACROSS_MARGIN + width] = codes
    return framed


@inlined
def look(
    around: Neighborhood,
    codewords: Codewords,
    codes: NDArray[np.int32],
    y: Int,
    x: Int,
    region: Int,
) -> None:
    """Read the neighbors of the pixel at ``codes[y, x]``, where y and x include the margins."""
    for i in range(NEIGHBORS):
        around.own[i] = codes[np.uint64(y - DOWN[i]), np.uint64(x + ACROSS[i])]
    lo, hi = codewords.offsets[region], codewords.offsets[region + 1]
    if hi - lo < codewords.left.size:
        for i in range(NEIGHBORS):
            code = around.own[i]
            if code < lo or code >= hi:
                code = peer(codewords, region, code)
            around.codes[i] = code


@inlined
def predict_colors(around: Neighborhood, codewords: Codewords) -> None:
    """Fill in the colors that decisions look at, including the predicted ones."""
    colors, differences, weights = around.colors, around.differences, around.weights
    for c in range(3):
        west = codewords.colors[np.uint64(around.own[W]), c]
        colors[c, W] = 4 * west
        for i in range(TRAINED):
            color = codewords.colors[np.uint64(around.own[i + 1]), c]
            differences[c, i] = color - west
            if i < 6:
                colors[c, i + 1] = 4 * color
    squares = np.int64(0)
    for c in range(3):
        total = np.int32(0)
        square = np.int32(0)
        for i in range(weights.size):  # in 32 bits, which hold 17 times 255 times 2**18
            difference = np.int64(differences[c, i])
            product = np.int32(difference * np.int64(weights[i]))
            total = np.int32(np.int64(total) + np.int64(product))
            square = np.int32(np.int64(square) + np.int64(np.int32(difference * difference)))
        squares += np.int64(square)
        linear = 4 * np.int64(colors[c, W]) + (np.int64(total) >> 12)
        around.linear[c] = linear
        w, n = np.int64(colors[c, W]), np.int64(colors[c, N])
        nw, ne = np.int64(colors[c, NW]), np.int64(colors[c, NE])
        colors[c, MEDIAN_EDGE] = max(min(w, n), min(max(w, n), w + n - nw))
        colors[c, LINEAR] = min(max((linear + 2) >> 2, 0), 1020)
        colors[c, GRADIENT] = min(max(w + ((ne - nw) >> 1), 0), 1020)
    around.linear[3] = squares


@inlined
def _error(around: Neighborhood, codewords: Codewords, code: Int, channel: Int) -> Int:
    missed = np.int64(codewords.colors[code, channel]) - (around.linear[channel] >> 4)
    return min(max(missed, -LARGEST_ERROR), LARGEST_ERROR)


@inlined
def train(around: Neighborhood, codewords: Codewords, code: Int, spacing: Int) -> None:
    """Adjust the linear prediction's weights to reduce its error at this pixel."""
    squares = around.linear[3]
    if squares == 0:
        return
    gain = np.int64(1 << 24) // (squares + 64 * spacing)
    e0 = _error(around, codewords, code, 0)
    e1 = _error(around, codewords, code, 1)
    e2 = _error(around, codewords, code, 2)
    differences, weights = around.differences, around.weights
    # |pull gain| <= 2**24 |error| |d| / (|d|**2 + 1024) <= 2**18 |error| < 2**31 for differences d
    for i in range(weights.size):
        red = np.int32(e0 * np.int64(differences[0, i]))
        green = np.int32(e1 * np.int64(differences[1, i]))
        blue = np.int32(e2 * np.int64(differences[2, i]))
        pull = np.int32(np.int64(red) + np.int64(green))
        pull = np.int32(np.int64(pull) + np.int64(blue))
        change = np.int32(np.int64(np.int32(np.int64(pull) * gain)) + (1 << (LEARNING_SHIFT - 1)))
        moved = np.int32(np.int64(weights[i]) + (np.int64(change) >> LEARNING_SHIFT))
        weights[i] = min(
            max(moved, np.int32(-LARGEST_LINEAR_WEIGHT)), np.int32(LARGEST_LINEAR_WEIGHT)
        )
