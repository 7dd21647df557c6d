"""Coders: a region map, codebooks and an index map to bytes, and back.

A coder codes the three parts of a `Quantized` apart, each as one payload; `adaptive_kmeans.container`
frames the payloads, guards them by checksums and says what is coded in which order. A coder never
sees a file, and the container never sees inside a payload. What a decoder may rely on: `k`, shapes
and regions are right, since the container has checked them. What it may not: anything about the
payload. A payload that cannot be right raises `CorruptError`.

================== =======================================================================
`fixed-length`     ceil(log2 k) bits an index, packed
`deflate`          a byte an index, by zlib
================== =======================================================================
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.coding.deflate import Deflate
from adaptive_kmeans.coding.fixed_length import FixedLength
from adaptive_kmeans.registry import Registry

__all__ = ["Coder", "Deflate", "FixedLength", "coders"]

Bytes = npt.NDArray[np.uint8]


class Coder(Protocol):
    """What every coder does. Shapes: codebook (k, 3), region map (rows, columns), the rest (h, w)."""

    def encode_codebook(self, codebook: Bytes) -> bytes:
        """Code a codebook."""
        ...

    def decode_codebook(self, payload: bytes, k: int) -> Bytes:
        """Decode a codebook of k codewords."""
        ...

    def encode_region_map(self, region_map: Bytes, n_regions: int) -> bytes:
        """Code the region of each block."""
        ...

    def decode_region_map(
        self, payload: bytes, shape: tuple[int, int], n_regions: int
    ) -> Bytes:
        """Decode the region of each block; every one is below `n_regions`."""
        ...

    def encode_index_map(
        self,
        index_map: npt.NDArray[np.uint16],
        pixel_regions: Bytes,
        codebooks: tuple[Bytes, ...],
    ) -> bytes:
        """Code the index of each pixel, given its region."""
        ...

    def decode_index_map(
        self, payload: bytes, pixel_regions: Bytes, codebooks: tuple[Bytes, ...]
    ) -> npt.NDArray[np.uint16]:
        """Decode the index of each pixel; every one is inside its region's codebook."""
        ...


coders: Registry[Coder] = Registry("coder", {"fixed-length": FixedLength, "deflate": Deflate})
