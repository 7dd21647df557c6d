"""The smallest form in which a file holds pixels exactly: gray, a palette, or full color."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from adaptive_kmeans.alpha import OPAQUE
from adaptive_kmeans.limits import MAX_PALETTE
from adaptive_kmeans.luma import luma_order

_RUN = 2**20
"""Pixels processed at a time."""


def is_gray(pixels: npt.NDArray[np.uint8]) -> bool:
    """Whether all (H, W, 3 or 4) pixels are gray, whatever their alpha.

    Examples
    --------
    >>> is_gray(np.array([[[7, 7, 7], [9, 9, 9]]], dtype=np.uint8))
    True
    """
    # Row by row, since most other images have a color in their first row.
    return all(bool((row[:, :1] == row[:, 1:3]).all()) for row in pixels)


def in_gray(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    """Return gray pixels as a Pillow image of mode L, or LA with alpha."""
    if pixels.shape[2] == 3:
        return Image.fromarray(np.ascontiguousarray(pixels[..., 0]))
    return Image.fromarray(np.ascontiguousarray(pixels[..., [0, 3]]))


def with_palette(pixels: npt.NDArray[np.uint8]) -> Image.Image | None:
    """Return pixels as a Pillow image of mode P; None if they have too many colors.

    The palette has each distinct color once for every alpha that it occurs with, sorted by alpha,
    so that a PNG need not list the opaque ones, and then by luma.

    Parameters
    ----------
    pixels : (H, W, 3) or (H, W, 4) uint8

    Examples
    --------
    >>> image = with_palette(np.array([[[9, 9, 9], [5, 0, 0], [9, 9, 9]]], dtype=np.uint8))
    >>> image.getpalette(), np.asarray(image).tolist()
    ([5, 0, 0, 9, 9, 9], [[1, 0, 1]])
    """
    keys = _distinct(pixels)
    if keys is None:
        return None
    colors = np.stack([keys >> shift & 255 for shift in (16, 8, 0)], axis=1).astype(np.uint8)
    alpha = keys >> 24
    order = luma_order(colors)
    order = order[np.argsort(alpha[order], kind="stable")]
    entries = np.empty(len(keys), dtype=np.uint8)
    entries[order] = np.arange(len(keys))
    places = np.empty(pixels.shape[:2], dtype=np.uint8)
    flat = pixels.reshape(-1, pixels.shape[2])
    for start in range(0, len(flat), _RUN):
        run = slice(start, start + _RUN)
        places.reshape(-1)[run] = entries[np.searchsorted(keys, _keys(flat[run]))]
    image = Image.fromarray(places)
    image.putpalette(colors[order].tobytes())
    translucent = int((alpha < OPAQUE).sum())
    if translucent:
        image.info["transparency"] = alpha[order][:translucent].astype(np.uint8).tobytes()
    return image


def _keys(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Return a number for each color and alpha: (n,) uint32."""
    argb = np.empty((len(colors), 4), dtype=np.uint8)
    argb[:, 1:] = colors[:, :3]
    argb[:, :1] = colors[:, 3:] if colors.shape[1] == 4 else OPAQUE
    return argb.view(">u4")[:, 0].astype(np.uint32)


def _distinct(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32] | None:
    """Return the keys of the distinct colors, in rising order; None if there are too many."""
    flat = pixels.reshape(-1, pixels.shape[2])
    found = np.empty(0, dtype=np.uint32)
    for start in range(0, len(flat), _RUN):
        found = np.union1d(found, _keys(flat[start : start + _RUN]))
        if len(found) > MAX_PALETTE:
            return None
    return found
