# mypy: disable-error-code="operator,arg-type,assignment,call-overload"
"""The coarse correction: block means of the error that codewords leave, added back.

A palette leaves errors of one sign over whole patches. Their means over blocks, in luma and two
color differences, are quantized with a step and coded as a small image; the decoder interpolates
them linearly and adds them::

    ┌────────┬────────┬────────┬──────────────────────────────────────────┐
    │ block  │ step   │ gain   │ (rows, columns, 3) values, by `integers` │
    │ 1 byte │ 1 byte │ 1 byte │ luma, blue and red difference            │
    └────────┴────────┴────────┴──────────────────────────────────────────┘

block
    Side B of a block in pixels: 4, 8 or 16.
step
    Quantizer step in eighths of a level, 1..255.
gain
    By how much the correction raises the PSNR, in twentieths of a dB, at most 255: informative
    only.

There are ``ceil(height / B) * ceil(width / B)`` blocks, the last ones partly outside the image. A
block's values times the step, Y, U and V, are in eighths of a level; a file where one is not within
-4095..4095 is refused. With ``>>`` and mod rounding down, a block's correction is

    ``red = Y + ((359 V + 128) >> 8)``, ``green = Y - ((88 U + 183 V + 128) >> 8)``,
    ``blue = Y + ((454 U + 128) >> 8)``.

A pixel at (y, x) lies ``v / (2 B)`` blocks below the center of the first row of blocks, ``v = 2 y +
1 - B``. It takes corrections from the rows ``i = floor(v / (2 B))`` and ``i + 1``, each limited to
the image's blocks, with the weights ``2 B - (v mod 2 B)`` and ``v mod 2 B``; likewise across
columns. With S the sum of the four blocks' corrections times both weights, it is corrected by ``(S
+ 16 B**2) / (32 B**2)``, rounded down, and kept within 0..255.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from adaptive_kmeans.alpha import weights
from adaptive_kmeans.errors import CorruptError
from adaptive_kmeans.restoration import integers
from adaptive_kmeans.restoration.wiener import GAIN_STEPS, gain_number
from adaptive_kmeans.threads import Workers

Array = npt.NDArray[Any]
Image = npt.NDArray[np.uint8]
Means = npt.NDArray[np.float64]

BLOCKS = (4, 8, 16)
"""Sides of blocks that a file may choose from."""
STEPS = 8
"""Units of a step per level."""
LARGEST_STEP = 255
LARGEST = 4095
"""Largest magnitude of a block's value times the step."""
STRIP, STRIP_WIDTH = 64, 2**13
"""Rows and columns of an image corrected at a time."""
_HEAD_BYTES = 3

TO_LUMA = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.168736, -0.331264, 0.5],
        [0.5, -0.418688, -0.081312],
    ]
)
REFINEMENTS = 2
"""How often the means of the error that interpolation leaves are added to the means."""
ROUNDING = 0.38
"""Fractions are rounded up from 1 - `ROUNDING`: smaller values cost more than they repair."""
MEDIUM, OTHER_STEPS = 0.4, (0.27, 0.6)
"""Steps that the encoder tries for 8×8 blocks, as multiples of the square root of a bit's price."""


