"""Rows of the table of compression experiments: one file of one image."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from adaptive_kmeans.container import PARTS
from adaptive_kmeans.restoration import NONE

SPLIT = PARTS
"""Columns that split the bytes of a file of ours."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table: parameters, quality, rate in bytes of the file, and times.

    `image_set` is the name of the image's folder, or "bundled". `k` is the codebook size of regular
    K-means, `k1` and `k2` are those of two regions, and `quality` is the setting of a baseline. A
    `target`, of `target_value`, has found the quality in so many `tries`. Columns that do not apply
    are None, and so are metrics that the config does not name, and times unless it asks for them.
    `high_percent` of the blocks are in the region of high detail, if there are two. `peak_mb` is
    the memory that encoding and decoding need beyond what the process held before. For our codec
    the columns `SPLIT` add up to `bytes`.
    """

    TERMINAL: ClassVar[dict[str, str]] = {
        "image": "image",
        "method": "label",
        "k": "setting",
        "PSNR dB": "psnr_db",
        "SSIM": "ssim",
        "bytes": "bytes",
        "bpp": "bits_per_pixel",
        "ratio": "compression_ratio",
        "enc s": "encode_s",
    }

    image: str
    method: str
    detail: str | None
    k: int | None
    k1: int | None
    k2: int | None
    block_size: int | None
    coder: str | None
    psnr_db: float | None = None
    ssim: float | None = None
    bytes: int
    bits_per_pixel: float
    compression_ratio: float
    space_saving_percent: float
    encode_s: float | None
    decode_s: float | None
    ssim_published: float | None = None
    ciede2000: float | None = None
    quality: float | None
    threshold: str | None
    color_space: str | None
    seed: int | None
    header_bytes: int | None
    codebook_bytes: int | None
    region_map_bytes: int | None
    index_map_bytes: int | None
    image_set: str
    ssimulacra2: float | None = None
    peak_mb: float | None = None
    price: float | None = None
    detail_power: float | None = None
    tune: str | None = None
    effort: int | None = None
    restoration: str | None = None
    correction: str | None = None
    filter_bytes: int | None = None
    correction_bytes: int | None = None
    alpha_bytes: int | None = None
    alpha_levels: int | None = None
    dither: str | None = None
    target: str | None = None
    target_value: float | None = None
    tries: int | None = None
    high_percent: float | None = None

    @classmethod
    def of(cls, **columns: Any) -> Row:
        """Make a row from the columns that apply; the others are None."""
        blank = dict.fromkeys(field.name for field in dataclasses.fields(cls))
        return cls(**{**blank, **columns})

    @property
    def is_ours(self) -> bool:
        """Whether our codec wrote the file."""
        return self.coder is not None

    @property
    def is_restored(self) -> bool:
        """Whether the settings ask for a filter or a correction."""
        return {self.restoration, self.correction} - {None, NONE} != set()

    @property
    def label(self) -> str:
        """Name of the method in figures and terminals: "regular", or the detail measure."""
        if self.method == "rate-distortion":
            return self.method if self.k1 is None else f"{self.method} with two codebooks"
        return self.detail or self.method

    @property
    def codebook_sizes(self) -> str:
        """The codebook sizes in figures and terminals: "64", or "64+256"."""
        if self.k is not None:
            return str(self.k)
        return "" if self.k1 is None else f"{self.k1}+{self.k2}"

    @property
    def setting(self) -> str:
        """The codebook sizes and the dithering, the target, or the quality, such as "q 75"."""
        if self.target is not None:
            return self.aim
        if self.dither is not None:
            return f"{self.codebook_sizes}, {self.dither}"
        if self.price is not None:
            return f"{self.codebook_sizes}, λ {self.price:g}"
        return self.codebook_sizes or ("" if self.quality is None else f"q {self.quality:g}")

    @property
    def aim(self) -> str:
        """The target in figures and terminals, such as "psnr 38"; "" without one."""
        return "" if self.target is None else f"{self.target} {self.target_value:g}"

    @property
    def point(self) -> tuple[float | str | None, ...]:
        """What tells the files of an image and a series apart."""
        if self.target is not None:
            return self.target, self.target_value
        return self.k, self.k1, self.k2, self.price, self.quality
