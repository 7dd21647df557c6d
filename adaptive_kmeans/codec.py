"""The codec: the paper's pipeline, from image to file and back.

::

    image ─ blocks ─ detail ─ regions ─ clustering ─ Quantized ─ coding ─ container ─ bytes
            └──────────────── quantize ───────────┘              └───── write ────┘
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import container
from adaptive_kmeans.blocks import MAX_BLOCK_SIZE, check_pixels
from adaptive_kmeans.coding import coders
from adaptive_kmeans.errors import ConfigError, ImageError, UnknownNameError
from adaptive_kmeans.progress import Progress
from adaptive_kmeans.quantize import MAX_CODEWORDS, Quantized, RegionAdaptive

ENCODER_VERSION = 1
"""Incremented whenever the same image and settings give other pixels or bytes, so that experiments
measure their stored trials again."""


@dataclass(frozen=True)
class Settings:
    """The settings of the encoder; decoding needs none.

    Parameters
    ----------
    k1 : int
        Codewords for low-detail blocks, 1..4096.
    k2 : int or None
        Codewords for high-detail blocks, 1..4096; None for regular K-means, which has one region
        with `k1` codewords. The published method has k1 < k2, others are allowed.
    detail : str
        Spec of the detail measure: ``eigenvalue``, ``eigenvalue:largest``, ``variance``,
        ``total-variation``, or one that an installed package adds.
    threshold : str
        Spec of the threshold: ``median``, ``mean``, ``otsu``, ``quantile:SHARE``.
    block_size : int
        Side of a block in pixels, 1..256.
    coder : str
        Spec of the coder: ``fixed-length``, ``deflate``, ``context-mixing``.
    color_space : str
        Color space of the clustering: ``rgb``, ``lab``, ``ycbcr``, ``hsv``, ``oklab``.
    seed : int
        Seed of the clustering, 0 or above.

    Raises
    ------
    ConfigError, UnknownNameError
        A setting is out of range, or is an unknown name.

    Examples
    --------
    >>> Settings(k1=32).k2
    256
    >>> Settings.regular(k=16).ks
    (16,)
    """

    k1: int = 64
    k2: int | None = 256
    detail: str = "eigenvalue"
    threshold: str = "median"
    block_size: int = 4
    coder: str = "context-mixing"
    color_space: str = "rgb"
    seed: int = 0

    @classmethod
    def regular(cls, k: int, **others: Any) -> Self:
        """Return the settings of regular K-means: one region, one codebook of k codewords."""
        return cls(k1=k, k2=None, **others)

    def __post_init__(self) -> None:
        for name, value in zip(("k",) if self.is_regular else ("k1", "k2"), self.ks, strict=True):
            _check_integer(name, value, 1, MAX_CODEWORDS)
        _check_integer("block size", self.block_size, 1, MAX_BLOCK_SIZE)
        _check_integer("seed", self.seed, 0, 2**32 - 1)
        coders.create(self.coder)
        from adaptive_kmeans.clustering import COLOR_SPACES

        if self.color_space not in COLOR_SPACES:
            raise UnknownNameError("color space", self.color_space, COLOR_SPACES)
        self.quantizer()

    @property
    def is_regular(self) -> bool:
        """Whether this is regular K-means, with one region."""
        return self.k2 is None

    @property
    def ks(self) -> tuple[int, ...]:
        """Codewords of each region: (k1, k2), or (k,) for regular K-means."""
        return (self.k1,) if self.k2 is None else (self.k1, self.k2)

    def quantizer(self) -> RegionAdaptive:
        """Return the quantizer of these settings."""
        from adaptive_kmeans.detail import measures
        from adaptive_kmeans.regions import thresholds

        measure, threshold = measures.create(self.detail), thresholds.create(self.threshold)
        return RegionAdaptive(
            ks=self.ks,
            block_size=self.block_size,
            measure=None if self.is_regular else measure,
            threshold=None if self.is_regular else threshold,
            color_space=self.color_space,
            seed=self.seed,
        )


def quantize(
    image: npt.NDArray[np.uint8],
    settings: Settings | None = None,
    *,
    progress: Progress | None = None,
) -> Quantized:
    """Quantize an image: blocks, detail, regions, codebooks, index map.

    Parameters
    ----------
    image : (H, W, 3) uint8
        sRGB pixels.
    settings : Settings, optional
        Settings of the encoder; the defaults if omitted.
    progress : callable, optional
        Called with the stage's name and its finished share.

    Raises
    ------
    ImageError
        The array is not an (H, W, 3) uint8 image with at least one pixel.

    Examples
    --------
    >>> image = np.zeros((8, 8, 3), dtype=np.uint8)
    >>> image[:, 4:] = 200
    >>> quantize(image, Settings.regular(k=4)).codebooks[0]
    array([[  0,   0,   0],
           [200, 200, 200]], dtype=uint8)
    """
    return (settings or Settings()).quantizer()(_check_image(image), progress)


def encode(
    image: npt.NDArray[np.uint8],
    settings: Settings | None = None,
    *,
    progress: Progress | None = None,
) -> bytes:
    """Encode an image as the bytes of an `.akm` file.

    Parameters
    ----------
    image : (H, W, 3) uint8
        sRGB pixels, at most 2²⁷ of them.
    settings : Settings, optional
        Settings of the encoder; the defaults if omitted.
    progress : callable, optional
        Called with the stage's name and its finished share.

    Raises
    ------
    ImageError
        The array is not an (H, W, 3) uint8 image with at least one pixel.
    LimitError
        The image has more than 2²⁷ pixels.

    Examples
    --------
    >>> image = np.zeros((64, 64, 3), dtype=np.uint8)
    >>> data = encode(image, Settings.regular(k=16, coder="fixed-length"))
    >>> bool((decode(data) == image).all())
    True
    """
    return _encode(image, settings or Settings(), progress)[0]


def encode_with_reconstruction(
    image: npt.NDArray[np.uint8],
    settings: Settings | None = None,
    *,
    progress: Progress | None = None,
) -> tuple[bytes, npt.NDArray[np.uint8]]:
    """Encode an image, and return what the file decodes to as well.

    The encoder has these pixels already, which saves decoding the file to score it.

    Returns
    -------
    data : bytes
        The file; see `encode` for the parameters and errors.
    reconstruction : (H, W, 3) uint8
        The image that `decode` makes of it.

    Examples
    --------
    >>> image = np.zeros((8, 8, 3), dtype=np.uint8)
    >>> data, reconstruction = encode_with_reconstruction(image, Settings.regular(k=4))
    >>> bool((decode(data) == reconstruction).all())
    True
    """
    data, quantized = _encode(image, settings or Settings(), progress)
    return data, quantized.reconstruct()


def _encode(
    image: npt.NDArray[np.uint8], settings: Settings, progress: Progress | None
) -> tuple[bytes, Quantized]:
    quantized = quantize(image, settings, progress=progress)
    data = container.write(quantized, settings.coder, progress=_stage("coding", progress))
    return data, quantized


def decode(data: bytes, *, progress: Progress | None = None) -> npt.NDArray[np.uint8]:
    """Decode the bytes of an `.akm` file: (H, W, 3) uint8.

    Raises
    ------
    FormatError
        The bytes are not a complete, undamaged file of this format.
    LimitError
        The image has more than 2²⁷ pixels.
    """
    return container.read(data, progress=_stage("decoding", progress)).reconstruct()


def warm_up(settings: Settings) -> None:
    """Load what encoding with these settings needs, so that timings exclude it.

    A first call otherwise spends half a second on imports, and on a new machine some twenty on
    compiling.
    """
    ramp = np.arange(32 * 32 * 3, dtype=np.uint16).reshape(32, 32, 3).astype(np.uint8)
    encode(ramp, dataclasses.replace(settings, k1=2, k2=None if settings.is_regular else 3))


def _stage(name: str, progress: Progress | None) -> Callable[[float], None] | None:
    return None if progress is None else lambda share: progress(name, share)


def _check_image(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    what, expected = "image", "an array of shape (height, width, 3) and dtype uint8"
    if not isinstance(image, np.ndarray):
        raise ImageError(what, expected, type(image).__name__)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ImageError(what, expected, f"{image.shape} {image.dtype}")
    if image.size == 0:
        raise ImageError(what, "at least one pixel", f"{image.shape}")
    check_pixels("image", image.shape[1], image.shape[0])
    pixels = np.ascontiguousarray(image).view()
    pixels.flags.writeable = False  # whatever the caller's are, so that kernels compile once
    return pixels


def _check_integer(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(name, f"an integer in {low}..{high}", repr(value))


class Codec(Protocol):
    """What every codec does, ours and the baselines: an image to the bytes of a file, and back.

    A codec is a frozen dataclass whose fields are its settings.
    """

    @property
    def version(self) -> str:
        """What writes the files, such as a library and its version; another one may differ."""
        ...

    def encode(self, image: npt.NDArray[np.uint8]) -> bytes:
        """Encode an (H, W, 3) uint8 image as the bytes of a file."""
        ...

    def decode(self, data: bytes) -> npt.NDArray[np.uint8]:
        """Decode the bytes of a file: (H, W, 3) uint8."""
        ...


class NamedCodec(Codec, Hashable, Protocol):
    """A codec that names itself and its settings, for messages, tables and stored trials.

    Equal ones write the same files.
    """

    @property
    def label(self) -> str:
        """Its name and settings in a few words, such as ``jpeg:75``."""
        ...

    @property
    def columns(self) -> dict[str, Any]:
        """Its method and settings by the columns of a table; those that do not apply are absent."""
        ...

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything but the image that its files depend on, the version included."""
        ...


