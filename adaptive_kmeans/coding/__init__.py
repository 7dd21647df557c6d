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

    Bands are coded by several threads at once.
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
            A coder that takes long calls it with a stage and the finished share.
        """
        ...

    def decode(
        self, payload: bytes, pixel_regions: Bytes, progress: Progress | None = None
    ) -> npt.NDArray[np.uint16]:
        """Decode the index of each pixel; every one is inside its region's codebook."""
        ...


class Coder(Protocol):
    """What every coder does.

    Shapes: a codebook is (k, 3), a region map (rows, columns), and what has a value a pixel (h, w).
    """

    @property
    def model(self) -> int:
        """Number, from 1, of the model that its payloads follow; a file states it."""
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
        """Decode the region of each block; every one is below `n_regions`."""
        ...

    def index_coder(self, codebooks: tuple[Bytes, ...]) -> IndexCoder:
        """Prepare what all bands of a file share, and return what codes their index maps."""
        ...

    def decoding_memory(self, pixels: int, codewords: tuple[int, ...]) -> int:
        """Estimate the memory in bytes that decoding an index map takes, or a region map.

        Parameters
        ----------
        pixels : int
            Pixels of the band, or blocks of its region map.
        codewords : tuple of int
            Length of each region's codebook; for a region map ``(n_regions,)``.

        Returns
        -------
        int
            What is needed beyond the result, `pixel_regions`, and a byte a block of a region map.
        """
        ...


coders: Registry[Coder] = Registry(
    "coder", {"fixed-length": FixedLength, "deflate": Deflate, "context-mixing": ContextMixing}
)
