"""Dithering: making few colors look like many, since the eye averages what it cannot resolve.

Dithering starts from the nearest codewords of plain K-means and gives some pixels other codewords,
so that areas keep their mean colors. It costs bytes, since a dithered index map is harder to
predict.

============== ===================================================================
`none`         each pixel keeps its nearest codeword
`diffusion`    error diffusion: a pixel's neighbors compensate for its error
`blue-noise`   ordered dithering: a mask decides between two codewords
============== ===================================================================

``diffusion:0.8`` sets the strength, 0 to 1; with 0, nothing changes. Pixels whose codewords equal
their colors keep them. Errors are in sRGB levels and in integers, so that a file is the same on
every machine. Other packages add dithering methods through the entry-point group
``adaptive_kmeans.dithering``. Decoding does not need them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.dithering.blue_noise import BlueNoise
from adaptive_kmeans.dithering.diffusion import Diffusion
from adaptive_kmeans.dithering.nearest import Nearest
from adaptive_kmeans.errors import PluginError
from adaptive_kmeans.progress import Progress
from adaptive_kmeans.registry import Registry, blaming, group

__all__ = ["NONE", "BlueNoise", "Diffusion", "Dithering", "Nearest", "Undithered", "ditherings"]

NONE = "none"


class Dithering(Protocol):
    """A dithering method."""

    def __call__(self, start: Nearest, progress: Progress | None) -> npt.NDArray[np.uint16]:
        """Return the dithered index map, (H, W) uint16, which is 0 for hidden pixels.

        It depends neither on the number of threads nor on the machine.
        """
        ...


@dataclass(frozen=True)
class Undithered:
    """No dithering."""

    def __call__(self, start: Nearest, progress: Progress | None) -> npt.NDArray[np.uint16]:
        """Return the index map unchanged."""
        return start.index_map


@dataclass(frozen=True)
class Checked:
    """A dithering method of another package, whose failures raise a message that names it.

    Parameters
    ----------
    what : str
        The family and the spec.
    dithering : Dithering
        The member.
    """

    what: str
    dithering: Dithering = field(compare=False)

    def __call__(self, start: Nearest, progress: Progress | None) -> npt.NDArray[np.uint16]:
        """Return the dithered index map.

        Raises
        ------
        PluginError
            The method raised an error, or returned something else.
        """
        shape = start.index_map.shape
        expected = f"a {shape} uint16 array of indices inside the region's codebook"
        with blaming(PluginError, self.what, expected):
            found = self.dithering(start, progress)
        if not isinstance(found, np.ndarray):
            raise PluginError(self.what, expected, type(found).__name__)
        if found.shape != shape or found.dtype != np.uint16:
            raise PluginError(self.what, expected, f"{found.shape} {found.dtype}")
        for region, codebook in enumerate(start.codebooks):
            indices = found[start.visible & (start.pixel_regions == region)]
            if indices.size and int(indices.max()) >= len(codebook):
                raise PluginError(self.what, expected, f"{indices.max()} of {len(codebook)}")
        return np.where(start.visible, found, np.uint16(0))


ditherings: Registry[Dithering] = Registry(
    "dithering",
    {NONE: Undithered, "diffusion": Diffusion, "blue-noise": BlueNoise},
    entry_point_group=group("dithering"),
    check=Checked,
)
