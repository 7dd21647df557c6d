# mypy: disable-error-code="operator,arg-type,assignment,call-overload"
"""The pixel loop: what a pixel's decisions see, how they are coded, and what they would cost.

For a pixel of region r, whose codewords have the spacing ``s`` (`codeword_tree`, in sixteenths),
lengths in color levels are measured in terms of ``unit = 2**20 / s``. ``distance`` is the sum of
the absolute differences of two codewords' channels. Lengths fall into 12 classes: the class is the
number of the bounds 1, 5, 9, 13, 18, 24, 32, 44, 60, 90, 140 that ``min(length, 255)`` reaches.
Signed lengths, clamped to -2047..2047, fall into 16: with ``i = (length >> 4) + 128`` and ``c`` the
number of the bounds 32, 90, 160, 240, 350, 520, 900 that ``|16 (i - 128) + 8|`` reaches, the class
is ``8 + c`` for ``i >= 128``, else ``7 - c``.

**Neighbors.** ``nearest n`` is the sum of the first n codewords times `MULTIPLIERS`, modulo 2**32;
``scramble(nearest 25) >> 1`` is the hash that `match` uses. ``error`` is the class of ``(2 E(W) + 2
E(N) + E(NW) + E(NE)) * unit >> 16``. Here ``E``, the error of the linear prediction at a pixel, is
the sum over channels of ``|16 color - linear|``, shifted right by 2. E(W), E(N) and E(NE) are those
of the last coded pixels in columns x - 1, x and x + 1, 0 where there is none; E(NW) is what E(N)
was for the last coded pixel of this row, 0 for the first. ``patterns = scramble((same as w & 1023)
* M0 + same as other 6 * M1 + after run) & 16383``. ``predicted`` is ``(match * 16 + match length) +
2**24``, or ``linear * 4096 + (ww & 4095)`` where nothing is predicted.

**Run flag.** ``gap = distance(W, other)``, or 0 if there is no other codeword. ``lean`` is also 0
in that case; otherwise, with ``L = sum over channels of (w - o) * ((linear >> 3) - (w + o))``,
where w and o are the two codewords' levels, it is ``L * (2**24 / ((gap + 1) s)) >> 13``, clamped to
-2047..2047. ``miss = distance(W, linear) * unit >> 14``; the class of gap is that of ``gap * unit
>> 14``; ``activity``, the sum of the six ``distance(W, neighbor) * unit >> 14`` for WW, NN, NNE,
NWW, NEE and NNW (neighbors 4 to 9), has the class of ``activity >> 1``. ``behind = min(n, 3) + (n >
7) + (n > 15) + (n > 40)``, where n is the number of consecutive coded pixels to the left in this
row that each equaled their W. ``ahead`` is 0 if NEE is not W's codeword, else 1, or 2 if neighbor
14 is, or 3 if neighbor 20 is, too. ``w pattern = scramble(W * M0 + pattern 6) & (2**18 - 1)``; ``w
run`` is the same of ``W * M0 + 4 behind + ahead``. Features: 32 times miss and the six distances,
each at most 40; lean, and 4 lean clamped to -1023..1023; 16 times activity, at most 60; and 256.

**Branch.** At a node that holds the codewords ``lo..hi - 1``, where ``node`` is the first of its
right side, a color's distance from the plane ``(a, b, c, t)`` is ``(a R + b G + c B - t) >> 10``,
with colors in quarters of a level, in 32 bits, clamped to -2047..2047. ``node size = min(hi - lo,
31)``, ``node level = (size > 2) + (size > 8) + (size > 64)``. A side is 0 outside, 1 left, 2 right;
``sides = 3 * (side of W) + side of other``. Features: the distances of W, N, NW, NE, WW, NN, NNE,
median edge and linear; 4 times those of W and linear, clamped to -1023..1023; for W and other, 256
on the right and -256 on the left; and 256.

**Skip-mixing path.** If W, N, NW, NE, linear and gradient lie on one side of the plane, ``margin``
is the smallest of their distances, and ``spread`` is the largest minus the smallest of the signed
distances. If margin is above 128, the match predicts nothing, and no run flag preceded, a counter
is selected: ``((min(4 margin / (spread + 64), 31) * 16 + min(margin >> 7, 15)) * 2 + (right)) * 4 +
(size > 4) + (size > 16) + (size > 64)``. If its 16-bit probability p gives one outcome less than
the profile's ``skip_chance``, p, clamped to 16..65520, codes the branch alone. The counter learns
in either case, from its value at that time, up to a count of 1000.

**Lines.** Each hashed context has its own lines: a check, then counters. A run flag's line has one
counter. A branch's has 15, for four levels of the tree: with the group's topmost node at position
1, the children of position i are 2 i and 2 i + 1. The key of a line is the context's hash, for a
branch xored with ``scramble(topmost * M3)``. Context i's line is number ``key & (2**bits - 1)`` of
its own ``2**bits``; its check is ``(key >> 8) + 1``. A line with a different check is cleared when
a decision that is not skipped first needs it; at that time, the decisions of this pixel have not
learned yet.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptive_kmeans.coding.context_mixing import match, mixer, neighborhood
from adaptive_kmeans.coding.context_mixing.codeword_tree import (
    Codewords,
    distance,
    nearest_to_color,
)
from adaptive_kmeans.coding.context_mixing.contexts import (
    AFTER_RUN_SALT,
    MULTIPLIERS,
    PIXEL,
    REGION_SALT,
    Model,
    Tables,
    branch_early_keys,
    branch_inputs,
    branch_late_keys,
    branch_learn,
    branch_sizes,
    place,
    place_tables,
    run_early_keys,
    run_inputs,
    run_late_keys,
    run_learn,
    run_sizes,
    scramble,
    skip_chance,
)
from adaptive_kmeans.coding.context_mixing.kernel import (
    LANES,
    aligned_zeros,
    claim_line,
    prefetch,
)
from adaptive_kmeans.coding.context_mixing.neighborhood import (
    ABOVE_MARGIN,
    ACROSS_MARGIN,
    GRADIENT,
    LINEAR,
    MEDIAN_EDGE,
    NE,
    NEE,
    NEIGHBORS,
    NN,
    NNE,
    NW,
    WW,
    N,
    W,
)
from adaptive_kmeans.coding.context_mixing.range_coder import (
    COST,
    COST_BITS,
    POSITION,
    code,
    decoder,
    encoder,
    exhausted,
    is_canonical_end,
    meter,
    written,
)
from adaptive_kmeans.errors import CorruptError
from adaptive_kmeans.kernels import Int, inlined, kernel, leaf

RUN, BRANCH = np.int64(0), np.int64(1)
"""The kinds of decisions, as numbered in the final mixer."""
PRICING, LEARNING = np.int64(0), np.int64(1)

GROUP_LEVELS = 4
"""Levels of the tree whose counters share a line."""

# state of the pixel loop, in Model.state
RUN_LENGTH, CORNER_ERROR, SKIP_SLOT, IS_MIXED, GROUP, REGION, INQUIRY, RUN_CHANCE = range(8)
STATE = 8
# state of a decision, in Model.decided
BIT, PROBABILITY, MIXED, SLOT = range(4)

SKIP_MARGIN = 128
"""Half a spacing: with nearer planes, the full mixer always decides."""
SKIP_LIMIT = 1000

MULTIPLIER = np.array(MULTIPLIERS, dtype=np.int64)

NEAREST_6, NEAREST_10, NEAREST_18, NEAREST_25 = (place(f"nearest {n}") for n in (6, 10, 18, 25))
OTHER, MATCH, MATCH_LENGTH = place("other"), place("match"), place("match length")
SAME, SAME_6 = place("same as w"), place("same as w 6")
SAME_OTHER, SAME_OTHER_6 = place("same as other"), place("same as other 6")
FIRST_NEIGHBOR, WEST, WEST_WEST = place("w"), place("w"), place("ww")
NEAREST_LINEAR, ERROR, AFTER_RUN = place("linear"), place("error"), place("after run")
PATTERNS, PREDICTED, SALT = place("patterns"), place("predicted"), place("salt")
BIAS = 256


def _classes(bounds: tuple[int, ...], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.searchsorted(np.array(bounds), lengths, side="right")


def _signed_classes() -> NDArray[np.int32]:
    """Class 0..15 of ``16 (i - 128)``, a signed length in units of 1/256 codeword spacing."""
    i = np.arange(256)
    length = np.abs(16 * (i - 128) + 8)
    rank = _classes((32, 90, 160, 240, 350, 520, 900), length)
    return np.where(i >= 128, 8 + rank, 7 - rank).astype(np.int32)


SIGNED_CLASS = _signed_classes()
CLASS = _classes((1, 5, 9, 13, 18, 24, 32, 44, 60, 90, 140), np.arange(256)).astype(np.int32)


@leaf
def signed_class(length: Int) -> Int:
    """Class 0..15 of a signed length within -2047..2047."""
    return np.int64(SIGNED_CLASS[np.uint64((length >> 4) + 128)])


@leaf
def length_class(length: Int) -> Int:
    """Class 0..11 of a length."""
    return np.int64(CLASS[np.uint64(min(length, 255))])


@inlined
def equalities(codes: NDArray[np.int64], codeword: Int) -> Int:
    """Bit mask whose bit i says whether neighbor i has the codeword, for the first 18."""
    bits = np.int64(0)
    for i in range(18):
        bits |= np.int64(codes[i] == codeword) << i
    return bits


@leaf
def side_of(codeword: Int, lo: Int, node: Int, hi: Int) -> Int:
    """Whether a codeword is outside a node (0), on its left (1) or on its right (2)."""
    inside = np.int64(codeword >= lo) & np.int64(codeword < hi)
    return inside * (np.int64(1) + np.int64(codeword >= node))


@inlined
def prefetch_lines(model: Model, tables: Tables, shift: Int, count: Int, words: Int) -> None:
    """Prefetch the lines that `find_lines` will need."""
    start, bits = tables.hashed[0], tables.hashed[1]
    mask = (np.int64(1) << bits) - 1
    for i in range(count):
        line = (np.int64(i) << bits) + ((tables.keys[i] ^ shift) & mask)
        prefetch(model.counters, start + line * words)


@inlined
def find_lines(
    model: Model,
    tables: Tables,
    found: NDArray[np.int64],  # OUT, first word of each context's line
    shift: Int,
    count: Int,
    words: Int,
    purpose: Int,
) -> None:
    """Find the lines of hashed contexts.

    A line that holds another key's counters is cleared when it is claimed for learning; for a
    price, a line that is never written to takes its place.
    """
    counters = model.counters
    start, bits = tables.hashed[0], tables.hashed[1]
    mask = (np.int64(1) << bits) - 1
    for i in range(count):
        key = tables.keys[i] ^ shift
        found[i] = start + ((np.int64(i) << bits) + (key & mask)) * words
    for i in range(count):
        check = ((tables.keys[i] ^ shift) >> 8) + 1
        line = found[i]
        if purpose == LEARNING:
            if words == 16:
                claim_line(counters, line, check)
            elif np.int64(counters[np.uint64(line)]) != check:
                counters[np.uint64(line)] = check
                for j in range(1, words):
                    counters[np.uint64(line + j)] = 0
        elif np.int64(counters[np.uint64(line)]) != check:
            found[i] = model.blank


@inlined
def begin_pixel(model: Model, y: Int, x: Int) -> None:
    """Gather everything that is known before a pixel's first decision."""
    around, seen, codewords, state = model.around, model.seen, model.codewords, model.state
    row, column = y + ABOVE_MARGIN, x + ACROSS_MARGIN
    region = np.int64(model.regions[y, x])
    neighborhood.look(around, codewords, model.codes, row, column, region)
    codes = around.codes
    key = np.int64(0)
    for i in range(NEIGHBORS):
        key += codes[i] * MULTIPLIER[i]
        if i == 5:
            seen[NEAREST_6] = key & 0xFFFFFFFF
        if i == 9:
            seen[NEAREST_10] = key & 0xFFFFFFFF
        if i == 17:
            seen[NEAREST_18] = key & 0xFFFFFFFF
    seen[NEAREST_25] = key & 0xFFFFFFFF
    surroundings = scramble(key) >> 1
    match.prefetch_place(model.match, surroundings)
    west = codes[W]
    other = np.int64(-1)
    for i in range(1, NEIGHBORS):
        if codes[i] != west:
            other = codes[i]
            break
    for i in range(9):
        seen[FIRST_NEIGHBOR + i] = codes[i]
    seen[OTHER] = other + 1
    same, same_other = equalities(codes, west), equalities(codes, other)
    seen[SAME] = same
    seen[SAME_6] = same & 63
    seen[SAME_OTHER] = same_other
    seen[SAME_OTHER_6] = same_other & 63
    seen[SALT] = region * REGION_SALT
    seen[AFTER_RUN] = 0
    state[REGION] = region
    state[GROUP] = -1
    predicted = match.look_up(model.match, model.codes, row, column, surroundings)
    if predicted < codewords.offsets[region] or predicted >= codewords.offsets[region + 1]:
        predicted = np.int64(-1)
    seen[MATCH] = predicted + 1
    seen[MATCH_LENGTH] = match.length_class(model.match)
    if is_flat(model):
        run_early_keys(model)
        count, _, _, words = run_sizes(model)
        prefetch_lines(model, model.run, np.int64(0), count, words)
    else:
        prepare_branches(model)
    neighborhood.predict_colors(around, codewords)
    colors = around.colors
    linear = nearest_to_color(
        codewords,
        region,
        np.int64(colors[0, LINEAR]) >> 2,
        np.int64(colors[1, LINEAR]) >> 2,
        np.int64(colors[2, LINEAR]) >> 2,
    )
    seen[NEAREST_LINEAR] = linear
    seen[PREDICTED] = linear * 4096 + (seen[WEST_WEST] & 4095)
    if predicted >= 0:
        seen[PREDICTED] = seen[MATCH] * 16 + seen[MATCH_LENGTH] + (np.int64(1) << 24)
    errors = model.errors
    error = 2 * errors[x] + 2 * errors[x + 1] + state[CORNER_ERROR] + errors[x + 2]
    unit = np.int64(1 << 20) // codewords.spacings[region]
    seen[ERROR] = length_class((error * unit) >> 16)


