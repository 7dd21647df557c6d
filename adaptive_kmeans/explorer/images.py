"""The images that the explorer offers: given ones, bundled ones, uploads.

An offered image is read when it is chosen, and only the chosen one is kept decoded. An image of
more than `EXPLORED_PIXELS` pixels is explored on a reduced copy, and the explorer says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from adaptive_kmeans.datasets import ImageSource, find_images
from adaptive_kmeans.errors import LimitError, UnknownNameError
from adaptive_kmeans.image import SourceImage, decode_image
from adaptive_kmeans.limits import Limits, check_image
from adaptive_kmeans.quantize import RegionAdaptive, SplitImage
from adaptive_kmeans.rate_distortion.size import Slopes

Pixels = npt.NDArray[np.uint8]

EXPLORED_PIXELS = 2_000_000
"""Largest number of pixels that are explored without reduction."""
BACKGROUND = "white"
"""Translucent images are flattened over this color."""
UPLOAD = Limits(pixels=2**26, file_bytes=2**25)
"""Limits of an upload: 67 megapixels, 32 MB."""
MAX_UPLOADS = 16
MAX_NAME = 80
"""Number of characters of an uploaded file's name to keep."""


@dataclass(frozen=True, eq=False)
class Offer:
    """An image that can be chosen.

    Parameters
    ----------
    name : str
        Its name, which is unique.
    path : str
        The file, as named on a command line.
    spec : str
        The image, as named in a config.
    width, height : int
        Its size in pixels.
    note : str
        Where it comes from.
    input_bytes : int
        Size of its file, or of its raw pixels if there is no file.
    read : callable
        Takes the color to flatten it over, or None, and returns the image.
    """

    name: str
    path: str
    spec: str
    width: int
    height: int
    note: str
    input_bytes: int
    read: Callable[[str | None], SourceImage]

    @property
    def facts(self) -> dict[str, Any]:
        """What messages say about it."""
        keys = ("name", "width", "height", "input_bytes", "note")
        return {key: getattr(self, key) for key in keys}


def offer_source(source: ImageSource, note: str = "given") -> Offer:
    """Offer an image from a set.

    Examples
    --------
    >>> offer_source(ImageSource("chelsea")).facts["width"]
    451
    """
    file = source.file
    bundled = source.path is None
    width, height = source.read_size()
    return Offer(
        name=source.name,
        path=str(file),
        spec=source.name if bundled else str(file),
        width=width,
        height=height,
        note="bundled" if bundled else note,
        input_bytes=file.stat().st_size,
        read=source.read,
    )


def offer_pixels(pixels: Pixels, name: str = "image") -> Offer:
    """Offer an array, which is copied.

    Raises
    ------
    ImageError, LimitError
        It is not an (H, W, 3) uint8 image, or is too large.

    Examples
    --------
    >>> offer_pixels(np.zeros((2, 3, 3), dtype=np.uint8)).input_bytes
    18
    """
    held = check_image(pixels, name).copy()
    source = SourceImage(held, (), "array", held.size)
    file = f"{name}.png"
    height, width = held.shape[:2]
    return Offer(name, file, file, width, height, "an array", held.size, lambda _: source)


def offer_upload(name: str, data: bytes) -> Offer:
    """Offer an uploaded file.

    Parameters
    ----------
    name : str
        Its name, of which only the last part counts.
    data : bytes
        Its content.

    Raises
    ------
    ImageError, LimitError
        It is not an image, or exceeds `UPLOAD`.
    """
    file = clean_name(name)
    UPLOAD.check(file, "file_bytes", len(data))

    def read(background: str | None) -> SourceImage:
        return decode_image(data, file, background, UPLOAD)

    found, _ = read_flattened(read)
    height, width = found.pixels.shape[:2]
    stem = PurePath(file).stem
    return Offer(stem, file, file, width, height, "uploaded", len(data), read)


def clean_name(name: str) -> str:
    r"""Return the last part of a file's name, without unprintable or unsuitable characters.

    Examples
    --------
    >>> clean_name("../../etc/pass\nwd.png"), clean_name("C:\\a\\b.png"), clean_name("...")
    ('passwd.png', 'b.png', 'image')
    """
    last = re.split(r"[/\\]", name)[-1]
    printed = "".join(c for c in last if c.isprintable() and c not in '<>:"|?*').strip(" .-")
    return printed[-MAX_NAME:] or "image"


