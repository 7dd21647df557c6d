r"""The file format `.akm`, version 2: the byte layout, how it is written and how it is read.

This page is the specification, and nothing else in the package knows where a byte is. Integers are
unsigned and little-endian. The maxima named here are those of `adaptive_kmeans.limits`.

A file is a signature, a version and sections, with nothing before, between or after them::

    ┌─────────────┬─────────┬─────────┬─────────┬   ┬─────────┐
    │ 89 41 4B 4D │ version │ section │ section │ … │ section │
    │ 4 bytes     │ 1       │         │         │   │         │
    └─────────────┴─────────┴─────────┴─────────┴   ┴─────────┘

    section, 9 bytes and its payload
    ┌────────┬─────────┬─────────┬────────┐
    │ type   │ length  │ payload │ CRC-32 │
    │ 1 byte │ 4 bytes │ length  │ 4      │
    └────────┴─────────┴─────────┴────────┘

signature
    ``89 41 4B 4D``, that is ``\x89AKM``: the high bit reveals transfers that are not 8-bit clean.
version
    2. A reader refuses any other. Version 1 was never released.
type
    An ASCII letter. Upper case means critical: a reader that does not know the type refuses the
    file. Lower case means ancillary: a reader that does not know the type skips the section.
CRC-32
    That of zlib and PNG, over type, length and payload.

The critical sections, in their order:

==== ============== ============================= =================================================
type what           how often                     payload
==== ============== ============================= =================================================
H    header         once                          see below
C    codebook       once for each region          number of codewords, 2 bytes; then the coder's
A    alpha levels   at most once                  see below
B    correction     at most once                  `adaptive_kmeans.restoration.correction`
F    filter         at most once                  `adaptive_kmeans.restoration.wiener`
R    region map     once for each band, where     the coder's
                    there are several regions
T    alpha map      once for each band, where     the coder's
                    there are alpha levels
I    index map      once for each band            the coder's
E    end            once                          empty
==== ============== ============================= =================================================

So a file of one region and two bands is ``HCIIE``, one of two regions with a filter ``HCCFRIRIE``,
and one of one region and band with alpha ``HCATIE``. Ancillary sections, at most `MAX_ANCILLARY`,
may be anywhere between H and E::

    header, 17 bytes
    ┌───────┬────────┬──────────┬────────────┬─────────────┬───────┬───────┐
    │ width │ height │ channels │ block size │ band height │ coder │ model │
    │ 4     │ 4      │ 1        │ 2          │ 4           │ 1     │ 1     │
    └───────┴────────┴──────────┴────────────┴─────────────┴───────┴───────┘

width, height
    Size of the image in pixels; width × height is 1..`MAX_PIXELS`.
channels
    3: red, green, blue. Alpha is not a channel of codewords; it is coded separately.
block size
    Side of a block in pixels, 1..`MAX_BLOCK_SIZE`; blocks at the right and bottom edge may be
    smaller.
band height
    Height of a band in pixels, a multiple of the block size: a band is a run of whole block rows
    that is coded on its own, so that a large image is coded in parallel and in bounded memory. The
    last band may be lower. At most the image's height rounded up to whole blocks, and high enough
    that there are no more than `MAX_BANDS` bands.
coder
    How payloads are coded: 0 `fixed-length`, 1 `deflate`, 2 `context-mixing`. Their modules in
    `adaptive_kmeans.coding` specify the payloads.
model
    Number, from 1, of the coder's model that the payloads use.
codewords
    Length of a region's codebook, 0..`MAX_CODEWORDS`; 0 only for a region without pixels. There are
    1..`MAX_REGIONS` regions: 1 for regular K-means, else low detail is region 0 and high detail is
    region 1.

**Alpha.** An image with alpha has the section A, which lists its levels of alpha: it is empty for
all 256 levels; up to 31 levels take one byte each, in rising order; other numbers take 32 bytes
with a bit for each level, level 0 first, from the highest bit of a byte down. The coder codes the
alpha map T of a band as the index map of one region whose codeword i is the gray of the i-th level,
(level, level, level).

A pixel whose alpha is 0 is *hidden*, and its color is not in the file. If level 0 occurs, the index
maps I are therefore coded with one region more than there are codebooks. It holds the hidden
pixels, whatever their blocks, and its codebook is the single codeword (0, 0, 0). There are then at
most `MAX_REGIONS` - 1 codebooks. Before the image is corrected and filtered, hidden pixels get the
colors of their neighbors, as `adaptive_kmeans.alpha` specifies; in the decoded image they are (0,
0, 0, 0).

**Metadata.** Two ancillary sections describe the picture and change no pixel:

==== ==== ============ ==========================================================================
type what how often    content
==== ==== ============ ==========================================================================
x    EXIF at most once a TIFF structure as EXIF (CIPA DC-008) defines it, without ``Exif\0\0``
m    XMP  at most once a packet in UTF-8
==== ==== ============ ==========================================================================

The payload begins with a byte: 0 if the content follows as it is, 1 if it follows as a zlib stream
(RFC 1950); a writer takes the shorter form. The content has 1..`MAX_METADATA_BYTES` bytes. The
image is upright, so a writer sets an orientation in the content to 1. A reader takes the first
section of each type, and ignores one that is damaged or that it cannot read.

Every byte is covered by a checksum or belongs to the signature or the version, so any single
flipped bit is detected. The sections follow each other up to the end of the file, so any missing or
additional byte is detected too.
"""

from __future__ import annotations

