"""Detail measures: how much detail a block holds.

The first stage of region-adaptive compression scores every block; `adaptive_kmeans.regions` then
splits the scores at a threshold. The published measures (pmephin, "Improved Image Compression with
KMeans") are all here:

======================== ===============================================================
`eigenvalue`             mean eigenvalue of the block's color covariance
`eigenvalue:largest`     its largest eigenvalue
`variance`               variance of the block's gray amplitude
`total-variation`        gradient magnitude of the amplitude, summed inside the block
======================== ===============================================================

A measure is a frozen dataclass that is called with an image and its `BlockGrid`. Other packages add
measures through the entry-point group ``adaptive_kmeans.detail``. Decoding needs none of them: the
region map is in the file.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.detail.eigenvalue import Eigenvalue
from adaptive_kmeans.detail.total_variation import TotalVariation
from adaptive_kmeans.detail.variance import Variance
from adaptive_kmeans.registry import Registry

__all__ = ["DetailMeasure", "Eigenvalue", "TotalVariation", "Variance", "measures"]


class DetailMeasure(Protocol):
    """A detail measure."""

    def __call__(self, image: npt.NDArray[np.uint8], grid: BlockGrid) -> npt.NDArray[np.float64]:
        """Score the blocks of an (H, W, 3) uint8 image: (rows, columns) float64, finite."""
        ...


measures: Registry[DetailMeasure] = Registry(
    "detail measure",
    {"eigenvalue": Eigenvalue, "variance": Variance, "total-variation": TotalVariation},
    entry_point_group="adaptive_kmeans.detail",
)
