"""The codec: the paper's pipeline, from image to file and back.

::

    image ─ blocks ─ detail ─ regions ─ clustering ─ Quantized ─ coding ───────┬ container ─ bytes
            └──────────────── quantize ───────────┘      └────── restoration ┘
    bytes ─ container ─ coding ─ bands of a Quantized ─ colors ─ restoration ─ image
            └────── Reader ───┘
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import alpha as alphas
from adaptive_kmeans import container, restoration
from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.coding import coders
from adaptive_kmeans.dithering import NONE as UNDITHERED
from adaptive_kmeans.dithering import ditherings
from adaptive_kmeans.errors import ConfigError, UnknownNameError
from adaptive_kmeans.limits import (
    DEFAULT,
    MAX_BLOCK_SIZE,
    MAX_CODEWORDS,
    WITH_ALPHA,
    Limits,
    check_image,
    check_integer,
)
from adaptive_kmeans.progress import Progress
from adaptive_kmeans.quantize import (
    ColorTable,
    Quantized,
    RegionAdaptive,
    with_hidden_codebook,
)
from adaptive_kmeans.rate_distortion import TUNES, RateDistortion
from adaptive_kmeans.rate_distortion.detail_price import DetailPrice
from adaptive_kmeans.rate_distortion.effort import DEFAULT as DEFAULT_EFFORT
from adaptive_kmeans.rate_distortion.effort import EFFORTS, FAST_UP_TO
from adaptive_kmeans.registry import version_of
from adaptive_kmeans.restoration.price import price_of_bit
from adaptive_kmeans.threads import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from adaptive_kmeans.clustering.locked import Color
    from adaptive_kmeans.registry import Registry
    from adaptive_kmeans.restoration.correction import Correction
    from adaptive_kmeans.restoration.wiener import Filter

    Input = npt.NDArray[np.uint8] | str | Path | BinaryIO | Image

MAX_PRICE = 1e6
"""Largest λ."""
DEFAULT_QUALITY = 75.0
PRICE_OF_BEST = 2.5
"""λ at quality 100."""
QUALITIES = tuple(step / 100 for step in range(10_001))
"""The qualities that a search may try, in steps of 0.01."""

ENCODER_VERSION = 4
"""Incremented whenever the same image and settings give different pixels or bytes, so that
experiments measure their stored trials again."""

TWO_CODEBOOKS_VERSION = 2
"""Likewise, if only files with two codebooks differ: trials with one stay valid."""

VERSIONS = {"encoder": ENCODER_VERSION, "encoder_of_two_codebooks": TWO_CODEBOOKS_VERSION}
"""Both, as experiments record them."""

_PLAIN = "plain K-means (k, or k1 and k2, and no price of bits)"
"""What dithering needs."""

_LATER = ("alpha_levels", "codebook", "dither")
"""Settings that are missing from trials stored before these settings were added."""


@dataclass(frozen=True)
class Settings:
    """The settings of the encoder; decoding needs none.

    There are three ways to say what a file should be. By quality, the default: codewords are chosen
    by distortion and bits, and the decoder restores what it can. By the number of codewords, with
    `regular`, or by two such numbers, with `published`: plain K-means, unless a price is given.

    Parameters
    ----------
    k1 : int or None
        Number of codewords, at most `MAX_CODEWORDS` of `adaptive_kmeans.limits`; with `k2`, the
        number for low-detail blocks. None encodes by quality.
    k2 : int or None
        Number of codewords for high-detail blocks; None for one region. The published method has k1
        < k2, but any sizes are allowed.
    detail : str
        Spec of the detail measure: ``eigenvalue``, ``eigenvalue:largest``, ``variance``,
        ``total-variation``, or one that an installed package adds.
    threshold : str
        Spec of the threshold: ``median``, ``mean``, ``otsu``, ``quantile:SHARE``.
    block_size : int
        Side of a block in pixels, at most `MAX_BLOCK_SIZE`.
    coder : str
        Spec of the coder: ``fixed-length``, ``deflate``, ``context-mixing``.
    color_space : str
        Color space of the clustering: ``rgb``, ``lab``, ``ycbcr``, ``hsv``, ``oklab``.
    seed : int
        Seed of the clustering, 0 or above.
    init : str
        Where the centroids start: ``wu``, ``k-means++``, ``maximin``, ``random``.
    tolerance : float
        Clustering stops when the distortion falls by less than this fraction; with 0, it continues
        until no label changes.
    price : float
        λ: the distortion, in squared levels summed over channels, that a bit of an index is worth.
        Above 0, codewords are chosen by distortion and bits: see `adaptive_kmeans.rate_distortion`.
        At 0, each pixel takes the nearest codeword, as in plain K-means. A quality sets it.
    quality : float or None
        0 to 100, by default `DEFAULT_QUALITY` if no codebooks are given. It sets the price to
        `price_of_quality`, the codebook size to suit the price, and restoration and correction to
        ``auto``.
    tune : str
        The distortion: ``perceptual``, or ``psnr`` for the squared error of RGB. For prices above
        0.
    effort : int
        1 (fast) to 9 (small files): see `adaptive_kmeans.rate_distortion.effort`. For prices above
        0. Up to 3, the coder ``context-mixing`` becomes ``context-mixing:fast``.
    detail_power : float
        How strongly λ depends on the detail of a block, as `detail` measures it: an exponent, -1 to
        1.
    restoration : str
        Spec of the filter that the decoder applies last: ``none``, ``wiener:FORM`` with a form such
        as ``8+rings`` or ``3``, or ``auto`` for the form that pays best for its bytes, if any does.
    correction : str
        Coarse correction of the codewords' errors: ``none``, or ``auto`` where it pays.
    alpha_levels : int or None
        Most levels of alpha to keep, 2 to 256; None keeps alpha lossless.
    codebook : tuple of (red, green, blue), or (n, 3) array
        Given codewords, for one codebook: all of its codewords, or, with a larger `k1`, some of
        them, which clustering keeps and adds to. The file contains them whether they are used or
        not, so that an index means the same color in every file with the same codebook. See
        `with_codebook`.
    dither : str
        Spec of the dithering of plain K-means: ``none``, ``diffusion:STRENGTH`` or
        ``blue-noise:STRENGTH`` with a strength of 0 to 1, by default 1, or one that an installed
        package adds.

    Raises
    ------
    ConfigError, UnknownNameError
        A setting has the wrong type, is out of range, or is an unknown name.

    Examples
    --------
    >>> Settings().quality
    75.0
    >>> Settings.regular(k=16).ks
    (16,)
    >>> Settings.published(k1=32, k2=256) == Settings(k1=32, k2=256)
    True
    """

    k1: int | None = None
    k2: int | None = None
    detail: str = "eigenvalue"
    threshold: str = "median"
    block_size: int = 4
    coder: str = "context-mixing"
    color_space: str = "rgb"
    seed: int = 0
    init: str = "wu"
    tolerance: float = 1e-3
    price: float = 0.0
    quality: float | None = None
    tune: str = TUNES[0]
    effort: int = DEFAULT_EFFORT
    detail_power: float = 0.1
    restoration: str = None  # type: ignore[assignment]  # by quality auto, else none
    correction: str = None  # type: ignore[assignment]  # likewise
    alpha_levels: int | None = None
    codebook: tuple[Color, ...] = ()
    dither: str = UNDITHERED

    @classmethod
    def regular(cls, k: int, **others: Any) -> Self:
        """Return the settings of regular K-means: one region, one codebook of k codewords."""
        return cls(k1=k, k2=None, **others)

    @classmethod
    def published(cls, k1: int, k2: int, **others: Any) -> Self:
        """Return the settings of the published method: k1 codewords for low detail, k2 for high."""
        return cls(k1=k1, k2=k2, **others)

    @classmethod
    def with_codebook(cls, colors: npt.ArrayLike, k: int | None = None, **others: Any) -> Self:
        """Return the settings of regular K-means with given codewords.

        Parameters
        ----------
        colors : (n, 3) array
            Levels from 0 to 255.
        k : int, optional
            Size of the codebook: K-means finds the codewords that are not given. By default all are
            given, and each pixel takes the nearest one.
        **others
            Other settings.

        Examples
        --------
        >>> image = np.array([[[0, 0, 0], [9, 9, 9], [250, 200, 0]]], dtype=np.uint8)
        >>> colors = [[255, 204, 0], [1, 1, 1]]
        >>> quantize(image, Settings.with_codebook(colors)).codebooks[0].tolist()
        [[1, 1, 1], [255, 204, 0]]
        >>> quantize(image, Settings.with_codebook(colors, k=3)).index_map.tolist()
        [[0, 1, 2]]
        """
        from adaptive_kmeans.clustering.locked import check_colors

        return cls(k1=k, codebook=check_colors(colors), **others)

    def __post_init__(self) -> None:
        if not isinstance(self.codebook, tuple) or self.codebook:
            self._take_codebook()
        if self.quality is not None or (self.k1 is None and self.k2 is None):
            self._take_quality()
        for key in ("restoration", "correction"):
            if getattr(self, key) is None:
                chosen = restoration.NONE if self.quality is None else restoration.AUTO
                object.__setattr__(self, key, chosen)
        integers = {
            "k1": ("k" if self.is_regular else "k1", 1, MAX_CODEWORDS),
            "k2": ("k2", 1, MAX_CODEWORDS),
            "block_size": ("block size", 1, MAX_BLOCK_SIZE),
            "seed": ("seed", 0, 2**32 - 1),
            "effort": ("effort", 1, max(EFFORTS)),
            "alpha_levels": ("alpha levels", 2, container.LEVELS),
        }
        if self.k1 is None and self.k2 is not None:
            raise ConfigError("k1", "as well as k2", "none")
        for key, (name, low, high) in integers.items():
            value = getattr(self, key)
            if value is not None:
                # NumPy's integers become Python's, so that equal settings are equal everywhere.
                object.__setattr__(self, key, check_integer(name, value, low, high))
        self._spell_specs()
        from adaptive_kmeans.clustering import COLOR_SPACES, INITIALIZATIONS

        _check_name("color space", self.color_space, COLOR_SPACES)
        _check_name("initialization", self.init, INITIALIZATIONS)
        _check_name("tune", self.tune, TUNES)
        object.__setattr__(self, "tolerance", _check_share("tolerance", self.tolerance))
        price = _check_real("price", self.price, 0.0, MAX_PRICE)
        power = _check_real("detail power", self.detail_power, -1.0, 1.0)
        object.__setattr__(self, "price", price)
        object.__setattr__(self, "detail_power", power)
        if self.is_dithered and self.price > 0:
            received = f"λ = {price:g}" if self.quality is None else f"quality {self.quality:g}"
            raise ConfigError("dither", _PLAIN, received)
        self.quantizer()
        restoration.create(self.restoration)
        restoration.check_correction(self.correction)

    def _spell_specs(self) -> None:
        """Write each spec in its canonical form, so that settings that mean the same are equal."""
        coders.create(self.coder)
        for key, family in _families().items():
            spec = getattr(self, key)
            if (key, spec) != ("restoration", restoration.AUTO):
                object.__setattr__(self, key, family.spec(spec))

    def _take_codebook(self) -> None:
        """Check given codewords; without a size, they are the whole codebook."""
        from adaptive_kmeans.clustering.locked import check_colors

        if self.quality is not None or self.k2 is not None:
            received = "a quality" if self.k2 is None else "two"
            raise ConfigError("settings", "a codebook alone, for one region", received)
        colors = check_colors(self.codebook)
        object.__setattr__(self, "codebook", colors)
        k = len(colors) if self.k1 is None else self.k1
        object.__setattr__(self, "k1", check_integer("k", k, len(colors), MAX_CODEWORDS))
        if self.price != 0 and not self.is_given:
            expected = "a codebook that is given whole, without k"
            raise ConfigError("price of bits", expected, f"{len(colors)} of {k} codewords")

    def _take_quality(self) -> None:
        """Set what the quality determines; refuse settings that contradict it."""
        given = DEFAULT_QUALITY if self.quality is None else self.quality
        quality = _check_real("quality", given, 0.0, 100.0)
        price = price_of_quality(quality)
        if (self.k1, self.k2) != (None, None) or self.price not in (0.0, price):
            raise ConfigError("settings", "either quality, or codebooks and price", "both")
        object.__setattr__(self, "quality", quality)
        object.__setattr__(self, "price", price)

    @property
    def is_regular(self) -> bool:
        """Whether there is one region."""
        return self.k2 is None

    @property
    def is_given(self) -> bool:
        """Whether all codewords are given, so that none has to be found."""
        return bool(self.codebook) and len(self.codebook) == self.k1

    @property
    def is_dithered(self) -> bool:
        """Whether pixels may take codewords other than the nearest, to keep areas' mean colors."""
        return self.dither != UNDITHERED

    @property
    def ks(self) -> tuple[int, ...]:
        """Number of codewords in each region: (k1, k2), (k,) for one region, () by quality."""
        return tuple(k for k in (self.k1, self.k2) if k is not None)

    @property
    def file_coder(self) -> str:
        """Spec of the coder that writes the file: a fast one at low effort."""
        hurried = self.price > 0 and self.effort <= FAST_UP_TO
        return self.fast_coder if hurried else self.coder

    @property
    def fast_coder(self) -> str:
        """Spec of the coder, or of a fast profile of it."""
        return "context-mixing:fast" if self.coder == "context-mixing" else self.coder

    @property
    def restores(self) -> bool:
        """Whether the encoder looks for a filter or a correction."""
        return (self.restoration, self.correction) != (restoration.NONE, restoration.NONE)

    @property
    def unused(self) -> dict[str, str]:
        """Settings that have no effect among the others, and what they would need.

        Examples
        --------
        >>> Settings.regular(k=16).unused["threshold"]
        'two codebooks'
        >>> "detail" in Settings(effort=5).unused
        False
        """
        needs = {}
        if self.is_regular:
            needs["threshold"] = "two codebooks"
        if self.price == 0:
            needs |= dict.fromkeys(("tune", "effort"), "a quality, or a price of bits")
        else:
            needs["dither"] = _PLAIN
        if self.is_regular and (self.price == 0 or not EFFORTS[self.effort].shares):
            needs["detail"] = "two codebooks, or a quality at more than the least effort"
        if self.is_given:
            needs |= dict.fromkeys(
                ("init", "seed", "tolerance"), "codewords to find, by a larger k"
            )
        elif self.init not in ("k-means++", "random"):
            needs["seed"] = "an init that draws, k-means++ or random"
        return needs

    def quantizer(self) -> RegionAdaptive | RateDistortion:
        """Return the quantizer of these settings."""
        from adaptive_kmeans.detail import measures
        from adaptive_kmeans.regions import thresholds

        measure, threshold = measures.create(self.detail), thresholds.create(self.threshold)
        nearest = RegionAdaptive(
            ks=self.ks,
            block_size=self.block_size,
            measure=None if self.is_regular else measure,
            threshold=None if self.is_regular else threshold,
            init=self.init,
            tolerance=self.tolerance,
            color_space=self.color_space,
            seed=self.seed,
            locked=self.codebook,
            dithering=ditherings.create(self.dither) if self.is_dithered else None,
        )
        if self.price == 0:
            return nearest
        return RateDistortion(
            nearest,
            DetailPrice(self.price, measure, self.detail_power),
            tune=self.tune,
            effort=self.effort,
            coder=self.coder,
            is_restored=self.restores,
        )


