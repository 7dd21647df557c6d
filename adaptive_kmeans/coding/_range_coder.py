"""Binary range coder, carryless, 32 bits of state, 16-bit probabilities.

The coder holds an interval ``low..high`` of 32-bit numbers, first all of them. A decision whose
probability of being 1 is ``p / 65536`` splits it at

    ``middle = low + (range >> 16) p + ((range & 65535) p >> 16)``,  ``range = high - low``

and a 1 keeps ``low..middle``, a 0 keeps ``middle + 1..high``. While both ends agree in their
highest byte, that byte is written, and both shift left by 8 bits, low filled with zeros and high
with ones. In the end the fewest bytes (none to four) are written that, followed by zeros, name a
number inside the interval. The decoder reads zeros past the end of its data.

The state is an int64 array ``low, high, code, position``; kernels validate nothing.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int = Any  # int or np.int64, as Numba types it

LOW, HIGH, CODE, POSITION = 0, 1, 2, 3


@njit(cache=True, nogil=True, forceinline=True)
def code_bit(
    state: NDArray[np.int64],  # (4,), updated
    stream: NDArray[np.uint8],  # read when decoding; OUT when encoding
    decoding: bool,
    bit: Int,
    probability: Int,
) -> Int:
    """Code one decision with a 16-bit probability of being 1; the decision is returned."""
    low = state[0]
    high = state[1]
    span = high - low
    middle = low + (span >> 16) * probability + (((span & 65535) * probability) >> 16)
    if decoding:
        bit = np.int64(state[2] <= middle)
    if bit != 0:
        high = middle
    else:
        low = middle + 1
    while ((low ^ high) & 0xFF000000) == 0:
        position = state[3]
        if decoding:
            byte = np.int64(0)
            if position < stream.size:
                byte = np.int64(stream[position])
            state[2] = ((state[2] << 8) & 0xFFFFFFFF) | byte
        elif position < stream.size:
            stream[position] = high >> 24
        state[3] = position + 1
        low = (low << 8) & 0xFFFFFFFF
        high = ((high << 8) & 0xFFFFFFFF) | 255
    state[0] = low
    state[1] = high
    return bit


def start_encoding() -> NDArray[np.int64]:
    """State of a coder that has written nothing."""
    return np.array([0, 0xFFFFFFFF, 0, 0], dtype=np.int64)


def start_decoding(payload: bytes) -> NDArray[np.int64]:
    """State of a coder that has looked at the first four bytes of `payload`."""
    code = int.from_bytes(payload[:4].ljust(4, b"\0"), "big")
    return np.array([0, 0xFFFFFFFF, code, 4], dtype=np.int64)


def tail(state: NDArray[np.int64]) -> bytes:
    """Return the last bytes of a stream, which end its interval.

    >>> tail(start_encoding()), tail(np.array([0x12345678, 0x12FFFFFF, 0, 0])).hex()
    (b'', '1235')
    """
    low, high = int(state[LOW]), int(state[HIGH])
    for count in range(5):
        step = 1 << (32 - 8 * count)
        number = (low + step - 1) // step * step
        if number <= high:
            return number.to_bytes(5, "big")[1 : 1 + count]
    raise AssertionError("an interval holds at least its lower end")


def ends_well(state: NDArray[np.int64], payload: bytes) -> bool:
    """Whether `payload` is what an encoder would have written up to this state of its decoder."""
    written = int(state[POSITION]) - 4
    return len(payload) >= written and payload[written:] == tail(state)
