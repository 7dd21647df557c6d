# mypy: disable-error-code="operator,arg-type,assignment,call-overload"
"""The index map's kernel: which decisions a pixel costs. `context_mixing` describes them.

One kernel serves both directions, so that encoder and decoder cannot differ. It validates nothing.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from adaptive_kmeans.coding._context_kernels import (
    AFTER_25,
    Layout,
    neighbor_keys,
    scramble,
)
from adaptive_kmeans.coding._memory import prefetch
from adaptive_kmeans.coding._mixing_kernels import (
    Mixer,
)
from adaptive_kmeans.coding._neighborhood_kernels import (
    MARGIN,
    NE,
    NEIGHBORS,
    NW,
    Book,
    N,
    Past,
    View,
    W,
    confirm,
    look,
    predict,
    recall,
    train,
)
from adaptive_kmeans.coding._range_coder import POSITION
from adaptive_kmeans.coding._same_kernels import code_same, same_keys
from adaptive_kmeans.coding._turn_kernels import code_down_tree
from adaptive_kmeans.coding._turn_key_kernels import turn_keys

Int = Any  # int or np.int64, as Numba types it


@njit(cache=True, nogil=True)
def code_index_map(
    decoding: bool,
    padded: NDArray[np.int32],  # (h + 3, w + 2 MARGIN) codewords; OUT when decoding
    regions: NDArray[np.uint8],  # (h, w)
    book: Book,
    view: View,
    past: Past,
    mixer: Mixer,
    counters: NDArray[np.uint32],
    layout: Layout,
    rows_done: NDArray[np.int64],  # (1,) OUT, for those who wait
) -> None:
    """Code all pixels in reading order."""
    keys = np.zeros(27, dtype=np.int64)
    hashes = np.zeros(16, dtype=np.int64)
    checks = np.zeros(32, dtype=np.int64)
    lines = np.zeros(16, dtype=np.int64)
    errors = np.zeros(regions.shape[1] + 2, dtype=np.int64)
    codes = view.codes
    height, width = regions.shape
    for y in range(height):
        row = y + 3
        for i in range(MARGIN):
            padded[row, i] = padded[row - 1, MARGIN]
        run = np.int64(0)
        corner = np.int64(0)
        for x in range(width):
            col = x + MARGIN
            region = np.int64(regions[y, x])
            lo = book.offsets[region]
            if book.offsets[region + 1] - lo == 1:
                padded[row, col] = lo
                continue
            look(view, book, padded, row, col, region)
            neighbor_keys(codes, keys)
            code = np.int64(padded[row, col])
            first = codes[W]
            other = np.int64(-1)
            for i in range(1, NEIGHBORS):
                if codes[i] != first:
                    other = codes[i]
                    break
            mark = scramble(keys[AFTER_25]) >> 1
            prefetch(past.places, mark & (past.places.size - 1))
            flat = first == codes[N] and first == codes[NW] and first == codes[NE]
            root = book.roots[region]
            if flat:
                same_keys(view, keys, hashes, counters, layout, region, other)
            else:
                turn_keys(
                    view, keys, hashes, counters, layout, root, region, other, np.int64(0)
                )  # fmt: skip
            predict(view, book)
            recall(past, padded, row, col, mark)
            told = past.match[2]
            trust = min(past.match[1], 7) + min(past.match[1] >> 3, 3) + min(past.match[1] >> 5, 5)
            if book.left.size > book.offsets[region + 1] - lo and (
                told < lo or told >= book.offsets[region + 1]
            ):
                told = np.int64(-1)
            energy = 2 * errors[x] + 2 * errors[x + 1] + corner + errors[x + 2]
            barred = np.int64(-1)
            same = np.int64(0)
            if flat:
                barred = first
                same = code_same(
                    view, book, mixer, counters, layout, keys, hashes, checks,
                    decoding, np.int64(code == first), region, other, run, told, trust,
                )  # fmt: skip
            if same != 0:
                code = first
            else:
                if flat:
                    turn_keys(
                        view, keys, hashes, counters, layout, root, region, other, np.int64(1)
                    )  # fmt: skip
                code = code_down_tree(
                    view, book, mixer, counters, layout, keys, hashes, checks, lines,
                    decoding, code, region, other, barred, told, trust, energy,
                )  # fmt: skip
            padded[row, col] = code
            miss = np.int64(0)
            for c in range(3):
                miss += abs(np.int64(book.colors[c, code]) * 16 - view.linear[c])
            corner = errors[x + 1]
            errors[x + 1] = miss >> 2
            train(view, book, code, book.spacings[region])
            confirm(past, code)
            run = run + 1 if code == first else np.int64(0)
            if decoding and mixer.coder[POSITION] - 4 > mixer.stream.size:
                return  # the payload is over, so it is refused; an image may claim many more pixels
        for i in range(MARGIN):
            padded[row, MARGIN + width + i] = padded[row, MARGIN + width - 1]
        rows_done[0] = y + 1
