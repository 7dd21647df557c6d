import struct
import zlib

import numpy as np
import pytest

from adaptive_kmeans import blocks, container
from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.coding import coders
from adaptive_kmeans.container import CODER_NUMBERS, inspect, read, write
from adaptive_kmeans.errors import (
    BadMagicError,
    ChecksumError,
    ConfigError,
    CorruptError,
    FormatError,
    LimitError,
    TruncatedError,
    UnsupportedVersionError,
)
from adaptive_kmeans.quantize import Quantized

GOLDEN = {
    "fixed-length": (
        "89414b4d0100020200050000000300000004000000c4d8d960"
        "0100030003000000090000000100000002000000df3bf652"
        "0a0b0c24c99418000000ff0000ffffff70997302"
        "44046ab3a3688070704501"
    ),
    "deflate": (
        "89414b4d01010202000500000003000000040000005549b1ce"
        "0100030003000000090000000900000012000000f5770ad1"
        "0a0b0c24c99418000000ff0000ffffff70997302"
        "78da7301000045004590fc945c78da6360606462606000611005000046000881ea717f"
    ),
}
"""Files of version 1, by coder. They are never rewritten: what cannot read them is broken."""


def small(random: np.random.Generator) -> Quantized:
    """A small image of two regions with ragged blocks."""
    grid = BlockGrid(6, 7, 2)
    region_map = random.integers(0, 2, grid.shape, dtype=np.uint8)
    codebooks = tuple(random.integers(0, 256, (k, 3), dtype=np.uint8) for k in (3, 17))
    sizes = np.array([3, 17])
    index_map = random.integers(0, sizes[grid.spread(region_map)]).astype(np.uint16)
    return Quantized(grid, region_map, codebooks, index_map)


def assert_same(one: Quantized, other: Quantized) -> None:
    assert one.grid == other.grid
    assert np.array_equal(one.region_map, other.region_map)
    assert np.array_equal(one.index_map, other.index_map)
    assert len(one.codebooks) == len(other.codebooks)
    assert all(map(np.array_equal, one.codebooks, other.codebooks))


