"""`fixed-length`: every index takes ceil(log2 k) bits, the rate that papers call nominal.

A codebook is stored uncompressed, three bytes per codeword. A region map takes ceil(log2 n) bits
per block for n regions. The indices are stored region by region, in raster order within a region,
each with the number of bits that its own codebook needs. All fields are packed from the most
significant bit down, and each region starts on a byte boundary; the padding bits of a last byte are
zero. This is model 1, the only one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.blocks import RUN, region_counts
from adaptive_kmeans.errors import CorruptError, UnsupportedVersionError
from adaptive_kmeans.progress import Progress

Bytes = npt.NDArray[np.uint8]
Buffer = bytes | bytearray
Indices = npt.NDArray[np.uint16]
Integers = npt.NDArray[np.int64]


def index_bits(k: int) -> int:
    """Return the length in bits of an index into k values: ceil(log2 k), 0 for one value.

    Examples
    --------
    >>> [index_bits(k) for k in (1, 2, 16, 17, 256)]
    [0, 1, 4, 5, 8]
    """
    return max(k - 1, 0).bit_length()


def packed_size(count: int, k: int) -> int:
    """Return the size in bytes of `count` packed indices into k values."""
    return -(-count * index_bits(k) // 8)


def pack(values: Indices, k: int) -> bytes:
    """Pack a flat array of indices below k."""
    bits = index_bits(k)
    parts = []
    for start in range(0, values.size, RUN):  # a multiple of 8, so that a run ends on a byte
        two_bytes = values[start : start + RUN].astype(">u2").view(np.uint8).reshape(-1, 2)
        parts.append(np.packbits(np.unpackbits(two_bytes, axis=1)[:, 16 - bits :]).tobytes())
    return b"".join(parts)


def unpack(payload: bytes, count: int, k: int) -> Indices:
    """Unpack a payload that holds `count` indices below k.

    Raises
    ------
    CorruptError
        The payload has the wrong length, an index of k or more, or nonzero padding bits.
    """
    values = np.empty(count, dtype=np.uint16)
    _unpack_into(values, payload, k)
    return values


def _unpack_into(out: npt.NDArray[np.unsignedinteger], payload: Buffer, k: int) -> None:
    """Unpack into a flat array; see `unpack`."""
    bits = index_bits(k)
    if len(payload) != packed_size(out.size, k):
        raise CorruptError("packed indices", f"{packed_size(out.size, k)} bytes", len(payload))
    packed = np.frombuffer(payload or b"\0", dtype=np.uint8)
    for start in range(0, out.size, RUN):
        run = out[start : start + RUN]
        values = _read(packed, np.arange(start, start + run.size) * bits, bits)
        if int(values.max()) >= k:
            raise CorruptError("packed indices", f"values below {k}", int(values.max()))
        run[:] = values
    _check_padding(payload, out.size * bits)


def _read(packed: Bytes, places: Integers, bits: Integers | int) -> Integers:
    """Read the integers of `bits` bits, at most 16, that start at the bits `places`."""
    first = places >> 3
    window = np.take(packed, first, mode="clip").astype(np.int64)
    for following in (1, 2):
        window = window << 8 | np.take(packed, first + following, mode="clip")
    return (window >> (24 - (places & 7) - bits)) & ((1 << bits) - 1)


def _check_padding(payload: Buffer, end: int) -> None:
    """Raise `CorruptError` unless the padding bits from bit `end` on are zero."""
    if end % 8 and payload[end // 8] & (0xFF >> end % 8):
        raise CorruptError("packed indices", "zero bits after the last index", "others")


@dataclass(frozen=True)
class FixedLength:
    """Packed fixed-length indices.

    Examples
    --------
    >>> coder = FixedLength().index_coder((np.zeros((16, 3), dtype=np.uint8),))
    >>> index_map = np.array([[1, 2], [15, 0]], dtype=np.uint16)
    >>> coder.encode(index_map, np.zeros((2, 2), dtype=np.uint8)).hex()
    '12f0'
    """

    MODEL: ClassVar[int] = 1

    @property
    def model(self) -> int:
        """Number of the model that payloads follow."""
        return self.MODEL

    @classmethod
    def of_model(cls, model: int) -> Self:
        """Return the coder that decodes payloads of a model."""
        if model != cls.MODEL:
            raise UnsupportedVersionError.newer("model of fixed-length", f"{cls.MODEL}", model)
        return cls()

    def encode_codebook(self, codebook: Bytes) -> bytes:
        """Code a (k, 3) codebook: three bytes per codeword."""
        return codebook.tobytes()

    def decode_codebook(self, payload: bytes, k: int) -> Bytes:
        """Decode a (k, 3) codebook."""
        if len(payload) != 3 * k:
            raise CorruptError("codebook", f"{3 * k} bytes for {k} codewords", len(payload))
        return np.frombuffer(payload, dtype=np.uint8).reshape(k, 3)

    def encode_region_map(self, region_map: Bytes, n_regions: int) -> bytes:
        """Code the (rows, columns) regions of the blocks."""
        return pack(region_map.ravel().astype(np.uint16), n_regions)

    def decode_region_map(self, payload: Buffer, shape: tuple[int, int], n_regions: int) -> Bytes:
        """Decode the (rows, columns) regions of the blocks."""
        region_map = np.empty(shape, dtype=np.uint8)
        _unpack_into(region_map.reshape(-1), payload, n_regions)
        return region_map

    def index_coder(self, codebooks: tuple[Bytes, ...]) -> FixedLengthIndices:
        """Return the coder of the bands' index maps."""
        return FixedLengthIndices(sizes_by_region(codebooks))

    def decoding_memory(self, shape: tuple[int, int], codewords: tuple[int, ...]) -> int:
        """Estimate the memory of decoding: about 64 bytes per pixel of a run."""
        return 64 * min(shape[0] * shape[1], RUN)


