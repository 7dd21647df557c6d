"""`deflate`: indices as bytes in raster order, compressed by zlib as in PNG and the `.npz` codecs.

Codebooks are stored uncompressed. A region map is packed as by `fixed-length`, then deflated. An
index takes one byte, or two if any codebook has more than 256 codewords; then all high bytes come
first, followed by all low bytes, since the high ones repeat. Payloads are zlib streams (RFC 1950).
This is model 1, the only one; the level does not matter for decoding.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.blocks import RUN
from adaptive_kmeans.coding.fixed_length import FixedLength, packed_size, sizes_by_region
from adaptive_kmeans.errors import ConfigError, CorruptError, UnsupportedVersionError
from adaptive_kmeans.progress import Progress

Bytes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.uint16]


def _inflate(payload: bytes, size: int, what: str) -> Iterator[tuple[slice, bytes]]:
    """Inflate a complete stream of exactly `size` bytes; yield each piece with its slice."""
    stream = zlib.decompressobj()
    done = 0
    for start in range(0, len(payload), RUN):
        data = payload[start : start + RUN]
        while not stream.eof:
            try:
                piece = stream.decompress(data, RUN)
            except zlib.error as error:
                raise CorruptError(what, "a zlib stream", error) from None
            data = stream.unconsumed_tail
            if done + len(piece) > size:
                raise CorruptError(what, f"a zlib stream of {size} bytes", "a longer one")
            if piece:
                yield slice(done, done + len(piece)), piece
            done += len(piece)
            if len(piece) < RUN and not data:
                break
        if stream.eof:
            extra = len(stream.unused_data) + max(0, len(payload) - start - RUN)
            if extra:
                raise CorruptError(what, "nothing after the zlib stream", f"{extra} bytes")
            break
    if not stream.eof:
        raise CorruptError(what, f"a zlib stream of {size} bytes", f"{done} and no end")
    if done != size:
        raise CorruptError(what, f"a zlib stream of {size} bytes", done)


@dataclass(frozen=True)
class Deflate:
    """Indices compressed by zlib.

    Parameters
    ----------
    level : int
        zlib's compression level, 0..9; the default gives the smallest files.

    Examples
    --------
    >>> coder = Deflate().index_coder((np.zeros((16, 3), dtype=np.uint8),))
    >>> index_map, regions = np.zeros((64, 64), dtype=np.uint16), np.zeros((64, 64), dtype=np.uint8)
    >>> len(coder.encode(index_map, regions)) < 64
    True
    """

    MODEL: ClassVar[int] = 1

    level: int = 9

    def __post_init__(self) -> None:
        if not 0 <= self.level <= 9:
            raise ConfigError("deflate level", "an integer in 0..9", self.level)

    @property
    def model(self) -> int:
        """Number of the model that payloads follow."""
        return self.MODEL

    @classmethod
    def of_model(cls, model: int) -> Self:
        """Return the coder that decodes payloads of a model."""
        if model != cls.MODEL:
            raise UnsupportedVersionError.newer("model of deflate", f"{cls.MODEL}", model)
        return cls()

    def encode_codebook(self, codebook: Bytes) -> bytes:
        """Code a (k, 3) codebook: three bytes per codeword."""
        return FixedLength().encode_codebook(codebook)

    def decode_codebook(self, payload: bytes, k: int) -> Bytes:
        """Decode a (k, 3) codebook."""
        return FixedLength().decode_codebook(payload, k)

    def encode_region_map(self, region_map: Bytes, n_regions: int) -> bytes:
        """Code the (rows, columns) regions of the blocks."""
        packed = FixedLength().encode_region_map(region_map, n_regions)
        return zlib.compress(packed, self.level) if packed else b""

    def decode_region_map(self, payload: bytes, shape: tuple[int, int], n_regions: int) -> Bytes:
        """Decode the (rows, columns) regions of the blocks."""
        size = packed_size(shape[0] * shape[1], n_regions)
        if not size:
            return FixedLength().decode_region_map(payload, shape, n_regions)
        packed = bytearray(size)
        for place, piece in _inflate(payload, size, "region map"):
            packed[place] = piece
        return FixedLength().decode_region_map(packed, shape, n_regions)

    def index_coder(self, codebooks: tuple[Bytes, ...]) -> DeflateIndices:
        """Return the coder of the bands' index maps."""
        return DeflateIndices(sizes_by_region(codebooks), self.level)

    def decoding_memory(self, shape: tuple[int, int], codewords: tuple[int, ...]) -> int:
        """Estimate the memory of decoding: about 64 bytes per pixel of a run."""
        return FixedLength().decoding_memory(shape, codewords)


@dataclass(frozen=True, eq=False)
class DeflateIndices:
    """Deflates index maps.

    Parameters
    ----------
    sizes : (256,) int64
        Codewords of each region.
    level : int
        As for `Deflate`.
    """

    sizes: npt.NDArray[np.int64]
    level: int

    @property
    def _is_wide(self) -> bool:
        return bool(self.sizes.max() > 256)

    def encode(
        self, index_map: Indices, pixel_regions: Bytes, progress: Progress | None = None
    ) -> bytes:
        """Code the (h, w) indices of the pixels."""
        low = (index_map & 0xFF).astype(np.uint8).tobytes()
        high = (index_map >> 8).astype(np.uint8).tobytes() if self._is_wide else b""
        return zlib.compress(high + low, self.level)

    def decode(
        self, payload: bytes, pixel_regions: Bytes, progress: Progress | None = None
    ) -> Indices:
        """Decode the (h, w) indices of the pixels."""
        index_map = np.zeros(pixel_regions.shape, dtype=np.uint16)
        indices, regions = index_map.reshape(-1), pixel_regions.reshape(-1)
        high = indices.size if self._is_wide else 0
        for place, piece in _inflate(payload, high + indices.size, "index map"):
            values = np.frombuffer(piece, dtype=np.uint8)
            split = min(max(0, high - place.start), values.size)  # high bytes, then low bytes
            indices[place.start : place.start + split] = values[:split].astype(np.uint16) << 8
            low = place.start + split - high
            indices[low : low + values.size - split] |= values[split:]
        for start in range(0, indices.size, RUN):
            run = indices[start : start + RUN]
            if (run >= self.sizes[regions[start : start + RUN]]).any():
                expected = "indices inside the region's codebook"
                raise CorruptError("index map", expected, int(run.max()))
        return index_map
