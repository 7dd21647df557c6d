# mypy: disable-error-code="operator,arg-type,assignment,call-overload"
"""One decision of the context-mixing coder: predict, code, learn.

A **counter** is a uint32: a 22-bit probability of a 1 above a 10-bit count of decisions seen, at
first one half and 0. It is stored with its highest bit flipped, so that memory which was never
written to holds new counters: a small image then costs little of the large tables. A decision
looks at `CONTEXTS` counters, one for each of its contexts (array ``slots``). Their logistic values
are the first inputs of the mixer, `FEATURES` further inputs are given by the caller. Each of the
`SETS` weight sets that the caller selects gives a logistic prediction, the sum of input times
weight; a last mixer weighs these into the one that codes the decision.

Afterwards each set and the last mixer move against their own error, each counter towards the
decision by a share that falls with its count. Weights and blend have 16 fractional bits, and
weights stay within ``-2**19..2**19 - 1``, so that no sum leaves 32 bits.

These kernels validate nothing: the caller's slots and sets lie inside their arrays.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from adaptive_kmeans.coding._memory import aligned_zeros
from adaptive_kmeans.coding._probability import LIMIT, RECIPROCAL, SQUASH, STRETCH
from adaptive_kmeans.coding._range_coder import code_bit

Int = Any  # int or np.int64, as Numba types it

CONTEXTS = 18
FEATURES = 14
INPUTS = CONTEXTS + FEATURES
SETS = 3
NEW_COUNTER = 1 << 31
FIRST_WEIGHT = 8192  # 0.125
SLOW_RATE = 64  # of a weight set, and what its youth adds
FAST_RATE = 200
LEAST_STEP = 96  # smaller ones are not taken


class Mixer(NamedTuple):
    """Everything that a decision reads and changes, besides the counters."""

    slots: NDArray[np.int64]  # (CONTEXTS,) counter of each context
    inputs: NDArray[np.int32]  # (INPUTS,)
    sets: NDArray[np.int64]  # (SETS,) weight sets selected
    outputs: NDArray[np.int64]  # (SETS,)
    weights: NDArray[np.int32]  # (sets, INPUTS), flat
    ages: NDArray[np.int32]  # (sets,)
    blend: NDArray[np.int64]  # (choosers, SETS), flat
    coder: NDArray[np.int64]  # (4,) range coder
    stream: NDArray[np.uint8]


def new_mixer(
    sets: int, choosers: int, coder: NDArray[np.int64], stream: NDArray[np.uint8]
) -> Mixer:
    """Return a mixer that has learned nothing."""
    weights = aligned_zeros(sets * INPUTS).view(np.int32).reshape(sets, INPUTS)
    weights[:, :CONTEXTS] = FIRST_WEIGHT
    return Mixer(
        np.zeros(CONTEXTS, dtype=np.int64),
        np.zeros(INPUTS, dtype=np.int32),
        np.zeros(SETS, dtype=np.int64),
        np.zeros(SETS, dtype=np.int64),
        weights.reshape(-1),
        np.zeros(sets, dtype=np.int32),
        np.full(choosers * SETS, 65536 // SETS, dtype=np.int64),
        coder,
        stream,
    )


@njit(cache=True, nogil=True, forceinline=True)
def squash(x: Int) -> Int:
    """16-bit probability of a logistic value."""
    return np.int64(SQUASH[np.uint64(min(max(x, -LIMIT), LIMIT) + LIMIT)])


@njit(cache=True, nogil=True, forceinline=True)
def learn(counters: NDArray[np.uint32], slot: Int, bit: Int, limit: Int) -> None:
    """Move one counter towards a decision."""
    counter = np.int64(counters[np.uint64(slot)]) ^ NEW_COUNTER
    count = counter & 1023
    chance = counter >> 10
    chance += ((np.int64(4194303) * bit - chance) * np.int64(RECIPROCAL[np.uint64(count)])) >> 16
    counters[np.uint64(slot)] = ((chance << 10) | (count + np.int64(count < limit))) ^ NEW_COUNTER


@njit(cache=True, nogil=True)
def decide(
    mixer: Mixer,
    counters: NDArray[np.uint32],
    decoding: bool,
    bit: Int,
    chooser: Int,
    limit: Int,
    mask: Int,
) -> Int:
    """Code one decision in the contexts and sets that `mixer` names; the decision is returned."""
    slots = mixer.slots
    inputs = mixer.inputs
    weights = mixer.weights
    outputs = mixer.outputs
    for i in range(slots.size):
        counter = counters[np.uint64(slots[i])] ^ np.uint32(NEW_COUNTER)
        inputs[i] = STRETCH[np.uint64(counter >> np.uint32(20))]
    if mask != -1:
        for i in range(CONTEXTS):
            if (mask >> i) & 1 == 0:
                inputs[i] = 0
    total = np.int64(0)
    for s in range(SETS):
        start = np.uint64(mixer.sets[s] * INPUTS)
        dot = np.int32(0)
        for i in range(inputs.size):  # not INPUTS: an unrolled loop is not vectorized
            product = np.int32(np.int64(inputs[i]) * np.int64(weights[start + np.uint64(i)]))
            dot = np.int32(np.int64(dot) + np.int64(np.int32(np.int64(product) >> 8)))
        output = min(max(np.int64(dot) >> 8, -LIMIT), LIMIT)
        outputs[s] = output
        total += output * mixer.blend[chooser * SETS + s]
    probability = squash(total >> 16)
    bit = code_bit(mixer.coder, mixer.stream, decoding, bit, probability)
    error = (bit << 16) - probability
    for s in range(SETS):
        mixer.blend[chooser * SETS + s] += (outputs[s] * error + 131072) >> 18
        age = np.int64(mixer.ages[mixer.sets[s]])
        rate = SLOW_RATE + ((FAST_RATE * np.int64(RECIPROCAL[np.uint64(age + 14)])) >> 12)
        mixer.ages[mixer.sets[s]] = age + np.int64(age < 1023)
        step = np.int32((((bit << 16) - squash(outputs[s])) * rate) >> 8)
        if abs(np.int64(step)) < LEAST_STEP:
            continue
        start = np.uint64(mixer.sets[s] * INPUTS)
        for i in range(INPUTS):
            at = start + np.uint64(i)
            change = np.int32(
                np.int64(np.int32(np.int64(np.int32(np.int64(inputs[i]) * np.int64(step))) + 8192))
                >> 14
            )
            moved = np.int32(np.int64(weights[at]) + np.int64(change))
            weights[at] = min(max(moved, np.int32(-524288)), np.int32(524287))
    for i in range(slots.size):
        learn(counters, slots[i], bit, limit)
    return bit
