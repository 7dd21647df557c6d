import io
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest

import adaptive_kmeans as akm
from adaptive_kmeans import container
from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.coding import coders
from adaptive_kmeans.container import (
    CODER_NUMBERS,
    Ancillary,
    Reader,
    Section,
    inspect,
    read,
    write,
)
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
from adaptive_kmeans.limits import MAX_ANCILLARY, RESTRICTIVE, Limits
from adaptive_kmeans.quantize import Quantized
from tests.fuzzing import HEADER, PREFIX, frame, join, split, with_field

GOLDEN = {
    "fixed-length": (
        "89414b4d02"
        "481100000005000000030000000302000400000000012fec40d1"
        "430500000001000a0b0c1ca82506"
        "430b0000000300000000ff0000ffffff7c446148"
        "52010000004466a455bc"
        "49020000006880502cab41"
        "450000000024203156"
    ),
    "deflate": (
        "89414b4d02"
        "481100000005000000030000000302000400000001016edd5bc8"
        "430500000001000a0b0c1ca82506"
        "430b0000000300000000ff0000ffffff7c446148"
        "520900000078da730100004500452194d62a"
        "491200000078da636060646260600061100500004600088b326d73"
        "450000000024203156"
    ),
}
"""Files of version 2, by coder. They are never rewritten: what cannot read them is broken."""


def small(random: np.random.Generator) -> Quantized:
    """A small image of two regions with ragged blocks."""
    grid = BlockGrid(6, 7, 2)
    region_map = random.integers(0, 2, grid.shape, dtype=np.uint8)
    codebooks = tuple(random.integers(0, 256, (k, 3), dtype=np.uint8) for k in (3, 17))
    sizes = np.array([3, 17])
    index_map = random.integers(0, sizes[grid.spread(region_map)]).astype(np.uint16)
    return Quantized(grid, region_map, codebooks, index_map)


def plain(height: int, width: int, k: int = 1) -> Quantized:
    """An image of one region, all of codeword 0."""
    grid = BlockGrid(height, width, 1)
    codebooks = (np.zeros((k, 3), np.uint8),)
    return Quantized(
        grid, np.zeros(grid.shape, np.uint8), codebooks, np.zeros((height, width), np.uint16)
    )


def assert_same(one: Quantized, other: Quantized) -> None:
    assert one.grid == other.grid
    assert np.array_equal(one.region_map, other.region_map)
    assert np.array_equal(one.index_map, other.index_map)
    assert len(one.codebooks) == len(other.codebooks)
    assert all(map(np.array_equal, one.codebooks, other.codebooks))


def types(data: bytes) -> str:
    return "".join(section.type for section in split(data))


every_coder = pytest.mark.parametrize("coder", CODER_NUMBERS)