def quantize(
    image: Input,
    settings: Settings | None = None,
    *,
    progress: Progress | None = None,
) -> Quantized:
    """Quantize an image: blocks, detail, regions, codebooks, index map.

    Parameters
    ----------
    image : (H, W, 3) or (H, W, 4) uint8, or what `adaptive_kmeans.load` takes
        sRGB pixels, and alpha.
    settings : Settings, optional
        Settings of the encoder; the defaults if omitted.
    progress : callable, optional
        Called with the stage's name and its finished share.

    Raises
    ------
    ImageError
        The array is not an (H, W, 3) or (H, W, 4) uint8 image with at least one pixel.
    LimitError
        The image has too many pixels; see `adaptive_kmeans.limits`.

    Examples
    --------
    >>> image = np.zeros((8, 8, 3), dtype=np.uint8)
    >>> image[:, 4:] = 200
    >>> quantize(image, Settings.regular(k=4)).codebooks[0]
    array([[  0,   0,   0],
           [200, 200, 200]], dtype=uint8)
    """
    settings = check_settings(settings)
    return settings.quantizer()(_prepare(image, settings), progress)


def _prepare(image: Input, settings: Settings) -> npt.NDArray[np.uint8]:
    """Check an image and return what is coded: colors, and alpha unless it is opaque everywhere.

    Hidden pixels get the colors of their neighbors. The array is read-only even if the caller's is
    not, so that kernels compile only once.
    """
    if not isinstance(image, np.ndarray):
        from adaptive_kmeans.image import as_pixels

        image = as_pixels(image)
    colors, alpha = alphas.split(check_image(image, channels=WITH_ALPHA))
    if alpha is None or alpha.min() == alphas.OPAQUE:
        pixels = np.ascontiguousarray(colors).view()
    else:
        if settings.alpha_levels is not None:
            from adaptive_kmeans.clustering.gray import fewer_levels

            alpha = fewer_levels(alpha, settings.alpha_levels)
        colors = colors.copy()
        alphas.fill_hidden(colors, alpha)
        pixels = alphas.join(colors, alpha)
    pixels.flags.writeable = False
    return pixels


