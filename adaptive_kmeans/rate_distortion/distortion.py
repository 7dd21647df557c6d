# mypy: disable-error-code="operator,arg-type,assignment,return-value"
"""What an error costs: the distance between a pixel and a codeword, and what neighbors add up to.

Distances are squared differences of coordinates, in sixteenths. For ``tune="psnr"`` these are the
levels of red, green and blue.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.kernels import inlined

Array = npt.NDArray[Any]

PARTS = 16
"""Parts of a level that coordinates are counted in."""


class Distortion(NamedTuple):
    """Coordinates of pixels and codewords."""

    targets: npt.NDArray[np.int32]  # (h, w, 3)
    points: npt.NDArray[np.int32]  # (n, 3)


def by_levels(image: npt.NDArray[np.uint8], colors: npt.NDArray[np.int32]) -> Distortion:
    """Return the distortion that is the squared error of red, green and blue.

    Parameters
    ----------
    image : (h, w, 3) uint8
    colors : (n, 3) int32
    """
    return Distortion(PARTS * image.astype(np.int32), PARTS * colors)


@inlined
def squared_distance(distortion: Distortion, y: int, x: int, label: int) -> int:
    """Return the squared distance of a pixel from a codeword, in 1 / 256."""
    total = np.int64(0)
    for c in range(3):
        difference = np.int64(distortion.targets[y, x, c]) - np.int64(distortion.points[label, c])
        total += difference * difference
    return total