import io
import itertools
import os
import struct
import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import IO, BinaryIO, NamedTuple, Self, TypeVar

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.alpha import mark_hidden
from adaptive_kmeans.blocks import BlockGrid, region_counts
from adaptive_kmeans.coding import Coder, coders
from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    BadMagicError,
    ChecksumError,
    ConfigError,
    CorruptError,
    TruncatedError,
    UnsupportedVersionError,
)
from adaptive_kmeans.limits import (
    BAND_PIXELS,
    DEFAULT,
    MAX_ANCILLARY,
    MAX_BANDS,
    MAX_BLOCK_SIZE,
    MAX_CODEWORDS,
    MAX_PIXELS,
    MAX_REGIONS,
    Limits,
    check_limits,
)
from adaptive_kmeans.metadata import UPRIGHT, Metadata, from_payload, to_payload
from adaptive_kmeans.progress import Progress, beside
from adaptive_kmeans.quantize import Quantized, with_hidden_codebook
from adaptive_kmeans.threads import Workers, thread_count

SIGNATURE = b"\x89AKM"
VERSION = 2
CODER_NUMBERS = {"fixed-length": 0, "deflate": 1, "context-mixing": 2}
CHANNELS = 3

CORRECTION, FILTER = "B", "F"
"""Types of the sections that `adaptive_kmeans.restoration` specifies."""
ALPHA_LEVELS, ALPHA_MAP = "A", "T"
METADATA = {"x": "exif", "m": "xmp"}
"""Types of the metadata sections, and their fields in `adaptive_kmeans.metadata.Metadata`."""
LEVELS = 256
"""Levels that alpha can have."""

ONCE, OPTIONAL, PER_REGION, PER_BAND = "once", "at most once", "once a region", "once a band"


class SectionKind(NamedTuple):
    """The name of a type of critical section, and how often it occurs in a file.

    Parameters
    ----------
    what : str
    times : str
    by_caller : bool
        Whether it accompanies a quantized image, so that the caller of `write` makes it.
    """

    what: str
    times: str
    by_caller: bool = False


SECTIONS = {
    "H": SectionKind("header", ONCE),
    "C": SectionKind("codebook", PER_REGION),
    ALPHA_LEVELS: SectionKind("alpha levels", OPTIONAL),
    CORRECTION: SectionKind("correction", OPTIONAL, by_caller=True),
    FILTER: SectionKind("filter", OPTIONAL, by_caller=True),
    "R": SectionKind("region map", PER_BAND),
    ALPHA_MAP: SectionKind("alpha map", PER_BAND),
    "I": SectionKind("index map", PER_BAND),
    "E": SectionKind("end", ONCE),
}
"""The critical sections in their order; those of a band follow each other, band by band."""


THREAD_PIXELS = 2**14
"""Pixels of a band below which another thread costs more than it gains."""

_HEAD = struct.Struct("<cI")
_HEADER = struct.Struct("<IIBHIBB")
_CODEWORDS = struct.Struct("<H")
_CRC = struct.Struct("<I")
_PREFIX_BYTES = len(SIGNATURE) + 1
_LEVEL_BYTES = LEVELS // 8
_ALPHA_SHARE = 0.3
"""Approximate share of a band's time that its alpha map takes."""
_MOST_CRITICAL = len(SECTIONS) + MAX_REGIONS + 3 * MAX_BANDS

_Coded = TypeVar("_Coded")


class Section(NamedTuple):
    """A section in addition to those of a `Quantized`.

    Parameters
    ----------
    type : str
        An ASCII letter, lower case for an ancillary section.
    payload : bytes
        Its content.
    """

    type: str
    payload: bytes


@dataclass(frozen=True)
class Ancillary:
    """An ancillary section that a file has: its type and the bytes of its payload."""

    type: str
    bytes: int


PARTS = (
    "header_bytes",
    "codebook_bytes",
    "region_map_bytes",
    "index_map_bytes",
    "filter_bytes",
    "correction_bytes",
    "alpha_bytes",
)
"""Fields of `Contents` that add up to a file without ancillary sections."""


@dataclass(frozen=True)
class Contents:
    """What a file says about itself, and how its bytes divide up.

    The byte counts add up to the size of the file: `header_bytes` is all framing (signature,
    version, header, types, lengths, checksums), `other_bytes` the payloads of ancillary sections,
    and the others count payloads by what they hold. `alpha_levels` is 0 for an opaque image.
    """

    version: int
    coder: str
    model: int
    width: int
    height: int
    block_size: int
    band_height: int
    bands: int
    codewords: tuple[int, ...]
    header_bytes: int
    codebook_bytes: int
    region_map_bytes: int
    index_map_bytes: int
    filter_bytes: int
    correction_bytes: int
    alpha_bytes: int
    alpha_levels: int
    other_bytes: int
    ancillary: tuple[Ancillary, ...]

    @property
    def file_bytes(self) -> int:
        """Size of the file in bytes."""
        payloads = self.codebook_bytes + self.region_map_bytes + self.index_map_bytes
        beside = self.filter_bytes + self.correction_bytes + self.other_bytes
        return self.header_bytes + payloads + self.alpha_bytes + beside


class Band(NamedTuple):
    """A decoded horizontal band of the image.

    Parameters
    ----------
    rows, block_rows : slice
        Its place in the image, and in the image's region map.
    region_map : (rows, columns) uint8
    pixel_regions : (h, w) uint8
        The region of hidden pixels is the number of codebooks.
    index_map : (h, w) uint16
    alpha : (h, w) uint8 or None
    """

    rows: slice
    block_rows: slice
    region_map: npt.NDArray[np.uint8]
    pixel_regions: npt.NDArray[np.uint8]
    index_map: npt.NDArray[np.uint16]
    alpha: npt.NDArray[np.uint8] | None


