"""Plain K-means, which is kept where it is better: on screens.

Screens repeat themselves, which the coder sees but the proxy for its bits does not, and a chosen
codeword that is slightly off costs a flat surface its exact color. So plain K-means is often better
there. Its size is found from the bytes of files, on a ladder of sizes that is the same at any
price: the lower λ is, the larger the codebook with the least distortion plus λ times bits, which
makes quality monotone. Where neither is clearly better, both are written and restored, and the
better file is kept.

Photographs are skipped to save time, since plain K-means does not win there, except with the coders
`deflate` and `fixed-length`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import alpha as alphas
from adaptive_kmeans.limits import MAX_CODEWORDS
from adaptive_kmeans.quantize import Quantized
from adaptive_kmeans.rate_distortion import proxy, static
from adaptive_kmeans.rate_distortion.distortion import total
from adaptive_kmeans.rate_distortion.size import SMALLEST
from adaptive_kmeans.threads import Workers

if TYPE_CHECKING:
    from adaptive_kmeans.rate_distortion import RateDistortion

LADDER = tuple(
    round(2 ** (step / 2))
    for step in range(2 * int(math.log2(SMALLEST)), 2 * int(math.log2(MAX_CODEWORDS)) + 1)
)
"""Sizes of plain codebooks, half an octave apart."""
STARTS = (1, 3)
"""Where the search on the ladder may begin, as multiples of the number of chosen codewords."""
SURFACES = 0.6
"""A screen has a larger share of pixels that equal the one to the left: 84 to 97 % on ten screens;
49 photographs have 0 to 55 %."""

RULED_OUT = 1.5
"""A candidate that costs more than the other by this factor, before restoration, is not worth a
file."""


def may_be_better(image: npt.NDArray[np.uint8], quantizer: RateDistortion) -> bool:
    """Return whether plain K-means has a chance: on a screen, or with a coder that sees little."""
    colors, alpha = alphas.split(image)
    same = (colors[:, 1:] == colors[:, :-1]).all(axis=2)
    if alpha is not None:
        if not alpha.any():
            return False
        same = same[(alpha[:, 1:] > 0) & (alpha[:, :-1] > 0)]
    is_screen = bool(np.count_nonzero(same) > SURFACES * same.size)
    return is_screen or quantizer.coder in static.LEARNERS


def candidates(
    image: npt.NDArray[np.uint8],
    quantizer: RateDistortion,
    chosen: Quantized,
    coded_bytes: Callable[[Quantized], int],
) -> list[Quantized]:
    """Return what is worth writing: chosen codewords, plain K-means of the best size, or both.

    Parameters
    ----------
    image : (H, W, 3) or (H, W, 4) uint8
    quantizer : RateDistortion
    chosen : Quantized
        The image as it has quantized it.
    coded_bytes : callable
        Codes a quantized image, and returns the size.
    """
    price = quantizer.price.price
    colors, alpha = alphas.split(image)

    def errors(quantized: Quantized) -> float:
        return total(quantizer.tune, colors, quantized.reconstruct_colors(), alpha)

    def estimate(quantized: Quantized) -> float:
        return errors(quantized) + price * proxy.estimated_bits(quantized)

    def cost(quantized: Quantized) -> float:
        return errors(quantized) + price * 8 * coded_bytes(quantized)

    start = quantizer.start
    split = start.split(image)
    forms, places = [start], [0]

    def plain_at(place: int) -> Quantized:
        return forms[place].cluster(split)

    def cost_at(place: int) -> float:
        return cost(plain_at(place))

    if not start.ks:
        forms = [dataclasses.replace(start, ks=(k,)) for k in LADDER]
        places = [_nearest_rung(times * len(chosen.codebooks[0])) for times in STARTS]
    best = min(places, key=lambda place: estimate(plain_at(place)))
    with Workers(2) as workers:
        least, here = workers.map(lambda call, of: call(of), [(cost, chosen), (cost_at, best)])
        steps = [step for step in (-1, 1) if 0 <= best + step < len(forms)]
        sides = workers.map(cost_at, [(best + step,) for step in steps])
        for step, side in zip(steps, sides, strict=True):
            at = best + step
            while side < here:
                here, best, at = side, at, at + step
                if not 0 <= at < len(forms):
                    break
                side = cost_at(at)
    if least * RULED_OUT < here:
        return [chosen]
    plain = plain_at(best)
    return [plain] if here * RULED_OUT < least else [chosen, plain]


def _nearest_rung(k: int) -> int:
    return min(range(len(LADDER)), key=lambda place: abs(math.log(LADDER[place] / k)))
