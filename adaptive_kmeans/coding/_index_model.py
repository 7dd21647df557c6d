"""From codebooks and region maps to the arrays of the index map's kernels, and back."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from adaptive_kmeans.coding._codeword_tree import Tree, build_tree
from adaptive_kmeans.coding._context_kernels import (
    DIRECT_SAME,
    DIRECT_TURN,
    HASHED_SAME,
    HASHED_TURN,
    SAME_SETS,
    SMALL,
    TURN_SETS,
    Layout,
)
from adaptive_kmeans.coding._index_kernels import code_index_map
from adaptive_kmeans.coding._memory import aligned_zeros
from adaptive_kmeans.coding._mixing_kernels import new_mixer
from adaptive_kmeans.coding._neighborhood_kernels import MARGIN, Book, new_past, new_view
from adaptive_kmeans.coding._range_coder import (
    POSITION,
    ends_well,
    start_decoding,
    start_encoding,
    tail,
)
from adaptive_kmeans.errors import CorruptError

Codebooks = tuple[NDArray[np.uint8], ...]
Int64 = NDArray[np.int64]
Masks = tuple[int, int]
"""Bit i says whether context i takes part: of the same-decision, of the turns. For ablations."""

ALL: Masks = (-1, -1)
"""Every context takes part: how files are written."""

SURE_MARGIN = 128
"""Half a spacing: nearer planes are always decided by the whole mixer."""
SURE_CHANCE = 512
"""A turn whose chance of a surprise is below this share of 65536 is coded by one counter."""


def encode(
    index_map: NDArray[np.uint16],
    regions: NDArray[np.uint8],
    codebooks: Codebooks,
    masks: Masks = ALL,
    rows_done: Int64 | None = None,
) -> bytes:
    """Payload of an index map that fits its codebooks; `rows_done` is as in `Coder`."""
    if index_map.size == 0:
        return b""
    book, orders = _book(codebooks)
    codes = np.zeros(regions.shape, dtype=np.int32)
    for region, order in enumerate(orders):
        rank = np.zeros(len(order), dtype=np.int32)
        rank[order] = np.arange(len(order)) + book.offsets[region]
        inside = regions == region
        codes[inside] = rank[index_map[inside]]
    room = 2 * index_map.size + 4096
    while True:
        stream = np.zeros(room, dtype=np.uint8)
        coder = start_encoding()
        _run(False, _padded(codes), regions, book, coder, stream, masks, rows_done)
        if coder[POSITION] <= room:
            return stream[: coder[POSITION]].tobytes() + tail(coder)
        room *= 4


def decode(
    payload: bytes,
    regions: NDArray[np.uint8],
    codebooks: Codebooks,
    rows_done: Int64 | None = None,
) -> NDArray[np.uint16]:
    """Index map of a payload; every pixel's region has a codeword.

    Raises
    ------
    CorruptError
        If the payload is not exactly what an encoder wrote for the map it decodes to.
    """
    if regions.size == 0:
        if payload:
            raise CorruptError("index map of no pixels", "0 bytes", len(payload))
        return np.zeros(regions.shape, dtype=np.uint16)
    book, orders = _book(codebooks)
    padded = _padded(np.zeros(regions.shape, dtype=np.int32))
    coder = start_decoding(payload)
    stream = np.frombuffer(payload, dtype=np.uint8).copy()
    _run(True, padded, regions, book, coder, stream, ALL, rows_done)
    if not ends_well(coder, payload):
        end = int(coder[POSITION]) - 4
        expected = f"its end at byte {end} or up to 4 bytes behind"
        raise CorruptError("index map", expected, f"{len(payload)} bytes with another end")
    return np.concatenate(orders).astype(np.uint16)[padded[3:, MARGIN:-MARGIN]]


def _book(codebooks: Codebooks) -> tuple[Book, list[Int64]]:
    trees = _trees(tuple(codebook.tobytes() for codebook in codebooks))
    offsets = np.concatenate([[0], np.cumsum([len(c) for c in codebooks])]).astype(np.int64)
    regions, total = len(codebooks), int(offsets[-1])
    placed = list(zip(trees, offsets[:-1], strict=True))
    planes = np.concatenate([tree.planes for tree in trees]).T * np.array([[1], [1], [1], [4]])
    colors = np.concatenate([c[t.order] for c, t in zip(codebooks, trees, strict=True)]).T
    book = Book(
        offsets,
        np.array([tree.root + offset for tree, offset in placed], dtype=np.int64),
        np.array([tree.spacing for tree in trees], dtype=np.int64),
        np.concatenate([tree.left + offset for tree, offset in placed]),
        np.concatenate([tree.right + offset for tree, offset in placed]),
        np.ascontiguousarray(planes, dtype=np.int32),
        np.ascontiguousarray(colors, dtype=np.int32),
        np.full(regions << 15, -1, dtype=np.int32),
        np.full(regions * total if regions > 1 else 1, -1, dtype=np.int32),
    )
    return book, [tree.order for tree in trees]


@lru_cache(maxsize=4)
def _trees(codebooks: tuple[bytes, ...]) -> tuple[Tree, ...]:
    """Build the trees of codebooks, once for all bands of a file: a large one takes a second."""
    return tuple(build_tree(np.frombuffer(c, np.uint8).reshape(-1, 3)) for c in codebooks)


def _padded(codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """`codes` below three rows and between margins of codeword 0."""
    return np.ascontiguousarray(np.pad(codes, ((3, 0), (MARGIN, MARGIN))))


def _run(
    decoding: bool,
    padded: NDArray[np.int32],
    regions: NDArray[np.uint8],
    book: Book,
    coder: Int64,
    stream: NDArray[np.uint8],
    masks: Masks,
    rows_done: Int64 | None,
) -> None:
    total = int(book.offsets[-1])
    depth = (regions.size - 1).bit_length()
    same_bits = min(max(depth - 3, 8), 18)
    tree_bits = min(max(depth - 6, 6), 15)
    plane_bits = min(max((256 * total - 1).bit_length(), 8), 20)
    trees = HASHED_SAME << (same_bits + 1)
    direct = trees + (HASHED_TURN << (tree_bits + 4))
    counters = aligned_zeros(direct + (DIRECT_SAME + DIRECT_TURN) * SMALL + (1 << plane_bits))
    sets = SAME_SETS + TURN_SETS
    layout = Layout(
        same_bits,
        tree_bits,
        trees,
        direct,
        sets,
        masks[0],
        (1 << plane_bits) - 1,
        SURE_MARGIN,
        SURE_CHANCE,
        masks[1],
    )
    mixer = new_mixer(sets + 2 * total, 2, coder, stream)
    past = new_past(regions.size)
    regions = np.ascontiguousarray(regions)
    if rows_done is None:
        rows_done = np.zeros(1, dtype=np.int64)
    code_index_map(
        decoding, padded, regions, book, new_view(), past, mixer, counters, layout, rows_done
    )
