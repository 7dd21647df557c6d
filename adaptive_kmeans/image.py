"""Reading and writing images: from any of six formats to (H, W, 3) uint8 sRGB, and back.

What is converted, in this order, and said in `SourceImage.notes`:

==================== ==============================================================================
orientation          the EXIF orientation is applied, once
samples of 16 bits   the high byte is kept, of every channel
1 bit, gray, palette expanded to RGB; this loses nothing, so it is no note
CMYK, YCbCr, Lab     converted to RGB by the embedded profile, else by Pillow's formula
color profile        an embedded ICC profile is converted to sRGB (perceptual intent, Little CMS);
                     one that maps every color to within one level of itself is sRGB already
gamma                a PNG gAMA or cHRM chunk without a profile is ignored, as Pillow does
alpha                an alpha channel that is opaque everywhere is dropped; another one is refused
                     unless a background color is given, over which it is flattened
==================== ==============================================================================
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageColor, UnidentifiedImageError

from adaptive_kmeans import files
from adaptive_kmeans.blocks import MAX_PIXELS, check_pixels
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, ImageError, LimitError

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How a picture of each EXIF orientation is put upright."""

READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
MAX_FILE_BYTES = 2**31

WRITABLE: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": "4:4:4"}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": "4:4:4"}),
    ".webp": ("WEBP", {"lossless": True}),
    ".tif": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".bmp": ("BMP", {}),
}
"""Format and options by the extension of an output; all but JPEG are lossless."""


@dataclass(frozen=True, eq=False)
class SourceImage:
    """An image that was read.

    Parameters
    ----------
    pixels : (H, W, 3) uint8
        The image in sRGB.
    notes : tuple of str
        What was converted, one line each; empty when the file held just these pixels.
    file_format : str
        Format of the file, such as "PNG".
    file_bytes : int
        Size of the file.
    """

    pixels: npt.NDArray[np.uint8]
    notes: tuple[str, ...]
    file_format: str
    file_bytes: int


def read_image(path: str | Path, background: str | None = None) -> SourceImage:
    """Read an image file, or standard input for `-`.

    Parameters
    ----------
    path : str or Path
        A PNG, JPEG, WebP, TIFF, BMP or GIF file with one frame.
    background : str, optional
        Color over which a translucent image is flattened: a name or ``#rrggbb``.

    Raises
    ------
    ReadError
        The file cannot be read.
    ImageError
        It is no image, damaged, empty, animated, or translucent without a background.
    LimitError
        It has more than 2²⁷ pixels, or 2³¹ bytes.
    ConfigError
        The background is no color.
    """
    data = files.read_bytes(path, MAX_FILE_BYTES)
    return decode_image(data, name=str(path), background=background)


def decode_image(data: bytes, name: str = "image", background: str | None = None) -> SourceImage:
    """Decode the bytes of an image file; see `read_image`.

    Examples
    --------
    >>> data = encode_image(np.zeros((2, 3, 3), dtype=np.uint8), ".png")
    >>> decode_image(data).pixels.shape
    (2, 3, 3)
    """
    color = None if background is None else parse_color(background)
    if not data:
        raise ImageError(name, "an image", "an empty file")
    with _pillow_errors(name), Image.open(io.BytesIO(data), formats=READABLE) as image:
        _check_size(name, image)
        _check_single_frame(name, image)
        notes: list[str] = []
        file_format = str(image.format)
        rgb = _to_srgb(name, image, color, notes)
    return SourceImage(rgb, tuple(notes), file_format, len(data))


def encode_image(pixels: npt.NDArray[np.uint8], extension: str = ".png") -> bytes:
    """Encode (H, W, 3) uint8 pixels in the format that an extension names.

    Raises
    ------
    ConfigError
        No such format can be written, or the image is too large for it.
    """
    file_format, options = output_format(extension)
    buffer = io.BytesIO()
    try:
        Image.fromarray(pixels).save(buffer, format=file_format, **options)
    except (OSError, ValueError) as error:
        size = f"{pixels.shape[1]}×{pixels.shape[0]}"
        expected = f"a size that {file_format} can hold"
        raise ConfigError("output image", expected, f"{size} ({error})") from error
    return buffer.getvalue()


def output_format(extension: str) -> tuple[str, dict[str, Any]]:
    """Return the format and options for an extension such as ``.png``, in any case.

    Raises
    ------
    ConfigError
        No such format can be written.
    """
    if extension.lower() not in WRITABLE:
        raise ConfigError("output", f"one of {', '.join(WRITABLE)}", extension or "no extension")
    file_format, options = WRITABLE[extension.lower()]
    return file_format, dict(options)


@contextmanager
def _pillow_errors(name: str) -> Iterator[None]:
    """Turn what Pillow raises, and it raises many things on damaged files, into our errors."""
    try:
        with warnings.catch_warnings():
            # Sizes have our own limit; a warning about metadata is no error of the pixels.
            warnings.simplefilter("ignore")
            yield
    except AdaptiveKMeansError:
        raise
    except Image.DecompressionBombError as error:
        raise LimitError(name, f"at most {MAX_PIXELS:,} pixels", "more") from error
    except UnidentifiedImageError as error:
        expected = f"an image: {', '.join(READABLE)}"
        raise ImageError(name, expected, "something else, or a damaged file") from error
    except Exception as error:
        # Damaged metadata makes Pillow raise nearly anything.
        raise ImageError(name, "a whole, undamaged image", error) from error


def _check_size(name: str, image: Image.Image) -> None:
    if image.width < 1 or image.height < 1:
        raise ImageError(name, "at least 1×1 pixels", f"{image.width}×{image.height}")
    check_pixels(name, image.width, image.height)


