"""Distinct colors with weights: what the clustering sees of an image.

The set of a region's colors is a bitmap over all 2**24 colors in Morton order. Two passes over the
pixels, one that marks and one that counts, give the distinct colors without sorting; a third pass
gives each pixel its color's label. Besides its outputs, this needs about 3 MiB per region and
thread.
Images of many megapixels are counted in one pass in tables of 64 MiB, at most two at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.clustering import _histogram_kernels as kernels
from adaptive_kmeans.clustering.pixels import check_image, over_rows, pieces, threads_for
from adaptive_kmeans.threads import Workers, split_evenly

_TABLE_PIXELS = 1 << 22
"""Number of pixels from which a table of all colors is faster than a bitmap."""
_WEIGHT_BITS = 28
"""Most bits of the sum of all pixels' weights, so that moments stay exact."""


def _spread_bits() -> npt.NDArray[np.uint32]:
    values = np.arange(256, dtype=np.uint32)
    spread = np.zeros(256, np.uint32)
    for bit in range(8):
        spread |= ((values >> np.uint32(bit)) & np.uint32(1)) << np.uint32(3 * bit)
    return np.stack([spread << np.uint32(2), spread << np.uint32(1), spread])


def _compact_bits() -> npt.NDArray[np.uint8]:
    keys = np.arange(64)
    channels = [((keys >> shift) & 1) | ((keys >> (shift + 2)) & 2) for shift in (2, 1, 0)]
    return np.stack(channels, axis=1).astype(np.uint8)


_Counts = tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32], npt.NDArray[np.int32]]
"""Bitmap, rank and weights."""
_SPREAD = _spread_bits()
_COMPACT = _compact_bits()


@dataclass(frozen=True)
class ColorSet:
    """The distinct colors of one region, in Morton order.

    Attributes
    ----------
    colors : (n, 3) uint8
        Each distinct color once.
    weights : (n,) int32
        Pixels of each color, or the sum of their weights; all positive.
    cubes : (2**18 + 1,) int32
        ``cubes[i]`` is the number of colors before cube ``i`` of 4 levels a side, so that the
        colors of any larger cube in Morton order are one run.
    """

    colors: npt.NDArray[np.uint8]
    weights: npt.NDArray[np.int32]
    cubes: npt.NDArray[np.int32]


@dataclass(frozen=True)
class ColorHistogram:
    """The distinct colors of each region of an image, and how to find a pixel's color again.

    Attributes
    ----------
    sets : tuple of ColorSet
        One for each region.
    """

    sets: tuple[ColorSet, ...]
    _bitmap: npt.NDArray[np.uint64]
    _rank: npt.NDArray[np.int32]

    def map_labels(
        self,
        image: npt.NDArray[np.uint8],
        pixel_regions: npt.NDArray[np.uint8] | None,
        labels: npt.NDArray[np.uint16],
        workers: Workers | None = None,
    ) -> npt.NDArray[np.uint16]:
        """Give every pixel the label of its color.

        Parameters
        ----------
        image, pixel_regions
            As given to `count_colors`.
        labels : (n,) uint16
            The labels of all regions' colors, one region after the other.

        Returns
        -------
        (H, W) uint16
        """
        index_map = np.empty(image.shape[:2], np.uint16)
        flat = index_map.reshape(-1)
        tabular = _use_table(image, len(self.sets))
        table = np.zeros(self._bitmap.size * 64 if tabular else 0, np.uint16)
        if tabular:
            kernels.fill_table(self._bitmap, labels, table)

        def work(first: int, last: int) -> None:
            for start, stop, pixels, regions in pieces(image, pixel_regions, first, last):
                part = flat[start:stop]
                if tabular:
                    kernels.look_up(pixels, regions, _SPREAD, table, part)
                else:
                    kernels.spread_labels(
                        pixels, regions, _SPREAD, self._bitmap, self._rank, labels, part
                    )

        over_rows(work, image, workers)
        return index_map


def count_colors(
    image: npt.NDArray[np.uint8],
    pixel_regions: npt.NDArray[np.uint8] | None = None,
    n_regions: int = 1,
    workers: Workers | None = None,
    pixel_weights: npt.NDArray[np.int64] | None = None,
) -> ColorHistogram:
    """Find the distinct colors of each region, with their weights.

    Parameters
    ----------
    image : (H, W, 3) uint8
    pixel_regions : (H, W) uint8 or None
        Each pixel's region, less than `n_regions`; None means one region.
    n_regions : int
    workers : Workers or None
        Threads to use, by default one.
    pixel_weights : (H, W) int64 or None
        The weight of each pixel; None means 1 each. If they add up to 2**28 or more, all are
        divided by a power of two, but are at least 1.

    Raises
    ------
    ConfigError
        If the shapes or types are not as stated, or a region number is too large.

    Examples
    --------
    >>> image = np.array([[[9, 9, 9], [1, 2, 3], [9, 9, 9]]], np.uint8)
    >>> histogram = count_colors(image)
    >>> histogram.sets[0].colors.tolist(), histogram.sets[0].weights.tolist()
    ([[1, 2, 3], [9, 9, 9]], [1, 2])
    """
    check_image(image, pixel_regions, n_regions)
    if pixel_weights is not None:
        bitmap, rank, weights = _weigh(image, pixel_regions, n_regions, workers, pixel_weights)
    else:
        count = _count_in_tables if _use_table(image, n_regions) else _count_in_bitmaps
        bitmap, rank, weights = count(image, pixel_regions, n_regions, workers)
    colors = np.empty((weights.size, 3), np.uint8)
    kernels.list_colors(bitmap, rank, _COMPACT, colors)
    sets = []
    for region in range(n_regions):
        first = region * kernels.WORDS_PER_REGION
        cubes = rank[first : first + kernels.WORDS_PER_REGION + 1]
        start, stop = int(cubes[0]), int(cubes[-1])
        sets.append(ColorSet(colors[start:stop], weights[start:stop], cubes - cubes[0]))
    return ColorHistogram(tuple(sets), bitmap, rank)


