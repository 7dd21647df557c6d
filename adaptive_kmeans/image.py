"""Reading and writing images: from any of six formats to uint8 sRGB, and back.

Pixels are (H, W, 3), or (H, W, 4) where an image has alpha: see `adaptive_kmeans.alpha`.

`adaptive_kmeans.srgb` has the conversions, which `SourceImage.notes` reports.
"""

from __future__ import annotations

import io
import os
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, UnidentifiedImageError

from adaptive_kmeans import files, metadata
from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    ConfigError,
    ImageError,
    LimitError,
    ReadError,
)
from adaptive_kmeans.limits import (
    DEFAULT,
    MAX_PALETTE,
    MAX_QUALITY,
    WITH_ALPHA,
    Limits,
    check_image,
    check_integer,
    check_limits,
)
from adaptive_kmeans.metadata import NO_METADATA, Metadata
from adaptive_kmeans.palette import in_gray, is_gray, with_palette
from adaptive_kmeans.srgb import SIDEWAYS, read_orientation, to_srgb

READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")

_JPEG = {"quality": 95, "subsampling": "4:4:4"}  # K-means puts edges into chroma, too

WRITABLE: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", _JPEG),
    ".jpeg": ("JPEG", _JPEG),
    ".webp": ("WEBP", {"lossless": True}),
    ".tif": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".bmp": ("BMP", {}),
}
"""Format and options by the extension of an output; all but JPEG are lossless."""

LOSSY: dict[str, dict[str, Any]] = {"JPEG": {}, "WEBP": {"lossless": False, "method": 6}}
"""Formats that take a quality, and the other options that they then have."""
DEFAULT_JPEG_QUALITY = _JPEG["quality"]
WITH_TRANSPARENCY = ("PNG", "WEBP", "TIFF")
"""Formats of `WRITABLE` that hold alpha."""
WITH_GRAY = ("PNG", "JPEG", "TIFF")
"""Formats in which gray images are written with one channel."""


@dataclass(frozen=True, eq=False)
class SourceImage:
    """An image that was read.

    Parameters
    ----------
    pixels : (H, W, 3) or (H, W, 4) uint8
        The image in sRGB, with alpha if it is translucent.
    notes : tuple of str
        What was converted, one line each; empty if the file held exactly these pixels.
    file_format : str
        Format of the file, such as "PNG".
    file_bytes : int
        Size of the file.
    metadata : Metadata
        EXIF and XMP, adapted to these pixels.
    """

    pixels: npt.NDArray[np.uint8]
    notes: tuple[str, ...]
    file_format: str
    file_bytes: int
    metadata: Metadata = NO_METADATA


def load(
    path: str | Path | BinaryIO | Image.Image,
    background: str | None = None,
    *,
    limits: Limits = DEFAULT,
) -> npt.NDArray[np.uint8]:
    """Read the pixels of an image file as sRGB: (H, W, 3) uint8, or (H, W, 4) with alpha.

    `read_image` does the same, and also reports what it converted.

    Parameters
    ----------
    path : str, Path, file object or PIL.Image.Image
        A PNG, JPEG, WebP, TIFF, BMP or GIF file with one frame, or `-` for standard input; a file
        open in binary mode, read from its current position; or a Pillow image.
    background : str, optional
        Color over which a translucent image is flattened: a name or ``#rrggbb``. By default its
        alpha is kept.
    limits : Limits
        How large the image and its file may be.

    Raises
    ------
    ReadError, ImageError, LimitError, ConfigError
        See `read_image`.

    Examples
    --------
    >>> import tempfile
    >>> image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/small.png", image)
    ...     bool((load(f"{folder}/small.png") == image).all())
    True
    """
    if isinstance(path, str | Path):
        return read_image(path, background, limits).pixels
    color = None if background is None else parse_color(background)
    check_limits(limits)
    if isinstance(path, Image.Image):
        return read_pillow(path, color, limits)
    if isinstance(path, np.ndarray) or not hasattr(path, "read"):
        check_path(path)
    name = str(getattr(path, "name", "file"))
    try:
        data = path.read(limits.file_bytes + 1)
    except OSError as error:
        raise ReadError(name, "a file that can be read", files.reason(error)) from error
    if not isinstance(data, bytes):
        raise ConfigError(name, "a file in binary mode", "one in text mode")
    limits.check(name, "file_bytes", len(data))
    return decode_image(data, name, background, limits).pixels


