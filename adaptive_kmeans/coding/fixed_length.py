"""`fixed-length`: every index takes ceil(log2 k) bits, the rate that papers call nominal.

A codebook is stored as it is, three bytes a codeword. A region map takes ceil(log2 n) bits a block
for n regions. The indices are stored region by region, each region's in raster order with the bits
that its own codebook needs. All fields are packed from the most significant bit down, and each
region starts on a byte; the bits that fill a last byte are zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.errors import CorruptError

Bytes = npt.NDArray[np.uint8]

CHUNK = 2**16
"""Indices packed at once, for bounded memory: a multiple of 8, so that a chunk ends on a byte."""


def index_bits(k: int) -> int:
    """Return the bits of a fixed-length index into k values: ceil(log2 k), 0 for one value.

    Examples
    --------
    >>> [index_bits(k) for k in (1, 2, 16, 17, 256)]
    [0, 1, 4, 5, 8]
    """
    return max(k - 1, 0).bit_length()


def packed_size(count: int, k: int) -> int:
    """Return the bytes of `count` packed indices into k values."""
    return -(-count * index_bits(k) // 8)


def pack(values: npt.NDArray[np.uint16], k: int) -> bytes:
    """Pack a flat array of indices below k."""
    bits = index_bits(k)
    parts = []
    for start in range(0, values.size, CHUNK):
        two_bytes = values[start : start + CHUNK].astype(">u2").view(np.uint8).reshape(-1, 2)
        parts.append(np.packbits(np.unpackbits(two_bytes, axis=1)[:, 16 - bits :]).tobytes())
    return b"".join(parts)


def unpack(payload: bytes, count: int, k: int) -> npt.NDArray[np.uint16]:
    """Unpack `count` indices below k.

    Raises
    ------
    CorruptError
        The payload has another length, or holds an index of k or more, or bits after the last one.
    """
    bits = index_bits(k)
    if len(payload) != packed_size(count, k):
        raise CorruptError("packed indices", f"{packed_size(count, k)} bytes", len(payload))
    if bits == 0:
        return np.zeros(count, dtype=np.uint16)
    values = np.empty(count, dtype=np.uint16)
    packed = np.frombuffer(payload, dtype=np.uint8)
    for start in range(0, count, CHUNK):
        n = min(CHUNK, count - start)
        flat = np.unpackbits(packed[start * bits // 8 : (start + n) * bits // 8 + 1])
        two_bytes = np.zeros((n, 16), dtype=np.uint8)
        two_bytes[:, 16 - bits :] = flat[: n * bits].reshape(n, bits)
        values[start : start + n] = np.packbits(two_bytes, axis=1).view(">u2")[:, 0]
    if count and np.unpackbits(packed[-1:])[(count * bits - 1) % 8 + 1 :].any():
        raise CorruptError("packed indices", "zero bits after the last index", "others")
    return below(values, k, "packed indices")


def below(values: npt.NDArray[np.uint16], k: int, what: str) -> npt.NDArray[np.uint16]:
    """Return decoded values once all are known to be below k, else raise `CorruptError`."""
    if values.size and int(values.max()) >= k:
        raise CorruptError(what, f"values below {k}", int(values.max()))
    return values


@dataclass(frozen=True)
class FixedLength:
    """Packed indices of fixed length.

    Examples
    --------
    >>> coder = FixedLength()
    >>> codebooks = (np.zeros((16, 3), dtype=np.uint8),)
    >>> index_map = np.array([[1, 2], [15, 0]], dtype=np.uint16)
    >>> coder.encode_index_map(index_map, np.zeros((2, 2), dtype=np.uint8), codebooks).hex()
    '12f0'
    """

    def encode_codebook(self, codebook: Bytes) -> bytes:
        """Code a (k, 3) codebook: three bytes a codeword."""
        return codebook.tobytes()

    def decode_codebook(self, payload: bytes, k: int) -> Bytes:
        """Decode a (k, 3) codebook."""
        if len(payload) != 3 * k:
            raise CorruptError("codebook", f"{3 * k} bytes for {k} codewords", len(payload))
        return np.frombuffer(payload, dtype=np.uint8).reshape(k, 3)

    def encode_region_map(self, region_map: Bytes, n_regions: int) -> bytes:
        """Code the (rows, columns) regions of the blocks."""
        return pack(region_map.ravel().astype(np.uint16), n_regions)

    def decode_region_map(self, payload: bytes, shape: tuple[int, int], n_regions: int) -> Bytes:
        """Decode the (rows, columns) regions of the blocks."""
        values = unpack(payload, shape[0] * shape[1], n_regions)
        return values.astype(np.uint8).reshape(shape)

    def encode_index_map(
        self,
        index_map: npt.NDArray[np.uint16],
        pixel_regions: Bytes,
        codebooks: tuple[Bytes, ...],
        rows_done: npt.NDArray[np.int64] | None = None,
    ) -> bytes:
        """Code the (h, w) indices of the pixels, region by region."""
        return b"".join(
            pack(index_map[pixel_regions == region], len(codebooks[region]))
            for region in np.unique(pixel_regions)
        )

    def decode_index_map(
        self,
        payload: bytes,
        pixel_regions: Bytes,
        codebooks: tuple[Bytes, ...],
        rows_done: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.uint16]:
        """Decode the (h, w) indices of the pixels."""
        index_map = np.empty(pixel_regions.shape, dtype=np.uint16)
        start = 0
        for region in np.unique(pixel_regions):
            k, members = len(codebooks[region]), pixel_regions == region
            count = int(members.sum())
            end = start + packed_size(count, k)
            index_map[members] = unpack(payload[start:end], count, k)
            start = end
        if start != len(payload):
            raise CorruptError("index map", f"{start} bytes", len(payload))
        return index_map