def _use_table(image: npt.NDArray[np.uint8], n_regions: int) -> bool:
    return image.size >= 3 * _TABLE_PIXELS * n_regions and n_regions <= 2


def _count_in_bitmaps(
    image: npt.NDArray[np.uint8],
    pixel_regions: npt.NDArray[np.uint8] | None,
    n_regions: int,
    workers: Workers | None,
) -> _Counts:
    """Mark, then count."""
    bitmap, rank = _mark(image, pixel_regions, n_regions, workers)
    total = int(rank[-1])

    def count(first: int, last: int) -> npt.NDArray[np.int32]:
        counters = np.zeros(total, np.int32)
        for _, _, pixels, regions in pieces(image, pixel_regions, first, last):
            kernels.count_colors(pixels, regions, _SPREAD, bitmap, rank, counters)
        return counters

    weights, *rest = over_rows(count, image, workers, 4 * total)
    for counters in rest:
        weights += counters
    return bitmap, rank, weights


def _weigh(
    image: npt.NDArray[np.uint8],
    pixel_regions: npt.NDArray[np.uint8] | None,
    n_regions: int,
    workers: Workers | None,
    pixel_weights: npt.NDArray[np.int64],
) -> _Counts:
    """Mark, then add up the weights of pixels."""
    bitmap, rank = _mark(image, pixel_regions, n_regions, workers)
    flat = pixel_weights.reshape(-1)
    sums = np.zeros(int(rank[-1]), np.int64)
    for start, stop, pixels, regions in pieces(image, pixel_regions, 0, image.shape[0]):
        kernels.weigh_colors(pixels, regions, flat[start:stop], _SPREAD, bitmap, rank, sums)
    return bitmap, rank, limit_weights(sums)


def limit_weights(sums: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Return positive weights, all divided by a power of two if their sum is too large."""
    shift = max(0, int(sums.sum()).bit_length() - _WEIGHT_BITS)
    weights: npt.NDArray[np.int32] = np.maximum(sums >> shift, 1).astype(np.int32)
    return weights


def keys_of(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Return the positions of (n, 3) colors in Morton order: (n,) below 2**24."""
    red, green, blue = colors.T
    keys: npt.NDArray[np.uint32] = _SPREAD[0, red] | _SPREAD[1, green] | _SPREAD[2, blue]
    return keys


def colors_of(keys: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    """Return the (n, 3) colors at positions in Morton order.

    Examples
    --------
    >>> colors_of(keys_of(np.array([[255, 136, 7]], dtype=np.uint8))).tolist()
    [[255, 136, 7]]
    """
    colors = np.zeros((len(keys), 3), np.uint8)
    for bit in range(8):
        for channel, shift in enumerate((2, 1, 0)):
            colors[:, channel] |= (((keys >> (3 * bit + shift)) & 1) << bit).astype(np.uint8)
    return colors


def _mark(
    image: npt.NDArray[np.uint8],
    pixel_regions: npt.NDArray[np.uint8] | None,
    n_regions: int,
    workers: Workers | None,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """Return the bitmap of the colors that are present, and the rank of its words."""
    size = n_regions * kernels.WORDS_PER_REGION

    def mark(first: int, last: int) -> npt.NDArray[np.uint64]:
        marks = np.zeros(size, np.uint64)
        for _, _, pixels, regions in pieces(image, pixel_regions, first, last):
            kernels.mark_colors(pixels, regions, _SPREAD, marks)
        return marks

    bitmap, *others = over_rows(mark, image, workers)
    for other in others:
        np.bitwise_or(bitmap, other, out=bitmap)
    del others
    rank = np.empty(size + 1, np.int32)
    kernels.rank_words(bitmap, rank)
    return bitmap, rank


def _count_in_tables(
    image: npt.NDArray[np.uint8],
    pixel_regions: npt.NDArray[np.uint8] | None,
    n_regions: int,
    workers: Workers | None,
) -> _Counts:
    """Count in tables of all colors, one per thread."""
    size = n_regions * kernels.WORDS_PER_REGION
    threads = threads_for(image, workers, 4 * 64 * size)
    tables = np.zeros((threads, 64 * size), np.int32)

    def count(thread: int, first: int, last: int) -> None:
        for _, _, pixels, regions in pieces(image, pixel_regions, first, last):
            kernels.count_in_table(pixels, regions, _SPREAD, tables[thread])

    rows = split_evenly(image.shape[0], threads)
    (workers or Workers(1)).map(count, [(i, *run) for i, run in enumerate(rows)])
    bitmap = np.empty(size, np.uint64)
    kernels.list_marks(tables, bitmap)
    rank = np.empty(size + 1, np.int32)
    kernels.rank_words(bitmap, rank)
    weights = np.empty(int(rank[-1]), np.int32)
    kernels.list_counts(tables, bitmap, weights)
    return bitmap, rank, weights
