# mypy: disable-error-code="operator,arg-type,assignment,call-overload"
"""How the encoder fits a filter: least squares by class, coefficients by distortion and bits.

The squared error of a filter is a quadratic form of its coefficients, and the sums of all products
of inputs and targets give it for every form of the filter at once. So one pass over the image
suffices to decide on classes, rings, and each coefficient. What a bit is worth is a *price*: a
squared error, summed over pixels and channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from adaptive_kmeans.alpha import ONE, weights
from adaptive_kmeans.restoration.wiener import (
    FINE,
    INPUTS,
    LANES,
    LARGEST,
    OWN,
    SHIFT,
    Filter,
    Form,
    observe_tile,
    tiles,
)
from adaptive_kmeans.threads import Workers

Array = npt.NDArray[Any]
Image = npt.NDArray[np.uint8]
Sums = npt.NDArray[np.float64]

RIDGE = 1e-3
"""Penalty of a coefficient's distance from the default, as a fraction of the largest sum of
squares."""
WEIGHT_PARTS = 16
"""Units per full weight of a pixel, few enough that sums stay below 2**53."""
SWEEPS = 6
ROUNDS = 3
_ONE = float(1 << SHIFT)


def sums(original: Image, image: Image, workers: Workers, alpha: Image | None = None) -> Sums:
    """Sum the products of what pixels see and lack, by fine class: (FINE, LANES, LANES) float64.

    The inputs come first, then the three targets. All sums are integers below 2**53, and so do not
    depend on their order. With alpha, each pixel counts as far as it is visible, in sixteenths.
    """
    total = np.zeros((FINE, LANES, LANES))

    def add_up(top: int, left: int) -> Sums:
        return _tile_sums(original, image, alpha, top, left)

    for part in workers.map(add_up, tiles(image)):
        total += part
    return total if alpha is None else total / WEIGHT_PARTS


def _tile_sums(original: Image, image: Image, alpha: Image | None, top: int, left: int) -> Sums:
    classes, seen = observe_tile(image, original, top, left)
    order = np.argsort(classes.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(classes.reshape(-1), minlength=FINE))
    seen = seen.reshape(-1, LANES)[order]
    weighted = seen
    if alpha is not None:
        height, width = classes.shape
        weight = weights(alpha[top : top + height, left : left + width]) * WEIGHT_PARTS // ONE
        weighted = seen * weight.reshape(-1, 1)[order]
    total = np.zeros((FINE, LANES, LANES))
    for fine, end in enumerate(ends):
        own = slice(ends[fine - 1] if fine else 0, end)
        total[fine] = seen[own].T @ weighted[own]
    return total


def fit(total: Sums, form: Form, price: float) -> tuple[Filter | None, float]:
    """Fit a filter of a form; None if every class is best left alone.

    Returns
    -------
    filter : Filter or None
    error : float
        Squared error that it leaves, rounding and limits aside.
    """
    default = form.default.astype(np.float64)
    sides = [_side(total, group, form.inputs) for group in form.groups]
    started = [
        _least_squares(square, side, base) if square[0, 0] else np.zeros_like(base)
        for (square, side, _), base in zip(sides, default, strict=True)
    ]
    bits = _first_bits()
    differences = np.rint(np.array(started)).astype(np.int64)
    differences = np.clip(differences, -LARGEST - form.default, LARGEST - form.default)
    for _ in range(ROUNDS):
        for (square, side, _), base, own in zip(sides, default, differences, strict=True):
            _settle(square, side, base, price, bits, own)
        bits = _bits(differences)
    states, error = [], 0.0
    for (square, side, rest), base, own in zip(sides, default, differences, strict=True):
        costs = [
            rest,
            _error(square, side, rest, base) + price * 1e-3,
            _error(square, side, rest, base + own) + price * bits[_magnitude_bits(own)].sum(),
        ]
        state = int(np.argmin(costs))
        states.append(state)
        error += _error(square, side, rest, (0.0, base, base + own)[state])
    if not any(states):
        return None, error
    own_rows = differences[np.array(states) == OWN].astype(np.int32)
    return Filter(form, tuple(states), own_rows), error


def _side(total: Sums, group: tuple[int, ...], inputs: int) -> tuple[Sums, Sums, float]:
    """Return the normal equations of a class, and the squared error without a filter."""
    own = total[list(group)].sum(axis=0)
    targets = slice(INPUTS, INPUTS + 3)
    return own[:inputs, :inputs], own[:inputs, targets], float(np.trace(own[targets, targets]))


def _least_squares(square: Sums, side: Sums, base: Sums) -> Sums:
    """Return what should be added to the default, in its units: (inputs, 3)."""
    damped = square + RIDGE * square[0, 0] * np.eye(len(square))
    found: Sums = np.linalg.solve(damped, side * _ONE - square @ base)
    return found


def _error(square: Sums, side: Sums, rest: float, coefficients: Any) -> float:
    w = np.broadcast_to(np.asarray(coefficients) / _ONE, side.shape)
    return float(rest - 2 * (w * side).sum() + (w * (square @ w)).sum())


def _magnitude_bits(differences: Array) -> Array:
    bits: Array = np.frexp(np.abs(differences))[1]
    return np.minimum(bits, 12)


def _first_bits() -> npt.NDArray[np.float64]:
    n = np.arange(13)
    return np.where(n == 0, 1.0, 1.5 + 2.0 * n)


def _bits(differences: Array) -> npt.NDArray[np.float64]:
    """Return what a difference costs by the number of bits of its magnitude."""
    counts = np.bincount(_magnitude_bits(differences).reshape(-1), minlength=13) + 0.25
    n = np.arange(13)
    found: npt.NDArray[np.float64] = -np.log2(counts / counts.sum()) + n
    return found


@njit(cache=True, nogil=True)
def _settle(
    square: Array, side: Array, base: Array, price: float, bits: Array, differences: Array
) -> None:
    """Move each coefficient to where error and bits together are least, with the others fixed.

    square : (inputs, inputs) float64
    side, base : (inputs, 3) float64
    bits : (13,) float64
    differences : (inputs, 3) int64  # OUT, where the search starts
    """
    inputs = len(square)
    for c in range(3):
        slope = np.empty(inputs)  # half the slope of the error
        for i in range(inputs):
            slope[i] = -side[i, c] * _ONE
            for j in range(inputs):
                slope[i] += square[i, j] * (base[j, c] + differences[j, c])
        for _ in range(SWEEPS):
            for i in range(inputs):
                curve = square[i, i]
                now = differences[i, c]
                best, chosen = 0.0, now
                ideal = now if curve == 0.0 else now - round(slope[i] / curve)
                for trial in (ideal, ideal - (1 if ideal > 0 else -1), ideal // 2, 0, now):
                    if abs(trial) > 4095 or abs(trial + base[i, c]) > LARGEST:
                        continue
                    move = trial - now
                    change = (2 * slope[i] * move + curve * move * move) / (_ONE * _ONE)
                    change += price * (bits[_length(trial)] - bits[_length(now)])
                    if change < best:
                        best, chosen = change, trial
                if chosen != now:
                    move = chosen - now
                    differences[i, c] = chosen
                    for j in range(inputs):
                        slope[j] += square[j, i] * move


@njit(nogil=True)
def _length(value: int) -> int:
    """Bits of a magnitude, at most 12."""
    n = 0
    while n < 12 and (abs(value) >> n) != 0:
        n += 1
    return n
