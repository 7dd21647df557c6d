"""Codecs with a palette: a quantizer of k colors, and a file format for the indices."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import Image

from adaptive_kmeans.baselines.clustering import Engine, engines
from adaptive_kmeans.baselines.formats import (
    Pixels,
    check_setting,
    decode_by_pillow,
    encode_by_pillow,
    encode_palette_png,
    optimize_png,
)
from adaptive_kmeans.baselines.libraries import library, version_of
from adaptive_kmeans.baselines.lossless import Png8Oxipng
from adaptive_kmeans.baselines.pixel_codecs import WebPLossless
from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.codec import ENCODER_VERSION, Settings, quantize
from adaptive_kmeans.limits import MAX_BLOCK_SIZE, MAX_CODEWORDS
from adaptive_kmeans.luma import luma_order
from adaptive_kmeans.quantize import Quantized


@dataclass(frozen=True)
class _Palette:
    """A quantizer of k colors, and a PNG with a palette."""

    k: int = 256

    def __post_init__(self) -> None:
        check_setting(f"{type(self).__name__} k", self.k, 2, 256)
        library("oxipng", "pyoxipng")

    @property
    def version(self) -> str:
        """Names and versions of the libraries that write the files."""
        return f"{version_of('pyoxipng')}, {self._quantizer_version()}"

    def _quantizer_version(self) -> str:
        return version_of("pillow")

    def _engine(self) -> Engine:
        raise NotImplementedError

    def _quantize(self, image: Pixels) -> Quantized:
        found = self._engine()(image, self.k, 1)
        codebook = np.clip(np.rint(found.codebook), 0, 255).astype(np.uint8)
        grid = BlockGrid(image.shape[0], image.shape[1], MAX_BLOCK_SIZE)
        index_map = np.asarray(found.labels).reshape(image.shape[:2]).astype(np.uint16)
        region_map = np.zeros(grid.shape, dtype=np.uint8)
        return Quantized(grid, region_map, (codebook,), index_map)

    def encode(self, image: Pixels) -> bytes:
        """Quantize pixels and write the PNG."""
        return Png8Oxipng().encode(self._quantize(image))

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return decode_by_pillow(data)


class Png8(_Palette):
    """Our K-means codebook in a PNG."""

    def _quantizer_version(self) -> str:
        return f"adaptive-kmeans encoder {ENCODER_VERSION}"

    def _quantize(self, image: Pixels) -> Quantized:
        return quantize(image, Settings.regular(self.k, coder="fixed-length"))


class MedianCut(_Palette):
    """Pillow's median cut with its K-means refinement."""

    def _engine(self) -> Engine:
        return engines.create("median-cut")


class Octree(_Palette):
    """Pillow's octree."""

    def _engine(self) -> Engine:
        return engines.create("octree")


class Libimagequant(_Palette):
    """The library of pngquant, without dithering; the palette has alpha if the image has."""

    has_alpha = True

    def __post_init__(self) -> None:
        """Check that the library is installed."""
        super().__post_init__()
        library("libimagequant", "libimagequant")

    def _quantizer_version(self) -> str:
        return version_of("libimagequant")

    def _engine(self) -> Engine:
        return engines.create("libimagequant")

    def encode(self, image: Pixels) -> bytes:
        """Quantize pixels and write the PNG."""
        if image.shape[2] == 3:
            return super().encode(image)
        found = self._engine()(image, self.k, 1)
        palette = found.codebook.astype(np.uint8)
        # transparent entries first: a PNG stores alpha up to the last one that is not opaque
        order = np.lexsort((luma_order(palette[:, :3]).argsort(), palette[:, 3]))
        indices = order.argsort().astype(np.uint8)[found.labels].reshape(image.shape[:2])
        return optimize_png(encode_palette_png(palette[order], indices), Png8Oxipng().level)


@dataclass(frozen=True)
class KMeansWebP:
    """Our K-means codebook, with alpha as it is, and the pixels as lossless WebP.

    Parameters
    ----------
    k : int
        Colors.
    """

    k: int = 256
    has_alpha: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_setting("kmeans-webp k", self.k, 1, MAX_CODEWORDS)

    @property
    def version(self) -> str:
        """Names and versions of what writes the files."""
        return f"{version_of('pillow')}, adaptive-kmeans encoder {ENCODER_VERSION}"

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        quantized = quantize(image, Settings.regular(self.k, coder="fixed-length"))
        return WebPLossless().encode(quantized.reconstruct())

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return decode_by_pillow(data)


@dataclass(frozen=True)
class KCompress:
    """K-Compress's format: a gray PNG with two 4-bit indices per byte, and a NumPy file of colors.

    One file holds both, after eight bytes with the width and the size of the NumPy file.

    Parameters
    ----------
    k : int
        Colors, 2..16.
    """

    k: int = 16

    def __post_init__(self) -> None:
        check_setting("k-compress k", self.k, 2, 16)

    @property
    def version(self) -> str:
        """Names and versions of what writes the files."""
        return f"{version_of('pillow')}, adaptive-kmeans encoder {ENCODER_VERSION}"

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        quantized = quantize(image, Settings.regular(self.k, coder="fixed-length"))
        indices = quantized.index_map.astype(np.uint8)
        width = indices.shape[1]
        indices = np.pad(indices, ((0, 0), (0, width % 2)))
        png = encode_by_pillow(Image.fromarray(indices[:, ::2] << 4 | indices[:, 1::2]), "PNG")
        colors = io.BytesIO()
        np.save(colors, quantized.codebooks[0])
        return struct.pack("<II", width, len(colors.getvalue())) + colors.getvalue() + png

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        width, size = struct.unpack_from("<II", data)
        codebook: Pixels = np.load(io.BytesIO(data[8 : 8 + size]), allow_pickle=False)
        with Image.open(io.BytesIO(data[8 + size :])) as picture:
            packed = np.asarray(picture)
        indices = np.stack([packed >> 4, packed & 15], axis=-1).reshape(len(packed), -1)
        pixels: Pixels = codebook[indices[:, :width]]
        return pixels


@dataclass(frozen=True)
class Npz:
    """PaiAkshay998's format: the indices, one byte each, and the centroids in a compressed `.npz`.

    Parameters
    ----------
    k : int
        Colors, 2..256.
    """

    k: int = 16

    def __post_init__(self) -> None:
        check_setting("npz k", self.k, 2, 256)

    @property
    def version(self) -> str:
        """Names and versions of what writes the files."""
        return f"{version_of('numpy')}, adaptive-kmeans encoder {ENCODER_VERSION}"

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        quantized = quantize(image, Settings.regular(self.k, coder="fixed-length"))
        file = io.BytesIO()
        indices = quantized.index_map.astype(np.uint8)
        np.savez_compressed(file, indices=indices, centroids=quantized.codebooks[0])
        return file.getvalue()

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            codebook: Pixels = arrays["centroids"]
            pixels: Pixels = codebook[arrays["indices"]]
        return pixels