@every_coder
@pytest.mark.parametrize("band_height", [None, 2, 4, 6])
def test_what_is_written_is_read(coder, band_height, random):
    quantized = small(random)
    data = write(quantized, coder, band_height=band_height)
    assert_same(read(data), quantized)
    assert np.array_equal(akm.decode(data), quantized.reconstruct())
    contents = inspect(data)
    assert (contents.version, contents.coder, contents.model) == (2, coder, 1)
    assert (contents.width, contents.height, contents.codewords) == (7, 6, (3, 17))
    assert contents.bands == (1 if band_height is None else -(-6 // band_height))
    assert contents.file_bytes == len(data)


def test_sections_stand_in_the_order_of_the_specification(random):
    assert types(write(small(random), "fixed-length", band_height=4)) == "HCCRIRIE"
    assert types(write(plain(3, 5), "fixed-length", band_height=2)) == "HCIIE"


def test_framing_takes_60_bytes_with_one_codebook_and_one_band(random):
    for coder in CODER_NUMBERS:
        contents = inspect(write(plain(3, 5, k=3), coder))
        assert contents.header_bytes == 60
        assert contents.region_map_bytes == contents.other_bytes == 0


def test_every_registered_coder_has_a_number():
    assert set(CODER_NUMBERS) == set(coders.names())
    assert len(set(CODER_NUMBERS.values())) == len(CODER_NUMBERS)


@every_coder
def test_truncated_files_are_refused(coder, random):
    data = write(small(random), coder, sections=[Section("t", b"text")], band_height=4)
    for length in range(len(data)):
        with pytest.raises(TruncatedError):
            read(data[:length])


@every_coder
def test_every_flipped_bit_is_refused_with_the_right_error(coder, random):
    data = write(small(random), coder, sections=[Section("t", b"text")], band_height=4)
    in_lengths, start = set(), len(PREFIX)
    for section in split(data):
        in_lengths |= set(range(start + 1, start + 5))
        start += len(section.payload) + 9
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        right = ChecksumError
        if bit // 8 < 4:
            right = BadMagicError
        elif bit // 8 == 4:
            right = UnsupportedVersionError
        elif bit // 8 in in_lengths:
            right = (ChecksumError, TruncatedError)
        with pytest.raises(right):
            read(bytes(damaged))


def test_appended_bytes_are_refused(random):
    data = write(small(random), "fixed-length")
    for extra in (b"\0", data, frame("t", b"text")):
        with pytest.raises(CorruptError, match=f"nothing after its {len(data)} bytes, received"):
            read(data + extra)


def test_something_else_and_nothing_are_refused():
    with pytest.raises(BadMagicError, match=r"received 89 50 4e 47"):
        read(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(TruncatedError):
        read(b"")


def test_other_versions_are_refused(random):
    data = write(small(random), "fixed-length")
    with pytest.raises(UnsupportedVersionError, match=r"format version: expected 2, received 1$"):
        read(data[:4] + b"\x01" + data[5:])
    with pytest.raises(UnsupportedVersionError, match="received 3: the file was made by a newer"):
        read(data[:4] + b"\x03" + data[5:])


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ("HCCRE", r"section at byte \d+: expected index map \(I\), received end \(E\)"),
        ("HCCE", r"expected region map \(R\), received end \(E\)"),
        ("HCCIRE", r"expected region map \(R\), received index map \(I\)"),
        ("HCCRRIE", r"expected index map \(I\), received region map \(R\)"),
        ("HCCRIRIE", r"expected end \(E\), received region map \(R\)"),
        ("HCCRIIE", r"expected end \(E\), received index map \(I\)"),
        ("HRIE", r"codebooks: expected 1\.\.255, received 0"),
        ("HCRCIE", r"expected codebook \(C\), received region map \(R\)"),
        ("HCRIE", r"expected index map \(I\), received region map \(R\)"),
        ("HCCRICE", r"expected codebook \(C\), received region map \(R\)"),
        ("HHCCRIE", r"expected codebook \(C\), received header \(H\)"),
        ("CCRIE", r"section 1: expected a header \(H\) of 17 bytes, received C of \d+"),
        ("CHCRIE", r"section 1: expected a header \(H\) of 17 bytes, received C of \d+"),
        ("E", r"section 1: expected a header \(H\) of 17 bytes, received E of 0"),
        ("HE", r"codebooks: expected 1\.\.255, received 0"),
        ("HEE", r"nothing after its 40 bytes, received 9 more"),
    ],
)
def test_missing_duplicate_and_misplaced_sections_are_refused(order, message, random):
    payloads = {section.type: section.payload for section in split(write(small(random), "deflate"))}
    with pytest.raises(CorruptError, match=message):
        read(join([Section(kind, payloads[kind]) for kind in order]))


def test_an_unknown_critical_section_is_refused_by_its_name(random):
    sections = split(write(small(random), "fixed-length"))
    for place in range(1, len(sections)):
        changed = [*sections[:place], Section("Q", b""), *sections[place:]]
        with pytest.raises(UnsupportedVersionError, match="received Q: the file was made by a new"):
            read(join(changed))


def test_unknown_ancillary_sections_are_skipped_and_listed(random):
    quantized = small(random)
    data = write(quantized, "fixed-length", band_height=2)
    sections = split(data)
    added = [Section("t", b"text"), Section("q", b""), Section("t", b"more")]
    changed = [sections[0], added[0], *sections[1:3], added[1], *sections[3:-1], added[2]]
    data_with = join([*changed, sections[-1]])
    assert_same(read(data_with), quantized)
    contents = inspect(data_with)
    assert contents.ancillary == (Ancillary("t", 4), Ancillary("q", 0), Ancillary("t", 4))
    assert contents.other_bytes == 8
    assert contents.header_bytes == inspect(data).header_bytes + 27
    assert contents.file_bytes == len(data_with)
    assert container.Reader(data_with).payloads("t") == [b"text", b"more"]
    written = write(quantized, "fixed-length", band_height=2, sections=added)
    assert types(written) == types(data)[:-1] + "tqtE"
    assert_same(read(written), quantized)


def test_ancillary_sections_are_limited(random):
    sections = split(write(small(random), "fixed-length"))
    for count in (MAX_ANCILLARY, MAX_ANCILLARY + 1):
        data = join([*sections[:-1], *[Section("t", b"")] * count, sections[-1]])
        if count > MAX_ANCILLARY:
            with pytest.raises(CorruptError, match=f"and {MAX_ANCILLARY} ancillary"):
                read(data)
        else:
            assert len(inspect(data).ancillary) == count


def test_optional_sections_stand_between_codebooks_and_bands(random):
    quantized = small(random)
    without = write(quantized, "fixed-length")
    beside = [Section("F", b"taps"), Section("B", b"means")]
    data = write(quantized, "fixed-length", sections=beside)
    assert types(data) == "HCCBFRIE"
    assert container.Reader(data).payloads("F") == [b"taps"]
    assert container.Reader(without).payloads("F") == []
    contents = inspect(data)
    assert (contents.filter_bytes, contents.correction_bytes, contents.other_bytes) == (4, 5, 0)
    assert contents.file_bytes == len(data)
    sections = split(data)
    with pytest.raises(CorruptError, match=r"expected filter \(F\), received correction \(B\)"):
        read(join([*sections[:4], sections[3], *sections[4:]]))
    with pytest.raises(CorruptError, match=r"expected correction \(B\), received filter \(F\)"):
        read(join([*sections[:3], sections[4], sections[3], *sections[5:]]))


@pytest.mark.parametrize("kind", ["", "ab", "1", "é", "C", "Q"])
def test_other_section_types_are_not_written(kind, random):
    with pytest.raises(ConfigError, match="section type"):
        write(small(random), "fixed-length", sections=[Section(kind, b"")])


def test_a_section_type_that_is_not_a_letter_is_refused(random):
    sections = split(write(small(random), "fixed-length"))
    for kind in ("1", "\0", "\xe9", "["):
        with pytest.raises(CorruptError, match="section type: expected an ASCII letter, received"):
            read(join([*sections[:-1], Section(kind, b""), sections[-1]]))


def test_payloads_of_another_size_are_refused(random):
    sections = split(write(small(random), "fixed-length"))
    header, book, end = sections[0], sections[1], sections[-1]
    for wrong, message in [
        ([Section("H", header.payload + b"\0"), *sections[1:]], "header .* of 17 bytes"),
        ([Section("H", header.payload[:-1]), *sections[1:]], "header .* of 17 bytes"),
        ([header, Section("C", b"\0"), *sections[2:]], "bytes of a codebook"),
        ([header, Section("C", book.payload + b"\0"), *sections[2:]], "codebook: expected 9 bytes"),
        ([*sections[:-1], Section("E", end.payload + b"\0")], "end: expected 0 bytes, received 1"),
    ]:
        with pytest.raises(CorruptError, match=message):
            read(join(wrong))


@pytest.mark.parametrize("length", [2**32 - 1, 2**31, 2**16])
def test_lengths_beyond_the_file_are_refused(length, random):
    sections = split(write(small(random), "fixed-length"))
    for place in range(len(sections)):
        head = sections[place].type.encode() + struct.pack("<I", length)
        data = join(sections[:place]) + head + sections[place].payload
        with pytest.raises(TruncatedError, match=f"section {place + 1}"):
            read(data + struct.pack("<I", zlib.crc32(data)) + bytes(50))


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("width", 0, CorruptError),
        ("width", 2**32 - 1, CorruptError),
        ("height", 0, CorruptError),
        ("height", 2**27, LimitError),
        ("channels", 1, CorruptError),
        ("channels", 4, CorruptError),
        ("block size", 0, CorruptError),
        ("block size", 257, CorruptError),
        ("band height", 0, CorruptError),
        ("band height", 3, CorruptError),
        ("band height", 8, CorruptError),
        ("coder", 3, UnsupportedVersionError),
        ("coder", 255, UnsupportedVersionError),
        ("model", 0, UnsupportedVersionError),
        ("model", 200, UnsupportedVersionError),
    ],
)
def test_a_header_field_out_of_range_is_refused_by_name(field, value, error, random):
    data = write(small(random), "fixed-length")
    name = "image" if error is LimitError else field
    with pytest.raises(error, match=f"^{name}"):
        inspect(with_field(data, field, value))


