# mypy: disable-error-code="operator,arg-type,assignment,call-overload"
"""Keys of a turn's hashed contexts, known before any color is predicted."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from adaptive_kmeans.coding._context_kernels import (
    AFTER_10,
    AFTER_18,
    AFTER_25,
    DIRECT_SAME,
    HASHED_TURN,
    M0,
    M1,
    M2,
    M3,
    M4,
    M5,
    PATTERNS,
    SMALL,
    Layout,
    equalities,
    foresee,
    scramble,
)
from adaptive_kmeans.coding._memory import prefetch
from adaptive_kmeans.coding._neighborhood_kernels import (
    NE,
    NEE,
    NN,
    NNE,
    NW,
    NWW,
    WW,
    N,
    View,
    W,
)

Int = Any  # int or np.int64, as Numba types it


@njit(cache=True, nogil=True, forceinline=True)
def turn_hash(key: Int, context: Int, region: Int, flat: Int) -> Int:
    """Hash of a context's key."""
    return scramble(key + (context + 33) * M4 + region * M5 + flat * 0x1A2B3C4D)


@njit(cache=True, nogil=True)
def turn_keys(
    view: View,
    keys: NDArray[np.int64],
    hashes: NDArray[np.int64],  # OUT
    counters: NDArray[np.uint32],
    layout: Layout,
    root: Int,
    region: Int,
    other: Int,
    flat: Int,
) -> None:
    """Hash the contexts 0..12 but 11, and let memory bring their lines at the root."""
    codes = view.codes
    first = codes[W]
    e1 = equalities(codes, first)
    e2 = equalities(codes, other)
    kw = codes[W] * M0
    kn = codes[N] * M1
    kne = codes[NE] * M3
    hashes[0] = kw
    hashes[1] = kn
    hashes[2] = kw + codes[WW] * M4
    hashes[3] = kn + codes[NN] * M5
    hashes[4] = kw + kne
    hashes[5] = kn + kne + codes[NNE] * M4
    hashes[6] = codes[NW] * M2 + codes[NWW] * M0
    hashes[7] = kne + codes[NEE] * M1
    hashes[8] = first * M0 + (other + 1) * M1 + (e1 & 63) * M2 + (e2 & 63) * M3
    hashes[9] = keys[AFTER_10]
    hashes[10] = keys[AFTER_18]
    hashes[11] = 0
    hashes[12] = keys[AFTER_25]
    for i in range(HASHED_TURN):
        hashes[i] = turn_hash(hashes[i], i, region, flat)
    shift = scramble(root * M3)
    foresee(counters, hashes, shift, HASHED_TURN, layout.tree_lines, layout.tree_bits, 16)
    patterns = scramble((e1 & 1023) * M0 + (e2 & 63) * M1 + flat) & (SMALL // 16 - 1)
    keys[PATTERNS] = patterns
    prefetch(counters, layout.direct + (DIRECT_SAME + 3) * SMALL + patterns * 16)
