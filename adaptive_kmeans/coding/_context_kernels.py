# mypy: disable-error-code="operator,arg-type,assignment,call-overload"
"""What both kinds of decision share: where counters lie, hashes, and patterns of neighbors."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from adaptive_kmeans.coding._memory import prefetch
from adaptive_kmeans.coding._neighborhood_kernels import NEIGHBORS

Int = Any  # int or np.int64, as Numba types it

HASHED_SAME, HASHED_TURN = 11, 13
"""Hashed contexts of the same-decision and of a turn."""
SMALL = 1 << 18
"""Counters of one direct context."""
DIRECT_SAME, DIRECT_TURN = 7, 4
"""Tables of direct contexts; a turn has one more, by plane."""
SAME_SETS, TURN_SETS = 256 + 192 + 32, 9 * 32 + 192 + 32
"""Weight sets that no codeword selects."""
AFTER_6, AFTER_10, AFTER_18, AFTER_25 = 20, 21, 22, 23
"""Where `neighbor_keys` leaves its keys."""
PATTERNS, FIRST_PATTERN, OTHER_PATTERN = 24, 25, 26
"""Where `turn_keys` leaves its hashed patterns, and `same_keys` its patterns."""


class Layout(NamedTuple):
    """Sizes and places inside the array of counters, and settings."""

    same_bits: int  # log2 of the lines of a same-context; its lines come first
    tree_bits: int  # log2 of the lines of a turn's context
    tree_lines: int  # where these begin
    direct: int  # where direct contexts begin
    codeword_sets: int  # first weight set that a codeword selects
    same_mask: int
    plane_mask: int  # counters by plane, less one
    sure_margin: int
    sure_chance: int
    turn_mask: int


MULTIPLIERS = np.array(
    [0x2C1B3C6D, 0x297A2D39, 0x3A8F05C5, 0x1B56C4E9, 0x0D3F8C71, 0x19E3779B, 0x12FD5F35,
     0x2545F491, 0x369DEA0F, 0x1F35D3A7, 0x2D1B3C6D, 0x397A2D39, 0x0B56C4E9, 0x1A8F05C5,
     0x2D3F8C71, 0x29E3779B, 0x31FD5F35, 0x1545F491, 0x269DEA0F, 0x3F35D3A7, 0x0C1B3C6D,
     0x197A2D39, 0x2B56C4E9, 0x3D3F8C71, 0x09E3779B],
    dtype=np.int64,
)  # fmt: skip
M0, M1, M2, M3, M4, M5 = (int(m) for m in MULTIPLIERS[:6])


@njit(cache=True, nogil=True, forceinline=True)
def scramble(key: Int) -> Int:
    """32-bit hash of a non-negative key."""
    v = key & 0xFFFFFFFF
    v = ((v ^ (v >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
    v = ((v ^ (v >> 13)) * 0x297A2D39) & 0xFFFFFFFF
    return v ^ (v >> 16)


@njit(cache=True, nogil=True)
def foresee(
    counters: NDArray[np.uint32],
    hashes: NDArray[np.int64],
    shift: Int,
    contexts: Int,
    table: Int,
    bits: Int,
    size: Int,
) -> None:
    """Let memory bring the lines that `fetch` will probably want."""
    mask = (np.int64(1) << bits) - 1
    for i in range(contexts):
        line = (np.int64(i) << bits) + ((hashes[i] ^ shift) & mask)
        prefetch(counters, table + line * size)


@njit(cache=True, nogil=True)
def fetch(
    counters: NDArray[np.uint32],
    slots: NDArray[np.int64],  # OUT, first counter of each context's line
    checks: NDArray[np.int64],  # scratch
    hashes: NDArray[np.int64],
    shift: Int,
    contexts: Int,
    table: Int,
    bits: Int,
    size: Int,
) -> None:
    """Find the lines of `size` counters that hashed contexts own; clear those of others."""
    mask = (np.int64(1) << bits) - 1
    for i in range(contexts):  # all loads first, so that they wait for memory together
        v = hashes[i] ^ shift
        start = table + ((np.int64(i) << bits) + (v & mask)) * size
        slots[i] = start
        check = (v >> 8) + 1
        checks[i] = check
        checks[i + 16] = check - np.int64(counters[np.uint64(start)])
    for i in range(contexts):
        if checks[i + 16] != 0:
            start = slots[i]
            counters[np.uint64(start)] = checks[i]
            for j in range(1, size):
                counters[np.uint64(start + j)] = 0


@njit(cache=True, nogil=True)
def equalities(codes: NDArray[np.int64], code: Int) -> Int:
    """Bit i says whether neighbor i is the codeword, for the first 18."""
    bits = np.int64(0)
    for i in range(18):
        bits |= np.int64(codes[i] == code) << i
    return bits


@njit(cache=True, nogil=True)
def neighbor_keys(codes: NDArray[np.int64], keys: NDArray[np.int64]) -> None:
    """Keys of the 6, 10, 18 and 25 nearest neighbors together."""
    key = np.int64(0)
    for i in range(NEIGHBORS):
        key += codes[i] * MULTIPLIERS[i]
        if i == 5:
            keys[AFTER_6] = key
        if i == 9:
            keys[AFTER_10] = key
        if i == 17:
            keys[AFTER_18] = key
    keys[AFTER_25] = key