@every_coder
def test_an_unknown_model_is_said_to_be_of_a_newer_version(coder, random):
    data = with_field(write(small(random), coder), "model", 99)
    with pytest.raises(UnsupportedVersionError) as refused:
        akm.decode(data)
    assert str(refused.value).startswith(f"model of {coder}: expected ")
    assert str(refused.value).endswith("received 99: the file was made by a newer version")


def test_a_codebook_of_another_length_is_refused(random):
    sections = split(write(small(random), "fixed-length"))
    for codewords, error in ((4097, "codewords: expected 0..4096"), (65535, "codewords")):
        payload = struct.pack("<H", codewords) + bytes(3 * codewords)
        with pytest.raises(CorruptError, match=error):
            inspect(join([sections[0], Section("C", payload), *sections[2:]]))


def test_headers_of_random_bytes_give_an_error_or_an_image(random):
    counts = {"image": 0, "refused": 0}
    for coder in CODER_NUMBERS:
        header, *others = split(write(small(random), coder, band_height=4))
        for _ in range(150):
            changed = bytearray(header.payload)
            changed[random.integers(HEADER.size)] = random.integers(0, 256)
            try:
                akm.decode(join([Section("H", bytes(changed)), *others]))
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
    sections = split(data)
    assert sections[3] == Section("R", b"\x80")
    sections[3] = Section("R", b"\0")
    with pytest.raises(CorruptError, match="only regions that have codewords, received region 0"):
        read(join(sections))


