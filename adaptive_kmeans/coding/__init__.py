"""Coders: a region map, codebooks and an index map to bytes, and back.

A coder codes the three parts of a `Quantized` apart, each as one payload. The container,
`adaptive_kmeans.container`, frames the payloads and guards them by checksums: a coder never sees a
file, and the container never sees inside a payload. A decoder may rely on `k`, shapes and regions,
which the container has checked, and on nothing about the payload: one that cannot be right raises
`CorruptError`.

================== =======================================================================
`fixed-length`     ceil(log2 k) bits an index, packed
`deflate`          a byte an index, by zlib
`context-mixing`   binary decisions down a tree of near colors, by mixed predictions
================== =======================================================================
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.coding.context_mixing import ContextMixing
from adaptive_kmeans.coding.deflate import Deflate
from adaptive_kmeans.coding.fixed_length import FixedLength
from adaptive_kmeans.registry import Registry

__all__ = ["Coder", "ContextMixing", "Deflate", "FixedLength", "coders"]

Bytes = npt.NDArray[np.uint8]


class Coder(Protocol):
    """What every coder does.

    Shapes: a codebook is (k, 3), a region map (rows, columns), and what has a value a pixel (h, w).
    """

    def encode_codebook(self, codebook: Bytes) -> bytes:
        """Code a codebook."""
        ...

    def decode_codebook(self, payload: bytes, k: int) -> Bytes:
        """Decode a codebook of k codewords."""
        ...

    def encode_region_map(self, region_map: Bytes, n_regions: int) -> bytes:
        """Code the region of each block."""
        ...

    def decode_region_map(self, payload: bytes, shape: tuple[int, int], n_regions: int) -> Bytes:
        """Decode the region of each block; every one is below `n_regions`."""
        ...

    def encode_index_map(
        self,
        index_map: npt.NDArray[np.uint16],
        pixel_regions: Bytes,
        codebooks: tuple[Bytes, ...],
        rows_done: npt.NDArray[np.int64] | None = None,
    ) -> bytes:
        """Code the index of each pixel, given its region.

        A coder that takes long writes into `rows_done`, (1,) int64, how many rows are done.
        """
        ...

    def decode_index_map(
        self,
        payload: bytes,
        pixel_regions: Bytes,
        codebooks: tuple[Bytes, ...],
        rows_done: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.uint16]:
        """Decode the index of each pixel; every one is inside its region's codebook.

        `rows_done` is as in `encode_index_map`.
        """
        ...


coders: Registry[Coder] = Registry(
    "coder", {"fixed-length": FixedLength, "deflate": Deflate, "context-mixing": ContextMixing}
)
