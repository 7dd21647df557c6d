"""Damaged files whose checksums hold: what an adversary would send, not what a cable would make.

``python -m tests.fuzzing COUNT SEED`` decodes COUNT of them and says what became of them.
"""

import struct
import sys
import time
import zlib
from dataclasses import dataclass

import numpy as np

import adaptive_kmeans as akm
from adaptive_kmeans import container
from adaptive_kmeans.blocks import MAX_PIXELS, BlockGrid
from adaptive_kmeans.errors import FormatError, LimitError
from adaptive_kmeans.quantize import Quantized

LONGEST_S = 10.0
HEADER = struct.Struct("<4sBBBHIII")
FIELDS = {5: "<B", 6: "<B", 7: "<H", 9: "<I", 13: "<I", 17: "<I"}
"""Offset and form of the header's fields behind the version."""


@dataclass
class Parts:
    """A file taken apart: all but the checksums, which `join` makes anew."""

    header: bytearray
    codewords: list[int]
    sizes: list[int] | None
    """None for those of the payloads."""
    payloads: list[bytes]


def split(data: bytes) -> Parts:
    """Take a right file apart."""
    header = bytearray(data[: HEADER.size])
    *_, n_regions, _, _, height, band_height = HEADER.unpack(header)
    n_payloads = n_regions + 2 * -(-height // band_height)
    table = struct.unpack_from(f"<{n_regions}H{n_payloads}I", data, HEADER.size + 4)
    start = HEADER.size + 4 + 2 * n_regions + 4 * n_payloads + 4
    payloads = []
    for size in table[n_regions:]:
        payloads.append(data[start : start + size])
        start += size + 4
    assert start == len(data)
    return Parts(header, list(table[:n_regions]), None, payloads)


def join(parts: Parts) -> bytes:
    """Put a file together, every section under the checksum that it should have."""
    sizes = [len(p) for p in parts.payloads] if parts.sizes is None else parts.sizes
    table = struct.pack(f"<{len(parts.codewords)}H", *parts.codewords)
    table += struct.pack(f"<{len(sizes)}I", *sizes)
    sections = (bytes(parts.header), table, *parts.payloads)
    return b"".join(part + struct.pack("<I", zlib.crc32(part)) for part in sections)


def originals() -> list[bytes]:
    """Files of every coder, of several shapes, regions, codebook sizes and bands."""
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
        for coder in container.CODER_NUMBERS:
            files.append(container.write(quantized, coder, band_height=band_height))
    return files


def mutate(data: bytes, random: np.random.Generator) -> bytes:
    """Change one or a few things in a file, and mend its checksums."""
    parts = split(data)
    for _ in range(int(random.integers(1, 4))):
        kind = random.integers(10)
        if kind == 0:
            _mutate_header(parts.header, random)
        elif kind == 1:
            place = int(random.integers(len(parts.codewords)))
            parts.codewords[place] = int(random.choice([0, 1, 2, 3, 17, 256, 4096, 4097, 65535]))
        elif kind == 2:
            sizes = [len(payload) for payload in parts.payloads]
            sizes[int(random.integers(len(sizes)))] = int(random.integers(0, 2 * max(sizes) + 2))
            parts.sizes = sizes if random.random() < 0.5 else None
        elif kind == 3:
            one, other = random.integers(len(parts.payloads), size=2)
            swapped = parts.payloads[one], parts.payloads[other]
            parts.payloads[other], parts.payloads[one] = swapped
        else:
            place = int(random.integers(len(parts.payloads)))
            parts.payloads[place] = _mutate_payload(parts.payloads[place], random)
    return join(parts)


def _mutate_header(header: bytearray, random: np.random.Generator) -> None:
    before = bytes(header)
    offset = int(random.choice(list(FIELDS)))
    form = FIELDS[offset]
    if random.random() < 0.5:
        header[offset + int(random.integers(struct.calcsize(form)))] = int(random.integers(256))
    else:
        value = int(random.choice([0, 1, 2, 3, 7, 64, 255])) * int(random.choice([1, 1, 1, 16]))
        struct.pack_into(form, header, offset, value % 256 ** struct.calcsize(form))
    *_, width, height, _ = HEADER.unpack(header)
    if 2**22 < width * height <= MAX_PIXELS and random.random() < 0.95:
        header[:] = before  # most of the time would go into clearing memory


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


def fuzz(count: int, seed: int) -> Outcomes:
    """Decode damaged files; anything but an image or an error of the package is raised."""
    random = np.random.default_rng(seed)
    files = originals()
    for data in files:
        akm.decode(data)  # compiles, apart from the time of what follows
    outcomes = Outcomes(count, seed)
    before_mb = _peak_mb()
    for i in range(count):
        damaged = mutate(files[i % len(files)], random)
        *_, width, height, _ = HEADER.unpack(damaged[: HEADER.size])
        start = time.perf_counter()
        try:
            image = akm.decode(damaged)
        except (FormatError, LimitError):
            outcomes.refused += 1
        else:
            assert image.shape == (height, width, 3), (i, seed)
            assert image.dtype == np.uint8
            outcomes.decoded += 1
        seconds = time.perf_counter() - start
        assert seconds < LONGEST_S, (i, seed)
        outcomes.slowest_s = max(outcomes.slowest_s, seconds)
        if width * height <= MAX_PIXELS:
            outcomes.allowed_mb = max(outcomes.allowed_mb, 200 + 16 * width * height / 2**20)
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
    sys.stdout.write(f"{fuzz(int(sys.argv[1]), int(sys.argv[2]))}\n")
