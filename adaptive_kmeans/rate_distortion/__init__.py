"""Rate–distortion quantization: codewords chosen by distortion and bits.

K-means takes the nearest codeword, whatever it costs in bits. Here a pixel takes the one with the
least squared error plus λ times bits (entropy-constrained vector quantization: P. A. Chou, T.
Lookabaugh and R. M. Gray, IEEE Trans. Acoust. Speech Signal Process. 37 (1), 1989), where the bits
of a pixel depend on its neighbors::

    even codebooks ─ palette ┬ costs ─ search ─┬ live ─ Quantized
          λ by detail ───────┘  └── centers ───┘

=============== ===================================================================================
`size`          how many codewords an image should have at a price
`detail_price`  λ by region
`effort`        how much of the following is done
`refinement`    the map of codewords, which the following steps change in place:
`palette`       the codewords and their lookup tables
`distortion`    what an error costs
`proxy`         what an index costs given the indices around it, from counts
`static`        the same for coders that see less
`search`        sweeps over the map; codewords move to the means of their pixels after each
`live`          passes with the coder's own model
`loop`          what an error costs after the decoder's filter, for these passes
`plain`         plain K-means, which is kept where it is better
=============== ===================================================================================

It begins with *even* codebooks, found by K-means with weights raised to a power, since codewords
that will be entropy coded are best spread more evenly than plain K-means spreads them. It ends by
dropping those that no pixel takes. On screens plain K-means of the best size is coded as well, and
the better file is kept; see `plain`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import alpha as alphas
from adaptive_kmeans.progress import Progress
from adaptive_kmeans.quantize import Quantized, RegionAdaptive, SplitImage
from adaptive_kmeans.rate_distortion.effort import DEFAULT, EFFORTS
from adaptive_kmeans.threads import Workers

if TYPE_CHECKING:
    from adaptive_kmeans.rate_distortion.detail_price import DetailPrice
    from adaptive_kmeans.rate_distortion.size import Slopes

TUNES = ("perceptual", "psnr")
"""What errors cost: see `distortion`."""
EVENNESS = 0.6
"""Power to which the weights of colors are raised."""


@dataclass(frozen=True)
class RateDistortion:
    """A quantizer whose codewords are chosen by distortion and bits.

    Parameters
    ----------
    start : RegionAdaptive
        Regions and codebook sizes to begin with; without sizes, one codebook with as many codewords
        as suit the price, see `size`. Locked codewords are the whole codebook, and stay as they
        are.
    price : DetailPrice
        λ at each pixel.
    tune : str
        ``perceptual`` or ``psnr``.
    effort : int
        1 to 9; see `effort`.
    coder : str
        Spec of the coder whose bits count.
    is_restored : bool
        Whether the decoder will correct and filter the image.
    """

    start: RegionAdaptive
    price: DetailPrice
    tune: str = TUNES[0]
    effort: int = DEFAULT
    coder: str = "context-mixing"
    is_restored: bool = True

    def __call__(self, image: npt.NDArray[np.uint8], progress: Progress | None = None) -> Quantized:
        """Quantize an (H, W, 3) or, with alpha, (H, W, 4) uint8 image."""
        from adaptive_kmeans.rate_distortion.refinement import Refinement

        quantized = self.begin(image, progress)
        # There is nothing to choose without sweeps, or if all pixels are hidden.
        if not EFFORTS[self.effort].shares or not sum(map(len, quantized.codebooks)):
            return quantized
        colors, alpha = alphas.split(image)
        with Workers() as workers:
            refinement = Refinement(
                colors,
                quantized,
                self.price(colors, alpha),
                self.tune,
                self.coder,
                self.is_restored,
                workers,
                is_given=bool(self.start.locked),
            )
            return refinement.run(EFFORTS[self.effort], progress)

    def begin(
        self,
        image: npt.NDArray[np.uint8],
        progress: Progress | None = None,
        slopes: Slopes | None = None,
        split: SplitImage | None = None,
    ) -> Quantized:
        """Return the start of the choice: the nearest codewords of even codebooks.

        Parameters
        ----------
        image : (H, W, 3) or (H, W, 4) uint8
        progress : callable, optional
        slopes : Slopes, optional
            Those of the image, so that they need not be found again at another price.
        split : SplitImage, optional
            The image as `start` splits it, likewise.
        """
        start = dataclasses.replace(self.start, evenness=EVENNESS)
        if not start.ks:
            from adaptive_kmeans.rate_distortion.size import Slopes

            slopes = Slopes(image) if slopes is None else slopes
            start = dataclasses.replace(start, ks=(slopes.codewords(self.price.price, self.tune),))
        return start.cluster(start.split(image) if split is None else split, progress)
