"""Detail measures from other packages: their results are checked here."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.detail.protocol import DetailMeasure
from adaptive_kmeans.errors import PluginError
from adaptive_kmeans.registry import blaming


@dataclass(frozen=True)
class Checked:
    """A detail measure that scores the blocks, or fails with a message that names it.

    Parameters
    ----------
    what : str
        The family and the spec.
    measure : DetailMeasure
        The member.
    """

    what: str
    measure: DetailMeasure = field(compare=False)

    def __call__(self, image: npt.NDArray[np.uint8], grid: BlockGrid) -> npt.NDArray[np.float64]:
        """Score the blocks.

        Raises
        ------
        PluginError
            The measure raised an error, or returned something else.
        """
        expected = f"finite floats of shape {grid.shape}"
        with blaming(PluginError, self.what, expected):
            scores = self.measure(image, grid)
        if not isinstance(scores, np.ndarray):
            raise PluginError(self.what, expected, type(scores).__name__)
        if scores.shape != grid.shape or scores.dtype.kind != "f":
            raise PluginError(self.what, expected, f"{scores.shape} {scores.dtype}")
        if not np.isfinite(scores).all():
            count = np.count_nonzero(~np.isfinite(scores))
            raise PluginError(self.what, expected, f"{count} that are not")
        return scores.astype(np.float64, copy=False)
