"""The table of compression experiments: a row for each file of each image.

A row combines what a codec declares about itself, `Codec.columns`, with metrics and facts about the
file. Cells that do not apply are empty, and so are metrics that the config does not name, and times
unless it asks for them.
"""

from __future__ import annotations

from adaptive_kmeans.container import PARTS
from adaptive_kmeans.experiment.columns import Column
from adaptive_kmeans.metrics import known

METRICS = known()
"""The metrics by their names in a config."""

SPLIT = PARTS
"""Columns that split the bytes of one of our files; they add up to its size."""

_TEXT, _NUMBER = Column(), Column(is_number=True)
_IF_SWEPT, _NUMBER_IF_SWEPT = Column(shown="if swept"), Column(is_number=True, shown="if swept")

_QUALITY = {
    metric.column: Column("measured", f".{metric.digits}f", metric.heading, metric.tolerance)
    for metric in METRICS.values()
}

COLUMNS: dict[str, Column] = {
    "image": Column(heading="image", is_required=True),
    "method": Column(is_required=True),
    "label": Column("name", heading="method"),
    "detail": _TEXT,
    "k": _NUMBER,  # codewords of regular K-means; two regions have k1 and k2
    "k1": _NUMBER,
    "k2": _NUMBER,
    "setting": Column("name", heading="k"),
    "block_size": _NUMBER,
    "coder": _TEXT,
    "psnr_db": _QUALITY["psnr_db"],
    "ssim": _QUALITY["ssim"],
    "bytes": Column("measured", ",", "bytes", is_required=True),
    "bits_per_pixel": Column("derived", ".3f", "bpp", is_required=True),
    "compression_ratio": Column("derived", ".2f", "ratio"),
    "space_saving_percent": Column("derived", ".2f"),
    "encode_s": Column("time", ".2f", "enc s"),
    "decode_s": Column("time", ".2f"),
    **_QUALITY,
    "quality": _NUMBER,  # given, or found for a target
    "threshold": _IF_SWEPT,
    "color_space": _IF_SWEPT,
    "seed": _NUMBER_IF_SWEPT,
    **dict.fromkeys(SPLIT, Column("derived", ",", shown="never")),
    "image_set": Column("label", shown="if swept"),  # the image's folder, or "bundled"
    "peak_mb": Column("time", ".0f"),  # beyond what the process held before
    "price": _NUMBER,
    "detail_power": _NUMBER_IF_SWEPT,
    "tune": _IF_SWEPT,
    "effort": _NUMBER_IF_SWEPT,
    "restoration": _IF_SWEPT,
    "correction": _IF_SWEPT,
    "alpha_levels": _NUMBER,
    "dither": _TEXT,
    "target": _TEXT,
    "target_value": Column(digits="g", is_number=True),
    "tries": Column("derived"),
    "high_percent": Column("measured", ".1f", tolerance=0.1),  # high-detail blocks, of two regions
    "init": _IF_SWEPT,  # of the clustering, where it is not the default
    "tolerance": Column(digits="g", is_number=True, shown="if swept"),
}
"""The columns, in the order of the table."""
