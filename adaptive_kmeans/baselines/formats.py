"""File formats that several baselines use."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from adaptive_kmeans.baselines.libraries import library

Pixels = npt.NDArray[np.uint8]


def encode_by_pillow(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """Encode a picture in one of Pillow's formats."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def decode_by_pillow(data: bytes) -> Pixels:
    """Decode a file in one of Pillow's formats to (H, W, 3) pixels, or (H, W, 4) with alpha."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGBA" if picture.has_transparency_data else "RGB"))


def encode_palette_png(palette: Pixels, indices: Pixels) -> bytes:
    """Encode (H, W) indices and their palette, (k, 3) or (k, 4) with alpha, as a PNG."""
    picture = Image.fromarray(indices)
    picture.putpalette(palette[:, :3].tobytes())
    options = {"transparency": palette[:, 3].tobytes()} if palette.shape[1] == 4 else {}
    return encode_by_pillow(picture, "PNG", optimize=True, **options)


def optimize_png(data: bytes, level: int, zopfli: int = 0, **options: Any) -> bytes:
    """Optimize a PNG losslessly with oxipng at a level of 0..6, with Zopfli iterations if any."""
    oxipng = library("oxipng", "pyoxipng")
    options |= {"deflate": oxipng.Deflaters.zopfli(zopfli)} if zopfli else {}
    optimized: bytes = oxipng.optimize_from_memory(data, level=level, **options)
    return optimized


def optimize_palette_png(data: bytes, level: int, zopfli: int = 0) -> bytes:
    """Optimize a PNG whose palette has alpha; it keeps alpha that is opaque throughout.

    oxipng drops such alpha, and the file would decode without it.
    """
    optimized = optimize_png(data, level, zopfli)
    with Image.open(io.BytesIO(optimized)) as picture:
        if picture.has_transparency_data:
            return optimized
    optimized = optimize_png(
        data, level, zopfli, grayscale_reduction=False, color_type_reduction=False
    )
    alpha = b"tRNS\xff"  # of the first color; the others are opaque without it
    chunk = struct.pack(">I", 1) + alpha + struct.pack(">I", zlib.crc32(alpha))
    end = next(end for kind, end in _chunks(optimized) if kind == b"PLTE")
    return optimized[:end] + chunk + optimized[end:]


def _chunks(png: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the type of each chunk of a PNG, and where it ends."""
    place = 8
    while place < len(png):
        size, kind = struct.unpack_from(">I4s", png, place)
        place += 12 + size
        yield kind, place


def encode_jpeg_xl(image: Pixels, effort: int, **options: Any) -> bytes:
    """Encode (H, W, 3) pixels or an (H, W) plane as JPEG XL, on one thread."""
    imagecodecs = library("imagecodecs", "imagecodecs")
    data: bytes = imagecodecs.jpegxl_encode(image, effort=effort, numthreads=1, **options)
    return data


def decode_jpeg_xl(data: bytes) -> Pixels:
    """Decode JPEG XL on one thread to (H, W, 3) pixels, or (H, W) for a plane."""
    pixels: Pixels = library("imagecodecs", "imagecodecs").jpegxl_decode(data, numthreads=1)
    return pixels
