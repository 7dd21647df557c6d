"""Carryless binary range coder with 32-bit state and 16-bit probabilities, and the cost of a bit.

The coder holds an interval ``low..high`` of 32-bit numbers, initially all of them. A decision whose
probability of being 1 is ``p / 65536`` splits it at

    ``middle = low + (range >> 16) p + ((range & 65535) p >> 16)``,  ``range = high - low``

and a 1 keeps ``low..middle``, a 0 keeps ``middle + 1..high``. While both ends agree in their
highest byte, that byte is written, and both are shifted left by 8 bits, low filled with zeros and
high with ones. The flush writes the fewest bytes (none to four) that, followed by zeros, represent
a number inside the interval. The decoder starts with the first four bytes and reads zeros past the
end of its data.

A model codes its decisions into a *sink*: an `Encoder` writes them, a `Decoder` reads them, a
`Meter` adds up what they cost. Kernels are compiled for each type of sink.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from adaptive_kmeans.coding.context_mixing.kernel import SOURCES
from adaptive_kmeans.kernels import Int

LOW, HIGH, POSITION, CODE = 0, 1, 2, 3

COST_BITS = 16
"""Fractional bits of a cost, which is in units of 1/65536 bit."""


class Encoder(NamedTuple):
    """Writes decisions."""

    interval: NDArray[np.int64]  # (3,) low, high, and the bytes written
    stream: NDArray[np.uint8]  # bytes past its end are dropped
    sources: NDArray[np.void] = SOURCES


class Decoder(NamedTuple):
    """Reads decisions."""

    interval: NDArray[np.int64]  # (4,) low, high, the bytes read, and the last four of them
    stream: NDArray[np.uint8]
    sources: NDArray[np.void] = SOURCES


class Meter(NamedTuple):
    """Adds up the cost of decisions."""

    cost: NDArray[np.int64]  # (1,)
    sources: NDArray[np.void] = SOURCES


def _costs() -> NDArray[np.int32]:
    """Cost of an outcome with a 16-bit probability: ``-log2(p / 65536)``, rounded."""
    chances = np.arange(65537) / 65536
    chances[0] = chances[1]
    costs: NDArray[np.int32] = np.rint(-np.log2(chances) * (1 << COST_BITS)).astype(np.int32)
    return costs


COST = _costs()


def code(sink: Any, bit: Int, probability: Int) -> Int:
    """Code one decision with a 16-bit probability of being 1, and return the decision.

    `bit` is what is encoded or metered; a decoder ignores it.
    """
    return _CODE[type(sink)](sink, bit, probability)


def exhausted(sink: Any) -> Any:
    """Whether a decoder has read past its data, so that it can stop."""
    return _EXHAUSTED[type(sink)](sink)


def _encode(sink, bit, probability):
    interval = sink.interval
    low = interval[LOW]
    high = interval[HIGH]
    span = high - low
    middle = low + (span >> 16) * probability + (((span & 65535) * probability) >> 16)
    if bit != 0:
        high = middle
    else:
        low = middle + 1
    while ((low ^ high) & 0xFF000000) == 0:
        position = interval[POSITION]
        if position < sink.stream.size:
            sink.stream[np.uint64(position)] = high >> 24
        interval[POSITION] = position + 1
        low = (low << 8) & 0xFFFFFFFF
        high = ((high << 8) & 0xFFFFFFFF) | 255
    interval[LOW] = low
    interval[HIGH] = high
    return bit


def _decode(sink, bit, probability):
    interval = sink.interval
    low = interval[LOW]
    high = interval[HIGH]
    span = high - low
    middle = low + (span >> 16) * probability + (((span & 65535) * probability) >> 16)
    code = interval[CODE]
    bit = np.int64(code <= middle)
    if bit != 0:
        high = middle
    else:
        low = middle + 1
    while ((low ^ high) & 0xFF000000) == 0:
        position = interval[POSITION]
        byte = np.int64(0)
        if position < sink.stream.size:
            byte = np.int64(sink.stream[np.uint64(position)])
        code = ((code << 8) & 0xFFFFFFFF) | byte
        interval[POSITION] = position + 1
        low = (low << 8) & 0xFFFFFFFF
        high = ((high << 8) & 0xFFFFFFFF) | 255
    interval[LOW] = low
    interval[HIGH] = high
    interval[CODE] = code
    return bit


def _meter(sink, bit, probability):
    chance = probability if bit != 0 else 65536 - probability
    sink.cost[0] += np.int64(COST[np.uint64(chance)])
    return bit


def _never(sink):
    return False


def _past_the_end(sink):
    return sink.interval[POSITION] - 4 > sink.stream.size


_CODE: dict[type, Any] = {Encoder: _encode, Decoder: _decode, Meter: _meter}
_EXHAUSTED: dict[type, Any] = {Encoder: _never, Decoder: _past_the_end, Meter: _never}


@overload(code, jit_options={"forceinline": True}, strict=False)
def _compiled_code(sink: Any, bit: Any, probability: Any) -> Any:
    return _CODE[sink.instance_class]


@overload(exhausted, jit_options={"forceinline": True}, strict=False)
def _compiled_exhausted(sink: Any) -> Any:
    return _EXHAUSTED[sink.instance_class]


def encoder(room: int) -> Encoder:
    """Return an empty encoder with room for `room` bytes."""
    interval = np.array([0, 0xFFFFFFFF, 0], dtype=np.int64)
    return Encoder(interval, np.zeros(room, dtype=np.uint8))


def decoder(payload: bytes) -> Decoder:
    """Return a decoder that has read the first four bytes of `payload`."""
    first = int.from_bytes(payload[:4].ljust(4, b"\0"), "big")
    stream = np.frombuffer(payload, dtype=np.uint8).copy()
    return Decoder(np.array([0, 0xFFFFFFFF, 4, first], dtype=np.int64), stream)


def meter() -> Meter:
    """Return a meter that reads zero."""
    return Meter(np.zeros(1, dtype=np.int64))


def flush(low: int, high: int) -> bytes:
    """Return the last bytes of a stream, which represent a number inside its interval.

    >>> flush(0, 0xFFFFFFFF), flush(0x12345678, 0x12FFFFFF).hex()
    (b'', '1235')
    """
    for count in range(5):
        step = 1 << (32 - 8 * count)
        number = (low + step - 1) // step * step
        if number <= high:
            return number.to_bytes(5, "big")[1 : 1 + count]
    raise AssertionError("an interval holds at least its lower end")


def written(sink: Encoder) -> bytes | None:
    """Return all that an encoder has written, flushed, or None if it ran out of room."""
    low, high, position = (int(value) for value in sink.interval)
    if position > sink.stream.size:
        return None
    return sink.stream[:position].tobytes() + flush(low, high)


def is_canonical_end(sink: Decoder) -> bool:
    """Whether the decoder's data is exactly what an encoder would have written so far."""
    end = int(sink.interval[POSITION]) - 4
    rest = sink.stream[end:].tobytes()
    return len(sink.stream) >= end and rest == flush(
        int(sink.interval[LOW]), int(sink.interval[HIGH])
    )