def encode(
    image: Input,
    settings: Settings | None = None,
    *,
    progress: Progress | None = None,
) -> bytes:
    """Encode an image as the bytes of an `.akm` file.

    Parameters
    ----------
    image : (H, W, 3) or (H, W, 4) uint8, or what `adaptive_kmeans.load` takes
        sRGB pixels, and alpha, which is kept without loss unless the settings name `alpha_levels`.
        Alpha that is opaque everywhere is not kept, and neither are the colors of hidden pixels:
        see `adaptive_kmeans.alpha`.
    settings : Settings, optional
        Settings of the encoder; the defaults if omitted.
    progress : callable, optional
        Called with the stage's name and its finished share.

    Raises
    ------
    ImageError
        The array is not an (H, W, 3) or (H, W, 4) uint8 image with at least one pixel.
    LimitError
        The image has too many pixels; see `adaptive_kmeans.limits`.

    Examples
    --------
    >>> image = np.zeros((64, 64, 3), dtype=np.uint8)
    >>> data = encode(image, Settings.regular(k=16, coder="fixed-length"))
    >>> bool((decode(data) == image).all())
    True
    """
    return _encode(image, settings, progress).data


def encode_with_reconstruction(
    image: Input,
    settings: Settings | None = None,
    *,
    progress: Progress | None = None,
) -> tuple[bytes, npt.NDArray[np.uint8]]:
    """Encode an image, and also return what the file decodes to.

    The encoder already has these pixels, so the file need not be decoded to score it.

    Returns
    -------
    data : bytes
        The file; see `encode` for the parameters and errors.
    reconstruction : (H, W, 3) or (H, W, 4) uint8
        The image that `decode` makes of it.

    Examples
    --------
    >>> image = np.zeros((8, 8, 3), dtype=np.uint8)
    >>> data, reconstruction = encode_with_reconstruction(image, Settings.regular(k=4))
    >>> bool((decode(data) == reconstruction).all())
    True
    """
    file = _encode(image, settings, progress)
    return file.data, file.decoded


