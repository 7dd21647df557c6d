"""K-means for the distinct colors of a region, down to an 8-bit codebook.

The distinct colors stand for their pixels, so every iteration is exact, yet none visits a pixel.
The steps are:

1. first centroids (`initialization`);
2. a few over-relaxed iterations, in which a centroid moves 1.8 times the distance to its mean, with
   `swaps` between them;
3. over-relaxed iterations until the distortion falls by less than the tolerance, and in exact mode
   plain ones until no label changes;
4. plain iterations whose centroids are rounded to 8 bits, so that the codebook suits the labels
   that it will get. A codeword that ends up without colors moves to the color of largest error.

With many distinct colors, steps 1 to 3 run first on the averages of cubes of 4 levels a side,
followed by the iterations of step 3 on all the colors. A gray region starts at its optimum (`gray`)
whatever the initialization.

Locked codewords, if there are any, take their places after step 3, and more iterations follow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.clustering.codebook import round_to_codebook, to_coordinates
from adaptive_kmeans.clustering.color_points import EIGHTHS, TOP, ColorPoints
from adaptive_kmeans.clustering.color_spaces import COLOR_SPACES
from adaptive_kmeans.clustering.gray import best_levels, is_gray
from adaptive_kmeans.clustering.histogram import ColorSet
from adaptive_kmeans.clustering.initialization import (
    INITIALIZATIONS,
    add_worst,
    cut_into_boxes,
    initialize,
)
from adaptive_kmeans.clustering.lloyd import (
    FEW_COLORS,
    MAX_ITERATIONS,
    NO_CHANGE,
    TOLERANCE,
    Clustering,
    Progress,
    check_stopping,
    fell_little,
)
from adaptive_kmeans.clustering.locked import Color, add_missing, as_array, places_of
from adaptive_kmeans.clustering.swaps import swap_clusters
from adaptive_kmeans.errors import ConfigError, UnknownNameError
from adaptive_kmeans.limits import MAX_CODEWORDS
from adaptive_kmeans.threads import Workers

EXACT = 0.0
"""The tolerance of the exact mode: iterate until no label changes."""
DEFAULT_TOLERANCE = 1e-3
DEFAULT_MAX_ITERATIONS = 1000

_RELAXATION = 1.8
_ITERATIONS_BETWEEN_SWAPS = 3
_SWAP_MARGINS = (0.4, 0.6)
_EXACT_SWAP_MARGINS = (0.3, 0.4, 0.5, 0.7, 1.0)
_EXACT_RELAXED_TOLERANCE = 1e-4
_COARSE_FROM = 400_000
"""Number of distinct colors from which the averages of small cubes are clustered first."""


def cluster_colors(
    color_set: ColorSet,
    k: int,
    *,
    init: str = "wu",
    tolerance: float = DEFAULT_TOLERANCE,
    max_iterations: int = DEFAULT_MAX_ITERATIONS,
    color_space: str = "rgb",
    seed: int = 0,
    locked: tuple[Color, ...] = (),
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> Clustering:
    """Find a codebook of at most k 8-bit codewords for the colors of a region.

    Parameters
    ----------
    color_set : ColorSet
        From `count_colors`.
    k : int
        From 1 to `MAX_CODEWORDS`.
    init : str
        ``wu``, ``k-means++``, ``maximin`` or ``random``.
    tolerance : float
        Stop when the distortion falls by less than this fraction of itself; with 0 (`EXACT`),
        iterate until no label changes.
    max_iterations : int
        Iterations before the centroids are rounded to 8 bits.
    color_space : str
        Where distances are measured; see `to_space`.
    seed : int
        For the random initializations.
    locked : tuple of (red, green, blue)
        At most k colors that the codebook contains whatever the image is, each once and in the
        order of luma; k of them are the whole codebook. See `adaptive_kmeans.clustering.locked`.
    progress : callable or None
        Called with the iteration number and the distortion.
    workers : Workers or None
        Threads to use, by default one. The result does not depend on them.

    Returns
    -------
    Clustering
        The centroids are the codebook, (k', 3) uint8, without duplicates, in the order of luma.
        With at most k distinct colors, it holds exactly these; otherwise k' = k (in spaces other
        than rgb, fewer if distinct colors coincide). The labels, (n,) uint16, are exactly the
        nearest codewords, ties to the lowest index; distances are between 8-bit colors in rgb and
        between points rounded to eighths of a level in the other spaces.

    Raises
    ------
    ConfigError
        If a number is out of range.
    UnknownNameError
        If there is no such initialization or color space.

    Examples
    --------
    >>> from adaptive_kmeans.clustering.histogram import count_colors
    >>> image = np.array([[[0, 0, 0], [2, 2, 2], [200, 0, 0], [202, 0, 0]]], np.uint8)
    >>> result = cluster_colors(count_colors(image).sets[0], 2)
    >>> result.centroids.tolist(), result.labels.tolist()
    ([[1, 1, 1], [201, 0, 0]], [0, 0, 1, 1])
    """
    check_color_settings(k, init, tolerance, max_iterations, color_space)
    colors, held = color_set.colors, as_array(locked)
    if len(held) > k:
        raise ConfigError("locked colors", f"at most k = {k}", len(held))
    if colors.shape[0] <= k:
        codebook = add_missing(held, colors)
        if len(codebook) <= k:
            return Clustering(codebook, places_of(colors, codebook), (), True, FEW_COLORS)
    workers = Workers(1) if workers is None else workers
    points = ColorPoints(
        to_coordinates(colors, color_space), color_set.weights, color_set.cubes, workers
    )
    if len(held) == k:
        points.start(k).assign(to_coordinates(held, color_space).T)
        return Clustering(held, points.labels, (), True, NO_CHANGE)
    search = _Search(k, tolerance, max_iterations, progress)
    served, mass = points.coordinates.T.astype(np.float64), points.weights.astype(np.float64)
    if len(colors) > k:
        served = search.find(points, colors, color_space, init, seed)
        mass = points.sums[:, 3].astype(np.float64)
    if locked:
        fixed = np.full((k, 3), np.nan, np.float32)
        fixed[: len(held)] = to_coordinates(held, color_space).T
        start = add_worst(served, mass, fixed[: len(held)].astype(np.float64), k)
        search.run(points.start(k, fixed), start)
    codebook = round_to_codebook(points, colors, color_space, tolerance == EXACT, held)
    converged = search.stopped != MAX_ITERATIONS
    return Clustering(codebook, points.labels, tuple(search.distortions), converged, search.stopped)


def check_color_settings(
    k: int, init: str, tolerance: float, max_iterations: int, color_space: str
) -> None:
    """Raise ConfigError or UnknownNameError unless the settings are valid."""
    if not 1 <= k <= MAX_CODEWORDS:
        raise ConfigError("k out of range", f"1 to {MAX_CODEWORDS} codewords", k)
    if init not in INITIALIZATIONS:
        raise UnknownNameError("initialization", init, list(INITIALIZATIONS))
    if color_space not in COLOR_SPACES:
        raise UnknownNameError("color space", color_space, list(COLOR_SPACES))
    check_stopping(tolerance, max_iterations)


@dataclass
class _Search:
    """The iterations so far, and the settings of those to come."""

    k: int
    tolerance: float
    max_iterations: int
    progress: Progress | None
    distortions: list[float] = field(default_factory=list)
    stopped: str = MAX_ITERATIONS

    def find(
        self,
        points: ColorPoints,
        colors: npt.NDArray[np.uint8],
        color_space: str,
        init: str,
        seed: int,
    ) -> npt.NDArray[np.float64]:
        """Cluster more than k colors; return the means, and leave the labels in `points`."""
        if color_space == "rgb" and is_gray(colors):
            levels = best_levels(colors[:, 0], points.weights, self.k)
            start = np.repeat(levels[:, None], 3, axis=1) * EIGHTHS
            return self.converge(points.start(self.k), start)
        coarse = points.coarser() if colors.shape[0] >= _COARSE_FROM else points
        stage = coarse if coarse.weights.size > self.k else points
        means = self.run(stage.start(self.k), _first_centroids(stage, self.k, init, seed))
        return means if stage is points else self.converge(points.start(self.k), means)

    def run(
        self, points: ColorPoints, centroids: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Iterate, swap and converge; return the means."""
        exact = self.tolerance == EXACT
        limit = max(1, self.k // 8)
        for margin in _EXACT_SWAP_MARGINS if exact else _SWAP_MARGINS:
            self._iterate(points, centroids, EXACT, _ITERATIONS_BETWEEN_SWAPS, _RELAXATION)
            centroids = swap_clusters(points, limit, margin)
            limit = max(1, limit // 2)
        return self.converge(points, centroids)

    def converge(
        self, points: ColorPoints, centroids: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Iterate until the criterion is met; return the means."""
        relaxed = self.tolerance if self.tolerance > EXACT else _EXACT_RELAXED_TOLERANCE
        means = self._iterate(points, centroids, relaxed, self.max_iterations, _RELAXATION)
        if self.tolerance == EXACT:
            means = self._iterate(points, means, EXACT, self.max_iterations, 1.0)
        return means

    def _iterate(
        self,
        points: ColorPoints,
        means: npt.NDArray[np.float64],
        tolerance: float,
        limit: int,
        relaxation: float,
    ) -> npt.NDArray[np.float64]:
        """Run at most `limit` iterations; return the means of the clusters."""
        centroids = means
        first = len(self.distortions)
        for _ in range(limit):
            self.stopped = MAX_ITERATIONS
            if len(self.distortions) >= self.max_iterations:
                break
            held = _hold(centroids)
            changed = points.assign(held)
            means = points.means()
            self.distortions.append(points.distortion())
            if self.progress is not None:
                self.progress(len(self.distortions), self.distortions[-1])
            empty = points.empty()
            if empty.size:
                worst = points.worst_colors(empty.size)
                means[empty[: worst.size]] = points.coordinates[:, worst].T
            elif changed == 0:
                self.stopped = NO_CHANGE
                break
            elif fell_little(self.distortions[first:], tolerance):
                self.stopped = TOLERANCE
                break
            centroids = means if empty.size else held + relaxation * (means - held)
        return means


def _hold(centroids: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return centroids in whole eighths of a level."""
    return np.rint(np.clip(centroids, 0.0, TOP)).astype(np.float32)


def _first_centroids(points: ColorPoints, k: int, init: str, seed: int) -> npt.NDArray[np.float64]:
    """Return the first centroids in eighths of a level."""
    if init == "wu":
        centroids, count = cut_into_boxes(points.coordinates, points.weights, k)
        if count == k:
            return centroids
    levels = points.coordinates.T / EIGHTHS
    return initialize(levels, k, init, weights=points.weights, seed=seed) * EIGHTHS
