"""K-means over colors: from the pixels of each region to its codebook and index map."""

from __future__ import annotations

from adaptive_kmeans.clustering.regions import cluster_regions

__all__ = ["cluster_regions"]