def as_pixels(image: object, what: str = "image") -> npt.NDArray[np.uint8]:
    """Return the pixels of an image in any of the forms that users have.

    Parameters
    ----------
    image : array, str, Path, file object or PIL.Image.Image
        An (H, W, 3) or (H, W, 4) uint8 array, or what `load` takes.
    what : str
        What messages call it.

    Raises
    ------
    ImageError
        It is something else.
    ReadError, LimitError
        See `load`.

    Examples
    --------
    >>> as_pixels(Image.new("L", (3, 2), 7)).shape
    (2, 3, 3)
    """
    if isinstance(image, np.ndarray):
        return check_image(image, what, channels=WITH_ALPHA)
    if isinstance(image, str | Path | Image.Image) or hasattr(image, "read"):
        return load(image)  # type: ignore[arg-type]
    expected = "a (height, width, 3 or 4) uint8 array, a path, a file or a Pillow image"
    raise ImageError(what, expected, type(image).__name__)


def read_pillow(
    image: Image.Image,
    color: tuple[int, int, int] | None = None,
    limits: Limits = DEFAULT,
    orientation: int | None = None,
) -> npt.NDArray[np.uint8]:
    """Return the pixels of a Pillow image as sRGB.

    Parameters
    ----------
    image : PIL.Image.Image
    color : (int, int, int), optional
        Color over which a translucent image is flattened.
    limits : Limits
        How large the image may be.
    orientation : int, optional
        The EXIF orientation to apply in place of the image's own.

    Raises
    ------
    ImageError, LimitError
        See `read_image`.
    """
    name = str(getattr(image, "filename", "") or "Pillow image")
    with _pillow_errors(name, limits):
        _check_size(name, image, limits)
        _check_single_frame(name, image)
        return to_srgb(name, image, color, [], orientation)


def save(path: str | Path, image: npt.NDArray[np.uint8]) -> None:
    """Write an image file, whole or not at all, in the format that its extension names.

    Parameters
    ----------
    path : str or Path
        A name that ends in one of `WRITABLE`, or `-` for a PNG on standard output.
    image : (H, W, 3) or (H, W, 4) uint8
        sRGB pixels, and alpha.

    Raises
    ------
    ConfigError
        The extension names no format that can be written, or the image is too large for it.
    ImageError
        The array is not an image.
    OutputError
        The file cannot be written; an existing one is unharmed.
    """
    check_path(path)
    to_stream = str(path) == files.STANDARD_STREAM
    files.write_bytes(path, encode_image(image, ".png" if to_stream else Path(path).suffix))


def check_path(path: object) -> None:
    """Raise `ConfigError` unless this can be the name of a file."""
    if not isinstance(path, str | Path):
        raise ConfigError("path", "a str or a Path", type(path).__name__)
    if "\0" in str(path):
        raise ConfigError("path", "a name without NUL", repr(str(path)))


def read_image(
    path: str | Path, background: str | None = None, limits: Limits = DEFAULT
) -> SourceImage:
    """Read an image file, or standard input for `-`.

    Parameters
    ----------
    path : str or Path
        A PNG, JPEG, WebP, TIFF, BMP or GIF file with one frame.
    background : str, optional
        Color over which a translucent image is flattened: a name or ``#rrggbb``. By default its
        alpha is kept.
    limits : Limits
        How large the image and its file may be.

    Raises
    ------
    ReadError
        The file cannot be read.
    ImageError
        It is not an image, or is damaged, empty or animated.
    LimitError
        It has more pixels or bytes than the limits allow.
    ConfigError
        The background is not a color.
    """
    check_path(path)
    data = files.read_bytes(
        path,
        check_limits(limits).file_bytes,
        check_start=lambda start: check_start(str(path), start),
    )
    return decode_image(data, name=str(path), background=background, limits=limits)


def decode_image(
    data: bytes,
    name: str = "image",
    background: str | None = None,
    limits: Limits = DEFAULT,
) -> SourceImage:
    """Decode the bytes of an image file; see `read_image`.

    Examples
    --------
    >>> data = encode_image(np.zeros((2, 3, 3), dtype=np.uint8), ".png")
    >>> decode_image(data).pixels.shape
    (2, 3, 3)
    """
    color = None if background is None else parse_color(background)
    check_start(name, data[: files.START_BYTES])
    with _pillow_errors(name, limits), Image.open(io.BytesIO(data), formats=READABLE) as image:
        _check_size(name, image, limits)
        _check_single_frame(name, image)
        notes: list[str] = []
        file_format = str(image.format)
        with _libtiff_messages(image) as messages:
            found = metadata.find(image, notes) if file_format == "TIFF" else None
            pixels = to_srgb(name, image, color, notes)
        notes += messages[:1]
        if found is None:
            found = metadata.find(image, notes)
    return SourceImage(pixels, tuple(dict.fromkeys(notes)), file_format, len(data), found)


