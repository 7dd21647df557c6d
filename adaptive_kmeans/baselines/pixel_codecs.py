"""Codecs of pixels, lossy and lossless: JPEG, WebP, AVIF, JPEG XL and PNG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from PIL import Image, features

from adaptive_kmeans.baselines.formats import (
    Pixels,
    check_setting,
    decode_by_pillow,
    decode_jpeg_xl,
    encode_by_pillow,
    encode_jpeg_xl,
    optimize_png,
)
from adaptive_kmeans.baselines.libraries import library, version_of
from adaptive_kmeans.errors import MissingDependencyError


@dataclass(frozen=True)
class _ByPillow:
    """A codec of Pillow with a quality setting."""

    quality: int = 75

    def __post_init__(self) -> None:
        check_setting(f"{type(self).__name__} quality", self.quality, 1, 100)

    @property
    def version(self) -> str:
        """Name and version of the library that writes the files."""
        return version_of("pillow")

    def _options(self) -> tuple[str, dict[str, Any]]:
        raise NotImplementedError

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        kind, options = self._options()
        return encode_by_pillow(Image.fromarray(image), kind, **options)

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return decode_by_pillow(data)


class Jpeg(_ByPillow):
    """JPEG: progressive, with optimized Huffman tables; chroma subsampled below quality 90."""

    def _options(self) -> tuple[str, dict[str, Any]]:
        return "JPEG", _jpeg_options(self.quality, "4:2:0" if self.quality < 90 else "4:4:4")


class Jpeg444(_ByPillow):
    """JPEG whose chroma is not subsampled, at any quality."""

    def _options(self) -> tuple[str, dict[str, Any]]:
        return "JPEG", _jpeg_options(self.quality, "4:4:4")


def _jpeg_options(quality: int, subsampling: str) -> dict[str, Any]:
    options = {"optimize": True, "progressive": True, "subsampling": subsampling}
    return {"quality": quality, **options}


class WebP(_ByPillow):
    """Lossy WebP at its highest effort; alpha is lossless."""

    has_alpha = True

    def _options(self) -> tuple[str, dict[str, Any]]:
        return "WEBP", {"quality": self.quality, "method": 6}


class Avif(_ByPillow):
    """AVIF at the default effort."""

    has_alpha = True

    def __post_init__(self) -> None:
        """Check that this build of Pillow has AVIF."""
        super().__post_init__()
        if not features.check("avif"):
            expected = "a build of Pillow that has AVIF: pip install --upgrade pillow"
            raise MissingDependencyError("library libavif", expected, version_of("pillow"))

    def _options(self) -> tuple[str, dict[str, Any]]:
        return "AVIF", {"quality": self.quality}


@dataclass(frozen=True)
class WebPLossless:
    """Lossless WebP.

    Parameters
    ----------
    method : int
        Effort, 0..6.
    """

    method: int = 6
    has_alpha: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_setting("webp-lossless method", self.method, 0, 6)

    @property
    def version(self) -> str:
        """Name and version of the library that writes the files."""
        return version_of("pillow")

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        options = {"lossless": True, "quality": 100, "method": self.method}
        return encode_by_pillow(Image.fromarray(image), "WEBP", **options)

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return decode_by_pillow(data)


@dataclass(frozen=True)
class Png:
    """PNG of the pixels, optimized by oxipng at level 4."""

    has_alpha: ClassVar[bool] = True

    def __post_init__(self) -> None:
        library("oxipng", "pyoxipng")

    @property
    def version(self) -> str:
        """Name and version of the library that writes the files."""
        return version_of("pyoxipng")

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        return optimize_png(encode_by_pillow(Image.fromarray(image), "PNG"), level=4)

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return decode_by_pillow(data)


@dataclass(frozen=True)
class JpegXL:
    """Lossy JPEG XL at effort 7.

    Parameters
    ----------
    quality : int
        30..99, converted to a Butteraugli distance as by libjxl's own tools:
        0.1 + 0.09 (100 − quality).
    """

    quality: int = 80

    def __post_init__(self) -> None:
        check_setting("jpeg-xl quality", self.quality, 30, 99)
        library("imagecodecs", "imagecodecs")

    @property
    def version(self) -> str:
        """Name and version of the library that writes the files."""
        return version_of("imagecodecs")

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        return encode_jpeg_xl(image, effort=7, distance=0.1 + 0.09 * (100 - self.quality))

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return decode_jpeg_xl(data)


@dataclass(frozen=True)
class JpegXLLossless:
    """Lossless JPEG XL.

    Parameters
    ----------
    effort : int
        libjxl's effort, 1..10.
    """

    effort: int = 7

    def __post_init__(self) -> None:
        check_setting("jpeg-xl-lossless effort", self.effort, 1, 10)
        library("imagecodecs", "imagecodecs")

    @property
    def version(self) -> str:
        """Name and version of the library that writes the files."""
        return version_of("imagecodecs")

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        return encode_jpeg_xl(image, self.effort, lossless=True)

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return decode_jpeg_xl(data)
