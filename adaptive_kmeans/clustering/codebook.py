"""The last step to a codebook: iterations with 8-bit colors as centroids."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.clustering._group_kernels import scale_colors
from adaptive_kmeans.clustering.color_points import EIGHTHS, TOP, ColorPoints
from adaptive_kmeans.clustering.color_spaces import to_space
from adaptive_kmeans.luma import luma_order

_ROUNDED_ITERATIONS = 2


def to_coordinates(colors: npt.NDArray[np.uint8], color_space: str) -> npt.NDArray[np.float32]:
    """Return colors as points in whole eighths of a level, (3, n)."""
    coordinates = np.empty((3, colors.shape[0]), np.float32)
    if color_space == "rgb":
        scale_colors(colors, np.float32(EIGHTHS), coordinates)
        return coordinates
    for start in range(0, colors.shape[0], 1 << 16):
        part = to_space(colors[start : start + (1 << 16)], color_space).T * EIGHTHS
        coordinates[:, start : start + (1 << 16)] = np.clip(np.rint(part), 0.0, TOP)
    return coordinates


def round_to_codebook(
    points: ColorPoints,
    colors: npt.NDArray[np.uint8],
    color_space: str,
    exact: bool,
    locked: npt.NDArray[np.uint8],
) -> npt.NDArray[np.uint8]:
    """Return the codebook, (k', 3) uint8 in the order of luma; leave the final labels in `points`.

    Parameters
    ----------
    points : ColorPoints
        With the labels of the last iteration.
    colors : (n, 3) uint8
        The colors of the points.
    color_space : str
    exact : bool
        Whether to iterate until no codeword changes, or only twice.
    locked : (m, 3) uint8
        The colors of the first centroids, which are fixed.

    Notes
    -----
    A codeword without colors moves to the color of largest weighted error. That color has zero
    error from then on, and no other codeword can take it, so at most k such moves are needed.
    """
    k = points.sums.shape[0]

    def assign(codebook: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        points.assign(np.ascontiguousarray(to_coordinates(codebook, color_space).T))
        return codebook

    def average() -> npt.NDArray[np.uint8]:
        means = rounded_means()
        means[: len(locked)] = locked
        return means

    def rounded_means() -> npt.NDArray[np.uint8]:
        if color_space == "rgb":
            return np.rint(points.means() / EIGHTHS).astype(np.uint8)
        totals = np.bincount(points.labels, points.weights, k)
        sums = [np.bincount(points.labels, points.weights * column, k) for column in colors.T]
        return np.rint(np.stack(sums, axis=1) / np.maximum(totals, 1)[:, None]).astype(np.uint8)

    def refill(codebook: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
        empty = points.empty()
        if empty.size:
            worst = points.worst_colors(empty.size)
            codebook[empty[: worst.size]] = colors[worst]
            return empty[worst.size :]
        return empty

    codebook = average()
    for _ in range(points.weights.size if exact else _ROUNDED_ITERATIONS):
        assign(codebook)
        rounded = average()
        refill(rounded)
        if np.array_equal(rounded, codebook):
            break
        codebook = rounded
    while True:
        order = luma_order(codebook)
        points.reorder(order)
        codebook = assign(codebook[order])
        if not points.empty().size:
            return codebook
        surplus = refill(codebook)
        codebook = np.delete(codebook, surplus, axis=0)
        if surplus.size:
            fixed = None if points.fixed is None else np.delete(points.fixed, surplus, axis=0)
            points.start(codebook.shape[0], fixed)
            assign(codebook)