def sizes_by_region(codebooks: tuple[Bytes, ...]) -> Integers:
    """Return the number of codewords of each region, 0 for absent regions: (256,) int64."""
    sizes = np.zeros(256, dtype=np.int64)
    sizes[: len(codebooks)] = [len(codebook) for codebook in codebooks]
    return sizes


class FixedLengthIndices:
    """Packs index maps, region by region.

    Parameters
    ----------
    sizes : (256,) int64
        Codewords of each region.
    """

    def __init__(self, sizes: Integers) -> None:
        self._sizes = sizes
        self._bits = np.array([index_bits(k) for k in sizes.tolist()])

    def encode(
        self, index_map: Indices, pixel_regions: Bytes, progress: Progress | None = None
    ) -> bytes:
        """Code the (h, w) indices of the pixels."""
        return b"".join(
            pack(index_map[pixel_regions == region], int(self._sizes[region]))
            for region in np.flatnonzero(region_counts(pixel_regions))
        )

    def decode(
        self, payload: bytes, pixel_regions: Bytes, progress: Progress | None = None
    ) -> Indices:
        """Decode the (h, w) indices of the pixels."""
        sizes, bits = self._sizes, self._bits
        counts = region_counts(pixel_regions)
        bytes_of_regions = (counts * bits + 7) // 8
        next_bits = 8 * (np.cumsum(bytes_of_regions) - bytes_of_regions)
        if len(payload) != bytes_of_regions.sum():
            raise CorruptError("index map", f"{bytes_of_regions.sum()} bytes", len(payload))
        if (sizes[counts > 0] == 1).all():
            return np.zeros(pixel_regions.shape, dtype=np.uint16)
        packed = np.frombuffer(payload or b"\0", dtype=np.uint8)
        index_map = np.empty(pixel_regions.shape, dtype=np.uint16)
        indices, regions = index_map.reshape(-1), pixel_regions.reshape(-1)
        for start in range(0, indices.size, RUN):
            members = regions[start : start + RUN]
            counts_of_run = np.bincount(members, minlength=256)
            rank = _rank_in_region(members, counts_of_run)
            values = _read(packed, next_bits[members] + rank * bits[members], bits[members])
            if (values >= sizes[members]).any():
                expected = "indices inside the region's codebook"
                raise CorruptError("index map", expected, int(values.max()))
            indices[start : start + RUN] = values
            next_bits += counts_of_run * bits
        for end in next_bits[counts > 0].tolist():
            _check_padding(payload, end)
        return index_map


def _rank_in_region(regions: Bytes, counts: Integers) -> Integers:
    """Return, for each pixel, how many pixels of its region come before it."""
    ranks = np.arange(regions.size)
    if counts.max() < regions.size:
        by_region = np.argsort(regions, kind="stable")
        ranks[by_region] = ranks - np.repeat(np.cumsum(counts) - counts, counts)
    return ranks
