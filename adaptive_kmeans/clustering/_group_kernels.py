"""Kernels that group the colors of a region: arrays in, arrays out, no validation."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def scale_colors(colors, scale, coordinates):
    """Write the scaled colors, one channel after the other.

    colors (n, 3) uint8; scale float32; coordinates (3, n) float32 # OUT
    """
    for i in range(colors.shape[0]):
        coordinates[0, i] = np.float32(colors[i, 0]) * scale
        coordinates[1, i] = np.float32(colors[i, 1]) * scale
        coordinates[2, i] = np.float32(colors[i, 2]) * scale


@njit(cache=True, nogil=True)
def bound_groups(coordinates, starts, boxes):
    """Find the bounding box of every run of colors.

    coordinates (3, n) float32; starts (g + 1,) int64; boxes (g, 6) float32 # OUT
    """
    for g in range(starts.shape[0] - 1):
        for axis in range(3):
            run = coordinates[axis, starts[g] : starts[g + 1]]
            low = run[0]
            high = run[0]
            for i in range(run.shape[0]):
                low = run[i] if run[i] < low else low
                high = run[i] if run[i] > high else high
            boxes[g, axis] = low
            boxes[g, axis + 3] = high


@njit(cache=True, nogil=True)
def split_groups(rank, limit, starts):
    """Split the colors into runs, the largest cubes of side 32, 16 or 8 with at most limit colors.

    rank (w + 1,) int32, of the words of one region; starts (g + 1,) int64 # OUT, with room for
    every cube of 8 levels; returns g. A cube of side 8 is never split.
    """
    total = 0
    for large in range(0, rank.shape[0] - 1, 512):
        if rank[large + 512] == rank[large]:
            continue
        if rank[large + 512] - rank[large] <= limit:
            starts[total] = rank[large]
            total += 1
            continue
        for middle in range(large, large + 512, 64):
            if rank[middle + 64] == rank[middle]:
                continue
            if rank[middle + 64] - rank[middle] <= limit:
                starts[total] = rank[middle]
                total += 1
                continue
            for small in range(middle, middle + 64, 8):
                if rank[small + 8] != rank[small]:
                    starts[total] = rank[small]
                    total += 1
    starts[total] = rank[rank.shape[0] - 1]
    return total


@njit(cache=True, nogil=True)
def sum_squares(coordinates, weights):
    """Return the weighted sum of the squared coordinates (3, n) float32, an int64."""
    total = np.int64(0)
    for axis in range(3):
        row = coordinates[axis]
        for i in range(weights.shape[0]):
            level = np.int64(row[i])
            total += np.int64(weights[i]) * level * level
    return total


@njit(cache=True, nogil=True)
def average_cubes(coordinates, weights, cubes, averages, totals):
    """Replace the colors of each cube of 4 levels by their average.

    coordinates (3, n) float32; weights (n,) int32; cubes (c + 1,) int32;
    averages (3, m) float32, rounded to eighths # OUT; totals (m,) int32 # OUT, for m filled cubes
    """
    place = 0
    for cube in range(cubes.shape[0] - 1):
        if cubes[cube] == cubes[cube + 1]:
            continue
        weight = np.int64(0)
        sum0 = np.int64(0)
        sum1 = np.int64(0)
        sum2 = np.int64(0)
        for i in range(cubes[cube], cubes[cube + 1]):
            w = np.int64(weights[i])
            weight += w
            sum0 += w * np.int64(coordinates[0, i])
            sum1 += w * np.int64(coordinates[1, i])
            sum2 += w * np.int64(coordinates[2, i])
        averages[0, place] = np.float32((2 * sum0 + weight) // (2 * weight))
        averages[1, place] = np.float32((2 * sum1 + weight) // (2 * weight))
        averages[2, place] = np.float32((2 * sum2 + weight) // (2 * weight))
        totals[place] = np.int32(weight)
        place += 1
