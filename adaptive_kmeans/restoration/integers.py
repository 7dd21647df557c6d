# mypy: disable-error-code="operator,arg-type,assignment,call-overload,untyped-decorator"
"""Arrays of small signed integers, range coded: coefficients of filters, block means.

An array is (rows, columns, channels); its values are coded in that order, channels innermost. With
W, N, NW and NE the values to the left, above, above left and above right, and P that of the
previous channel, all 0 outside the array, the context of a value is made of

* ``size``, the number of the bounds 1, 2, 3, 5, 8, 13, 21 that ``2 |W| + 2 |N| + |NW| + |NE| + 2
  |P|`` reaches;
* ``lean``, the number of the bounds 1, 3, 6, 12 that ``|L|`` reaches, ``L = 2 W + 2 N + NW + NE``;
* ``set``, the channel, or 0 in an array that is coded as *one set*:

``context = (set * 8 + size) * 5 + lean``. With ``n`` the number of bits of its magnitude, a value
is coded as

1. whether it is not 0, by the counter ``26 context``;
2. if so, whether it has the sign of L, by the counter ``26 context + 1``; with L = 0 whether it is
   positive, with probability 1/2;
3. whether n is larger than k, for k = 1, 2, … up to 11, until it is not, by the counters ``26
   context + 1 + k``, plus 12 if step 2 gave 1, with L = 0 too; n is at most 12;
4. the bits of the magnitude below the highest one, from the top, the first by the counter ``4160 +
   (16 set + n) * 2``, plus 1 if step 2 gave 1; others with probability 1/2.

The counters are those of `adaptive_kmeans.coding.context_mixing.mixer`. Each is used alone: the
highest 16 bits of its probability, kept within 64..65472, are the probability of a 1. It counts up
to 250. An array without values is coded as no bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptive_kmeans.coding.context_mixing.mixer import chance, learn_alone
from adaptive_kmeans.coding.context_mixing.range_coder import (
    code,
    decoder,
    encoder,
    exhausted,
    is_canonical_end,
    written,
)
from adaptive_kmeans.errors import CorruptError
from adaptive_kmeans.kernels import Int, inlined, kernel

MOST_BITS = 12
"""Bits of a magnitude: values lie within -4095..4095."""
MOST_CHANNELS = 4
CONTEXT_COUNTERS = 26
BELOW_HIGHEST = MOST_CHANNELS * 8 * 5 * CONTEXT_COUNTERS
COUNTERS = BELOW_HIGHEST + MOST_CHANNELS * 16 * 2
LIMIT = 250
HALF = np.int64(32768)

SIZE = np.searchsorted((1, 2, 3, 5, 8, 13, 21), np.arange(22), side="right").astype(np.int64)
LEAN = np.searchsorted((1, 3, 6, 12), np.arange(13), side="right").astype(np.int64)


@inlined
def _code_bit(sink: Any, counters: NDArray[np.uint32], slot: Int, bit: Int) -> Int:
    probability = min(max(chance(counters, slot), 64), 65472)
    bit = code(sink, bit, probability)
    learn_alone(counters, slot, bit, LIMIT)
    return bit


@inlined
def _code_value(
    sink: Any, counters: NDArray[np.uint32], value: Int, leaning: Int, size: Int, group: Int
) -> Int:
    lean = LEAN[min(abs(leaning), 12)]
    first = ((group * 8 + SIZE[min(size, 21)]) * 5 + lean) * CONTEXT_COUNTERS
    magnitude = abs(value)
    if _code_bit(sink, counters, first, np.int64(magnitude > 0)) == 0:
        return np.int64(0)
    if leaning != 0:
        agrees = _code_bit(sink, counters, first + 1, np.int64((value < 0) == (leaning < 0)))
        sign = np.int64(1) if (leaning > 0) == (agrees != 0) else np.int64(-1)
    else:
        agrees = code(sink, np.int64(value > 0), HALF)
        sign = 2 * agrees - 1
    n = np.int64(1)
    while n < MOST_BITS:
        more = np.int64((magnitude >> n) != 0)
        if _code_bit(sink, counters, first + 1 + n + 12 * agrees, more) == 0:
            break
        n += 1
    coded = np.int64(1)
    for place in range(n - 2, -1, -1):
        bit = (magnitude >> place) & 1
        if place == n - 2:
            bit = _code_bit(sink, counters, BELOW_HIGHEST + (16 * group + n) * 2 + agrees, bit)
        else:
            bit = code(sink, bit, HALF)
        coded = 2 * coded + bit
    return sign * coded


@kernel
def code_values(
    sink: Any, values: NDArray[np.int32], one_set: Int, counters: NDArray[np.uint32]
) -> None:
    """Code the values of an array, or decode them into it."""
    rows, columns, channels = values.shape
    for row in range(rows):
        for column in range(columns):
            for channel in range(channels):
                west = north = corner = east = before = np.int64(0)
                if column > 0:
                    west = np.int64(values[row, column - 1, channel])
                if row > 0:
                    north = np.int64(values[row - 1, column, channel])
                    if column > 0:
                        corner = np.int64(values[row - 1, column - 1, channel])
                    if column + 1 < columns:
                        east = np.int64(values[row - 1, column + 1, channel])
                if channel > 0:
                    before = np.int64(values[row, column, channel - 1])
                leaning = 2 * west + 2 * north + corner + east
                size = 2 * (abs(west) + abs(north) + abs(before)) + abs(corner) + abs(east)
                group = np.int64(0) if one_set != 0 else np.int64(channel)
                value = np.int64(values[row, column, channel])
                value = _code_value(sink, counters, value, leaning, size, group)
                values[row, column, channel] = value
            if exhausted(sink):
                return


def encode(values: NDArray[np.int32], *, one_set: bool = False) -> bytes:
    """Payload of (rows, columns, channels) values within -4095..4095, of at most 4 channels."""
    room = 4 * values.size + 64
    sink = encoder(room)
    counters = np.zeros(COUNTERS, dtype=np.uint32)
    code_values(sink, values.astype(np.int32, order="C"), np.int64(one_set), counters)
    payload = written(sink)
    if payload is None:
        raise AssertionError("a value takes less than 4 bytes")
    return payload


def decode(
    payload: bytes, shape: tuple[int, int, int], what: str, *, one_set: bool = False
) -> NDArray[np.int32]:
    """Values of a payload, of a shape.

    Raises
    ------
    CorruptError
        No array of this shape is coded as `payload`.
    """
    values = np.zeros(shape, dtype=np.int32)
    sink = decoder(payload)
    code_values(sink, values, np.int64(one_set), np.zeros(COUNTERS, dtype=np.uint32))
    if not is_canonical_end(sink):
        raise CorruptError(what, "the values that it should have, and no more", "another end")
    return values
