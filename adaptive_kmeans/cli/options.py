"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

from typer import Option

K1 = Annotated[int | None, Option("--k1", help="Codewords for low-detail blocks, 1..4096.")]
K2 = Annotated[int | None, Option("--k2", help="Codewords for high-detail blocks, 1..4096.")]
K = Annotated[int | None, Option("--k", help="Regular K-means: one region with this codebook.")]
Detail = Annotated[str, Option(help="eigenvalue, eigenvalue:largest, variance or total-variation.")]
Threshold = Annotated[str, Option(help="median, mean, otsu, or quantile:SHARE.")]
BlockSize = Annotated[int, Option(help="Side of a block in pixels, 1..256.")]
Coder = Annotated[str, Option(help="context-mixing, deflate or fixed-length.")]
ColorSpace = Annotated[str, Option(help="Cluster in rgb, lab, ycbcr, hsv or oklab.")]
Seed = Annotated[int, Option(help="Seed of the clustering.")]
Background = Annotated[
    str | None, Option(metavar="COLOR", help="Flatten a translucent image over this color.")
]
AsJson = Annotated[bool, Option("--json", help="Print the numbers as JSON.")]

DEFAULT_K1, DEFAULT_K2 = 64, 256