@pytest.mark.parametrize("coder", CODER_NUMBERS)
@pytest.mark.parametrize("band_height", [None, 2, 4, 6])
def test_what_is_written_is_read(coder, band_height, random):
    quantized = small(random)
    data = write(quantized, coder, band_height=band_height)
    assert_same(read(data), quantized)
    layout = inspect(data)
    assert layout.coder == coder
    assert layout.bands == (1 if band_height is None else -(-6 // band_height))
    assert layout.file_bytes == len(data)


def test_every_registered_coder_has_a_number():
    assert set(CODER_NUMBERS) == set(coders.names())
    assert len(set(CODER_NUMBERS.values())) == len(CODER_NUMBERS)


@pytest.mark.parametrize("coder", CODER_NUMBERS)
def test_every_truncation_is_refused(coder, random):
    data = write(small(random), coder, band_height=4)
    for length in range(len(data)):
        with pytest.raises(TruncatedError):
            read(data[:length])


@pytest.mark.parametrize("coder", CODER_NUMBERS)
def test_every_flipped_bit_is_refused_with_the_right_error(coder, random):
    data = write(small(random), coder, band_height=4)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        right = {4: UnsupportedVersionError}.get(bit // 8, ChecksumError)
        with pytest.raises(BadMagicError if bit // 8 < 4 else right):
            read(bytes(damaged))


def test_trailing_bytes_are_refused(random):
    data = write(small(random), "fixed-length")
    with pytest.raises(CorruptError, match="nothing after its"):
        read(data + b"\0")
    with pytest.raises(CorruptError, match="nothing after its"):
        read(data + data)


HEADER_FIELDS = {"coder": 5, "regions": 6, "block size": 7, "width": 9, "height": 13, "band": 17}


def with_field(data: bytes, offset: int, form: str, value: int) -> bytes:
    """Change a header field and mend its checksum, as an adversary would."""
    header = bytearray(data[:21])
    struct.pack_into(form, header, offset, value)
    return bytes(header) + struct.pack("<I", zlib.crc32(header)) + data[25:]


@pytest.mark.parametrize(
    ("field", "form", "value", "error"),
    [
        ("coder", "<B", 200, CorruptError),
        ("regions", "<B", 0, CorruptError),
        ("block size", "<H", 0, CorruptError),
        ("block size", "<H", 257, CorruptError),
        ("width", "<I", 0, CorruptError),
        ("width", "<I", 2**32 - 1, CorruptError),
        ("height", "<I", 0, CorruptError),
        ("height", "<I", 2**27, LimitError),
        ("band", "<I", 0, CorruptError),
        ("band", "<I", 3, CorruptError),
        ("band", "<I", 8, CorruptError),
        ("regions", "<B", 255, TruncatedError),
    ],
)
def test_a_header_field_out_of_range_is_refused_before_anything_is_allocated(
    field, form, value, error, random
):
    data = write(small(random), "fixed-length")
    with pytest.raises(error):
        read(with_field(data, HEADER_FIELDS[field], form, value))


def test_random_bytes_under_right_checksums_are_an_error_or_an_image(random):
    quantized = small(random)
    counts = {"image": 0, "refused": 0}
    for coder in CODER_NUMBERS:
        data = write(quantized, coder, band_height=4)
        for _ in range(150):
            place, value = int(random.integers(5, 17)), int(random.integers(0, 256))
            damaged = with_field(data, place, "<B", value)
            try:
                read(damaged).reconstruct()
                counts["image"] += 1
            except (FormatError, LimitError):
                counts["refused"] += 1
    assert counts["refused"] > 200, counts


def test_a_region_without_codewords_cannot_be_used():
    grid = BlockGrid(2, 2, 2)
    codebooks = (np.zeros((0, 3), np.uint8), np.zeros((1, 3), np.uint8))
    quantized = Quantized(grid, np.ones((1, 1), np.uint8), codebooks, np.zeros((2, 2), np.uint16))
    data = write(quantized, "fixed-length")
    assert_same(read(data), quantized)
    section = data.index(b"\x80" + struct.pack("<I", zlib.crc32(b"\x80")))
    damaged = data[:section] + b"\0" + struct.pack("<I", zlib.crc32(b"\0")) + data[section + 5 :]
    with pytest.raises(CorruptError, match="only regions that have codewords"):
        read(damaged)


def test_something_else_and_nothing_are_refused():
    with pytest.raises(BadMagicError, match=r"received 89 50 4e 47"):
        read(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(TruncatedError):
        read(b"")


def test_a_band_is_whole_block_rows(random):
    with pytest.raises(ConfigError, match="a multiple of the block size 2, received 3"):
        write(small(random), "fixed-length", band_height=3)


@pytest.mark.parametrize("coder", CODER_NUMBERS)
def test_bands_give_the_same_bytes_and_the_same_image_at_any_thread_count(
    coder, random, monkeypatch
):
    quantized = small(random)
    files = set()
    for threads in (1, 2, 8):
        monkeypatch.setattr(container, "thread_count", lambda threads=threads: threads)
        written: list[float] = []
        done: list[float] = []
        data = write(quantized, coder, band_height=2, progress=written.append)
        assert_same(read(data, progress=done.append), quantized)
        for shares in (written, done):
            assert shares == sorted(shares)
            assert shares[-1] == 1.0
        files.add(data)
    assert len(files) == 1


@pytest.mark.parametrize("threads", [1, 3])
def test_progress_is_told_while_a_band_is_coded(threads, random, monkeypatch):
    monkeypatch.setattr(container, "thread_count", lambda: threads)
    monkeypatch.setattr("adaptive_kmeans.threads.WAITING_S", 0.001)
    grid = BlockGrid(256, 256, 4)
    codebooks = (random.integers(0, 256, (64, 3), dtype=np.uint8),)
    index_map = random.integers(0, 64, (256, 256)).astype(np.uint16)
    quantized = Quantized(grid, np.zeros(grid.shape, np.uint8), codebooks, index_map)
    for band_height, bands in ((None, 1), (128, 2)):
        told: list[float] = []
        data = write(quantized, "context-mixing", band_height=band_height, progress=told.append)
        assert len(set(told)) > 5 * bands
        assert told == sorted(told)
        told.clear()
        read(data, progress=told.append)
        assert len(set(told)) > 5 * bands
        assert told == sorted(told)


def test_bands_are_limited_and_many_are_read_in_linear_time(monkeypatch):
    grid = BlockGrid(5000, 1, 1)
    codebooks = (np.zeros((1, 3), np.uint8),)
    parts = np.zeros((5000, 1), np.uint8), codebooks, np.zeros((5000, 1), np.uint16)
    with pytest.raises(ConfigError, match="at most 4096 bands"):
        write(Quantized(grid, *parts), "fixed-length", band_height=1)
    data = write(Quantized(grid, *parts), "fixed-length", band_height=2)
    assert inspect(data).bands == 2500
    monkeypatch.setattr(container, "MAX_BANDS", 2499)
    with pytest.raises(CorruptError, match=r"bands: expected 1\.\.2499, received 2500"):
        read(data)


def test_too_many_pixels_are_refused(random, monkeypatch):
    monkeypatch.setattr(blocks, "MAX_PIXELS", 40)
    with pytest.raises(LimitError, match="at most 40 pixels, received 7×6"):
        write(small(random), "fixed-length")


@pytest.mark.parametrize("coder", GOLDEN)
def test_golden_files_decode_for_good(coder):
    quantized = read(bytes.fromhex(GOLDEN[coder]))
    assert quantized.codebooks[0].tolist() == [[10, 11, 12]]
    assert quantized.codebooks[1].tolist() == [[0, 0, 0], [255, 0, 0], [255, 255, 255]]
    assert quantized.region_map.tolist() == [[0, 1, 0], [0, 0, 1]]
    assert quantized.index_map.tolist() == [[0, 0, 1, 2, 0], [0, 0, 2, 0, 0], [0, 0, 0, 0, 2]]
