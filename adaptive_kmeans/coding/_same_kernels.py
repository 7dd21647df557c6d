# mypy: disable-error-code="operator,arg-type,assignment,call-overload"
"""The same-decision: whether a pixel between four equal neighbors (W, N, NW, NE) is equal too.

Let ``code`` be the neighbors' codeword, ``other`` the first different one among the neighbors (-1:
none), ``e1`` and ``e2`` the patterns of the first 18 neighbors that equal them. Quantities:

* ``gap``: L1 distance of the two codewords; ``miss``: that of ``code`` and the linear
  prediction's nearest codeword; ``activity``: sum of the distances to WW, NN, NNE, NWW, NEE, NNW,
  each in quarters of the spacing, as `SPREAD` classes;
* ``lean``: how far the linear prediction lies on ``code``'s side of the plane halfway between
  the codewords, as a `DISTANCE` class;
* ``ahead`` (0..3): pixels past NE in the row above that equal ``code``; ``behind`` (0..6): class of
  the run of pixels to the left that each equaled their left neighbor;
* ``told``, ``trust``: the match's codeword and the class of its length.

Contexts 0..10 are hashed (their keys are formed below), 11..17 direct. Mixer sets: the pattern of
neighbors 4..11; ``lean`` and ``miss``, or with a match ``trust`` and whether it agrees; ``code``.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from adaptive_kmeans.coding._context_kernels import (
    AFTER_6,
    AFTER_10,
    AFTER_18,
    AFTER_25,
    FIRST_PATTERN,
    HASHED_SAME,
    M0,
    M1,
    M2,
    M3,
    M4,
    M5,
    OTHER_PATTERN,
    SMALL,
    Layout,
    equalities,
    fetch,
    foresee,
    scramble,
)
from adaptive_kmeans.coding._mixing_kernels import (
    CONTEXTS,
    INPUTS,
    Mixer,
    decide,
)
from adaptive_kmeans.coding._neighborhood_kernels import (
    NEE,
    NN,
    WW,
    Book,
    View,
    W,
    length,
    nearest_to_linear,
)
from adaptive_kmeans.coding._probability import (
    DISTANCE,
    SPREAD,
)

Int = Any  # int or np.int64, as Numba types it
SAME = 0  # chooser of the last mixer
SAME_LIMIT = 255  # count at which a counter's share stops falling


@njit(cache=True, nogil=True, forceinline=True)
def same_hash(key: Int, context: Int, region: Int) -> Int:
    """Hash of a context's key."""
    return scramble(key + (context + 1) * M4 + region * M5)


@njit(cache=True, nogil=True)
def same_keys(
    view: View,
    keys: NDArray[np.int64],
    hashes: NDArray[np.int64],  # OUT
    counters: NDArray[np.uint32],
    layout: Layout,
    region: Int,
    other: Int,
) -> None:
    """Hash the contexts 0..10 but 6, 7 and 10, and let memory bring their lines."""
    codes = view.codes
    code = codes[W]
    e1 = equalities(codes, code)
    e2 = equalities(codes, other)
    hashes[0] = keys[AFTER_6]
    hashes[1] = keys[AFTER_10]
    hashes[2] = keys[AFTER_18]
    hashes[3] = keys[AFTER_25]
    hashes[4] = e1 * M0
    hashes[5] = e1 * M0 + e2 * M1
    hashes[6] = 0
    hashes[7] = 0
    hashes[8] = (e1 & 16383) * M0 + code * M1
    hashes[9] = codes[WW] * M0 + codes[NN] * M1 + codes[NEE] * M2 + code * M3
    for i in range(HASHED_SAME - 1):
        hashes[i] = same_hash(hashes[i], i, region)
    foresee(counters, hashes, np.int64(0), HASHED_SAME - 1, 0, layout.same_bits, 2)
    keys[FIRST_PATTERN] = e1
    keys[OTHER_PATTERN] = e2


