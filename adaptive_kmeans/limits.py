"""Limits: the most that an image, a setting or a file may ask for, each stated once.

The constants are the maxima of the format and of the package; `Limits` are what one call allows,
and may be set lower, as `RESTRICTIVE` does for untrusted files.

A decoder also checks what a file would need before it allocates anything: see
`adaptive_kmeans.container`.
"""

from __future__ import annotations

import operator
import reprlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.errors import ConfigError, ImageError, LimitError, UnknownNameError

BAND_PIXELS = 2**22
"""Approximate number of pixels in a band by default. Bands of half the size would cost photographs
0.3 to 0.5 % of their bytes, but screens 4 to 9 %, because distant repeats would not be found."""
MAX_BLOCK_SIZE = 256
"""Side of a block in pixels."""
WITH_ALPHA = (3, 4)
"""Channels of an image that may have alpha."""
MAX_PIXELS = 2**27
"""Pixels of an image that is read, encoded or decoded: 134 megapixels."""
MAX_CODEWORDS = 4096
"""Codewords of a codebook."""
MAX_REGIONS = 255
MAX_BANDS = 1024
"""Bands of a file. The encoder makes 32 for the largest image. A coder starts afresh in each band,
so their number bounds the time that a small hostile file can take."""
MAX_ANCILLARY = 256
"""Ancillary sections of a file."""
MAX_METADATA_BYTES = 2**22
"""Bytes of EXIF, and likewise of XMP, in a file, after decompression."""
MAX_PALETTE = 256
"""Colors of the palette of a PNG."""
MAX_QUALITY = 100
"""Quality of JPEG and WebP."""
MAX_FILE_BYTES = 2**31
"""Bytes of a file that is read, in any format."""


def check_integer(name: str, value: object, low: int, high: int) -> int:
    """Return an integer, NumPy's included, that lies in ``low..high``.

    Raises
    ------
    ConfigError
        It is not an integer, or is out of range.

    Examples
    --------
    >>> check_integer("k", np.int64(16), 1, 256)
    16
    """
    number: int | None = None
    if not isinstance(value, bool | np.bool_) and hasattr(value, "__index__"):
        try:
            number = operator.index(value)
        except TypeError:  # an array of several numbers
            number = None
    if number is None or not low <= number <= high:
        raise ConfigError(name, f"an integer in {low}..{high}", reprlib.repr(value))
    return number


@dataclass(frozen=True)
class Limits:
    """What one call may read or decode; anything above raises `LimitError`.

    Parameters
    ----------
    pixels : int
        Pixels of the image.
    codewords : int
        Codewords of a codebook.
    regions : int
        Regions, and so codebooks, of a file.
    bands : int
        Bands of a file.
    file_bytes : int
        Size of the file.
    memory_bytes : int
        Memory that decoding allocates, as estimated from the file's header. The default keeps a
        whole process below a gigabyte.
    metadata_bytes : int
        Bytes of EXIF, and likewise of XMP; anything larger is left out, which is not an error.

    Raises
    ------
    ConfigError
        A limit is not an integer, is below 1, or is above what the format can hold.

    Examples
    --------
    >>> Limits(pixels=10**6).bands
    1024
    """

    pixels: int = MAX_PIXELS
    codewords: int = MAX_CODEWORDS
    regions: int = MAX_REGIONS
    bands: int = MAX_BANDS
    file_bytes: int = MAX_FILE_BYTES
    memory_bytes: int = 800 * 2**20
    metadata_bytes: int = MAX_METADATA_BYTES

    def __post_init__(self) -> None:
        highest = {
            "pixels": MAX_PIXELS,
            "codewords": MAX_CODEWORDS,
            "regions": MAX_REGIONS,
            "bands": MAX_BANDS,
            "file_bytes": MAX_FILE_BYTES,
            "memory_bytes": 2**63 - 1,
            "metadata_bytes": MAX_METADATA_BYTES,
        }
        for name, most in highest.items():
            value = check_integer(f"limit of {name}", getattr(self, name), 1, most)
            object.__setattr__(self, name, value)

    def check(self, what: str, limit: str, value: int) -> None:
        """Raise `LimitError` when a value exceeds the limit of that name.

        Examples
        --------
        >>> Limits(bands=8).check("file", "bands", 9)
        Traceback (most recent call last):
        adaptive_kmeans.errors.LimitError: file: expected at most 8 bands, received 9
        """
        most = getattr(self, limit)
        if value > most:
            raise LimitError(what, f"at most {most:,} {_WORDS.get(limit, limit)}", f"{value:,}")

    def check_pixels(self, what: str, width: int, height: int) -> None:
        """Raise `LimitError` for an image that has more pixels than the limit."""
        if width * height > self.pixels:
            raise LimitError(what, f"at most {self.pixels:,} pixels", f"{width}×{height}")


_WORDS = {"file_bytes": "bytes", "memory_bytes": "bytes of memory", "metadata_bytes": "bytes"}

DEFAULT = Limits()
"""Limits that allow whatever the encoder writes."""

RESTRICTIVE = Limits(
    pixels=2**24,
    codewords=1024,
    regions=16,
    bands=256,
    file_bytes=2**25,
    memory_bytes=256 * 2**20,
    metadata_bytes=2**18,
)
"""For untrusted files: 16 megapixels, a file of 32 MB, a quarter of a gigabyte of memory."""

PRESETS = {"default": DEFAULT, "restrictive": RESTRICTIVE}
"""The presets by the names that the command line takes."""


def preset(name: str) -> Limits:
    """Return the preset of that name.

    Raises
    ------
    UnknownNameError
        There is no such preset.
    """
    if name not in PRESETS:
        raise UnknownNameError("limits", str(name), PRESETS)
    return PRESETS[name]


def check_limits(limits: Limits) -> Limits:
    """Return limits; raise `ConfigError` for anything else."""
    if not isinstance(limits, Limits):
        raise ConfigError("limits", "a Limits", type(limits).__name__)
    return limits


def check_image(
    image: npt.NDArray[np.uint8],
    what: str = "image",
    limits: Limits = DEFAULT,
    channels: tuple[int, ...] = (3,),
) -> npt.NDArray[np.uint8]:
    """Return an array, which must be an 8-bit image.

    Parameters
    ----------
    image : (H, W, 3) uint8
        The pixels.
    what : str
        What messages call it.
    limits : Limits
        How many pixels it may have.
    channels : tuple of int
        How many channels it may have: 4 with alpha.

    Raises
    ------
    ImageError
        It is not such an image, or has no pixels.
    LimitError
        It has too many pixels.

    Examples
    --------
    >>> check_image(np.zeros((2, 3, 3), dtype=np.uint8)).shape
    (2, 3, 3)
    """
    expected = f"a (height, width, {' or '.join(map(str, channels))}) uint8 array"
    if not isinstance(image, np.ndarray):
        raise ImageError(what, expected, type(image).__name__)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in channels:
        raise ImageError(what, expected, f"{image.shape} {image.dtype}")
    if image.size == 0:
        raise ImageError(what, "at least one pixel", f"{image.shape}")
    limits.check_pixels(what, image.shape[1], image.shape[0])
    return image
