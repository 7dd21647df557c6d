"""Lossless codecs for quantized images, as peers of our coders. Each writes a complete file.

Every peer codes the reconstruction of a quantized image with one region, and decodes to exactly its
pixels. Those that code a palette or a plane of indices get the codebook sorted by luma, so that
close indices are close in brightness: the best case for a codec that treats an index as a gray
level.

===================== =====================================================================
`png8-oxipng`         PNG with a palette, by Pillow, then oxipng at level 4; `png8-oxipng:6` at
                      another level
`webp-lossless`       WebP of the RGB pixels, method 6, quality 100
`jpeg-xl`             JPEG XL of the RGB pixels at effort 7; `jpeg-xl:9` at another effort
`jpeg-xl-index`       JPEG XL of the indices as a gray image at effort 7, after the codebook
===================== =====================================================================

Pillow comes with the package, the other libraries with the extra ``peers``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np

from adaptive_kmeans.baselines import pixel_codecs
from adaptive_kmeans.baselines.formats import (
    Pixels,
    decode_by_pillow,
    decode_jpeg_xl,
    encode_jpeg_xl,
    encode_palette_png,
    optimize_png,
)
from adaptive_kmeans.codec import Codec
from adaptive_kmeans.errors import ConfigError, CorruptError
from adaptive_kmeans.luma import luma_order
from adaptive_kmeans.quantize import Quantized
from adaptive_kmeans.registry import Registry
from adaptive_kmeans.specs import Within, check_settings

MAX_PALETTE = 256
PACKAGES = ("pillow", "pyoxipng", "imagecodecs")
"""What the peers' files depend on."""


class Peer(Protocol):
    """A lossless codec for quantized images."""

    def encode(self, quantized: Quantized) -> bytes:
        """Code the reconstruction of a quantized image as the bytes of a file."""
        ...

    def decode(self, data: bytes) -> Pixels:
        """Decode a file to (H, W, 3) pixels."""
        ...


def palette_and_indices(quantized: Quantized) -> tuple[Pixels, Pixels]:
    """Return the codebook sorted by luma, (k, 3), and the indices into it, (H, W) uint8.

    Raises
    ------
    ConfigError
        The image has several regions, or more than 256 codewords.

    Examples
    --------
    >>> from adaptive_kmeans.blocks import BlockGrid
    >>> codebooks = (np.array([[255, 255, 255], [0, 0, 0]], dtype=np.uint8),)
    >>> index_map, region_map = np.array([[0, 1]], dtype=np.uint16), np.zeros((1, 1), np.uint8)
    >>> palette_and_indices(Quantized(BlockGrid(1, 2, 4), region_map, codebooks, index_map))[1]
    array([[1, 0]], dtype=uint8)
    """
    if len(quantized.codebooks) != 1:
        raise ConfigError("peer", "an image of one region", f"{len(quantized.codebooks)} regions")
    codebook = quantized.codebooks[0]
    if len(codebook) > MAX_PALETTE:
        raise ConfigError("peer", f"at most {MAX_PALETTE} codewords", len(codebook))
    order = luma_order(codebook)
    rank = np.empty(len(codebook), dtype=np.uint8)
    rank[order] = np.arange(len(codebook))
    return codebook[order], rank[quantized.index_map]


@dataclass(frozen=True)
class Png8Oxipng:
    """PNG with a palette, optimized by oxipng.

    Parameters
    ----------
    level : int
        oxipng's level, 0..6.
    """

    level: Annotated[int, Within(0, 6)] = 4

    def __post_init__(self) -> None:
        check_settings(self)

    def encode(self, quantized: Quantized) -> bytes:
        """Code the indices and the palette."""
        return optimize_png(encode_palette_png(*palette_and_indices(quantized)), self.level)

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return decode_by_pillow(data)


class _OfPixels:
    """A peer that codes the reconstructed pixels with a lossless codec of `pixel_codecs`."""

    def __post_init__(self) -> None:
        check_settings(self)
        self._codec()  # checks that its library is installed

    def _codec(self) -> Codec:
        raise NotImplementedError

    def encode(self, quantized: Quantized) -> bytes:
        """Code the pixels."""
        return self._codec().encode(quantized.reconstruct())

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return self._codec().decode(data)


@dataclass(frozen=True)
class WebPLossless(_OfPixels):
    """Lossless WebP of the RGB pixels, which finds palettes on its own.

    Parameters
    ----------
    method : int
        Effort, 0..6.
    """

    method: Annotated[int, Within(0, 6)] = 6

    def _codec(self) -> Codec:
        return pixel_codecs.WebPLossless(self.method)


@dataclass(frozen=True)
class JpegXL(_OfPixels):
    """Lossless JPEG XL of the RGB pixels.

    Parameters
    ----------
    effort : int
        libjxl's effort, 1..10.
    """

    effort: Annotated[int, Within(1, 10)] = 7

    def _codec(self) -> Codec:
        return pixel_codecs.JpegXLLossless(self.effort)


@dataclass(frozen=True)
class JpegXLIndex:
    """Lossless JPEG XL of the indices as a gray image, after the codebook.

    The file is one byte, the number of codewords minus one; the codebook sorted by luma, three
    bytes per codeword; and the JPEG XL stream.

    Parameters
    ----------
    effort : int
        libjxl's effort, 1..10.
    """

    effort: Annotated[int, Within(1, 10)] = 7

    def __post_init__(self) -> None:
        check_settings(self)

    def encode(self, quantized: Quantized) -> bytes:
        """Code the codebook and the indices."""
        palette, indices = palette_and_indices(quantized)
        head = bytes([len(palette) - 1]) + palette.tobytes()
        return head + encode_jpeg_xl(indices, self.effort, lossless=True)

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        start = 1 + 3 * (data[0] + 1)
        palette = np.frombuffer(data[1:start], dtype=np.uint8).reshape(-1, 3)
        indices = decode_jpeg_xl(data[start:])
        if indices.size and int(indices.max()) >= len(palette):
            raise CorruptError("indices", f"values below {len(palette)}", int(indices.max()))
        return palette[indices]


peers: Registry[Peer] = Registry(
    "lossless peer",
    {
        "png8-oxipng": Png8Oxipng,
        "webp-lossless": WebPLossless,
        "jpeg-xl": JpegXL,
        "jpeg-xl-index": JpegXLIndex,
    },
)
