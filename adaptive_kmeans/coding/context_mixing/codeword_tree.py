"""The binary tree over a codebook in which similar colors share prefixes, built in integers.

The **spacing** of a codeword is its distance to the nearest other codeword of its codebook, in
sixteenths, ``floor(sqrt(256 d**2))``; that of a codebook is the mean over its codewords, rounded
down, at least 16, and 16 for a single codeword.

A node holds a set of n codewords. Its **axis** comes from the covariance matrix of their colors,
``sum of (n c - s)(n c - s)^T``, where ``s`` is the sum of the colors. All elements of the matrix
are shifted right until the largest diagonal element (the first of equal ones) has at most 40 bits.
The axis starts as the row of that element and is multiplied by the matrix 8 times. At the start and
after each multiplication, it is shifted right until no component has more than 12 bits. It is
negated if its components add up to less than 0. The codewords are ordered by their projections onto
it (ties: by index), and the lower half (``n // 2``) goes left. The leaves from left to right give
the **tree order**. With codewords in this order, a node is an interval ``lo..hi - 1`` and is named
by the first codeword of its right half, which no other node shares.

The node's plane has the normal ``floor(2**20 axis / (length * spacing))``, where ``length`` is the
integer square root of the axis' squared length, at least 1, and ``spacing`` is the mean spacing of
the node's codewords, rounded down, at least 16. Its threshold is half the dot product of the normal
and the sum of the two codewords at the cut, rounded down, and then multiplied by 4, since colors
are measured in quarters of a level.

An image's codewords are numbered consecutively: those of region 0 in tree order, then those of
region 1, and so on. Nodes are numbered in the same way.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adaptive_kmeans.kernels import Int, inlined

Int64 = NDArray[np.int64]


class Codewords(NamedTuple):
    """All codewords of all regions, their trees, and caches of nearest codewords.

    The entries of the two caches, the last two arrays, depend on nothing else, so that threads may
    share them.
    """

    offsets: NDArray[np.int64]  # (regions + 1,) first codeword of each region
    roots: NDArray[np.int64]  # (regions,)
    spacings: NDArray[np.int64]  # (regions,) in sixteenths
    left: NDArray[np.int64]  # (codewords,)
    right: NDArray[np.int64]  # (codewords,)
    planes: NDArray[np.int32]  # (codewords, 4) axis r, g, b, and the threshold times 4
    colors: NDArray[np.int32]  # (codewords, 4) r, g, b, and 0
    cells: NDArray[np.int32]  # (regions << 15,) 1 + codeword nearest to a 5-bit color, 0 unknown
    peers: NDArray[np.int32]  # (regions * codewords,) 1 + nearest codeword in a region, 0 unknown


class Tree(NamedTuple):
    """A codebook's tree; nodes are named by tree order, and 0 means none."""

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


def number_codewords(codebooks: tuple[NDArray[np.uint8], ...]) -> tuple[Codewords, Int64]:
    """Return the codewords of all codebooks, numbered consecutively.

    Returns
    -------
    codewords : Codewords
    order : (codewords,) int64
        Index of each codeword in its own codebook.
    """
    trees = [build_tree(codebook) for codebook in codebooks]
    offsets = np.cumsum([0, *(len(codebook) for codebook in codebooks)], dtype=np.int64)
    regions, total = len(codebooks), int(offsets[-1])
    placed = list(zip(trees, offsets[:-1], strict=True))
    colors = np.zeros((total, 4), dtype=np.int32)
    colors[:, :3] = np.concatenate([c[t.order] for c, t in zip(codebooks, trees, strict=True)])
    codewords = Codewords(
        offsets,
        np.array([tree.root + offset for tree, offset in placed], dtype=np.int64),
        np.array([tree.spacing for tree in trees], dtype=np.int64),
        np.concatenate([tree.left + offset for tree, offset in placed]),
        np.concatenate([tree.right + offset for tree, offset in placed]),
        (np.concatenate([tree.planes for tree in trees]) * [1, 1, 1, 4]).astype(np.int32),
        colors,
        np.zeros(regions << 15, dtype=np.int32),
        np.zeros(regions * total if regions > 1 else 1, dtype=np.int32),
    )
    return codewords, np.concatenate([tree.order for tree in trees])


@inlined
def nearest(colors: NDArray[np.int32], lo: Int, hi: Int, r: Int, g: Int, b: Int) -> Int:
    """Codeword of ``lo..hi - 1`` nearest to a color, ties to the lowest."""
    best = np.int64(1 << 40)
    found = np.int64(lo)
    for i in range(lo, hi):
        dr = np.int64(colors[i, 0]) - r
        dg = np.int64(colors[i, 1]) - g
        db = np.int64(colors[i, 2]) - b
        square = dr * dr + dg * dg + db * db
        if square < best:
            best = square
            found = np.int64(i)
    return found


@inlined
def nearest_to_color(codewords: Codewords, region: Int, r: Int, g: Int, b: Int) -> Int:
    """Codeword of a region nearest to the center of a color's cell, 5 bits per channel."""
    r, g, b = r >> 3, g >> 3, b >> 3
    cell = np.uint64((region << 15) | (r << 10) | (g << 5) | b)
    if codewords.cells[cell] == 0:
        lo, hi = codewords.offsets[region], codewords.offsets[region + 1]
        found = nearest(codewords.colors, lo, hi, 8 * r + 4, 8 * g + 4, 8 * b + 4)
        codewords.cells[cell] = found + 1
    return np.int64(codewords.cells[cell]) - 1


@inlined
def peer(codewords: Codewords, region: Int, code: Int) -> Int:
    """Codeword of a region nearest to a codeword of another region."""
    at = np.uint64(region * codewords.left.size + code)
    if codewords.peers[at] == 0:
        colors = codewords.colors
        lo, hi = codewords.offsets[region], codewords.offsets[region + 1]
        r, g, b = np.int64(colors[code, 0]), np.int64(colors[code, 1]), np.int64(colors[code, 2])
        codewords.peers[at] = nearest(colors, lo, hi, r, g, b) + 1
    return np.int64(codewords.peers[at]) - 1


@inlined
def distance(codewords: Codewords, a: Int, b: Int) -> Int:
    """Sum of absolute differences of two codewords' colors."""
    total = np.int64(0)
    for c in range(3):
        total += abs(
            np.int64(codewords.colors[np.uint64(a), c])
            - np.int64(codewords.colors[np.uint64(b), c])
        )
    return total


def _spacing(colors: Int64) -> Int64:
    """Distance from each color to the nearest other one, in sixteenths."""
    k = len(colors)
    nearest = np.empty(k, dtype=np.int64)
    points = colors.astype(np.float64)  # products and sums of these are exact
    norms = (points * points).sum(axis=1)
    for start in range(0, k, 256):
        part = points[start : start + 256]
        square = norms - 2 * (part @ points.T)
        square[np.arange(len(part)), np.arange(start, start + len(part))] = np.inf
        nearest[start : start + 256] = square.min(axis=1) + norms[start : start + 256]
    return _root(256 * nearest)


def _axes(colors: Int64, starts: Int64, sizes: Int64, node: Int64) -> Int64:
    """Principal axis of each node, each component below 4096; zeros if all colors are equal."""
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
    """Bit length of each non-negative value, taken from its double, which is exact below 2**53."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)


def _root(values: Int64) -> Int64:
    """Integer square root of each value below 2**50, where a double's root is never too large.

    >>> _root(np.array([0, 24, 25, 2**50 - 1])).tolist()
    [0, 4, 5, 33554431]
    """
    return np.sqrt(values.astype(np.float64)).astype(np.int64)
