# mypy: disable-error-code="operator,arg-type,assignment,return-value,no-any-return"
"""A proxy for the coder's bits: what an index costs given the indices around it, from counts.

The real coder's model changes with every pixel; the search needs one that stays fixed while it
tries candidates. A pixel's *event* is the first of W, N, NE and NW whose codeword it has, or none.
Events are counted in a context of:

* which of W, N, NE and NW are equal, one of 15 patterns;
* which of them, if any, is the codeword nearest to the median-edge prediction ``W + N - NW``,
  limited to between W and N in each channel;
* whether WW is W, and NN is N;
* the activity ``|W - NW| + |N - NW| + |N - NE|`` in spacings of codewords, one of 7 classes.

The counts of a context are shrunk toward those of its pattern and activity. If no neighbor has the
codeword, it costs the bits of its distance from the prediction, given the activity, plus those of
choosing among the codewords at this distance, minus half the logarithm of its use. Places outside
the image, and hidden pixels, which cost nothing, have a codeword that no visible pixel has.

Bits are integers, in 1 / 256.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.kernels import inlined, kernel
from adaptive_kmeans.quantize import Quantized
from adaptive_kmeans.rate_distortion.palette import (
    SIDE,
    SPANS,
    Palette,
    distance,
    labels_of,
    new_palette,
)
from adaptive_kmeans.threads import Workers

Array = npt.NDArray[Any]

SCALE = 256
"""Units of costs per bit."""
ACTIVITIES, PATTERNS, PREDICTIONS, REPEATS = 7, 15, 5, 4
CONTEXTS = PATTERNS * PREDICTIONS * REPEATS * ACTIVITIES
EVENTS = 5
NONE = 4
"""The event that no neighbor has the codeword."""
SHRINKAGE = 8.0


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


class Costs(NamedTuple):
    """Bits of events, distances and codewords."""

    events: npt.NDArray[np.int32]  # (CONTEXTS, EVENTS)
    spans: npt.NDArray[np.int32]  # (ACTIVITIES, SPANS)
    choices: npt.NDArray[np.int32]  # (n, SPANS) to choose among those within a span
    uses: npt.NDArray[np.int32]  # (n,)
    seen: int  # of W, N, NE and NW, how many are events of their own


def learn(labels: npt.NDArray[np.int32], palette: Palette) -> Costs:
    """Return the costs that follow from the counts in a map of labels.

    Parameters
    ----------
    labels : (h + 2, w + 4) int32
        Codewords, between margins of -1: two rows above, two columns to each side.
    palette : Palette
    """
    events = np.zeros((CONTEXTS, EVENTS), dtype=np.int64)
    spans = np.zeros((ACTIVITIES, SPANS), dtype=np.int64)
    uses = np.zeros(len(palette.colors), dtype=np.int64)
    _count(labels, palette, events, spans, uses)
    grouped = events.reshape(-1, ACTIVITIES, EVENTS)
    parent = grouped.reshape(PATTERNS, -1, ACTIVITIES, EVENTS).sum(axis=1) + 0.5
    parent /= parent.sum(axis=2, keepdims=True)
    parents = np.repeat(parent, PREDICTIONS * REPEATS, axis=0).reshape(CONTEXTS, EVENTS)
    shares = events + SHRINKAGE * parents
    shares /= shares.sum(axis=1, keepdims=True)
    span_shares = spans + 0.5
    span_shares /= span_shares.sum(axis=1, keepdims=True)
    return Costs(
        in_parts(-np.log2(shares)),
        in_parts(-np.log2(span_shares)),
        in_parts(np.log2(np.maximum(palette.within, 1))),
        in_parts(-0.5 * np.log2((uses + 1) / (uses + 1).mean())),
        NONE,
    )


def estimated_bits(quantized: Quantized) -> float:
    """Return the bits of all indices of a quantized image, by their own counts."""
    labels = labels_of(quantized)
    with Workers() as workers:
        palette = new_palette(quantized.codebooks, 1, workers)
    return total_bits(labels, palette, learn(labels, palette)) / SCALE


def in_parts(bits: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """Return bits in 1 / 256."""
    return np.rint(bits * SCALE).astype(np.int32)


@inlined
def context(labels: Array, row: int, column: int, palette: Palette) -> tuple[int, int, int]:
    """Return the context of a pixel, its activity, and the predicted codeword."""
    colors = palette.colors
    w, n = np.int64(labels[row, column - 1]), np.int64(labels[row - 1, column])
    nw, ne = np.int64(labels[row - 1, column - 1]), np.int64(labels[row - 1, column + 1])
    repeats = np.int64(labels[row, column - 2] == w) + 2 * np.int64(labels[row - 2, column] == n)
    pattern = np.int64(w == n) | np.int64(w == ne) << 1 | np.int64(w == nw) << 2
    pattern |= np.int64(n == ne) << 3 | np.int64(n == nw) << 4 | np.int64(ne == nw) << 5
    # colors at the border are those of a neighbor inside
    a = w if w >= 0 else n
    a = a if a >= 0 else np.int64(0)
    b = n if n >= 0 else a
    c = nw if nw >= 0 else b
    d = ne if ne >= 0 else b
    length = distance(colors, a, c) + distance(colors, b, c) + distance(colors, b, d)
    activity = np.int64(palette.lengths[length])
    place = np.int64(0)
    for channel in range(3):
        left, up = np.int64(colors[a, channel]), np.int64(colors[b, channel])
        corner = np.int64(colors[c, channel])
        level = min(max(left + up - corner, min(left, up)), max(left, up))
        place = place * SIDE + (level >> 3)
    region = colors[labels[row, column], 3]
    predicted = np.int64(palette.nearest[region, place])
    which = np.int64(0)
    if predicted == w:
        which = np.int64(1)
    elif predicted == n:
        which = np.int64(2)
    elif predicted == ne:
        which = np.int64(3)
    elif predicted == nw:
        which = np.int64(4)
    number = (PATTERN[pattern] * PREDICTIONS + which) * REPEATS + repeats
    return number * ACTIVITIES + activity, activity, predicted


@inlined
def event(labels: Array, row: int, column: int, label: int, seen: int) -> int:
    """Return which of the neighbors that are seen has a codeword, if any."""
    found = NONE
    if seen > 3 and labels[row - 1, column - 1] == label:
        found = 3
    if seen > 2 and labels[row - 1, column + 1] == label:
        found = 2
    if seen > 1 and labels[row - 1, column] == label:
        found = 1
    if seen > 0 and labels[row, column - 1] == label:
        found = 0
    return found


@inlined
def bits_in_context(
    seen: tuple[int, int, int], found: int, label: int, palette: Palette, costs: Costs
) -> int:
    """Return what an event and a codeword cost in a context, in 1 / 256 of a bit."""
    number, activity, predicted = seen
    cost = np.int64(costs.events[number, found])
    if found == NONE:
        span = palette.spans[distance(palette.colors, predicted, label)]
        cost += np.int64(costs.spans[activity, span]) + np.int64(costs.choices[predicted, span])
        cost = max(cost + np.int64(costs.uses[label]), np.int64(0))
    return cost


@inlined
def bits(labels: Array, row: int, column: int, palette: Palette, costs: Costs) -> int:
    """Return what the codeword of a pixel costs, in 1 / 256 of a bit."""
    label = np.int64(labels[row, column])
    seen = context(labels, row, column, palette)
    return bits_in_context(
        seen, event(labels, row, column, label, costs.seen), label, palette, costs
    )


@kernel
def total_bits(labels: Array, palette: Palette, costs: Costs) -> int:
    """Return what all codewords cost, in 1 / 256 of a bit."""
    total = np.int64(0)
    for row in range(2, labels.shape[0]):
        for column in range(2, labels.shape[1] - 2):
            if labels[row, column] >= 0:
                total += bits(labels, row, column, palette, costs)
    return total


@kernel
def _count(labels: Array, palette: Palette, events: Array, spans: Array, uses: Array) -> None:
    for row in range(2, labels.shape[0]):
        for column in range(2, labels.shape[1] - 2):
            if labels[row, column] < 0:
                continue
            number, activity, predicted = context(labels, row, column, palette)
            label = np.int64(labels[row, column])
            found = event(labels, row, column, label, NONE)
            events[number, found] += 1
            if found == NONE:
                spans[activity, palette.spans[distance(palette.colors, predicted, label)]] += 1
                uses[label] += 1