@leaf
def is_flat(model: Model) -> Any:
    """Whether W, N, NW and NE are one codeword, so that the pixel has a run flag."""
    return model.seen[SAME] & 15 == 15


@inlined
def run_probability(model: Model, purpose: Int) -> Int:
    """16-bit probability that a pixel between equal neighbors is equal too."""
    seen, codewords, around = model.seen, model.codewords, model.around
    codes, west, other = around.codes, around.codes[W], seen[OTHER] - 1
    spacing = codewords.spacings[model.state[REGION]]
    unit = np.int64(1 << 20) // spacing
    gap = np.int64(0)
    lean = np.int64(0)
    if other >= 0:
        gap = distance(codewords, west, other)
        for c in range(3):
            a = np.int64(codewords.colors[west, c])
            b = np.int64(codewords.colors[other, c])
            lean += (a - b) * ((around.linear[c] >> 3) - (a + b))
        lean = (lean * (np.int64(1 << 24) // ((gap + 1) * spacing))) >> 13
        lean = min(max(lean, -2047), 2047)
    lean_class = signed_class(lean)
    gap_class = length_class((gap * unit) >> 14)
    miss = (distance(codewords, west, seen[NEAREST_LINEAR]) * unit) >> 14
    miss_class = length_class(miss)
    ww = (distance(codewords, west, codes[4]) * unit) >> 14
    nn = (distance(codewords, west, codes[5]) * unit) >> 14
    nne = (distance(codewords, west, codes[6]) * unit) >> 14
    nww = (distance(codewords, west, codes[7]) * unit) >> 14
    nee = (distance(codewords, west, codes[8]) * unit) >> 14
    nnw = (distance(codewords, west, codes[9]) * unit) >> 14
    activity = ww + nn + nne + nww + nee + nnw
    ahead = np.int64(0)
    if codes[NEE] == west:
        ahead = np.int64(1) + np.int64(codes[14] == west)
        if ahead == 2 and codes[20] == west:
            ahead = np.int64(3)
    run = model.state[RUN_LENGTH]
    behind = min(run, 3) + np.int64(run > 7) + np.int64(run > 15) + np.int64(run > 40)
    same = seen[SAME] >> 4
    agrees = np.int64(seen[MATCH] > 0) + np.int64(seen[MATCH] == west + 1)
    match_or_miss = lean_class * 12 + miss_class
    if agrees != 0:
        match_or_miss = 192 + seen[MATCH_LENGTH] * 2 + agrees - 1
    own = (
        same & 15, same & 63, same & 255, same & 1023, same, (seen[SAME_OTHER] >> 4) & 255,
        behind, ahead, lean_class, miss_class, gap_class, length_class(activity >> 1),
        agrees, match_or_miss,
        scramble(west * MULTIPLIERS[0] + (same & 63)) & 262143,
        scramble(west * MULTIPLIERS[0] + behind * 4 + ahead) & 262143,
        32 * min(miss, 40), lean, min(max(4 * lean, -1023), 1023),
        32 * min(ww, 40), 32 * min(nn, 40), 32 * min(nne, 40), 32 * min(nww, 40),
        32 * min(nee, 40), 32 * min(nnw, 40), 16 * min(activity, 60), np.int64(BIAS),
    )  # fmt: skip
    run_late_keys(model, own)
    count, contexts, sets, words = run_sizes(model)
    slots = model.mixer.slots
    run_inputs(model, np.int64(0), own)
    find_lines(model, model.run, slots, np.int64(0), count, words, purpose)
    for i in range(count):
        slots[i] += 1
    return mixer.predict(model.mixer, model.counters, np.int64(0), RUN, contexts, sets)


@inlined
def prepare_branches(model: Model) -> None:
    """Hash the contexts of a pixel's branches that are known early, and prefetch their lines."""
    seen, region, after_run = model.seen, model.state[REGION], model.seen[AFTER_RUN]
    seen[SALT] = region * REGION_SALT + after_run * AFTER_RUN_SALT
    hashed = (seen[SAME] & 1023) * MULTIPLIERS[0] + seen[SAME_OTHER_6] * MULTIPLIERS[1] + after_run
    seen[PATTERNS] = scramble(hashed) & 16383
    branch_early_keys(model)
    count, _, _, words = branch_sizes(model)
    root = model.codewords.roots[region]
    prefetch_lines(model, model.branch, scramble(root * MULTIPLIERS[3]), count, words)


@inlined
def branch_probability(
    model: Model, decision: Int, node: Int, lo: Int, hi: Int, group: Int, heap: Int, purpose: Int
) -> Int:
    """16-bit probability of going right at a node, which holds the codewords ``lo..hi - 1``."""
    seen, around, state = model.seen, model.around, model.state
    distances, colors = model.distances, around.colors
    at = np.uint64(node)
    planes = model.codewords.planes
    a, b, c, t = planes[at, 0], planes[at, 1], planes[at, 2], planes[at, 3]
    for i in range(distances.size):  # in 32 bits: axes within 2**16, colors 2**10
        red = np.int32(np.int64(a) * np.int64(colors[0, i]))
        green = np.int32(np.int64(b) * np.int64(colors[1, i]))
        blue = np.int32(np.int64(c) * np.int64(colors[2, i]))
        p = np.int32(np.int64(red) + np.int64(green))
        p = np.int32(np.int64(p) + np.int64(np.int32(np.int64(blue) - np.int64(t))))
        p = np.int32(np.int64(p) >> 10)
        distances[i] = min(max(p, np.int32(-2047)), np.int32(2047))
    west, north = np.int64(distances[W]), np.int64(distances[N])
    linear, gradient = np.int64(distances[LINEAR]), np.int64(distances[GRADIENT])
    least = min(min(west, north), min(linear, gradient))
    most = max(max(west, north), max(linear, gradient))
    for i in range(NW, NE + 1):
        least = min(least, np.int64(distances[i]))
        most = max(most, np.int64(distances[i]))
    margin = max(least, -most)
    spread = most - least
    size = hi - lo
    state[SKIP_SLOT] = 0
    state[IS_MIXED] = 0
    after_run = seen[AFTER_RUN]
    predicted = seen[MATCH] - 1
    if after_run == 0 and predicted < 0 and margin > SKIP_MARGIN:
        level = np.int64(size > 4) + np.int64(size > 16) + np.int64(size > 64)
        place_ = min((margin * 4) // (spread + 64), 31) * 16 + min(margin >> 7, 15)
        slot = model.skip + (place_ * 2 + np.int64(least > 0)) * 4 + level
        state[SKIP_SLOT] = slot
        probability = mixer.chance(model.counters, slot)
        if min(probability, 65536 - probability) < skip_chance(model):
            return min(max(probability, 16), 65520)
    count, contexts, sets, words = branch_sizes(model)
    slots = model.mixer.slots
    if state[GROUP] != group:
        state[GROUP] = group
        shift = scramble(group * MULTIPLIERS[3])
        find_lines(model, model.branch, model.lines, shift, count, words, purpose)
    if heap >= 8:
        codewords = model.codewords
        child = codewords.right[at] if linear > 0 else codewords.left[at]
        prefetch_lines(model, model.branch, scramble(child * MULTIPLIERS[3]), count, words)
    for i in range(count):
        slots[decision * LANES + i] = model.lines[i] + heap
    side = side_of(seen[WEST], lo, node, hi)
    other_side = side_of(seen[OTHER] - 1, lo, node, hi)
    match_side = side_of(predicted, lo, node, hi)
    sides = side * 3 + other_side
    linear_class = signed_class(linear)
    match_or_error = seen[ERROR] * 16 + linear_class
    if match_side != 0:
        match_or_error = 192 + seen[MATCH_LENGTH] * 2 + match_side - 1
    own = (
        node, min(size, 31), np.int64(size > 2) + np.int64(size > 8) + np.int64(size > 64),
        sides, (1 - after_run) * sides, match_side, match_or_error,
        signed_class(west), signed_class(north), signed_class(np.int64(distances[NE])),
        signed_class(np.int64(distances[MEDIAN_EDGE])), linear_class, signed_class(gradient),
        west, north, np.int64(distances[NW]), np.int64(distances[NE]), np.int64(distances[WW]),
        np.int64(distances[NN]), np.int64(distances[NNE]), np.int64(distances[MEDIAN_EDGE]), linear,
        min(max(4 * west, -1023), 1023), min(max(4 * linear, -1023), 1023),
        BIAS * (np.int64(side == 2) - np.int64(side == 1)),
        BIAS * (np.int64(other_side == 2) - np.int64(other_side == 1)),
        np.int64(BIAS),
    )  # fmt: skip
    branch_inputs(model, decision, own)
    state[IS_MIXED] = 1
    return mixer.predict(model.mixer, model.counters, decision, BRANCH, contexts, sets)


@inlined
def take(model: Model, sink: Any, codeword: Int) -> Int:
    """Code a pixel's codeword, or the one that the sink decodes, and learn from its decisions."""
    seen, state, codewords, decided = model.seen, model.state, model.codewords, model.decided
    first = seen[WEST]
    excluded = np.int64(-1)
    branches = np.int64(0)
    flat = is_flat(model)
    same = np.int64(0)
    run_chance = np.int64(0)
    found = first
    if flat:
        run_chance = run_probability(model, LEARNING)
        same = code(sink, np.int64(codeword == first), run_chance)
        excluded = first
    if same == 0:
        if flat:
            seen[AFTER_RUN] = 1
            prepare_branches(model)
        branch_late_keys(model, (np.int64(0), np.int64(0)))
        state[GROUP] = -1
        lo, hi = codewords.offsets[state[REGION]], codewords.offsets[state[REGION] + 1]
        node = codewords.roots[state[REGION]]
        group = node
        heap = np.int64(1)
        while hi - lo > 1:
            if heap >= 1 << GROUP_LEVELS:
                heap = np.int64(1)
                group = node
            if node - lo == 1 and lo == excluded:
                bit = np.int64(1)
            elif hi - node == 1 and node == excluded:
                bit = np.int64(0)
            else:
                branches += 1
                probability = branch_probability(
                    model, branches, node, lo, hi, group, heap, LEARNING
                )
                bit = code(sink, np.int64(codeword >= node), probability)
                decided[branches, BIT] = bit
                decided[branches, PROBABILITY] = probability
                decided[branches, MIXED] = state[IS_MIXED]
                decided[branches, SLOT] = state[SKIP_SLOT]
            heap = 2 * heap + bit
            if bit != 0:
                lo = node
                node = codewords.right[node]
            else:
                hi = node
                node = codewords.left[node]
        found = lo
    if flat:
        _, contexts, sets, _ = run_sizes(model)
        mixer.learn_weights(model.mixer, np.int64(0), RUN, sets, same, run_chance)
        run_learn(model, np.int64(0), same)
        mixer.store_counters(model.mixer, model.counters, np.int64(0), contexts)
    for branch in range(1, branches + 1):
        bit = decided[branch, BIT]
        if decided[branch, MIXED] != 0:
            _, contexts, sets, _ = branch_sizes(model)
            probability = decided[branch, PROBABILITY]
            mixer.learn_weights(model.mixer, branch, BRANCH, sets, bit, probability)
            branch_learn(model, branch, bit)
            mixer.store_counters(model.mixer, model.counters, branch, contexts)
        if decided[branch, SLOT] != 0:
            mixer.learn_alone(model.counters, decided[branch, SLOT], bit, SKIP_LIMIT)
    return found


@inlined
def begin_prices(model: Model) -> None:
    """Prepare for calls of `price`, one for each of the pixel's codewords to be priced."""
    seen, state = model.seen, model.state
    state[INQUIRY] += 1
    if is_flat(model):
        state[RUN_CHANCE] = run_probability(model, PRICING)
        seen[AFTER_RUN] = 1
        prepare_branches(model)
    branch_late_keys(model, (np.int64(0), np.int64(0)))
    state[GROUP] = -1


@inlined
def price(model: Model, codeword: Int) -> Int:
    """Return what a pixel's codeword would cost, in 1/65536 of a bit; nothing is learned.

    A node's probability is cached for other codewords: similar ones share most of the tree.
    """
    state, codewords, asked = model.state, model.codewords, model.asked
    excluded = np.int64(-1)
    cost = np.int64(0)
    if is_flat(model):
        excluded = model.seen[WEST]
        if codeword == excluded:
            return np.int64(COST[np.uint64(state[RUN_CHANCE])])
        cost += np.int64(COST[np.uint64(65536 - state[RUN_CHANCE])])
    lo, hi = codewords.offsets[state[REGION]], codewords.offsets[state[REGION] + 1]
    node = codewords.roots[state[REGION]]
    group = node
    heap = np.int64(1)
    while hi - lo > 1:
        if heap >= 1 << GROUP_LEVELS:
            heap = np.int64(1)
            group = node
        bit = np.int64(codeword >= node)
        sure = (node - lo == 1 and lo == excluded) or (hi - node == 1 and node == excluded)
        if not sure:
            if asked[node, 0] != state[INQUIRY]:
                asked[node, 0] = state[INQUIRY]
                asked[node, 1] = branch_probability(
                    model, np.int64(1), node, lo, hi, group, heap, PRICING
                )
            chance = asked[node, 1] if bit != 0 else 65536 - asked[node, 1]
            cost += np.int64(COST[np.uint64(chance)])
        heap = 2 * heap + bit
        if bit != 0:
            lo = node
            node = codewords.right[node]
        else:
            hi = node
            node = codewords.left[node]
    return cost


@inlined
def end_prices(model: Model) -> None:
    """Forget the prices, so that the pixel can be coded."""
    model.seen[AFTER_RUN] = 0
    model.seen[SALT] = model.state[REGION] * REGION_SALT


@inlined
def end_pixel(model: Model, y: Int, x: Int, codeword: Int) -> None:
    """Learn from a pixel that has been coded."""
    around, codewords, state, errors = model.around, model.codewords, model.state, model.errors
    model.codes[y + ABOVE_MARGIN, x + ACROSS_MARGIN] = codeword
    missed = np.int64(0)
    for c in range(3):
        missed += abs(np.int64(codewords.colors[codeword, c]) * 16 - around.linear[c])
    state[CORNER_ERROR] = errors[x + 1]
    errors[x + 1] = missed >> 2
    neighborhood.train(around, codewords, codeword, codewords.spacings[state[REGION]])
    match.update(model.match, codeword)
    state[RUN_LENGTH] = state[RUN_LENGTH] + 1 if codeword == model.seen[WEST] else np.int64(0)


@leaf
def begin_row(model: Model, y: Int) -> None:
    """Fill the margin to the left of a row."""
    codes, row = model.codes, y + ABOVE_MARGIN
    for i in range(ACROSS_MARGIN):
        codes[row, i] = codes[row - 1, ACROSS_MARGIN]
    model.state[RUN_LENGTH] = 0
    model.state[CORNER_ERROR] = 0


@leaf
def end_row(model: Model, y: Int) -> None:
    """Fill the margin to the right of a row."""
    codes, row = model.codes, y + ABOVE_MARGIN
    end = codes.shape[1] - ACROSS_MARGIN
    for i in range(ACROSS_MARGIN):
        codes[row, end + i] = codes[row, end - 1]


@kernel
def code_pixels(model: Model, sink: Any, rows_done: NDArray[np.int64]) -> None:
    """Code all pixels in raster order; a decoder stops when its data is exhausted.

    Both stop when the rows done are set below 0: see `adaptive_kmeans.threads.count_rows`.
    """
    height, width = model.regions.shape
    offsets = model.codewords.offsets
    for y in range(height):
        begin_row(model, y)
        for x in range(width):
            region = np.int64(model.regions[y, x])
            if offsets[region + 1] - offsets[region] == 1:
                model.codes[y + ABOVE_MARGIN, x + ACROSS_MARGIN] = offsets[region]
                continue
            begin_pixel(model, y, x)
            codeword = np.int64(model.codes[y + ABOVE_MARGIN, x + ACROSS_MARGIN])
            codeword = take(model, sink, codeword)
            end_pixel(model, y, x, codeword)
            if exhausted(sink):
                return
        end_row(model, y)
        if rows_done[0] < 0:
            return
        rows_done[0] = y + 1


@kernel
def price_pixels(model: Model, sink: Any, costs: NDArray[np.int64]) -> None:
    """Price every pixel's codeword before it is coded: ``costs``, (h, w), is OUT."""
    height, width = model.regions.shape
    offsets = model.codewords.offsets
    for y in range(height):
        begin_row(model, y)
        for x in range(width):
            region = np.int64(model.regions[y, x])
            if offsets[region + 1] - offsets[region] > 1:
                codeword = np.int64(model.codes[y + ABOVE_MARGIN, x + ACROSS_MARGIN])
                begin_pixel(model, y, x)
                begin_prices(model)
                costs[y, x] = price(model, codeword)
                end_prices(model)
                take(model, sink, codeword)
                end_pixel(model, y, x, codeword)
        end_row(model, y)


def new_model(
    kind: type[Model], codewords: Codewords, regions: NDArray[np.uint8], codes: NDArray[np.int32]
) -> Model:
    """Return the model of a band before its first pixel.

    Parameters
    ----------
    kind : type
        The model's class, which determines its profile.
    codewords : Codewords
        All codewords of the file.
    regions : (h, w) uint8
        Region of each pixel.
    codes : (h, w) int32
        Codewords by their numbers, or zeros that a decoder will replace.
    """
    profile = kind.profile
    placed = place_tables(profile, regions.size, codewords.left.size)
    contexts = (profile.run.contexts, profile.branch.contexts)
    return kind(
        codes=neighborhood.with_margins(codes),
        regions=np.ascontiguousarray(regions),
        codewords=codewords,
        around=neighborhood.new_neighborhood(np.count_nonzero(np.diff(codewords.offsets))),
        match=match.new_match(regions.size),
        mixer=mixer.new_mixer(contexts, len(profile.branch.sets), placed.sets),
        counters=aligned_zeros(placed.counters),
        run=placed.run._replace(keys=placed.run.keys.copy()),
        branch=placed.branch._replace(keys=placed.branch.keys.copy()),
        skip=placed.skip,
        blank=placed.blank,
        seen=np.zeros(len(PIXEL), dtype=np.int64),
        lines=np.zeros(16, dtype=np.int64),
        distances=np.zeros(neighborhood.COLOR_LANES, dtype=np.int32),
        errors=np.zeros(regions.shape[1] + 2, dtype=np.int64),
        state=np.zeros(STATE, dtype=np.int64),
        decided=np.zeros((mixer.DECISIONS, 4), dtype=np.int64),
        asked=np.zeros((codewords.left.size, 2), dtype=np.int64),
    )


def encode(
    kind: type[Model],
    codewords: Codewords,
    codes: NDArray[np.int32],
    regions: NDArray[np.uint8],
    rows_done: NDArray[np.int64],
) -> bytes:
    """Return the payload of (h, w) codewords, coded by a model of a kind."""
    room = 2 * codes.size + 4096
    while True:
        sink = encoder(room)
        code_pixels(new_model(kind, codewords, regions, codes), sink, rows_done)
        payload = written(sink)
        if payload is not None:
            return payload
        room *= 4


def decode(
    kind: type[Model],
    codewords: Codewords,
    payload: bytes,
    regions: NDArray[np.uint8],
    rows_done: NDArray[np.int64],
) -> NDArray[np.int32]:
    """Return the (h, w) codewords of a payload.

    Raises
    ------
    CorruptError
        The payload is not exactly what an encoder writes for the map that it decodes to.
    """
    sink = decoder(payload)
    model = new_model(kind, codewords, regions, np.zeros(regions.shape, dtype=np.int32))
    code_pixels(model, sink, rows_done)
    if not is_canonical_end(sink):
        end = int(sink.interval[POSITION]) - 4
        expected = f"its end at byte {end} or up to 4 bytes behind"
        raise CorruptError("index map", expected, f"{len(payload)} bytes with another end")
    return model.codes[ABOVE_MARGIN:, ACROSS_MARGIN:-ACROSS_MARGIN]


def costs(
    kind: type[Model], codewords: Codewords, codes: NDArray[np.int32], regions: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return the cost of each pixel in bits: (h, w)."""
    found = np.zeros(codes.shape, dtype=np.int64)
    price_pixels(new_model(kind, codewords, regions, codes), meter(), found)
    return found / (1 << COST_BITS)