def read_size(path: str | Path, limits: Limits = DEFAULT) -> tuple[int, int]:
    """Return the width and the height of an image file, upright, without decoding its pixels.

    Raises
    ------
    ReadError, ImageError, LimitError
        See `read_image`; damaged pixels are not detected.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/small.png", np.zeros((2, 3, 3), dtype=np.uint8))
    ...     read_size(f"{folder}/small.png")
    (3, 2)
    """
    name = str(path)
    check_path(path)
    try:
        with Path(path).open("rb") as file, _pillow_errors(name, limits):
            return _read_size(name, file, limits)
    except AdaptiveKMeansError:
        raise
    except OSError as error:
        raise ReadError(name, "a file that can be read", files.reason(error)) from error


def _read_size(name: str, file: BinaryIO, limits: Limits) -> tuple[int, int]:
    with Image.open(file, formats=READABLE) as image:
        _check_size(name, image, limits)
        # Pillow turns TIFF files upright while opening them
        sideways = image.format != "TIFF" and read_orientation(image, []) in SIDEWAYS
        return (image.height, image.width) if sideways else (image.width, image.height)


def encode_image(
    pixels: npt.NDArray[np.uint8],
    extension: str = ".png",
    *,
    quality: int | None = None,
    is_indexed: bool = False,
    beside: Metadata = NO_METADATA,
    notes: list[str] | None = None,
) -> bytes:
    """Encode (H, W, 3) or (H, W, 4) uint8 pixels in the format that an extension names.

    Gray images are written with one channel where the format supports it.

    Parameters
    ----------
    pixels : (H, W, 3) or (H, W, 4) uint8
    extension : str
        One of `WRITABLE`.
    quality : int, optional
        1 to 100, for JPEG (by default 95) and WebP (by default lossless). JPEG keeps chroma at full
        resolution.
    is_indexed : bool
        Whether a color PNG gets a palette, of as few bits as possible, if it has at most 256
        colors. Other formats must be lossless.
    beside : Metadata, optional
        EXIF and XMP for formats that hold them.
    notes : list of str, optional
        Receives a line for each request that the file cannot fulfill.

    Raises
    ------
    ConfigError
        The format cannot be written, or cannot hold alpha or an image of that size.
    ImageError
        The array is not an image.
    """
    notes = [] if notes is None else notes
    file_format, options = output_format(extension, quality, is_indexed=is_indexed)
    check_image(pixels, channels=WITH_ALPHA)
    if pixels.shape[2] == 4 and file_format not in WITH_TRANSPARENCY:
        holding = [name for name, (kind, _) in WRITABLE.items() if kind in WITH_TRANSPARENCY]
        expected = f"a format that holds alpha: {', '.join(holding)}, or --background COLOR"
        raise ConfigError("output", expected, extension.lower())
    picture = _picture(pixels, file_format, is_indexed, notes)
    if beside.names:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                described = metadata.options_of_file(beside, file_format, notes)
                buffer = io.BytesIO()
                picture.save(buffer, format=file_format, **options, **described)
            return buffer.getvalue()
        except Exception:  # absurd metadata never costs an image
            notes.append(f"left out {beside.names}, which cannot be written")
    buffer = io.BytesIO()
    try:
        picture.save(buffer, format=file_format, **options)
    except (OSError, ValueError) as error:
        size = f"{pixels.shape[1]}×{pixels.shape[0]}"
        expected = f"a size that {file_format} can hold"
        raise ConfigError("output image", expected, f"{size} ({error})") from error
    return buffer.getvalue()


def _picture(
    pixels: npt.NDArray[np.uint8], file_format: str, is_indexed: bool, notes: list[str]
) -> Image.Image:
    """Return pixels in the smallest mode that a format has for them."""
    has_palette = is_indexed and file_format == "PNG"
    gray = file_format in WITH_GRAY and is_gray(pixels)
    if gray and not (has_palette and pixels.shape[2] == 4):
        return in_gray(pixels)
    if has_palette:
        indexed = with_palette(pixels)
        if indexed is not None:
            return indexed
        notes.append(f"more than {MAX_PALETTE} colors, so there is no palette")
    return in_gray(pixels) if gray else Image.fromarray(pixels)


