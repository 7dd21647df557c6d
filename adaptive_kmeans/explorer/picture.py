"""From a state and an image to a picture, and to a file: the one function behind the explorer.

A picture follows the slider at once, with nearest codewords. A file is what `encode` writes a
moment later: its size is never estimated.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import codec, container, exports, metrics
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.explorer.images import Chosen, Pixels
from adaptive_kmeans.explorer.state import ExplorerState
from adaptive_kmeans.progress import Progress
from adaptive_kmeans.quantize import Quantized
from adaptive_kmeans.rate_distortion import RateDistortion


@dataclass(frozen=True, eq=False)
class Picture:
    """The quantized image of a state.

    Parameters
    ----------
    quantized : Quantized
        Codewords, regions and indices.
    is_final : bool
        Whether a file of the state decodes to exactly these pixels.
    psnr_db : float
        PSNR of these pixels.
    seconds : float
        Time that quantizing took.
    """

    quantized: Quantized
    is_final: bool
    psnr_db: float
    seconds: float


@dataclass(frozen=True, eq=False)
class EncodedFile:
    """The file of a state, with its facts.

    Parameters
    ----------
    data : bytes
        The file.
    quantized : Quantized
        The codewords that it holds.
    reconstruction : (H, W, 3) uint8
        What it decodes to.
    psnr_db, ssim : float
        Quality of the reconstruction.
    split : dict
        The sizes of the file's parts in bytes; they add up to the file.
    seconds : float
        Time that encoding took.
    """

    data: bytes
    quantized: Quantized
    reconstruction: Pixels
    psnr_db: float
    ssim: float
    split: dict[str, int]
    seconds: float

    def facts(self, input_bytes: int) -> dict[str, Any]:
        """Return the rate and quality of the file, for an input of `input_bytes`."""
        shape = self.reconstruction.shape
        return {
            "bytes": len(self.data),
            "bits_per_pixel": metrics.bits_per_pixel(self.data, shape),
            "ratio_to_input": input_bytes / len(self.data),
            "compression_ratio": metrics.compression_ratio(self.data, shape),
            "psnr_db": self.psnr_db,
            "ssim": self.ssim,
            "split": self.split,
            "seconds": self.seconds,
        }


def picture_of(state: ExplorerState, chosen: Chosen) -> Picture:
    """Return the picture that a state asks for.

    Examples
    --------
    >>> from adaptive_kmeans.datasets import ImageSource
    >>> from adaptive_kmeans.explorer.images import offer_source
    >>> chelsea = Chosen(offer_source(ImageSource("chelsea")))
    >>> picture = picture_of(ExplorerState(method="regular", k=8, restoration=False), chelsea)
    >>> picture.is_final, picture.quantized.codebooks[0].shape
    (True, (8, 3))
    """
    start = time.perf_counter()
    settings = state.settings()
    quantizer = settings.quantizer()
    if isinstance(quantizer, RateDistortion):
        split = chosen.split(quantizer.start)
        quantized = quantizer.begin(chosen.pixels, slopes=chosen.slopes, split=split)
        is_final = False
    else:
        quantized = quantizer.cluster(chosen.split(quantizer))
        is_final = not settings.restores
    psnr_db = metrics.psnr(chosen.pixels, quantized.reconstruct())
    return Picture(quantized, is_final, psnr_db, time.perf_counter() - start)


def encode_file(
    settings: Settings, pixels: Pixels, progress: Progress | None = None
) -> EncodedFile:
    """Encode an image, and measure the file.

    Examples
    --------
    >>> image = np.zeros((32, 32, 3), dtype=np.uint8)
    >>> file = encode_file(Settings.regular(4), image)
    >>> sum(file.split.values()) == len(file.data)
    True
    >>> file.data == codec.encode(image, Settings.regular(4))
    True
    """
    start = time.perf_counter()
    data, quantized, reconstruction = codec.encode_in_full(pixels, settings, progress=progress)
    seconds = time.perf_counter() - start
    if progress is not None:
        progress("measuring", 0.0)
    return EncodedFile(
        data,
        quantized,
        reconstruction,
        metrics.psnr(pixels, reconstruction),
        metrics.ssim(pixels, reconstruction),
        split_of(data),
        seconds,
    )


def split_of(data: bytes) -> dict[str, int]:
    """Return the sizes in bytes of a file's parts, in the order of the page."""
    contents = container.inspect(data)
    return {
        "header": contents.header_bytes,
        "codebooks": contents.codebook_bytes,
        "region_map": contents.region_map_bytes,
        "indices": contents.index_map_bytes,
        "restoration": contents.filter_bytes + contents.correction_bytes,
        "other": contents.other_bytes,
    }


def arrays(quantized: Quantized) -> tuple[dict[str, Any], list[bytes]]:
    """Return a quantized image as a message carries it: its facts, and three buffers.

    The buffers are the index map, uint16 and little-endian, the region map and the codebooks, both
    uint8.
    """
    index_map: npt.NDArray[np.uint16] = quantized.index_map.astype("<u2", copy=False)
    said = {
        "block_size": quantized.grid.block_size,
        "codebooks": [len(codebook) for codebook in quantized.codebooks],
        "shares": exports.shares(quantized),
    }
    codewords = np.concatenate(quantized.codebooks)
    return said, [index_map.tobytes(), quantized.region_map.tobytes(), codewords.tobytes()]
