"""`deflate`: indices as bytes in raster order, by zlib, as PNG and the `.npz` codecs do it.

Codebooks are stored as they are. A region map is packed as `fixed-length` packs it, then deflated.
An index takes one byte, or two when any codebook has more than 256 codewords: then all high bytes
come first, all low bytes after them, since the high ones repeat. Payloads are zlib streams
(RFC 1950).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.coding import fixed_length
from adaptive_kmeans.errors import ConfigError, CorruptError

Bytes = npt.NDArray[np.uint8]


def _inflate(payload: bytes, size: int, what: str) -> bytes:
    """Inflate a whole stream of exactly `size` bytes, never more than one byte beyond that."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(payload, size + 1)
    except zlib.error as error:
        raise CorruptError(what, "a zlib stream", error) from None
    if len(data) != size or not stream.eof or stream.unused_data or stream.unconsumed_tail:
        received = f"{len(data)}{'' if stream.eof else ' and no end of the stream'}"
        if stream.unused_data:
            received = f"{len(stream.unused_data)} bytes after its end"
        raise CorruptError(what, f"a zlib stream of {size} bytes", received)
    return data


@dataclass(frozen=True)
class Deflate:
    """Indices by zlib.

    Parameters
    ----------
    level : int
        zlib's compression level, 0..9; the default is its smallest.

    Examples
    --------
    >>> coder = Deflate()
    >>> codebooks = (np.zeros((16, 3), dtype=np.uint8),)
    >>> index_map, regions = np.zeros((64, 64), dtype=np.uint16), np.zeros((64, 64), dtype=np.uint8)
    >>> len(coder.encode_index_map(index_map, regions, codebooks)) < 64
    True
    """

    level: int = 9

    def __post_init__(self) -> None:
        if not 0 <= self.level <= 9:
            raise ConfigError("deflate level", "an integer in 0..9", self.level)

    def encode_codebook(self, codebook: Bytes) -> bytes:
        """Code a (k, 3) codebook: three bytes a codeword."""
        return fixed_length.FixedLength().encode_codebook(codebook)

    def decode_codebook(self, payload: bytes, k: int) -> Bytes:
        """Decode a (k, 3) codebook."""
        return fixed_length.FixedLength().decode_codebook(payload, k)

    def encode_region_map(self, region_map: Bytes, n_regions: int) -> bytes:
        """Code the (rows, columns) regions of the blocks."""
        packed = fixed_length.FixedLength().encode_region_map(region_map, n_regions)
        return zlib.compress(packed, self.level) if packed else b""

    def decode_region_map(self, payload: bytes, shape: tuple[int, int], n_regions: int) -> Bytes:
        """Decode the (rows, columns) regions of the blocks."""
        size = fixed_length.packed_size(shape[0] * shape[1], n_regions)
        packed = _inflate(payload, size, "region map") if size else payload
        return fixed_length.FixedLength().decode_region_map(packed, shape, n_regions)

    def encode_index_map(
        self,
        index_map: npt.NDArray[np.uint16],
        pixel_regions: Bytes,
        codebooks: tuple[Bytes, ...],
        rows_done: npt.NDArray[np.int64] | None = None,
    ) -> bytes:
        """Code the (h, w) indices of the pixels."""
        low = (index_map & 0xFF).astype(np.uint8).tobytes()
        high = (index_map >> 8).astype(np.uint8).tobytes() if _is_wide(codebooks) else b""
        return zlib.compress(high + low, self.level)

    def decode_index_map(
        self,
        payload: bytes,
        pixel_regions: Bytes,
        codebooks: tuple[Bytes, ...],
        rows_done: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.uint16]:
        """Decode the (h, w) indices of the pixels."""
        count = pixel_regions.size
        wide = _is_wide(codebooks)
        data = np.frombuffer(_inflate(payload, (1 + wide) * count, "index map"), dtype=np.uint8)
        index_map = data[-count:].astype(np.uint16)
        if wide:
            index_map |= data[:count].astype(np.uint16) << 8
        index_map = index_map.reshape(pixel_regions.shape)
        for region in np.unique(pixel_regions):
            members = index_map[pixel_regions == region]
            fixed_length.below(members, len(codebooks[region]), "index map")
        return index_map


def _is_wide(codebooks: tuple[Bytes, ...]) -> bool:
    return any(len(codebook) > 256 for codebook in codebooks)
