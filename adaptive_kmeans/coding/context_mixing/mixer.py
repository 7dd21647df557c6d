# mypy: disable-error-code="operator,arg-type,assignment,call-overload"
"""Counters and the mixer: how a decision's probability is computed, and how it learns.

A **counter** is a uint32: a 22-bit probability of a 1 above a 10-bit count of decisions seen,
initially one half and 0. It is stored with its highest bit flipped, so that memory that was never
written to holds new counters: a small image then touches little of the large tables.

To predict, the counters of a decision's contexts are read. Their logistic values are the first
inputs of the mixer, followed by its features; the rest are 0. Each selected weight set gives a
logistic prediction, the sum of ``inputs * weights >> 8``, shifted right by 8 and clamped to
``-LIMIT..LIMIT``, ``LIMIT = 2815``. The final mixer weights these with the weights of the
decision's kind, initially ``65536 / sets`` each: its sum, shifted right by 16, is the logistic
value of the probability.

A pixel's decisions learn once all of them are coded, each from what it saw when it was predicted.
(If two of them read the same counter, the update of the second one stays.) With ``e = 65536 bit -
probability``:

* a final weight moves by ``(output * e + 2**17) >> 18``;
* the weights of a set move by ``(input * step + 2**13) >> 14``, with ``step = (65536 bit -
  squash(output)) * rate >> 8``, unless ``|step| < 96``; ``rate = 64 + (200 RECIPROCAL[age + 14] >>
  12)``, where ``age``, at most 1023, counts the decisions that the set has seen; weights have 16
  fractional bits, start at 0.125 for counters and 0 for features, and are clamped to
  ``-2**19..2**19 - 1``, so that no sum exceeds 32 bits;
* a counter with count ``n`` moves by ``(4194303 bit - chance) * RECIPROCAL[n] >> 16``, and counts
  up to a limit.

The tables are computed in integers. Logistic values are ``256 ln(p / (1 - p))``. With
``C = floor(2**60 e**(1/256))``, whose series is summed in integers with each term and each power
rounded down, and ``E(0) = 2**60``, ``E(i + 1) = floor(E(i) C / 2**60)``:

* ``SQUASH[LIMIT + x] = floor(65536 E(x) / (E(x) + 2**60))`` for ``x >= 0``, and
  ``SQUASH[LIMIT - x] = 65536 - SQUASH[LIMIT + x]``: 16-bit probabilities;
* ``STRETCH[p]`` of a 12-bit probability is the smallest ``x`` with ``SQUASH[LIMIT + x] >= 16 p +
  8`` (``LIMIT`` if there is none);
* ``RECIPROCAL[n] = floor(655360 / (10 n + 16))``.

>>> int(SQUASH[LIMIT]), int(SQUASH[LIMIT + 256]), int(STRETCH[2048]), int(STRETCH[4095])
(32768, 47910, 1, 2307)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adaptive_kmeans.coding.context_mixing.kernel import (
    FIRST_WEIGHT,
    LANES,
    adjust,
    aligned_zeros,
    dot,
)
from adaptive_kmeans.kernels import Int, inlined, leaf

Int32 = NDArray[np.int32]

LIMIT = 2815
"""Largest logistic value: 11 nats."""
NEW_COUNTER = 1 << 31
SLOW_RATE, FAST_RATE = 64, 200
LEAST_STEP = 96
SETS = 3
"""Largest number of weight sets selected at once."""
DECISIONS = 13
"""Most decisions per pixel: a run flag, and branches down a tree of 4096 codewords."""
OLDEST = 1023


def _logistic() -> tuple[Int32, Int32]:
    one = 1 << 60
    base, term, i = 0, one, 1
    while term:
        base += term
        term //= 256 * i
        i += 1
    squash = np.zeros(2 * LIMIT + 1, dtype=np.int32)
    power = one
    for x in range(LIMIT + 1):
        value = 65536 * power // (power + one)
        squash[LIMIT + x] = value
        squash[LIMIT - x] = 65536 - value
        power = power * base >> 60
    wanted = 16 * np.arange(4096) + 8
    stretch = np.minimum(np.searchsorted(squash, wanted) - LIMIT, LIMIT)
    return squash, stretch.astype(np.int32)


SQUASH, STRETCH = _logistic()
RECIPROCAL = (655360 // (10 * np.arange(OLDEST + 15) + 16)).astype(np.int32)


class Mixer(NamedTuple):
    """Everything that a pixel's decisions read and change, apart from the counters.

    What a decision saw is kept until the pixel is coded, when all of them learn.
    """

    slots: NDArray[np.int64]  # (DECISIONS × LANES,) the counter of each context
    values: NDArray[np.uint32]  # (DECISIONS × LANES,) as read, then as stored
    rates: NDArray[np.int32]  # (DECISIONS × LANES,) how fast they move
    inputs: NDArray[np.int32]  # (DECISIONS × LANES,)
    sets: NDArray[np.int64]  # (DECISIONS × SETS,) selected weight sets
    outputs: NDArray[np.int64]  # (DECISIONS × SETS,)
    weights: NDArray[np.int32]  # (all sets × LANES,) minus their initial values
    first: NDArray[np.int32]  # (kinds, LANES) initial weights
    ages: NDArray[np.int32]  # (all sets,)
    final: NDArray[np.int64]  # (kinds, SETS) weights of the final mixer


def new_mixer(contexts: tuple[int, ...], selected: int, total: int) -> Mixer:
    """Return an untrained mixer.

    Parameters
    ----------
    contexts : tuple of int
        Number of counters that a decision of each kind reads.
    selected : int
        Weight sets selected at once, at most `SETS`.
    total : int
        Total number of weight sets.
    """
    first = np.zeros((len(contexts), LANES), dtype=np.int32)
    for kind, count in enumerate(contexts):
        first[kind, :count] = FIRST_WEIGHT
    return Mixer(
        np.zeros(DECISIONS * LANES, dtype=np.int64),
        aligned_zeros(DECISIONS * LANES),
        aligned_zeros(DECISIONS * LANES).view(np.int32),
        aligned_zeros(DECISIONS * LANES).view(np.int32),
        np.zeros(DECISIONS * SETS, dtype=np.int64),
        np.zeros(DECISIONS * SETS, dtype=np.int64),
        aligned_zeros(total * LANES).view(np.int32),
        first,
        np.zeros(total, dtype=np.int32),
        np.full((len(contexts), SETS), 65536 // selected, dtype=np.int64),
    )


@leaf
def squash(x: Int) -> Int:
    """16-bit probability of a logistic value."""
    return np.int64(SQUASH[np.uint64(min(max(x, -LIMIT), LIMIT) + LIMIT)])


@leaf
def chance(counters: NDArray[np.uint32], slot: Int) -> Int:
    """16-bit probability of one counter."""
    return (np.int64(counters[np.uint64(slot)]) ^ NEW_COUNTER) >> 16


@leaf
def moved(counter: Int, bit: Int, limit: Int) -> Int:
    """Return a counter after a decision, both with the highest bit not flipped."""
    count = counter & 1023
    probability = counter >> 10
    rate = np.int64(RECIPROCAL[np.uint64(count)])
    probability += ((np.int64(4194303) * bit - probability) * rate) >> 16
    return (probability << 10) | (count + np.int64(count < limit))


@inlined
def learn_alone(counters: NDArray[np.uint32], slot: Int, bit: Int, limit: Int) -> None:
    """Move one counter toward a decision."""
    counter = np.int64(counters[np.uint64(slot)]) ^ NEW_COUNTER
    counters[np.uint64(slot)] = moved(counter, bit, limit) ^ NEW_COUNTER


@inlined
def predict(
    mixer: Mixer, counters: NDArray[np.uint32], decision: Int, kind: Int, contexts: Int, sets: Int
) -> Int:
    """16-bit probability that a decision is 1; its slots, sets and features are in the mixer."""
    at, first = decision * LANES, decision * SETS
    for i in range(contexts):
        counter = np.int64(counters[np.uint64(mixer.slots[at + i])]) ^ NEW_COUNTER
        mixer.values[at + i] = counter
        mixer.rates[at + i] = RECIPROCAL[np.uint64(counter & 1023)]
        mixer.inputs[at + i] = STRETCH[np.uint64(counter >> 20)]
    total = np.int64(0)
    for s in range(sets):
        start = mixer.sets[first + s] * LANES
        sum_ = np.int64(dot(mixer.inputs, at, mixer.weights, start, mixer.first, kind))
        output = min(max(sum_ >> 8, -LIMIT), LIMIT)
        mixer.outputs[first + s] = output
        total += output * mixer.final[kind, s]
    return squash(total >> 16)


@inlined
def learn_weights(
    mixer: Mixer, decision: Int, kind: Int, sets: Int, bit: Int, probability: Int
) -> None:
    """Adjust the weights that gave a probability toward the decision."""
    target = bit << 16
    for s in range(sets):
        output = mixer.outputs[decision * SETS + s]
        mixer.final[kind, s] += (output * (target - probability) + 131072) >> 18
        at = np.uint64(mixer.sets[decision * SETS + s])
        age = np.int64(mixer.ages[at])
        rate = SLOW_RATE + ((FAST_RATE * np.int64(RECIPROCAL[np.uint64(age + 14)])) >> 12)
        mixer.ages[at] = age + np.int64(age < OLDEST)
        step = ((target - squash(output)) * rate) >> 8
        if abs(step) >= LEAST_STEP:
            start = mixer.sets[decision * SETS + s] * LANES
            first = decision * LANES
            adjust(mixer.inputs, first, mixer.weights, start, mixer.first, kind, np.int32(step))


@inlined
def store_counters(
    mixer: Mixer, counters: NDArray[np.uint32], decision: Int, contexts: Int
) -> None:
    """Write the updated counters back to where they were read."""
    for i in range(decision * LANES, decision * LANES + contexts):
        counters[np.uint64(mixer.slots[i])] = mixer.values[i]
