"""Quantized images in files that other programs read: maps as PNG, and NumPy arrays.

For the colors alone, see `adaptive_kmeans.codebook_files`.

Examples
--------
An `.npz` file holds a quantized image, which NumPy alone can reconstruct:

>>> import adaptive_kmeans as akm
>>> from adaptive_kmeans.datasets import ImageSource
>>> image = ImageSource("chelsea").load()[:50, :70]
>>> quantized = akm.quantize(image, akm.Settings.published(k1=3, k2=6))
>>> arrays = np.load(io.BytesIO(npz(quantized)))
>>> codebooks = [arrays[name] for name in sorted(arrays) if name.startswith("codebook_")]
>>> starts = np.cumsum([0] + [len(codebook) for codebook in codebooks[:-1]])
>>> side, (height, width) = int(arrays["block_size"]), arrays["index_map"].shape
>>> regions = arrays["region_map"].repeat(side, 0).repeat(side, 1)[:height, :width]
>>> back = np.concatenate(codebooks)[starts[regions] + arrays["index_map"]]
>>> bool((back == quantized.reconstruct()).all())
True
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.quantize import Quantized


def shares(quantized: Quantized) -> list[list[float]]:
    """Return the share of the image's pixels that each codeword has, codebook by codebook.

    Examples
    --------
    >>> index_map = np.array([[0, 1, 1, 1]], dtype=np.uint16)
    >>> from adaptive_kmeans.blocks import BlockGrid
    >>> codebook = np.zeros((3, 3), dtype=np.uint8)
    >>> shares(Quantized(BlockGrid(1, 4, 4), np.zeros((1, 1), np.uint8), (codebook,), index_map))
    [[0.25, 0.75, 0.0]]
    """
    one = len(quantized.codebooks) == 1 and not quantized.has_hidden
    regions = None if one else quantized.pixel_regions
    found = []
    for region, codebook in enumerate(quantized.codebooks):
        own = quantized.index_map if regions is None else quantized.index_map[regions == region]
        counts = np.bincount(own.reshape(-1), minlength=len(codebook))
        found.append((counts / quantized.index_map.size).tolist())
    return found


def index_map_png(quantized: Quantized) -> bytes:
    """Return the index map as a gray PNG, with 16 bits if an index needs more than 8."""
    deep = max(map(len, quantized.codebooks)) > 256
    return _gray_png(quantized.index_map if deep else quantized.index_map.astype(np.uint8))


def region_map_png(quantized: Quantized) -> bytes:
    """Return the region of each pixel as a gray PNG of the image's size: 0 low, 1 high detail."""
    return _gray_png(quantized.grid.spread(quantized.region_map))


def alpha_png(alpha: npt.NDArray[np.uint8]) -> bytes:
    """Return alpha, (H, W) uint8, as a gray PNG."""
    return _gray_png(alpha)


def _gray_png(plane: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(plane).save(file, "PNG", optimize=True)
    return file.getvalue()


def npz(quantized: Quantized) -> bytes:
    """Return a quantized image as NumPy arrays in a compressed file.

    The arrays are ``index_map`` (H, W) uint16, ``region_map`` (rows, columns) uint8,
    ``block_size``, ``codebook_0`` (k, 3) uint8 and so on for each region, and ``alpha`` (H, W)
    uint8 if there is any; hidden pixels, those of alpha 0, have index 0 and are black.
    """
    arrays: dict[str, Any] = {
        "index_map": quantized.index_map,
        "region_map": quantized.region_map,
        "block_size": np.array(quantized.grid.block_size),
    }
    if quantized.alpha is not None:
        arrays["alpha"] = quantized.alpha
    return npz_of_codebooks(quantized.codebooks, **arrays)


def name_of_codebook(region: int) -> str:
    """Return the name of a region's codebook in an `.npz` file."""
    return f"codebook_{region}"


def npz_of_codebooks(codebooks: Sequence[npt.NDArray[np.uint8]], **others: Any) -> bytes:
    """Return codebooks, and other arrays, as NumPy arrays in a compressed file."""
    arrays: dict[str, Any] = {name_of_codebook(i): each for i, each in enumerate(codebooks)}
    file = io.BytesIO()
    np.savez_compressed(file, **others, **arrays)
    return file.getvalue()