def write(
    quantized: Quantized,
    coder: str,
    *,
    sections: Sequence[Section] = (),
    band_height: int | None = None,
    progress: Progress | None = None,
) -> bytes:
    """Write a quantized image as the bytes of a file.

    Parameters
    ----------
    quantized : Quantized
        The image.
    coder : str
        Spec of the coder, such as ``"deflate"`` or ``"deflate:6"``.
    sections : sequence of Section
        What the file holds besides the quantized image. Critical sections go where `SECTIONS` has
        them, ancillary ones before the end.
    band_height : int, optional
        Height of a band in pixels, a multiple of the block size; by default about `BAND_PIXELS`.
    progress : callable, optional
        Called with "coding" and the finished share.

    Raises
    ------
    ConfigError
        The band height is not a multiple of the block size, or the format has no such coder or
        section.
    LimitError
        The file would exceed the default limits for reading files.
    """
    grid, codebooks = quantized.grid, quantized.codebooks
    DEFAULT.check_pixels("image", grid.width, grid.height)
    name = coder.partition(":")[0]
    codec = coders.create(coder)
    if name not in CODER_NUMBERS:
        raise ConfigError("coder", f"one the format has: {', '.join(CODER_NUMBERS)}", name)
    band_height = _band_height(grid, band_height)
    places = _band_places(grid, band_height)
    levels = None if quantized.alpha is None else _alpha_levels(quantized.alpha)
    asked = _Asked(grid, places, tuple(map(len, codebooks)), levels)
    at_once = _bands_at_once(asked, codec, DEFAULT)
    index_coder = codec.index_coder(quantized.region_codebooks)
    alpha_coder = None if levels is None else codec.index_coder((_grays(levels),))

    def code(place: _BandPlace, progress: Progress | None) -> tuple[bytes, bytes, bytes]:
        regions = quantized.region_map[place.block_rows]
        payload = codec.encode_region_map(regions, len(codebooks)) if len(codebooks) > 1 else b""
        pixel_regions, alpha_payload, started = place.grid.spread(regions), b"", 0.0
        if quantized.alpha is not None and levels is not None and alpha_coder is not None:
            alpha = quantized.alpha[place.rows]
            ranks = np.searchsorted(levels, alpha).astype(np.uint16)
            plane = np.zeros(alpha.shape, dtype=np.uint8)
            started = _ALPHA_SHARE
            alpha_payload = alpha_coder.encode(ranks, plane, _part(progress, 0.0, started))
            pixel_regions = mark_hidden(pixel_regions, alpha, len(codebooks))
        index_map = quantized.index_map[place.rows]
        indices = index_coder.encode(index_map, pixel_regions, _part(progress, started, 1.0))
        return payload, alpha_payload, indices

    coded = list(_each_band(code, places, at_once, "coding", progress))
    fields = (grid.width, grid.height, CHANNELS, grid.block_size, band_height)
    payloads = {
        "H": [_HEADER.pack(*fields, CODER_NUMBERS[name], codec.model)],
        "C": [_CODEWORDS.pack(len(c)) + codec.encode_codebook(c) for c in codebooks],
        "R": [region_payload for region_payload, *_ in coded],
        "I": [index_payload for *_, index_payload in coded],
        "E": [b""],
    }
    if levels is not None:
        payloads[ALPHA_LEVELS] = [_write_levels(levels)]
        payloads[ALPHA_MAP] = [alpha_payload for _, alpha_payload, _ in coded]
    return _assemble(payloads, sections, len(codebooks), len(places))


def _part(progress: Progress | None, start: float, end: float) -> Progress | None:
    """Return the callback for a part of the work on a band."""
    if progress is None or (start, end) == (0.0, 1.0):
        return progress
    return lambda stage, share: progress(stage, start + (end - start) * share)


