"""Pixel codecs, lossy and lossless: JPEG, WebP, AVIF, JPEG XL and PNG."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from PIL import Image, features

from adaptive_kmeans.baselines.formats import (
    Pixels,
    decode_by_pillow,
    decode_jpeg_xl,
    encode_by_pillow,
    encode_jpeg_xl,
    optimize_png,
)
from adaptive_kmeans.baselines.libraries import library
from adaptive_kmeans.errors import MissingDependencyError
from adaptive_kmeans.registry import version_of
from adaptive_kmeans.specs import Within, check_settings


@dataclass(frozen=True)
class _ByPillow:
    """A Pillow codec with a quality setting."""

    quality: Annotated[int, Within(1, 100)] = 75

    def __post_init__(self) -> None:
        check_settings(self)

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


@dataclass(frozen=True)
class Jpeg444(_ByPillow):
    """JPEG without chroma subsampling, at any quality.

    Parameters
    ----------
    quality : int
        1..100.
    progressive : bool
        Whether to write several scans, which are smaller, instead of one.
    optimize : bool
        Whether a single-scan file has its own Huffman tables; progressive files always do.
    """

    progressive: bool = True
    optimize: bool = True

    @property
    def _subsampling(self) -> str:
        return "4:4:4"

    def _options(self) -> tuple[str, dict[str, Any]]:
        return "JPEG", {
            "quality": self.quality,
            "optimize": self.optimize,
            "progressive": self.progressive,
            "subsampling": self._subsampling,
        }


@dataclass(frozen=True)
class Jpeg(Jpeg444):
    """JPEG.

    Parameters
    ----------
    quality, progressive, optimize
        As for `Jpeg444`.
    subsampling : str
        Chroma subsampling; ``auto`` is ``4:2:0`` below quality 90, and ``4:4:4`` from 90 on.
    """

    subsampling: Literal["auto", "4:4:4", "4:2:2", "4:2:0"] = "auto"

    @property
    def _subsampling(self) -> str:
        if self.subsampling == "auto":
            return "4:2:0" if self.quality < 90 else "4:4:4"
        return self.subsampling


@dataclass(frozen=True)
class WebP(_ByPillow):
    """Lossy WebP.

    Parameters
    ----------
    quality : int
        1..100.
    method : int
        Effort, 0..6.
    alpha_quality : int
        0..100; at 100, alpha is lossless.
    exact : bool
        Whether to keep the colors of pixels that alpha hides.
    """

    method: Annotated[int, Within(0, 6)] = 6
    alpha_quality: Annotated[int, Within(0, 100)] = 100
    exact: bool = False
    has_alpha: ClassVar[bool] = True

    def _options(self) -> tuple[str, dict[str, Any]]:
        return "WEBP", dataclasses.asdict(self)


@dataclass(frozen=True)
class Avif(_ByPillow):
    """AVIF, written by libavif with the AV1 encoder of Pillow's build, usually libaom.

    Parameters
    ----------
    quality : int
        1..100.
    speed : int
        0, the slowest, to 10.
    subsampling : str
        Chroma subsampling; ``4:0:0`` is gray.
    range : str
        Luma range: ``full`` or ``limited``.
    tune : str
        What libaom optimizes for: ``psnr``, ``ssim``, ``iq`` or ``ssimulacra2``; ``default`` leaves
        it to libavif. The last two need libaom 3.12 and 3.13.
    """

    speed: Annotated[int, Within(0, 10)] = 6
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0", "4:0:0"] = "4:2:0"
    range: Literal["full", "limited"] = "full"
    tune: Literal["default", "psnr", "ssim", "iq", "ssimulacra2"] = "default"
    has_alpha: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the settings, and that this build of Pillow supports AVIF."""
        super().__post_init__()
        if not features.check("avif"):
            expected = "a build of Pillow that has AVIF: pip install --upgrade pillow"
            raise MissingDependencyError("library libavif", expected, version_of("pillow"))

    def _options(self) -> tuple[str, dict[str, Any]]:
        options = dataclasses.asdict(self)
        tune = options.pop("tune")
        return "AVIF", options if tune == "default" else options | {"advanced": {"tune": tune}}


@dataclass(frozen=True)
class WebPLossless:
    """Lossless WebP.

    Parameters
    ----------
    method : int
        Effort, 0..6.
    effort : int
        How much work each method does, 0..100; libwebp calls this quality.
    exact : bool
        Whether to keep the colors of pixels that alpha hides.
    """

    method: Annotated[int, Within(0, 6)] = 6
    effort: Annotated[int, Within(0, 100)] = 100
    exact: bool = False
    has_alpha: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def version(self) -> str:
        """Name and version of the library that writes the files."""
        return version_of("pillow")

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        options = {"quality": self.effort, "method": self.method, "exact": self.exact}
        return encode_by_pillow(Image.fromarray(image), "WEBP", lossless=True, **options)

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return decode_by_pillow(data)


@dataclass(frozen=True)
class Png:
    """PNG of the pixels, optimized by oxipng.

    Parameters
    ----------
    level : int
        oxipng's level, 0..6.
    zopfli : int
        Zopfli iterations, 0..255; with 0, libdeflate is used instead.
    """

    level: Annotated[int, Within(0, 6)] = 4
    zopfli: Annotated[int, Within(0, 255)] = 0
    has_alpha: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self)
        library("oxipng", "pyoxipng")

    @property
    def version(self) -> str:
        """Name and version of the library that writes the files."""
        return version_of("pyoxipng")

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        return optimize_png(
            encode_by_pillow(Image.fromarray(image), "PNG"), self.level, self.zopfli
        )

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return decode_by_pillow(data)


@dataclass(frozen=True)
class JpegXL:
    """Lossy JPEG XL.

    Parameters
    ----------
    quality : int
        30..99, converted to a Butteraugli distance as in libjxl's own tools:
        0.1 + 0.09 (100 − quality).
    effort : int
        libjxl's effort, 1..10.
    decoding_speed : int
        0, the smallest file, to 4, the fastest to decode.
    """

    quality: Annotated[int, Within(30, 99)] = 80
    effort: Annotated[int, Within(1, 10)] = 7
    decoding_speed: Annotated[int, Within(0, 4)] = 0

    def __post_init__(self) -> None:
        check_settings(self)
        library("imagecodecs", "imagecodecs")

    @property
    def version(self) -> str:
        """Name and version of the library that writes the files."""
        return version_of("imagecodecs")

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        distance = 0.1 + 0.09 * (100 - self.quality)
        return encode_jpeg_xl(
            image, self.effort, distance=distance, decodingspeed=self.decoding_speed
        )

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
    decoding_speed : int
        0, the smallest file, to 4, the fastest to decode.
    """

    effort: Annotated[int, Within(1, 10)] = 7
    decoding_speed: Annotated[int, Within(0, 4)] = 0

    def __post_init__(self) -> None:
        check_settings(self)
        library("imagecodecs", "imagecodecs")

    @property
    def version(self) -> str:
        """Name and version of the library that writes the files."""
        return version_of("imagecodecs")

    def encode(self, image: Pixels) -> bytes:
        """Encode pixels."""
        return encode_jpeg_xl(image, self.effort, lossless=True, decodingspeed=self.decoding_speed)

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return decode_jpeg_xl(data)