class Encoded(NamedTuple):
    """A file and what the encoder knows about it; see `encode_in_full`."""

    data: bytes
    quantized: Quantized
    reconstruction: npt.NDArray[np.uint8]


def encode_in_full(
    image: Input,
    settings: Settings | None = None,
    *,
    progress: Progress | None = None,
) -> Encoded:
    """Encode an image, and also return the quantized image in the file and what it decodes to.

    Returns
    -------
    data : bytes
        The file; see `encode` for the parameters and errors.
    quantized : Quantized
        The quantized image in the file, as `container.read` returns it.
    reconstruction : (H, W, 3) or (H, W, 4) uint8
        The image that `decode` makes of it.

    Examples
    --------
    >>> image = np.zeros((8, 8, 3), dtype=np.uint8)
    >>> encoded = encode_in_full(image, Settings.regular(k=4))
    >>> encoded.quantized.codebooks[0]
    array([[0, 0, 0]], dtype=uint8)
    """
    file = _encode(image, settings, progress)
    return Encoded(file.data, file.quantized, file.decoded)


class _File(NamedTuple):
    """A file, what it holds, and what it decodes to if anything is restored."""

    data: bytes
    quantized: Quantized
    restored: npt.NDArray[np.uint8] | None

    @property
    def decoded(self) -> npt.NDArray[np.uint8]:
        return self.quantized.reconstruct() if self.restored is None else self.restored


