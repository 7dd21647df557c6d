"""A slow decoder of what follows the codewords in `.akm` files: the filter and the correction.

Like `reference_decoder`, whose range decoder and counters it uses, it is written from the
specification alone. Of the package it imports only the default coefficients.
"""

from __future__ import annotations

import struct

from adaptive_kmeans.restoration.default import DEFAULT
from tests.reference_decoder import NEW_COUNTER, RangeDecoder, clip, learned

# --- integers -------------------------------------------------------------------------------------

SIZE_BOUNDS = (1, 2, 3, 5, 8, 13, 21)
LEAN_BOUNDS = (1, 3, 6, 12)


def reached(bounds, value):
    """Return the number of bounds that a value reaches."""
    return sum(value >= bound for bound in bounds)


def decode_values(payload, rows, columns, channels, one_set):
    """Return an array of small integers, as lists [row][column][channel]."""
    decoder = ValueDecoder(payload)
    values = [[[0] * channels for _ in range(columns)] for _ in range(rows)]

    def at(y, x, channel):
        return values[y][x][channel] if y >= 0 and 0 <= x < columns and channel >= 0 else 0

    for y in range(rows):
        for x in range(columns):
            for channel in range(channels):
                west, north = at(y, x - 1, channel), at(y - 1, x, channel)
                northwest, northeast = at(y - 1, x - 1, channel), at(y - 1, x + 1, channel)
                before = at(y, x, channel - 1)
                near = 2 * abs(west) + 2 * abs(north) + abs(northwest) + abs(northeast)
                lean = 2 * west + 2 * north + northwest + northeast
                values[y][x][channel] = decoder.value(
                    0 if one_set else channel, near + 2 * abs(before), lean
                )
    decoder.coder.check_end()
    return values


class ValueDecoder:
    """Reads values, each by what lies around it."""

    def __init__(self, payload):
        self.coder = RangeDecoder(payload)
        self.counters = {}

    def bit(self, slot):
        """Return a bit that is coded by a counter."""
        counter = self.counters.get(slot, NEW_COUNTER)
        bit = self.coder.read(clip(counter[0] >> 6, 64, 65472))
        self.counters[slot] = learned(counter, bit, 250)
        return bit

    def value(self, number, near, lean):
        """Return a value of a set, from the size and the sum of its neighbors."""
        context = (number * 8 + reached(SIZE_BOUNDS, near)) * 5 + reached(LEAN_BOUNDS, abs(lean))
        first = 26 * context
        if not self.bit(first):
            return 0
        agrees = self.bit(first + 1) if lean else self.coder.read(32768)
        n = 1
        while n < 12 and self.bit(first + 1 + n + 12 * agrees):
            n += 1
        magnitude = 1
        for i in range(n - 1):
            slot = 4160 + (16 * number + n) * 2 + agrees
            magnitude = 2 * magnitude + (self.coder.read(32768) if i else self.bit(slot))
        positive = agrees == (lean >= 0)
        return magnitude if positive else -magnitude


# --- filter ---------------------------------------------------------------------------------------

PAIRS = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0))
RINGS = tuple(
    ((0, r), (d, d), (r, 0), (d, -d), (0, -r), (-d, -d), (-r, 0), (-d, d))
    for r, d in ((4, 3), (7, 5), (12, 8))
)
THRESHOLDS = (294, 784, 1568, 2744, 4312, 6664, 10780)
CLASS_OF_FINE = {1: (0,) * 8, 3: (0, 0, 1, 1, 1, 2, 2, 2), 8: tuple(range(8))}
MIDDLE = {1: (4,), 3: (1, 3, 6), 8: tuple(range(8))}
OFF, STANDARD, OWN = range(3)


def nearest_at(rows, y, x):
    """Return what stands at a place, also outside of the image."""
    return rows[clip(y, 0, len(rows) - 1)][clip(x, 0, len(rows[0]) - 1)]


def restore_filter(rows, payload):
    """Return an image after the filter of an F section."""
    classes, rings, coefficients = read_filter(payload)
    fine = fine_classes(rows)
    return [
        [
            filtered(rows, y, x, coefficients[CLASS_OF_FINE[classes][fine[y][x]]], rings)
            for x in range(len(rows[0]))
        ]
        for y in range(len(rows))
    ]