def read_flattened(read: Callable[[str | None], SourceImage]) -> tuple[SourceImage, str | None]:
    """Read an image, over `BACKGROUND` if it is translucent; return it and that color or None."""
    source = read(None)
    return (source, None) if source.pixels.shape[2] == 3 else (read(BACKGROUND), BACKGROUND)


class Gallery:
    """The images of a session, by name.

    Parameters
    ----------
    offers : iterable of Offer
        Those that are there at the start.
    """

    def __init__(self, offers: Iterable[Offer]) -> None:
        self._offers: dict[str, Offer] = {}
        self._uploads = 0
        for offer in offers:
            self._offers.setdefault(offer.name, offer)

    def __getitem__(self, name: str) -> Offer:
        """Return the image of that name; "" is the first one.

        Raises
        ------
        UnknownNameError
            There is no such image.
        """
        name = name or next(iter(self._offers))
        if name not in self._offers:
            raise UnknownNameError("image", name, self._offers)
        return self._offers[name]

    def add_upload(self, name: str, data: bytes) -> Offer:
        """Add an uploaded file, under a name that is not taken.

        Raises
        ------
        ImageError, LimitError
            It cannot be used, or there have already been `MAX_UPLOADS`.
        """
        if self._uploads >= MAX_UPLOADS:
            received = f"{self._uploads + 1}; reload the page to begin again"
            raise LimitError("uploads", f"at most {MAX_UPLOADS}", received)
        offer = offer_upload(name, data)
        number = 2
        chosen = offer.name
        while chosen in self._offers:
            chosen = f"{offer.name}-{number}"
            number += 1
        values = {**vars(offer), "name": chosen}
        self._offers[chosen] = Offer(**values)
        self._uploads += 1
        return self._offers[chosen]

    @property
    def facts(self) -> list[dict[str, Any]]:
        """What messages say about all images, in order."""
        return [offer.facts for offer in self._offers.values()]


def offers_of(specs: Iterable[str]) -> list[Offer]:
    """Return the initial offers: the named images, then the bundled ones.

    Parameters
    ----------
    specs : iterable of str
        See `adaptive_kmeans.datasets.find_images`.
    """
    given = [offer_source(source) for source in find_images(specs)]
    return [*given, *map(offer_source, find_images(["bundled"]))]


class Chosen:
    """The image being explored: its pixels, and results that are worth caching.

    Parameters
    ----------
    offer : Offer
        The image, which is read now.
    """

    def __init__(self, offer: Offer) -> None:
        source, self.background = read_flattened(offer.read)
        self.offer = offer
        self.notes = source.notes
        self.pixels = reduce(source.pixels)
        self.pixels.flags.writeable = False
        self.whole_shape = source.pixels.shape[:2]
        self._split: tuple[tuple[Any, ...], SplitImage] | None = None

    @property
    def is_reduced(self) -> bool:
        """Whether `pixels` are a reduced copy of the image."""
        return self.pixels.shape[:2] != self.whole_shape

    @property
    def scale_note(self) -> str:
        """The note on a reduced copy; "" if the image is not reduced."""
        if not self.is_reduced:
            return ""
        height, width = self.pixels.shape[:2]
        whole = f"{self.whole_shape[1]}×{self.whole_shape[0]}"
        return f"reduced from {whole} to {width}×{height}; bytes and quality are those of this copy"

    def read_whole(self) -> Pixels:
        """Read the image at full size."""
        return self.offer.read(self.background).pixels

    def split(self, quantizer: RegionAdaptive) -> SplitImage:
        """Split the image as a quantizer does; the last split is cached."""
        key = quantizer.block_size, quantizer.measure, quantizer.threshold
        last = self._split
        if last is None or last[0] != key:
            last = self._split = key, quantizer.split(self.pixels)
        return last[1]

    @cached_property
    def slopes(self) -> Slopes:
        """What a bit is worth with codebooks of the image, as the quality method needs."""
        return Slopes(self.pixels)


def reduce(pixels: Pixels, most: int = EXPLORED_PIXELS) -> Pixels:
    """Return an image, or a reduced copy of at most `most` pixels.

    Examples
    --------
    >>> reduce(np.zeros((40, 60, 3), dtype=np.uint8), 600).shape
    (20, 30, 3)
    """
    height, width = pixels.shape[:2]
    if height * width <= most:
        return np.ascontiguousarray(pixels)
    scale = math.sqrt(most / (height * width))
    size = max(1, int(width * scale)), max(1, int(height * scale))
    picture = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.array(picture)