def _encode(image: Input, settings: Settings | None, progress: Progress | None) -> _File:
    """Encode an image, and return the best of the candidate files."""
    settings = check_settings(settings)
    pixels = _prepare(image, settings)
    candidates = _quantize(pixels, settings, progress)
    files = [_write(pixels, quantized, settings, progress) for quantized in candidates]
    if len(files) == 1:
        return files[0]
    from adaptive_kmeans.rate_distortion.distortion import total

    colors, alpha = alphas.split(pixels)

    def cost(file: _File) -> float:
        decoded, _ = alphas.split(file.decoded)
        error = total(settings.tune, colors, decoded, alpha, coarser=0.0)
        return error + 8 * settings.price * len(file.data)

    return min(files, key=cost)


def _quantize(
    image: npt.NDArray[np.uint8], settings: Settings, progress: Progress | None
) -> list[Quantized]:
    """Return the candidates: chosen codewords, plain K-means where it may be better, or both."""
    quantized, quantizer = quantize(image, settings, progress=progress), settings.quantizer()
    if not isinstance(quantizer, RateDistortion):
        return [quantized]
    from adaptive_kmeans.rate_distortion import plain

    if not plain.may_be_better(image, quantizer):
        return [quantized]

    def waiting(stage: str, share: float) -> None:
        if progress is not None:
            progress("trying plain K-means", 0.0)

    def coded_bytes(tried: Quantized) -> int:
        return len(container.write(tried, settings.fast_coder, progress=waiting))

    waiting("", 0.0)
    return plain.candidates(image, quantizer, quantized, coded_bytes)


