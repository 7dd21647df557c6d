"""Initial centroids.

- ``wu``: cut the box of largest squared error in two at the best place, k - 1 times, on a grid of
  32 bins per axis (X. Wu, "Efficient statistical computations for optimal color quantization",
  Graphics Gems II, 1991). Deterministic.
- ``k-means++``: draw points with probability proportional to their squared distance (Arthur and
  Vassilvitskii, SODA 2007).
- ``maximin``: start at the point farthest from the mean, then always take the point farthest from
  the centroids so far (Gonzalez, 1985). Deterministic.
- ``random``: draw points without replacement.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.clustering import _point_kernels as kernels
from adaptive_kmeans.clustering import _wu_kernels as wu_kernels
from adaptive_kmeans.clustering.assignment import Floats, check_points, check_weights
from adaptive_kmeans.errors import ConfigError, UnknownNameError

INITIALIZATIONS = ("wu", "k-means++", "maximin", "random")


def initialize(
    points: npt.ArrayLike,
    k: int,
    init: str = "k-means++",
    *,
    weights: npt.ArrayLike | None = None,
    seed: int = 0,
) -> Floats:
    """Choose the first centroids.

    Parameters
    ----------
    points : (n, d) array
        For ``wu``, three coordinates from 0 to 255.
    k : int
        From 1 to n.
    init : str
        ``wu``, ``k-means++``, ``maximin`` or ``random``.
    weights : (n,) array or None
        By default 1 for every point.
    seed : int
        For the random methods.

    Returns
    -------
    (k, d) float64

    Raises
    ------
    ConfigError
        If k is out of range, or the points do not suit the method.
    UnknownNameError
        If there is no such method.

    Examples
    --------
    >>> initialize([[0.0], [1.0], [9.0]], 2, "maximin").tolist()
    [[9.0], [0.0]]
    """
    checked = check_points(points)
    mass = check_weights(weights, checked.shape[0])
    if not 1 <= k <= checked.shape[0]:
        raise ConfigError("k out of range", f"1 to {checked.shape[0]} points", k)
    if init == "wu":
        if checked.shape[1] != 3 or checked.min() < 0.0 or checked.max() > 255.0:
            raise ConfigError(
                "unusable points for wu",
                "three coordinates from 0 to 255",
                f"{checked.shape[1]} from {checked.min():g} to {checked.max():g}",
            )
        eighths = np.ascontiguousarray(np.rint(checked.T * 8.0), dtype=np.float32)
        centroids, count = cut_into_boxes(eighths, np.rint(mass).astype(np.int32), k)
        return add_worst(checked, mass, centroids[:count] / 8.0, k)
    if init == "k-means++":
        return _draw_by_distance(checked, mass, k, np.random.default_rng(seed))
    if init == "maximin":
        start = np.abs(checked - np.average(checked, axis=0, weights=mass))
        first = int(np.argmax((start * start).sum(axis=1)))
        return add_worst(checked, np.ones_like(mass), checked[first : first + 1], k)
    if init == "random":
        keys = np.random.default_rng(seed).exponential(size=mass.size)
        keys = np.divide(keys, mass, out=np.full_like(keys, np.inf), where=mass > 0)
        return checked[np.argsort(keys, kind="stable")[:k]]
    raise UnknownNameError("initialization", init, list(INITIALIZATIONS))


def cut_into_boxes(
    coordinates: npt.NDArray[np.float32], weights: npt.NDArray[np.int32], k: int
) -> tuple[Floats, int]:
    """Return the means of Wu's boxes in eighths, (k, 3), and how many boxes there are, at most k.

    Parameters
    ----------
    coordinates : (3, n) float32
        Whole eighths of a level from 0 to 2040.
    weights : (n,) int32
    k : int
    """
    moments = np.zeros((wu_kernels.SIDE,) * 3 + (5,), np.int64)
    wu_kernels.bin_moments(coordinates, weights, moments)
    wu_kernels.cumulate(moments)
    centroids = np.zeros((k, 3))
    return centroids, wu_kernels.cut_boxes(moments, centroids)


def _draw_by_distance(points: Floats, mass: Floats, k: int, rng: np.random.Generator) -> Floats:
    """Return k centroids chosen by k-means++."""
    distances = np.ones(mass.size)
    chosen: list[int] = []
    while len(chosen) < k:
        cumulated = np.cumsum(mass * distances)
        if cumulated[-1] <= 0.0:
            return add_worst(points, mass, points[chosen], k)
        draw = rng.random() * cumulated[-1]
        chosen.append(min(int(np.searchsorted(cumulated, draw, side="right")), mass.size - 1))
        if len(chosen) == 1:
            distances[:] = np.inf
        kernels.shrink_distances(points, points[chosen[-1]], distances)
    return points[chosen]


def add_worst(points: Floats, mass: Floats, centroids: Floats, k: int) -> Floats:
    """Add the points of largest weighted squared distance, one by one, up to k centroids."""
    distances = np.full(mass.size, np.inf)
    if centroids.shape[0] < k:
        for centroid in centroids:
            kernels.shrink_distances(points, centroid, distances)
    added = [centroids]
    for _ in range(k - centroids.shape[0]):
        worst = points[int(np.argmax(mass * distances))]
        kernels.shrink_distances(points, worst, distances)
        added.append(worst[None])
    return np.concatenate(added)
