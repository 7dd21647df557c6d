"""Swaps: merge two clusters where that costs little, and split one where that gains much.

Lloyd's iterations only reach a local optimum. Where two centroids share one dense area and another
area needs a second one, no Lloyd step moves a centroid from the one to the other. A swap does: it
merges a cluster with its cheapest partner and gives the freed centroid to the cluster with the
largest squared error along its longest axis. Fritzke's k-means-u (arXiv:1706.09059) likewise moves
the least useful centroid to the cluster of largest error between runs of Lloyd's iterations; here,
gains and costs come from the clusters' moments, without another pass over the colors, and many
swaps are made at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.clustering import _swap_kernels as kernels
from adaptive_kmeans.clustering.color_points import TOP, ColorPoints

_CAUGHT = 0.64
"""Share of the squared error along an axis that a split removes; 2 / pi if it is normal."""


def swap_clusters(points: ColorPoints, limit: int, margin: float) -> npt.NDArray[np.float64]:
    """Return the means of the clusters, (k, 3), after at most `limit` swaps.

    Parameters
    ----------
    points : ColorPoints
        With labels. Fixed centroids do not take part.
    limit : int
    margin : float
        Smallest ratio of a split's gain to its merge's cost. It is below 1 because the costs are
        upper bounds: the iterations after a merge lower them.
    """
    k = points.sums.shape[0]
    costs, partners = np.empty(k), np.empty(k, np.int64)
    kernels.cost_of_merging(points.sums, costs, partners)
    spreads, axes = np.empty(k), np.empty((k, 3))
    kernels.spread_of_clusters(points.sums, points.scatter(), spreads, axes)
    means = points.means()
    weights = np.maximum(points.sums[:, 3:], 1)
    offsets = axes * np.sqrt(_CAUGHT * np.maximum(spreads, 0.0)[:, None] / weights)
    centroids = means.copy()
    used = np.zeros(k, bool) if points.fixed is None else ~np.isnan(points.fixed[:, 0])
    splits = iter(np.argsort(-spreads, kind="stable").tolist())
    done = 0
    split = next(splits, None)
    for freed in np.argsort(costs, kind="stable").tolist():
        partner = int(partners[freed])
        if done >= limit:
            break
        if used[freed] or used[partner]:
            continue
        while split is not None and (used[split] or split in (freed, partner)):
            split = next(splits, None)
        if split is None or _CAUGHT * spreads[split] <= margin * costs[freed]:
            break
        used[[freed, partner, split]] = True
        both = points.sums[freed] + points.sums[partner]
        centroids[partner] = both[:3] / max(int(both[3]), 1)
        centroids[freed] = means[split] + offsets[split]
        centroids[split] = means[split] - offsets[split]
        done += 1
    return np.clip(centroids, 0.0, TOP)