def _check_single_frame(name: str, image: Image.Image) -> None:
    # A phone's JPEG may carry a preview as its second picture; the first is the photograph.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames != 1:
        raise ImageError(name, "a single image", f"{frames} frames or pages")


def _to_srgb(
    name: str, image: Image.Image, background: tuple[int, int, int] | None, notes: list[str]
) -> npt.NDArray[np.uint8]:
    """Convert an opened image to (H, W, 3) uint8, and note what was converted."""
    if image.format == "MPO":
        notes.append("took the first picture of a JPEG that holds several")
    # What Pillow will decode, and how it lies; loading forgets both.
    deep = _has_deep_samples(name, image)
    orientation = _orientation(image, notes)
    image.load()
    profile = image.info.get("icc_profile")
    if orientation in TURNS:
        if image.format != "TIFF":  # which Pillow has turned while loading
            image = image.transpose(TURNS[orientation])
        notes.append(f"applied the EXIF orientation {orientation}")
    if deep:
        if "transparency" in image.info:
            expected = "an alpha channel where samples have 16 bits"
            raise ImageError(name, expected, "a transparent color")
        image = _high_bytes(name, image)
        notes.append("kept the high byte of samples of 16 bits")
    alpha = None
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA").getchannel("A"))
        image = image.convert("L" if image.mode in ("L", "LA", "La") else "RGB")
    elif image.mode in ("1", "P"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    image = _apply_profile(image, profile, notes)
    pixels = np.asarray(image)
    return pixels if alpha is None else _flatten(name, pixels, alpha, background, notes)


def _orientation(image: Image.Image, notes: list[str]) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:
        notes.append("ignored EXIF data that cannot be read")
        return 1


def _has_deep_samples(name: str, image: Image.Image) -> bool:
    """Whether the file has 16 bits a sample; Pillow drops the low ones of colors."""
    if image.format == "PNG":
        tiles = getattr(image, "tile", None) or ()
        return any("16" in str(part) for tile in tiles for part in tile[3:])
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(258, (8,))
        depth = max(bits if isinstance(bits, tuple) else (bits,))
        if 8 < depth < 16:
            raise ImageError(name, "samples of at most 8, or of 16 bits", f"{depth} bits")
        return bool(depth > 8)
    return image.mode[0] in "IF"


def _high_bytes(name: str, image: Image.Image) -> Image.Image:
    """Keep the high byte of 16-bit gray; color was cut to it when Pillow loaded it."""
    if image.mode.startswith("I;16"):
        high = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        white_is_zero = getattr(image, "tag_v2", {}).get(262) == 0
        return Image.fromarray(255 - high if white_is_zero else high)
    if image.mode == "I":
        samples = np.asarray(image)
        if samples.min() < 0 or samples.max() > 0xFFFF:
            raise ImageError(name, "samples of at most 16 bits", "32-bit integers")
        return Image.fromarray((samples >> 8).astype(np.uint8))
    if image.mode == "F":
        raise ImageError(name, "integer samples", "floating-point samples")
    return image


def _apply_profile(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """Convert by an embedded profile to sRGB, or without one by Pillow's formulas to RGB."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            transform = ImageCms.buildTransform(
                source, ImageCms.createProfile("sRGB"), image.mode, "RGB"
            )
            if image.mode == "RGB" and _is_identity(transform):
                return image
            description = ImageCms.getProfileDescription(source).strip()
            converted = ImageCms.applyTransform(image, transform)
        except (ImageCms.PyCMSError, OSError, ValueError):
            notes.append(f"ignored a color profile that does not fit the {image.mode} image")
        else:
            if converted is not None:
                notes.append(f"converted the color profile {description!r} to sRGB")
                return converted
    if image.mode not in ("RGB", "L"):
        notes.append(f"converted {image.mode} to RGB")
    return image.convert("RGB")


def _is_identity(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether a transform moves no color of a 17×17×17 lattice by more than one level."""
    levels = np.linspace(0, 255, 17).round().astype(np.uint8)
    lattice = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    lattice = lattice.reshape(17, -1, 3)
    moved = ImageCms.applyTransform(Image.fromarray(lattice), transform)
    return bool((np.abs(np.asarray(moved).astype(int) - lattice) <= 1).all())


def _flatten(
    name: str,
    pixels: npt.NDArray[np.uint8],
    alpha: npt.NDArray[np.uint8],
    background: tuple[int, int, int] | None,
    notes: list[str],
) -> npt.NDArray[np.uint8]:
    """Drop an opaque alpha channel, or flatten a translucent one over the background."""
    lowest = int(alpha.min())
    if lowest == 255:
        notes.append("dropped an alpha channel that is opaque everywhere")
        return pixels
    if background is None:
        raise ImageError(
            name,
            "an opaque image, or --background COLOR to flatten it over",
            f"an alpha channel that goes down to {lowest} of 255",
        )
    weight = alpha[..., None].astype(np.uint16)
    blended = pixels * weight + np.array(background, dtype=np.uint16) * (255 - weight)
    notes.append(f"flattened the alpha channel over #{bytes(background).hex()}")
    return ((blended + 127) // 255).astype(np.uint8)


def parse_color(text: str) -> tuple[int, int, int]:
    """Parse an opaque color: a name, ``#rrggbb`` or what else Pillow takes.

    Raises
    ------
    ConfigError
        It is none.

    Examples
    --------
    >>> parse_color("white")
    (255, 255, 255)
    """
    color: tuple[int, ...] = ()
    with suppress(ValueError):
        color = ImageColor.getrgb(text)
    if len(color) != 3 or not all(0 <= level <= 255 for level in color):
        expected = "an opaque color: a name such as white, or #rrggbb"
        raise ConfigError("background", expected, text)
    return color[0], color[1], color[2]
