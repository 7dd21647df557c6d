"""Kernels of the Lloyd iterations on colors: arrays in, arrays out, no validation.

All coordinates are *eighths of a level*, whole numbers from 0 to 2040 held in float32. A squared
distance is then a whole number below 2**24, which float32 holds exactly: results do not depend on
the order of operations, on fused instructions or on the machine.

Colors come in *groups*, runs of Morton order that fill a cube of at most 32 levels a side, and
groups in *supergroups*, the cubes of 32 levels. A supergroup keeps the centroids that can be
nearest to any of its colors, each of its groups keeps some of these, and distances are computed to
those only.
"""

from __future__ import annotations

import numpy as np
from numba import njit

GROUP_COLORS = 512
"""Most colors of one group: a cube of 8 levels a side."""
STORED_LIST = 48
"""Longest candidate list that a group remembers from one iteration to the next."""


@njit(cache=True, nogil=True)
def middle_nearest(boxes, b, centroids, count, gaps):
    """Return the centroid nearest to the center of a box; gaps (count,) float32 is scratch."""
    middle0 = (boxes[b, 0] + boxes[b, 3]) * np.float32(0.5)
    middle1 = (boxes[b, 1] + boxes[b, 4]) * np.float32(0.5)
    middle2 = (boxes[b, 2] + boxes[b, 5]) * np.float32(0.5)
    for j in range(count):
        d0 = centroids[0, j] - middle0
        d1 = centroids[1, j] - middle1
        d2 = centroids[2, j] - middle2
        gaps[j] = d0 * d0 + d1 * d1 + d2 * d2
    nearest = 0
    for j in range(1, count):
        if gaps[j] < gaps[nearest]:
            nearest = j
    return nearest


@njit(cache=True, nogil=True)
def keep_candidates(boxes, b, n0, n1, n2, centroids, count, gaps, kept):
    """Keep the centroids that can be nearest to some point of a box.

    A centroid is dropped when the corner of the box that lies farthest toward it, seen from the
    reference centroid, is still strictly nearer to the reference.

    box (6,) float32, low and high corner; reference (3,) float32; centroids (3, count) float32;
    gaps (count,) float32, scratch; kept (count,) int32 # OUT
    """
    low0 = boxes[b, 0] + boxes[b, 0]
    low1 = boxes[b, 1] + boxes[b, 1]
    low2 = boxes[b, 2] + boxes[b, 2]
    high0 = boxes[b, 3] + boxes[b, 3]
    high1 = boxes[b, 4] + boxes[b, 4]
    high2 = boxes[b, 5] + boxes[b, 5]
    for j in range(count):
        c0 = centroids[0, j]
        c1 = centroids[1, j]
        c2 = centroids[2, j]
        v0 = high0 if c0 > n0 else low0
        v1 = high1 if c1 > n1 else low1
        v2 = high2 if c2 > n2 else low2
        gaps[j] = (
            (c0 - n0) * (c0 + n0 - v0) + (c1 - n1) * (c1 + n1 - v1) + (c2 - n2) * (c2 + n2 - v2)
        )
    total = 0
    for j in range(count):
        kept[total] = j
        total += 1 if gaps[j] <= np.float32(0) else 0
    return total


@njit(cache=True, nogil=True)
def nearest_of_few(coordinates, start, count, centroids, names, candidates, best, arg):
    """Find the name of each point's nearest centroid, ties to the first.

    coordinates (3, n) float32, of which count from start on; centroids (3, candidates) float32;
    names (candidates,) int32; best (count,) float32 and arg (count,) int32 # OUT
    """
    x = coordinates[0, start : start + count]
    y = coordinates[1, start : start + count]
    z = coordinates[2, start : start + count]
    for first in range(0, candidates, 2):
        second = min(first + 1, candidates - 1)
        a0 = centroids[0, first]
        a1 = centroids[1, first]
        a2 = centroids[2, first]
        b0 = centroids[0, second]
        b1 = centroids[1, second]
        b2 = centroids[2, second]
        name_a = names[first]
        name_b = names[second]
        if first == 0:
            for i in range(count):
                da = (x[i] - a0) * (x[i] - a0) + (y[i] - a1) * (y[i] - a1)
                da += (z[i] - a2) * (z[i] - a2)
                db = (x[i] - b0) * (x[i] - b0) + (y[i] - b1) * (y[i] - b1)
                db += (z[i] - b2) * (z[i] - b2)
                best[i] = db if db < da else da
                arg[i] = name_b if db < da else name_a
        else:
            for i in range(count):
                da = (x[i] - a0) * (x[i] - a0) + (y[i] - a1) * (y[i] - a1)
                da += (z[i] - a2) * (z[i] - a2)
                db = (x[i] - b0) * (x[i] - b0) + (y[i] - b1) * (y[i] - b1)
                db += (z[i] - b2) * (z[i] - b2)
                d = db if db < da else da
                name = name_b if db < da else name_a
                old = best[i]
                best[i] = d if d < old else old
                arg[i] = name if d < old else arg[i]


