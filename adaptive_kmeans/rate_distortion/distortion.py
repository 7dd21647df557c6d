# mypy: disable-error-code="operator,arg-type,assignment,return-value,no-any-return"
"""What an error costs: the distance of a pixel from its codeword, and the sums over neighbors.

Distances are squared differences of coordinates, which are integers in sixteenths. For
``tune="psnr"`` they are the levels of red, green and blue.

For ``tune="perceptual"`` they are those of XYB, the opponent colors after a cube root that JPEG XL
and SSIMULACRA 2 use (J. Alakuijala et al., "JPEG XL next-generation image compression architecture
and coding tools", Proc. SPIE 11137, 2019), weighted by `XYB_WEIGHTS`. The eye sees coarse errors
better than fine ones, so the squared errors of the means of 4×4 blocks count as well, `COARSE`
times: neighbors' errors then cancel (noise shaping). Those of 8×8 blocks are subtracted in part
(`COARSER` is negative), since the coarse correction removes them.

In an image with alpha, the error of a pixel is the visible one, its opacity times the difference,
in all of these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.extending import overload

from adaptive_kmeans.alpha import ONE, opacity
from adaptive_kmeans.blocks import RUN
from adaptive_kmeans.kernels import inlined
from adaptive_kmeans.rate_distortion import loop

Array = npt.NDArray[Any]

PARTS = 16
"""Units of coordinates per level."""
COARSE, COARSER = 1.0, -1.9
"""Their sum is above -1, so that no error of a block's mean lowers the distortion."""
XYB_WEIGHTS = (0.7, 1.0, 1.4)
"""Weights of the squares of X, Y and B - Y."""
XYB_SCALE = 318.0
"""Levels per unit of Y, such that a price means about the same as for levels of RGB."""
ROWS = 64
"""Rows converted at a time."""
_OPSIN = np.array(
    [
        [0.3, 0.622, 0.078],
        [0.23, 0.692, 0.078],
        [0.24342268924547819, 0.20476744424496821, 0.5518098665095536],
    ]
)
_BIAS = 0.0037930732552754493
_X_SCALE = 14.0
"""Factor with which SSIMULACRA 2 brings X to the range of the others."""


class Distortion(NamedTuple):
    """Coordinates of pixels and codewords, and errors summed over blocks."""

    targets: npt.NDArray[np.int16]  # (h, w, 3)
    points: npt.NDArray[np.int16]  # (n, 3)
    sums: npt.NDArray[np.int64]  # (rows, columns, 3) of 4×4 blocks
    coarser_sums: npt.NDArray[np.int64]  # (rows, columns, 3) of 8×8 blocks
    weights: npt.NDArray[np.int64]  # (2,) of both, in 1 / 16


class SeenDistortion(NamedTuple):
    """A `Distortion` of an image with alpha; its sums are of errors times opacity."""

    targets: npt.NDArray[np.int16]  # (h, w, 3)
    points: npt.NDArray[np.int16]  # (n, 3)
    sums: npt.NDArray[np.int64]  # (rows, columns, 3) of 4×4 blocks
    coarser_sums: npt.NDArray[np.int64]  # (rows, columns, 3) of 8×8 blocks
    weights: npt.NDArray[np.int64]  # (2,) of both, in 1 / 16
    opacity: npt.NDArray[np.int64]  # (h, w) in 1 / 256


