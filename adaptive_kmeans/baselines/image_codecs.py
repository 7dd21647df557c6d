"""Other codecs behind one small interface: pixels in, a real file out, and pixels back.

=================== =======================================================================
`jpeg:75`           baseline JPEG at a quality 1..100, progressive, optimized tables
`webp:75`           lossy WebP, method 6
`avif:60`           AVIF
`jpeg-xl:80`        lossy JPEG XL, effort 7, at libjxl's distance for the quality
`png`               PNG of the RGB pixels, optimized by oxipng
`webp-lossless`     lossless WebP, method 6
`jpeg-xl-lossless`  lossless JPEG XL, effort 7
`png8:256`          our K-means codebook of k colors in a PNG with a palette, by oxipng
`median-cut:256`    Pillow's median cut, likewise in a PNG
`octree:256`        Pillow's octree, likewise
`libimagequant:256` the library of pngquant without dithering, likewise
`k-compress:16`     K-Compress: two 4-bit indices a byte, as a gray PNG, beside a NumPy file of
                    colors
`npz:16`            PaiAkshay998's ImageCompression: indices and centroids in a compressed `.npz`
=================== =======================================================================

What Pillow does comes with the package; the other libraries come with the extra ``peers``. Another
package adds a codec by an entry point of the group ``adaptive_kmeans.baselines``.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, features

from adaptive_kmeans.baselines.clustering import Engine, engines
from adaptive_kmeans.baselines.libraries import library
from adaptive_kmeans.baselines.lossless import Png8Oxipng
from adaptive_kmeans.blocks import MAX_BLOCK_SIZE, BlockGrid
from adaptive_kmeans.codec import ENCODER_VERSION, Settings, quantize
from adaptive_kmeans.errors import ConfigError, MissingDependencyError
from adaptive_kmeans.quantize import Quantized
from adaptive_kmeans.registry import Registry

Pixels = npt.NDArray[np.uint8]


class ImageCodec(Protocol):
    """What every baseline does. `k` or `quality` is the field that a spec sets, if there is one."""

    @property
    def version(self) -> str:
        """Name and version of the library that makes the files."""
        ...

    def encode(self, image: Pixels) -> bytes:
        """Encode (H, W, 3) pixels as the bytes of a file."""
        ...

    def decode(self, data: bytes) -> Pixels:
        """Decode a file: (H, W, 3)."""
        ...


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package}, not installed"


def _check(what: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(what, f"an integer in {low}..{high}", value)


@dataclass(frozen=True)
class _ByPillow:
    """A codec of Pillow's at a quality."""

    quality: int = 75

    def __post_init__(self) -> None:
        _check(f"{type(self).__name__} quality", self.quality, 1, 100)

    @property
    def version(self) -> str:
        """Name and version of the library that makes the files."""
        return _version("pillow")

    def _options(self) -> tuple[str, dict[str, Any]]:
        raise NotImplementedError

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        kind, options = self._options()
        file = io.BytesIO()
        Image.fromarray(image).save(file, kind, **options)
        return file.getvalue()

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return _decode_by_pillow(data)


class Jpeg(_ByPillow):
    """JPEG: progressive, with optimized Huffman tables; chroma halved below quality 90."""

    def _options(self) -> tuple[str, dict[str, Any]]:
        subsampling = "4:2:0" if self.quality < 90 else "4:4:4"
        options = {"optimize": True, "progressive": True, "subsampling": subsampling}
        return "JPEG", {"quality": self.quality, **options}


class WebP(_ByPillow):
    """Lossy WebP at its greatest effort."""

    def _options(self) -> tuple[str, dict[str, Any]]:
        return "WEBP", {"quality": self.quality, "method": 6}


class Avif(_ByPillow):
    """AVIF at the default effort."""

    def __post_init__(self) -> None:
        """Check that this build of Pillow has AVIF."""
        super().__post_init__()
        if not features.check("avif"):
            expected = "a build of Pillow that has AVIF: pip install --upgrade pillow"
            raise MissingDependencyError("library libavif", expected, _version("pillow"))

    def _options(self) -> tuple[str, dict[str, Any]]:
        return "AVIF", {"quality": self.quality}


@dataclass(frozen=True)
class WebPLossless:
    """Lossless WebP at its greatest effort."""

    @property
    def version(self) -> str:
        """Name and version of the library that makes the files."""
        return _version("pillow")

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        file = io.BytesIO()
        Image.fromarray(image).save(file, "WEBP", lossless=True, quality=100, method=6)
        return file.getvalue()

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return _decode_by_pillow(data)


@dataclass(frozen=True)
class Png:
    """PNG of the RGB pixels, optimized by oxipng at level 4."""

    def __post_init__(self) -> None:
        library("oxipng", "pyoxipng")

    @property
    def version(self) -> str:
        """Name and version of the library that makes the files."""
        return _version("pyoxipng")

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        oxipng = library("oxipng", "pyoxipng")
        data: bytes = oxipng.optimize_from_memory(file.getvalue(), level=4)
        return data

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return _decode_by_pillow(data)


