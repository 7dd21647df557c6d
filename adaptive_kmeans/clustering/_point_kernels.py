"""Kernels of the classic steps, for points in any dimension: arrays in, arrays out, no validation.

A squared distance is summed over the coordinates in order, as in a plain loop.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def nearest_centroids(points, centroids, labels, distances):
    """Find every point's nearest centroid, ties to the lowest index.

    points (n, d) float64; centroids (k, d) float64; labels (n,) int64 # OUT;
    distances (n,) float64, squared # OUT
    """
    for i in range(points.shape[0]):
        best = np.inf
        nearest = 0
        for j in range(centroids.shape[0]):
            distance = 0.0
            for axis in range(points.shape[1]):
                difference = points[i, axis] - centroids[j, axis]
                distance += difference * difference
            if distance < best:
                best = distance
                nearest = j
        labels[i] = nearest
        distances[i] = best


@njit(cache=True, nogil=True)
def shrink_distances(points, centroid, distances):
    """Lower every point's squared distance to that of one more centroid, if that is nearer.

    points (n, d) float64; centroid (d,) float64; distances (n,) float64 # IN, OUT
    """
    for i in range(points.shape[0]):
        distance = 0.0
        for axis in range(points.shape[1]):
            difference = points[i, axis] - centroid[axis]
            distance += difference * difference
        distances[i] = min(distances[i], distance)
