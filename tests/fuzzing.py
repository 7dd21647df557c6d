"""Damaged files whose checksums hold: what an adversary would send, not what a cable would make.

``python -m tests.fuzzing COUNT SEED`` decodes COUNT of them and says what became of them; with the
types of sections as a further argument, such as FB, only these are damaged.
"""

import dataclasses
import struct
import sys
import time
import zlib
from dataclasses import dataclass

import numpy as np

import adaptive_kmeans as akm
from adaptive_kmeans import container
from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.container import Section
from adaptive_kmeans.errors import FormatError, LimitError
from adaptive_kmeans.limits import DEFAULT, MAX_PIXELS
from adaptive_kmeans.quantize import Quantized
from adaptive_kmeans.restoration import correction, wiener

LONGEST_S = 10.0
PREFIX = b"\x89AKM\x02"
HEADER = struct.Struct("<IIBHIBB")
FIELDS = {
    "width": (0, "<I"),
    "height": (4, "<I"),
    "channels": (8, "<B"),
    "block size": (9, "<H"),
    "band height": (11, "<I"),
    "coder": (15, "<B"),
    "model": (16, "<B"),
}
"""Offset and form of each field of the header."""
CODEWORDS = [0, 1, 2, 3, 17, 256, 4096, 4097, 65535]


def frame(kind: str, payload: bytes) -> bytes:
    """Return a section under the checksum that it should have."""
    part = kind.encode("latin-1") + struct.pack("<I", len(payload)) + payload
    return part + struct.pack("<I", zlib.crc32(part))


def split(data: bytes) -> list[Section]:
    """Take a right file apart."""
    assert data.startswith(PREFIX)
    sections, start = [], len(PREFIX)
    while start < len(data):
        (size,) = struct.unpack_from("<I", data, start + 1)
        payload = data[start + 5 : start + 5 + size]
        sections.append(Section(chr(data[start]), payload))
        start += size + 9
    return sections


def join(sections: list[Section]) -> bytes:
    """Put a file together, every section under the checksum that it should have."""
    return PREFIX + b"".join(frame(*section) for section in sections)


def with_field(data: bytes, field: str, value: int) -> bytes:
    """Change a field of the header, and mend its checksum."""
    offset, form = FIELDS[field]
    header, *others = split(data)
    changed = bytearray(header.payload)
    struct.pack_into(form, changed, offset, value)
    return join([Section("H", bytes(changed)), *others])


def originals() -> list[bytes]:
    """Files of every coder, of several shapes, regions, codebook sizes and bands; some restored."""
    random = np.random.default_rng(1)
    files = []
    for shape, ks, block_size, band_height, noise in [
        ((1, 1), (1,), 4, None, 1.0),
        ((24, 31), (16,), 4, None, 0.1),
        ((40, 17), (2,), 4, 16, 0.2),
        ((33, 33), (3, 70), 4, None, 0.1),
        ((26, 30), (8, 20), 2, 8, 0.3),
        ((12, 60), (1, 0, 9), 5, None, 0.5),
        ((16, 16), (256,), 16, None, 1.0),
        ((9, 50), (300, 4), 3, 3, 0.2),
    ]:
        grid = BlockGrid(*shape, block_size)
        used = np.flatnonzero(np.array(ks)).astype(np.uint8)
        region_map = random.choice(used, grid.shape)
        codebooks = tuple(random.integers(0, 256, (k, 3), dtype=np.uint8) for k in ks)
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        disturbed = random.random(shape) < noise
        wave = rows // 3 + columns // 5 + disturbed * random.integers(0, 999, shape)
        index_map = wave % np.maximum(np.array(ks), 1)[grid.spread(region_map)]
        quantized = Quantized(grid, region_map, codebooks, index_map.astype(np.uint16))
        glass = with_alpha(quantized, random)
        for coder in container.CODER_NUMBERS:
            data = container.write(quantized, coder, band_height=band_height)
            files += [data, container.with_sections(data, restoration_sections(shape, random))]
            data = container.write(glass, coder, band_height=band_height)
            files.append(container.with_sections(data, restoration_sections(shape, random)))
    return files


