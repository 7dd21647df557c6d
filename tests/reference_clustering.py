"""Naive twins of the clustering kernels, in plain NumPy and float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def nearest(points: npt.ArrayLike, centroids: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Label every point with its nearest centroid by measuring all of them."""
    points, centroids = np.asarray(points, np.float64), np.asarray(centroids, np.float64)
    labels = np.empty(len(points), np.int64)
    for start in range(0, len(points), 4096):
        part = points[start : start + 4096, None, :] - centroids[None]
        labels[start : start + 4096] = (part**2).sum(axis=2).argmin(axis=1)
    return labels


def morton_key(color: npt.ArrayLike) -> int:
    """Interleave the bits of a color, red first."""
    red, green, blue = (int(channel) for channel in np.asarray(color))
    key = 0
    for bit in range(7, -1, -1):
        key = key << 3 | (red >> bit & 1) << 2 | (green >> bit & 1) << 1 | (blue >> bit & 1)
    return key


def distinct_colors(pixels: npt.NDArray[np.uint8]) -> tuple[list[tuple[int, ...]], list[int]]:
    """Return the distinct colors in Morton order, and how often each occurs."""
    counts: dict[tuple[int, ...], int] = {}
    for pixel in pixels.reshape(-1, 3).tolist():
        counts[tuple(pixel)] = counts.get(tuple(pixel), 0) + 1
    colors = sorted(counts, key=morton_key)
    return colors, [counts[color] for color in colors]


def cluster_sums(
    coordinates: npt.NDArray[np.float32],
    weights: npt.NDArray[np.int32],
    labels: npt.NDArray[np.integer],
    k: int,
) -> npt.NDArray[np.int64]:
    """Return coordinate sums and weight of every cluster, (k, 4)."""
    columns = np.vstack([coordinates.astype(np.int64), np.ones(len(weights), np.int64)])
    sums = np.zeros((k, 4), np.int64)
    for color, label in enumerate(labels):
        sums[label] += columns[:, color] * int(weights[color])
    return sums


def ward_costs(sums: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the least rise of the squared error when each cluster is merged."""
    weights = sums[:, 3].astype(np.float64)
    means = sums[:, :3] / weights[:, None]
    costs = np.full((len(sums), len(sums)), np.inf)
    for a in range(len(sums)):
        for b in range(len(sums)):
            if a != b:
                distance = ((means[a] - means[b]) ** 2).sum()
                costs[a, b] = distance * weights[a] * weights[b] / (weights[a] + weights[b])
    return costs.min(axis=1)


def largest_eigenvalues(
    coordinates: npt.NDArray[np.float32],
    weights: npt.NDArray[np.int32],
    labels: npt.NDArray[np.integer],
    k: int,
) -> npt.NDArray[np.float64]:
    """Return the largest eigenvalue of every cluster's scatter matrix."""
    values = np.zeros(k)
    for label in range(k):
        points = coordinates[:, labels == label].astype(np.float64)
        mass = weights[labels == label].astype(np.float64)
        centered = points - np.average(points, axis=1, weights=mass)[:, None]
        values[label] = np.linalg.eigvalsh((centered * mass) @ centered.T)[-1]
    return values


def mean_squared_error(
    image: npt.NDArray[np.uint8],
    codebook: npt.NDArray[np.uint8],
    index_map: npt.NDArray[np.uint16],
) -> float:
    """Return the mean squared error per channel."""
    difference = image.astype(np.float64) - codebook[index_map].astype(np.float64)
    return float((difference**2).mean())
