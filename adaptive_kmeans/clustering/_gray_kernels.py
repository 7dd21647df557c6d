"""Kernel of the optimal clustering of gray levels: arrays in, arrays out, no validation."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def cut_levels(levels, weights, errors, cuts, starts):
    """Find the k runs of sorted levels with the least squared error to their means.

    Dynamic programming: the cost of the first j levels in m runs is the minimum over i of the cost
    of the first i levels in m - 1 runs plus that of the levels from i to j in one run.

    levels (n,) int64, increasing; weights (n,) int64; errors (k + 1, n + 1) float64 and cuts
    (k + 1, n + 1) int16, scratch; starts (k,) int64, where the runs start # OUT
    """
    n = levels.shape[0]
    k = starts.shape[0]
    mass = np.zeros(n + 1, np.float64)
    first = np.zeros(n + 1, np.float64)
    second = np.zeros(n + 1, np.float64)
    for i in range(n):
        level = np.float64(levels[i])
        weight = np.float64(weights[i])
        mass[i + 1] = mass[i] + weight
        first[i + 1] = first[i] + weight * level
        second[i + 1] = second[i] + weight * level * level
    errors[:, :] = np.inf
    errors[0, 0] = 0.0
    for m in range(1, k + 1):
        for j in range(m, n + 1):
            for i in range(m - 1, j):
                total = first[j] - first[i]
                error = second[j] - second[i] - total * (total / (mass[j] - mass[i]))
                if errors[m - 1, i] + error < errors[m, j]:
                    errors[m, j] = errors[m - 1, i] + error
                    cuts[m, j] = np.int16(i)
    end = n
    for m in range(k, 0, -1):
        end = np.int64(cuts[m, end])
        starts[m - 1] = end