def to_levels(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
    """Convert (..., 3) sRGB colors to levels in sixteenths."""
    return PARTS * colors.astype(np.int16)


def to_xyb(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
    """Convert (..., 3) sRGB colors to X, Y and B − Y, weighted and scaled, in sixteenths."""
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    flat = colors.reshape(-1, 3)
    found = np.empty(flat.shape, dtype=np.int16)
    for start in range(0, len(flat), RUN):
        run = slice(start, start + RUN)
        light = linear[flat[run]]
        long, medium, short = (np.cbrt((light * row).sum(axis=1) + _BIAS) for row in _OPSIN)
        y = (long + medium) / 2 - np.cbrt(_BIAS)
        planes = (_X_SCALE * (long - medium) / 2, y, short - np.cbrt(_BIAS) - y)
        for c, (weight, plane) in enumerate(zip(XYB_WEIGHTS, planes, strict=True)):
            found[run, c] = np.rint(np.sqrt(weight) * XYB_SCALE * PARTS * plane)
    return found.reshape(colors.shape)


def by_levels(
    targets: npt.NDArray[np.int16],
    points: npt.NDArray[np.int16],
    labels: npt.NDArray[np.int32],
    alpha: npt.NDArray[np.uint8] | None = None,
) -> Distortion | SeenDistortion:
    """Return the squared error alone; parameters as for `by_perception`."""
    none = np.zeros((0, 0, 3), dtype=np.int64)
    weights = np.zeros(2, dtype=np.int64)
    if alpha is None:
        return Distortion(targets, points, none, none, weights)
    return SeenDistortion(targets, points, none, none, weights, opacity(alpha))


def by_perception(
    targets: npt.NDArray[np.int16],
    points: npt.NDArray[np.int16],
    labels: npt.NDArray[np.int32],
    alpha: npt.NDArray[np.uint8] | None = None,
) -> Distortion | SeenDistortion:
    """Return the distortion tuned to the eye.

    Parameters
    ----------
    targets : (h, w, 3) int16
        Coordinates of the pixels.
    points : (n, 3) int16
        Coordinates of the codewords.
    labels : (h, w) int32
        The codeword of each pixel; arbitrary for hidden pixels.
    alpha : (h, w) uint8 or None
        How visible each pixel is.
    """
    weights = np.rint(16 * np.array([COARSE, COARSER])).astype(np.int64)
    if alpha is None:
        fine, coarse = _block_sums(targets, lambda rows: points[labels[rows]])
        return Distortion(targets, points, fine, coarse, weights)
    shown = opacity(alpha)
    fine, coarse = _block_sums(targets, lambda rows: points[labels[rows]], shown)
    return SeenDistortion(targets, points, fine, coarse, weights, shown)


TUNES = {"perceptual": (to_xyb, by_perception), "psnr": (to_levels, by_levels)}
"""Coordinates and distortions, by the name of what they are tuned for."""


def total(
    tune: str,
    image: npt.NDArray[np.uint8],
    decoded: npt.NDArray[np.uint8],
    alpha: npt.NDArray[np.uint8] | None = None,
    coarser: float = COARSER,
) -> float:
    """Return the distortion of a decoded image, in squared levels.

    Parameters
    ----------
    tune : str
        One of `TUNES`.
    image, decoded : (H, W, 3) uint8
        Colors.
    alpha : (H, W) uint8, optional
        How visible they are.
    coarser : float
        Weight of the means of 8×8 blocks: 0 once a coarse correction has done what it can.
    """
    coordinates, _ = TUNES[tune]
    squares = 0.0
    for top in range(0, len(image), ROWS):
        rows = slice(top, top + ROWS)
        errors = coordinates(image[rows]).astype(np.int32) - coordinates(decoded[rows])
        if alpha is not None:
            errors = errors * (opacity(alpha[rows])[:, :, None] / ONE)
        squares += _sum_of_squares(errors)
        if tune == "perceptual":
            for weight, side in ((COARSE, 4), (coarser, 8)):
                squares += weight * _sum_of_squares(_sums(errors, side)) / side**2
    return squares / PARTS**2


def _sum_of_squares(errors: Array) -> float:
    return float(np.square(errors, dtype=np.float64).sum())


def _block_sums(
    targets: npt.NDArray[np.int16],
    points_of: Callable[[slice], npt.NDArray[np.int16]],
    shown: npt.NDArray[np.int64] | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Sum targets minus points of pixels over 4×4 and 8×8 blocks, some rows at a time.

    With the opacity `shown`, which is in units of 1 / 256, so are the sums.
    """
    fine: list[Array] = []
    coarse: list[Array] = []
    for top in range(0, len(targets), ROWS):
        rows = slice(top, top + ROWS)
        errors = targets[rows].astype(np.int32) - points_of(rows)
        if shown is not None:
            errors = errors * shown[rows][:, :, None]
        fine.append(_sums(errors, 4))
        coarse.append(_sums(errors, 8))
    return np.concatenate(fine).astype(np.int64), np.concatenate(coarse).astype(np.int64)


def _sums(errors: Array, side: int) -> Array:
    """Sum (h, w, 3) errors over blocks."""
    rows = np.add.reduceat(errors, range(0, errors.shape[0], side), axis=0)
    return np.add.reduceat(rows, range(0, errors.shape[1], side), axis=1)


@inlined
def _error_of(
    distortion: Distortion, seen: tuple[int, int, int], y: int, x: int, now: int, label: int
) -> int:
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
def _change(distortion: Distortion, y: int, x: int, now: int, label: int) -> None:
    if distortion.weights[0] != 0:
        for c in range(3):
            change = np.int64(distortion.points[now, c]) - np.int64(distortion.points[label, c])
            distortion.sums[y >> 2, x >> 2, c] += change
            distortion.coarser_sums[y >> 3, x >> 3, c] += change


@inlined
def _look(distortion: Distortion, y: int, x: int) -> tuple[int, int, int]:
    return np.int64(0), np.int64(0), np.int64(0)


@inlined
def _seen_error_of(
    distortion: SeenDistortion, seen: tuple[int, int, int], y: int, x: int, now: int, label: int
) -> int:
    targets, points, weights = distortion.targets, distortion.points, distortion.weights
    shown = distortion.opacity[y, x]
    total = np.int64(0)
    coarse, coarser = np.int64(0), np.int64(0)
    for c in range(3):
        point = np.int64(points[label, c])
        difference = np.int64(targets[y, x, c]) - point
        total += difference * difference
        if weights[0] != 0:
            change = shown * (np.int64(points[now, c]) - point)
            sum_ = (distortion.sums[y >> 2, x >> 2, c] + change) >> 8
            coarse += sum_ * sum_
            sum_ = (distortion.coarser_sums[y >> 3, x >> 3, c] + change) >> 8
            coarser += sum_ * sum_
    return ((shown * shown * total) >> 16) + (
        (4 * weights[0] * coarse + weights[1] * coarser) >> 10
    )


@inlined
def _seen_change(distortion: SeenDistortion, y: int, x: int, now: int, label: int) -> None:
    if distortion.weights[0] != 0:
        shown = distortion.opacity[y, x]
        for c in range(3):
            change = np.int64(distortion.points[now, c]) - np.int64(distortion.points[label, c])
            distortion.sums[y >> 2, x >> 2, c] += shown * change
            distortion.coarser_sums[y >> 3, x >> 3, c] += shown * change


_KERNELS: dict[type, dict[str, Any]] = {
    Distortion: {"look": _look, "error_of": _error_of, "change": _change},
    SeenDistortion: {"look": _look, "error_of": _seen_error_of, "change": _seen_change},
    loop.Loop: {"look": loop.look, "error_of": loop.error_of, "change": loop.change},
}


def look(distortion: Any, y: int, x: int) -> tuple[int, int, int]:
    """Return what `error_of` needs for all candidates of a pixel."""
    return _KERNELS[type(distortion)]["look"](distortion, y, x)


def error_of(
    distortion: Any, seen: tuple[int, int, int], y: int, x: int, now: int, label: int
) -> int:
    """Return the cost, in 1 / 256, of a codeword at a pixel that now has another one."""
    return _KERNELS[type(distortion)]["error_of"](distortion, seen, y, x, now, label)


def change(distortion: Any, y: int, x: int, now: int, label: int) -> None:
    """Record that a pixel takes another codeword."""
    _KERNELS[type(distortion)]["change"](distortion, y, x, now, label)


@overload(look, jit_options={"forceinline": True}, strict=False)
def _compiled_look(distortion: Any, y: Any, x: Any) -> Any:
    kernel = _KERNELS[distortion.instance_class]["look"]
    return lambda distortion, y, x: kernel(distortion, y, x)


@overload(error_of, jit_options={"forceinline": True}, strict=False)
def _compiled_error_of(distortion: Any, seen: Any, y: Any, x: Any, now: Any, label: Any) -> Any:
    kernel = _KERNELS[distortion.instance_class]["error_of"]
    return lambda distortion, seen, y, x, now, label: kernel(distortion, seen, y, x, now, label)


@overload(change, jit_options={"forceinline": True}, strict=False)
def _compiled_change(distortion: Any, y: Any, x: Any, now: Any, label: Any) -> Any:
    kernel = _KERNELS[distortion.instance_class]["change"]
    return lambda distortion, y, x, now, label: kernel(distortion, y, x, now, label)