@dataclass(frozen=True, eq=False)
class Correction:
    """A coarse correction.

    Parameters
    ----------
    block : int
        Side of a block in pixels: 4, 8 or 16.
    step : int
        Quantizer step in eighths of a level.
    values : (rows, columns, 3) int32
        Luma, blue and red difference of the blocks, in steps.
    gain_db : float
        By how much it raises the PSNR, as precisely as a file can state it.
    """

    block: int
    step: int
    values: npt.NDArray[np.int32]
    gain_db: float = 0.0

    @property
    def step_levels(self) -> float:
        """The quantizer step in levels."""
        return self.step / STEPS

    def to_bytes(self) -> bytes:
        """Write the correction as a payload."""
        head = bytes([self.block, self.step, gain_number(self.gain_db)])
        return head + integers.encode(self.values)

    @classmethod
    def from_bytes(cls, payload: bytes, height: int, width: int) -> Correction:
        """Read the correction of an image of a given size.

        Raises
        ------
        CorruptError
            The payload is not one that `to_bytes` writes.
        """
        block, step, gain = _read_head(payload)
        values = integers.decode(payload[_HEAD_BYTES:], _shape(height, width, block), "correction")
        largest = max(int(values.max()), -int(values.min())) * step
        if largest > LARGEST:
            raise CorruptError("correction", f"values times the step within ±{LARGEST}", largest)
        return cls(block, step, values, gain / GAIN_STEPS)

    def apply(self, image: Image, workers: Workers) -> None:
        """Correct an (H, W, 3) image in place."""
        workers.map(
            lambda top, left: _add(
                self.values,
                self.step,
                self.block,
                top,
                left,
                image[top : top + STRIP, left : left + STRIP_WIDTH],
            ),
            (
                (top, left)
                for top in range(0, image.shape[0], STRIP)
                for left in range(0, image.shape[1], STRIP_WIDTH)
            ),
        )


def values_bytes(payload: bytes, height: int, width: int) -> int:
    """Return the memory that the values of a payload take, before they are decoded.

    Raises
    ------
    CorruptError
        The payload does not begin as one that `Correction.to_bytes` writes.
    """
    block, *_ = _read_head(payload)
    return np.dtype(np.int32).itemsize * math.prod(_shape(height, width, block))


def block_means(original: Image, image: Image, block: int, alpha: Image | None = None) -> Means:
    """Return the corrections of blocks that, once interpolated, repair an image best.

    Parameters
    ----------
    original, image : (H, W, 3) uint8
    block : int
        Side of a block.
    alpha : (H, W) uint8 or None
        How visible each pixel is: the means are weighted by it.

    Returns
    -------
    means : (rows, columns, 3) float64
        Luma, blue and red difference, in levels.
    """
    height, width = original.shape[:2]
    heights, widths = (
        np.minimum(block, side - np.arange(0, side, block)).astype(np.float64)
        for side in (height, width)
    )
    counts = np.outer(heights, widths)[:, :, None]
    pixel_weights = None
    if alpha is not None:
        pixel_weights = weights(alpha)
        sums = np.add.reduceat(pixel_weights, range(0, height, block), axis=0)
        sums = np.add.reduceat(sums, range(0, width, block), axis=1)
        counts = np.maximum(sums, 1).astype(np.float64)[:, :, None]
    means: Means = np.zeros(_shape(height, width, block))
    for _ in range(1 + REFINEMENTS):
        lacks = np.zeros_like(means)
        _add_block_errors(original, image, pixel_weights, means, block, lacks)
        means += lacks / counts
    return means @ TO_LUMA.T  # type: ignore[no-any-return]


def quantize(means: Means, block: int, price: float, factor: float) -> Correction:
    """Return the correction of block means, with a step that suits a price of a bit."""
    step = round(STEPS * factor * math.sqrt(price) * 8 / block)
    step = min(max(step, 1), LARGEST_STEP)
    scaled = means * (STEPS / step)
    values = np.sign(scaled) * np.floor(np.abs(scaled) + ROUNDING)
    largest = LARGEST // step
    return Correction(block, step, np.clip(values, -largest, largest).astype(np.int32))


def _read_head(payload: bytes) -> tuple[int, int, int]:
    """Return block, step and gain."""
    if len(payload) < _HEAD_BYTES:
        raise CorruptError("correction", f"at least {_HEAD_BYTES} bytes", len(payload))
    block, step, gain = payload[:_HEAD_BYTES]
    if block not in BLOCKS or not step:
        expected = f"blocks of {BLOCKS} pixels and a step of 1..{LARGEST_STEP}"
        raise CorruptError("correction", expected, f"{block} and {step}")
    return block, step, gain