def read_filter(payload):
    """Return the number of classes, whether there are rings, and coefficients (None: off)."""
    form, _, packed = struct.unpack_from("<BBH", payload)
    assert form in (0, 1, 2, 4, 5, 6)
    classes, rings = (1, 3, 8)[form & 3], form >= 4
    states = [packed >> 2 * i & 3 for i in range(classes)]
    assert packed >> 2 * classes == 0
    assert any(states)
    assert max(states) <= OWN
    default = DEFAULT.tolist()
    own = iter(decode_values(payload[4:], states.count(OWN), 27 if rings else 18, 3, True))
    coefficients = []
    for state, middle in zip(states, MIDDLE[classes], strict=True):
        table = default[middle]
        if state == OWN:
            changes = next(own)
            changes += [[0] * 3] * (27 - len(changes))
            table = [
                [a + b for a, b in zip(*pair, strict=True)]
                for pair in zip(table, changes, strict=True)
            ]
        assert all(abs(c) <= 512 for row in table for c in row)
        coefficients.append(None if state == OFF else table)
    return classes, rings, coefficients


def fine_classes(rows):
    """Return the fine class of each pixel."""
    luma = [[r + 2 * g + b for r, g, b in row] for row in rows]
    height, width = len(rows), len(rows[0])

    def roughness(y, x):
        twice = 2 * nearest_at(luma, y, x)
        across = nearest_at(luma, y, x - 1) + nearest_at(luma, y, x + 1)
        down = nearest_at(luma, y - 1, x) + nearest_at(luma, y + 1, x)
        return abs(twice - across) + abs(twice - down)

    margin = range(-3, 4)
    rough = {(y, x): roughness(y, x) for y in range(-3, height + 3) for x in range(-3, width + 3)}

    def activity(y, x):
        return sum(rough[y + dy, x + dx] for dy in margin for dx in margin)

    return [[reached(THRESHOLDS, activity(y, x)) for x in range(width)] for y in range(height)]


def filtered(rows, y, x, table, rings):
    """Return a pixel after the filter with a class's coefficients."""
    pixel = rows[y][x]
    if table is None:
        return pixel
    numbers = what_it_sees(rows, y, x, rings)
    sums = [sum(n * row[c] for n, row in zip(numbers, table, strict=True)) for c in range(3)]
    return tuple(clip(v + (128 + s >> 8), 0, 255) for v, s in zip(pixel, sums, strict=True))


def what_it_sees(rows, y, x, rings):
    """Return the 27 numbers that a pixel sees."""
    pixel = rows[y][x]
    numbers = []
    for dy, dx in PAIRS:
        one, other = nearest_at(rows, y + dy, x + dx), nearest_at(rows, y - dy, x - dx)
        numbers += [a + b - 2 * v for a, b, v in zip(one, other, pixel, strict=True)]
    if not rings:
        return numbers + [0] * 9
    for ring in RINGS:
        seen = [nearest_at(rows, y + dy, x + dx) for dy, dx in ring]
        numbers += [sum(clip(s[c] - pixel[c], -12, 12) for s in seen) for c in range(3)]
    return numbers


# --- correction -----------------------------------------------------------------------------------


def restore_correction(rows, payload):
    """Return an image after the correction of a B section."""
    block, step, _ = payload[:3]
    assert block in (4, 8, 16)
    assert step
    height, width = len(rows), len(rows[0])
    down, across = -(-height // block), -(-width // block)
    values = decode_values(payload[3:], down, across, 3, False)
    blocks = [[block_correction([step * v for v in value]) for value in row] for row in values]
    return [
        [corrected(rows[y][x], y, x, blocks, block) for x in range(width)] for y in range(height)
    ]


def block_correction(differences):
    """Return what a block adds to red, green and blue, in eighths of a level."""
    assert all(abs(v) <= 4095 for v in differences)
    y, u, v = differences
    return y + (359 * v + 128 >> 8), y - (88 * u + 183 * v + 128 >> 8), y + (454 * u + 128 >> 8)


def taken_from(at, block):
    """Return the two blocks, along an axis, that a place takes from, and their weights."""
    i, part = divmod(2 * at + 1 - block, 2 * block)
    return (i, 2 * block - part), (i + 1, part)


def corrected(pixel, y, x, blocks, block):
    """Return a pixel after the correction."""
    sums = [0, 0, 0]
    for i, down in taken_from(y, block):
        for j, across in taken_from(x, block):
            correction = nearest_at(blocks, i, j)
            sums = [s + down * across * c for s, c in zip(sums, correction, strict=True)]
    half = 16 * block**2
    return tuple(
        clip(v + (s + half) // (2 * half), 0, 255) for v, s in zip(pixel, sums, strict=True)
    )
