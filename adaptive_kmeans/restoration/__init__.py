"""Restoration: the decoder recovers what a codebook loses.

The image that the codewords make is corrected, then filtered. Both steps are in the file, as
sections of their own, B and F, and the region map plays no part::

    codewords' image ─ coarse correction ─ filter ─ image

This order is better than the reverse by 0.01 to 0.02 dB, and by 1 to 2 % of 1 − SSIM, because the
filter is fitted last, to everything that has been added.

============ ===================================================================================
`correction` block means of the error of the codewords
`wiener`     the filter, by classes of activity that the decoder derives by itself
`fit`        how the encoder fits it
`default`    the default coefficients, to which a file stores differences
`price`      what a bit is worth
`integers`   how the numbers of both are coded
============ ===================================================================================

What pays is decided by *squared error + price × bits*, where the price comes from the image's own
slope of distortion against rate: see `price`.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.alpha import ONE, ROWS, weights
from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.errors import ConfigError, UnknownNameError
from adaptive_kmeans.registry import Registry
from adaptive_kmeans.threads import Workers

if TYPE_CHECKING:
    from adaptive_kmeans.restoration.correction import Correction
    from adaptive_kmeans.restoration.wiener import Filter, Form

__all__ = ["NoRestoration", "Restoration", "Wiener", "fit_correction", "restorations", "restore"]

Image = npt.NDArray[np.uint8]

SECTION_BYTES = 9
"""Bytes that a section takes besides its payload."""


class Restoration(Protocol):
    """How a filter is chosen."""

    def fit(
        self,
        original: Image,
        image: Image,
        price: float,
        workers: Workers,
        alpha: Image | None = None,
    ) -> Filter | None:
        """Return the filter that suits an image, or None.

        Parameters
        ----------
        original, image : (H, W, 3) uint8
            The original, and the image after codewords and correction.
        price : float
            Squared error, summed over pixels and channels, that a bit is worth.
        workers : Workers
        alpha : (H, W) uint8 or None
            How visible each pixel is: errors are weighted by it.
        """
        ...


@dataclass(frozen=True)
class NoRestoration:
    """No filter."""

    def fit(
        self,
        original: Image,
        image: Image,
        price: float,
        workers: Workers,
        alpha: Image | None = None,
    ) -> Filter | None:
        """Return None."""
        return None


@dataclass(frozen=True)
class Wiener:
    """The least-squares filter.

    Parameters
    ----------
    form : str
        Number of activity classes, 1, 3 or 8, and whether it sees rings, which reduce banding:
        ``8+rings``, ``3``. ``any`` fits all forms and takes the one that pays best, or none.

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

    def fit(
        self,
        original: Image,
        image: Image,
        price: float,
        workers: Workers,
        alpha: Image | None = None,
    ) -> Filter | None:
        """Return the filter of the form, or the form that pays best; None if none does."""
        from adaptive_kmeans.restoration import fit

        before = squared_error(original, image, alpha)
        if before == 0:
            return None
        total = fit.sums(original, image, workers, alpha)
        best, least = None, math.inf
        for form in self._forms():
            found, error = fit.fit(total, form, price)
            if found is not None:
                cost = error + price * _section_bits(found.to_bytes())
                if cost < least:
                    best, least = found, cost
        if best is None:
            return None
        restored = image.copy()
        best.apply(restored, workers)
        after = squared_error(original, restored, alpha)
        if self.form == ANY and not _pays(before - after, price, best.to_bytes()):
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
    """Raise `ConfigError` or `UnknownNameError` unless the correction has such a setting."""
    if not isinstance(name, str):
        raise ConfigError("correction", "a name", repr(name))
    if name not in CORRECTIONS:
        raise UnknownNameError("correction", name, CORRECTIONS)