@dataclass(frozen=True)
class AdaptiveKMeans:
    """Our codec as a `NamedCodec`, at given settings.

    Parameters
    ----------
    settings : Settings, optional
        The settings of the encoder; the defaults if omitted.

    Examples
    --------
    >>> AdaptiveKMeans(Settings(k1=32, coder="deflate")).label
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
        """The method, the codebook sizes, the blocks and the coder."""
        settings = self.settings
        name = "regular" if settings.is_regular else settings.detail
        sizes = "+".join(map(str, settings.ks))
        return f"{name} k = {sizes} {settings.block_size}×{settings.block_size} {settings.coder}"

    @property
    def columns(self) -> dict[str, Any]:
        """The settings by the columns of a table: k of regular K-means, else k1 and k2."""
        own: tuple[str, ...] = ("detail", "k1", "k2", "threshold")
        chosen: dict[str, Any] = {"method": "region-adaptive"}
        if self.settings.is_regular:
            own, chosen = (), {"method": "regular", "k": self.settings.k1}
        names = (*own, "block_size", "coder", "color_space", "seed")
        return chosen | {name: getattr(self.settings, name) for name in names}

    @property
    def parameters(self) -> dict[str, Any]:
        """All settings, and the version of the encoder."""
        return {**dataclasses.asdict(self.settings), "version": ENCODER_VERSION}

    def encode(self, image: npt.NDArray[np.uint8]) -> bytes:
        """Encode an image at these settings; see `encode`."""
        return encode(image, self.settings)

    def decode(self, data: bytes) -> npt.NDArray[np.uint8]:
        """Decode a file, whatever its settings; see `decode`."""
        return decode(data)
