"""Rate–distortion quantization: codewords chosen by squared error and bits.

K-means takes the nearest codeword, whatever it costs to say so. Here a pixel takes the one whose
squared error plus λ times its bits is least (entropy-constrained vector quantization: P. A. Chou,
T. Lookabaugh and R. M. Gray, IEEE Trans. Acoust. Speech Signal Process. 37 (1), 1989), with the
bits of a pixel depending on its neighbors::

    even codebooks ─ palette ┬ costs ─ search ┬ live ─ Quantized
          λ by detail ───────┘  └─ centers ───┘

=============== ===================================================================================
`size`          how many codewords an image should have at a price
`detail_price`  λ by region
`palette`       the codewords, and what is looked up of them
`proxy`         what an index costs by the indices around it, from counts
`static`        the same for coders that see less
`distortion`    what an error costs
`search`        sweeps over the map; codewords move to the means of their pixels after each
=============== ===================================================================================

It begins with *even* codebooks, K-means with weights to a power, since codewords that an entropy
coder will code are best spread more evenly than their density; and it ends by dropping those that
no pixel takes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.luma import luma_order
from adaptive_kmeans.progress import Progress
from adaptive_kmeans.quantize import Quantized, RegionAdaptive
from adaptive_kmeans.threads import Workers

if TYPE_CHECKING:
    from adaptive_kmeans.rate_distortion.detail_price import DetailPrice
    from adaptive_kmeans.rate_distortion.palette import Palette
    from adaptive_kmeans.rate_distortion.proxy import Costs

Image = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]

EVENNESS = 0.6
"""Power of the weights of colors."""
SHARES = (0.5, 1.0, 1.0)
"""λ of each sweep, as a part of the whole."""
CANDIDATES = 8
"""Nearest codewords that a pixel tries, besides those of its neighbors."""


@dataclass(frozen=True)
class RateDistortion:
    """A quantizer whose codewords are chosen by squared error and bits.

    Parameters
    ----------
    start : RegionAdaptive
        Regions and codebook sizes to begin with.
    price : DetailPrice
        λ at each pixel.
    coder : str
        Spec of the coder whose bits count.
    sized : bool
        Whether the codebook has as many codewords as suit the price, see `size`, instead of what
        `start` says.
    """

    start: RegionAdaptive
    price: DetailPrice
    coder: str = "context-mixing"
    sized: bool = False

    def __call__(self, image: Image, progress: Progress | None = None) -> Quantized:
        """Quantize an (H, W, 3) uint8 image."""
        from adaptive_kmeans.rate_distortion import distortion, search, size
        from adaptive_kmeans.rate_distortion.palette import new_palette
        from adaptive_kmeans.rate_distortion.proxy import with_margins

        start = dataclasses.replace(self.start, evenness=EVENNESS)
        if self.sized:
            start = dataclasses.replace(start, ks=(size.codewords_for(image, self.price.price),))
        quantized = start(image, progress)
        codebooks, starts = quantized.codebooks, _starts(quantized.codebooks)
        labels = with_margins(starts[quantized.pixel_regions] + quantized.index_map)
        prices = self.price(image) * search.PRICE_SCALE
        moved = np.ones((2, *image.shape[:2]), dtype=np.uint8)
        with Workers() as workers:
            for number, share in enumerate(SHARES):
                if progress is not None:
                    progress("choosing codewords", number / len(SHARES))
                palette = new_palette(codebooks, CANDIDATES, workers)
                choice = search.Choice(
                    image,
                    labels,
                    np.rint(prices * share).astype(np.int32),
                    distortion.by_levels(image, palette.colors[:, :3]),
                    palette,
                    self._costs(labels, palette),
                )
                if number < 2 or share != SHARES[number - 1]:
                    moved[0] = 1
                moved[1] = 0
                search.sweep(choice, moved, workers)
                moved[0] = moved[1]
                codebooks = _centers(image, labels[2:, 2:-2], codebooks)
        if progress is not None:
            progress("choosing codewords", 1.0)
        return _quantized(quantized, labels[2:, 2:-2], codebooks)

    def _costs(self, labels: Labels, palette: Palette) -> Costs:
        """Return what codewords cost with the coder; one that is not known is taken to be good."""
        from adaptive_kmeans.rate_distortion import proxy, static

        models = {"deflate": static.learn_rows, "fixed-length": static.no_costs}
        return models.get(self.coder.partition(":")[0], proxy.learn)(labels, palette)


def _starts(codebooks: tuple[Image, ...]) -> npt.NDArray[np.int32]:
    """Return the number of the first codeword of each codebook, as a palette counts them."""
    return np.cumsum([0, *(len(codebook) for codebook in codebooks[:-1])], dtype=np.int32)


def _centers(image: Image, labels: Labels, codebooks: tuple[Image, ...]) -> tuple[Image, ...]:
    """Return the codewords at the means of their pixels; those without pixels stay."""
    flat = labels.reshape(-1)
    centers = np.concatenate(codebooks)
    counts = np.bincount(flat, minlength=len(centers))
    used = counts > 0
    for c in range(3):
        sums = np.bincount(flat, weights=image[:, :, c].reshape(-1), minlength=len(centers))
        centers[used, c] = np.rint(sums[used] / counts[used])
    return tuple(np.split(centers, _starts(codebooks)[1:]))


def _quantized(start: Quantized, labels: Labels, codebooks: tuple[Image, ...]) -> Quantized:
    """Return the quantized image, with the codewords that it has, each once, in order of luma."""
    used = np.bincount(labels.reshape(-1), minlength=sum(map(len, codebooks))) > 0
    numbers = np.zeros(len(used), dtype=np.uint16)
    kept = []
    for first, codebook in zip(_starts(codebooks), codebooks, strict=True):
        own = used[first : first + len(codebook)]
        colors, same = np.unique(codebook[own], axis=0, return_inverse=True)
        order = luma_order(colors)
        places = np.empty(len(order), dtype=np.uint16)
        places[order] = np.arange(len(order), dtype=np.uint16)
        numbers[first : first + len(codebook)][own] = places[same.reshape(-1)]
        kept.append(colors[order])
    return Quantized(start.grid, start.region_map, tuple(kept), numbers[labels])