def output_format(
    extension: str, quality: int | None = None, *, is_indexed: bool = False
) -> tuple[str, dict[str, Any]]:
    """Return the format and options for an extension such as ``.png``, in any case.

    Raises
    ------
    ConfigError
        The format cannot be written, or cannot do what is asked.
    """
    if extension.lower() not in WRITABLE:
        raise ConfigError("output", f"one of {', '.join(WRITABLE)}", extension or "no extension")
    file_format, options = WRITABLE[extension.lower()]
    if quality is not None:
        quality = check_integer("quality", quality, 1, MAX_QUALITY)
        if is_indexed:
            raise ConfigError("options", "either --indexed or --quality", "both")
        if file_format not in LOSSY:
            lossy = [name for name, (kind, _) in WRITABLE.items() if kind in LOSSY]
            raise ConfigError("--quality", f"an output in {', '.join(lossy)}", extension.lower())
        return file_format, options | LOSSY[file_format] | {"quality": quality}
    if is_indexed and file_format == "JPEG":
        raise ConfigError("--indexed", "a lossless format, such as .png", extension.lower())
    return file_format, dict(options)


@contextmanager
def _pillow_errors(name: str, limits: Limits) -> Iterator[None]:
    """Turn whatever Pillow raises, which is many things for damaged files, into our errors."""
    try:
        with warnings.catch_warnings():
            # Sizes have our own limit; a warning about metadata is not an error in the pixels.
            warnings.simplefilter("ignore")
            yield
    except AdaptiveKMeansError:
        raise
    except Image.DecompressionBombError as error:
        raise LimitError(name, f"at most {limits.pixels:,} pixels", "more") from error
    except UnidentifiedImageError as error:
        expected = f"an image: {', '.join(READABLE)}"
        raise ImageError(name, expected, "something else, or a damaged file") from error
    except Exception as error:
        # Damaged metadata makes Pillow raise nearly anything.
        raise ImageError(name, "a whole, undamaged image", error) from error


def is_image(start: bytes) -> bool:
    """Whether a file that starts with these bytes claims to be one of `READABLE`.

    Examples
    --------
    >>> is_image(encode_image(np.zeros((2, 3, 3), dtype=np.uint8))[: files.START_BYTES])
    True
    """
    from PIL import TiffImagePlugin, WebPImagePlugin  # noqa: F401  # they register themselves

    Image.preinit()
    tests = (Image.OPEN[file_format][1] for file_format in READABLE)
    return any(accepts is not None and bool(accepts(start)) for accepts in tests)


def check_start(name: str, start: bytes) -> None:
    """Raise `ImageError` for a file that is not an image by its first bytes."""
    if not start:
        raise ImageError(name, "an image", "an empty file")
    if not is_image(start):
        raise ImageError(name, f"an image: {', '.join(READABLE)}", "something else")


_STANDARD_ERROR = 2
_redirecting = threading.Lock()


@contextmanager
def _libtiff_messages(image: Image.Image) -> Iterator[list[str]]:
    """Catch what libtiff itself writes to standard error; the lines are there at the end.

    The descriptor belongs to the whole process, so this is done only for the format that needs it.
    """
    messages: list[str] = []
    if image.format != "TIFF":
        yield messages
        return
    with _redirecting, tempfile.TemporaryFile() as caught:
        try:
            kept = os.dup(_STANDARD_ERROR)
        except OSError:  # closed, so there is nothing to keep clean
            yield messages
            return
        os.dup2(caught.fileno(), _STANDARD_ERROR)
        try:
            yield messages
        finally:
            os.dup2(kept, _STANDARD_ERROR)
            os.close(kept)
            caught.seek(0)
            text = caught.read().decode(errors="replace")
            messages += [f"libtiff says: {' '.join(line.split())}" for line in text.splitlines()]


def _check_size(name: str, image: Image.Image, limits: Limits) -> None:
    if image.width < 1 or image.height < 1:
        raise ImageError(name, "at least 1×1 pixels", f"{image.width}×{image.height}")
    limits.check_pixels(name, image.width, image.height)


def _check_single_frame(name: str, image: Image.Image) -> None:
    # A phone's JPEG may carry a preview as its second picture; the first is the photograph.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames != 1:
        raise ImageError(name, "a single image", f"{frames} frames or pages")


def parse_color(text: str) -> tuple[int, int, int]:
    """Parse an opaque color: a name, ``#rrggbb`` or anything else that Pillow takes.

    Raises
    ------
    ConfigError
        It is not an opaque color.

    Examples
    --------
    >>> parse_color("white")
    (255, 255, 255)
    """
    color: tuple[int, ...] = ()
    with suppress(ValueError, AttributeError, TypeError):
        color = ImageColor.getrgb(text)
    if len(color) != 3 or not all(0 <= level <= 255 for level in color):
        expected = "an opaque color: a name such as white, or #rrggbb"
        raise ConfigError("background", expected, text)
    return color[0], color[1], color[2]
