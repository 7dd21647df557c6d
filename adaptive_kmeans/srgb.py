"""Converting an opened image file to (H, W, 3) uint8 sRGB, or with alpha to (H, W, 4).

Conversions, in this order; each is noted:

==================== ==============================================================================
orientation          the EXIF orientation is applied, once
16-bit samples       the high byte of every channel is kept
1 bit, gray, palette expanded to RGB; this is lossless, so it is not noted
CMYK, YCbCr, Lab     converted to RGB by the embedded profile, else by Pillow's formula
color profile        an embedded ICC profile is converted to sRGB (perceptual intent, Little CMS);
                     one that maps every color to within one level of itself is sRGB already
gamma                a PNG gAMA or cHRM chunk without a profile is ignored, as Pillow does
alpha                an alpha channel that is opaque everywhere is dropped; others are kept
                     unless a background color is given, over which the image is flattened;
                     palette entries and colors (tRNS) that are transparent become alpha
==================== ==============================================================================
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from adaptive_kmeans.alpha import OPAQUE, flatten, join
from adaptive_kmeans.errors import ImageError, TranslucentError

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The operation that turns a picture of each EXIF orientation upright."""
SIDEWAYS = (5, 6, 7, 8)
"""The EXIF orientations in which width and height are swapped."""


def to_srgb(
    name: str,
    image: Image.Image,
    background: tuple[int, int, int] | None,
    notes: list[str],
    orientation: int | None = None,
) -> npt.NDArray[np.uint8]:
    """Convert an opened image, and note what was converted.

    Parameters
    ----------
    name : str
        Name of the image in errors.
    image : PIL.Image.Image
        The opened file, best not yet loaded, or an image in memory.
    background : tuple of int or None
        The color over which a translucent image is flattened; None keeps its alpha.
    notes : list of str
        Receives a line for each conversion.
    orientation : int, optional
        The EXIF orientation to apply in place of the image's own.

    Returns
    -------
    (H, W, 3) uint8, or (H, W, 4) uint8 for a translucent image

    Raises
    ------
    ImageError
        The image has samples of an unsupported type.
    """
    if image.format == "MPO":
        notes.append("took the first picture of a JPEG that holds several")
    # Depth and orientation have to be read first: loading may forget both.
    deep = _has_deep_samples(name, image)
    is_own = orientation is None
    if orientation is None:
        orientation = read_orientation(image, notes)
    image.load()
    profile = image.info.get("icc_profile")
    if orientation in UPRIGHT:
        if image.format != "TIFF" or not is_own:  # Pillow turns those upright while loading
            image = image.transpose(UPRIGHT[orientation])
        notes.append(f"applied the EXIF orientation {orientation}")
    if deep:
        if "transparency" in image.info:
            expected = "an alpha channel where samples have 16 bits"
            raise TranslucentError(name, expected, "a transparent color")
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
    return pixels if alpha is None else _with_alpha(pixels, alpha, background, notes)


def read_orientation(image: Image.Image, notes: list[str]) -> int:
    """Return the EXIF orientation of an opened image, 1 if it has none."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:
        notes.append("ignored EXIF data that cannot be read")
        return 1


def _has_deep_samples(name: str, image: Image.Image) -> bool:
    """Whether the file has 16 bits per sample; Pillow drops the low byte of colors.

    Once loaded, colors show it only by a transparent color that 8 bits cannot hold.
    """
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(258, (8,))
        depth = max(bits if isinstance(bits, tuple) else (bits,))
        if 8 < depth < 16:
            raise ImageError(name, "samples of at most 8, or of 16 bits", f"{depth} bits")
        if depth > 8:
            return True
    if image.mode[0] in "IF":
        return True
    if image.format != "PNG":
        return False
    tiles = getattr(image, "tile", None)
    if tiles:
        return any("16" in str(part) for tile in tiles for part in tile[3:])
    transparent = image.info.get("transparency")
    return isinstance(transparent, tuple) and max(transparent) > 255


def _high_bytes(name: str, image: Image.Image) -> Image.Image:
    """Keep the high byte of 16-bit gray; for color, loading has done so."""
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
    """Convert to sRGB by an embedded profile, or without one to RGB by Pillow's formulas."""
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
    """Whether a transform changes no color of a 17×17×17 lattice by more than one level."""
    levels = np.linspace(0, 255, 17).round().astype(np.uint8)
    lattice = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    lattice = lattice.reshape(17, -1, 3)
    moved = ImageCms.applyTransform(Image.fromarray(lattice), transform)
    return bool((np.abs(np.asarray(moved).astype(int) - lattice) <= 1).all())


def _with_alpha(
    pixels: npt.NDArray[np.uint8],
    alpha: npt.NDArray[np.uint8],
    background: tuple[int, int, int] | None,
    notes: list[str],
) -> npt.NDArray[np.uint8]:
    """Drop an opaque alpha channel, flatten a translucent one over the background, or keep it."""
    if alpha.min() == OPAQUE:
        notes.append("dropped an alpha channel that is opaque everywhere")
        return pixels
    image = join(pixels, alpha)
    if background is None:
        return image
    notes.append(f"flattened the alpha channel over #{bytes(background).hex()}")
    return flatten(image, background)
