"""Color spaces to cluster in.

A space maps sRGB colors to points of three coordinates from 0 to 255, in which equal distances
should look equally large. Codewords are 8-bit sRGB in every space: the rounded mean of their
members' sRGB colors, not the centroid mapped back, since the mean minimizes the rgb distortion,
which is always reported.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.errors import UnknownNameError

_Colors = npt.NDArray[np.uint8]
_Points = npt.NDArray[np.float64]

_OKLAB_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_OKLAB_AXES = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def rgb(colors: _Colors) -> _Points:
    """Return the colors themselves."""
    return colors.astype(np.float64)


def ycbcr(colors: _Colors) -> _Points:
    """Return full-range Y, Cb, Cr (JFIF), computed with the weights of ITU-R BT.601."""
    red, green, blue = colors.astype(np.float64).T
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.stack([luma, 127.5 + (blue - luma) / 1.772, 127.5 + (red - luma) / 1.402], axis=1)


def lab(colors: _Colors) -> _Points:
    """Return CIE L*a*b* (D65), 1.25 steps per unit, with a* and b* shifted above zero."""
    from skimage.color import rgb2lab

    points: _Points = 1.25 * (rgb2lab(colors[None])[0] + np.array([0.0, 87.0, 108.0]))
    return points


def oklab(colors: _Colors) -> _Points:
    """Return Ottosson's Oklab, 255 steps per unit of L, with a and b shifted above zero."""
    levels = np.arange(256) / 255.0
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    cones = np.cbrt(_product(linear[colors], _OKLAB_CONES))
    points: _Points = 255.0 * (_product(cones, _OKLAB_AXES) + np.array([0.0, 0.25, 0.35]))
    return points


def hsv(colors: _Colors) -> _Points:
    """Return the hexcone of hue, saturation and value as points in space.

    Hue is an angle, so distances along it make no sense; the coordinates are value and the two
    parts of the chroma vector at that angle, each halved around the middle.
    """
    scaled = colors.astype(np.float64)
    value = scaled.max(axis=1)
    chroma = value - scaled.min(axis=1)
    red, green, blue = scaled.T
    span = np.where(chroma > 0.0, chroma, 1.0)
    hue = np.where(
        value == red,
        (green - blue) / span,
        np.where(value == green, (blue - red) / span + 2.0, (red - green) / span + 4.0),
    )
    angle = hue * (np.pi / 3.0)
    across = [127.5 + 0.5 * chroma * np.cos(angle), 127.5 + 0.5 * chroma * np.sin(angle)]
    return np.stack([value, *across], axis=1)


COLOR_SPACES: dict[str, Callable[[_Colors], _Points]] = {
    "rgb": rgb,
    "lab": lab,
    "ycbcr": ycbcr,
    "hsv": hsv,
    "oklab": oklab,
}


def to_space(colors: npt.NDArray[np.uint8], name: str) -> npt.NDArray[np.float64]:
    """Map sRGB colors to the points of a color space.

    Parameters
    ----------
    colors : (n, 3) uint8
    name : str
        ``rgb``, ``lab``, ``ycbcr``, ``hsv`` or ``oklab``.

    Returns
    -------
    (n, 3) float64
        Coordinates from 0 to 255.

    Raises
    ------
    UnknownNameError
        If there is no such color space.

    Examples
    --------
    >>> to_space(np.array([[255, 255, 255]], np.uint8), "ycbcr").tolist()
    [[255.0, 127.5, 127.5]]
    """
    if name not in COLOR_SPACES:
        raise UnknownNameError("color space", name, list(COLOR_SPACES))
    return COLOR_SPACES[name](colors)


def _product(points: _Points, rows: tuple[tuple[float, float, float], ...]) -> _Points:
    """Return points times the transposed matrix, in one order of operations on every machine."""
    first, second, third = points.T
    return np.stack([a * first + b * second + c * third for a, b, c in rows], axis=1)
