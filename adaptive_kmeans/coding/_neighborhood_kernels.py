# mypy: disable-error-code="assignment"
"""What the context-mixing coder sees around a pixel: codewords, colors and a color prediction."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int = Any  # int or np.int64, as Numba types it

MARGIN = 4
"""Columns of margin on either side of the padded map; above it are three rows."""

NEIGHBORS = 25
STEP = 14  # log2 of what slows the linear prediction's learning
TRAINED = 17
"""Neighbors (from N on) that the linear prediction weighs."""
LANES = 24
"""These with some of weight 0, so that they fill vectors."""
LARGEST_ERROR = 511
"""Of a channel, as the linear prediction learns from it; so 32 bits hold what `train` computes."""
COLORS = 10
"""Colors seen by a decision: seven neighbors, median edge, linear and gradient prediction."""

DOWN = np.array(
    [0, 1, 1, 1, 0, 2, 2, 1, 1, 2, 0, 3, 2, 2, 1, 1, 3, 3, 0, 1, 1, 2, 2, 3, 3], dtype=np.int64
)
ACROSS = np.array(
    [-1, 0, -1, 1, -2, 0, 1, -2, 2, -1, -3, 0, 2, -2, 3, -3, 1, -1, -4, -4, 4, 3, -3, 2, -2],
    dtype=np.int64,
)
W, N, NW, NE, WW, NN, NNE, NWW, NEE = range(9)


class Book(NamedTuple):
    """All codewords of all regions, each region's in its tree order, and their trees."""

    offsets: NDArray[np.int64]  # (regions + 1,) first codeword of each region
    roots: NDArray[np.int64]  # (regions,)
    spacings: NDArray[np.int64]  # (regions,) in sixteenths
    left: NDArray[np.int64]  # (codewords,)
    right: NDArray[np.int64]  # (codewords,)
    planes: NDArray[np.int32]  # (4, codewords), the threshold times 4
    colors: NDArray[np.int32]  # (3, codewords)
    cells: NDArray[np.int32]  # (regions << 15,) nearest codeword of a 5-bit color, -1 unknown
    peers: NDArray[np.int32]  # (regions * codewords,) nearest codeword in a region, -1 unknown


class View(NamedTuple):
    """A pixel's surroundings."""

    codes: NDArray[np.int64]  # (NEIGHBORS,) codewords, as their nearest in the pixel's region
    own: NDArray[np.int64]  # (NEIGHBORS,) codewords, as they are
    seen: NDArray[np.int32]  # (3, 16) colors that decisions see, times 4
    distances: NDArray[np.int32]  # (16,) of these colors from a plane
    slopes: NDArray[np.int32]  # (3, LANES) neighbors' colors less W's, then zeros
    weights: NDArray[np.int32]  # (LANES,) of the linear prediction, 16 fractional bits
    linear: NDArray[np.int64]  # (4,) linear prediction times 16; last, the slopes' energy


def new_view() -> View:
    """Return a view whose linear prediction has learned nothing."""
    weights = np.zeros(LANES, dtype=np.int32)
    weights[:3] = 30000, -10000, 16000
    return View(
        np.zeros(NEIGHBORS, dtype=np.int64),
        np.zeros(NEIGHBORS, dtype=np.int64),
        np.zeros((3, 16), dtype=np.int32),
        np.zeros(16, dtype=np.int32),
        np.zeros((3, LANES), dtype=np.int32),
        weights,
        np.zeros(4, dtype=np.int64),
    )


@njit(cache=True, nogil=True)
def nearest(colors: NDArray[np.int32], lo: Int, hi: Int, r: Int, g: Int, b: Int) -> Int:
    """Codeword of ``lo..hi - 1`` nearest to a color, ties to the lowest."""
    best = np.int64(1 << 40)
    found = np.int64(lo)
    for i in range(lo, hi):
        dr = np.int64(colors[0, i]) - r
        dg = np.int64(colors[1, i]) - g
        db = np.int64(colors[2, i]) - b
        square = dr * dr + dg * dg + db * db
        if square < best:
            best = square
            found = np.int64(i)
    return found


@njit(cache=True, nogil=True, forceinline=True)
def length(colors: NDArray[np.int32], a: Int, b: Int) -> Int:
    """Sum of absolute differences of two codewords' colors."""
    total = np.int64(0)
    for c in range(3):
        total += abs(np.int64(colors[c, a]) - np.int64(colors[c, b]))
    return total


@njit(cache=True, nogil=True, forceinline=True)
def look(
    view: View, book: Book, padded: NDArray[np.int32], row: Int, col: Int, region: Int
) -> None:
    """Fill a view's codewords for the pixel at ``padded[row, col]``."""
    codes = view.codes
    for i in range(NEIGHBORS):
        code = np.int64(padded[np.uint64(row - DOWN[i]), np.uint64(col + ACROSS[i])])
        codes[i] = code
        view.own[i] = code
    lo = book.offsets[region]
    hi = book.offsets[region + 1]
    if hi - lo < book.left.size and hi > lo:
        colors = book.colors
        total_codes = np.int64(book.left.size)
        for i in range(NEIGHBORS):
            code = codes[i]
            if code < lo or code >= hi:
                at = region * total_codes + code
                if book.peers[at] < 0:
                    r = np.int64(colors[0, code])
                    g = np.int64(colors[1, code])
                    b = np.int64(colors[2, code])
                    book.peers[at] = nearest(colors, lo, hi, r, g, b)
                codes[i] = book.peers[at]


