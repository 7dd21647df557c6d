"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from adaptive_kmeans.codec import DEFAULT_QUALITY
from adaptive_kmeans.limits import MAX_BLOCK_SIZE, MAX_CODEWORDS, PRESETS

_CODEWORDS = f"1..{MAX_CODEWORDS}"
DEFAULT_K1, DEFAULT_K2 = 64, 256
"""Codewords of two regions where only those of the other one are named."""
K1 = Annotated[
    int | None,
    Option("--k1", help=f"Codewords for low-detail blocks, {_CODEWORDS}: the published method."),
]
K2 = Annotated[int | None, Option("--k2", help=f"Codewords for high-detail blocks, {_CODEWORDS}.")]
K = Annotated[int | None, Option("--k", help="Regular K-means: one region with this codebook.")]
Effort = Annotated[int, Option(help="1, fast, to 9, the smallest file.")]
Tune = Annotated[
    str, Option(help="What errors cost: perceptual, or psnr for the squared error of RGB.")
]
Detail = Annotated[str, Option(help="eigenvalue, eigenvalue:largest, variance or total-variation.")]
Threshold = Annotated[str, Option(help="median, mean, otsu, or quantile:SHARE.")]
BlockSize = Annotated[int, Option(help=f"Side of a block in pixels, 1..{MAX_BLOCK_SIZE}.")]
Coder = Annotated[str, Option(help="context-mixing, deflate or fixed-length.")]
ColorSpace = Annotated[str, Option(help="Cluster in rgb, lab, ycbcr, hsv or oklab.")]
Seed = Annotated[int, Option(help="Seed of the clustering.")]
Background = Annotated[
    str | None, Option(metavar="COLOR", help="Flatten a translucent image over this color.")
]
Quality = Annotated[
    float | None,
    Option(
        "--quality",
        help="0 to 100, higher is better; decides codebook, codewords and restoration. The "
        f"default, at {DEFAULT_QUALITY:g}, unless codebooks are named.",
    ),
]
Lambda = Annotated[
    float,
    Option(
        "--lambda",
        help="With --k, or --k1 and --k2: choose codewords by distortion plus this many times the "
        "bits; 0 takes the nearest.",
    ),
]
Restoration = Annotated[
    str | None,
    Option(
        help="Filter for the decoder: none, auto, or wiener:FORM, such as wiener:8+rings; by "
        "default auto by quality, else none."
    ),
]
Correction = Annotated[
    str | None,
    Option(
        help="Coarse correction of the errors of codewords: none or auto; by default auto by "
        "quality, else none."
    ),
]
AsJson = Annotated[bool, Option("--json", help="Print the numbers as JSON.")]
LimitsName = Annotated[
    str, Option("--limits", help=f"What the file may ask for: {' or '.join(PRESETS)}.")
]
