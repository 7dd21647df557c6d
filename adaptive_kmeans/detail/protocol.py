"""The protocol of detail measures."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.blocks import BlockGrid


class DetailMeasure(Protocol):
    """A detail measure."""

    def __call__(self, image: npt.NDArray[np.uint8], grid: BlockGrid) -> npt.NDArray[np.float64]:
        """Score the blocks of an (H, W, 3) uint8 image: (rows, columns) float64, finite."""
        ...
