"""The binary tree over a codebook in which near colors share prefixes, built in integers.

A node holds a set of codewords. Its **axis** comes from the integer covariance of their colors
(times a constant) by 8 power iterations; the codewords are ordered by their projection on it
(ties: by index), and the lower half (``n // 2``) goes left. Leaves from left to right give the
**tree order**; with codewords in this order a node is an interval ``lo..hi - 1`` and is named by
the first codeword of its right half, which no other node shares.

The node's plane is halfway between the two codewords at the cut, and its axis is scaled so that
a distance of one mean **spacing** (distance of a codeword to the nearest other one, averaged over
the node) projects to 65536.
"""

from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


class Tree(NamedTuple):
    """A codebook's tree; nodes are named by tree order, 0 stands for none."""

    order: Int64
    """(k,) index of each codeword in tree order."""
    root: int
    left: Int64
    right: Int64
    planes: Int64
    """(k, 4) axis r, g, b and threshold of each node."""
    spacing: int
    """Mean spacing of the codebook, in sixteenths, at least 16."""


def build_tree(codebook: NDArray[np.uint8]) -> Tree:
    """Build the tree of a (k, 3) codebook.

    >>> tree = build_tree(np.array([[9, 9, 9], [0, 0, 0], [250, 0, 0]], np.uint8))
    >>> tree.order.tolist(), tree.root, tree.right.tolist()
    ([1, 0, 2], 1, [0, 2, 0])
    """
    k = len(codebook)
    colors = codebook.astype(np.int64)
    order = np.arange(k)
    left, right = np.zeros(k, dtype=np.int64), np.zeros(k, dtype=np.int64)
    planes = np.zeros((k, 4), dtype=np.int64)
    if k < 2:
        return Tree(order, 0, left, right, planes, 16)
    spacing = _spacing(colors)
    pending = [(0, k, left, 0)]
    root = k // 2
    while pending:
        lo, hi, parent_side, parent = pending.pop()
        cut = lo + (hi - lo) // 2
        if hi - lo < k:
            parent_side[parent] = cut
        members = order[lo:hi]
        axis = _axis(colors[members])
        projection = colors[members] @ np.array(axis, dtype=np.int64)
        members = members[np.lexsort((members, projection))]
        order[lo:hi] = members
        planes[cut] = _plane(axis, colors[members], cut - lo, int(spacing[members].mean()))
        if cut - lo > 1:
            pending.append((lo, cut, left, cut))
        if hi - cut > 1:
            pending.append((cut, hi, right, cut))
    return Tree(order, root, left, right, planes, max(16, int(spacing.mean())))


def _spacing(colors: Int64) -> Int64:
    """Distance of each color to the nearest other one, in sixteenths."""
    k = len(colors)
    nearest = np.empty(k, dtype=np.int64)
    for start in range(0, k, 256):
        part = colors[start : start + 256]
        square = ((part[:, None] - colors[None]) ** 2).sum(axis=2)
        square[np.arange(len(part)), np.arange(start, start + len(part))] = 1 << 40
        nearest[start : start + 256] = square.min(axis=1)
    return np.array([isqrt(256 * int(square)) for square in nearest], dtype=np.int64)


def _axis(colors: Int64) -> list[int]:
    """Principal axis, below 4096 in each component; zeros when all colors are one."""
    centered = colors * len(colors) - colors.sum(axis=0)
    covariance: list[list[int]] = (centered.T @ centered).tolist()
    widest = max(range(3), key=lambda i: covariance[i][i])
    shift = max(0, covariance[widest][widest].bit_length() - 40)
    covariance = [[value >> shift for value in row] for row in covariance]
    axis = _scaled(covariance[widest])
    for _ in range(8):
        axis = _scaled([sum(a * b for a, b in zip(row, axis, strict=True)) for row in covariance])
    return axis if sum(axis) >= 0 else [-value for value in axis]


def _scaled(vector: list[int]) -> list[int]:
    shift = max(0, max(abs(value) for value in vector).bit_length() - 12)
    return [value >> shift for value in vector]


def _plane(axis: list[int], colors: Int64, cut: int, spacing: int) -> tuple[int, ...]:
    length = max(1, isqrt(sum(value * value for value in axis)))
    scaled = [(value << 20) // (length * max(16, spacing)) for value in axis]
    ends: list[int] = (colors[cut - 1] + colors[cut]).tolist()
    return (*scaled, sum(a * b for a, b in zip(scaled, ends, strict=True)) // 2)
