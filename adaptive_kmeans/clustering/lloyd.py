"""K-means for points in any dimension, as in the textbook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.clustering.assignment import (
    assign_points,
    check_points,
    check_weights,
    compute_centroids,
)
from adaptive_kmeans.clustering.initialization import initialize
from adaptive_kmeans.errors import ConfigError

Progress = Callable[[int, float], None]
"""Called after every iteration with its number, from 1, and the distortion."""

NO_CHANGE = "no label changed"
TOLERANCE = "the distortion fell by less than the tolerance"
MAX_ITERATIONS = "the number of iterations was reached"
FEW_COLORS = "there are no more distinct colors than codewords"


@dataclass(frozen=True)
class Clustering:
    """The result of K-means.

    Attributes
    ----------
    centroids : (k, d) float64 or uint8
        uint8 when they are the codewords of a codebook.
    labels : (n,) integers
        The index of every point's closest centroid, ties to the lowest.
    distortions : tuple of float
        After every iteration, the weighted mean squared distance of the points to the means of
        their clusters; for colors, also divided by the three channels.
    converged : bool
        Whether the stated criterion was met.
    stopped : str
        Why the iterations ended.
    """

    centroids: npt.NDArray[Any]
    labels: npt.NDArray[Any]
    distortions: tuple[float, ...]
    converged: bool
    stopped: str

    @property
    def iterations(self) -> int:
        """Number of iterations, each of which assigned every point."""
        return len(self.distortions)


def kmeans(
    points: npt.ArrayLike,
    k: int,
    *,
    init: str | npt.NDArray[Any] = "k-means++",
    weights: npt.ArrayLike | None = None,
    tolerance: float = 0.0,
    max_iterations: int = 300,
    seed: int = 0,
    progress: Progress | None = None,
) -> Clustering:
    """Cluster points in any dimension with Lloyd's algorithm.

    For the colors of an image, `cluster_colors` is much faster.

    Parameters
    ----------
    points : (n, d) array
    k : int
        From 1 to n.
    init : str or (k, d) array
        A method of `initialize`, or the first centroids themselves.
    weights : (n,) array or None
        By default 1 for every point.
    tolerance : float
        Stop when the distortion falls by less than this fraction of itself; with 0, iterate until
        no label changes.
    max_iterations : int
    seed : int
    progress : callable or None
        Called with the iteration number and the distortion.

    Returns
    -------
    Clustering

    Raises
    ------
    ConfigError
        If a parameter is out of range.

    Examples
    --------
    >>> result = kmeans([[0.0], [1.0], [9.0], [10.0]], 2, init=np.array([[0.0], [1.0]]))
    >>> result.centroids.tolist(), result.labels.tolist()
    ([[0.5], [9.5]], [0, 0, 1, 1])
    >>> result.converged, result.iterations
    (True, 3)
    """
    checked = check_points(points)
    mass = check_weights(weights, checked.shape[0])
    check_stopping(tolerance, max_iterations)
    if mass.sum() <= 0.0:
        raise ConfigError("unusable weights", "some above 0", "none")
    if isinstance(init, str):
        centroids = initialize(checked, k, init, weights=mass, seed=seed)
    else:
        centroids = check_points(init, "centroids")
        if centroids.shape != (k, checked.shape[1]):
            raise ConfigError(
                "unusable first centroids", f"shape {(k, checked.shape[1])}", centroids.shape
            )
    previous: npt.NDArray[Any] | None = None
    distortions: list[float] = []
    while True:
        labels, distances = assign_points(checked, centroids)
        unchanged = previous is not None and np.array_equal(labels, previous)
        means, totals = compute_centroids(checked, labels, k, mass)
        means[totals == 0.0] = centroids[totals == 0.0]
        residuals = ((checked - means[labels]) ** 2).sum(axis=1)
        distortions.append(float((mass * residuals).sum() / mass.sum()))
        if progress is not None:
            progress(len(distortions), distortions[-1])
        if unchanged:
            return Clustering(centroids, labels, tuple(distortions), True, NO_CHANGE)
        if fell_little(distortions, tolerance):
            return Clustering(centroids, labels, tuple(distortions), True, TOLERANCE)
        if len(distortions) >= max_iterations:
            return Clustering(centroids, labels, tuple(distortions), False, MAX_ITERATIONS)
        for cluster in np.flatnonzero(totals == 0.0):
            worst = int(np.argmax(mass * distances))
            means[cluster] = checked[worst]
            distances = np.minimum(distances, ((checked - checked[worst]) ** 2).sum(axis=1))
        centroids, previous = means, labels


def fell_little(distortions: list[float], tolerance: float) -> bool:
    """Return whether the last distortion is less than the tolerance below the one before it."""
    if tolerance <= 0.0 or len(distortions) < 2:
        return False
    return distortions[-2] - distortions[-1] < tolerance * distortions[-1]


def check_stopping(tolerance: float, max_iterations: int) -> None:
    """Raise ConfigError unless the tolerance is from 0 to 1 and there is at least one iteration."""
    if not 0.0 <= tolerance < 1.0:
        raise ConfigError("tolerance out of range", "from 0 to below 1", tolerance)
    if max_iterations < 1:
        raise ConfigError("too few iterations", "at least 1", max_iterations)
