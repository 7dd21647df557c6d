"""Alpha: the channel of an image that says how much of each pixel's color is visible.

An image with transparency is (H, W, 4) uint8: red, green and blue, not premultiplied, and alpha,
from 0, where only the background shows, to 255, where only the color does.

**Hidden pixels** are those of alpha 0. Their colors are invisible, so they are not coded, and
decode to `HIDDEN`, black. Where a step looks at neighbors (detail, restoration), a hidden pixel has
the color of the nearest visible pixel in its row, the left one if two are equally near. A row
without visible pixels is a copy of the row above it; such rows at the top are copies of the first
row that has a visible pixel.

**Weights.** Over any background, the error of a color is multiplied by alpha / 255, and its square
by ``(alpha / 255)**2``. Clustering, the choice of codewords and restoration weight squared errors
accordingly.

**Metrics** of images with alpha are computed over each of `BACKGROUNDS`, and the worse value
counts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.errors import TranslucentError

Plane = npt.NDArray[np.uint8]
Pixels = npt.NDArray[np.uint8]

OPAQUE = 255
HIDDEN = (0, 0, 0)
"""Color that hidden pixels decode to."""
BACKGROUNDS = {"black": (0, 0, 0), "white": (255, 255, 255)}
"""Backgrounds over which images with alpha are measured."""
ONE = 256
"""The opacity and the weight of an opaque pixel."""
ROWS = 64
"""Rows processed at a time."""


def split(image: Pixels) -> tuple[Pixels, Plane | None]:
    """Return the (H, W, 3) colors of an image and its (H, W) alpha, None if it has none.

    Examples
    --------
    >>> colors, alpha = split(np.array([[[1, 2, 3, 4]]], dtype=np.uint8))
    >>> colors.tolist(), alpha.tolist()
    ([[[1, 2, 3]]], [[4]])
    """
    if image.shape[2] == 3:
        return image, None
    colors, alpha = np.ascontiguousarray(image[..., :3]), np.ascontiguousarray(image[..., 3])
    for array in (colors, alpha):
        array.flags.writeable = image.flags.writeable
    return colors, alpha


def join(colors: Pixels, alpha: Plane | None) -> Pixels:
    """Return (H, W, 3) colors joined with (H, W) alpha, if there is any."""
    return colors if alpha is None else np.dstack([colors, alpha])


def flatten(image: Pixels, background: tuple[int, int, int]) -> Pixels:
    """Return an (H, W, 3) or (H, W, 4) image over a background: (H, W, 3) uint8.

    Examples
    --------
    >>> flatten(np.array([[[200, 0, 9, 0], [200, 0, 9, 51]]], dtype=np.uint8), (5, 5, 5)).tolist()
    [[[5, 5, 5], [44, 4, 6]]]
    """
    if image.shape[2] == 3:
        return image
    flat = np.empty((*image.shape[:2], 3), dtype=np.uint8)
    for top in range(0, len(image), ROWS):
        part = image[top : top + ROWS].astype(np.uint16)
        weight = part[..., 3:]
        blended = part[..., :3] * weight + np.array(background, np.uint16) * (OPAQUE - weight)
        flat[top : top + ROWS] = (blended + 127) // OPAQUE
    return flat


def require_opaque(name: str, image: Pixels) -> Pixels:
    """Return the image, which must not have alpha.

    Raises
    ------
    TranslucentError
        It has alpha.
    """
    if image.shape[2] != 3:
        lowest = int(image[..., 3].min())
        expected = "an opaque image, or --background COLOR to flatten it over"
        received = f"an alpha channel that goes down to {lowest} of {OPAQUE}"
        raise TranslucentError(name, expected, received)
    return image


def opacity(alpha: Plane) -> npt.NDArray[np.int64]:
    """Return alpha in units of 1 / 256, exact for 0 and 255: (H, W) int64.

    Examples
    --------
    >>> opacity(np.array([0, 1, 128, 255], dtype=np.uint8)).tolist()
    [0, 1, 129, 256]
    """
    wide: npt.NDArray[np.int64] = alpha.astype(np.int64)
    return wide + (wide >> 7)


def weights(alpha: Plane) -> npt.NDArray[np.int64]:
    """Return the weight of each pixel, its squared opacity, in units of 1 / 256: (H, W) int64.

    It is 0 for hidden pixels, and at least 1 for others.

    Examples
    --------
    >>> weights(np.array([0, 1, 128, 255], dtype=np.uint8)).tolist()
    [0, 1, 65, 256]
    """
    shown = opacity(alpha)
    found: npt.NDArray[np.int64] = np.maximum((shown * shown) >> 8, (shown > 0).astype(np.int64))
    return found


def mark_hidden(pixel_regions: Plane, alpha: Plane | None, region: int) -> Plane:
    """Return the (h, w) regions of pixels, with hidden pixels in a region of their own."""
    if alpha is None:
        return pixel_regions
    return np.where(alpha == 0, np.uint8(region), pixel_regions)


def fill_hidden(colors: Pixels, alpha: Plane | None) -> None:
    """Give hidden pixels the colors of nearby visible ones.

    Parameters
    ----------
    colors : (H, W, 3) uint8
        OUT.
    alpha : (H, W) uint8 or None

    Examples
    --------
    >>> colors = np.arange(15, dtype=np.uint8).reshape(1, 5, 3)
    >>> fill_hidden(colors, np.array([[9, 0, 0, 0, 9]], dtype=np.uint8))
    >>> colors[0, :, 0].tolist()
    [0, 0, 0, 12, 12]
    """
    if alpha is None or alpha.min() > 0:
        return
    width = alpha.shape[1]
    places = np.arange(width, dtype=np.int32)
    for top in range(0, len(alpha), ROWS):
        rows = slice(top, top + ROWS)
        visible = alpha[rows] > 0
        left = np.maximum.accumulate(np.where(visible, places, -width), axis=1)
        right = np.where(visible, places, 2 * width)[:, ::-1]
        right = np.minimum.accumulate(right, axis=1)[:, ::-1]
        nearest = np.where(places - left <= right - places, left, right)
        nearest[~visible.any(axis=1)] = places
        colors[rows] = np.take_along_axis(colors[rows], nearest[:, :, None], axis=1)
    filled: npt.NDArray[np.bool_] = np.any(alpha, axis=1)
    if filled.any():
        source = np.maximum.accumulate(np.where(filled, np.arange(len(filled)), -1))
        source[source < 0] = np.argmax(filled)
        for row in np.flatnonzero(~filled):
            colors[row] = colors[source[row]]


def clear_hidden(colors: Pixels, alpha: Plane | None) -> None:
    """Give hidden pixels the color that they decode to; colors (H, W, 3) are OUT."""
    if alpha is not None:
        colors[alpha == 0] = HIDDEN
