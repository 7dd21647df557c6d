"""Rate–distortion quantization: codewords chosen by squared error and bits.

K-means takes the nearest codeword, whatever it costs to say so. Here a pixel takes the one whose
squared error plus λ times its bits is least (entropy-constrained vector quantization: P. A. Chou,
T. Lookabaugh and R. M. Gray, IEEE Trans. Acoust. Speech Signal Process. 37 (1), 1989), with the
bits of a pixel depending on its neighbors. In the order of the work:

1. an *even* codebook: K-means with weights to a power, since codewords that an entropy coder will
   code are best spread more evenly than its density (H. Gish and J. N. Pierce, "Asymptotically
   Efficient Quantizing", IEEE Trans. Inf. Theory 14 (5), 1968);
2. `proxy`, what an index costs by the indices around it;
3. `search`, sweeps over the map at a rising λ; codewords move to the means of their pixels after
   each, and the proxy is counted anew;
4. codewords that no pixel takes are dropped.

λ depends on the region: it is that of the image times a power of the detail of a block, so that
smooth blocks, where errors show, get more bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.luma import luma_order
from adaptive_kmeans.progress import Progress
from adaptive_kmeans.quantize import Quantized

if TYPE_CHECKING:
    from adaptive_kmeans.detail import DetailMeasure

Image = npt.NDArray[np.uint8]

EVENNESS = 0.6
"""Power of the weights of colors."""
SHARES = (0.2, 0.5, 1.0, 1.0)
"""λ of each sweep, as a part of the whole."""
CANDIDATES = 8
"""Nearest codewords that a pixel tries, besides those of its neighbors."""
DETAIL_BLOCK = 8
DETAIL_OFFSET = 10.0
"""Added to a block's detail, so that flat blocks have a finite price."""


@dataclass(frozen=True)
class RateDistortion:
    """The quantizer of regular K-means, with codewords chosen by squared error and bits.

    Parameters
    ----------
    k : int or None
        Codewords, at most; None for as many as suit the price, see `size`.
    price : float
        λ: the squared error, summed over channels, that a bit is worth.
    measure : DetailMeasure
        Detail of a block, on which λ depends.
    power : float
        λ of a block is λ times ``(detail + 10)**power``, relative to the geometric mean.
    block_size : int
        Side of the blocks that the file states.
    """

    k: int | None
    price: float
    measure: DetailMeasure
    power: float
    block_size: int

    def __call__(self, image: Image, progress: Progress | None = None) -> Quantized:
        """Quantize an (H, W, 3) uint8 image."""
        from adaptive_kmeans.rate_distortion import proxy, search, size

        height, width = image.shape[:2]
        k = size.codewords_for(image, self.price) if self.k is None else self.k
        codebook, nearest = _even_codebook(image, k)
        labels = proxy.with_margins(nearest)
        inner = labels[2:, 2:-2]
        prices = self.prices(image)
        moved = np.ones((2, height, width), dtype=np.uint8)
        for number, share in enumerate(SHARES):
            if progress is not None:
                progress("choosing codewords", number / len(SHARES))
            palette = proxy.new_palette(codebook, CANDIDATES)
            costs = proxy.learn(labels, palette)
            if number < 2 or share != SHARES[number - 1]:
                moved[0] = 1
            moved[1] = 0
            scaled = np.rint(prices * share).astype(np.int32)
            search.sweep(image, labels, scaled, palette, costs, moved)
            moved[0] = moved[1]
            codebook = _centers(image, inner, codebook)
        if progress is not None:
            progress("choosing codewords", 1.0)
        return _quantized(inner, codebook, BlockGrid(height, width, self.block_size))

    def prices(self, image: Image) -> npt.NDArray[np.float64]:
        """Return λ at each pixel: (H, W)."""
        grid = BlockGrid(image.shape[0], image.shape[1], DETAIL_BLOCK)
        detail = np.log(self.measure(image, grid) + DETAIL_OFFSET)
        mean = np.average(detail, weights=grid.pixel_counts())
        by_block = self.price * np.exp(self.power * (detail - mean))
        rows = np.arange(image.shape[0]) // DETAIL_BLOCK
        columns = np.arange(image.shape[1]) // DETAIL_BLOCK
        found: npt.NDArray[np.float64] = by_block[rows[:, None], columns]
        return found


def _even_codebook(image: Image, k: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    """Return a codebook for colors whose weights are evened out, and the nearest codewords."""
    import dataclasses

    from adaptive_kmeans.clustering import Workers, cluster_colors, count_colors

    with Workers() as workers:
        histogram = count_colors(image, None, 1, workers)
        colors = histogram.sets[0]
        evened = np.maximum(1, np.rint(16 * colors.weights**EVENNESS)).astype(np.int32)
        found = cluster_colors(dataclasses.replace(colors, weights=evened), k, workers=workers)
        labels = found.labels.astype(np.uint16)
        return found.centroids, histogram.map_labels(image, None, labels, workers)


def _centers(
    image: Image, labels: npt.NDArray[np.int32], codebook: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Return the codewords at the means of their pixels; those without pixels stay."""
    flat = labels.reshape(-1)
    counts = np.bincount(flat, minlength=len(codebook))
    used = counts > 0
    centers = codebook.copy()
    for c in range(3):
        sums = np.bincount(flat, weights=image[:, :, c].reshape(-1), minlength=len(codebook))
        centers[used, c] = np.rint(sums[used] / counts[used])
    return centers


def _quantized(
    labels: npt.NDArray[np.int32], codebook: npt.NDArray[np.uint8], grid: BlockGrid
) -> Quantized:
    """Return the quantized image, with the codewords that it has, each once, in order of luma."""
    used = np.unique(labels)
    colors, same = np.unique(codebook[used], axis=0, return_inverse=True)
    order = luma_order(colors)
    places = np.empty(len(order), dtype=np.uint16)
    places[order] = np.arange(len(order), dtype=np.uint16)
    numbers = np.zeros(len(codebook), dtype=np.uint16)
    numbers[used] = places[same.reshape(-1)]
    region_map = np.zeros(grid.shape, dtype=np.uint8)
    return Quantized(grid, region_map, (colors[order],), numbers[labels])
