# mypy: disable-error-code="operator,arg-type,assignment,call-overload"
"""Codebooks: each codeword is coded as its difference from the previous one.

Every quantizer produces codebooks in luma order, and a file's reader receives them in that order.
Luma order is expensive to code, though: its neighbors share a brightness, not a color. (On bundled
photographs, 256 codewords cost 15 to 19 % more in it.) The codewords of such a codebook are
therefore coded as a set, in an order of the encoder's choice, and the decoder sorts them.

A payload of fewer than 3 k bytes is range coded. One decision, of probability 64512 / 65536, says
whether the codebook is in luma order (299 R + 587 G + 114 B, then R, G, B). If it is, its codewords
follow in any order, otherwise in their own. A payload of 3 k bytes is the codewords themselves.

Green comes first; its prediction is the green of the previous codeword (128 for the first). Red and
blue are predicted likewise with the change in green added, clamped to 0..255. A difference from the
prediction, modulo 256 in -128..127, is mapped to 0, 1, 2, … for 0, -1, 1, -2, …; ``n``, the bit
length of that value, is coded in unary by up to 8 decisions, "n is larger than 0, 1, …". The bits
below the highest one follow, most significant first. Each of these decisions is predicted by one
counter alone. The counters are indexed as follows:

* unary: ``(channel * 9 + last) * 16 + step``, where the channel is 0 for green, 1 for red and 2 for
  blue, ``last`` is the ``n`` of the previous channel of this codeword (0 for green), and ``step``
  is 0..7;
* first bit below the highest: ``432 + (channel * 16 + n) * 4``; second: the same plus 2 plus the
  first bit; others have probability 1/2 and no counter.

A counter's probability, its highest 16 bits, is clamped to 64..65472 for coding; its count goes up
to 60.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptive_kmeans.coding.context_mixing.mixer import chance, learn_alone
from adaptive_kmeans.coding.context_mixing.range_coder import (
    code,
    decoder,
    encoder,
    is_canonical_end,
    written,
)
from adaptive_kmeans.errors import CorruptError
from adaptive_kmeans.kernels import Int, inlined, kernel
from adaptive_kmeans.luma import luma_order

Bytes = NDArray[np.uint8]

SORTED_CHANCE = 64512
"""Probability that a codebook is in luma order: 63/64, since every quantizer's is."""
BELOW_HIGHEST = 3 * 9 * 16
COUNTERS = BELOW_HIGHEST + 3 * 16 * 4
LIMIT = 60


def encode(codebook: Bytes) -> bytes:
    """Return the payload of a (k, 3) codebook: coded differences, or its bytes if no longer."""
    is_sorted = bool((codebook[luma_order(codebook)] == codebook).all())
    colors = (codebook[chain(codebook)] if is_sorted else codebook).astype(np.int64, order="C")
    sink = encoder(4 * colors.size + 64)
    code(sink, int(is_sorted), SORTED_CHANCE)
    code_codebook(sink, colors, _counters())
    payload = written(sink)
    return payload if payload is not None and len(payload) < colors.size else codebook.tobytes()


def decode(payload: bytes, k: int) -> Bytes:
    """Return the (k, 3) codebook of a payload.

    Raises
    ------
    CorruptError
        `payload` does not code a codebook of `k` codewords.
    """
    if len(payload) == 3 * k:
        return np.frombuffer(payload, dtype=np.uint8).reshape(k, 3).copy()
    if len(payload) > 3 * k:
        raise CorruptError("codebook", f"at most {3 * k} bytes for {k} codewords", len(payload))
    colors = np.zeros((k, 3), dtype=np.int64)
    sink = decoder(payload)
    is_sorted = code(sink, 0, SORTED_CHANCE)
    code_codebook(sink, colors, _counters())
    if not is_canonical_end(sink):
        raise CorruptError("codebook", f"a payload of {k} codewords", f"{len(payload)} bytes")
    codebook = colors.astype(np.uint8)
    return codebook[luma_order(codebook)] if is_sorted else codebook


def chain(codebook: Bytes) -> NDArray[np.int64]:
    """Return an order in which a (k, 3) codebook costs few bytes.

    From the darkest codeword on, each is followed by the nearest of the remaining ones (ties: the
    lowest index). Only the encoder needs this order.

    Examples
    --------
    >>> chain(np.array([[9, 9, 9], [200, 0, 0], [0, 0, 0]], dtype=np.uint8)).tolist()
    [2, 0, 1]
    """
    colors = codebook.astype(np.int64)
    order = np.zeros(len(colors), dtype=np.int64)
    used = np.zeros(len(colors), dtype=np.int64)
    distance = colors.sum(axis=1)
    for i in range(len(colors)):
        order[i] = np.argmin(distance + used)
        used[order[i]] = 1 << 40
        distance = np.square(colors - colors[order[i]]).sum(axis=1)
    return order


def _counters() -> NDArray[np.uint32]:
    return np.zeros(COUNTERS, dtype=np.uint32)


@inlined
def code_alone(sink: Any, counters: NDArray[np.uint32], slot: Int, bit: Int) -> Int:
    """Code one decision with one counter."""
    bit = code(sink, bit, min(max(chance(counters, slot), 64), 65472))
    learn_alone(counters, slot, bit, np.int64(LIMIT))
    return bit


@kernel
def code_codebook(
    sink: Any,
    codebook: NDArray[np.int64],  # (k, 3); OUT when decoding
    counters: NDArray[np.uint32],  # (COUNTERS,)
) -> None:
    """Code the codewords in the given order."""
    red, green, blue = np.int64(128), np.int64(128), np.int64(128)
    for i in range(codebook.shape[0]):
        shift = np.int64(0)
        last = np.int64(0)
        for step in range(3):
            channel, before = (1, 0, 2)[step], (green, red, blue)[step]
            predicted = min(max(before + shift, 0), 255)
            change = (codebook[i, channel] - predicted + 128) % 256 - 128
            value = 2 * change if change >= 0 else -2 * change - 1
            size = np.int64(0)
            while value >> size != 0:
                size += 1
            n = np.int64(0)
            while n < 8:
                slot = (step * 9 + last) * 16 + n
                if code_alone(sink, counters, slot, np.int64(n < size)) == 0:
                    break
                n += 1
            number = np.int64(n > 0)
            for place in range(n - 2, -1, -1):
                bit = (value >> place) & 1
                if n - place <= 3:
                    slot = BELOW_HIGHEST + (step * 16 + n) * 4 + (n - 2 - place) * 2
                    if n - place == 3:
                        slot += number & 1
                    bit = code_alone(sink, counters, slot, bit)
                else:
                    bit = code(sink, bit, np.int64(32768))
                number = 2 * number + bit
            change = number >> 1 if number & 1 == 0 else -((number + 1) >> 1)
            codebook[i, channel] = (predicted + change) & 255
            last = n
            if step == 0:
                shift = codebook[i, 1] - green
        red, green, blue = codebook[i, 0], codebook[i, 1], codebook[i, 2]
