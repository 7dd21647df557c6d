# mypy: disable-error-code="operator,arg-type,assignment,call-overload"
"""Turns down a region's tree: 1 leads to the right half, 0 to the left.

A turn is not coded when one half is only the barred codeword. The signed distance of a color from
the node's plane (256 for one spacing, within -2047..2047) is taken for ten colors: W, N, NW, NE,
WW, NN, NNE, the median edge, linear and gradient predictions.

**Sure turns.** W, N, NW, NE, linear and gradient predictions may all lie on one side. If the least
of their distances, ``margin``, is above half a spacing, a counter is selected by the side, the
node's size, ``margin``, and ``margin`` over the six distances' spread. When the counter gives one
outcome less than SURE_CHANCE / 65536, it codes the turn alone. It learns either way. There are no
sure turns after a denied same-decision or while a match foretells a codeword.

**Mixed turns.** Contexts 0..12 are hashed codewords of neighbors (`_turn_key_kernels`; 11 is the
match's codeword with its trust, or the linear prediction's with WW). Each owns, for each group of
four levels (named by its topmost node, whose hash is xored in), a line of 15 counters in heap
order. Memory is asked early for the lines of the root and of the likely next group. Contexts 13..17
are direct: the sides on which W's codeword and the first other one lie with classes of distances
(two), with patterns, the node with the distances of NE and W, and the match's turn with its trust.
Features: the first nine distances, those of W and linear times 4 within -1023..1023, the two
sides, and 256. Mixer sets: the node; the sides and the node's size; energy and linear distance,
or, where the match foretells the turn, trust and that turn.

**Energy** is how badly the linear prediction did at W, N (twice each), NW and NE, in spacings, as a
`SPREAD` class.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from adaptive_kmeans.coding._context_kernels import (
    DIRECT_SAME,
    HASHED_TURN,
    M0,
    M3,
    M4,
    M5,
    PATTERNS,
    SAME_SETS,
    SMALL,
    Layout,
    fetch,
    foresee,
    scramble,
)
from adaptive_kmeans.coding._mixing_kernels import (
    CONTEXTS,
    NEW_COUNTER,
    Mixer,
    decide,
    learn,
)
from adaptive_kmeans.coding._neighborhood_kernels import (
    WW,
    Book,
    View,
    W,
    nearest_to_linear,
)
from adaptive_kmeans.coding._probability import (
    DISTANCE,
    SPREAD,
)
from adaptive_kmeans.coding._range_coder import (
    code_bit,
)
from adaptive_kmeans.coding._turn_key_kernels import turn_hash

Int = Any  # int or np.int64, as Numba types it
TURN = 1  # chooser of the last mixer
TURN_LIMIT = 30  # count at which a counter's share stops falling
SURE_LIMIT = 1000  # that of counters that code alone


@njit(cache=True, nogil=True, forceinline=True)
def code_down_tree(
    view: View,
    book: Book,
    mixer: Mixer,
    counters: NDArray[np.uint32],
    layout: Layout,
    keys: NDArray[np.int64],
    hashes: NDArray[np.int64],
    checks: NDArray[np.int64],
    lines: NDArray[np.int64],
    decoding: bool,
    code: Int,
    region: Int,
    other: Int,
    barred: Int,
    told: Int,
    trust: Int,
    energy: Int,
) -> Int:
    """Code a codeword as turns down its region's tree, past the one that is barred (or -1)."""
    codes = view.codes
    inputs = mixer.inputs
    slots = mixer.slots
    unit = np.int64(1 << 20) // book.spacings[region]
    flat = np.int64(barred >= 0)
    first = codes[W]
    energy_class = np.int64(SPREAD[min((energy * unit) >> 16, 255)])
    patterns = keys[PATTERNS]
    key = nearest_to_linear(view, book, region) * M0 + codes[WW] * M4
    if told >= 0:
        key = told * M0 + trust * M4 + M5
    hashes[11] = turn_hash(key, 11, region, flat)
    lo = book.offsets[region]
    hi = book.offsets[region + 1]
    node = book.roots[region]
    group = node
    heap = np.int64(1)
    depth = np.int64(0)
    smooth = barred < 0 and told < 0
    fetched = False
    while hi - lo > 1:
        if depth & 3 == 0:
            heap = np.int64(1)
            group = node
            fetched = False
        bit = np.int64(code >= node)
        if node - lo == 1 and lo == barred:
            bit = np.int64(1)
        elif hi - node == 1 and node == barred:
            bit = np.int64(0)
        else:
            distances = view.distances
            at_node = np.uint64(node)
            a = book.planes[0, at_node]
            b = book.planes[1, at_node]
            c = book.planes[2, at_node]
            t = book.planes[3, at_node]
            for i in range(distances.size):  # in 32 bits: axes within 2**16, colors 2**10
                red = np.int32(np.int64(a) * np.int64(view.seen[0, i]))
                green = np.int32(np.int64(b) * np.int64(view.seen[1, i]))
                blue = np.int32(np.int64(c) * np.int64(view.seen[2, i]))
                p = np.int32(np.int64(red) + np.int64(green))
                p = np.int32(np.int64(p) + np.int64(np.int32(np.int64(blue) - np.int64(t))))
                p = np.int32(np.int64(p) >> 10)
                distances[i] = min(max(p, np.int32(-2047)), np.int32(2047))
            west = np.int64(distances[0])
            north = np.int64(distances[1])
            linear = np.int64(distances[8])
            gradient = np.int64(distances[9])
            least = min(min(west, north), min(linear, gradient))
            most = max(max(west, north), max(linear, gradient))
            for i in range(2, 4):
                least = min(least, np.int64(distances[i]))
                most = max(most, np.int64(distances[i]))
            margin = max(least, -most)
            spread = most - least
            size = hi - lo
            direct = layout.direct + DIRECT_SAME * SMALL
            sure_slot = np.int64(-1)
            chance = np.int64(32768)
            if smooth and margin > layout.sure_margin:
                level = np.int64(size > 4) + np.int64(size > 16) + np.int64(size > 64)
                sure = min((margin * 4) // (spread + 64), 31) * 16 + min(margin >> 7, 15)
                sure_slot = direct + 2 * SMALL + (sure * 2 + np.int64(least > 0)) * 4 + level
                chance = (np.int64(counters[sure_slot]) ^ NEW_COUNTER) >> 16
            if min(chance, 65536 - chance) < layout.sure_chance:
                chance = min(max(chance, 16), 65520)
                bit = code_bit(mixer.coder, mixer.stream, decoding, bit, chance)
            else:
                if not fetched:
                    fetched = True
                    fetch(
                        counters, lines, checks, hashes, scramble(group * M3),
                        HASHED_TURN, layout.tree_lines, layout.tree_bits, 16,
                    )  # fmt: skip
                if depth & 3 == 3:
                    child = book.right[node] if linear > 0 else book.left[node]
                    foresee(
                        counters, hashes, scramble(child * M3),
                        HASHED_TURN, layout.tree_lines, layout.tree_bits, 16,
                    )  # fmt: skip
                for i in range(HASHED_TURN):
                    slots[i] = lines[i] + heap
                side1 = np.int64(0)
                if first >= lo and first < hi:
                    side1 = np.int64(1) + np.int64(first >= node)
                side2 = np.int64(0)
                if other >= lo and other < hi:
                    side2 = np.int64(1) + np.int64(other >= node)
                sides = side1 * 3 + side2
                for i in range(9):
                    inputs[CONTEXTS + i] = distances[i]
                inputs[CONTEXTS + 9] = min(max(4 * west, -1023), 1023)
                inputs[CONTEXTS + 10] = min(max(4 * linear, -1023), 1023)
                inputs[CONTEXTS + 11] = 256 * (np.int64(side1 == 2) - np.int64(side1 == 1))
                inputs[CONTEXTS + 12] = 256 * (np.int64(side2 == 2) - np.int64(side2 == 1))
                inputs[CONTEXTS + 13] = 256
                w_class = np.int64(DISTANCE[(west >> 4) + 128])
                n_class = np.int64(DISTANCE[(north >> 4) + 128])
                ne_class = np.int64(DISTANCE[(np.int64(distances[3]) >> 4) + 128])
                m_class = np.int64(DISTANCE[(np.int64(distances[7]) >> 4) + 128])
                l_class = np.int64(DISTANCE[(linear >> 4) + 128])
                g_class = np.int64(DISTANCE[(gradient >> 4) + 128])
                at = (((flat * 12 + energy_class) * 9 + sides) * 16 + l_class) * 16 + m_class
                slots[13] = direct + at
                at = ((sides * 16 + w_class) * 16 + n_class) * 16 + g_class
                slots[14] = direct + SMALL + at
                slots[15] = direct + 3 * SMALL + patterns * 16 + sides
                at = ((node * 16 + ne_class) * 16 + w_class) & layout.plane_mask
                slots[16] = direct + 4 * SMALL + at
                foretold = np.int64(0)
                if told >= lo and told < hi:
                    foretold = np.int64(1) + np.int64(told >= node)
                level = np.int64(size > 2) + np.int64(size > 8) + np.int64(size > 64)
                slots[17] = (
                    direct + 2 * SMALL + 16384 + ((trust * 3 + foretold) * 4 + level) * 9 + sides
                )
                mixer.sets[0] = layout.codeword_sets + book.left.size + node
                mixer.sets[1] = SAME_SETS + (1 - flat) * sides * 32 + min(size, 31)
                mixer.sets[2] = SAME_SETS + 9 * 32 + energy_class * 16 + l_class
                if foretold != 0:
                    mixer.sets[2] = SAME_SETS + 9 * 32 + 192 + trust * 2 + foretold - 1
                bit = decide(mixer, counters, decoding, bit, TURN, TURN_LIMIT, layout.turn_mask)
            if sure_slot >= 0:
                learn(counters, sure_slot, bit, SURE_LIMIT)
        heap = 2 * heap + bit
        depth += 1
        if bit != 0:
            lo = node
            node = book.right[node]
        else:
            hi = node
            node = book.left[node]
    return lo
