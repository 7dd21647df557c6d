r"""The file format `.akm`, version 1: the byte layout, how it is written and how it is read.

This page is the specification, and nothing else in the package knows where a byte stands. Integers
are unsigned and little-endian; a CRC-32 is that of zlib and PNG.

A file is a header, a table of sizes, and sections, with nothing before, between or after them::

    header, 25 bytes
    ┌───────────┬─────────┬───────┬─────────┬────────────┬───────┬────────┬─────────────┬────────┐
    │ signature │ version │ coder │ regions │ block size │ width │ height │ band height │ CRC-32 │
    │ 4 bytes   │ 1       │ 1     │ 1       │ 2          │ 4     │ 4      │ 4           │ 4      │
    └───────────┴─────────┴───────┴─────────┴────────────┴───────┴────────┴─────────────┴────────┘
    table, 6 bytes a region, 8 bytes a band, and 4
    ┌────────────────────────┬──────────────────────┬─────────────────────────────────┬────────┐
    │ codewords              │ codebook sizes       │ region map size, index map size │ CRC-32 │
    │ 2 bytes for a region   │ 4 bytes for a region │ 4 + 4 bytes for a band          │ 4      │
    └────────────────────────┴──────────────────────┴─────────────────────────────────┴────────┘
    sections: a payload of the size that the table says, and its CRC-32
    ┌──────────┬────────┐   ┌────────────┬────────┬───────────┬────────┐
    │ codebook │ CRC-32 │ … │ region map │ CRC-32 │ index map │ CRC-32 │ …
    └──────────┴────────┘   └────────────┴────────┴───────────┴────────┘
     for each region         for each band, from top to bottom

signature
    ``89 41 4B 4D``, that is ``\x89AKM``: the high bit shows a transfer that is not 8-bit clean.
version
    1. A reader refuses any other.
coder
    How payloads are coded: 0 `fixed-length`, 1 `deflate`, 2 `context-mixing`. Their modules in
    `adaptive_kmeans.coding` specify the payloads.
regions
    Number of regions and so of codebooks, 1..255: 1 for regular K-means, else low detail is region
    0 and high detail is region 1.
block size
    Side of a block in pixels, 1..256; blocks at the right and bottom edge may be smaller.
width, height
    Size of the image in pixels; width × height is 1..2²⁷.
band height
    Height of a band in pixels, a multiple of the block size: a band is a run of whole block rows
    that is coded on its own, so that a large image is coded in parallel and in bounded memory. The
    last band may be lower. At most the image's height rounded up to whole blocks, and at least so
    much that there are no more than 4096 bands.
codewords
    Length of each region's codebook, 0..4096; 0 only for a region without pixels.
CRC-32
    The header's covers its first 21 bytes, the table's the bytes of the table before it, a
    section's its payload.

Since every byte is under some checksum or is a constant, any single flipped bit is found; since the
sizes add up to the file's, so is any missing or additional byte.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.blocks import MAX_BLOCK_SIZE, MAX_PIXELS, BlockGrid, check_pixels
from adaptive_kmeans.coding import coders
from adaptive_kmeans.errors import (
    BadMagicError,
    ChecksumError,
    ConfigError,
    CorruptError,
    TruncatedError,
    UnsupportedVersionError,
)
from adaptive_kmeans.quantize import MAX_CODEWORDS, Quantized
from adaptive_kmeans.threads import Workers, thread_count

SIGNATURE = b"\x89AKM"
VERSION = 1
MAX_BANDS = 4096
CODER_NUMBERS = {"fixed-length": 0, "deflate": 1, "context-mixing": 2}

BAND_PIXELS = 2**22
"""Pixels of a band unless the caller says otherwise: large enough to cost no measurable rate."""

BANDS_AT_ONCE = 3
MANY_REGIONS = 16
"""Most bands coded at once, whatever the number of threads, since a coder needs memory for each:
the `context-mixing` coder up to 80 MB and 11 bytes a pixel of the band, so that three stay within
200 MB and 16 bytes a pixel of an image of three bands. With more regions than that it needs up to
twice as much, and the bands are coded one by one."""

_HEADER = struct.Struct("<4sBBBHIII")
_CRC = struct.Struct("<I")


@dataclass(frozen=True)
class Layout:
    """What a file's header and table say, and how its bytes divide up.

    The four byte counts add up to the size of the file: `header_bytes` is the header, the table and
    all checksums, the others are payloads.
    """

    version: int
    coder: str
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

    @property
    def file_bytes(self) -> int:
        """Size of the file in bytes."""
        return (
            self.header_bytes + self.codebook_bytes + self.region_map_bytes + self.index_map_bytes
        )


def write(
    quantized: Quantized,
    coder: str,
    *,
    band_height: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> bytes:
    """Write a quantized image as the bytes of a file.

    Parameters
    ----------
    quantized : Quantized
        The image.
    coder : str
        Spec of the coder, such as ``"deflate"`` or ``"deflate:6"``.
    band_height : int, optional
        Height of a band in pixels, a multiple of the block size; by default about `BAND_PIXELS`.
    progress : callable, optional
        Called with the finished share, 0..1.

    Raises
    ------
    ConfigError
        The band height is no multiple of the block size, or the format has no such coder.
    LimitError
        The image has more than 2²⁷ pixels.
    """
    grid = quantized.grid
    check_pixels("image", grid.width, grid.height)
    name = coder.partition(":")[0]
    codec = coders.create(coder)
    if name not in CODER_NUMBERS:
        raise ConfigError("coder", f"one the format has: {', '.join(CODER_NUMBERS)}", name)
    if band_height is None:
        band_rows = max(1, BAND_PIXELS // (grid.width * grid.block_size))
        band_height = band_rows * grid.block_size
    band_height = min(band_height, grid.rows * grid.block_size)
    n_bands = -(-grid.height // band_height)
    if n_bands > MAX_BANDS:
        raise ConfigError("band height", f"at most {MAX_BANDS} bands", band_height)

    codebooks = quantized.codebooks
    codebook_payloads = [codec.encode_codebook(codebook) for codebook in codebooks]
    band_payloads: list[bytes] = []
    rows_done = np.zeros(n_bands, dtype=np.int64)

    def code(number: int, band: Quantized) -> tuple[bytes, bytes]:
        payloads = (
            codec.encode_region_map(band.region_map, len(codebooks)),
            codec.encode_index_map(
                band.index_map, band.pixel_regions, codebooks, rows_done[number : number + 1]
            ),
        )
        rows_done[number] = band.grid.height
        return payloads

    tell = _teller(rows_done, grid.height, progress)
    with _band_workers(n_bands, len(codebooks)) as workers:
        for payloads_of_band in workers.in_order(
            code, enumerate(quantized.bands(band_height)), tell
        ):
            band_payloads += payloads_of_band
    if progress is not None:
        progress(1.0)

    header = _HEADER.pack(
        SIGNATURE,
        VERSION,
        CODER_NUMBERS[name],
        len(codebooks),
        grid.block_size,
        grid.width,
        grid.height,
        band_height,
    )
    table = struct.pack(f"<{len(codebooks)}H", *map(len, codebooks))
    payloads = codebook_payloads + band_payloads
    table += struct.pack(f"<{len(payloads)}I", *map(len, payloads))
    return b"".join(part + _CRC.pack(zlib.crc32(part)) for part in (header, table, *payloads))


def _band_workers(bands: int, n_regions: int) -> Workers:
    """Return the threads that code bands; what they write does not depend on their number."""
    at_once = BANDS_AT_ONCE if n_regions <= MANY_REGIONS else 1
    return Workers(min(thread_count(), at_once, bands))


def _teller(
    rows_done: npt.NDArray[np.int64], height: int, progress: Callable[[float], None] | None
) -> Callable[[], None] | None:
    """Return a callback that tells how much of an image is done; threads count the rows."""
    if progress is None:
        return None

    def tell() -> None:
        share = int(rows_done.sum()) / height
        if share < 1.0:  # which is told once all is done
            progress(share)

    return tell


def inspect(data: bytes) -> Layout:
    """Say what a file holds and how its bytes divide up, once every checksum holds.

    Raises
    ------
    FormatError
        The bytes are not a whole, undamaged file: see `read`.
    """
    return _parse(data)[0]


def read(data: bytes, *, progress: Callable[[float], None] | None = None) -> Quantized:
    """Read the quantized image from the bytes of a file.

    Raises
    ------
    BadMagicError, UnsupportedVersionError
        The bytes are no file of this format, or of a version that this release does not know.
    TruncatedError, ChecksumError, CorruptError
        The file is incomplete, damaged, or has fields or payloads that cannot be right.
    LimitError
        The image has more than 2²⁷ pixels.
    """
    layout, payloads = _parse(data)
    codec = coders.create(layout.coder)
    n_regions = len(layout.codewords)
    codebooks = tuple(map(codec.decode_codebook, payloads, layout.codewords))
    grid = BlockGrid(layout.height, layout.width, layout.block_size)
    region_map = np.empty(grid.shape, dtype=np.uint8)
    index_map = np.empty((grid.height, grid.width), dtype=np.uint16)
    empty = [region for region, k in enumerate(layout.codewords) if k == 0]

    rows_done = np.zeros(layout.bands, dtype=np.int64)

    def decode(band: int) -> None:
        top = band * layout.band_height
        bottom = min(top + layout.band_height, grid.height)
        band_grid = BlockGrid(bottom - top, grid.width, grid.block_size)
        first = n_regions + 2 * band
        region_payload, index_payload = payloads[first : first + 2]
        regions = codec.decode_region_map(region_payload, band_grid.shape, n_regions)
        if np.isin(regions, empty).any():
            raise CorruptError("region map", "only regions that have codewords", f"region {empty}")
        region_map[top // grid.block_size :][: len(regions)] = regions
        index_map[top:bottom] = codec.decode_index_map(
            index_payload, band_grid.spread(regions), codebooks, rows_done[band : band + 1]
        )
        rows_done[band] = bottom - top

    tell = _teller(rows_done, grid.height, progress)
    with _band_workers(layout.bands, n_regions) as workers:
        for _ in workers.in_order(decode, ((band,) for band in range(layout.bands)), tell):
            pass
    if progress is not None:
        progress(1.0)
    return Quantized(grid, region_map, codebooks, index_map)


def _parse(data: bytes) -> tuple[Layout, list[bytes]]:
    """Check the framing of a whole file: its layout, and the payloads of its sections."""
    signature = data[: len(SIGNATURE)]
    if not SIGNATURE.startswith(signature):
        raise BadMagicError("signature", f"{SIGNATURE.hex(' ')} (an .akm file)", signature.hex(" "))
    if len(data) > len(SIGNATURE) and data[len(SIGNATURE)] != VERSION:
        version = data[len(SIGNATURE)]
        raise UnsupportedVersionError("format version", f"{VERSION}", version)
    header = _checked(data, 0, _HEADER.size, "header")
    *_, number, n_regions, block_size, width, height, band_height = _HEADER.unpack(header)

    names = {number: name for name, number in CODER_NUMBERS.items()}
    _check_field("coder", number, 0, max(names))
    _check_field("regions", n_regions, 1, 255)
    _check_field("block size", block_size, 1, MAX_BLOCK_SIZE)
    _check_field("width", width, 1, MAX_PIXELS)
    _check_field("height", height, 1, MAX_PIXELS)
    check_pixels("image", width, height)
    grid = BlockGrid(height, width, block_size)
    _check_field("band height", band_height, block_size, grid.rows * block_size)
    if band_height % block_size:
        raise CorruptError("band height", f"a multiple of the block size {block_size}", band_height)
    bands = -(-height // band_height)
    _check_field("bands", bands, 1, MAX_BANDS)

    start = _HEADER.size + _CRC.size
    table = _checked(data, start, 6 * n_regions + 8 * bands, "table")
    codewords = struct.unpack_from(f"<{n_regions}H", table)
    sizes = struct.unpack_from(f"<{n_regions + 2 * bands}I", table, 2 * n_regions)
    for k in codewords:
        _check_field("codewords", k, 0, MAX_CODEWORDS)

    start += len(table) + _CRC.size
    end = start + sum(sizes) + len(sizes) * _CRC.size
    if len(data) < end:
        raise TruncatedError("file", f"{end} bytes", len(data))
    if len(data) > end:
        raise CorruptError("file", f"nothing after its {end} bytes", f"{len(data) - end} more")
    payloads = []
    for size in sizes:
        payloads.append(_checked(data, start, size, "section"))
        start += size + _CRC.size
    codebook_bytes = sum(sizes[:n_regions])
    region_map_bytes = sum(sizes[n_regions::2])
    index_map_bytes = sum(sizes[n_regions + 1 :: 2])
    layout = Layout(
        version=VERSION,
        coder=names[number],
        width=width,
        height=height,
        block_size=block_size,
        band_height=band_height,
        bands=bands,
        codewords=codewords,
        header_bytes=len(data) - codebook_bytes - region_map_bytes - index_map_bytes,
        codebook_bytes=codebook_bytes,
        region_map_bytes=region_map_bytes,
        index_map_bytes=index_map_bytes,
    )
    return layout, payloads


def _checked(data: bytes, start: int, size: int, what: str) -> bytes:
    """Return the `size` bytes from `start` on, once the CRC-32 behind them holds."""
    end = start + size
    if len(data) < end + _CRC.size:
        received = f"{len(data)} bytes"
        raise TruncatedError("file", f"at least {end + _CRC.size} bytes ({what})", received)
    part = data[start:end]
    (stored,) = _CRC.unpack_from(data, end)
    if zlib.crc32(part) != stored:
        where = f"{what} at byte {start}"
        raise ChecksumError(where, f"CRC-32 {stored:08x}", f"{zlib.crc32(part):08x}")
    return part


def _check_field(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise CorruptError(name, f"{low}..{high}", value)