def _write(
    image: npt.NDArray[np.uint8],
    quantized: Quantized,
    settings: Settings,
    progress: Progress | None,
) -> _File:
    """Code a quantized image and fit its restoration."""
    data = container.write(quantized, settings.file_coder, progress=progress)
    if not settings.restores:
        return _File(data, quantized, None)
    colors, alpha = alphas.split(image)
    reconstruction = quantized.reconstruct_colors()
    alphas.fill_hidden(reconstruction, alpha)
    price = settings.price
    if price == 0:
        bits = 8 * container.inspect(data).index_map_bytes
        error = restoration.squared_error(colors, reconstruction, alpha)
        price = price_of_bit(error, quantized, bits)
    sections = _restore(colors, reconstruction, alpha, settings, price, progress)
    alphas.clear_hidden(reconstruction, alpha)
    data = container.with_sections(data, sections)
    return _File(data, quantized, alphas.join(reconstruction, alpha))


def _restore(
    image: npt.NDArray[np.uint8],
    reconstruction: npt.NDArray[np.uint8],
    alpha: npt.NDArray[np.uint8] | None,
    settings: Settings,
    price: float,
    progress: Progress | None,
) -> list[container.Section]:
    """Fit correction and filter, apply them to the reconstruction, and return their sections."""
    sections = []
    if progress is not None:
        progress("fitting the restoration", 0.0)
    with Workers() as workers:
        if settings.correction != restoration.NONE:
            correction = restoration.fit_correction(image, reconstruction, price, workers, alpha)
            if correction is not None:
                correction.apply(reconstruction, workers)
                sections.append(container.Section(container.CORRECTION, correction.to_bytes()))
        filters = restoration.create(settings.restoration)
        found = filters.fit(image, reconstruction, price, workers, alpha)
        if found is not None:
            found.apply(reconstruction, workers)
            sections.append(container.Section(container.FILTER, found.to_bytes()))
    return sections


def decode(
    data: bytes,
    *,
    restored: bool = True,
    limits: Limits = DEFAULT,
    progress: Progress | None = None,
) -> npt.NDArray[np.uint8]:
    """Decode the bytes of an `.akm` file: (H, W, 3) uint8, or (H, W, 4) if it has alpha.

    Parameters
    ----------
    data : bytes
        The file.
    restored : bool
        Whether to correct and filter the image as the file says; otherwise it is the image that the
        codewords make.
    limits : Limits
        What the file may ask for; `adaptive_kmeans.limits.RESTRICTIVE` is for untrusted files.
    progress : callable, optional
        Called with the stage's name and its finished share.

    Raises
    ------
    FormatError
        The bytes are not a complete, undamaged file of this format.
    LimitError
        The file asks for more than the limits allow.
    ConfigError
        `data` is not bytes.
    """
    reader = container.Reader(data, limits)
    held = restoration.held_bytes(*_restoration_payloads(reader), reader.grid) if restored else 0
    bands = reader.bands(progress, held)
    correction, found = read_restoration(reader) if restored else (None, None)
    colors = ColorTable(with_hidden_codebook(reader.codebooks, reader.has_hidden))
    image = np.empty((reader.grid.height, reader.grid.width, 3), dtype=np.uint8)
    alpha = None if reader.levels is None else np.empty(image.shape[:2], dtype=np.uint8)
    for band in bands:
        colors.look_up(band.index_map, band.pixel_regions, out=image[band.rows])
        if alpha is not None and band.alpha is not None:
            alpha[band.rows] = band.alpha
    if found is not None or correction is not None:
        if progress is not None:
            progress("restoring", 0.0)
        alphas.fill_hidden(image, alpha)
        with Workers() as workers:
            restoration.restore(image, correction, found, workers)
        alphas.clear_hidden(image, alpha)
    return alphas.join(image, alpha)


def read_restoration(reader: container.Reader) -> tuple[Correction | None, Filter | None]:
    """Return the correction and the filter of a file, each None if the file has none.

    Raises
    ------
    CorruptError
        One of them is invalid.
    LimitError
        The correction would take more memory than the limits allow.
    """
    payloads, size = _restoration_payloads(reader), (reader.grid.height, reader.grid.width)
    found, correction = None, None
    if payloads.filter is not None:
        from adaptive_kmeans.restoration.wiener import Filter

        found = Filter.from_bytes(payloads.filter)
    if payloads.correction is not None:
        from adaptive_kmeans.restoration.correction import Correction, values_bytes

        needed = values_bytes(payloads.correction, *size)
        reader.limits.check("correction", "memory_bytes", needed)
        correction = Correction.from_bytes(payloads.correction, *size)
    return correction, found


class _RestorationPayloads(NamedTuple):
    """What a file has of a correction and a filter."""

    correction: bytes | None
    filter: bytes | None


