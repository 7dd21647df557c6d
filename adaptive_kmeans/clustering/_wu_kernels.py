"""Kernels of Wu's initialization: arrays in, arrays out, no validation."""

from __future__ import annotations

import numpy as np
from numba import njit

SIDE = 33
"""Bins per axis: one of zeros, followed by 32 of 8 levels."""


@njit(cache=True, nogil=True)
def bin_moments(coordinates, weights, moments):
    """Add the colors' moments of order 0, 1 and 2 to their bins.

    coordinates (3, n) float32 in eighths; weights (n,) int32; moments (33, 33, 33, 5) int64 # OUT
    """
    for i in range(weights.shape[0]):
        x = np.int64(coordinates[0, i])
        y = np.int64(coordinates[1, i])
        z = np.int64(coordinates[2, i])
        w = np.int64(weights[i])
        cell = moments[(x >> 6) + 1, (y >> 6) + 1, (z >> 6) + 1]
        cell[0] += w
        cell[1] += w * x
        cell[2] += w * y
        cell[3] += w * z
        cell[4] += w * (x * x + y * y + z * z)


@njit(cache=True, nogil=True)
def cumulate(moments):
    """Replace the bins' moments by the sums over all bins up to each.

    moments (33, 33, 33, 5) int64 # IN, OUT
    """
    for x in range(1, SIDE):
        for y in range(1, SIDE):
            for order in range(5):
                row = np.int64(0)
                for z in range(1, SIDE):
                    row += moments[x, y, z, order]
                    moments[x, y, z, order] = row + moments[x, y - 1, z, order]
        for y in range(1, SIDE):
            for z in range(1, SIDE):
                for order in range(5):
                    moments[x, y, z, order] += moments[x - 1, y, z, order]


@njit(cache=True, nogil=True)
def box_moment(moments, box, order):
    """Return one moment of a box from the cumulated moments (inclusion and exclusion)."""
    return (
        moments[box[3], box[4], box[5], order]
        - moments[box[0], box[4], box[5], order]
        - moments[box[3], box[1], box[5], order]
        - moments[box[3], box[4], box[2], order]
        + moments[box[0], box[1], box[5], order]
        + moments[box[0], box[4], box[2], order]
        + moments[box[3], box[1], box[2], order]
        - moments[box[0], box[1], box[2], order]
    )


@njit(cache=True, nogil=True)
def measure_box(moments, box, sums):
    """Write a box's weight and coordinate sums (4,) # OUT; return |sum|^2 / weight."""
    for order in range(4):
        sums[order] = np.float64(box_moment(moments, box, order))
    if sums[0] == 0.0:
        return 0.0
    return (sums[1] * sums[1] + sums[2] * sums[2] + sums[3] * sums[3]) / sums[0]


@njit(cache=True, nogil=True)
def cut_boxes(moments, centroids):
    """Repeatedly cut the box of largest squared error in two; return the number of boxes.

    moments (33, 33, 33, 5) int64, cumulated along the axes; centroids (k, 3) float64 # OUT
    """
    k = centroids.shape[0]
    boxes = np.zeros((k, 6), np.int64)
    errors = np.zeros(k, np.float64)
    sums = np.empty(4, np.float64)
    rest = np.empty(4, np.float64)
    part = np.empty(6, np.int64)
    for axis in range(3):
        boxes[0, axis + 3] = SIDE - 1
    errors[0] = 1.0
    count = 1
    while count < k:
        worst = 0
        for b in range(1, count):
            if errors[b] > errors[worst]:
                worst = b
        if errors[worst] <= 0.0:
            break
        measure_box(moments, boxes[worst], rest)
        best = -1.0
        best_axis = 0
        best_place = 0
        for axis in range(3):
            for side in range(6):
                part[side] = boxes[worst, side]
            for place in range(boxes[worst, axis] + 1, boxes[worst, axis + 3]):
                part[axis + 3] = place
                low = measure_box(moments, part, sums)
                if sums[0] == 0.0:
                    continue
                high_weight = rest[0] - sums[0]
                if high_weight == 0.0:
                    break
                high = 0.0
                for order in range(1, 4):
                    high += (rest[order] - sums[order]) * (rest[order] - sums[order])
                score = low + high / high_weight
                if score > best:
                    best = score
                    best_axis = axis
                    best_place = place
        if best < 0.0:
            errors[worst] = 0.0
            continue
        for side in range(6):
            boxes[count, side] = boxes[worst, side]
        boxes[worst, best_axis + 3] = best_place
        boxes[count, best_axis] = best_place
        for half in range(2):
            b = count if half else worst
            error = np.float64(box_moment(moments, boxes[b], 4))
            errors[b] = error - measure_box(moments, boxes[b], sums)
        count += 1
    for b in range(count):
        measure_box(moments, boxes[b], sums)
        for axis in range(3):
            centroids[b, axis] = sums[axis + 1] / max(sums[0], 1.0)
    return count
