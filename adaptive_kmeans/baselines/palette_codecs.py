"""Palette codecs: a quantizer to k colors, and a file format for the indices."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from PIL import Image

from adaptive_kmeans.baselines import clustering
from adaptive_kmeans.baselines.clustering import Engine
from adaptive_kmeans.baselines.formats import (
    Pixels,
    decode_by_pillow,
    encode_by_pillow,
    encode_palette_png,
    optimize_palette_png,
    optimize_png,
)
from adaptive_kmeans.baselines.libraries import library
from adaptive_kmeans.baselines.lossless import palette_and_indices
from adaptive_kmeans.baselines.pixel_codecs import WebPLossless
from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.codec import ENCODER_VERSION, Settings, quantize
from adaptive_kmeans.limits import MAX_BLOCK_SIZE, MAX_CODEWORDS
from adaptive_kmeans.luma import luma_order
from adaptive_kmeans.quantize import Quantized
from adaptive_kmeans.registry import version_of
from adaptive_kmeans.specs import Within, check_settings


@dataclass(frozen=True)
class _Palette:
    """A quantizer to k colors, and a PNG with a palette.

    Parameters
    ----------
    k : int
        Colors, 2..256.
    level : int
        oxipng's level, 0..6.
    zopfli : int
        Zopfli iterations, 0..255; with 0, libdeflate is used instead.
    """

    k: Annotated[int, Within(2, 256)] = 256
    level: Annotated[int, Within(0, 6)] = 4
    zopfli: Annotated[int, Within(0, 255)] = 0

    def __post_init__(self) -> None:
        check_settings(self)
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
        png = encode_palette_png(*palette_and_indices(self._quantize(image)))
        return optimize_png(png, self.level, self.zopfli)

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return decode_by_pillow(data)


class Png8(_Palette):
    """Our K-means codebook in a PNG."""

    def _quantizer_version(self) -> str:
        return f"adaptive-kmeans encoder {ENCODER_VERSION}"

    def _quantize(self, image: Pixels) -> Quantized:
        return quantize(image, Settings.regular(self.k, coder="fixed-length"))


@dataclass(frozen=True)
class MedianCut(_Palette):
    """Pillow's median cut with its K-means refinement.

    Parameters
    ----------
    k, level, zopfli
        As for `Png8`.
    refinement : int
        Threshold of Pillow's refinement; 0 for none.
    """

    refinement: Annotated[int, Within(0, 2**31 - 1)] = 1

    def _engine(self) -> Engine:
        return clustering.MedianCut(self.refinement)


class Octree(_Palette):
    """Pillow's octree."""

    def _engine(self) -> Engine:
        return clustering.Octree()


@dataclass(frozen=True)
class Libimagequant(_Palette):
    """The library of pngquant; the palette has alpha if the image does.

    Parameters
    ----------
    k, level, zopfli
        As for `Png8`.
    speed : int
        1, the best, to 10.
    dithering : float
        Strength of Floyd–Steinberg dithering, 0..1.
    """

    speed: Annotated[int, Within(1, 10)] = 4
    dithering: Annotated[float, Within(0, 1)] = 0.0
    has_alpha: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check that the library is installed."""
        super().__post_init__()
        library("libimagequant", "libimagequant")

    def _quantizer_version(self) -> str:
        return version_of("libimagequant")

    def _engine(self) -> Engine:
        return clustering.LibImageQuant(self.speed, self.dithering)

    def encode(self, image: Pixels) -> bytes:
        """Quantize pixels and write the PNG."""
        if image.shape[2] == 3:
            return super().encode(image)
        found = self._engine()(image, self.k, 1)
        palette = found.codebook.astype(np.uint8)
        # transparent entries first: a PNG stores alpha up to the last one that is not opaque
        order = np.lexsort((luma_order(palette[:, :3]).argsort(), palette[:, 3]))
        indices = order.argsort().astype(np.uint8)[found.labels].reshape(image.shape[:2])
        png = encode_palette_png(palette[order], indices)
        return optimize_palette_png(png, self.level, self.zopfli)


@dataclass(frozen=True)
class KMeansWebP:
    """Our K-means codebook, with alpha unchanged, and the pixels as lossless WebP.

    Parameters
    ----------
    k : int
        Colors.
    method : int
        Effort of WebP, 0..6.
    """

    k: Annotated[int, Within(1, MAX_CODEWORDS)] = 256
    method: Annotated[int, Within(0, 6)] = 6
    has_alpha: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def version(self) -> str:
        """Names and versions of the software that writes the files."""
        return f"{version_of('pillow')}, adaptive-kmeans encoder {ENCODER_VERSION}"

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        quantized = quantize(image, Settings.regular(self.k, coder="fixed-length"))
        return WebPLossless(self.method).encode(quantized.reconstruct())

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

    k: Annotated[int, Within(2, 16)] = 16

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def version(self) -> str:
        """Names and versions of the software that writes the files."""
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

    k: Annotated[int, Within(2, 256)] = 16

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def version(self) -> str:
        """Names and versions of the software that writes the files."""
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