def _shape(height: int, width: int, block: int) -> tuple[int, int, int]:
    return -(-height // block), -(-width // block), 3


@njit(cache=True, nogil=True)
def _colors(values: Array, step: int, colors: Array) -> None:
    """Write the corrections of a row of blocks, in eighths of a level.

    values : (columns, 3) int32
    colors : (columns, 3) int32  # OUT: red, green, blue
    """
    for i in range(len(values)):
        luma, blue, red = values[i, 0] * step, values[i, 1] * step, values[i, 2] * step
        colors[i, 0] = luma + ((359 * red + 128) >> 8)
        colors[i, 1] = luma - ((88 * blue + 183 * red + 128) >> 8)
        colors[i, 2] = luma + ((454 * blue + 128) >> 8)


@njit(cache=True, nogil=True)
def _add(values: Array, step: int, block: int, top: int, left: int, part: Array) -> None:
    """Correct a part of an image.

    values : (rows, columns, 3) int32
    part : (h, w, 3) uint8  # OUT, from row `top` and column `left` of the image
    """
    height, width = part.shape[:2]
    scale = 2 * block
    first = max((2 * left + 1 - block) // scale, 0)
    end = min((2 * (left + width) - 1 - block) // scale + 2, values.shape[1])
    columns = end - first
    shift = np.int64(0)
    while (1 << shift) < scale * scale * STEPS:
        shift += 1
    half = np.int64(1) << (shift - 1)
    upper = np.zeros((columns, 3), dtype=np.int32)
    lower = np.zeros((columns, 3), dtype=np.int32)
    between = np.zeros((columns, 3), dtype=np.int32)
    last = np.int64(-2)
    for y in range(height):
        down = 2 * (top + y) + 1 - block
        weight = down % scale
        row = down // scale
        if row != last:
            _colors(values[max(row, 0), first:end], step, upper)
            _colors(values[min(row + 1, len(values) - 1), first:end], step, lower)
            last = row
        for i in range(columns):
            for c in range(3):
                between[i, c] = (scale - weight) * upper[i, c] + weight * lower[i, c]
        for x in range(width):
            across = 2 * (left + x) + 1 - block
            right_weight = across % scale
            west = max(across // scale - first, 0)
            east = min(across // scale + 1 - first, columns - 1)
            for c in range(3):
                total = (scale - right_weight) * between[west, c] + right_weight * between[east, c]
                value = np.int64(part[y, x, c]) + ((total + half) >> shift)
                part[y, x, c] = min(max(value, 0), 255)


@njit(cache=True, nogil=True)
def _add_block_errors(
    original: Array, image: Array, weights: Array | None, colors: Array, block: int, sums: Array
) -> None:
    """Sum the errors left in each block after adding interpolated corrections, unrounded.

    original, image : (H, W, 3) uint8
    weights : (H, W) int64, or None for all 1, which is compiled separately
    colors : (rows, columns, 3) float64
    sums : (rows, columns, 3) float64  # OUT
    """
    height, width = original.shape[:2]
    rows, columns = colors.shape[:2]
    scale = 2 * block
    between = np.zeros((columns, 3))
    for y in range(height):
        down = 2 * y + 1 - block
        weight = (down % scale) / scale
        upper = colors[max(down // scale, 0)]
        lower = colors[min(down // scale + 1, rows - 1)]
        for i in range(columns):
            for c in range(3):
                between[i, c] = (1 - weight) * upper[i, c] + weight * lower[i, c]
        for x in range(width):
            across = 2 * x + 1 - block
            right_weight = (across % scale) / scale
            left = max(across // scale, 0)
            right = min(across // scale + 1, columns - 1)
            for c in range(3):
                added = (1 - right_weight) * between[left, c] + right_weight * between[right, c]
                lacks = np.float64(original[y, x, c]) - np.float64(image[y, x, c]) - added
                if weights is not None:
                    lacks *= weights[y, x]
                sums[y // block, x // block, c] += lacks
