"""K-means for colors: exact, deterministic and fast.

In data-flow order: `count_colors` finds the distinct colors, `initialize` the first centroids,
`cluster_colors` a codebook for one region, and `cluster_regions` the codebooks and the index map of
an image. `assign_points`, `compute_centroids`, `initialize` and `kmeans` are the textbook steps for
points in any dimension, and `elbow` chooses k. `joint` finds one codebook for many images, and
`locked` handles codewords that are given.
"""

from __future__ import annotations

from adaptive_kmeans.clustering.assignment import assign_points, compute_centroids
from adaptive_kmeans.clustering.color_kmeans import DEFAULT_TOLERANCE, EXACT, cluster_colors
from adaptive_kmeans.clustering.color_spaces import COLOR_SPACES, to_space
from adaptive_kmeans.clustering.elbow import elbow
from adaptive_kmeans.clustering.histogram import ColorHistogram, ColorSet, count_colors
from adaptive_kmeans.clustering.initialization import INITIALIZATIONS, initialize
from adaptive_kmeans.clustering.lloyd import Clustering, kmeans
from adaptive_kmeans.clustering.regions_kmeans import RegionColors, cluster_regions
from adaptive_kmeans.threads import Workers

__all__ = [
    "COLOR_SPACES",
    "DEFAULT_TOLERANCE",
    "EXACT",
    "INITIALIZATIONS",
    "Clustering",
    "ColorHistogram",
    "ColorSet",
    "RegionColors",
    "Workers",
    "assign_points",
    "cluster_colors",
    "cluster_regions",
    "compute_centroids",
    "count_colors",
    "elbow",
    "initialize",
    "kmeans",
    "to_space",
]