def test_a_band_is_whole_block_rows(random):
    for wrong in (3, 0, -2):
        with pytest.raises(ConfigError, match=f"a multiple of the block size 2, received {wrong}"):
            write(small(random), "fixed-length", band_height=wrong)


@every_coder
def test_bands_give_the_same_bytes_and_the_same_image_at_any_thread_count(
    coder, random, monkeypatch
):
    quantized = small(random)
    files = set()
    for threads in (1, 2, 8):
        monkeypatch.setattr(container, "thread_count", lambda threads=threads: threads)
        told: dict[str, list[float]] = {"coding": [], "decoding": []}

        def tell(stage, share, told=told):
            told[stage].append(share)

        data = write(quantized, coder, band_height=2, progress=tell)
        assert_same(read(data, progress=tell), quantized)
        for shares in told.values():
            assert shares == sorted(shares)
            assert shares[-1] == 1.0
            assert shares.count(1.0) == 1
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
        data = write(
            quantized,
            "context-mixing",
            band_height=band_height,
            progress=lambda _, share, told=told: told.append(share),
        )
        assert len(set(told)) > 5 * bands
        assert told == sorted(told)
        told.clear()
        read(data, progress=lambda _, share, told=told: told.append(share))
        assert len(set(told)) > 5 * bands
        assert told == sorted(told)


