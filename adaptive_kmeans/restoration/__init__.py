"""Restoration: the decoder gives back what a codebook loses.

The image that the codewords make is filtered, then corrected; both are in the file, as sections of
their own, and the region map plays no part::

    codewords' image ─ filter ─ coarse correction ─ image

============ ===================================================================================
`wiener`     the filter, by classes of activity that the decoder finds for itself
`fit`        how the encoder fits it
`default`    the coefficients that a file's are differences to
`correction` block means of the error that is left
`integers`   how the numbers of both are coded
============ ===================================================================================

What pays is decided by *squared error + price × bits*, the price being the slope of distortion
against rate of the image itself. For codewords in three dimensions at high rate, one bit a pixel
more divides the mean squared error by 2**(2/3) (A. Gersho, "Asymptotically Optimal Block
Quantization", IEEE Trans. Inf. Theory 25 (4), 1979), so that a bit is worth ``2 ln 2 / 3`` of the
squared error of a pixel's three channels: `PRICE` at least; smooth images, whose curve is steeper,
are better off with more.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.errors import UnknownNameError
from adaptive_kmeans.registry import Registry
from adaptive_kmeans.threads import Workers

if TYPE_CHECKING:
    from adaptive_kmeans.restoration.correction import Correction
    from adaptive_kmeans.restoration.wiener import Filter, Form

__all__ = ["NoRestoration", "Restoration", "Wiener", "fit_correction", "restorations", "restore"]

Image = npt.NDArray[np.uint8]

PRICE = 2.0
"""What a bit is worth, in mean squared errors of a channel: 1.4 by theory, 2 to 4 by BD-rate."""

SECTION_BYTES = 9
"""What a section takes beside its payload."""


class Restoration(Protocol):
    """How a filter is chosen."""

    def fit(self, original: Image, image: Image, workers: Workers) -> Filter | None:
        """Return the filter for the codewords' image, (H, W, 3) uint8, of an original; or None."""
        ...


@dataclass(frozen=True)
class NoRestoration:
    """No filter."""

    def fit(self, original: Image, image: Image, workers: Workers) -> Filter | None:
        """Return None."""
        return None


@dataclass(frozen=True)
class Wiener:
    """The filter of least squares.

    Parameters
    ----------
    form : str
        Classes of activity, 1, 3 or 8, and whether it sees rings against banding: ``8+rings``,
        ``3``. ``any`` fits all forms, and takes the one that pays best, or none.

    Raises
    ------
    UnknownNameError
        There is no such form.

    Examples
    --------
    >>> Wiener("3+rings").form
    '3+rings'
    """

    form: str = "8+rings"

    def __post_init__(self) -> None:
        from adaptive_kmeans.restoration.wiener import Form

        if self.form != ANY:
            Form.parse(self.form)

    def _forms(self) -> tuple[Form, ...]:
        from adaptive_kmeans.restoration.wiener import FORMS, Form

        return FORMS if self.form == ANY else (Form.parse(self.form),)

    def fit(self, original: Image, image: Image, workers: Workers) -> Filter | None:
        """Return the filter for the codewords' image, (H, W, 3) uint8, of an original; or None."""
        from adaptive_kmeans.restoration import fit

        before = squared_error(original, image)
        if before == 0:
            return None
        price = price_of_bit(before, image)
        total = fit.sums(original, image, workers)
        best, least = None, float(before) if self.form == ANY else math.inf
        for form in self._forms():
            found, error = fit.fit(total, form, price)
            if found is not None:
                cost = error + price * 8 * (SECTION_BYTES + len(found.to_bytes()))
                if cost < least:
                    best, least = found, cost
        if best is None:
            return None
        restored = image.copy()
        best.apply(restored, workers)
        after = squared_error(original, restored)
        if self.form == ANY and after >= before:  # where limits and rounding spoil it
            return None
        return dataclasses.replace(best, gain_db=gain_db(before, after))


ANY = "any"

restorations: Registry[Restoration] = Registry(
    "restoration", {"none": NoRestoration, "wiener": Wiener}
)

AUTO, NONE = "auto", "none"
CORRECTIONS = (NONE, AUTO)


def create(spec: str) -> Restoration:
    """Return the restoration of a spec: a registered one, or ``auto`` for whatever pays.

    Examples
    --------
    >>> create("auto"), create("wiener:8")
    (Wiener(form='any'), Wiener(form='8'))
    """
    return Wiener(ANY) if spec == AUTO else restorations.create(spec)


def check_correction(name: str) -> None:
    """Raise `UnknownNameError` unless there is such a setting of the correction."""
    if name not in CORRECTIONS:
        raise UnknownNameError("correction", name, CORRECTIONS)


def fit_correction(original: Image, image: Image, workers: Workers) -> Correction | None:
    """Return the correction of an (H, W, 3) image that pays best; None if none does.

    Parameters
    ----------
    original, image : (H, W, 3) uint8
        The original, and what codewords and filter give.
    workers : Workers
    """
    from adaptive_kmeans.restoration.correction import BLOCKS, STEP_FACTORS, block_means, quantize

    before = squared_error(original, image)
    price = price_of_bit(before, image)
    best, least = None, float(before)
    for block in BLOCKS if before else ():
        means = block_means(original, image, block)
        for factor in STEP_FACTORS:
            found = quantize(means, block, price, factor)
            corrected = image.copy()
            found.apply(corrected, workers)
            after = squared_error(original, corrected)
            cost = after + price * 8 * (SECTION_BYTES + len(found.to_bytes()))
            if cost < least:
                best, least = dataclasses.replace(found, gain_db=gain_db(before, after)), cost
    return best


def restore(
    image: Image, found: Filter | None, correction: Correction | None, workers: Workers
) -> None:
    """Filter and correct the codewords' image, (H, W, 3) uint8, in place."""
    if found is not None:
        found.apply(image, workers)
    if correction is not None:
        correction.apply(image, workers)


def price_of_bit(error: int, image: Image) -> float:
    """Return the squared error, summed over pixels and channels, that a bit is worth."""
    return PRICE * error / image.size


def squared_error(one: Image, other: Image) -> int:
    """Return the squared error, summed over pixels and channels."""
    from adaptive_kmeans._metric_kernels import squared_error as kernel

    return int(kernel(one.reshape(-1), other.reshape(-1)))


def gain_db(before: int, after: int) -> float:
    """Return how much the PSNR rises."""
    return 10 * math.log10(before / after) if after else math.inf
