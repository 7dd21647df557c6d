# mypy: disable-error-code="assignment"
"""The match model: follows an earlier position with the same surroundings as the pixel.

The surroundings are a 31-bit hash of the 25 neighbors. A table of ``2**clip(bit_length(pixels - 1)
- 3, 8, 20)`` entries, indexed by the lowest bits of the hash, holds the hash and the position of
the last coded pixel that had it. At a coded pixel, if the last prediction was right, the followed
position moves one to the right, through rows with their margins (`neighborhood`); otherwise the
entry's position is followed if its hash is the pixel's. Then the entry becomes this pixel's. The
prediction is the codeword at the position, if it is of the pixel's region. After ``n`` right
predictions in a row, in whatever region, the *match length class* is ``min(n, 7) + min(n >> 3, 3) +
min(n >> 5, 5)``, 0..15.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adaptive_kmeans.coding.context_mixing.kernel import prefetch
from adaptive_kmeans.kernels import Int, inlined, leaf

PLACE, LENGTH, PREDICTED = 0, 1, 2


class Match(NamedTuple):
    """Where surroundings were last seen, and the position that is followed."""

    places: NDArray[np.int64]  # (2**bits,) by hash: the hash above 32 bits of position, 0 none
    followed: NDArray[np.int64]  # (3,) position (0 none), pixels predicted in a row, codeword there


def new_match(pixels: int) -> Match:
    """Return an empty match model for an image of `pixels`.

    It has ``2 ** clip(bit_length(pixels - 1) - 3, 8, 20)`` entries.
    """
    return Match(np.zeros(match_bytes(pixels) // 8, dtype=np.int64), np.zeros(3, dtype=np.int64))


def match_bytes(pixels: int) -> int:
    """Return the size in bytes of the match model for an image of `pixels`."""
    return 8 << min(max((pixels - 1).bit_length() - 3, 8), 20)


@leaf
def prefetch_place(match: Match, surroundings: Int) -> None:
    """Prefetch what `look_up` will read."""
    prefetch(match.places, surroundings & (match.places.size - 1))


@inlined
def look_up(match: Match, codes: NDArray[np.int32], y: Int, x: Int, surroundings: Int) -> Int:
    """Return the predicted codeword for the pixel at ``codes[y, x]``, -1 for none.

    `surroundings` is a 31-bit hash, whose entry becomes this position.
    """
    stride = np.int64(codes.shape[1])
    followed = match.followed
    slot = np.uint64(surroundings & (match.places.size - 1))
    if followed[LENGTH] > 0:
        followed[PLACE] += 1
    else:
        entry = match.places[slot]
        followed[PLACE] = entry & 0xFFFFFFFF if entry >> 32 == surroundings else np.int64(0)
    match.places[slot] = (surroundings << 32) | (y * stride + x)
    followed[PREDICTED] = -1
    if followed[PLACE] != 0:
        row = followed[PLACE] // stride
        followed[PREDICTED] = codes[row, followed[PLACE] - row * stride]
    return followed[PREDICTED]


@leaf
def length_class(match: Match) -> Int:
    """Class of the number of pixels predicted in a row, 0..15."""
    length = match.followed[LENGTH]
    return min(length, 7) + min(length >> 3, 3) + min(length >> 5, 5)


@leaf
def update(match: Match, code: Int) -> None:
    """Record whether the prediction was the pixel's codeword; if not, drop the position."""
    followed = match.followed
    if followed[PREDICTED] == code:
        followed[LENGTH] += 1
    else:
        followed[LENGTH] = 0
        followed[PLACE] = 0
