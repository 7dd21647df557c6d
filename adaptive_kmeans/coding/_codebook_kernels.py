# mypy: disable-error-code="operator,arg-type,assignment,call-overload"
"""The codebook's model: each codeword as its difference from the one before.

Green goes first; red and blue are foretold with green's change added. A difference modulo 256 is
mapped to 0, 1, 2, … for 0, -1, 1, -2, …; ``n``, the number of bits of that value, is coded in
unary with a counter for each channel, the last difference's ``n`` in this codeword (cut to 4 and
above) and each step; the bits below its highest one follow from the top, the first two with a
counter for each channel and ``n``, the others with probability 1/2.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from adaptive_kmeans.coding._mixing_kernels import NEW_COUNTER, learn
from adaptive_kmeans.coding._range_coder import code_bit

Int = Any  # int or np.int64, as Numba types it

COUNTERS = 3 * 9 * 16 + 3 * 16 * 4
LIMIT = 60


@njit(cache=True, nogil=True)
def code_adaptive(
    counters: NDArray[np.uint32],
    slot: Int,
    coder: NDArray[np.int64],
    stream: NDArray[np.uint8],
    decoding: bool,
    bit: Int,
) -> Int:
    """Code one decision with one counter."""
    chance = min(max((np.int64(counters[slot]) ^ NEW_COUNTER) >> 16, 64), 65472)
    bit = code_bit(coder, stream, decoding, bit, chance)
    learn(counters, slot, bit, LIMIT)
    return bit


@njit(cache=True, nogil=True)
def code_codebook(
    decoding: bool,
    codebook: NDArray[np.int64],  # (k, 3); OUT when decoding
    counters: NDArray[np.uint32],  # (COUNTERS,)
    coder: NDArray[np.int64],
    stream: NDArray[np.uint8],
) -> None:
    """Code the codewords in their order."""
    mantissas = 3 * 9 * 16
    before = np.full(3, 128, dtype=np.int64)
    for i in range(codebook.shape[0]):
        shift = np.int64(0)
        last = np.int64(0)
        for step in range(3):
            channel = (1, 0, 2)[step]
            foretold = min(max(before[channel] + shift, 0), 255)
            change = (codebook[i, channel] - foretold + 128) % 256 - 128
            value = 2 * change if change >= 0 else -2 * change - 1
            size = np.int64(0)
            while value >> size != 0:
                size += 1
            n = np.int64(0)
            while n < 8:
                slot = (step * 9 + min(last, 8)) * 16 + n
                if code_adaptive(counters, slot, coder, stream, decoding, np.int64(n < size)) == 0:
                    break
                n += 1
            number = np.int64(n > 0)
            for place in range(n - 2, -1, -1):
                bit = (value >> place) & 1
                if n - place <= 3:
                    slot = mantissas + (step * 16 + n) * 4 + (n - 2 - place) * 2
                    if n - place == 3:
                        slot += number & 1
                    bit = code_adaptive(counters, slot, coder, stream, decoding, bit)
                else:
                    bit = code_bit(coder, stream, decoding, bit, 32768)
                number = 2 * number + bit
            change = number >> 1 if number & 1 == 0 else -((number + 1) >> 1)
            color = (foretold + change) & 255
            codebook[i, channel] = color
            last = n
            if step == 0:
                shift = color - before[1]
        for channel in range(3):
            before[channel] = codebook[i, channel]
