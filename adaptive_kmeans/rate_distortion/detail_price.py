"""λ by region: the price of a bit, by the detail of a block.

The λ of a block is that of the image times a power of the block's detail. With an exponent above
zero, smooth blocks, where errors are visible, get more bits, and busy ones, where errors are
masked, get fewer. So a detail measure distributes rate as it distributes codebooks in the published
method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.blocks import BlockGrid

if TYPE_CHECKING:
    from adaptive_kmeans.detail import DetailMeasure

BLOCK = 8
"""Side of the blocks whose detail is measured; files do not record it."""
OFFSET = 10.0
"""Added to a block's detail, so that flat blocks have a finite price."""


@dataclass(frozen=True)
class DetailPrice:
    """The price of a bit at each pixel.

    Parameters
    ----------
    price : float
        λ of the image: the squared error, summed over channels, that a bit is worth.
    measure : DetailMeasure
        Detail of a block.
    power : float
        λ of a block is λ times ``(detail + 10)**power``, relative to the geometric mean.

    Examples
    --------
    >>> from adaptive_kmeans.detail import measures
    >>> image = np.zeros((8, 16, 3), dtype=np.uint8)
    >>> image[:, 8::2] = 40
    >>> DetailPrice(16.0, measures.create("variance"), 0.3)(image)[0, [0, 8]].round(1).tolist()
    [9.2, 27.9]
    """

    price: float
    measure: DetailMeasure
    power: float

    def __call__(
        self, image: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8] | None = None
    ) -> npt.NDArray[np.float64]:
        """Return λ at each pixel of an (H, W, 3) image: (H, W).

        With alpha, (H, W), the mean is that of the pixels that are not hidden, if there are any.
        """
        grid = BlockGrid(image.shape[0], image.shape[1], BLOCK)
        detail = np.log(self.measure(image, grid) + OFFSET)
        counts = grid.pixel_counts()
        if alpha is not None and alpha.any():
            visible = (np.count_nonzero(block) for block in grid.split(alpha))
            counts = np.fromiter(visible, dtype=np.int64).reshape(grid.shape)
        mean = np.average(detail, weights=counts)
        by_block = self.price * np.exp(self.power * (detail - mean))
        return grid.spread(by_block)
