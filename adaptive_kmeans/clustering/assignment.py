"""The two steps of Lloyd's algorithm, for points in any dimension."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.clustering import _point_kernels as kernels
from adaptive_kmeans.errors import ConfigError

Floats = npt.NDArray[np.float64]


def assign_points(
    points: npt.ArrayLike, centroids: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Assign every point to its closest centroid, ties to the lowest index.

    Parameters
    ----------
    points : (n, d) array
    centroids : (k, d) array

    Returns
    -------
    labels : (n,) int64
    distances : (n,) float64
        Squared Euclidean distances to the closest centroids.

    Raises
    ------
    ConfigError
        If the shapes do not match, or a coordinate is not finite.

    Examples
    --------
    >>> labels, distances = assign_points([[0.0], [4.0], [5.0]], [[1.0], [7.0]])
    >>> labels.tolist(), distances.tolist()
    ([0, 0, 1], [1.0, 9.0, 4.0])
    """
    checked, centers = check_points(points), check_points(centroids, "centroids")
    if checked.shape[1] != centers.shape[1]:
        raise ConfigError("centroids of another dimension", checked.shape[1], centers.shape[1])
    labels = np.empty(checked.shape[0], np.int64)
    distances = np.empty(checked.shape[0], np.float64)
    kernels.nearest_centroids(checked, centers, labels, distances)
    return labels, distances


def compute_centroids(
    points: npt.ArrayLike,
    labels: npt.NDArray[np.integer],
    k: int,
    weights: npt.ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """Compute the weighted mean of every cluster.

    Parameters
    ----------
    points : (n, d) array
    labels : (n,) integers
        From 0 to k - 1.
    k : int
    weights : (n,) array or None
        By default 1 for every point.

    Returns
    -------
    centroids : (k, d) float64
        NaN for a cluster without weight.
    totals : (k,) float64
        The weight of every cluster.

    Examples
    --------
    >>> centroids, totals = compute_centroids([[0.0], [4.0], [5.0]], np.array([0, 0, 1]), 2)
    >>> centroids.tolist(), totals.tolist()
    ([[2.0], [5.0]], [2.0, 1.0])
    """
    checked = check_points(points)
    mass = check_weights(weights, checked.shape[0])
    if labels.shape != mass.shape or labels.min() < 0 or labels.max() >= k:
        raise ConfigError(
            "unusable labels",
            f"{mass.size} numbers from 0 to {k - 1}",
            f"shape {labels.shape} from {labels.min()} to {labels.max()}",
        )
    totals = np.bincount(labels, mass, k).astype(np.float64)
    sums = [np.bincount(labels, mass * column, k) for column in checked.T]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack(sums, axis=1) / totals[:, None], totals


def check_points(points: npt.ArrayLike, what: str = "points") -> Floats:
    """Return points as a contiguous (n, d) float64 array; raise ConfigError if they are invalid."""
    array = np.array(points, np.float64, order="C")
    if array.ndim != 2 or array.size == 0:
        raise ConfigError(f"unusable {what}", "shape (n, d)", array.shape)
    if not np.isfinite(array).all():
        raise ConfigError(f"unusable {what}", "finite numbers", "some that are not")
    return array


def check_weights(weights: npt.ArrayLike | None, n: int) -> Floats:
    """Return weights as an (n,) float64 array; raise ConfigError if they are invalid."""
    if weights is None:
        return np.ones(n)
    array = np.array(weights, np.float64)
    if array.shape != (n,) or not np.isfinite(array).all() or array.min() < 0.0:
        raise ConfigError(
            "unusable weights", f"{n} finite numbers of at least 0", f"shape {array.shape}"
        )
    return array
