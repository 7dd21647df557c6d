# mypy: disable-error-code="operator,arg-type,assignment,return-value"
"""A proxy of the coder's bits: what an index costs, by the indices around it, from counts.

The real coder's model changes with every pixel; the search needs one that stands still while it
tries candidates. A pixel's *event* is the first of W, N, NE and NW whose codeword it has, or none.
Events are counted by a context:

* which of W, N, NE and NW are equal, one of 15 patterns;
* which of them, if any, is the codeword nearest to the median-edge prediction ``W + N - NW``,
  limited to between W and N in each channel;
* whether WW is W, and NN is N;
* the activity ``|W - NW| + |N - NW| + |N - NE|`` in spacings of codewords, one of 7 classes.

Counts of a context are shrunk towards those of its pattern and activity. Where no neighbor has the
codeword, it costs the bits of its rank among the codewords nearest to the prediction, by activity,
less half the logarithm of its use. Outside of the image stands a codeword that no pixel has.

Bits are integers, in 1 / 256.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]

SCALE = 256
"""Parts of a bit that costs are counted in."""
ACTIVITIES, PATTERNS, PREDICTIONS, REPEATS = 7, 15, 5, 4
CONTEXTS = PATTERNS * PREDICTIONS * REPEATS * ACTIVITIES
EVENTS = 5
RANKS = 14
"""Classes of ranks: 0, 1, 2, 3..4, 5..8 and so on, up to 4096."""
SHRINKAGE = 8.0
_CUBE_BITS = 5
_BOUNDS = np.array([1, 2, 4, 7, 12, 20], dtype=np.int64)
"""Activities, in half spacings, at which classes begin."""


def _partitions() -> npt.NDArray[np.int64]:
    """Return the number of each pattern of equality of W, N, NE and NW, by six comparisons."""
    numbers = np.zeros(64, dtype=np.int64)
    seen: dict[int, int] = {}
    for labels in np.ndindex(4, 4, 4, 4):
        w, n, ne, nw = labels
        bits = (w == n) | (w == ne) << 1 | (w == nw) << 2
        bits |= (n == ne) << 3 | (n == nw) << 4 | (ne == nw) << 5
        numbers[bits] = seen.setdefault(int(bits), len(seen))
    return numbers


PATTERN = _partitions()


class Palette(NamedTuple):
    """A codebook and what the search looks up in it."""

    colors: npt.NDArray[np.int32]  # (k, 3)
    nearest: npt.NDArray[np.int32]  # (32, 32, 32) codeword nearest to the center of a cube
    ranks: npt.NDArray[np.uint8]  # (k, k) class of the rank of a codeword from another
    close: npt.NDArray[np.int32]  # (k, n) the nearest codewords of each, itself first
    spacing: int  # median distance to the nearest other codeword, in levels over three channels


class Costs(NamedTuple):
    """Bits of events, ranks and codewords."""

    events: npt.NDArray[np.int32]  # (CONTEXTS, EVENTS)
    ranks: npt.NDArray[np.int32]  # (ACTIVITIES, RANKS)
    uses: npt.NDArray[np.int32]  # (k,)


def new_palette(codebook: npt.NDArray[np.uint8], candidates: int) -> Palette:
    """Return the palette of a (k, 3) codebook."""
    colors = codebook.astype(np.int32)
    squares = ((colors[:, None] - colors[None]) ** 2).sum(axis=2)
    order = np.argsort(squares, axis=1, kind="stable")
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(len(colors))[None], axis=1)
    ranks = np.where(places < 3, places, 2 + np.ceil(np.log2(np.maximum(places, 3) - 1)))
    side = 1 << _CUBE_BITS
    centers = np.indices((side, side, side)).reshape(3, -1).T * 8 + 4
    nearest = np.empty(len(centers), dtype=np.int32)
    for start in range(0, len(centers), 4096):
        part = centers[start : start + 4096, None].astype(np.int32)
        nearest[start : start + 4096] = ((part - colors[None]) ** 2).sum(axis=2).argmin(axis=1)
    others = np.abs(colors[order[:, min(1, len(colors) - 1)]] - colors).sum(axis=1)
    return Palette(
        colors,
        nearest.reshape(side, side, side),
        ranks.astype(np.uint8),
        np.ascontiguousarray(order[:, :candidates].astype(np.int32)),
        max(1, int(np.median(others))),
    )


def new_costs(k: int) -> Costs:
    """Return costs before anything is counted."""
    return Costs(
        np.zeros((CONTEXTS, EVENTS), dtype=np.int32),
        np.zeros((ACTIVITIES, RANKS), dtype=np.int32),
        np.zeros(k, dtype=np.int32),
    )


def with_margins(labels: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int32]:
    """Return a map of labels between margins of -1: two rows above, two columns to each side."""
    framed = np.full((labels.shape[0] + 2, labels.shape[1] + 4), -1, dtype=np.int32)
    framed[2:, 2:-2] = labels
    return framed


def learn(labels: npt.NDArray[np.int32], palette: Palette) -> Costs:
    """Return the costs that the counts of a map of labels give.

    Parameters
    ----------
    labels : (h + 2, w + 4) int32
        Codewords, between margins of -1: two rows above, two columns to each side.
    palette : Palette
    """
    k = len(palette.colors)
    events = np.zeros((CONTEXTS, EVENTS), dtype=np.int64)
    ranks = np.zeros((ACTIVITIES, RANKS), dtype=np.int64)
    uses = np.zeros(k, dtype=np.int64)
    _count(labels, palette, events, ranks, uses)
    grouped = events.reshape(-1, ACTIVITIES, EVENTS)
    parent = grouped.reshape(PATTERNS, -1, ACTIVITIES, EVENTS).sum(axis=1) + 0.5
    parent /= parent.sum(axis=2, keepdims=True)
    parents = np.repeat(parent, PREDICTIONS * REPEATS, axis=0).reshape(CONTEXTS, EVENTS)
    shares = events + SHRINKAGE * parents
    shares /= shares.sum(axis=1, keepdims=True)
    sizes = np.bincount(palette.ranks.reshape(-1), minlength=RANKS) / k
    rank_shares = ranks + 0.5 * (sizes > 0)
    rank_shares = rank_shares / rank_shares.sum(axis=1, keepdims=True)
    rank_bits = -np.log2(np.maximum(rank_shares, 1e-9)) + np.log2(np.maximum(sizes, 1.0))
    use_bits = -0.5 * np.log2((uses + 1) / (uses + 1).mean())
    return Costs(
        np.rint(-np.log2(shares) * SCALE).astype(np.int32),
        np.rint(rank_bits * SCALE).astype(np.int32),
        np.rint(use_bits * SCALE).astype(np.int32),
    )


@njit(nogil=True, inline="always")
def _distance(colors: Array, one: int, other: int) -> int:
    return (
        abs(np.int64(colors[one, 0]) - np.int64(colors[other, 0]))
        + abs(np.int64(colors[one, 1]) - np.int64(colors[other, 1]))
        + abs(np.int64(colors[one, 2]) - np.int64(colors[other, 2]))
    )


@njit(nogil=True)
def context(labels: Array, row: int, column: int, palette: Palette) -> tuple[int, int, int]:
    """Return the context of a pixel, its activity, and the codeword that is predicted."""
    colors = palette.colors
    w, n = np.int64(labels[row, column - 1]), np.int64(labels[row - 1, column])
    nw, ne = np.int64(labels[row - 1, column - 1]), np.int64(labels[row - 1, column + 1])
    bits = np.int64(w == n) | np.int64(w == ne) << 1 | np.int64(w == nw) << 2
    bits |= np.int64(n == ne) << 3 | np.int64(n == nw) << 4 | np.int64(ne == nw) << 5
    repeats = np.int64(labels[row, column - 2] == w) + 2 * np.int64(labels[row - 2, column] == n)
    # colors at the border are those of a neighbor inside
    a = w if w >= 0 else n
    a = a if a >= 0 else np.int64(0)
    b = n if n >= 0 else a
    c = nw if nw >= 0 else b
    d = ne if ne >= 0 else b
    length = _distance(colors, a, c) + _distance(colors, b, c) + _distance(colors, b, d)
    length = 2 * length // palette.spacing
    activity = np.int64(0)
    for bound in _BOUNDS:
        activity += np.int64(length >= bound)
    place = np.int64(0)
    for channel in range(3):
        left, up = np.int64(colors[a, channel]), np.int64(colors[b, channel])
        corner = np.int64(colors[c, channel])
        level = min(max(left + up - corner, min(left, up)), max(left, up))
        place = place * 32 + (level >> 3)
    predicted = np.int64(palette.nearest.reshape(-1)[place])
    which = np.int64(0)
    if predicted == w:
        which = np.int64(1)
    elif predicted == n:
        which = np.int64(2)
    elif predicted == ne:
        which = np.int64(3)
    elif predicted == nw:
        which = np.int64(4)
    number = (PATTERN[bits] * PREDICTIONS + which) * REPEATS + repeats
    return number * ACTIVITIES + activity, activity, predicted


@njit(nogil=True, inline="always")
def event(labels: Array, row: int, column: int, label: int) -> int:
    """Return which neighbor, if any, has a codeword."""
    if labels[row, column - 1] == label:
        return 0
    if labels[row - 1, column] == label:
        return 1
    if labels[row - 1, column + 1] == label:
        return 2
    if labels[row - 1, column - 1] == label:
        return 3
    return 4


@njit(nogil=True)
def bits(labels: Array, row: int, column: int, palette: Palette, costs: Costs) -> int:
    """Return what the codeword of a pixel costs, in 1 / 256 of a bit."""
    number, activity, predicted = context(labels, row, column, palette)
    label = np.int64(labels[row, column])
    found = event(labels, row, column, label)
    cost = np.int64(costs.events[number, found])
    if found == 4:
        rank = np.int64(palette.ranks[predicted, label])
        cost += np.int64(costs.ranks[activity, rank]) + np.int64(costs.uses[label])
    return max(cost, 0)


@njit(cache=True, nogil=True)
def total_bits(labels: Array, palette: Palette, costs: Costs) -> int:
    """Return what all codewords cost, in 1 / 256 of a bit."""
    total = np.int64(0)
    for row in range(2, labels.shape[0]):
        for column in range(2, labels.shape[1] - 2):
            total += bits(labels, row, column, palette, costs)
    return total


@njit(cache=True, nogil=True)
def _count(labels: Array, palette: Palette, events: Array, ranks: Array, uses: Array) -> None:
    for row in range(2, labels.shape[0]):
        for column in range(2, labels.shape[1] - 2):
            number, activity, predicted = context(labels, row, column, palette)
            label = np.int64(labels[row, column])
            found = event(labels, row, column, label)
            events[number, found] += 1
            if found == 4:
                ranks[activity, palette.ranks[predicted, label]] += 1
                uses[label] += 1
