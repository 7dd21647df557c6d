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
    """Build the tree of a (k, 3) codebook, all nodes of a level at once.

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
    lo, hi = np.array([0]), np.array([k])
    while lo.size:
        sizes = hi - lo
        starts = np.cumsum(sizes) - sizes
        node = np.repeat(np.arange(lo.size), sizes)
        places = np.arange(sizes.sum()) + (lo - starts)[node]
        members = order[places]
        axes = _axes(colors[members], starts, sizes, node)
        projections = (colors[members] * axes[node]).sum(axis=1)
        members = members[np.lexsort((members, projections, node))]
        order[places] = members
        cut = lo + sizes // 2
        mean_spacing = np.add.reduceat(spacing[members], starts) // sizes
        ends = colors[order[cut - 1]] + colors[order[cut]]
        planes[cut] = _planes(axes, ends, mean_spacing)
        low, high = cut - lo > 1, hi - cut > 1
        left[cut[low]] = lo[low] + (cut - lo)[low] // 2
        right[cut[high]] = cut[high] + (hi - cut)[high] // 2
        lo, hi = np.concatenate([lo[low], cut[high]]), np.concatenate([cut[low], hi[high]])
    return Tree(order, k // 2, left, right, planes, max(16, int(spacing.sum()) // k))


def _spacing(colors: Int64) -> Int64:
    """Distance of each color to the nearest other one, in sixteenths."""
    k = len(colors)
    nearest = np.empty(k, dtype=np.int64)
    points = colors.astype(np.float64)  # whose products and sums are exact
    norms = (points * points).sum(axis=1)
    for start in range(0, k, 256):
        part = points[start : start + 256]
        square = norms - 2 * (part @ points.T)
        square[np.arange(len(part)), np.arange(start, start + len(part))] = np.inf
        nearest[start : start + 256] = square.min(axis=1) + norms[start : start + 256]
    return _root(256 * nearest)


def _axes(colors: Int64, starts: Int64, sizes: Int64, node: Int64) -> Int64:
    """Principal axis of each node, below 4096 in each component; zeros when all colors are one."""
    centered = colors * sizes[node, None] - np.add.reduceat(colors, starts)[node]
    products = centered[:, :, None] * centered[:, None, :]
    covariance = np.add.reduceat(products, starts)
    widest = np.argmax(np.diagonal(covariance, axis1=1, axis2=2), axis=1)
    nodes = np.arange(len(starts))
    shift = np.maximum(0, _bit_length(covariance[nodes, widest, widest]) - 40)
    covariance >>= shift[:, None, None]
    axes = _scaled(covariance[nodes, widest])
    for _ in range(8):
        axes = _scaled((covariance * axes[:, None, :]).sum(axis=2))
    return np.where(axes.sum(axis=1, keepdims=True) >= 0, axes, -axes)


def _scaled(vectors: Int64) -> Int64:
    shift = np.maximum(0, _bit_length(np.abs(vectors).max(axis=1)) - 12)
    return vectors >> shift[:, None]


def _planes(axes: Int64, ends: Int64, spacing: Int64) -> Int64:
    length = np.maximum(1, _root((axes * axes).sum(axis=1)))
    scaled = (axes << 20) // (length * np.maximum(16, spacing))[:, None]
    threshold = (scaled * ends).sum(axis=1) // 2
    return np.column_stack([scaled, threshold])


def _bit_length(values: Int64) -> Int64:
    """Bits of each value from 0 on; those of a double, which is exact below 2**53, are the same."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)


def _root(values: Int64) -> Int64:
    """Integer square root of each value below 2**50, in which a double's root is never too large.

    >>> _root(np.array([0, 24, 25, 2**50 - 1])).tolist()
    [0, 4, 5, 33554431]
    """
    return np.sqrt(values.astype(np.float64)).astype(np.int64)