def _alpha_levels(alpha: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the levels that alpha has, in rising order."""
    has = np.zeros(LEVELS, dtype=bool)
    has[alpha] = True
    return np.flatnonzero(has).astype(np.uint8)


def _grays(levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the codebook of an alpha map: (k, 3) uint8."""
    return np.repeat(levels[:, None], 3, axis=1)


def _write_levels(levels: npt.NDArray[np.uint8]) -> bytes:
    if len(levels) == LEVELS:
        return b""
    if len(levels) < _LEVEL_BYTES:
        return levels.tobytes()
    has = np.zeros(LEVELS, dtype=np.uint8)
    has[levels] = 1
    return np.packbits(has).tobytes()


def _read_levels(payload: bytes) -> npt.NDArray[np.uint8]:
    """Return the levels that a payload lists.

    Raises
    ------
    CorruptError
        It is not one that `_write_levels` writes.
    """
    found = np.frombuffer(payload, dtype=np.uint8)
    if not payload:
        found = np.arange(LEVELS, dtype=np.uint8)
    elif len(payload) == _LEVEL_BYTES:
        found = np.flatnonzero(np.unpackbits(found)).astype(np.uint8)
    if len(payload) > _LEVEL_BYTES or (len(found) and _write_levels(np.unique(found)) != payload):
        expected = f"at most {_LEVEL_BYTES} bytes: rising levels, or a bit for each"
        raise CorruptError("alpha levels", expected, f"{len(payload)} that are not")
    if not len(found):
        raise CorruptError("alpha levels", "at least one", "none")
    return found


def _assemble(
    payloads: dict[str, list[bytes]], sections: Sequence[Section], n_regions: int, bands: int
) -> bytes:
    """Frame the payloads of a quantized image and further sections, in the format's order."""
    payloads = {kind: list(queue) for kind, queue in payloads.items()}
    for section in sections:
        _check_section(section)
        payloads.setdefault(section.type, []).append(section.payload)
        if section.type.isupper() and len(payloads[section.type]) > 1:
            raise ConfigError("sections", f"one {_name(section.type)}", "several")
    order = _critical_order(n_regions, bands, payloads)
    ancillary = "".join(section.type for section in sections if section.type.islower())
    remaining = {kind: iter(queue) for kind, queue in payloads.items()}
    framed = [_frame(kind, next(remaining[kind])) for kind in (*order[:-1], *ancillary, order[-1])]
    DEFAULT.check("file", "file_bytes", _PREFIX_BYTES + sum(map(len, framed)))
    return b"".join((SIGNATURE, bytes([VERSION]), *framed))


def _frame(kind: str, payload: bytes) -> bytes:
    head = _HEAD.pack(kind.encode("ascii"), len(payload))
    return b"".join((head, payload, _CRC.pack(zlib.crc32(payload, zlib.crc32(head)))))


def with_sections(
    data: bytes, sections: Sequence[Section], *, without: Container[str] = ()
) -> bytes:
    """Return a file with further sections added.

    Parameters
    ----------
    data : bytes
        A file.
    sections : sequence of Section
        See `write`.
    without : container of str
        Types of ancillary sections to drop from the file.

    Raises
    ------
    ConfigError
        The format has no such section.
    FormatError, LimitError
        `data` is not a file, or the new one would exceed the limits.
    """
    reader = Reader(data)
    reader.check()
    payloads = {kind: reader.payloads(kind) for kind in SECTIONS if reader.payloads(kind)}
    contents = reader.contents
    kept = [section for section in reader.ancillary() if section.type not in without]
    kept += sections
    return _assemble(payloads, kept, len(contents.codewords), contents.bands)


def with_metadata(data: bytes, metadata: Metadata) -> bytes:
    """Return a file with metadata, which replaces any that it has.

    Parameters
    ----------
    data : bytes
        A file.
    metadata : Metadata
        EXIF and XMP, which are adapted to an upright sRGB image.

    Raises
    ------
    ConfigError
        They cannot be read.
    FormatError, LimitError
        `data` is not a file, or metadata or the new file would exceed the limits.

    Examples
    --------
    >>> from adaptive_kmeans.codec import Settings, encode
    >>> data = encode(np.zeros((8, 8, 3), dtype=np.uint8), Settings.regular(4))
    >>> Reader(with_metadata(data, Metadata(xmp=b"<x:xmpmeta/>"))).metadata().xmp
    b'<x:xmpmeta/>'
    """
    upright = metadata.of_upright()
    added = []
    for kind, name in METADATA.items():
        content = getattr(upright, name)
        DEFAULT.check(name.upper(), "metadata_bytes", len(content))
        if content:
            added.append(Section(kind, to_payload(content)))
    return with_sections(data, added, without=tuple(METADATA))


def _check_section(section: Section) -> None:
    """Raise `ConfigError` unless a section may accompany a quantized image."""
    kind = section.type
    if not _is_letter(kind):
        raise ConfigError("section type", "an ASCII letter", repr(kind))
    if kind.isupper() and (kind not in SECTIONS or not SECTIONS[kind].by_caller):
        raise ConfigError("section type", "a lower-case letter, or an optional section", kind)


def _is_letter(kind: str) -> bool:
    return len(kind) == 1 and kind.isascii() and kind.isalpha()


def _critical_order(n_regions: int, bands: int, present: Container[str]) -> str:
    """Return the types of the critical sections of a file, in their order.

    Parameters
    ----------
    n_regions, bands : int
    present : container of str
        The types that the file has, which decides about optional ones.
    """
    repeats = {ONCE: 1, PER_REGION: n_regions, PER_BAND: bands}
    order = ""
    for times, group in itertools.groupby(SECTIONS, lambda kind: SECTIONS[kind].times):
        if times == OPTIONAL:
            order += "".join(kind for kind in group if kind in present)
        else:
            absent = {"R"} if times == PER_BAND and n_regions == 1 else set()
            if ALPHA_LEVELS not in present:
                absent.add(ALPHA_MAP)
            order += "".join(kind for kind in group if kind not in absent) * repeats[times]
    return order


class _BandPlace(NamedTuple):
    """A band's number, its rows in the image and in the region map, and its grid of blocks."""

    number: int
    rows: slice
    block_rows: slice
    grid: BlockGrid


def _band_height(grid: BlockGrid, asked: int | None) -> int:
    """Return a band height that fits the image and the format."""
    if asked is None:
        bands = max(1, round(grid.width * grid.height / BAND_PIXELS))
        asked = -(-grid.rows // min(bands, grid.rows, MAX_BANDS)) * grid.block_size
    if asked < 1 or asked % grid.block_size:
        raise ConfigError("band height", f"a multiple of the block size {grid.block_size}", asked)
    height = min(asked, grid.rows * grid.block_size)
    if -(-grid.height // height) > MAX_BANDS:
        raise ConfigError("band height", f"at most {MAX_BANDS} bands", asked)
    return height


def _band_places(grid: BlockGrid, band_height: int) -> list[_BandPlace]:
    """Return the places of all bands, from top to bottom."""
    places = []
    for number, top in enumerate(range(0, grid.height, band_height)):
        bottom = min(top + band_height, grid.height)
        block_rows = slice(top // grid.block_size, -(-bottom // grid.block_size))
        band_grid = BlockGrid(bottom - top, grid.width, grid.block_size)
        places.append(_BandPlace(number, slice(top, bottom), block_rows, band_grid))
    return places


class _Asked(NamedTuple):
    """What a file asks for: its size, bands, codewords of each region, and levels of alpha."""

    grid: BlockGrid
    places: Sequence[_BandPlace]
    codewords: tuple[int, ...]
    levels: npt.NDArray[np.uint8] | None

    @property
    def has_hidden(self) -> bool:
        """Whether there may be hidden pixels."""
        return self.levels is not None and bool(self.levels[0] == 0)


def _bands_at_once(asked: _Asked, coder: Coder, limits: Limits, held: int = 0) -> int:
    """Return how many bands the memory limit allows to be decoded at once.

    Raises
    ------
    LimitError
        It does not allow even one.
    """
    grid, places, codewords, levels = asked
    first = places[0].grid
    pixels, blocks = first.height * first.width, first.rows * first.columns
    maps = 3 * pixels + (blocks if grid.block_size > 1 else 0)
    size = first.height, first.width
    band = maps + coder.decoding_memory(size, (*codewords, 1) if asked.has_hidden else codewords)
    if len(codewords) > 1:
        band = max(band, _region_map_memory(asked, coder))
    if levels is not None:
        # The plane, its map and their regions; later, the regions with hidden pixels.
        band = max(band, 4 * pixels + coder.decoding_memory(size, (len(levels),))) + 2 * pixels
        # Alpha, and the image that joins it with the colors.
        held += 5 * grid.height * grid.width
    # The image, and the band before those being decoded.
    held += 3 * grid.height * grid.width + (maps if len(places) > 1 else 0)
    limits.check("decoding", "memory_bytes", held + band)
    at_once = (limits.memory_bytes - held) // band
    threads = thread_count() if places[0].grid.height * grid.width >= THREAD_PIXELS else 1
    return min(threads, at_once, len(places))


def _region_map_memory(asked: _Asked, coder: Coder) -> int:
    """Estimate the memory of decoding the region map of a band."""
    rows, columns = asked.places[0].grid.shape
    return 2 * rows * columns + coder.decoding_memory((rows, columns), (len(asked.codewords),))


def _each_band(
    code: Callable[[_BandPlace, Progress | None], _Coded],
    places: Sequence[_BandPlace],
    at_once: int,
    stage: str,
    progress: Progress | None,
) -> Iterator[_Coded]:
    """Yield what `code` returns for each band, in order, and report the progress of the image.

    The result does not depend on how many bands are coded at once.
    """
    heights = np.array([place.grid.height for place in places])
    shares = np.zeros(len(places))
    leading, silent = (None, None) if progress is None else beside(progress)

    def code_band(number: int) -> _Coded:
        def tell_band(stage: str, share: float) -> None:
            shares[number] = max(shares[number], share)
            if silent is not None:
                silent(stage, share)

        coded = code(places[number], None if progress is None else tell_band)
        shares[number] = 1.0
        return coded

    def tell() -> None:
        share = float((shares * heights).sum()) / int(heights.sum())
        if leading is not None and share < 1.0:  # 1.0 is reported once, at the end
            leading(stage, share)

    with Workers(at_once) as workers:
        numbers = ((number,) for number in range(len(places)))
        yield from workers.in_order(code_band, numbers, None if progress is None else tell)
    if progress is not None:
        progress(stage, 1.0)


class Outline(NamedTuple):
    """What the beginning of a file says: its size, and whether it has alpha."""

    width: int
    height: int
    has_alpha: bool


def outline(file: IO[bytes], *, limits: Limits = DEFAULT) -> Outline:
    """Read the outline of an open file from its current position, and no payload but the header.

    What comes after the header may be damaged or missing.

    Raises
    ------
    FormatError, LimitError
        The file does not begin with a header of this format within the limits.
    """
    start = file.read(_PREFIX_BYTES + _HEAD.size + _HEADER.size + _CRC.size)
    header = _read_header(_header_payload(start), limits)
    has_alpha = False
    for _ in range(_MOST_CRITICAL + MAX_ANCILLARY):
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            break
        kind, size = _HEAD.unpack(head)
        has_alpha = kind == ALPHA_LEVELS.encode()
        if has_alpha or kind in (b"R", ALPHA_MAP.encode(), b"I", b"E"):
            break
        file.seek(size + _CRC.size, os.SEEK_CUR)
    return Outline(header.width, header.height, has_alpha)


def _header_payload(start: bytes) -> bytes:
    """Return the header in the first bytes of a file, after checking that it is an .akm file."""
    header, _ = _find_sections(_Whole(start + _frame("E", b"")))
    return start[header.start + _HEAD.size : header.start + _HEAD.size + header.size]


def inspect(data: bytes, *, limits: Limits = DEFAULT) -> Contents:
    """Return what a file holds and how its bytes divide up, after verifying every checksum.

    Raises
    ------
    FormatError, LimitError
        The bytes are not a whole, undamaged file within the limits: see `Reader`.
    """
    reader = Reader(data, limits)
    reader.check()
    return reader.contents


def read(data: bytes, *, limits: Limits = DEFAULT, progress: Progress | None = None) -> Quantized:
    """Read the quantized image from the bytes of a file.

    Raises
    ------
    FormatError, LimitError
        The bytes are not a whole, undamaged file within the limits: see `Reader`.
    """
    reader = Reader(data, limits)
    grid = reader.grid
    bands = reader.bands(progress)
    region_map = np.empty(grid.shape, dtype=np.uint8)
    index_map = np.empty((grid.height, grid.width), dtype=np.uint16)
    alpha = None if reader.levels is None else np.empty(index_map.shape, dtype=np.uint8)
    for band in bands:
        region_map[band.block_rows] = band.region_map
        index_map[band.rows] = band.index_map
        if alpha is not None and band.alpha is not None:
            alpha[band.rows] = band.alpha
    return Quantized(grid, region_map, reader.codebooks, index_map, alpha)


class Reader:
    """A file with valid framing, header and checksums, whose bands can be decoded.

    Parameters
    ----------
    data : bytes
        The file.
    limits : Limits
        What the file may ask for. Sizes are checked before anything of that size is allocated.

    Attributes
    ----------
    contents : Contents
        What the file says about itself.
    grid : BlockGrid
        Size of the image, and its blocks.
    levels : (n,) uint8 or None
        Levels of alpha, in rising order; None for an opaque image.
    limits : Limits
        What the file may ask for.

    Raises
    ------
    BadMagicError
        The bytes are not a file of this format.
    UnsupportedVersionError
        The file needs a newer version: of the format, a coder, a model, or a critical section.
    TruncatedError, ChecksumError, CorruptError
        The file is incomplete, damaged outside its metadata, or has invalid sections or fields.
    LimitError
        It asks for more than the limits allow.
    """

    def __init__(self, data: bytes, limits: Limits = DEFAULT) -> None:
        if not isinstance(data, bytes | bytearray | memoryview):
            raise ConfigError("data", "the bytes of an .akm file", type(data).__name__)
        check_limits(limits).check("file", "file_bytes", memoryview(data).nbytes)
        self._read(_Whole(bytes(data)), limits)

    @classmethod
    def peek(cls, file: BinaryIO, limits: Limits = DEFAULT) -> Self:
        """Read how a seekable file was made, and skip its pixels.

        The sections of bands and ancillary sections are skipped, and their checksums are not
        computed.

        Parameters
        ----------
        file : file object
            Must stay open as long as the reader is used.
        limits : Limits
            What the file may ask for.

        Raises
        ------
        FormatError, LimitError
            See `Reader`.
        """
        source = _Seekable(file)
        check_start(source.at(0, _PREFIX_BYTES))
        check_limits(limits).check("file", "file_bytes", source.size)
        reader = cls.__new__(cls)
        reader._read(source, limits)
        return reader

    def _read(self, source: _Whole | _Seekable, limits: Limits) -> None:
        self._source, self.limits = source, limits
        found = _find_sections(source)
        self._found: dict[str, list[_Found]] = {}
        for section in found:
            self._found.setdefault(section.type, []).append(section)
        header = _read_header(self.payloads("H")[0], limits)
        self.grid = BlockGrid(header.height, header.width, header.block_size)
        self._band_places = _band_places(self.grid, header.band_height)
        codewords = _read_codewords(self.payloads("C"), limits)
        _check_order(found, len(codewords), len(self._band_places))
        coder = {number: name for name, number in CODER_NUMBERS.items()}[header.coder]
        self._coder = coders.create(coder).of_model(header.model)
        alpha = self.payloads(ALPHA_LEVELS)
        self.levels = _read_levels(alpha[0]) if alpha else None
        self._asked = _Asked(self.grid, self._band_places, codewords, self.levels)
        _check_field("codebooks", len(codewords), 1, MAX_REGIONS - self._asked.has_hidden)
        codebook_bytes, region_map_bytes, index_map_bytes = map(self._payload_bytes, "CRI")
        codebook_bytes -= _CODEWORDS.size * len(codewords)
        filter_bytes, correction_bytes = map(self._payload_bytes, (FILTER, CORRECTION))
        alpha_bytes = sum(map(self._payload_bytes, (ALPHA_LEVELS, ALPHA_MAP)))
        others = [section for section in found if section.type not in SECTIONS]
        other_bytes = sum(section.size for section in others)
        payload_bytes = codebook_bytes + region_map_bytes + index_map_bytes
        payload_bytes += filter_bytes + correction_bytes + alpha_bytes + other_bytes
        self.contents = Contents(
            version=VERSION,
            coder=coder,
            model=header.model,
            width=header.width,
            height=header.height,
            block_size=header.block_size,
            band_height=header.band_height,
            bands=len(self._band_places),
            codewords=codewords,
            header_bytes=source.size - payload_bytes,
            codebook_bytes=codebook_bytes,
            region_map_bytes=region_map_bytes,
            index_map_bytes=index_map_bytes,
            filter_bytes=filter_bytes,
            correction_bytes=correction_bytes,
            alpha_bytes=alpha_bytes,
            alpha_levels=0 if self.levels is None else len(self.levels),
            other_bytes=other_bytes,
            ancillary=tuple(Ancillary(s.type, s.size) for s in others if s.type.islower()),
        )

    @property
    def has_hidden(self) -> bool:
        """Whether there may be hidden pixels, see `adaptive_kmeans.alpha`."""
        return self._asked.has_hidden

    def ancillary(self) -> list[Section]:
        """Return the ancillary sections, in their order."""
        found = [section for kind in self._found if kind.islower() for section in self._found[kind]]
        found.sort(key=lambda section: section.start)
        return [Section(section.type, self._payload(section)) for section in found]

    def check(self) -> None:
        """Raise `ChecksumError` if the metadata is damaged, which decoding can do without."""
        for kind in METADATA:
            for section in self._found.get(kind, ()):
                _check_crc(self._source, section)

    def metadata(self, notes: list[str] | None = None) -> Metadata:
        """Return the EXIF and XMP of the file, adapted to an upright sRGB image.

        Parameters
        ----------
        notes : list of str, optional
            Receives a line for anything left out because it is damaged or cannot be read.
        """
        found = {}
        for kind, name in METADATA.items():
            try:
                for section in self._found.get(kind, ())[:1]:
                    found[name] = UPRIGHT[name](self._metadata_content(section))
            except AdaptiveKMeansError as error:
                if notes is not None:
                    notes.append(f"left out {name.upper()} that cannot be read: {error}")
        return Metadata(**found)

    def _metadata_content(self, section: _Found) -> bytes:
        self.limits.check("metadata", "metadata_bytes", section.size - 1)
        _check_crc(self._source, section)
        return from_payload(self._payload(section), self.limits.metadata_bytes)

    def payloads(self, kind: str) -> list[bytes]:
        """Return the payloads of all sections of a type, in their order."""
        return [self._payload(section) for section in self._found.get(kind, ())]

    def _payload(self, section: _Found) -> bytes:
        return self._source.at(section.start + _HEAD.size, section.size)

    def _payload_bytes(self, kind: str) -> int:
        return sum(section.size for section in self._found.get(kind, ()))

    @cached_property
    def codebooks(self) -> tuple[npt.NDArray[np.uint8], ...]:
        """The codebook of each region: (k, 3) uint8."""
        payloads = (payload[_CODEWORDS.size :] for payload in self.payloads("C"))
        return tuple(map(self._coder.decode_codebook, payloads, self.contents.codewords))

    def region_shares(self) -> tuple[float, ...]:
        """Return the percentage of the blocks that each region has.

        Raises
        ------
        ChecksumError, CorruptError
            A region map is damaged or invalid.
        LimitError
            A region map would take more memory than the limits allow.
        """
        needed = _region_map_memory(self._asked, self._coder)
        self.limits.check("region map", "memory_bytes", needed)
        n_regions = len(self.contents.codewords)
        counts = np.zeros(256, dtype=np.int64)
        for place in self._band_places:
            counts += region_counts(self._region_map(place))
        return tuple(100 * counts[:n_regions] / counts.sum())

    def _region_map(self, place: _BandPlace) -> npt.NDArray[np.uint8]:
        n_regions = len(self.contents.codewords)
        if n_regions == 1:
            return np.zeros(place.grid.shape, dtype=np.uint8)
        section = self._found["R"][place.number]
        if not self._source.reads_all:
            _check_crc(self._source, section)
        payload = self._payload(section)
        return self._coder.decode_region_map(payload, place.grid.shape, n_regions)

    def bands(self, progress: Progress | None = None, held_bytes: int = 0) -> Iterator[Band]:
        """Decode the bands, from top to bottom; none is kept.

        Parameters
        ----------
        progress : callable, optional
            Called with "decoding" and the finished share.
        held_bytes : int
            Memory that the caller holds besides the image, and that the limits cover too.

        Raises
        ------
        CorruptError
            A payload is invalid.
        LimitError
            Decoding would take more memory than the limits allow; nothing has been allocated.
        """
        at_once = _bands_at_once(self._asked, self._coder, self.limits, held_bytes)
        return self._decoded_bands(at_once, progress)

    def _decoded_bands(self, at_once: int, progress: Progress | None) -> Iterator[Band]:
        n_regions = len(self.contents.codewords)
        empty = np.array(self.contents.codewords) == 0
        levels, has_hidden = self.levels, self._asked.has_hidden
        index_coder = self._coder.index_coder(with_hidden_codebook(self.codebooks, has_hidden))
        alpha_coder = None if levels is None else self._coder.index_coder((_grays(levels),))

        def decode(place: _BandPlace, progress: Progress | None) -> Band:
            region_map = self._region_map(place)
            pixel_regions, alpha, started = place.grid.spread(region_map), None, 0.0
            if levels is not None and alpha_coder is not None:
                payload = self._payload(self._found[ALPHA_MAP][place.number])
                plane = np.zeros(pixel_regions.shape, dtype=np.uint8)
                started = _ALPHA_SHARE
                alpha = levels[alpha_coder.decode(payload, plane, _part(progress, 0.0, started))]
                pixel_regions = mark_hidden(pixel_regions, alpha, n_regions)
            if empty.any():
                used = region_counts(pixel_regions)[:n_regions] > 0
                if (used & empty).any():
                    region = int(np.flatnonzero(used & empty)[0])
                    expected = "only regions that have codewords"
                    raise CorruptError("region map", expected, f"region {region}")
            payload = self._payload(self._found["I"][place.number])
            index_map = index_coder.decode(payload, pixel_regions, _part(progress, started, 1.0))
            return Band(place.rows, place.block_rows, region_map, pixel_regions, index_map, alpha)

        return _each_band(decode, self._band_places, at_once, "decoding", progress)


class _Found(NamedTuple):
    """A section of a file: its type, first byte, size of its payload, and number from 1."""

    type: str
    start: int
    size: int
    number: int


class _Whole:
    """A file in memory; every checksum is verified."""

    reads_all = True

    def __init__(self, data: bytes) -> None:
        self._data, self.size = data, len(data)

    def at(self, start: int, size: int) -> bytes:
        """Return the bytes at a place, fewer at the end of the file."""
        return self._data[start : start + size]

    def crc32(self, start: int, end: int) -> int:
        """Return the CRC-32 of a run of bytes."""
        return zlib.crc32(memoryview(self._data)[start:end])


class _Seekable:
    """A file on disk, of which little is read."""

    reads_all = False

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.size = file, file.seek(0, io.SEEK_END)

    def at(self, start: int, size: int) -> bytes:
        """Return the bytes at a place, fewer at the end of the file."""
        self._file.seek(start)
        return self._file.read(size)

    def crc32(self, start: int, end: int) -> int:
        """Return the CRC-32 of a run of bytes."""
        return zlib.crc32(self.at(start, end - start))


def check_start(start: bytes) -> None:
    """Refuse what does not begin as a file of this format; the version is the fifth byte.

    Raises
    ------
    BadMagicError, UnsupportedVersionError
        The signature or the version is wrong.
    """
    signature = start[: len(SIGNATURE)]
    if not SIGNATURE.startswith(signature):
        raise BadMagicError("signature", f"{SIGNATURE.hex(' ')} (an .akm file)", signature.hex(" "))
    if len(start) >= _PREFIX_BYTES and start[len(SIGNATURE)] != VERSION:
        version = start[len(SIGNATURE)]
        if version > VERSION:
            raise UnsupportedVersionError.newer("format version", f"{VERSION}", version)
        raise UnsupportedVersionError("format version", f"{VERSION}", version)


def _find_sections(source: _Whole | _Seekable) -> list[_Found]:
    """Find the sections of a whole file, and verify the checksums of those that are read.

    The first must be a header and the last an end, with nothing after it.
    """
    check_start(source.at(0, _PREFIX_BYTES))
    start = _PREFIX_BYTES
    found: list[_Found] = []
    ancillary = 0
    while not found or found[-1].type != "E":
        head = source.at(start, _HEAD.size)
        letter, size = _HEAD.unpack(head) if len(head) == _HEAD.size else (b"E", 0)
        end = start + _HEAD.size + size
        if source.size < end + _CRC.size:
            expected = f"at least {end + _CRC.size} bytes: section {len(found) + 1}"
            raise TruncatedError("file", expected, f"{source.size} bytes")
        kind = chr(letter[0])
        section = _Found(kind, start, size, len(found) + 1)
        if kind not in METADATA and (source.reads_all or not _is_bulk(kind)):
            _check_crc(source, section)
        if not _is_letter(kind):
            raise CorruptError("section type", "an ASCII letter", f"byte {letter[0]:02x}")
        found.append(section)
        if (found[0].type, found[0].size) != ("H", _HEADER.size):
            expected = f"a header (H) of {_HEADER.size} bytes"
            raise CorruptError("section 1", expected, f"{kind} of {size}")
        ancillary += kind.islower()
        if ancillary > MAX_ANCILLARY or len(found) - ancillary > _MOST_CRITICAL:
            most = f"at most {_MOST_CRITICAL} critical and {MAX_ANCILLARY} ancillary sections"
            raise CorruptError("file", most, "more")
        start = end + _CRC.size
    if source.size > start:
        more = source.size - start
        raise CorruptError("file", f"nothing after its {start} bytes", f"{more} more")
    if found[-1].size:
        raise CorruptError("end", "0 bytes", found[-1].size)
    return found


def _check_crc(source: _Whole | _Seekable, section: _Found) -> None:
    """Raise `ChecksumError` unless the checksum of a section holds."""
    end = section.start + _HEAD.size + section.size
    (stored,) = _CRC.unpack(source.at(end, _CRC.size))
    computed = source.crc32(section.start, end)
    if stored != computed:
        where = f"section {section.number} at byte {section.start}"
        raise ChecksumError(where, f"CRC-32 {stored:08x}", f"{computed:08x}")


def _is_bulk(kind: str) -> bool:
    """Whether a reader that wants to know how a file was made skips sections of a type."""
    return kind.islower() or (kind in SECTIONS and SECTIONS[kind].times == PER_BAND)


class _Header(NamedTuple):
    """The fields of the header, in their order."""

    width: int
    height: int
    channels: int
    block_size: int
    band_height: int
    coder: int
    model: int


def _read_header(payload: bytes, limits: Limits) -> _Header:
    """Read the header, and check it against the format and the limits."""
    header = _Header(*_HEADER.unpack(payload))
    _check_field("width", header.width, 1, MAX_PIXELS)
    _check_field("height", header.height, 1, MAX_PIXELS)
    limits.check_pixels("image", header.width, header.height)
    _check_field("channels", header.channels, CHANNELS, CHANNELS)
    block_size, band_height = header.block_size, header.band_height
    _check_field("block size", block_size, 1, MAX_BLOCK_SIZE)
    rows = -(-header.height // block_size)
    _check_field("band height", band_height, block_size, rows * block_size)
    if band_height % block_size:
        raise CorruptError("band height", f"a multiple of the block size {block_size}", band_height)
    bands = -(-header.height // band_height)
    _check_field("bands", bands, 1, MAX_BANDS)
    limits.check("file", "bands", bands)
    if header.coder not in CODER_NUMBERS.values():
        known = ", ".join(f"{number} ({name})" for name, number in CODER_NUMBERS.items())
        raise UnsupportedVersionError.newer("coder", f"one of {known}", header.coder)
    return header


def _read_codewords(payloads: Sequence[bytes], limits: Limits) -> tuple[int, ...]:
    """Read the lengths of the codebooks, and check them against the format and the limits."""
    _check_field("codebooks", len(payloads), 1, MAX_REGIONS)
    limits.check("file", "regions", len(payloads))
    codewords = []
    for payload in payloads:
        _check_field("bytes of a codebook", len(payload), _CODEWORDS.size, 2**32)
        codewords.append(_CODEWORDS.unpack_from(payload)[0])
        _check_field("codewords", codewords[-1], 0, MAX_CODEWORDS)
    limits.check("codebook", "codewords", max(codewords))
    return tuple(codewords)


def _check_order(found: Sequence[_Found], n_regions: int, bands: int) -> None:
    """Raise an error unless the critical sections are those of the format, in their order."""
    critical = [section for section in found if section.type.isupper()]
    for section in critical:
        if section.type not in SECTIONS:
            what, known = "critical section", f"one of {', '.join(SECTIONS)}"
            raise UnsupportedVersionError.newer(what, known, section.type)
    order = _critical_order(n_regions, bands, {section.type for section in critical})
    for expected, section in zip(order, critical, strict=False):  # both end with their only E
        if expected != section.type:
            raise CorruptError(
                f"section at byte {section.start}", _name(expected), _name(section.type)
            )


def _name(kind: str) -> str:
    return f"{SECTIONS[kind].what} ({kind})"


def _check_field(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise CorruptError(name, f"{low}..{high}" if low < high else f"{low}", value)