def with_alpha(quantized: Quantized, random: np.random.Generator) -> Quantized:
    """Return an image with alpha of a few or many levels, drawn at random, some of it hidden."""
    shape = quantized.index_map.shape
    levels = random.integers(0, 256, int(random.choice([2, 9, 200]))).astype(np.uint8)
    alpha = random.choice(np.append(levels, 0), shape).astype(np.uint8)
    index_map = np.where(alpha == 0, 0, quantized.index_map).astype(np.uint16)
    return dataclasses.replace(quantized, index_map=index_map, alpha=alpha)


def restoration_sections(shape: tuple[int, int], random: np.random.Generator) -> list[Section]:
    """Return a filter and a correction of an image, drawn at random."""
    form = random.choice(np.array(wiener.FORMS, dtype=object))
    states = random.integers(0, 3, form.classes)
    states[0] = wiener.OWN
    own = int((states == wiener.OWN).sum())
    differences = random.integers(-9, 10, (own, form.inputs, 3)).astype(np.int32)
    found = wiener.Filter(form, tuple(map(int, states)), differences)
    block = int(random.choice(correction.BLOCKS))
    blocks = (-(-shape[0] // block), -(-shape[1] // block), 3)
    values = random.integers(-20, 21, blocks).astype(np.int32)
    means = correction.Correction(block, int(random.integers(1, 99)), values)
    return [
        Section(container.FILTER, found.to_bytes()),
        Section(container.CORRECTION, means.to_bytes()),
    ]


def mutate(data: bytes, random: np.random.Generator) -> bytes:
    """Change one or a few things in a file, and mend its checksums."""
    sections = split(data)
    moved_length = False
    for _ in range(int(random.integers(1, 4))):
        kind = random.integers(20)
        place = int(random.integers(len(sections)))
        chosen = sections[place]
        if kind == 0:
            sections[0] = Section(sections[0].type, _mutate_header(sections[0].payload, random))
        elif kind == 1:
            codewords = struct.pack("<H", int(random.choice(CODEWORDS)))
            books = [i for i, section in enumerate(sections) if section.type == "C"]
            if books:
                book = int(random.choice(books))
                sections[book] = Section("C", codewords + sections[book].payload[2:])
        elif kind == 2:
            moved_length = True
        elif kind == 3:
            other = int(random.integers(len(sections)))
            sections[place], sections[other] = sections[other], chosen
        elif kind == 4:
            sections.insert(int(random.integers(len(sections) + 1)), chosen)
        elif kind == 5 and len(sections) > 1:
            del sections[place]
        elif kind == 6:
            kinds = "HCFBARTIEXxyz" + chr(int(random.integers(256)))
            sections[place] = Section(kinds[int(random.integers(len(kinds)))], chosen.payload)
        elif chosen.type in "CRIFBAT":
            sections[place] = Section(chosen.type, _mutate_payload(chosen.payload, random))
    return _move_length(join(sections), random) if moved_length else join(sections)


def mutate_only(data: bytes, kinds: str, random: np.random.Generator) -> bytes:
    """Change one or a few bytes in sections of some types, and mend their checksums."""
    sections = split(data)
    places = [i for i, section in enumerate(sections) if section.type in kinds]
    for place in random.choice(places, int(random.integers(1, 3))):
        kind, payload = sections[place]
        sections[place] = Section(kind, _mutate_payload(payload, random))
    return join(sections)


def _move_length(data: bytes, random: np.random.Generator) -> bytes:
    """Let a section end elsewhere, there with its right checksum; what follows is left over."""
    starts = np.cumsum([len(PREFIX), *(len(s.payload) + 9 for s in split(data))])
    start = int(starts[random.integers(len(starts) - 1)])
    content = start + 5
    (size,) = struct.unpack_from("<I", data, start + 1)
    size = int(random.choice([0, max(0, size - 1), size + 1, random.integers(2 * size + 20)]))
    rest = data[content + size :]
    return data[:start] + frame(chr(data[start]), data[content : content + size]) + rest


def _mutate_header(header: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(header)
    if len(header) != HEADER.size:
        return header
    offset, form = list(FIELDS.values())[int(random.integers(len(FIELDS)))]
    if random.random() < 0.5:
        changed[offset + int(random.integers(struct.calcsize(form)))] = int(random.integers(256))
    else:
        value = int(random.choice([0, 1, 2, 3, 7, 64, 255])) * int(random.choice([1, 1, 1, 16]))
        struct.pack_into(form, changed, offset, value % 256 ** struct.calcsize(form))
    width, height, *_ = HEADER.unpack(changed)
    if 2**22 < width * height <= MAX_PIXELS and random.random() < 0.95:
        return header  # most of the time would go into clearing memory
    return bytes(changed)


def _mutate_payload(payload: bytes, random: np.random.Generator) -> bytes:
    data = bytearray(payload)
    kind = random.integers(5)
    if kind == 0 and data:
        data[int(random.integers(len(data)))] ^= 1 << int(random.integers(8))
    elif kind == 1 and data:
        for _ in range(8):
            data[int(random.integers(len(data)))] = int(random.integers(256))
    elif kind == 2 and data:
        del data[int(random.integers(len(data))) :]
    elif kind == 3:
        data[:] = random.integers(0, 256, int(random.integers(600)), dtype=np.uint8).tobytes()
    else:
        place = int(random.integers(len(data) + 1))
        data[place:place] = bytes([int(random.choice([0, 255]))]) * int(random.integers(1, 50))
    return bytes(data)


@dataclass
class Outcomes:
    """What became of damaged files."""

    count: int
    seed: int
    decoded: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    grown_mb: float = 0.0
    """How far the peak of the process's memory rose, where the system says."""
    allowed_mb: float = 200.0

    def __str__(self) -> str:
        return (
            f"{self.count} damaged files with right checksums, seed {self.seed}: "
            f"{self.decoded} decoded to an image of the declared size, {self.refused} refused, "
            f"none crashed, the slowest took {self.slowest_s:.2f} s, "
            f"memory grew by {self.grown_mb:.0f} MB of {self.allowed_mb:.0f} allowed"
        )


def fuzz(count: int, seed: int, kinds: str = "") -> Outcomes:
    """Decode damaged files; anything but an image or an error of the package is raised.

    With `kinds` only sections of these types are damaged, in files that have them.
    """
    random = np.random.default_rng(seed)
    files = originals()
    if kinds:
        files = [data for data in files if {section.type for section in split(data)} & set(kinds)]
    for data in files:
        akm.decode(data)  # compiles, apart from the time of what follows
    outcomes = Outcomes(count, seed)
    before_mb = _peak_mb()
    for i in range(count):
        data = files[i % len(files)]
        damaged = mutate_only(data, kinds, random) if kinds else mutate(data, random)
        width, height, *_ = HEADER.unpack(damaged[10:27].ljust(HEADER.size, b"\0"))
        start = time.perf_counter()
        try:
            image = akm.decode(damaged)
        except (FormatError, LimitError):
            outcomes.refused += 1
        else:
            assert image.shape[:2] == (height, width), (i, seed)
            assert image.shape[2] in (3, 4), (i, seed)
            assert image.dtype == np.uint8
            outcomes.decoded += 1
        seconds = time.perf_counter() - start
        assert seconds < LONGEST_S, (i, seed)
        outcomes.slowest_s = max(outcomes.slowest_s, seconds)
        if width * height <= MAX_PIXELS:
            most_mb = min(DEFAULT.memory_bytes, 2**27 + 16 * width * height) / 2**20
            outcomes.allowed_mb = max(outcomes.allowed_mb, 72 + most_mb)
        outcomes.grown_mb = _peak_mb() - before_mb
        assert outcomes.grown_mb < outcomes.allowed_mb, (i, seed)
    return outcomes


def _peak_mb() -> float:
    """Return the peak of this process's memory in MB, 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    sys.stdout.write(f"{fuzz(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])}\n")