def test_the_number_of_bands_is_limited():
    with pytest.raises(ConfigError, match="at most 1024 bands"):
        write(plain(2000, 1), "fixed-length", band_height=1)
    data = write(plain(2000, 1), "fixed-length", band_height=2)
    assert inspect(data).bands == 1000
    with pytest.raises(CorruptError, match=r"bands: expected 1\.\.1024, received 2000"):
        inspect(with_field(data, "band height", 1))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(pixels=41), "image: expected at most 41 pixels, received 7×6"),
        (Limits(bands=2), "file: expected at most 2 bands, received 3"),
        (Limits(regions=1), "file: expected at most 1 regions, received 2"),
        (Limits(codewords=16), "codebook: expected at most 16 codewords, received 17"),
        (Limits(file_bytes=100), "file: expected at most 100 bytes, received"),
    ],
)
def test_a_file_over_a_limit_is_refused(limits, message, random):
    data = write(small(random), "fixed-length", band_height=2)
    for call in (akm.decode, read, inspect):
        with pytest.raises(LimitError, match=message):
            call(data, limits=limits)


@every_coder
def test_a_decode_over_the_memory_limit_is_refused_before_it_allocates(coder):
    data = write(plain(600, 600, k=2), coder, band_height=60)
    with pytest.raises(LimitError, match="decoding: expected at most 1,000,000 bytes of memory"):
        akm.decode(data, limits=Limits(memory_bytes=10**6))
    assert inspect(data, limits=Limits(memory_bytes=10**6)).bands == 10
    claimed = with_field(with_field(data, "width", 2**14), "height", 2**13)
    one_band = with_field(claimed, "band height", 2**13)
    header, *_, index_map, end = split(one_band)
    codebook = split(data)[1]
    with pytest.raises(LimitError, match="decoding: expected at most 268,435,456 bytes of memory"):
        akm.decode(
            join([header, codebook, index_map, end]),
            limits=Limits(memory_bytes=RESTRICTIVE.memory_bytes),
        )


def test_what_the_default_limits_refuse_is_not_written(random, monkeypatch):
    monkeypatch.setattr(container, "DEFAULT", Limits(pixels=40))
    with pytest.raises(LimitError, match="at most 40 pixels, received 7×6"):
        write(small(random), "fixed-length")
    monkeypatch.setattr(container, "DEFAULT", Limits(memory_bytes=1000))
    with pytest.raises(LimitError, match="at most 1,000 bytes of memory"):
        write(small(random), "fixed-length")


TINY = {
    "fixed-length": b"",
    "context-mixing": b"",
    "deflate": zlib.compress(bytes(2**27), 9),
}
"""Index maps of 2²⁷ pixels of one codeword."""


