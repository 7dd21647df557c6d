# mypy: disable-error-code="operator,arg-type,assignment,return-value,no-any-return"
"""The closed loop: what an error costs after the decoder has filtered it.

The filter is linear, ``z = Σ M y``, so a change δ of a pixel's color changes the squared error of
the decoded image by ``2 g·δ + δᵀ H δ``, with ``g = Σ Mᵀ (z - x)`` over the pixels that see it, and
``H = Σ Mᵀ M``. This is blended with the squared error of the codeword itself: with the filter
alone, codewords would degenerate into a dither that costs more bits than the proxy estimates.

Only the pairs of the filter are differentiated; the contribution of rings is held fixed. H uses the
pixel's own class for all pixels around it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.kernels import inlined
from adaptive_kmeans.restoration.wiener import PAIR_INPUTS, PAIRS, SHIFT, Filter, fine_classes

Array = npt.NDArray[Any]

BLEND = 154
"""Share of the restored error in the blend, in 1 / 256."""


class Loop(NamedTuple):
    """A filter, and the errors that it leaves."""

    image: npt.NDArray[np.uint8]  # (h, w, 3) the original
    points: npt.NDArray[np.int32]  # (n, 3) levels of the codewords
    errors: npt.NDArray[np.int32]  # (h, w, 3) restored less original, in 1 / 256
    classes: npt.NDArray[np.uint8]  # (h, w)
    centers: npt.NDArray[np.int64]  # (classes, in, out) what a pixel adds to itself, in 1 / 256
    pairs: npt.NDArray[np.int64]  # (classes, pairs, in, out) and to those of a pair
    squares: npt.NDArray[np.int64]  # (classes, in, in) H, in 1 / 65536


def close(
    image: npt.NDArray[np.uint8],
    corrected: npt.NDArray[np.uint8],
    restored: npt.NDArray[np.uint8],
    found: Filter,
    points: npt.NDArray[np.int32],
) -> Loop:
    """Return the loop around a filter.

    Parameters
    ----------
    image, corrected, restored : (h, w, 3) uint8
        The original, and the decoder's image before and after the filter.
    found : Filter
    points : (n, 3) int32
        The codewords.
    """
    errors = (restored.astype(np.int32) - image) << SHIFT
    weights = found.by_fine_class()[:, :PAIR_INPUTS].astype(np.int64)
    pairs = weights.reshape(len(weights), len(PAIRS), 3, 3)
    centers = (np.eye(3, dtype=np.int64) << SHIFT) - 2 * pairs.sum(axis=1)
    squares = centers @ centers.transpose(0, 2, 1)
    squares += 2 * (pairs @ pairs.transpose(0, 1, 3, 2)).sum(axis=1)
    return Loop(image, points, errors, fine_classes(corrected), centers, pairs, squares)


@inlined
def look(loop: Loop, y: int, x: int) -> tuple[int, int, int]:
    """Return the gradient g at a pixel, in 1 / 65536 of a level."""
    height, width = loop.classes.shape
    own = loop.classes[y, x]
    red, green, blue = np.int64(0), np.int64(0), np.int64(0)
    for out in range(3):
        error = np.int64(loop.errors[y, x, out])
        red += loop.centers[own, 0, out] * error
        green += loop.centers[own, 1, out] * error
        blue += loop.centers[own, 2, out] * error
    for j in range(PAIRS.shape[0]):
        for sign in range(-1, 2, 2):
            row, column = y + sign * PAIRS[j, 0], x + sign * PAIRS[j, 1]
            if 0 <= row < height and 0 <= column < width:
                kind = loop.classes[row, column]
                for out in range(3):
                    error = np.int64(loop.errors[row, column, out])
                    red += loop.pairs[kind, j, 0, out] * error
                    green += loop.pairs[kind, j, 1, out] * error
                    blue += loop.pairs[kind, j, 2, out] * error
    return red, green, blue


@inlined
def error_of(loop: Loop, seen: tuple[int, int, int], y: int, x: int, now: int, label: int) -> int:
    """Return by how much another codeword raises the distortion, in 1 / 256."""
    points = loop.points
    own = loop.classes[y, x]
    red = np.int64(points[label, 0]) - np.int64(points[now, 0])
    green = np.int64(points[label, 1]) - np.int64(points[now, 1])
    blue = np.int64(points[label, 2]) - np.int64(points[now, 2])
    h = loop.squares[own]
    restored = 2 * (seen[0] * red + seen[1] * green + seen[2] * blue)
    restored += h[0, 0] * red * red + h[1, 1] * green * green + h[2, 2] * blue * blue
    restored += 2 * (h[0, 1] * red * green + h[0, 2] * red * blue + h[1, 2] * green * blue)
    plain = np.int64(0)
    for c in range(3):
        level = np.int64(loop.image[y, x, c])
        after, before = np.int64(points[label, c]) - level, np.int64(points[now, c]) - level
        plain += after * after - before * before
    return (BLEND * (restored >> 8) + (256 - BLEND) * 256 * plain) >> 8


@inlined
def change(loop: Loop, y: int, x: int, now: int, label: int) -> None:
    """Update the errors when a pixel takes another codeword."""
    height, width = loop.classes.shape
    own = loop.classes[y, x]
    for c in range(3):
        delta = np.int64(loop.points[label, c]) - np.int64(loop.points[now, c])
        if delta != 0:
            for out in range(3):
                loop.errors[y, x, out] += loop.centers[own, c, out] * delta
            for j in range(PAIRS.shape[0]):
                for sign in range(-1, 2, 2):
                    row, column = y + sign * PAIRS[j, 0], x + sign * PAIRS[j, 1]
                    if 0 <= row < height and 0 <= column < width:
                        kind = loop.classes[row, column]
                        for out in range(3):
                            loop.errors[row, column, out] += loop.pairs[kind, j, c, out] * delta