@njit(cache=True, nogil=True)
def code_same(
    view: View,
    book: Book,
    mixer: Mixer,
    counters: NDArray[np.uint32],
    layout: Layout,
    keys: NDArray[np.int64],
    hashes: NDArray[np.int64],
    checks: NDArray[np.int64],
    decoding: bool,
    same: Int,
    region: Int,
    other: Int,
    run: Int,
    told: Int,
    trust: Int,
) -> Int:
    """Code whether a pixel between equal neighbors is equal too."""
    codes = view.codes
    inputs = mixer.inputs
    slots = mixer.slots
    code = codes[W]
    unit = np.int64(1 << 20) // book.spacings[region]
    e1 = keys[FIRST_PATTERN]
    e2 = keys[OTHER_PATTERN]
    gap = np.int64(0)
    lean = np.int64(0)
    if other >= 0:
        gap = length(book.colors, code, other)
        for c in range(3):
            a = np.int64(book.colors[c, code])
            b = np.int64(book.colors[c, other])
            lean += (a - b) * ((view.linear[c] >> 3) - (a + b))
        lean = (lean * (np.int64(1 << 24) // ((gap + 1) * book.spacings[region]))) >> 13
        lean = min(max(lean, -2047), 2047)
    lean_class = np.int64(DISTANCE[(lean >> 4) + 128])
    gap_class = np.int64(SPREAD[min((gap * unit) >> 14, 255)])
    guess = nearest_to_linear(view, book, region)
    miss = (length(book.colors, code, guess) * unit) >> 14
    miss_class = np.int64(SPREAD[min(miss, 255)])
    for i in range(CONTEXTS, INPUTS):
        inputs[i] = 0
    activity = np.int64(0)
    for i in range(6):
        far = (length(book.colors, code, codes[WW + i]) * unit) >> 14
        activity += far
        inputs[CONTEXTS + 3 + i] = 32 * min(far, 40)
    activity_class = np.int64(SPREAD[min(activity >> 1, 255)])
    inputs[CONTEXTS] = 32 * min(miss, 40)
    inputs[CONTEXTS + 1] = lean
    inputs[CONTEXTS + 2] = min(max(4 * lean, -1023), 1023)
    inputs[CONTEXTS + 9] = 16 * min(activity, 60)
    inputs[INPUTS - 1] = 256
    ahead = np.int64(0)  # how far the row above stays the same
    if codes[NEE] == code:
        ahead = np.int64(1) + np.int64(codes[14] == code)
        if ahead == 2 and codes[20] == code:
            ahead = np.int64(3)
    behind = min(run, 3) + np.int64(run > 7) + np.int64(run > 15) + np.int64(run > 40)
    late = code * M0 + (other + 1) * M1 + lean_class * M2 + ((e1 >> 4) & 15) * M3
    hashes[6] = same_hash(late, 6, region)
    late = (e1 >> 4 & 255) * M0 + (e2 >> 4 & 255) * M1 + (behind * 4 + ahead) * M2 + gap_class * M3
    hashes[7] = same_hash(late, 7, region)
    late = (told + 1) * M0 + trust * M1 + keys[AFTER_6]
    hashes[10] = same_hash(late, 10, region)
    fetch(counters, slots, checks, hashes, np.int64(0), HASHED_SAME, 0, layout.same_bits, 2)
    for i in range(HASHED_SAME):
        slots[i] += 1
    direct = layout.direct
    bits = e1 >> 4
    slots[11] = direct + bits
    slots[12] = direct + SMALL + ((bits & 1023) * 8 + behind) * 4 + ahead
    slots[13] = (
        direct + 2 * SMALL + ((lean_class * 12 + miss_class) * 12 + activity_class) * 12 + gap_class
    )
    slots[14] = direct + 3 * SMALL + (scramble(code * M0 + (bits & 63)) & (SMALL - 1))
    slots[15] = direct + 4 * SMALL + (scramble(code * M0 + behind * 4 + ahead) & (SMALL - 1))
    slots[16] = direct + 5 * SMALL + ((bits & 63) * 12 + activity_class) * 12 + miss_class
    foretold = np.int64(told >= 0) + np.int64(told == code)
    slots[17] = direct + 6 * SMALL + (trust * 3 + foretold) * 12 + miss_class
    mixer.sets[0] = bits & 255
    mixer.sets[1] = 256 + lean_class * 12 + miss_class
    if told >= 0:
        mixer.sets[1] = 448 + trust * 2 + np.int64(told == code)
    mixer.sets[2] = layout.codeword_sets + code
    return decide(mixer, counters, decoding, same, SAME, SAME_LIMIT, layout.same_mask)