def _restoration_payloads(reader: container.Reader) -> _RestorationPayloads:
    kinds = container.CORRECTION, container.FILTER
    return _RestorationPayloads(*(next(iter(reader.payloads(kind)), None) for kind in kinds))


def warm_up_coder(coder: str) -> None:
    """Load, and on a new machine compile, what coding alone needs: about half of everything."""
    index_map = np.arange(256, dtype=np.uint16).reshape(16, 16) // 5 % 2
    codebook = np.array([[0, 0, 0], [255, 255, 255]], dtype=np.uint8)
    grid = BlockGrid(16, 16, 4)
    container.write(Quantized(grid, np.zeros((4, 4), np.uint8), (codebook,), index_map), coder)


def warm_up(settings: Settings) -> None:
    """Load what encoding with these settings needs, so that timings exclude it.

    A first call otherwise spends half a second on imports, and on a new machine half a minute on
    compiling.
    """
    warm_up_search(settings)
    warm_up_coder(settings.file_coder)


def warm_up_search(settings: Settings) -> None:
    """Load, and on a new machine compile, all but the coder."""
    ramp = np.arange(32 * 32 * 3, dtype=np.uint16).reshape(32, 32, 3).astype(np.uint8)
    k1, k2 = (None if k is None else 2 for k in (settings.k1, settings.k2))
    codebook = () if settings.is_given else settings.codebook[:1]
    quantize(ramp, dataclasses.replace(settings, k1=k1, k2=k2, codebook=codebook))
    if settings.restores:
        restoration.warm_up()


def price_of_quality(quality: float) -> float:
    """Return the price of a bit, λ, at a quality of 0 to 100: it doubles every ten steps down.

    Examples
    --------
    >>> price_of_quality(100), price_of_quality(80)
    (2.5, 10.0)
    """
    return float(PRICE_OF_BEST * 2.0 ** ((100.0 - quality) / 10.0))


def check_settings(settings: Settings | None) -> Settings:
    """Return settings, the defaults for None; raise `ConfigError` for anything else."""
    if settings is None:
        return Settings()
    if not isinstance(settings, Settings):
        raise ConfigError("settings", "a Settings", type(settings).__name__)
    return settings


def _check_name(family: str, name: object, known: Iterable[str]) -> None:
    if not isinstance(name, str):
        raise ConfigError(family, "a name", repr(name))
    if name not in known:
        raise UnknownNameError(family, name, known)


def _check_real(name: str, value: object, low: float, high: float) -> float:
    """Return a number within bounds as a float."""
    number = math.nan
    if not isinstance(value, bool) and isinstance(value, numbers.Real):
        number = float(value)
    if not low <= number <= high:
        raise ConfigError(name, f"a number in {low:g}..{high:g}", repr(value))
    return number


def _check_share(name: str, value: object) -> float:
    """Return a number from 0 to below 1 as a float."""
    share = math.nan
    if not isinstance(value, bool) and isinstance(value, numbers.Real):
        share = float(value)
    if not 0.0 <= share < 1.0:
        raise ConfigError(name, "a number from 0 to below 1", repr(value))
    return share


class Codec(Protocol):
    """What every codec does, ours and the baselines: turn an image into a file's bytes, and back.

    A codec is a frozen dataclass whose fields are its settings.
    """

    @property
    def version(self) -> str:
        """What writes the files, such as a library and its version; other versions may differ."""
        ...

    def encode(self, image: npt.NDArray[np.uint8]) -> bytes:
        """Encode an (H, W, 3) uint8 image as the bytes of a file.

        A codec whose attribute `has_alpha` is true takes (H, W, 4) as well.
        """
        ...

    def decode(self, data: bytes) -> npt.NDArray[np.uint8]:
        """Decode the bytes of a file: (H, W, 3) uint8, or with alpha (H, W, 4)."""
        ...


