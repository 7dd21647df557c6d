"""The colors of one region as weighted points, and their labels under moving centroids."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.clustering import _group_kernels as group_kernels
from adaptive_kmeans.clustering import _lloyd_kernels as kernels
from adaptive_kmeans.clustering import _swap_kernels as swap_kernels
from adaptive_kmeans.threads import Workers

EIGHTHS = 8
"""Coordinate steps per level; centroids are rounded to whole steps."""
TOP = 255 * EIGHTHS
_GROUP_LIMIT = 64
"""Number of colors up to which a cube of more than 8 levels a side is one group."""
_SUPER_CUBES = 512
"""Cubes of 4 levels a side in a supergroup."""
_PARALLEL_COLORS = 20_000
_NO_LABEL = np.uint16(65535)


class ColorPoints:
    """Weighted points in the order of a `ColorSet`, with the state of an exact assignment.

    Parameters
    ----------
    coordinates : (3, n) float32
        Whole eighths of a level from 0 to 2040.
    weights : (n,) int32
    cubes : (2**18 + 1,) int32
        As in `ColorSet`.
    workers : Workers
    """

    def __init__(
        self,
        coordinates: npt.NDArray[np.float32],
        weights: npt.NDArray[np.int32],
        cubes: npt.NDArray[np.int32],
        workers: Workers,
    ) -> None:
        self.coordinates, self.weights, self.cubes = coordinates, weights, cubes
        self.workers = workers
        starts = np.empty(min(weights.size, 1 << 15) + 1, np.int64)
        self._starts = starts[: group_kernels.split_groups(cubes, _GROUP_LIMIT, starts) + 1]
        edges = cubes[::_SUPER_CUBES].astype(np.int64)
        edges = np.concatenate([edges[:-1][np.diff(edges) > 0], edges[-1:]])
        self._boxes = np.empty((self._starts.size - 1, 6), np.float32)
        group_kernels.bound_groups(coordinates, self._starts, self._boxes)
        self._super_starts = np.searchsorted(self._starts, edges)
        low = np.minimum.reduceat(self._boxes[:, :3], self._super_starts[:-1])
        high = np.maximum.reduceat(self._boxes[:, 3:], self._super_starts[:-1])
        self._super_boxes = np.concatenate([low, high], axis=1)
        threads = self.workers.count if weights.size >= _PARALLEL_COLORS else 1
        shares = np.arange(1, threads) * weights.size // threads
        cuts = np.unique([0, *np.searchsorted(edges, shares), edges.size - 1])
        self._tasks = list(pairwise(cuts.tolist()))
        self._color_tasks = [(int(edges[a]), int(edges[b])) for a, b in self._tasks]
        self.total_weight = int(weights.sum(dtype=np.int64))
        self._square_sum = int(group_kernels.sum_squares(coordinates, weights))

    def coarser(self) -> ColorPoints:
        """Return the averages of the cubes of 4 levels a side as points of their own."""
        filled = np.zeros(self.cubes.size, np.int32)
        np.cumsum(np.diff(self.cubes) > 0, out=filled[1:])
        averages = np.empty((3, int(filled[-1])), np.float32)
        totals = np.empty(int(filled[-1]), np.int32)
        group_kernels.average_cubes(self.coordinates, self.weights, self.cubes, averages, totals)
        return ColorPoints(averages, totals, filled, self.workers)

    def start(self, k: int, fixed: npt.NDArray[np.float32] | None = None) -> Self:
        """Forget all labels and make room for `k` clusters.

        Parameters
        ----------
        k : int
        fixed : (k, 3) float32 or None
            Centroids that stay where they are, whatever their colors are; NaN for the others.
        """
        self.fixed = fixed
        n_groups = self._starts.size - 1
        self.labels = np.full(self.weights.size, _NO_LABEL, np.uint16)
        self.sums = np.zeros((k, 4), np.int64)
        """Coordinate sums and weight of every cluster."""
        self._centroids = np.full((k, 3), -1, np.float32)
        self._references = np.full(n_groups, -1, np.int32)
        n_supers = self._super_starts.size - 1
        self._super_references = np.full(n_supers, -1, np.int32)
        self._super_lengths = np.full(n_supers, -1, np.int32)
        self._super_lists = np.zeros((n_supers, k), np.uint16)
        self._list_lengths = np.full(n_groups, -1, np.int32)
        self._lists = np.zeros((n_groups, kernels.STORED_LIST), np.uint16)
        return self

    def assign(self, centroids: npt.NDArray[np.float32]) -> int:
        """Label every color with its nearest centroid, ties to the lowest index.

        Returns the number of labels that changed.
        """
        moved = (centroids != self._centroids).any(axis=1).astype(np.uint8)
        self._centroids = centroids.copy()
        columns = np.ascontiguousarray(centroids.T)

        def work(first: int, last: int) -> tuple[int, npt.NDArray[np.int64]]:
            sums = np.zeros_like(self.sums)
            changed = kernels.assign_groups(
                self.coordinates, self.weights, self._super_starts, self._super_boxes,
                self._starts, self._boxes, first, last, columns, moved, self._super_references,
                self._super_lengths, self._super_lists, self._references, self._list_lengths,
                self._lists, self.labels, sums,
            )  # fmt: skip
            return changed, sums

        total = 0
        for changed, sums in self.workers.map(work, self._tasks):
            total += changed
            self.sums += sums
        return total

    def reorder(self, order: npt.NDArray[np.intp]) -> None:
        """Renumber the clusters, ``order[i]`` as `i`; the next `assign` corrects ties."""
        place = np.empty(order.size, np.int32)
        place[order] = np.arange(order.size)
        self.labels = place.astype(np.uint16)[self.labels]
        self.sums = self.sums[order]
        if self.fixed is not None:
            self.fixed = self.fixed[order]
        self._references = place[self._references]
        self._super_references = place[self._super_references]
        self._list_lengths[:] = -1
        self._super_lengths[:] = -1
        self._centroids[:] = -1

    def means(self) -> npt.NDArray[np.float64]:
        """Return the mean of every cluster, (k, 3); an empty or fixed one keeps its centroid."""
        weights = self.sums[:, 3:]
        means = np.where(weights > 0, self.sums[:, :3] / np.maximum(weights, 1), self._centroids)
        return means if self.fixed is None else np.where(np.isnan(self.fixed), means, self.fixed)

    def empty(self) -> npt.NDArray[np.intp]:
        """Return the clusters without colors, except fixed ones."""
        empty = self.sums[:, 3] == 0
        return np.flatnonzero(empty if self.fixed is None else empty & np.isnan(self.fixed[:, 0]))

    def distortion(self) -> float:
        """Return the mean squared error per channel, in levels², of the labels and their means."""
        sums = self.sums[:, :3].astype(np.float64)
        explained = (sums[:, 0] ** 2 + sums[:, 1] ** 2 + sums[:, 2] ** 2) / np.maximum(
            self.sums[:, 3], 1
        )
        if self.fixed is not None:
            there = ~np.isnan(self.fixed[:, 0])
            at = self.fixed[there].astype(np.float64)
            parts = at * (2 * sums[there] - self.sums[there, 3:] * at)
            explained[there] = parts.sum(axis=1)
        error = max(0.0, self._square_sum - float(explained.sum()))
        return error / (3 * EIGHTHS * EIGHTHS * self.total_weight)

    def worst_colors(self, count: int) -> npt.NDArray[np.intp]:
        """Return the colors of largest weighted squared error, at most `count`, none of zero error.

        Colors are chosen one at a time, each as if those before it had become centroids.
        """
        error = np.zeros(self.weights.size, np.float64)
        for axis in range(3):
            difference = self.coordinates[axis] - self._centroids[self.labels, axis]
            error += difference.astype(np.float64) ** 2
        found: list[int] = []
        while len(found) < count:
            worst = int(np.argmax(error * self.weights))
            if error[worst] == 0.0:
                break
            found.append(worst)
            away = self.coordinates - self.coordinates[:, worst : worst + 1]
            np.minimum(error, (away * away).sum(axis=0), out=error)
        return np.array(found, np.intp)

    def scatter(self) -> npt.NDArray[np.int64]:
        """Return the second moments of every cluster, (k, 6): xx, yy, zz, xy, xz, yz."""

        def work(first: int, last: int) -> npt.NDArray[np.int64]:
            scatter = np.zeros((self.sums.shape[0], 6), np.int64)
            swap_kernels.add_scatter(
                self.coordinates, self.weights, self.labels, first, last, scatter
            )
            return scatter

        scatter: npt.NDArray[np.int64] = np.add.reduce(self.workers.map(work, self._color_tasks))
        return scatter