@njit(cache=True, nogil=True)
def differ(labels, start, count, arg):
    """Return whether the labels from start on differ from arg (count,) int32."""
    old = labels[start : start + count]
    bits = np.int32(0)
    for i in range(count):
        bits |= np.int32(old[i]) ^ arg[i]
    return bits != 0


@njit(cache=True, nogil=True)
def assign_groups(
    coordinates, weights, super_starts, super_boxes, starts, boxes, first, last,
    centroids, moved, super_references, super_lengths, super_lists,
    references, list_lengths, lists, labels, sums,
):  # fmt: skip
    """Label the colors of the supergroups first..last and return how many labels changed.

    A group or supergroup whose candidates are the same as before and have not moved is skipped. A
    label of k or more means that there is none yet.

    coordinates (3, n) float32; weights (n,) int32; super_starts (s + 1,) and starts (g + 1,) int64;
    super_boxes (s, 6) and boxes (g, 6) float32; centroids (3, k) float32; moved (k,) uint8, since
    the last call; super_references (s,) and references (g,) int32, a centroid near each, negative
    if unknown # IN, OUT; super_lengths (s,) int32, super_lists (s, k) uint16, list_lengths (g,)
    int32, lists (g, STORED_LIST) uint16, the candidates of the last call # IN, OUT; labels (n,)
    uint16 # IN, OUT; sums (k, 4) int64, to which the changes of the clusters' coordinate sums and
    weights are added # OUT
    """
    k = centroids.shape[1]
    near = np.empty((3, k), np.float32)
    few = np.empty((3, k), np.float32)
    gaps = np.empty(k, np.float32)
    kept = np.empty(k, np.int32)
    chosen = np.empty(k, np.int32)
    best = np.empty(GROUP_COLORS, np.float32)
    arg = np.empty(GROUP_COLORS, np.int32)
    changed = 0
    for s in range(first, last):
        if super_references[s] < 0:
            super_references[s] = middle_nearest(super_boxes, s, centroids, k, gaps)
        nearest = super_references[s]
        n_near = keep_candidates(
            super_boxes, s, centroids[0, nearest], centroids[1, nearest], centroids[2, nearest],
            centroids, k, gaps, kept,
        )  # fmt: skip
        same = super_lengths[s] == n_near
        still = True
        for j in range(n_near):
            c = kept[j]
            for axis in range(3):
                near[axis, j] = centroids[axis, c]
            if moved[c] != np.uint8(0):
                still = False
            if np.int32(super_lists[s, j]) != c:
                same = False
            super_lists[s, j] = np.uint16(c)
        super_lengths[s] = n_near
        if same and (still or n_near == 1):
            continue
        for g in range(super_starts[s], super_starts[s + 1]):
            if references[g] < 0:
                references[g] = kept[middle_nearest(boxes, g, near, n_near, gaps)]
            nearest = references[g]
            n_few = keep_candidates(
                boxes, g, centroids[0, nearest], centroids[1, nearest], centroids[2, nearest],
                near, n_near, gaps, chosen,
            )  # fmt: skip
            same = list_lengths[g] == n_few
            still = True
            for j in range(n_few):
                c = kept[chosen[j]]
                chosen[j] = c
                if moved[c] != np.uint8(0):
                    still = False
                if j < STORED_LIST:
                    if np.int32(lists[g, j]) != c:
                        same = False
                    lists[g, j] = np.uint16(c)
            list_lengths[g] = n_few if n_few <= STORED_LIST else -1
            if same and (still or n_few == 1):
                continue
            start = starts[g]
            count = starts[g + 1] - start
            for axis in range(3):
                for j in range(n_few):
                    few[axis, j] = centroids[axis, chosen[j]]
            nearest_of_few(coordinates, start, count, few, chosen, n_few, best, arg)
            if not differ(labels, start, count, arg):
                continue
            old_labels = labels[start : start + count]
            for i in range(count):
                new = np.int64(arg[i])
                old = np.int64(old_labels[i])
                if new != old:
                    changed += 1
                    labels[start + i] = np.uint16(new)
                    w = np.int64(weights[start + i])
                    for axis in range(3):
                        moment = w * np.int64(coordinates[axis, start + i])
                        sums[new, axis] += moment
                        if old < k:
                            sums[old, axis] -= moment
                    sums[new, 3] += w
                    if old < k:
                        sums[old, 3] -= w
    return changed
