"""`Quantized`, the value at the center of the codec, and the quantizer that makes one.

Every quantizer produces a `Quantized`, and every coder starts from one. Decoding uses this module
too, so whatever only encoding needs is imported late.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import alpha as alphas
from adaptive_kmeans.alpha import HIDDEN, join, mark_hidden
from adaptive_kmeans.blocks import RUN, BlockGrid, region_counts
from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.limits import MAX_CODEWORDS, MAX_REGIONS
from adaptive_kmeans.progress import Progress

if TYPE_CHECKING:
    from adaptive_kmeans.clustering import RegionColors
    from adaptive_kmeans.detail import DetailMeasure
    from adaptive_kmeans.dithering import Dithering
    from adaptive_kmeans.regions import Threshold


SHOWN_SIDE = 1024
"""Longest side of the image that a notebook shows."""


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
        One codebook of 8-bit RGB codewords for each region; that of a region without pixels may be
        empty.
    index_map : (H, W) uint16
        Index of each pixel's codeword in the codebook of its region; 0 for hidden pixels.
    alpha : (H, W) uint8 or None
        How visible each pixel is, None for an opaque image; see `adaptive_kmeans.alpha`.

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
    alpha: npt.NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.grid, BlockGrid):
            raise ConfigError("grid", "a BlockGrid", type(self.grid).__name__)
        if not isinstance(self.codebooks, tuple):
            raise ConfigError("codebooks", "a tuple of arrays", type(self.codebooks).__name__)
        _require("region map", self.region_map, self.grid.shape, np.uint8)
        _require("index map", self.index_map, (self.grid.height, self.grid.width), np.uint16)
        if self.alpha is not None:
            _require("alpha", self.alpha, (self.grid.height, self.grid.width), np.uint8)
        most = MAX_REGIONS - self.has_hidden
        if not 1 <= len(self.codebooks) <= most:
            raise ConfigError("codebooks", f"1..{most} of them", len(self.codebooks))
        for codebook in self.codebooks:
            _require("codebook", codebook, (*np.shape(codebook)[:1], 3), np.uint8)
            if len(codebook) > MAX_CODEWORDS:
                expected = f"at most {MAX_CODEWORDS} codewords"
                raise ConfigError("codebook", expected, len(codebook))
        highest = int(self.region_map.max())
        if highest >= len(self.codebooks):
            raise ConfigError("region map", f"regions below {len(self.codebooks)}", highest)
        sizes = np.array([len(codebook) for codebook in self.region_codebooks], dtype=np.uint16)
        indices, regions = self.index_map.reshape(-1), self.pixel_regions.reshape(-1)
        for start in range(0, indices.size, RUN):
            run = slice(start, start + RUN)
            if (indices[run] >= sizes[regions[run]]).any():
                received = int(indices[run].max())
                raise ConfigError("index map", "indices inside the region's codebook", received)

    @property
    def has_hidden(self) -> bool:
        """Whether there are hidden pixels, those of alpha 0."""
        return self.alpha is not None and not self.alpha.all()

    @property
    def pixel_regions(self) -> npt.NDArray[np.uint8]:
        """Region of each pixel, ``len(codebooks)`` for hidden ones: (H, W) uint8."""
        return mark_hidden(self.grid.spread(self.region_map), self.alpha, len(self.codebooks))

    @property
    def region_codebooks(self) -> tuple[npt.NDArray[np.uint8], ...]:
        """The codebook of each region in `pixel_regions`; hidden pixels have one codeword."""
        return with_hidden_codebook(self.codebooks, self.has_hidden)

    def reconstruct(self) -> npt.NDArray[np.uint8]:
        """Return the image that the codewords make: (H, W, 3) uint8, or with alpha (H, W, 4)."""
        return join(self.reconstruct_colors(), self.alpha)

    def _repr_png_(self) -> bytes:
        """Return the image as a PNG, for notebooks: every nth pixel of a large one."""
        from PIL import Image

        step = -(-max(self.index_map.shape) // SHOWN_SIDE)
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(self.reconstruct()[::step, ::step])).save(file, "PNG")
        return file.getvalue()

    def _repr_html_(self) -> str:
        """Return the image and its key facts, for notebooks."""
        picture = base64.b64encode(self._repr_png_()).decode("ascii")
        source = f"data:image/png;base64,{picture}"
        facts = self.facts
        return (
            f'<figure style="margin: 0"><img src="{source}" alt="{facts}" style="max-width: 100%">'
            f"<figcaption>{facts}</figcaption></figure>"
        )

    @property
    def facts(self) -> str:
        """Its size, codewords, regions and alpha, in one line."""
        sizes = " + ".join(str(len(codebook)) for codebook in self.codebooks)
        said = [f"{self.grid.width}×{self.grid.height} pixels", f"{sizes} codewords"]
        if len(self.codebooks) > 1:
            counts = region_counts(self.region_map)[: len(self.codebooks)]
            shares = " + ".join(f"{100 * count / counts.sum():.0f}" for count in counts)
            side = self.grid.block_size
            said.append(f"{shares} % of the {side}×{side} blocks")
        if self.alpha is not None:
            hidden = 100 * np.count_nonzero(self.alpha == 0) / self.alpha.size
            said += [f"{len(np.unique(self.alpha))} levels of alpha", f"{hidden:.0f} % hidden"]
        return ", ".join(said)

    def reconstruct_colors(self) -> npt.NDArray[np.uint8]:
        """Return the image that the codewords make, without alpha: (H, W, 3) uint8."""
        image = np.empty((self.grid.height, self.grid.width, 3), dtype=np.uint8)
        ColorTable(self.region_codebooks).look_up(self.index_map, self.pixel_regions, image)
        return image


def with_hidden_codebook(
    codebooks: tuple[npt.NDArray[np.uint8], ...], has_hidden: bool
) -> tuple[npt.NDArray[np.uint8], ...]:
    """Return codebooks and, if there are hidden pixels, their codebook of one codeword."""
    return (*codebooks, np.array([HIDDEN], dtype=np.uint8)) if has_hidden else codebooks


class ColorTable:
    """The codewords of all regions in one table, where pixels look up their colors.

    Parameters
    ----------
    codebooks : tuple of (k, 3) uint8
        One codebook for each region.
    """

    def __init__(self, codebooks: tuple[npt.NDArray[np.uint8], ...]) -> None:
        sizes = [len(codebook) for codebook in codebooks]
        self._starts = np.cumsum([0, *sizes[:-1]], dtype=np.int64)
        self._codewords = np.concatenate(codebooks)

    def look_up(
        self,
        index_map: npt.NDArray[np.uint16],
        pixel_regions: npt.NDArray[np.uint8],
        out: npt.NDArray[np.uint8],
    ) -> None:
        """Write the colors of pixels.

        Parameters
        ----------
        index_map : (h, w) uint16
        pixel_regions : (h, w) uint8
        out : (h, w, 3) uint8
            A C-contiguous array that the colors are written into.
        """
        indices, regions = index_map.reshape(-1), pixel_regions.reshape(-1)
        colors = out.reshape(-1, 3)
        for start in range(0, indices.size, RUN):
            run = slice(start, start + RUN)
            places = self._starts[regions[run]] + indices[run]
            np.take(self._codewords, places, axis=0, out=colors[run])


def _require(
    what: str, array: npt.NDArray[np.generic], shape: tuple[int, ...], dtype: type
) -> None:
    expected = f"a {shape} {np.dtype(dtype).name} array"
    if not isinstance(array, np.ndarray):
        raise ConfigError(what, expected, type(array).__name__)
    if array.shape != shape or array.dtype != dtype:
        raise ConfigError(what, expected, f"{array.shape} {array.dtype.name}")


class SplitImage(NamedTuple):
    """An image split into regions: its blocks, their regions, and the colors of each region."""

    image: npt.NDArray[np.uint8]
    grid: BlockGrid
    region_map: npt.NDArray[np.uint8]
    colors: RegionColors
    alpha: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class RegionAdaptive:
    """The published quantizer: blocks split by detail, one K-means codebook for each region.

    pmephin, "Improved Image Compression with KMeans", section 1. Unlike the published code, it
    rounds centroids to 8 bits instead of truncating them, and pixels take the closest rounded
    codeword; `adaptive_kmeans.baselines.published_code` repeats that code exactly. With one
    codebook size there is one region, and this is regular K-means.

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
    init, tolerance, color_space, seed, evenness
        See `adaptive_kmeans.clustering.cluster_regions`.
    locked : tuple of (red, green, blue)
        Given codewords; see `adaptive_kmeans.clustering.locked`.
    dithering : Dithering or None
        Chooses codewords other than the nearest, so that areas keep their colors; None for none.
    """

    ks: tuple[int, ...]
    block_size: int
    measure: DetailMeasure | None
    threshold: Threshold | None
    init: str
    tolerance: float
    color_space: str
    seed: int
    evenness: float = 1.0
    locked: tuple[tuple[int, int, int], ...] = ()
    dithering: Dithering | None = None

    def __call__(self, image: npt.NDArray[np.uint8], progress: Progress | None = None) -> Quantized:
        """Quantize an (H, W, 3) or, with alpha, (H, W, 4) uint8 image."""
        return self.cluster(self.split(image), progress)

    def split(self, image: npt.NDArray[np.uint8]) -> SplitImage:
        """Split an image into regions, which do not depend on their codebooks.

        Parameters
        ----------
        image : (H, W, 3) or (H, W, 4) uint8
        """
        from adaptive_kmeans.clustering import RegionColors
        from adaptive_kmeans.regions import classify

        image, alpha = alphas.split(image)
        grid = BlockGrid(image.shape[0], image.shape[1], self.block_size)
        if self.measure is None or self.threshold is None:
            region_map = np.zeros(grid.shape, dtype=np.uint8)
            colors = RegionColors(image, None, 1, alpha)
            return SplitImage(image, grid, region_map, colors, alpha)
        region_map = classify(self.measure(image, grid), self.threshold)
        colors = RegionColors(image, grid.spread(region_map), 2, alpha)
        return SplitImage(image, grid, region_map, colors, alpha)

    def cluster(self, split: SplitImage, progress: Progress | None = None) -> Quantized:
        """Find the codebooks of a split image, and each pixel's codeword."""
        codebooks, index_map = split.colors.cluster(
            self.ks,
            init=self.init,
            tolerance=self.tolerance,
            color_space=self.color_space,
            seed=self.seed,
            evenness=self.evenness,
            locked=self.locked,
            progress=None if progress is None else self._iterations(progress),
        )
        if progress is not None:
            progress("clustering", 1.0)
        if self.dithering is not None:
            from adaptive_kmeans.dithering import Nearest

            regions = split.grid.spread(split.region_map)
            start = Nearest(split.image, split.alpha, regions, codebooks, index_map)
            index_map = self.dithering(start, progress)
        return Quantized(split.grid, split.region_map, codebooks, index_map, split.alpha)

    def _iterations(self, progress: Progress) -> Callable[[int, int, float], None]:
        """Turn iterations into a finished share; their number is unknown, 20 are typical."""

        def report(region: int, iteration: int, _: float) -> None:
            progress("clustering", (region + iteration / (iteration + 20)) / len(self.ks))

        return report