def fit_correction(
    original: Image,
    image: Image,
    price: float,
    workers: Workers,
    alpha: Image | None = None,
) -> Correction | None:
    """Return the correction of an image that pays best; None if none does.

    The block size is chosen first, with a medium step, then the step.

    Parameters
    ----------
    original, image : (H, W, 3) uint8
        The original, and the image that the codewords make.
    price : float
        Squared error, summed over pixels and channels, that a bit is worth.
    workers : Workers
    alpha : (H, W) uint8 or None
        How visible each pixel is: errors are weighted by it.
    """
    from adaptive_kmeans.restoration.correction import (
        BLOCKS,
        MEDIUM,
        OTHER_STEPS,
        block_means,
        quantize,
    )

    before = squared_error(original, image, alpha)
    if before == 0:
        return None
    best, least = None, math.inf
    means = {block: block_means(original, image, block, alpha) for block in BLOCKS}

    def consider(block: int, factor: float) -> None:
        nonlocal best, least
        found = quantize(means[block], block, price, factor)
        corrected = image.copy()
        found.apply(corrected, workers)
        after = squared_error(original, corrected, alpha)
        payload = found.to_bytes()
        cost = after + price * _section_bits(payload)
        if cost < least and _pays(before - after, price, payload):
            best, least = dataclasses.replace(found, gain_db=gain_db(before, after)), cost

    for block in BLOCKS:
        consider(block, MEDIUM)
    if best is not None:
        block = best.block
        for factor in OTHER_STEPS:
            consider(block, factor)
    return best


def restore(
    image: Image, correction: Correction | None, found: Filter | None, workers: Workers
) -> None:
    """Correct and filter the codewords' image, (H, W, 3) uint8, in place."""
    if correction is not None:
        correction.apply(image, workers)
    if found is not None:
        found.apply(image, workers)


def warm_up() -> None:
    """Load, and on a new machine compile, what fitting and restoring need."""
    from adaptive_kmeans.restoration.wiener import BY_DEFAULT, Filter, Form

    ramp = np.arange(16 * 16 * 3, dtype=np.uint16).reshape(16, 16, 3).astype(np.uint8)
    rough = ramp // 64 * 64
    original = ramp.view()
    original.flags.writeable = False
    form = Form(1, rings=True)
    found = Filter(form, (BY_DEFAULT,), np.zeros((0, form.inputs, 3), dtype=np.int32))
    with Workers(1) as workers:
        Wiener(ANY).fit(original, rough, 1.0, workers)
        fit_correction(original, rough, 1.0, workers)
        restore(ramp, None, found, workers)


def held_bytes(correction: bytes | None, found: bytes | None, grid: BlockGrid) -> int:
    """Return the memory that restoring an image takes besides the image.

    Parameters
    ----------
    correction, found : bytes or None
        Payloads of the correction and of the filter, of which only heads are read.
    grid : BlockGrid

    Raises
    ------
    CorruptError
        The correction is invalid.
    """
    held = 0
    if found is not None:
        from adaptive_kmeans.restoration.wiener import Filter

        held += Filter.strip_bytes(grid.height, grid.width)
    if correction is not None:
        from adaptive_kmeans.restoration.correction import values_bytes

        held += values_bytes(correction, grid.height, grid.width)
    return held


def _section_bits(payload: bytes) -> int:
    return 8 * (SECTION_BYTES + len(payload))


def _pays(gain: int, price: float, payload: bytes) -> bool:
    from adaptive_kmeans.restoration.price import MARGIN

    return gain > MARGIN * price * _section_bits(payload)


def squared_error(one: Image, other: Image, alpha: Image | None = None) -> int:
    """Return the squared error, summed over pixels and channels, as far as it is visible.

    Parameters
    ----------
    one, other : (H, W, 3) uint8
    alpha : (H, W) uint8 or None
        How visible each pixel is; None for an opaque image.

    Examples
    --------
    >>> black = np.zeros((1, 2, 3), dtype=np.uint8)
    >>> squared_error(black, black + np.uint8(2), np.array([[0, 128]], dtype=np.uint8))
    3
    """
    if alpha is None:
        from adaptive_kmeans._metric_kernels import squared_error as kernel

        return int(kernel(one.reshape(-1), other.reshape(-1)))
    total = 0
    for top in range(0, len(one), ROWS):
        rows = slice(top, top + ROWS)
        squares = np.square(one[rows].astype(np.int64) - other[rows]).sum(axis=2)
        total += int((weights(alpha[rows]) * squares).sum())
    return total // ONE


def gain_db(before: int, after: int) -> float:
    """Return how much the PSNR rises."""
    return 10 * math.log10(before / after) if after else math.inf
