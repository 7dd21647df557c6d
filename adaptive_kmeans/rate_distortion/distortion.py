# mypy: disable-error-code="operator,arg-type,assignment,return-value,no-any-return"
"""What an error costs: the distance between a pixel and a codeword, and what neighbors add up to.

Distances are squared differences of coordinates, which are integers in sixteenths. For
``tune="psnr"`` they are the levels of red, green and blue.

For ``tune="perceptual"`` they are those of XYB, the opponent colors after a cube root that JPEG XL
and SSIMULACRA 2 use (J. Alakuijala et al., "JPEG XL next-generation image compression architecture
and coding tools", Proc. SPIE 11137, 2019), weighted by
`XYB_WEIGHTS`. The eye sees coarse errors better than fine ones, so the squared errors of the means
of 4×4 blocks count as well, `COARSE` times: neighbors' errors then cancel (noise shaping). Those of
8×8 blocks count less, `COARSER`: a coarse correction gives them back.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.kernels import inlined
from adaptive_kmeans.quantize import Quantized

Array = npt.NDArray[Any]

PARTS = 16
"""Parts of a level that coordinates are counted in."""
COARSE, COARSER = 1.0, -1.9
XYB_WEIGHTS = (0.7, 1.0, 1.4)
XYB_SCALE = 318.0
_OPSIN = np.array(
    [
        [0.3, 0.622, 0.078],
        [0.23, 0.692, 0.078],
        [0.24342268924547819, 0.20476744424496821, 0.5518098665095536],
    ]
)
_BIAS = 0.0037930732552754493
_X_SCALE = 14.0
"""SSIMULACRA 2 brings X to the range of the others by this."""


class Distortion(NamedTuple):
    """Coordinates of pixels and codewords, and errors summed over blocks."""

    targets: npt.NDArray[np.int32]  # (h, w, 3)
    points: npt.NDArray[np.int32]  # (n, 3)
    sums: npt.NDArray[np.int64]  # (rows, columns, 3) of 4×4 blocks
    coarser_sums: npt.NDArray[np.int64]  # (rows, columns, 3) of 8×8 blocks
    weights: npt.NDArray[np.int64]  # (2,) of both, in 1 / 16


def by_levels(
    image: npt.NDArray[np.uint8], colors: npt.NDArray[np.int32], _: npt.NDArray[np.int32]
) -> Distortion:
    """Return the squared error of red, green and blue; parameters as of `by_perception`."""
    none = np.zeros((0, 0, 3), dtype=np.int64)
    targets, points = PARTS * image.astype(np.int32), PARTS * colors
    return Distortion(targets, points, none, none, np.zeros(2, dtype=np.int64))


def by_perception(
    image: npt.NDArray[np.uint8], colors: npt.NDArray[np.int32], labels: npt.NDArray[np.int32]
) -> Distortion:
    """Return the distortion that suits the eye.

    Parameters
    ----------
    image : (h, w, 3) uint8
    colors : (n, 3) int32
        The codewords.
    labels : (h, w) int32
        The codeword that each pixel has.
    """
    targets, points = to_xyb(image), to_xyb(colors.astype(np.uint8))
    errors = (targets - points[labels]).astype(np.int64)
    weights = np.rint(16 * np.array([COARSE, COARSER])).astype(np.int64)
    return Distortion(targets, points, _block_sums(errors, 4), _block_sums(errors, 8), weights)


TUNES = {"perceptual": by_perception, "psnr": by_levels}
"""The distortions by the name of what they are tuned for."""


def total(tune: str, image: npt.NDArray[np.uint8], quantized: Quantized) -> float:
    """Return the distortion of a quantized image, in squared levels.

    Parameters
    ----------
    tune : str
        One of `TUNES`.
    image : (H, W, 3) uint8
    quantized : Quantized
    """
    decoded = quantized.reconstruct()
    if tune == "psnr":
        return float(((decoded.astype(np.int32) - image) ** 2).sum())
    errors = (to_xyb(image) - to_xyb(decoded)).astype(np.int64)
    coarse, coarser = (
        float((_block_sums(errors, side).astype(np.float64) ** 2).sum() / side**2)
        for side in (4, 8)
    )
    return (float((errors**2).sum()) + COARSE * coarse + COARSER * coarser) / PARTS**2


def to_xyb(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Convert (..., 3) sRGB colors to X, Y and B − Y, weighted and scaled, in sixteenths."""
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    flat = linear[colors.reshape(-1, 3)]
    long, medium, short = (np.cbrt(flat @ row + _BIAS) - np.cbrt(_BIAS) for row in _OPSIN)
    y = (long + medium) / 2
    planes = (_X_SCALE * (long - medium) / 2, y, short - y)
    found = np.empty(colors.shape, dtype=np.int32)
    for c, (weight, plane) in enumerate(zip(XYB_WEIGHTS, planes, strict=True)):
        scaled = np.sqrt(weight) * XYB_SCALE * PARTS * plane
        found[..., c] = np.rint(scaled).reshape(colors.shape[:-1])
    return found


def _block_sums(errors: npt.NDArray[np.int64], side: int) -> npt.NDArray[np.int64]:
    rows = np.add.reduceat(errors, range(0, errors.shape[0], side), axis=0)
    return np.ascontiguousarray(np.add.reduceat(rows, range(0, errors.shape[1], side), axis=1))


@inlined
def squared_distance(distortion: Distortion, y: int, x: int, now: int, label: int) -> int:
    """Return what a pixel's codeword costs, in 1 / 256, where it has had another one."""
    targets, points, weights = distortion.targets, distortion.points, distortion.weights
    total = np.int64(0)
    coarse, coarser = np.int64(0), np.int64(0)
    for c in range(3):
        point = np.int64(points[label, c])
        difference = np.int64(targets[y, x, c]) - point
        total += difference * difference
        if weights[0] != 0:
            change = np.int64(points[now, c]) - point
            sum_ = distortion.sums[y >> 2, x >> 2, c] + change
            coarse += sum_ * sum_
            sum_ = distortion.coarser_sums[y >> 3, x >> 3, c] + change
            coarser += sum_ * sum_
    return total + ((4 * weights[0] * coarse + weights[1] * coarser) >> 10)


@inlined
def change_codeword(distortion: Distortion, y: int, x: int, now: int, label: int) -> None:
    """Bring the sums over blocks up to date where a pixel takes another codeword."""
    if distortion.weights[0] != 0:
        for c in range(3):
            change = np.int64(distortion.points[now, c]) - np.int64(distortion.points[label, c])
            distortion.sums[y >> 2, x >> 2, c] += change
            distortion.coarser_sums[y >> 3, x >> 3, c] += change
