"""Coders: a region map, codebooks and an index map to bytes, and back.

A coder codes the three parts of a `Quantized` separately, each as one payload. The container,
`adaptive_kmeans.container`, frames the payloads and protects them with checksums: a coder never
sees a file, and the container never looks inside a payload. A decoder may rely on `k`, the shapes
and the regions, which the container has checked, but on nothing about the payload: an invalid one
raises `CorruptError`.

================== =======================================================================
`fixed-length`     ceil(log2 k) bits per index, packed
`deflate`          one byte per index, compressed by zlib
`context-mixing`   binary decisions down a tree of similar colors, with mixed predictions
================== =======================================================================
"""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.coding.context_mixing import ContextMixing
from adaptive_kmeans.coding.deflate import Deflate
from adaptive_kmeans.coding.fixed_length import FixedLength
from adaptive_kmeans.progress import Progress
from adaptive_kmeans.registry import Registry

__all__ = ["Coder", "ContextMixing", "Deflate", "FixedLength", "IndexCoder", "coders"]

Bytes = npt.NDArray[np.uint8]


class IndexCoder(Protocol):
    """Codes the index maps of an image's bands, which share their codebooks.

    Several threads code bands at once.
    """

    def encode(
        self,
        index_map: npt.NDArray[np.uint16],
        pixel_regions: Bytes,
        progress: Progress | None = None,
    ) -> bytes:
        """Code the index of each pixel, given its region.

        Parameters
        ----------
        index_map : (h, w) uint16
        pixel_regions : (h, w) uint8
        progress : callable, optional
            Slow coders call it with a stage and the fraction done.
        """
        ...

    def decode(
        self, payload: bytes, pixel_regions: Bytes, progress: Progress | None = None
    ) -> npt.NDArray[np.uint16]:
        """Decode the index of each pixel; each is within its region's codebook."""
        ...


class Coder(Protocol):
    """The interface of every coder.

    A codebook is (k, 3), a region map is (rows, columns), and per-pixel arrays are (h, w).
    """

    @property
    def model(self) -> int:
        """Number of the model that its payloads follow, from 1; stored in the file."""
        ...

    @classmethod
    def of_model(cls, model: int) -> Self:
        """Return the coder that decodes payloads of a model.

        Raises
        ------
        UnsupportedVersionError
            This release has no such model.
        """
        ...

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
        """Decode the region of each block; each is below `n_regions`."""
        ...

    def index_coder(self, codebooks: tuple[Bytes, ...]) -> IndexCoder:
        """Prepare what all bands of a file share, and return the coder of their index maps."""
        ...

    def decoding_memory(self, shape: tuple[int, int], codewords: tuple[int, ...]) -> int:
        """Estimate the memory, in bytes, needed to decode an index map or a region map.

        Parameters
        ----------
        shape : (int, int)
            Rows and columns of the band's pixels, or of its region map.
        codewords : tuple of int
            Length of each region's codebook; for a region map ``(n_regions,)``.

        Returns
        -------
        int
            Memory beyond the result, `pixel_regions` and one byte per block of a region map.
        """
        ...


coders: Registry[Coder] = Registry(
    "coder", {"fixed-length": FixedLength, "deflate": Deflate, "context-mixing": ContextMixing}
)
