"""A template of plug-ins: one member for each family that other packages can add to.

Copy the folder, rename it, and keep what you need of the classes and of their entry points in
``pyproject.toml``. ``pip install .`` makes the names known.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from adaptive_kmeans.metrics import Metric


@dataclass(frozen=True)
class Range:
    """A detail measure: the range of levels in a block, over all channels."""

    def __call__(self, image, grid):
        """Score the blocks of an (H, W, 3) uint8 image: (rows, columns) float64, finite."""
        scores = np.empty(grid.shape)
        side = grid.block_size
        for row, column in np.ndindex(grid.shape):
            block = image[row * side : (row + 1) * side, column * side : (column + 1) * side]
            scores[row, column] = np.ptp(block)
        return scores


@dataclass(frozen=True)
class Midpoint:
    """A threshold: a share of the way from the least score to the greatest.

    A spec sets the first field: ``midpoint:0.3``.
    """

    share: float = 0.5

    def __call__(self, scores):
        """Return the score at which high detail begins."""
        return float(scores.min() + self.share * np.ptp(scores))


@dataclass(frozen=True)
class Checkerboard:
    """A dithering: every other pixel takes the codeword of its left neighbor, where it can."""

    def __call__(self, start, progress):
        """Return an index map, (H, W) uint16, of codewords of each pixel's region."""
        moved = np.roll(start.index_map, 1, axis=1)
        rows, columns = np.indices(moved.shape)
        same_region = np.roll(start.pixel_regions, 1, axis=1) == start.pixel_regions
        return np.where((rows + columns) % 2 * same_region, moved, start.index_map)


@dataclass(frozen=True)
class Levels:
    """A codec: fewer levels of each channel, deflated.

    The setting is called `quality` or `k`, so that configs can sweep it and tables have it.
    """

    quality: int = 50

    version = "levels 1"
    """Raised whenever the bytes change, so that stored trials are measured again."""

    def encode(self, image):
        """Encode an (H, W, 3) uint8 image as the bytes of a file."""
        step = 1 + (100 - self.quality) // 4
        header = np.array([*image.shape[:2], step], dtype="<u4").tobytes()
        return header + zlib.compress((image // step).tobytes(), 9)

    def decode(self, data):
        """Decode a file, whatever the settings: (H, W, 3) uint8."""
        height, width, step = np.frombuffer(data[:12], dtype="<u4").tolist()
        levels = np.frombuffer(zlib.decompress(data[12:]), dtype=np.uint8)
        levels = levels.reshape(height, width, 3).astype(np.int64)
        return np.clip(levels * step + step // 2, 0, 255).astype(np.uint8)


def largest_error(original, decoded):
    """Return the largest difference of two (H, W, 3) uint8 images, in levels."""
    return float(np.abs(original.astype(int) - decoded).max())


LARGEST_ERROR = Metric(
    column="largest_error",
    label="largest error",
    score=largest_error,
    digits=0,
    tolerance=0.0,
    settings={"version": 1},
    scale=lambda error: -error or np.inf,
    axis="largest error, negated",
)
"""A metric: its column, how it is shown, and the scale of its curves, on which more is better."""
