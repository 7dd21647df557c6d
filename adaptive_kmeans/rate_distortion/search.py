# mypy: disable-error-code="operator,arg-type,assignment,return-value,no-any-return"
"""The search over the map of indices: iterated conditional modes.

J. Besag, "On the Statistical Analysis of Dirty Pictures", J. R. Stat. Soc. B 48 (3), 1986.

Pixel by pixel, in reading order, the search takes the codeword with the least distortion plus λ
times bits while all other pixels stay fixed. The bits are those of the pixel itself and of the four
later ones that see it.

Bands of rows are searched in parallel, first every other one and then those in between, so that no
two bands that see each other are searched at once: the result does not depend on the number of
threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.kernels import inlined, kernel
from adaptive_kmeans.rate_distortion.distortion import (
    Distortion,
    SeenDistortion,
    change,
    error_of,
    look,
)
from adaptive_kmeans.rate_distortion.loop import Loop
from adaptive_kmeans.rate_distortion.palette import Palette, nearest_to
from adaptive_kmeans.rate_distortion.proxy import Costs, bits, bits_in_context, context, event
from adaptive_kmeans.threads import Workers

Array = npt.NDArray[Any]

LATER = np.array([(0, 1), (1, -1), (1, 0), (1, 1)], dtype=np.int64)
"""(dy, dx) of the later pixels that see a pixel as W, NE, N and NW."""
PRICE_SCALE = 16
"""Units of prices per squared error."""
LARGEST_PRICE = 2**31 - 128
"""The largest price in these units, as an int32 and a float32 hold it."""
BAND = 32
"""Rows of a band."""
UNKNOWN = np.int64(1) << 62


class Choice(NamedTuple):
    """What a choice of codewords is based on."""

    image: npt.NDArray[np.uint8]  # (h, w, 3)
    labels: npt.NDArray[np.int32]  # (h + 2, w + 4) codewords; -1 in margins and for hidden pixels
    prices: npt.NDArray[np.int32]  # (h, w) squared error that a bit is worth, in 1 / 16
    distortion: Distortion | SeenDistortion | Loop
    palette: Palette
    costs: Costs


def sweep(
    choice: Choice, moved: Array, workers: Workers, waiting: Callable[[], None] | None = None
) -> int:
    """Choose every pixel's codeword once; return how many changed.

    Parameters
    ----------
    choice : Choice
        Its labels are OUT.
    moved : (2, h, w) uint8
        1 where a codeword changed in the previous sweep; then, OUT, in this one.
    workers : Workers
    waiting : callable, optional
        Called ten times a second; an exception from it ends the sweep.
    """
    height = len(choice.image)
    changes = 0
    for first in (0, BAND):
        bands = ((top, min(top + BAND, height)) for top in range(first, height, 2 * BAND))
        changes += sum(
            workers.in_order(
                lambda top, end: _sweep_rows(choice, moved, top, end, new_room(choice)),
                bands,
                waiting,
            )
        )
    return changes


def new_room(choice: Choice) -> Array:
    """Return a buffer for the candidates of a pixel, their errors, and what they cost alone."""
    return np.zeros((3, choice.palette.close.shape[1] + 9), dtype=np.int64)


@kernel
def _sweep_rows(choice: Choice, moved: Array, top: int, end: int, room: Array) -> int:
    labels, candidates, totals = choice.labels, room[0], room[2]
    changes = 0
    for y in range(top, end):
        for x in range(choice.prices.shape[1]):
            row, column = y + 2, x + 2
            now = np.int64(labels[row, column])
            if now < 0 or not _is_near(moved, y, x):
                continue
            count = cost_alone(choice, y, x, room)
            price = np.int64(choice.prices[y, x])
            best, least = now, add_later(choice, row, column, totals[0], price, UNKNOWN)
            totals[0] = UNKNOWN
            while True:
                place = cheapest(totals, count)
                if totals[place] >= least:
                    break
                labels[row, column] = candidates[place]
                cost = add_later(choice, row, column, totals[place], price, least)
                totals[place] = UNKNOWN
                if cost < least:
                    best, least = candidates[place], cost
            labels[row, column] = best
            change(choice.distortion, y, x, now, best)
            moved[1, y, x] = np.int64(best != now)
            changes += np.int64(best != now)
    return changes


@inlined
def cost_alone(choice: Choice, y: int, x: int, room: Array) -> int:
    """Find what the candidates of a pixel cost, later pixels aside; return how many there are."""
    labels, palette, costs = choice.labels, choice.palette, choice.costs
    candidates, errors, totals = room[0], room[1], room[2]
    count = _list_candidates(choice, y, x, candidates)
    price = np.int64(choice.prices[y, x])
    seen = context(labels, y + 2, x + 2, palette)
    errors_around = look(choice.distortion, y, x)
    for i in range(count):
        label = candidates[i]
        found = event(labels, y + 2, x + 2, label, costs.seen)
        own = bits_in_context(seen, found, label, palette, costs)
        error = error_of(choice.distortion, errors_around, y, x, candidates[0], label)
        errors[i] = PRICE_SCALE * error
        totals[i] = errors[i] + price * own
    return count


@inlined
def _list_candidates(choice: Choice, y: int, x: int, candidates: Array) -> int:
    """List the codewords that a pixel tries, its current one first; return how many there are.

    They are those of the eight surrounding pixels that belong to its region, and those nearest to
    its color.
    """
    labels, palette = choice.labels, choice.palette
    row, column = y + 2, x + 2
    candidates[0] = labels[row, column]
    region = palette.colors[candidates[0], 3]
    count = np.int64(1)
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            if row + dy < labels.shape[0]:
                label = np.int64(labels[row + dy, column + dx])
                if label >= 0 and palette.colors[label, 3] == region:
                    count = _add(candidates, count, label)
    first = nearest_to(palette, region, choice.image[y, x])
    for i in range(palette.close.shape[1]):
        count = _add(candidates, count, np.int64(palette.close[first, i]))
    return count


@inlined
def _add(candidates: Array, count: int, label: int) -> int:
    """Add a candidate unless it is already there; return how many there are."""
    for i in range(count):
        if candidates[i] == label:
            return count
    candidates[count] = label
    return count + 1


@inlined
def cheapest(totals: Array, count: int) -> int:
    """Return the place of the smallest total, the first of equal ones."""
    place = np.int64(0)
    for i in range(1, count):
        if totals[i] < totals[place]:
            place = np.int64(i)
    return place


@inlined
def _is_near(moved: Array, y: int, x: int) -> bool:
    """Whether a codeword within two pixels changed in the previous sweep or in this one."""
    for row in range(max(y - 2, 0), min(y + 3, moved.shape[1])):
        for column in range(max(x - 2, 0), min(x + 3, moved.shape[2])):
            if moved[0, row, column] != 0 or moved[1, row, column] != 0:
                return True
    return False


@inlined
def add_later(choice: Choice, row: int, column: int, total: int, price: int, least: int) -> int:
    """Add λ times the bits of the later pixels that see a pixel to its own cost.

    Once the sum is no less than `least`, the rest is not added.
    """
    labels = choice.labels
    for i in range(4):
        if total >= least:
            return total
        below, beside = row + LATER[i, 0], column + LATER[i, 1]
        if below >= labels.shape[0] or not 2 <= beside < labels.shape[1] - 2:
            continue
        if labels[below, beside] >= 0:
            total += price * bits(labels, below, beside, choice.palette, choice.costs)
    return total