@dataclass(frozen=True)
class JpegXL:
    """Lossy JPEG XL at effort 7.

    Parameters
    ----------
    quality : int
        30..99, turned into Butteraugli's distance as libjxl's own tools do:
        0.1 + 0.09 (100 − quality).
    """

    quality: int = 80

    def __post_init__(self) -> None:
        _check("jpeg-xl quality", self.quality, 30, 99)
        library("imagecodecs", "imagecodecs")

    @property
    def version(self) -> str:
        """Name and version of the library that makes the files."""
        return _version("imagecodecs")

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        imagecodecs = library("imagecodecs", "imagecodecs")
        distance = 0.1 + 0.09 * (100 - self.quality)
        data: bytes = imagecodecs.jpegxl_encode(image, distance=distance, effort=7, numthreads=1)
        return data

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        pixels: Pixels = library("imagecodecs", "imagecodecs").jpegxl_decode(data, numthreads=1)
        return pixels


@dataclass(frozen=True)
class JpegXLLossless:
    """Lossless JPEG XL at effort 7."""

    def __post_init__(self) -> None:
        library("imagecodecs", "imagecodecs")

    @property
    def version(self) -> str:
        """Name and version of the library that makes the files."""
        return _version("imagecodecs")

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        imagecodecs = library("imagecodecs", "imagecodecs")
        data: bytes = imagecodecs.jpegxl_encode(image, lossless=True, effort=7, numthreads=1)
        return data

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        pixels: Pixels = library("imagecodecs", "imagecodecs").jpegxl_decode(data, numthreads=1)
        return pixels


@dataclass(frozen=True)
class _Palette:
    """A quantizer of k colors whose pixels go into a PNG with a palette."""

    k: int = 256

    def __post_init__(self) -> None:
        _check(f"{type(self).__name__} k", self.k, 2, 256)
        library("oxipng", "pyoxipng")

    @property
    def version(self) -> str:
        """Name and version of the libraries that make the files."""
        return f"{_version('pyoxipng')}, {self._quantizer_version()}"

    def _quantizer_version(self) -> str:
        return _version("pillow")

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
        return _decode_by_pillow(data)


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
    """The library of pngquant, without dithering."""

    def __post_init__(self) -> None:
        """Check that the library is there."""
        super().__post_init__()
        library("libimagequant", "libimagequant")

    def _quantizer_version(self) -> str:
        return _version("libimagequant")

    def _engine(self) -> Engine:
        return engines.create("libimagequant")


@dataclass(frozen=True)
class KCompress:
    """K-Compress's form: two 4-bit indices a byte as a gray PNG, and a NumPy file of the colors.

    One file holds both, behind the width and the size of the NumPy file, eight bytes in all.

    Parameters
    ----------
    k : int
        Colors, 2..16.
    """

    k: int = 16

    def __post_init__(self) -> None:
        _check("k-compress k", self.k, 2, 16)

    @property
    def version(self) -> str:
        """Name and version of what makes the files."""
        return f"{_version('pillow')}, adaptive-kmeans encoder {ENCODER_VERSION}"

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        quantized = quantize(image, Settings.regular(self.k, coder="fixed-length"))
        indices = quantized.index_map.astype(np.uint8)
        width = indices.shape[1]
        indices = np.pad(indices, ((0, 0), (0, width % 2)))
        png, colors = io.BytesIO(), io.BytesIO()
        Image.fromarray(indices[:, ::2] << 4 | indices[:, 1::2]).save(png, "PNG")
        np.save(colors, quantized.codebooks[0])
        head = struct.pack("<II", width, len(colors.getvalue()))
        return head + colors.getvalue() + png.getvalue()

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
    """PaiAkshay998's form: the indices, a byte each, and the centroids in a compressed `.npz`.

    Parameters
    ----------
    k : int
        Colors, 2..256.
    """

    k: int = 16

    def __post_init__(self) -> None:
        _check("npz k", self.k, 2, 256)

    @property
    def version(self) -> str:
        """Name and version of what makes the files."""
        return f"{_version('numpy')}, adaptive-kmeans encoder {ENCODER_VERSION}"

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


def _decode_by_pillow(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


baselines: Registry[ImageCodec] = Registry(
    "baseline",
    {
        "jpeg": Jpeg,
        "webp": WebP,
        "avif": Avif,
        "jpeg-xl": JpegXL,
        "png": Png,
        "webp-lossless": WebPLossless,
        "jpeg-xl-lossless": JpegXLLossless,
        "png8": Png8,
        "median-cut": MedianCut,
        "octree": Octree,
        "libimagequant": Libimagequant,
        "k-compress": KCompress,
        "npz": Npz,
    },
    "adaptive_kmeans.baselines",
)
