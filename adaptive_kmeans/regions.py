"""Thresholds: from block scores to the region map.

A block is high detail (region 1) when its score is at or above the threshold, as published; else it
is low detail (region 0). Other packages add thresholds through the entry-point group
``adaptive_kmeans.thresholds``. In a flat image every block is at the median, so all blocks are in
region 1 and region 0 is empty, which is allowed everywhere.
"""

from __future__ import annotations

import math
import numbers
import reprlib
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.errors import ConfigError, PluginError
from adaptive_kmeans.registry import Registry, blaming, group

LOW_DETAIL, HIGH_DETAIL = 0, 1
ONE_SIDED_PERCENT = 99.0
"""A region with this share of the blocks leaves little to the other one."""

Scores = npt.NDArray[np.float64]


class Threshold(Protocol):
    """A threshold of block scores."""

    def __call__(self, scores: Scores) -> float:
        """Return the score at which high detail begins."""
        ...


def one_sided(high_percent: float | None, threshold: str) -> str:
    """Say that one of two regions has nearly all blocks, and what may split them; else nothing.

    On a screen, more than half of the blocks are flat and share one score, which is then the
    median; all blocks are at or above it.

    Parameters
    ----------
    high_percent : float or None
        The percentage of the blocks in the region of high detail, if there are two regions.
    threshold : str
        Spec of the threshold.

    Examples
    --------
    >>> one_sided(100.0, "median")
    '100 % of the blocks are in one region; --threshold otsu may split them'
    >>> one_sided(51.0, "median")
    ''
    """
    if high_percent is None:
        return ""
    largest = max(high_percent, 100 - high_percent)
    if largest < ONE_SIDED_PERCENT:
        return ""
    other = "quantile:SHARE" if threshold == "otsu" else "otsu"
    return f"{largest:.0f} % of the blocks are in one region; --threshold {other} may split them"


@dataclass(frozen=True)
class Median:
    """The median score, as published: about half of the blocks on each side."""

    def __call__(self, scores: Scores) -> float:
        """Return the median score."""
        return float(np.median(scores))


@dataclass(frozen=True)
class Mean:
    """The mean score; most blocks are below it, since detail is rare and strong."""

    def __call__(self, scores: Scores) -> float:
        """Return the mean score."""
        # Rounding may put the mean of equal scores above all of them.
        return float(min(np.mean(scores), scores.max()))


@dataclass(frozen=True)
class Otsu:
    """The threshold with the least variance within the two classes.

    N. Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Trans. Systems, Man,
    and Cybernetics 9(1), 1979, computed by scikit-image over 256 bins.
    """

    def __call__(self, scores: Scores) -> float:
        """Return Otsu's threshold of the scores."""
        from skimage.filters import threshold_otsu

        return float(threshold_otsu(scores)) if np.ptp(scores) > 0 else float(scores.flat[0])


@dataclass(frozen=True)
class Quantile:
    """The score below which a given share of the blocks lies.

    Parameters
    ----------
    share : float
        Share of the blocks that are low detail, 0..1; 0.5 is the median.

    Examples
    --------
    >>> Quantile(0.25)(np.array([[0.0, 1.0], [2.0, 4.0]]))
    0.75
    """

    share: float = 0.75

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ConfigError("quantile", "a share of blocks in 0..1", self.share)

    def __call__(self, scores: Scores) -> float:
        """Return the quantile of the scores."""
        return float(np.quantile(scores, self.share))


@dataclass(frozen=True)
class Checked:
    """A checked threshold of another package: it returns a score or fails with a line naming it.

    Parameters
    ----------
    what : str
        The family and the spec.
    threshold : Threshold
        The member.
    """

    what: str
    threshold: Threshold = field(compare=False)

    def __call__(self, scores: Scores) -> float:
        """Return the score at which high detail begins.

        Raises
        ------
        PluginError
            The threshold raised an error, or returned something else.
        """
        expected = "a finite number"
        with blaming(PluginError, self.what, expected):
            found: Any = self.threshold(scores)
        is_number = isinstance(found, numbers.Real) and not isinstance(found, bool)
        if not is_number or not math.isfinite(found):
            raise PluginError(self.what, expected, reprlib.repr(found))
        return float(found)


thresholds: Registry[Threshold] = Registry(
    "threshold",
    {"median": Median, "mean": Mean, "otsu": Otsu, "quantile": Quantile},
    entry_point_group=group("thresholds"),
    check=Checked,
)


def classify(scores: Scores, threshold: Threshold) -> npt.NDArray[np.uint8]:
    """Turn block scores into a region map.

    Parameters
    ----------
    scores : (rows, columns) float64
        Detail of each block.
    threshold : Threshold
        Where high detail begins.

    Returns
    -------
    (rows, columns) uint8
        0 for low detail, 1 for high detail: a score at or above the threshold.

    Examples
    --------
    >>> classify(np.array([[0.0, 3.0], [1.0, 2.0]]), Median())
    array([[0, 1],
           [0, 1]], dtype=uint8)
    """
    return np.where(scores >= threshold(scores), HIGH_DETAIL, LOW_DETAIL).astype(np.uint8)
