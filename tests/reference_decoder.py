"""A slow decoder of `.akm` files, written from the specification alone: plain Python, no arrays.

It is the twin of the package's kernels, of which it imports none: only the tables of contexts,
which are part of the specification. Its order is that of the specification: the container, the
simple coders, then context mixing from the range coder up to the pixel loop.
"""

from __future__ import annotations

import math
import struct
import zlib
from math import isqrt

from adaptive_kmeans.coding.context_mixing.contexts import (
    AFTER_RUN_SALT,
    BRANCH,
    CODEWORDS,
    CONTEXT_SALT,
    FAST,
    MAX_SETS,
    MULTIPLIERS,
    PIXEL,
    REGION_SALT,
    RUN,
    STRONGEST,
)

PROFILES = {1: STRONGEST, 2: FAST}

# --- container ------------------------------------------------------------------------------------


def decode(data):
    """Return an image as rows of (red, green, blue), or with alpha (red, green, blue, alpha)."""
    sections = read_sections(data)
    header = dict(sections)["H"]
    width, height, _, block, band_height, coder, model = struct.unpack("<IIBHIBB", header)
    codec = (FixedLength, Deflate, ContextMixing)[coder](model)
    books = []
    for kind, payload in sections:
        if kind == "C":
            (k,) = struct.unpack_from("<H", payload)
            books.append(codec.codebook(payload[2:], k))
    maps = iter([payload for kind, payload in sections if kind == "R"])
    alpha_maps = iter([payload for kind, payload in sections if kind == "T"])
    levels = read_levels(dict(sections).get("A"))
    own = len(books)
    if levels and levels[0] == 0:
        books.append([(0, 0, 0)])
    rows, alpha = [], []
    for payload in (payload for kind, payload in sections if kind == "I"):
        band = min(band_height, height - len(rows))
        regions = [[0] * width for _ in range(band)]
        if own > 1:
            across, down = -(-width // block), -(-band // block)
            blocks = codec.region_map(next(maps), across, down, own)
            regions = [[blocks[y // block][x // block] for x in range(width)] for y in range(band)]
        if levels:
            plane = [[0] * width for _ in range(band)]
            grays = [(level,) * 3 for level in levels]
            found = codec.index_map(next(alpha_maps), plane, [grays])
            found = [[levels[i] for i in row] for row in found]
            alpha += found
            regions = [
                [r if a else own for r, a in zip(*row, strict=True)]
                for row in zip(regions, found, strict=True)
            ]
        indices = codec.index_map(payload, regions, books)
        rows += [
            [books[r][i] for r, i in zip(*row, strict=True)]
            for row in zip(regions, indices, strict=True)
        ]
    if not alpha:
        return restored(rows, dict(sections))
    rows = restored(filled(rows, alpha), dict(sections))
    return [
        [(*color, a) if a else (0, 0, 0, 0) for color, a in zip(*row, strict=True)]
        for row in zip(rows, alpha, strict=True)
    ]


def read_levels(payload):
    """Return the levels of alpha, none of an opaque image."""
    if payload is None:
        return []
    if len(payload) == 32:
        return [i for i in range(256) if payload[i // 8] >> (7 - i % 8) & 1]
    return list(payload) or list(range(256))


def filled(rows, alpha):
    """Give hidden pixels the colors of visible ones."""
    rows = [list(row) for row in rows]
    has_visible = [any(row) for row in alpha]
    for y, row in enumerate(rows):
        visible = [x for x, a in enumerate(alpha[y]) if a]
        for x in range(len(row)):
            if visible and not alpha[y][x]:
                row[x] = row[min(visible, key=lambda other: (abs(other - x), other))]
    for y in range(len(rows)):
        if not has_visible[y] and any(has_visible):
            rows[y] = rows[y - 1] if any(has_visible[:y]) else rows[has_visible.index(True)]
    return rows


def restored(rows, sections):
    """Correct the codewords' image, then filter it, as far as the file says."""
    from tests.reference_restoration import restore_correction, restore_filter

    if "B" in sections:
        rows = restore_correction(rows, sections["B"])
    return restore_filter(rows, sections["F"]) if "F" in sections else rows


def read_sections(data):
    """Return the sections, as pairs of type and payload."""
    assert data[:5] == b"\x89AKM\x02"
    sections, at = [], 5
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at + 1)
        end = at + 5 + length
        assert zlib.crc32(data[at:end]) == struct.unpack_from("<I", data, end)[0]
        sections.append((chr(data[at]), data[at + 5 : end]))
        at = end + 4
    return sections


# --- fixed-length and deflate ---------------------------------------------------------------------


def unpack(data, bits, count):
    """Return fields of some bits, packed from the most significant bit down."""
    value, length = int.from_bytes(data, "big"), 8 * len(data)
    return [(value >> (length - (i + 1) * bits)) & ((1 << bits) - 1) for i in range(count)]


def index_bits(k):
    """Return ceil(log2 k)."""
    return (k - 1).bit_length()


def in_rows(values, width):
    """Return a sequence as rows."""
    return [list(values[i : i + width]) for i in range(0, len(values), width)]


def plain_codebook(data):
    """Return colors of three bytes each."""
    return [tuple(data[i : i + 3]) for i in range(0, len(data), 3)]


class FixedLength:
    """ceil(log2 k) bits an index."""

    def __init__(self, model):
        assert model == 1

    def codebook(self, payload, k):
        return plain_codebook(payload)

    def region_map(self, payload, width, height, n):
        return in_rows(unpack(payload, index_bits(n), width * height), width)

    def index_map(self, payload, regions, books):
        indices = [[0] * len(row) for row in regions]
        at = 0
        for region, book in enumerate(books):
            places = [
                (y, x) for y, row in enumerate(regions) for x, r in enumerate(row) if r == region
            ]
            if not places:
                continue
            bits = index_bits(len(book))
            size = (len(places) * bits + 7) // 8
            for (y, x), i in zip(
                places, unpack(payload[at : at + size], bits, len(places)), strict=True
            ):
                indices[y][x] = i
            at += size
        return indices


class Deflate(FixedLength):
    """A byte an index, or two, by zlib."""

    def region_map(self, payload, width, height, n):
        return super().region_map(zlib.decompress(payload), width, height, n)

    def index_map(self, payload, regions, books):
        data = zlib.decompress(payload)
        if max(map(len, books)) > 256:
            half = len(data) // 2
            data = [256 * a + b for a, b in zip(data[:half], data[half:], strict=True)]
        return in_rows(data, len(regions[0]))


# --- context mixing: range coder ------------------------------------------------------------------


class RangeDecoder:
    """Reads decisions, each with the probability that it was written with."""

    def __init__(self, data):
        self.data, self.at = data, 4
        self.low, self.high = 0, 0xFFFFFFFF
        self.code = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def read(self, p):
        """Return a bit whose probability of being 1 is p / 65536."""
        size = self.high - self.low
        middle = self.low + (size >> 16) * p + ((size & 65535) * p >> 16)
        bit = int(self.code <= middle)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while (self.low ^ self.high) >> 24 == 0:
            self.low = self.low << 8 & 0xFFFFFFFF
            self.high = self.high << 8 & 0xFFFFFFFF | 255
            byte = self.data[self.at] if self.at < len(self.data) else 0
            self.code = self.code << 8 & 0xFFFFFFFF | byte
            self.at += 1
        return bit

    def check_end(self):
        """Check that the data are what an encoder would have written."""
        written = self.at - 4
        for n in range(5):
            step = 1 << 8 * (4 - n)
            value = -(-self.low // step) * step
            if value <= self.high:
                break
        flush = value.to_bytes(4, "big")[:n]
        assert self.data[written:] == flush, (self.data[written:], flush)
        assert written <= len(self.data)


# --- counters and the mixer -----------------------------------------------------------------------

LIMIT = 2815
WEIGHT_LIMIT = 1 << 19
NEW_COUNTER = (1 << 21, 0)  # probability of a 1, in 22 bits, and count


def exponentials(n):
    """Return 2**60 e**(i / 256) for i in 0..n, as the specification sums it."""
    one = 1 << 60
    base, term, i = 0, one, 0
    while term:
        base += term
        i += 1
        term = term // (256 * i)
    powers = [one]
    for _ in range(n):
        powers.append(powers[-1] * base >> 60)
    return powers


def squash_table():
    """Return 16-bit probabilities of logistic values from -LIMIT on."""
    up = [65536 * e // (e + (1 << 60)) for e in exponentials(LIMIT)]
    return [65536 - p for p in up[:0:-1]] + up


SQUASH = squash_table()
STRETCH = [
    next((x for x in range(-LIMIT, LIMIT) if SQUASH[LIMIT + x] >= 16 * p + 8), LIMIT)
    for p in range(4096)
]
RECIPROCAL = [655360 // (10 * n + 16) for n in range(1040)]


def clip(value, low, high):
    """Return the value within low..high."""
    return min(max(value, low), high)


def squash(x):
    """Return the 16-bit probability of a logistic value."""
    return SQUASH[LIMIT + clip(x, -LIMIT, LIMIT)]


def learned(counter, bit, limit):
    """Return a counter after a decision."""
    chance, n = counter
    return chance + ((4194303 * bit - chance) * RECIPROCAL[n] >> 16), min(n + 1, limit)


class WeightSet:
    """Weights of the mixer's inputs, and how many decisions they have seen."""

    def __init__(self, counters, features):
        self.weights = [8192] * counters + [0] * features
        self.age = 0

    def output(self, inputs):
        total = sum(i * w >> 8 for i, w in zip(inputs, self.weights, strict=True))
        return clip(total >> 8, -LIMIT, LIMIT)

    def learn(self, inputs, output, bit):
        rate = 64 + (200 * RECIPROCAL[self.age + 14] >> 12)
        self.age = min(self.age + 1, 1023)
        step = (65536 * bit - squash(output)) * rate >> 8
        if abs(step) < 96:
            return
        self.weights = [
            clip(w + ((i * step + (1 << 13)) >> 14), -WEIGHT_LIMIT, WEIGHT_LIMIT - 1)
            for i, w in zip(inputs, self.weights, strict=True)
        ]


# --- codebooks ------------------------------------------------------------------------------------


def luma_order(color):
    """Return what colors in the order of luma are sorted by."""
    r, g, b = color
    return 299 * r + 587 * g + 114 * b, r, g, b


def decode_codebook(payload, k):
    """Return a codebook of k codewords."""
    if len(payload) == 3 * k:
        return plain_codebook(payload)
    coder = RangeDecoder(payload)
    counters = {}

    def bit(slot):
        counter = counters.get(slot, NEW_COUNTER)
        value = coder.read(clip(counter[0] >> 6, 64, 65472))
        counters[slot] = learned(counter, value, 60)
        return value

    def difference(channel, last):
        n = 0
        while n < 8 and bit((channel * 9 + last) * 16 + n):
            n += 1
        value = min(n, 1)
        first = 432 + (channel * 16 + n) * 4
        for i in range(n - 1):
            if i == 0:
                value = 2 * value + bit(first)
            elif i == 1:
                value = 2 * value + bit(first + 2 + (value & 1))
            else:
                value = 2 * value + coder.read(32768)
        return n, -(value + 1) // 2 if value & 1 else value // 2

    in_order = coder.read(64512)
    book = []
    r = g = b = 128
    for _ in range(k):
        n, d = difference(0, 0)
        green = (g + d) & 255
        change = green - g
        n, d = difference(1, n)
        r = (clip(r + change, 0, 255) + d) & 255
        n, d = difference(2, n)
        b = (clip(b + change, 0, 255) + d) & 255
        g = green
        book.append((r, g, b))
    coder.check_end()
    return sorted(book, key=luma_order) if in_order else book


# --- the codeword tree ----------------------------------------------------------------------------


def distance2(a, b):
    """Return the squared distance of two colors."""
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def nearest(color, codewords, colors):
    """Return the codeword nearest to a color, ties to the lowest number."""
    return min(codewords, key=lambda c: (distance2(color, colors[c]), c))


class Node:
    """Codewords lo..hi - 1, of which those from middle on are on the right."""

    def __init__(self, lo, middle, hi, plane):
        self.lo, self.middle, self.hi, self.plane = lo, middle, hi, plane

    def distance(self, color4):
        """Return the signed distance from the plane of a color in quarters."""
        a, b, c, t = self.plane
        r, g, bl = color4
        return clip((a * r + b * g + c * bl - t) >> 10, -2047, 2047)


def scaled(vector):
    """Return a vector shifted right until each component has at most 12 bits."""
    shift = max(0, max(abs(v) for v in vector).bit_length() - 12)
    return [v >> shift for v in vector]


def main_axis(colors):
    """Return the direction in which colors vary most."""
    n = len(colors)
    sums = [sum(c[i] for c in colors) for i in range(3)]
    centered = [[n * c[i] - sums[i] for i in range(3)] for c in colors]
    covariance = [[sum(c[i] * c[j] for c in centered) for j in range(3)] for i in range(3)]
    widest = max(range(3), key=lambda i: (covariance[i][i], -i))
    shift = max(0, covariance[widest][widest].bit_length() - 40)
    covariance = [[v >> shift for v in row] for row in covariance]
    axis = scaled(covariance[widest])
    for _ in range(8):
        axis = scaled([sum(m * v for m, v in zip(row, axis, strict=True)) for row in covariance])
    return axis if sum(axis) >= 0 else [-v for v in axis]


def spacings_of(book):
    """Return the distance of each codeword to the nearest other one, in sixteenths."""
    return [
        isqrt(256 * min(distance2(c, d) for j, d in enumerate(book) if j != i))
        for i, c in enumerate(book)
    ]


def grow(book, first):
    """Return a codebook's codewords in tree order, nodes by the first of their right sides, and
    the codebook's spacing.
    """
    nodes = {}
    spacings = spacings_of(book) if len(book) > 1 else [16]

    def split(members, lo):
        if len(members) < 2:
            return members
        axis = main_axis([book[i] for i in members])
        members = sorted(
            members, key=lambda i: (sum(a * v for a, v in zip(axis, book[i], strict=True)), i)
        )
        half = len(members) // 2
        spacing = max(16, sum(spacings[i] for i in members) // len(members))
        length = max(1, isqrt(sum(a * a for a in axis)))
        plane = [(a << 20) // (length * spacing) for a in axis]
        ends = zip(plane, book[members[half - 1]], book[members[half]], strict=True)
        plane.append(4 * (sum(p * (u + v) for p, u, v in ends) // 2))
        nodes[lo + half] = Node(lo, lo + half, lo + len(members), plane)
        return split(members[:half], lo) + split(members[half:], lo + half)

    order = split(list(range(len(book))), first)
    return order, nodes, max(16, sum(spacings) // len(book)) if book else 16


# --- neighborhood ---------------------------------------------------------------------------------

NEIGHBORS = (  # rows up, columns to the right
    (0, -1), (1, 0), (1, -1), (1, 1), (0, -2), (2, 0), (2, 1), (1, -2), (1, 2), (2, -1), (0, -3),
    (3, 0), (2, 2), (2, -2), (1, 3), (1, -3), (3, 1), (3, -1), (0, -4), (1, -4), (1, 4), (2, 3),
    (2, -3), (3, 2), (3, -2),
)  # fmt: skip
MARGIN = 4
W, N, NW, NE, WW, NN, NNE, NWW, NEE, NNW = range(10)
LENGTH_BOUNDS = (1, 5, 9, 13, 18, 24, 32, 44, 60, 90, 140)
SIGNED_BOUNDS = (32, 90, 160, 240, 350, 520, 900)


def length_class(length):
    """Return one of 12 classes of a length."""
    return sum(min(length, 255) >= bound for bound in LENGTH_BOUNDS)


def signed_class(length):
    """Return one of 16 classes of a signed length."""
    i = (length >> 4) + 128
    c = sum(abs(16 * (i - 128) + 8) >= bound for bound in SIGNED_BOUNDS)
    return 8 + c if i >= 128 else 7 - c


def scramble(key):
    """Return 32 bits of a key, each of which depends on all of its lowest 32."""
    key &= 0xFFFFFFFF
    key = (key ^ key >> 15) * MULTIPLIERS[0] & 0xFFFFFFFF
    key = (key ^ key >> 13) * MULTIPLIERS[1] & 0xFFFFFFFF
    return key ^ key >> 16


# --- context mixing -------------------------------------------------------------------------------


class ContextMixing:
    """The coder of a model."""

    def __init__(self, model):
        self.profile = PROFILES[model]

    def codebook(self, payload, k):
        return decode_codebook(payload, k)

    def region_map(self, payload, width, height, n):
        grays = [(255 * i // (n - 1),) * 3 for i in range(n)]
        return self.index_map(payload, [[0] * width for _ in range(height)], [grays])

    def index_map(self, payload, regions, books):
        return PixelModel(self.profile, payload, regions, books).decode()


class Ref:
    """A line, wherever it was cleared."""

    def __init__(self, model, key):
        self.model, self.key = model, key

    def get(self, place, default):
        return self.model.lines[self.key][1].get(place, default)

    def __setitem__(self, place, counter):
        self.model.lines[self.key][1][place] = counter


class PixelModel:
    def __init__(self, profile, payload, regions, books):
        self.profile, self.regions = profile, regions
        self.height, self.width = len(regions), len(regions[0])
        self.colors, self.index, self.ranges, self.nodes, self.spacing = [], [], [], {}, []
        for book in books:
            first = len(self.colors)
            order, nodes, spacing = grow(book, first)
            self.index += order
            self.colors += [book[i] for i in order]
            self.ranges.append(range(first, len(self.colors)))
            self.nodes.update(nodes)
            self.spacing.append(spacing)
        self.coded = [len(r) >= 2 for r in self.ranges]
        self.coder = RangeDecoder(payload)
        self.depth = (self.width * self.height - 1).bit_length()
        self.linear_weights = [0] * 25
        self.linear_weights[N], self.linear_weights[NW], self.linear_weights[NE] = (
            30000,
            -10000,
            16000,
        )
        self.rows = []
        self.lines = {}
        self.direct = {}
        self.sets = {}
        self.final = {}
        self.skip = {}
        self.column_error = [0] * (self.width + 2)
        self.match_table = {}
        self.match_at = None
        self.match_n = 0

    def read(self, p, ones):
        return self.coder.read(p)

    def decode(self):
        if not any(self.coded[r] for row in self.regions for r in row):
            return [[0] * self.width for _ in self.regions]
        for y in range(self.height):
            self.rows.append([])
            self.behind, self.last_north_error = 0, 0
            for x in range(self.width):
                region = self.regions[y][x]
                if self.coded[region]:
                    c = self.pixel(x, y, region)
                else:
                    c = self.ranges[region][0]
                    self.skipped_pixel(c)
                self.rows[-1].append(c)
        self.finish()
        return [[self.index[c] for c in row] for row in self.rows]

    def finish(self):
        self.coder.check_end()

    def skipped_pixel(self, c):
        pass

    def at(self, x, y):
        """Return the codeword at a place, also outside of the image."""
        if y < 0:
            return 0
        if x < 0:
            return self.at(0, y - 1)
        return self.rows[y][min(x, self.width - 1)]

    def pixel(self, x, y, region):
        colors, own = self.colors, self.ranges[region]
        self.own = own
        self.s = s = self.spacing[region]
        unit = (1 << 20) // s
        raw = [self.at(x + across, y - down) for down, across in NEIGHBORS]
        near = [c if c in own else nearest(colors[c], own, colors) for c in raw]
        seen = [colors[c] for c in raw]
        self.near, self.seen = near, seen
        w = near[W]

        # colors
        quarters = [[4 * v for v in color] for color in seen]
        self.quarters = quarters
        median, gradient, linear16 = [], [], []
        diffs = []
        for ch in range(3):
            vw, vn, vnw, vne = (quarters[i][ch] for i in (W, N, NW, NE))
            median.append(sorted((vw, vn, vw + vn - vnw))[1])
            gradient.append(clip(vw + ((vne - vnw) >> 1), 0, 1020))
            d = [seen[i][ch] - seen[W][ch] for i in range(1, 18)]
            diffs.append(d)
            total = sum(a * b for a, b in zip(d, self.linear_weights[1:18], strict=True))
            linear16.append(16 * seen[W][ch] + (total >> 12))
        linear4 = [clip((v + 2) >> 2, 0, 1020) for v in linear16]
        self.median, self.gradient, self.linear4 = median, gradient, linear4
        linear = self.nearest_linear(own, linear4)

        # quantities
        other = next((c for c in near if c != w), None)
        same = sum((c == w) << i for i, c in enumerate(near[:18]))
        same_other = sum((c == other) << i for i, c in enumerate(near[:18]))
        self.other = other
        nearest_hash = {
            n: sum(c * m for c, m in zip(near[:n], MULTIPLIERS)) & 0xFFFFFFFF
            for n in (6, 10, 18, 25)
        }
        surroundings = scramble(nearest_hash[25]) >> 1
        slot = surroundings & ((1 << clip(self.depth - 3, 8, 20)) - 1)
        if self.match_n:
            self.match_at = self.next_place(self.match_at)
        else:
            found = self.match_table.get(slot, (None, None))
            self.match_at = found[1] if found[0] == surroundings else None
        self.match_table[slot] = surroundings, (y, x)
        followed = None if self.match_at is None else self.at(self.match_at[1], self.match_at[0])
        predicted = followed if followed in own else None
        n = self.match_n
        length = min(n, 7) + min(n >> 3, 3) + min(n >> 5, 5)
        self.predicted = predicted
        e = self.column_error
        error = 2 * (e[x - 1] if x else 0) + 2 * e[x] + self.last_north_error + e[x + 1]
        north_error = e[x]
        run = w == near[N] == near[NW] == near[NE]
        q = {
            "salt": None, "after run": int(run), "w": w, "n": near[N], "nw": near[NW],
            "ne": near[NE], "ww": near[WW], "nn": near[NN], "nne": near[NNE], "nww": near[NWW],
            "nee": near[NEE], **{f"nearest {n}": h for n, h in nearest_hash.items()},
            "other": 0 if other is None else other + 1,
            "same as w": same, "same as w 6": same & 63,
            "same as other": same_other, "same as other 6": same_other & 63,
            "patterns": self.patterns(same, same_other, run),
            "match": 0 if predicted is None else predicted + 1, "match length": length,
            "error": length_class(error * unit >> 16), "linear": linear,
            "predicted": linear * 4096 + (near[WW] & 4095) if predicted is None
            else (predicted + 1) * 16 + length + (1 << 24),
        }  # fmt: skip
        self.q, self.linear, self.unit, self.region = q, linear, unit, region
        self.linear16 = linear16
        self.match_length = length
        self.learners = []
        c = None
        excluded = None
        if run:
            if self.run_flag():
                c = w
            else:
                excluded = w
        if c is None:
            c = self.branches(excluded)
        for learn in self.learners:
            learn()
        # learn colors
        color = colors[c]
        errors = [
            clip(v - (level >> 4), -511, 511) for v, level in zip(color, linear16, strict=True)
        ]
        power = sum(d * d for channel in diffs for d in channel)
        if power:
            gain = (1 << 24) // (power + 64 * s)
            for i in range(17):
                move = sum(er * d[i] for er, d in zip(errors, diffs)) * gain + (1 << 13) >> 14
                self.linear_weights[i + 1] = clip(
                    self.linear_weights[i + 1] + move, -1 << 18, 1 << 18
                )
        self.last_north_error = north_error
        e[x] = sum(abs(16 * v - level) for v, level in zip(color, linear16)) >> 2
        self.behind = self.behind + 1 if c == w else 0
        # learn match
        if followed == c:
            self.match_n += 1
        else:
            self.match_n, self.match_at = 0, None
        return c

    def patterns(self, same, same_other, run):
        """Return the hash of which neighbors equal W and the other codeword."""
        key = (same & 1023) * MULTIPLIERS[0] + (same_other & 63) * MULTIPLIERS[1] + run
        return scramble(key) & 16383

    def next_place(self, place):
        """Return the place to the right, margins of 4 columns counted."""
        y, x = place
        return (y, x + 1) if x + 1 < self.width + MARGIN else (y + 1, -MARGIN)

    def nearest_linear(self, own, linear4):
        """Return the codeword nearest to the middle of the linear prediction's cell."""
        middle = [8 * (v >> 5) + 4 for v in linear4]
        return nearest(middle, own, self.colors)

    def spread(self, a, b):
        return sum(abs(x - y) for x, y in zip(self.colors[a], self.colors[b], strict=True))

    def run_flag(self):
        q, near, unit, s, other = dict(self.q), self.near, self.unit, self.s, self.other
        w = near[W]
        gap = 0 if other is None else self.spread(w, other)
        lean = 0
        if other is not None:
            total = sum(
                (a - b) * ((level >> 3) - (a + b))
                for a, b, level in zip(self.colors[w], self.colors[other], self.linear16)
            )
            lean = clip(total * ((1 << 24) // ((gap + 1) * s)) >> 13, -2047, 2047)
        miss = self.spread(w, self.linear) * unit >> 14
        six = [self.spread(w, near[i]) * unit >> 14 for i in range(4, 10)]
        activity = sum(six)
        same, n = q["same as w"], self.behind
        agrees = 0 if self.predicted is None else 2 if self.predicted == w else 1
        behind = min(n, 3) + (n > 7) + (n > 15) + (n > 40)
        ahead = 0
        if near[NEE] == w:
            ahead = 1
            if near[14] == w:
                ahead = 2
                if near[20] == w:
                    ahead = 3
        q.update({
            "pattern 4": same >> 4 & 15, "pattern 6": same >> 4 & 63, "pattern 8": same >> 4 & 255,
            "pattern 10": same >> 4 & 1023, "pattern 14": same >> 4,
            "other pattern 8": q["same as other"] >> 4 & 255, "behind": behind, "ahead": ahead,
            "lean": signed_class(lean), "miss": length_class(miss),
            "gap": length_class(gap * unit >> 14), "activity": length_class(activity >> 1),
            "match agrees": agrees,
            "w pattern": scramble(w * MULTIPLIERS[0] + (same >> 4 & 63)) & ((1 << 18) - 1),
            "w run": scramble(w * MULTIPLIERS[0] + 4 * behind + ahead) & ((1 << 18) - 1),
            "miss feature": 32 * min(miss, 40), "lean feature": lean,
            "lean 4 feature": clip(4 * lean, -1023, 1023),
            "activity feature": 16 * min(activity, 60), "one": 256,
        })  # fmt: skip
        for name, value in zip(("ww", "nn", "nne", "nww", "nee", "nnw"), six):
            q[name + " feature"] = 32 * min(value, 40)
        q["match or miss"] = (
            192 + 2 * self.match_length + agrees - 1 if agrees else q["lean"] * 12 + q["miss"]
        )
        bit, learn = self.decide("run", self.profile.run, q, None, 1, range(w, w + 1))
        self.learners.append(learn)
        return bit

    def branches(self, excluded):
        lo, hi = self.own.start, self.own.stop
        top, place = None, 16
        after_run = excluded is not None
        while hi - lo > 1:
            middle = lo + (hi - lo) // 2
            node = self.nodes[middle]
            if place >= 16:
                top, place = middle, 1
            if excluded is not None and hi - middle == 1 and excluded == middle:
                bit = 0
            elif excluded is not None and middle - lo == 1 and excluded == lo:
                bit = 1
            else:
                bit = self.branch(node, after_run, top, place)
            place = 2 * place + bit
            lo, hi = (middle, hi) if bit else (lo, middle)
        return lo

    def branch(self, node, after_run, top, place):
        q = dict(self.q)
        lo, middle, hi = node.lo, node.middle, node.hi
        size = hi - lo

        def side(c):
            if c is None or not lo <= c < hi:
                return 0
            return 2 if c >= middle else 1

        near, d = self.near, {}
        names = ("w", "n", "nw", "ne", "ww", "nn", "nne")
        for i, name in enumerate(names):
            d[name] = node.distance(self.quarters[i])
        d["median"], d["gradient"] = node.distance(self.median), node.distance(self.gradient)
        d["linear"] = node.distance(self.linear4)
        for name in ("w", "n", "ne", "median", "linear", "gradient"):
            q[name + " distance"] = signed_class(d[name])
        for name, value in d.items():
            q[name + " feature"] = value
        for name in ("w", "linear"):
            q[name + " 4 feature"] = clip(4 * d[name], -1023, 1023)
        side_w, side_other, side_match = side(near[W]), side(self.other), side(self.predicted)
        sides = 3 * side_w + side_other
        q.update({
            "node": middle, "node size": min(size, 31),
            "node level": (size > 2) + (size > 8) + (size > 64), "sides": sides,
            "sides unless after run": 0 if after_run else sides, "match side": side_match,
            "w side feature": (0, -256, 256)[side_w],
            "other side feature": (0, -256, 256)[side_other],
            "one": 256,
            "match or error": 192 + 2 * self.match_length + side_match - 1 if side_match
            else q["error"] * 16 + q["linear distance"],
        })  # fmt: skip

        six = [d[name] for name in ("w", "n", "nw", "ne", "linear", "gradient")]
        right = six[0] >= 0
        ones = range(middle, hi)
        if all((v >= 0) == right for v in six):
            margin, spread = min(map(abs, six)), max(six) - min(six)
            matched = self.predicted is not None
            if margin > 128 and not matched and not after_run:
                slot = (
                    (min(4 * margin // (spread + 64), 31) * 16 + min(margin >> 7, 15)) * 2 + right
                ) * 4
                slot += (size > 4) + (size > 16) + (size > 64)
                counter = self.skip.get(slot, NEW_COUNTER)
                p = counter[0] >> 6
                if min(p, 65536 - p) < self.profile.skip_chance:
                    bit = self.read(clip(p, 16, 65520), ones)

                    def learn():
                        self.skip[slot] = learned(self.skip.get(slot, NEW_COUNTER), bit, 1000)

                    self.learners.append(learn)
                    return bit
                bit, learn = self.decide("branch", self.profile.branch, q, top, place, ones)

                def learn2():
                    self.skip[slot] = learned(self.skip.get(slot, NEW_COUNTER), bit, 1000)
                    learn()

                self.learners.append(learn2)
                return bit
        bit, learn = self.decide("branch", self.profile.branch, q, top, place, ones)
        self.learners.append(learn)
        return bit

    def values(self, name):
        n = {**PIXEL, **RUN, **BRANCH}[name]
        return len(self.colors) if n == CODEWORDS else n

    def number(self, sees, q):
        i = 0
        for name in sees:
            i = i * self.values(name) + q[name]
        return i

    def table_size(self, sees):
        """Return the size of a direct context's table."""
        combinations = math.prod(self.values(name) for name in sees)
        return 1 << clip((combinations - 1).bit_length(), 8, 20)

    def line(self, kind, i, decision, context, q, top):
        key = (
            sum(q[name] * m for name, m in zip(context.sees, MULTIPLIERS)) + (i + 1) * CONTEXT_SALT
        )
        key += self.region * REGION_SALT + AFTER_RUN_SALT * (kind == "branch" and q["after run"])
        h = scramble(key & ((1 << 63) - 1))
        if kind == "run":
            bits = clip(self.depth - 3, 8, 18)
        else:
            h ^= scramble(top * MULTIPLIERS[3])
            bits = clip(self.depth - 5, 6, 16)
        number, check = h & ((1 << bits) - 1), (h >> 8) + 1
        found = self.lines.get((kind, i, number))
        if found is None or found[0] != check:
            found = self.lines[kind, i, number] = [check, {}]
            # the same dict is cleared in place in the original
        return Ref(self, (kind, i, number))

    def decide(self, kind, decision, q, top, place, ones):
        slots, counters = [], []
        for i, context in enumerate(decision.hashed):
            slots.append((self.line(kind, i, decision, context, q, top), place))
        for i, context in enumerate(decision.direct):
            number = self.number(context.sees, q) & (self.table_size(context.sees) - 1)
            slots.append((self.direct, (kind, i, number)))
        counters = [table.get(slot, NEW_COUNTER) for table, slot in slots]
        inputs = [STRETCH[chance >> 10] for chance, _ in counters]
        inputs += [q[context.sees[0]] for context in decision.features]
        sets = []
        for i, sees in enumerate(decision.sets):
            key = kind, i, self.number(sees, q) & (MAX_SETS - 1)
            if key not in self.sets:
                self.sets[key] = WeightSet(len(counters), len(decision.features))
            sets.append(self.sets[key])
        outputs = [s.output(inputs) for s in sets]
        final = self.final.setdefault(kind, [65536 // len(sets)] * len(sets))
        p = squash(sum(o * w for o, w in zip(outputs, final)) >> 16)
        bit = self.read(p, ones)

        def learn():
            e = 65536 * bit - p
            for i, o in enumerate(outputs):
                final[i] += (o * e + (1 << 17)) >> 18
            for s, o in zip(sets, outputs):
                s.learn(inputs, o, bit)
            for (table, slot), counter in zip(slots, counters):
                table[slot] = learned(counter, bit, decision.limit)

        return bit, learn
