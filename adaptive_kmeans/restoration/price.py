"""The price of a bit: how much squared error a bit of a filter or a correction must remove.

It is a part of the slope of squared error against bits that the codewords have, see
`adaptive_kmeans.restoration.slope`: restoration lowers the error, and with it the slope.
"""

from __future__ import annotations

from adaptive_kmeans.quantize import Quantized
from adaptive_kmeans.restoration.slope import slope

MARGIN = 2.0
"""A filter or a correction must remove this many times its price in squared error to be kept."""
FACTOR = 0.4
"""Price of a bit as a part of the slope: 0.2 to 0.6 are about equal by BD-rate; larger ones are
better by SSIM, smaller ones by SSIMULACRA 2."""


def price_of_bit(error: float, quantized: Quantized, coded_bits: float) -> float:
    """Return the squared error, summed over pixels and channels, that a bit must remove.

    Parameters
    ----------
    error : float
        Squared error of the codewords' image.
    quantized : Quantized
        The image.
    coded_bits : float
        Bits of all its indices as they are coded.
    """
    return FACTOR * slope(error, quantized, coded_bits)
