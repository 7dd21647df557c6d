# mypy: disable-error-code="operator,arg-type,assignment,return-value"
"""Passes with the coder's own model, which learns while codewords are chosen.

In coding order, each pixel takes the codeword with the least distortion plus λ times bits. The bits
are those that the model charges now, plus a fraction of the proxy's bits for the later pixels that
see this one. Then the model learns the choice, as it will when the file is coded.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.coding.context_mixing import codeword_tree
from adaptive_kmeans.coding.context_mixing.codeword_tree import Codewords
from adaptive_kmeans.coding.context_mixing.contexts import MODELS, Model
from adaptive_kmeans.coding.context_mixing.neighborhood import ABOVE_MARGIN, ACROSS_MARGIN
from adaptive_kmeans.coding.context_mixing.pixels import (
    begin_pixel,
    begin_prices,
    begin_row,
    end_pixel,
    end_prices,
    end_row,
    new_model,
    price,
    take,
)
from adaptive_kmeans.coding.context_mixing.range_coder import COST_BITS, Meter, meter
from adaptive_kmeans.kernels import kernel
from adaptive_kmeans.limits import BAND_PIXELS
from adaptive_kmeans.rate_distortion.distortion import change
from adaptive_kmeans.rate_distortion.search import (
    UNKNOWN,
    Choice,
    add_later,
    cheapest,
    cost_alone,
    new_room,
)

LATER_SHARE = np.int64(179)
"""Fraction of the later pixels' bits that counts, in 1 / 256."""
TRIALS = 6
"""Most codewords that the model prices: those that the proxy finds cheapest."""


def choose(
    profile: str,
    codewords: Codewords,
    choice: Choice,
    regions: npt.NDArray[np.uint8],
    rows_done: npt.NDArray[np.int64],
) -> None:
    """Choose every pixel's codeword once.

    Parameters
    ----------
    profile : str
        Profile of the coder.
    codewords : Codewords
        Those of the choice, with the same numbers.
    choice : Choice
        Its labels are OUT.
    regions : (h, w) uint8
    rows_done : (1,) int64
        Counts the rows; a value below 0 stops the pass. OUT.
    """
    height, width = regions.shape
    rows = max(1, BAND_PIXELS // width)
    for top in range(0, height, rows):
        own = regions[top : top + rows]
        model = new_model(MODELS[profile], codewords, own, np.zeros(own.shape, dtype=np.int32))
        _choose_rows(model, meter(), choice, top, new_room(choice), rows_done)


def number_codewords(
    codebooks: tuple[npt.NDArray[np.uint8], ...], labels: npt.NDArray[np.int32]
) -> tuple[Codewords, tuple[npt.NDArray[np.uint8], ...]]:
    """Give codewords the numbers that the coder gives them.

    Parameters
    ----------
    codebooks : tuple of (k, 3) uint8
    labels : (h, w) int32
        Codewords by their place in the concatenated codebooks, -1 for hidden pixels; OUT, by the
        coder's numbers.

    Returns
    -------
    codewords : Codewords
    codebooks : tuple of (k, 3) uint8
        The codebooks in the coder's order.
    """
    codewords, order = codeword_tree.number_codewords(codebooks)
    sizes = [len(codebook) for codebook in codebooks]
    ends = np.cumsum(sizes)
    order = order + np.repeat(ends - sizes, sizes)
    numbers = np.empty(len(order), dtype=np.int32)
    numbers[order] = np.arange(len(order))
    labels[...] = np.where(labels < 0, labels, numbers[labels])
    return codewords, tuple(np.split(np.concatenate(codebooks)[order], ends[:-1]))


@kernel
def _choose_rows(
    model: Model,
    sink: Meter,
    choice: Choice,
    top: int,
    room: npt.NDArray[np.int64],
    rows_done: npt.NDArray[np.int64],
) -> None:
    labels, candidates, errors, totals = choice.labels, room[0], room[1], room[2]
    offsets = model.codewords.offsets
    height, width = model.regions.shape
    for band_y in range(height):
        y = top + band_y
        begin_row(model, band_y)
        for x in range(width):
            row, column = y + 2, x + 2
            region = np.int64(model.regions[band_y, x])
            if offsets[region + 1] - offsets[region] == 1:
                model.codes[band_y + ABOVE_MARGIN, x + ACROSS_MARGIN] = offsets[region]
                continue
            begin_pixel(model, band_y, x)
            begin_prices(model)
            count = cost_alone(choice, y, x, room)
            now = candidates[0]
            worth = np.int64(choice.prices[y, x])
            best, least = now, UNKNOWN
            for _ in range(TRIALS):
                place = cheapest(totals, count)
                if totals[place] == UNKNOWN:
                    break
                totals[place] = UNKNOWN
                label, cost = candidates[place], errors[place]
                if cost >= least:
                    continue
                cost += (worth * price(model, label)) >> (COST_BITS - 8)
                if cost >= least:
                    continue
                labels[row, column] = label
                later = add_later(choice, row, column, np.int64(0), worth, UNKNOWN)
                cost += (later * LATER_SHARE) >> 8
                if cost < least:
                    best, least = label, cost
            end_prices(model)
            labels[row, column] = best
            change(choice.distortion, y, x, now, best)
            take(model, sink, best)
            end_pixel(model, band_y, x, best)
        end_row(model, band_y)
        if rows_done[0] < 0:
            return
        rows_done[0] = y + 1
