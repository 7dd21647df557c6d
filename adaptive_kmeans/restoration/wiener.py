# mypy: disable-error-code="operator,arg-type,assignment,call-overload"
"""The filter: what a decoder adds to each pixel, by what lies around it.

Each pixel belongs to a class by its activity; each class has its own coefficients, which the
encoder fits by least squares (`fit`). So a filter adapts to regions that the decoder derives by
itself. The idea is that of the adaptive loop filter of Versatile Video Coding (Karczewicz et al.,
"VVC In-Loop Filters", IEEE Trans. Circuits Syst. Video Technol. 31 (10), 2021).

All arithmetic is in integers, ``>>`` rounding down and binding weaker than ``+``. All pixels are
read as they were before the filter; a place outside the image has the value of the nearest pixel in
it.

**Activity.** With the luma ``L = R + 2 G + B``, a pixel's roughness is ``|2 L - left - right| + |2
L - above - below|``, and its activity is the sum of roughness over the 7×7 pixels around it, where
those outside the image have the roughness of the image extended in this way. Its *fine class*,
0..7, is the number of `THRESHOLDS` that the activity reaches. With 3 classes, the fine classes
0..1, 2..4 and 5..7 form one each; with 1 class, all form one.

**What a pixel sees.** For each of `PAIRS`, in red, green and blue, the sum of the two pixels
opposite each other minus twice the pixel itself: 18 numbers, those of the first pair first. Then
for each of `RINGS`, in red, green and blue, the sum over its eight pixels of their differences from
the pixel, each limited to -12..12: 9 numbers. A filter without rings has no coefficients for these.

**Output.** A channel of a pixel becomes ``y + (128 + sum of the 27 numbers, each times its
coefficient for this channel >> 8)``, limited to 0..255: every channel weighs the numbers of all
three.

A filter is stored as::

    ┌────────┬────────┬─────────┬──────────────────────────────────────────────┐
    │ form   │ gain   │ states  │ (own classes, 27, 3) values, by `integers`   │
    │ 1 byte │ 1 byte │ 2 bytes │ as one set; (own classes, 18, 3) if no rings │
    └────────┴────────┴─────────┴──────────────────────────────────────────────┘

form
    0, 1, 2 for 1, 3, 8 classes; plus 4 with rings. Others are refused.
gain
    By how much the filter raises the PSNR, in twentieths of a dB, at most 255: informative only.
states
    Little-endian, two bits per class, the first lowest: 0 *off*, the class is not filtered; 1
    *default*, its coefficients are those of `default`; 2 *own*, they are the default's plus the
    next row of values, one by input and output. Bits of further classes are 0, and not all classes
    are off.

The default coefficients of a class of several fine classes are those of one of them: fine classes
1, 3 and 6 with 3 classes, 4 with 1 class. A file whose coefficients are not all within -512..512 is
refused, so that no sum leaves 32 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from adaptive_kmeans.errors import CorruptError, UnknownNameError
from adaptive_kmeans.restoration import integers
from adaptive_kmeans.restoration.default import DEFAULT
from adaptive_kmeans.threads import Workers

Array = npt.NDArray[Any]
Image = npt.NDArray[np.uint8]
Coefficients = npt.NDArray[np.int32]

PAIRS = np.array([(0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0)], dtype=np.int64)
"""(dy, dx) of one pixel of each pair."""
RINGS = np.array(
    [
        [(0, r), (d, d), (r, 0), (d, -d), (0, -r), (-d, -d), (-r, 0), (-d, d)]
        for r, d in ((4, 3), (7, 5), (12, 8))
    ],
    dtype=np.int64,
)
"""(dy, dx) of the pixels of each ring."""
RING_LIMIT = 12
HALO = 12
"""How far around a pixel the filter sees."""
PAIR_INPUTS, INPUTS = 3 * len(PAIRS), 3 * (len(PAIRS) + len(RINGS))
LANES = 32
"""Inputs of a pixel and, when a filter is fitted, its targets; padded."""
SHIFT = 8
LARGEST = 512
"""Largest magnitude of a coefficient."""

REACH = 3
"""Pixels to each side over which roughness is summed."""
THRESHOLDS = (294, 784, 1568, 2744, 4312, 6664, 10780)
"""Activities at which fine classes begin: means of 1.5, 4, 8, 14, 22, 34 and 55 levels."""
FINE = len(THRESHOLDS) + 1

GROUPS = {
    1: (tuple(range(FINE)),),
    3: ((0, 1), (2, 3, 4), (5, 6, 7)),
    8: tuple((fine,) for fine in range(FINE)),
}
"""The fine classes of each class, by the number of classes."""
OFF, BY_DEFAULT, OWN = range(3)
_HEAD_BYTES = 4

GAIN_STEPS = 20
"""Units of a gain per dB."""

TILE = (32, 512)
"""Rows and columns of an image filtered at a time."""


@dataclass(frozen=True)
class Form:
    """The form of a filter.

    Parameters
    ----------
    classes : int
        1, 3 or 8.
    rings : bool
        Whether it sees rings.
    """

    classes: int
    rings: bool

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The fine classes of each class."""
        return GROUPS[self.classes]

    @property
    def inputs(self) -> int:
        """Numbers that a pixel sees."""
        return INPUTS if self.rings else PAIR_INPUTS

    @property
    def number(self) -> int:
        """The form as a file states it."""
        return list(GROUPS).index(self.classes) + 4 * self.rings

    @property
    def default(self) -> Coefficients:
        """Default coefficients: (classes, inputs, 3) int32."""
        middle = [group[len(group) // 2] for group in self.groups]
        return DEFAULT[middle, : self.inputs]

    @property
    def summary(self) -> str:
        """The form in words."""
        classes = "1 class" if self.classes == 1 else f"{self.classes} classes"
        return f"{classes}, {'with' if self.rings else 'without'} rings"

    def __str__(self) -> str:
        return f"{self.classes}+rings" if self.rings else f"{self.classes}"

    @classmethod
    def parse(cls, text: str) -> Form:
        """Return the form that a text names, such as ``3`` or ``8+rings``.

        Raises
        ------
        UnknownNameError
            There is no such form.
        """
        names = {str(form): form for form in FORMS}
        if text not in names:
            raise UnknownNameError("form of the filter", text, names)
        return names[text]


FORMS = tuple(Form(classes, rings) for classes, rings in product(GROUPS, (False, True)))


@dataclass(frozen=True, eq=False)
class Filter:
    """A filter: its form, the state of each class, and what own coefficients add to the defaults.

    Parameters
    ----------
    form : Form
    states : tuple of int
        `OFF`, `BY_DEFAULT` or `OWN` for each class; not all are off.
    differences : (own classes, inputs, 3) int32
    gain_db : float
        By how much it raises the PSNR, as precisely as a file can state it.
    """

    form: Form
    states: tuple[int, ...]
    differences: Coefficients
    gain_db: float = 0.0

    def coefficients(self) -> Coefficients:
        """Return the coefficients of each class: (classes, inputs, 3) int32."""
        states = np.array(self.states)
        found: Coefficients = self.form.default * (states != OFF)[:, None, None].astype(np.int32)
        found[states == OWN] += self.differences
        return found

    def to_bytes(self) -> bytes:
        """Write the filter as a payload."""
        states = sum(state << (2 * i) for i, state in enumerate(self.states))
        head = bytes([self.form.number, gain_number(self.gain_db)]) + states.to_bytes(2, "little")
        return head + integers.encode(self.differences, one_set=True)

    @classmethod
    def from_bytes(cls, payload: bytes) -> Filter:
        """Read the filter of a payload.

        Raises
        ------
        CorruptError
            The payload is not one that `to_bytes` writes.
        """
        if len(payload) < _HEAD_BYTES:
            raise CorruptError("filter", f"at least {_HEAD_BYTES} bytes", len(payload))
        forms = {form.number: form for form in FORMS}
        if payload[0] not in forms:
            raise CorruptError("form of the filter", f"one of {[*forms]}", payload[0])
        form, number = forms[payload[0]], int.from_bytes(payload[2:_HEAD_BYTES], "little")
        states = tuple((number >> (2 * i)) & 3 for i in range(form.classes))
        if max(states) > OWN or number >> (2 * form.classes) or not any(states):
            expected = f"states of {form.classes} classes, not all of them off"
            raise CorruptError("filter", expected, f"{number:04x}")
        shape = (states.count(OWN), form.inputs, 3)
        differences = integers.decode(payload[_HEAD_BYTES:], shape, "filter", one_set=True)
        found = cls(form, states, differences, payload[1] / GAIN_STEPS)
        largest = int(np.abs(found.coefficients()).max())
        if largest > LARGEST:
            raise CorruptError("filter", f"coefficients within ±{LARGEST}", largest)
        return found

    def by_fine_class(self) -> Coefficients:
        """Return the coefficients of each fine class, 0 for what it does not see: (8, 27, 3)."""
        weights = np.zeros((FINE, INPUTS, 3), dtype=np.int32)
        for group, own in zip(self.form.groups, self.coefficients(), strict=True):
            weights[list(group), : self.form.inputs] = own
        return weights

    @staticmethod
    def strip_bytes(height: int, width: int) -> int:
        """Return the bytes of the rows that are held while an image is filtered."""
        return 3 * width * min(height, TILE[0] + 2 * HALO)

    def apply(self, image: Image, workers: Workers) -> None:
        """Filter an (H, W, 3) image in place, holding only a strip of its rows besides."""
        weights = np.zeros((FINE, 3, LANES), dtype=np.int32)
        weights[:, :, :INPUTS] = self.by_fine_class().transpose(0, 2, 1)
        height, width = image.shape[:2]
        above = image[:0]  # rows above a strip, before they were filtered
        for top in range(0, height, TILE[0]):
            rows = min(TILE[0], height - top)
            strip = np.concatenate([above, image[top : top + rows + HALO]])
            start = len(above)
            above = strip[: start + rows][-HALO:]
            workers.map(
                lambda left, strip=strip, start=start, target=image[top : top + rows]: _filter_tile(
                    strip, start, left, weights, target
                ),
                ((left,) for left in range(0, width, TILE[1])),
            )


def gain_number(gain_db: float) -> int:
    """Return a gain as a file states it."""
    return round(min(max(GAIN_STEPS * gain_db, 0.0), 255.0))


def tiles(image: Image) -> list[tuple[int, int]]:
    """Return the upper left corners of the tiles of an image."""
    return list(product(range(0, image.shape[0], TILE[0]), range(0, image.shape[1], TILE[1])))


def fine_classes(image: Image) -> npt.NDArray[np.uint8]:
    """Return the fine class of each pixel of an (H, W, 3) image: (H, W) uint8."""
    classes = np.empty(image.shape[:2], dtype=np.uint8)
    for top, left in tiles(image):
        rows, columns = slice(top, top + TILE[0]), slice(left, left + TILE[1])
        height, width = classes[rows, columns].shape
        classes[rows, columns] = _classify(_cut(image, top, left, height, width))
    return classes


@njit(cache=True, nogil=True)
def _cut(image: Array, top: int, left: int, height: int, width: int) -> Array:
    """Cut a tile and its surroundings out of an image.

    Returns
    -------
    tile : (3, height + 2 HALO, width + 2 HALO) int16
    """
    tile = np.empty((3, height + 2 * HALO, width + 2 * HALO), dtype=np.int16)
    for row in range(tile.shape[1]):
        y = min(max(top + row - HALO, 0), image.shape[0] - 1)
        for column in range(tile.shape[2]):
            x = min(max(left + column - HALO, 0), image.shape[1] - 1)
            for c in range(3):
                tile[c, row, column] = image[y, x, c]
    return tile


@njit(cache=True, nogil=True)
def _classify(tile: Array) -> Array:
    """Find the fine class of each pixel of a tile: (h, w) uint8."""
    height, width = tile.shape[1] - 2 * HALO, tile.shape[2] - 2 * HALO
    inner, side = width + 2 * REACH, HALO - REACH
    classes = np.empty((height, width), dtype=np.uint8)
    luma = np.empty(tile.shape[1:], dtype=np.int32)
    for row in range(tile.shape[1]):
        for x in range(tile.shape[2]):
            red, green, blue = tile[0, row, x], tile[1, row, x], tile[2, row, x]
            luma[row, x] = np.int32(red) + np.int32(2) * np.int32(green) + np.int32(blue)
    rough = np.empty((height + 2 * REACH, inner), dtype=np.int32)
    columns = np.zeros(inner, dtype=np.int32)
    for i in range(height + 2 * REACH):
        row = i + side
        above, middle, below = luma[row - 1], luma[row], luma[row + 1]
        for j in range(inner):
            x = j + side
            across = abs(np.int32(2 * middle[x] - middle[x - 1] - middle[x + 1]))
            down = abs(np.int32(2 * middle[x] - above[x] - below[x]))
            rough[i, j] = np.int32(across + down)
            columns[j] = np.int32(columns[j] + rough[i, j])
        y = i - 2 * REACH
        if y < 0:
            continue
        activity = np.int32(0)
        for j in range(2 * REACH):
            activity += columns[j]
        for x in range(width):
            activity += columns[x + 2 * REACH]
            fine = 0
            for threshold in THRESHOLDS:
                fine += np.int64(activity >= threshold)
            classes[y, x] = fine
            activity -= columns[x]
        for j in range(inner):
            columns[j] = np.int32(columns[j] - rough[y, j])
    return classes


@njit(nogil=True, inline="always")
def _look(tile: Array, y: int, seen: Array) -> None:
    """Write what the pixels of a row see.

    seen : (inputs, w) int32  # OUT
    """
    width = seen.shape[1]
    row = y + HALO
    for pair in range(len(PAIRS)):
        dy, dx = PAIRS[pair]
        for c in range(3):
            center = tile[c, row, HALO : HALO + width]
            one = tile[c, row + dy, HALO + dx : HALO + dx + width]
            other = tile[c, row - dy, HALO - dx : HALO - dx + width]
            lane = seen[pair * 3 + c]
            for x in range(width):
                both = np.int32(one[x]) + np.int32(other[x])
                lane[x] = np.int32(both - 2 * np.int32(center[x]))
    for ring in range(len(RINGS)):
        for c in range(3):
            center = tile[c, row, HALO : HALO + width]
            lane = seen[PAIR_INPUTS + ring * 3 + c]
            lane[:] = 0
            for point in range(RINGS.shape[1]):
                dy, dx = RINGS[ring, point]
                other = tile[c, row + dy, HALO + dx : HALO + dx + width]
                for x in range(width):
                    difference = np.int32(np.int32(other[x]) - np.int32(center[x]))
                    limited = min(max(difference, np.int32(-RING_LIMIT)), np.int32(RING_LIMIT))
                    lane[x] = np.int32(lane[x] + limited)


@njit(cache=True, nogil=True)
def _filter_tile(strip: Array, start: int, left: int, weights: Array, target: Array) -> None:
    """Filter the pixels of a tile.

    strip : (rows, W, 3) uint8
        The rows of a strip, and those above and below that the filter sees.
    start : int
        Where the strip begins in these.
    weights : (FINE, 3, LANES) int32
    target : (h, W, 3) uint8  # OUT, the rows of the strip
    """
    height, width = target.shape[0], min(TILE[1], target.shape[1] - left)
    tile = _cut(strip, start, left, height, width)
    classes = _classify(tile)
    lanes = np.zeros((INPUTS, width), dtype=np.int32)
    seen = np.zeros((width, LANES), dtype=np.int32)
    for y in range(height):
        _look(tile, y, lanes)
        for x in range(width):
            for j in range(INPUTS):
                seen[x, j] = lanes[j, x]
        for x in range(width):
            own, around = weights[classes[y, x]], seen[x]
            for c in range(3):
                total = np.int32(128)
                for j in range(LANES):
                    total = np.int32(total + np.int32(own[c, j] * around[j]))
                value = np.int32(tile[c, y + HALO, x + HALO]) + (total >> SHIFT)
                target[y, left + x, c] = min(max(value, 0), 255)


@njit(cache=True, nogil=True)
def observe_tile(image: Array, original: Array, top: int, left: int) -> tuple[Array, Array]:
    """Return what the pixels of a tile see, and what they lack.

    Parameters
    ----------
    image, original : (H, W, 3) uint8

    Returns
    -------
    classes : (h, w) uint8
        Fine classes.
    seen : (h, w, LANES) float64
        The `INPUTS`, then the original less the image, then zeros.
    """
    height, width = min(TILE[0], image.shape[0] - top), min(TILE[1], image.shape[1] - left)
    tile = _cut(image, top, left, height, width)
    seen = np.zeros((height, width, LANES))
    lanes = np.zeros((LANES, width), dtype=np.int32)
    for y in range(height):
        _look(tile, y, lanes[:INPUTS])
        for c in range(3):
            for x in range(width):
                wanted = np.int32(original[top + y, left + x, c])
                lanes[INPUTS + c, x] = np.int32(wanted - np.int32(tile[c, y + HALO, x + HALO]))
        for x in range(width):
            for j in range(INPUTS + 3):
                seen[y, x, j] = lanes[j, x]
    return _classify(tile), seen