class NamedCodec(Codec, Hashable, Protocol):
    """A codec that names itself and its settings, for messages, tables and stored trials.

    Equal codecs write the same files.
    """

    @property
    def label(self) -> str:
        """Its name and settings in a few words, such as ``jpeg:75``."""
        ...

    @property
    def columns(self) -> dict[str, Any]:
        """Its method and settings by table column; those that do not apply are absent."""
        ...

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything that its files depend on, including the version, except the image."""
        ...


def _families() -> dict[str, Registry[Any]]:
    """Return the families of the settings that are specs."""
    from adaptive_kmeans.detail import measures
    from adaptive_kmeans.regions import thresholds

    return {
        "coder": coders,
        "detail": measures,
        "threshold": thresholds,
        "dither": ditherings,
        "restoration": restoration.restorations,
    }


@dataclass(frozen=True)
class AdaptiveKMeans:
    """Our codec as a `NamedCodec`, at given settings.

    Parameters
    ----------
    settings : Settings, optional
        The settings of the encoder; the defaults if omitted.

    Examples
    --------
    >>> AdaptiveKMeans(Settings(k1=32, k2=256, coder="deflate")).label
    'eigenvalue k = 32+256 4×4 deflate'
    >>> AdaptiveKMeans(Settings.regular(k=16)).columns["k"]
    16
    """

    settings: Settings = field(default_factory=Settings)

    @property
    def version(self) -> str:
        """Version of the encoder."""
        return f"adaptive-kmeans encoder {ENCODER_VERSION}"

    @property
    def label(self) -> str:
        """The method, the codebook sizes or the quality, and the coder."""
        settings = self.settings
        work = f"{settings.tune} effort {settings.effort}"
        if settings.quality is not None:
            return f"quality {settings.quality:g} {self.name}"
        name = "regular" if settings.is_regular else settings.detail
        if settings.codebook:
            name = f"{len(settings.codebook)} given colors,"
        sizes = "+".join(map(str, settings.ks))
        blocks = f"{settings.block_size}×{settings.block_size}"
        parts = [f"{name} k = {sizes} {blocks} {settings.coder}"]
        if settings.price > 0:
            parts.append(f"λ = {settings.price:g} {work}")
        if settings.restoration != restoration.NONE:
            parts.append(f"restoration {settings.restoration}")
        if settings.correction != restoration.NONE:
            parts.append("correction")
        if settings.is_dithered:
            parts.append(settings.dither)
        return ", ".join(parts)

    @property
    def columns(self) -> dict[str, Any]:
        """The settings by table column: k for one codebook, else k1 and k2."""
        settings = self.settings
        own: tuple[str, ...] = ("alpha_levels",) if settings.alpha_levels is not None else ()
        own += ("dither",) if settings.is_dithered else ()
        unusual = ("init", "tolerance")
        own += tuple(key for key in unusual if getattr(settings, key) != getattr(Settings, key))
        own += () if settings.is_regular else ("detail", "k1", "k2", "threshold")
        chosen: dict[str, Any] = {"method": "regular" if settings.is_regular else "region-adaptive"}
        if settings.is_regular and settings.quality is None:
            chosen["k"] = settings.k1
        if settings.price > 0:
            chosen["method"] = "rate-distortion"
            dial = "price" if settings.quality is None else "quality"
            own = (*own, dial, "tune", "effort", "detail", "detail_power")
        names = (*own, "block_size", "coder", "color_space", "seed", "restoration", "correction")
        return chosen | {name: getattr(settings, name) for name in names}

    @property
    def parameters(self) -> dict[str, Any]:
        """All settings, and the versions of the encoder and of other packages that take part."""
        settings = dataclasses.asdict(self.settings)
        for name in _LATER:  # as in trials that were stored before these existed
            if settings[name] == getattr(Settings, name):
                del settings[name]
        versions: dict[str, Any] = {"version": ENCODER_VERSION}
        if self.settings.k2 is not None:
            versions["two_codebooks_version"] = TWO_CODEBOOKS_VERSION
        members = {
            key: family.package(getattr(self.settings, key)) for key, family in _families().items()
        }
        packages = {key: version_of(package) for key, package in members.items() if package}
        if packages:
            versions["packages"] = packages
        return settings | versions

    def encode(self, image: npt.NDArray[np.uint8]) -> bytes:
        """Encode an image at these settings; see `encode`."""
        return encode(image, self.settings)

    def decode(self, data: bytes) -> npt.NDArray[np.uint8]:
        """Decode a file, whatever its settings; see `decode`."""
        return decode(data)

    @property
    def name(self) -> str:
        """Its name when encoding by quality, without the quality."""
        settings = self.settings
        return f"{settings.tune} effort {settings.effort} {settings.coder}"

    @property
    def qualities(self) -> Sequence[float]:
        """The qualities that `adaptive_kmeans.targets` may try."""
        return QUALITIES

    def with_quality(self, quality: float) -> AdaptiveKMeans:
        """Return the codec at another quality; its settings must already be by quality."""
        return AdaptiveKMeans(dataclasses.replace(self.settings, quality=quality, price=0.0))

    def encode_with_reconstruction(
        self, image: npt.NDArray[np.uint8]
    ) -> tuple[bytes, npt.NDArray[np.uint8]]:
        """Encode an image at these settings; see `encode_with_reconstruction`."""
        return encode_with_reconstruction(image, self.settings)
