"""Kernels of the swaps of clusters: arrays in, arrays out, no validation."""

from __future__ import annotations

import numpy as np
from numba import njit

_POWER_STEPS = 8


@njit(cache=True, nogil=True)
def add_scatter(coordinates, weights, labels, first, last, scatter):
    """Add the second moments of the colors first..last to their clusters'.

    coordinates (3, n) float32; weights (n,) int32; labels (n,) uint16;
    scatter (k, 6) int64, of xx, yy, zz, xy, xz, yz # OUT
    """
    for i in range(first, last):
        x = np.int64(coordinates[0, i])
        y = np.int64(coordinates[1, i])
        z = np.int64(coordinates[2, i])
        w = np.int64(weights[i])
        row = np.int64(labels[i])
        scatter[row, 0] += w * x * x
        scatter[row, 1] += w * y * y
        scatter[row, 2] += w * z * z
        scatter[row, 3] += w * x * y
        scatter[row, 4] += w * x * z
        scatter[row, 5] += w * y * z


@njit(cache=True, nogil=True)
def spread_of_clusters(sums, scatter, spreads, axes):
    """Find the longest axis of every cluster and its squared error along it.

    sums (k, 4) int64; scatter (k, 6) int64; spreads (k,) float64 # OUT; axes (k, 3) float64 # OUT
    """
    matrix = np.empty((3, 3), np.float64)
    vector = np.empty(3, np.float64)
    product = np.empty(3, np.float64)
    for row in range(sums.shape[0]):
        spreads[row] = 0.0
        for i in range(3):
            axes[row, i] = 0.0
        weight = np.float64(sums[row, 3])
        if weight == 0.0:
            continue
        for place in range(6):
            i = place if place < 3 else (0 if place < 5 else 1)
            j = place if place < 3 else (1 if place == 3 else 2)
            centered = np.float64(scatter[row, place])
            centered -= np.float64(sums[row, i]) * (np.float64(sums[row, j]) / weight)
            matrix[i, j] = centered
            matrix[j, i] = centered
        largest = 0
        for i in range(1, 3):
            if matrix[i, i] > matrix[largest, largest]:
                largest = i
        if matrix[largest, largest] <= 0.0:
            continue
        for i in range(3):
            vector[i] = matrix[i, largest]
        length = 0.0
        for _ in range(_POWER_STEPS):
            norm = np.sqrt(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2])
            for i in range(3):
                vector[i] /= norm
            length = 0.0
            for i in range(3):
                product[i] = 0.0
                for j in range(3):
                    product[i] += matrix[i, j] * vector[j]
                length += product[i] * vector[i]
            for i in range(3):
                axes[row, i] = vector[i]
                vector[i] = product[i]
        spreads[row] = length


@njit(cache=True, nogil=True)
def cost_of_merging(sums, costs, partners):
    """Find each cluster's partner whose merger raises the squared error least (Ward).

    sums (k, 4) int64; costs (k,) float64 # OUT; partners (k,) int64 # OUT
    """
    k = sums.shape[0]
    means = np.empty((3, k), np.float64)
    for row in range(k):
        for axis in range(3):
            means[axis, row] = np.float64(sums[row, axis]) / np.float64(max(sums[row, 3], 1))
    for row in range(k):
        costs[row] = np.inf
        partners[row] = row
        mine = np.float64(sums[row, 3])
        for other in range(k):
            d0 = means[0, row] - means[0, other]
            d1 = means[1, row] - means[1, other]
            d2 = means[2, row] - means[2, other]
            theirs = np.float64(sums[other, 3])
            cost = (d0 * d0 + d1 * d1 + d2 * d2) * (mine * theirs / max(mine + theirs, 1.0))
            if cost < costs[row] and other != row:
                costs[row] = cost
                partners[row] = other
