"""Tables of the context-mixing coder, all computed in integers.

Probabilities inside the mixer live in the logistic domain: ``x = 256 ln(p / (1 - p))``, limited
to ``-LIMIT..LIMIT``. `SQUASH` leads from there to 16-bit probabilities, `STRETCH` leads from 12-bit
probabilities back.

With ``C = floor(2**60 e**(1/256))``, its series summed in integers, each term and each power
rounded down, and ``E(0) = 2**60``, ``E(i + 1) = floor(E(i) C / 2**60)``:

* ``SQUASH[LIMIT + x] = floor(65536 E(x) / (E(x) + 2**60))`` for ``x >= 0``, and
  ``SQUASH[LIMIT - x] = 65536 - SQUASH[LIMIT + x]``;
* ``STRETCH[p]`` is the least ``x`` with ``SQUASH[LIMIT + x] >= 16 p + 8`` (``LIMIT`` if none);
* ``RECIPROCAL[n] = floor(655360 / (10 n + 16))``: the share of its error that a counter takes
  over after ``n`` decisions, out of 65536;
* `DISTANCE` and `SPREAD` put signed and unsigned lengths into 16 and 12 classes.

>>> int(SQUASH[LIMIT]), int(SQUASH[LIMIT + 256]), int(STRETCH[2048]), int(STRETCH[4095])
(32768, 47910, 1, 2307)
"""

import numpy as np
from numpy.typing import NDArray

Int32 = NDArray[np.int32]

LIMIT = 2815
"""Largest logistic value: 11 nats."""


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


def _classes(bounds: tuple[int, ...], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.searchsorted(np.array(bounds), lengths, side="right")


def _signed_classes() -> Int32:
    """Class 0..15 of ``16 (i - 128)``, a signed length of 256 a codeword spacing."""
    i = np.arange(256)
    length = np.abs(16 * (i - 128) + 8)
    rank = _classes((32, 90, 160, 240, 350, 520, 900), length)
    return np.where(i >= 128, 8 + rank, 7 - rank).astype(np.int32)


SQUASH, STRETCH = _logistic()
RECIPROCAL = (655360 // (10 * np.arange(1100) + 16)).astype(np.int32)
DISTANCE = _signed_classes()
SPREAD = _classes((1, 5, 9, 13, 18, 24, 32, 44, 60, 90, 140), np.arange(256)).astype(np.int32)
