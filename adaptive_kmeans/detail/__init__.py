"""Detail measures: how much detail a block has.

The first stage of region-adaptive compression scores every block; `adaptive_kmeans.regions` then
splits the scores at a threshold. All published measures (pmephin, "Improved Image Compression with
KMeans") are included:

======================== ===============================================================
`eigenvalue`             mean eigenvalue of the block's color covariance
`eigenvalue:largest`     its largest eigenvalue
`variance`               variance of the block's gray amplitude
`total-variation`        gradient magnitude of the amplitude, summed inside the block
======================== ===============================================================

A measure is a frozen dataclass that is called with an image and its `BlockGrid`. Other packages add
measures through the entry-point group ``adaptive_kmeans.detail``. Decoding does not need them: the
region map is in the file.
"""

from __future__ import annotations

from adaptive_kmeans.detail.checked import Checked
from adaptive_kmeans.detail.eigenvalue import Eigenvalue
from adaptive_kmeans.detail.protocol import DetailMeasure
from adaptive_kmeans.detail.total_variation import TotalVariation
from adaptive_kmeans.detail.variance import Variance
from adaptive_kmeans.registry import Registry, group

__all__ = ["DetailMeasure", "Eigenvalue", "TotalVariation", "Variance", "measures"]


measures: Registry[DetailMeasure] = Registry(
    "detail measure",
    {"eigenvalue": Eigenvalue, "variance": Variance, "total-variation": TotalVariation},
    entry_point_group=group("detail"),
    check=Checked,
)