@every_coder
@pytest.mark.parametrize("shape", [(2**13, 2**14), (1, 2**27)], ids=["square", "row"])
def test_decoding_the_largest_image_takes_less_than_a_gigabyte(coder, shape, tmp_path):
    height, width = shape
    header = HEADER.pack(width, height, 3, 256, max(256, height), CODER_NUMBERS[coder], 1)
    codebook = np.array([[1, 2, 3]], dtype=np.uint8)
    payload = struct.pack("<H", 1) + coders.create(coder).encode_codebook(codebook)
    sections = [Section("H", header), Section("C", payload), Section("I", TINY[coder])]
    (tmp_path / "large.akm").write_bytes(join([*sections, Section("E", b"")]))
    code = (
        "import re, pathlib, adaptive_kmeans as akm;"
        "image = akm.decode(open('large.akm', 'rb').read());"
        "assert image[-1, -1].tolist() == [1, 2, 3];"
        "status = pathlib.Path('/proc/self/status');"
        "peak = re.search(r'VmHWM:\\s*(\\d+)', status.read_text())[1] if status.exists() else 0;"
        "print(*image.shape, peak)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    *found, kilobytes = map(int, done.stdout.split())
    assert found == [height, width, 3]
    assert kilobytes * 1024 < 10**9


@pytest.mark.parametrize("coder", ["fixed-length", "deflate"])
def test_bands_do_not_repeat_the_work_of_a_file(coder, random):
    grid = BlockGrid(1024, 32, 1)
    region_map = random.integers(0, 255, grid.shape, dtype=np.uint8)
    codebooks = tuple(random.integers(0, 256, (257, 3), dtype=np.uint8) for _ in range(255))
    index_map = random.integers(0, 257, grid.shape).astype(np.uint16)
    quantized = Quantized(grid, region_map, codebooks, index_map)
    data = write(quantized, coder, band_height=1)
    start = time.process_time()
    image = akm.decode(data)
    assert time.process_time() - start < 3  # half a second; 5, if bands looked at every codebook
    assert np.array_equal(image, quantized.reconstruct())


@pytest.mark.parametrize("wrong", ["x", None, 3, [1], np.zeros(3, np.uint8)])
def test_other_types_than_bytes_are_refused(wrong):
    with pytest.raises(ConfigError, match=r"data: expected the bytes of an \.akm file, received"):
        read(wrong)


def test_buffers_of_bytes_are_read(random):
    data = write(small(random), "fixed-length")
    for buffer in (bytearray(data), memoryview(data)):
        assert_same(read(buffer), read(data))


@pytest.mark.parametrize("coder", GOLDEN)
def test_golden_files_decode_for_good(coder):
    quantized = read(bytes.fromhex(GOLDEN[coder]))
    assert quantized.codebooks[0].tolist() == [[10, 11, 12]]
    assert quantized.codebooks[1].tolist() == [[0, 0, 0], [255, 0, 0], [255, 255, 255]]
    assert quantized.region_map.tolist() == [[0, 1, 0], [0, 0, 1]]
    assert quantized.index_map.tolist() == [[0, 0, 1, 2, 0], [0, 0, 2, 0, 0], [0, 0, 0, 0, 2]]


class CountingFile(io.BytesIO):
    """A file that counts what is read of it."""

    bytes_read = 0

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        self.bytes_read += len(data)
        return data


def test_a_peek_reads_what_says_how_a_file_is_made_and_little_else(photo):
    data = write(akm.quantize(photo, akm.Settings(6, 12)), "deflate", sections=[Section("t", b"a")])
    file = CountingFile(data)
    assert Reader.peek(file).contents == Reader(data).contents
    assert file.bytes_read < len(data) / 4


@every_coder
def test_the_shares_of_regions_are_read_under_limits_and_checksums(coder, random):
    data = write(small(random), coder)
    shares = Reader.peek(io.BytesIO(data)).region_shares()
    assert shares == Reader(data).region_shares()
    with pytest.raises(LimitError, match="region map: expected at most 99 bytes of memory"):
        Reader.peek(io.BytesIO(data), Limits(memory_bytes=99)).region_shares()
    damaged = bytearray(data)
    place = next(i for i, section in enumerate(split(data)) if section.type == "R")
    damaged[len(join(split(data)[: place + 1])) - 5] ^= 1
    with pytest.raises(ChecksumError):
        Reader.peek(io.BytesIO(bytes(damaged))).region_shares()


def test_a_peek_refuses_another_file_by_its_signature():
    file = CountingFile(bytes(10**6))
    with pytest.raises(BadMagicError):
        Reader.peek(file)
    assert file.bytes_read < 10
