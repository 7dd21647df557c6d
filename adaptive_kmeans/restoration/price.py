"""The price of a bit: how much squared error a bit of a filter or a correction must remove.

It is a fraction of what a bit is worth, the image's own slope of squared error against bits,
because restoration lowers the error, and with it the slope.

A file with twice the codewords has a smaller error for more bits. With half the codewords the error
would be E' instead of E, about ``E' = E + the squared error of clustering the codewords``, and a
coder that needs R bits for indices of log2 k bits would need about ``R / log2 k`` fewer bits. So a
bit is worth

    ``E ln(E' / E) log2 k / R``

of squared error. At high rate the logarithm is ``2 ln 2 / 3 = 0.46`` (A. Gersho, "Asymptotically
Optimal Block Quantization", IEEE Trans. Inf. Theory 25 (4), 1979). Screens have few colors, and a
bit is worth many times as much there.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.quantize import Quantized

MARGIN = 2.0
"""A filter or a correction must remove this many times its price in squared error to be kept."""
FACTOR = 0.4
"""Price of a bit as a fraction of the slope: 0.2 to 0.6 are about equal by BD-rate; larger ones are
better by SSIM, smaller ones by SSIMULACRA 2."""
ITERATIONS = 10


def price_of_bit(error: float, quantized: Quantized, coded_bits: float) -> float:
    """Return the squared error that a bit must remove; parameters as for `slope`."""
    return FACTOR * slope(error, quantized, coded_bits)


def slope(error: float, quantized: Quantized, coded_bits: float) -> float:
    """Return the squared error, summed over pixels and channels, that a bit is worth.

    Parameters
    ----------
    error : float
        Squared error of the codewords' image.
    quantized : Quantized
        The image.
    coded_bits : float
        Bits of all its indices as coded.
    """
    if error <= 0:
        return 0.0
    nominal_bits, merged = 0.0, 0.0
    regions = quantized.pixel_regions
    for region, codebook in enumerate(quantized.codebooks):
        if len(codebook) > 1:
            used = np.bincount(quantized.index_map[regions == region], minlength=len(codebook))
            nominal_bits += float(used.sum()) * math.log2(len(codebook))
            merged += _merging_error(codebook, used)
    alpha = quantized.alpha
    pixels = quantized.index_map.size if alpha is None else int(np.count_nonzero(alpha))
    doubling_bits = max(coded_bits, 1.0) * pixels / max(nominal_bits, 1.0)
    return error * math.log1p(merged / error) / doubling_bits


def _merging_error(codebook: npt.NDArray[np.uint8], used: npt.NDArray[np.int64]) -> float:
    """Return the squared error of replacing a codebook's codewords by half as many."""
    from adaptive_kmeans.clustering import kmeans

    colors, weights = codebook[used > 0].astype(np.float64), used[used > 0]
    half = kmeans(colors, -(-len(colors) // 2), weights=weights, max_iterations=ITERATIONS)
    squares = ((colors - half.centroids[half.labels]) ** 2).sum(axis=1)
    return float((weights * squares).sum())
