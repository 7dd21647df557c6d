"""The pixels of an image, in pieces that a kernel can process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.threads import Workers, split_evenly

_CHUNK_PIXELS = 1 << 19
"""Pixels of one piece of work; an image that is not contiguous is copied a piece at a time."""
_PARALLEL_BYTES = 600_000
_COUNTERS_BYTES = 1 << 27
"""Memory limit for the threads' own counters together; fewer threads count to stay within it."""
_Result = TypeVar("_Result")


def check_image(
    image: npt.NDArray[np.uint8], pixel_regions: npt.NDArray[np.uint8] | None, n_regions: int
) -> None:
    """Raise ConfigError unless the image and its regions have the stated shapes and types."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3:
        got = f"{image.dtype} of shape {image.shape}" if hasattr(image, "dtype") else type(image)
        raise ConfigError("image", "(height, width, 3) uint8", got)
    if image.shape[2] != 3 or image.size == 0:
        raise ConfigError("unusable image", "(height, width, 3)", f"shape {image.shape}")
    if image.shape[0] * image.shape[1] >= 1 << 31:
        raise ConfigError("image too large", "under 2**31 pixels", f"shape {image.shape}")
    if pixel_regions is None:
        return
    if pixel_regions.dtype != np.uint8 or pixel_regions.shape != image.shape[:2]:
        raise ConfigError(
            "unusable region of each pixel",
            f"uint8 of shape {image.shape[:2]}",
            f"{pixel_regions.dtype} of shape {pixel_regions.shape}",
        )
    if int(pixel_regions.max()) >= n_regions:
        raise ConfigError("region number too large", f"below {n_regions}", int(pixel_regions.max()))


def threads_for(image: npt.NDArray[np.uint8], workers: Workers | None, memory: int) -> int:
    """Return how many threads pay off and together stay within the memory limit for counters."""
    if workers is None or image.size < _PARALLEL_BYTES:
        return 1
    return max(1, min(workers.count, int(image.shape[0]), _COUNTERS_BYTES // max(memory, 1)))


def over_rows(
    work: Callable[[int, int], _Result],
    image: npt.NDArray[np.uint8],
    workers: Workers | None,
    memory: int = 0,
) -> list[_Result]:
    """Call work(first row, last row) for the rows of the image, one run of rows per thread."""
    runs = split_evenly(image.shape[0], threads_for(image, workers, memory))
    return (workers or Workers(1)).map(work, runs)


def pieces(
    image: npt.NDArray[np.uint8],
    pixel_regions: npt.NDArray[np.uint8] | None,
    first: int,
    last: int,
) -> Iterator[tuple[int, int, npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    """Yield (first pixel, last pixel, (n, 3) pixels, (n,) regions) of the rows first..last."""
    width = image.shape[1]
    rows = max(1, _CHUNK_PIXELS // width)
    none = np.zeros(rows * width, np.uint8)
    for top in range(first, last, rows):
        bottom = min(top + rows, last)
        pixels = _writable(image[top:bottom]).reshape(-1, 3)
        if pixel_regions is None:
            regions = none[: pixels.shape[0]]
        else:
            regions = _writable(pixel_regions[top:bottom]).reshape(-1)
        yield top * width, bottom * width, pixels, regions


def _writable(array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the array, or a copy: the kernels are compiled for contiguous, writable arrays."""
    usable = array.flags.c_contiguous and array.flags.writeable
    return array if usable else array.copy(order="C")
