"""`Quantized`, the value that carries the middle of the codec, and the quantizer that makes one.

Every quantizer ends in a `Quantized`, every coder starts from one. Decoding passes through this
module too, so it imports nothing that only encoding needs until it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.progress import Progress

if TYPE_CHECKING:
    from adaptive_kmeans.detail import DetailMeasure
    from adaptive_kmeans.regions import Threshold

MAX_CODEWORDS = 4096
RUN_PIXELS = 2**18


@dataclass(frozen=True, eq=False)
class Quantized:
    """A quantized image: what a file holds, before coding.

    Parameters
    ----------
    grid : BlockGrid
        The image's size and its blocks.
    region_map : (rows, columns) uint8
        Region of each block, below ``len(codebooks)``.
    codebooks : tuple of (k, 3) uint8
        One codebook of 8-bit RGB codewords for each region; one without pixels may be empty.
    index_map : (H, W) uint16
        Index of each pixel's codeword in the codebook of its region.

    Raises
    ------
    ConfigError
        The parts do not fit together.

    Examples
    --------
    >>> codebooks = (np.array([[0, 0, 0], [255, 0, 0]], dtype=np.uint8),)
    >>> index_map = np.array([[0, 1]], dtype=np.uint16)
    >>> region_map = np.zeros((1, 1), dtype=np.uint8)
    >>> Quantized(BlockGrid(1, 2, 4), region_map, codebooks, index_map).reconstruct()
    array([[[  0,   0,   0],
            [255,   0,   0]]], dtype=uint8)
    """

    grid: BlockGrid
    region_map: npt.NDArray[np.uint8]
    codebooks: tuple[npt.NDArray[np.uint8], ...]
    index_map: npt.NDArray[np.uint16]

    def __post_init__(self) -> None:
        _require("region map", self.region_map, self.grid.shape, np.uint8)
        _require("index map", self.index_map, (self.grid.height, self.grid.width), np.uint16)
        if not 1 <= len(self.codebooks) <= 255:
            raise ConfigError("codebooks", "1..255 of them", len(self.codebooks))
        for codebook in self.codebooks:
            _require("codebook", codebook, (len(codebook), 3), np.uint8)
            if len(codebook) > MAX_CODEWORDS:
                expected = f"at most {MAX_CODEWORDS} codewords"
                raise ConfigError("codebook", expected, len(codebook))
        highest = int(self.region_map.max())
        if highest >= len(self.codebooks):
            raise ConfigError("region map", f"regions below {len(self.codebooks)}", highest)
        sizes = np.array([len(codebook) for codebook in self.codebooks], dtype=np.uint16)
        for rows, regions in self._row_runs():
            if (self.index_map[rows] >= sizes[regions]).any():
                received = int(self.index_map[rows].max())
                raise ConfigError("index map", "indices inside the region's codebook", received)

    @property
    def pixel_regions(self) -> npt.NDArray[np.uint8]:
        """Region of each pixel: (H, W) uint8."""
        return self.grid.spread(self.region_map)

    def reconstruct(self) -> npt.NDArray[np.uint8]:
        """Return the image that the codewords make: (H, W, 3) uint8."""
        sizes = [len(codebook) for codebook in self.codebooks]
        starts = np.cumsum([0, *sizes[:-1]], dtype=np.int32)
        codewords = np.concatenate(self.codebooks)
        image = np.empty((self.grid.height, self.grid.width, 3), dtype=np.uint8)
        for rows, regions in self._row_runs():
            np.take(codewords, self.index_map[rows] + starts[regions], axis=0, out=image[rows])
        return image

    def _row_runs(self) -> Iterator[tuple[slice, npt.NDArray[np.uint8]]]:
        """Yield runs of rows with their pixels' regions, so that temporaries stay small."""
        regions = self.pixel_regions
        height = max(1, RUN_PIXELS // self.grid.width)
        for top in range(0, self.grid.height, height):
            rows = slice(top, top + height)
            yield rows, regions[rows]

    def bands(self, band_height: int) -> Iterator[Quantized]:
        """Cut the image into horizontal bands of whole block rows, from top to bottom.

        Parameters
        ----------
        band_height : int
            Height of every band but the last in pixels, a multiple of the block size.
        """
        if band_height < 1 or band_height % self.grid.block_size:
            expected = f"a multiple of the block size {self.grid.block_size}"
            raise ConfigError("band height", expected, band_height)
        block_rows = band_height // self.grid.block_size
        for band, top in enumerate(range(0, self.grid.height, band_height)):
            index_map = self.index_map[top : top + band_height]
            region_map = self.region_map[band * block_rows : (band + 1) * block_rows]
            grid = BlockGrid(len(index_map), self.grid.width, self.grid.block_size)
            yield Quantized(grid, region_map, self.codebooks, index_map)


def _require(
    what: str, array: npt.NDArray[np.generic], shape: tuple[int, ...], dtype: type
) -> None:
    if array.shape != shape or array.dtype != dtype:
        expected = f"{shape} {np.dtype(dtype).name}"
        raise ConfigError(what, expected, f"{array.shape} {array.dtype.name}")


@dataclass(frozen=True)
class RegionAdaptive:
    """The published quantizer: blocks split by detail, one K-means codebook for each region.

    pmephin, "Improved Image Compression with KMeans", section 1. It departs from the published code
    in that centroids are rounded to 8 bits, not truncated, and that pixels take the closest rounded
    codeword. With one codebook size there is one region, and this is regular K-means.

    Parameters
    ----------
    ks : tuple of int
        Codewords for (low detail, high detail), or for the one region of regular K-means.
    block_size : int
        Side of a block in pixels.
    measure : DetailMeasure or None
        Scores the blocks; None for one region.
    threshold : Threshold or None
        Splits the scores; None for one region.
    color_space : str
        The space in which colors are clustered.
    seed : int
        Seed of the clustering.
    """

    ks: tuple[int, ...]
    block_size: int
    measure: DetailMeasure | None = None
    threshold: Threshold | None = None
    color_space: str = "rgb"
    seed: int = 0

    def __call__(self, image: npt.NDArray[np.uint8], progress: Progress | None = None) -> Quantized:
        """Quantize an (H, W, 3) uint8 image."""
        from adaptive_kmeans.clustering import cluster_regions
        from adaptive_kmeans.regions import classify

        grid = BlockGrid(image.shape[0], image.shape[1], self.block_size)
        if self.measure is None or self.threshold is None:
            region_map = np.zeros(grid.shape, dtype=np.uint8)
        else:
            region_map = classify(self.measure(image, grid), self.threshold)
        codebooks, index_map = cluster_regions(
            image,
            grid.spread(region_map) if len(self.ks) > 1 else None,
            self.ks,
            color_space=self.color_space,
            seed=self.seed,
            progress=None if progress is None else self._iterations(progress),
        )
        if progress is not None:
            progress("clustering", 1.0)
        return Quantized(grid, region_map, codebooks, index_map)

    def _iterations(self, progress: Progress) -> Callable[[int, int, float], None]:
        """Turn iterations into a share; how many are to come is not known, 20 are typical."""

        def report(region: int, iteration: int, _: float) -> None:
            progress("clustering", (region + iteration / (iteration + 20)) / len(self.ks))

        return report