@njit(cache=True, nogil=True, forceinline=True)
def predict(view: View, book: Book) -> None:
    """Fill a view's colors, predicted ones among them."""
    colors = book.colors
    seen = view.seen
    slopes = view.slopes
    weights = view.weights
    for c in range(3):
        west = colors[c, np.uint64(view.own[0])]
        seen[c, 0] = 4 * west
        for i in range(TRAINED):
            color = colors[c, np.uint64(view.own[i + 1])]
            slopes[c, i] = color - west
            if i < 6:
                seen[c, i + 1] = 4 * color
    energy = np.int64(0)
    for c in range(3):
        total = np.int32(0)
        square = np.int32(0)
        for i in range(weights.size):  # in 32 bits, which hold 17 times 255 times 2**18
            slope = np.int64(slopes[c, i])
            product = np.int32(slope * np.int64(weights[i]))
            total = np.int32(np.int64(total) + np.int64(product))
            square = np.int32(np.int64(square) + np.int64(np.int32(slope * slope)))
        energy += np.int64(square)
        view.linear[c] = 4 * np.int64(seen[c, 0]) + (np.int64(total) >> 12)
        w = np.int64(seen[c, W])
        n = np.int64(seen[c, N])
        nw = np.int64(seen[c, NW])
        gradient = w + ((np.int64(seen[c, NE]) - nw) >> 1)
        seen[c, 7] = max(min(w, n), min(max(w, n), w + n - nw))
        seen[c, 8] = min(max((view.linear[c] + 2) >> 2, 0), 1020)
        seen[c, 9] = min(max(gradient, 0), 1020)
    view.linear[3] = energy


@njit(cache=True, nogil=True, forceinline=True)
def nearest_to_linear(view: View, book: Book, region: Int) -> Int:
    """Codeword nearest to the linear prediction, cut to 5 bits a channel."""
    r = np.int64(view.seen[0, 8]) >> 5
    g = np.int64(view.seen[1, 8]) >> 5
    b = np.int64(view.seen[2, 8]) >> 5
    cell = (region << 15) | (r << 10) | (g << 5) | b
    if book.cells[cell] < 0:
        lo = book.offsets[region]
        hi = book.offsets[region + 1]
        book.cells[cell] = nearest(book.colors, lo, hi, 8 * r + 4, 8 * g + 4, 8 * b + 4)
    return np.int64(book.cells[cell])


@njit(cache=True, nogil=True, forceinline=True)
def error(view: View, book: Book, code: Int, channel: Int) -> Int:
    """Error of the linear prediction in a channel."""
    missed = np.int64(book.colors[channel, code]) - (view.linear[channel] >> 4)
    return min(max(missed, -LARGEST_ERROR), LARGEST_ERROR)


@njit(cache=True, nogil=True, forceinline=True)
def train(view: View, book: Book, code: Int, spacing: Int) -> None:
    """Move the linear prediction's weights against its error at this pixel."""
    energy = view.linear[3]
    if energy == 0:
        return
    gain = np.int64(1 << 24) // (energy + 64 * spacing)
    e0 = error(view, book, code, 0)
    e1 = error(view, book, code, 1)
    e2 = error(view, book, code, 2)
    slopes = view.slopes
    weights = view.weights
    # with slopes s, errors e: |pull gain| <= 2**24 |e| |s| / (|s|**2 + 1024) <= 2**18 |e| < 2**31
    for i in range(weights.size):
        red = np.int32(e0 * np.int64(slopes[0, i]))
        green = np.int32(e1 * np.int64(slopes[1, i]))
        blue = np.int32(e2 * np.int64(slopes[2, i]))
        pull = np.int32(np.int64(red) + np.int64(green))
        pull = np.int32(np.int64(pull) + np.int64(blue))
        change = np.int32(np.int64(np.int32(np.int64(pull) * gain)) + (1 << (STEP - 1)))
        moved = np.int32(np.int64(weights[i]) + (np.int64(change) >> STEP))
        weights[i] = min(max(moved, np.int32(-262144)), np.int32(262144))


class Past(NamedTuple):
    """Where surroundings like a pixel's were seen last, and what came then."""

    places: NDArray[np.int64]  # (2**bits,) by hash: the hash above 32 bits of place, 0 none
    match: NDArray[np.int64]  # (3,) place followed (0 none), pixels it has foretold, its codeword


def new_past(pixels: int) -> Past:
    """Return the empty past of an image of so many pixels."""
    bits = min(max((pixels - 1).bit_length() - 3, 8), 20)
    return Past(np.zeros(1 << bits, dtype=np.int64), np.zeros(3, dtype=np.int64))


@njit(cache=True, nogil=True, forceinline=True)
def recall(past: Past, padded: NDArray[np.int32], row: Int, col: Int, mark: Int) -> None:
    """Follow the match to this pixel, or find one by the 31-bit hash `mark` of its surroundings."""
    stride = np.int64(padded.shape[1])
    match = past.match
    slot = mark & (past.places.size - 1)
    if match[1] > 0:
        match[0] += 1
    else:
        entry = past.places[slot]
        match[0] = entry & 0xFFFFFFFF if entry >> 32 == mark else np.int64(0)
    past.places[slot] = (mark << 32) | (row * stride + col)
    match[2] = -1
    if match[0] != 0:
        y = match[0] // stride
        match[2] = padded[y, match[0] - y * stride]


@njit(cache=True, nogil=True, forceinline=True)
def confirm(past: Past, code: Int) -> None:
    """Note whether the match foretold the pixel."""
    match = past.match
    if match[2] == code:
        match[1] += 1
    else:
        match[1] = 0
        match[0] = 0
