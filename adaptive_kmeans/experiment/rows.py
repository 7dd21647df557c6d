"""Rows of the table of compression experiments: one file of one image."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

SPLIT = ("header_bytes", "codebook_bytes", "region_map_bytes", "index_map_bytes")
"""Columns that say where the bytes of a file of ours go."""


@dataclass(frozen=True)
class Row:
    """A row of the table: parameters, quality, rate in bytes of the file, and times.

    `image_set` is the name of the image's folder, or "bundled".
    `k` is the codebook of regular K-means, `k1` and `k2` are those of two regions, `quality` is the
    setting of a baseline. What does not apply is None, and so are metrics and times that were not
    asked for: times are only right when trials run one by one, and so is `peak_mb`, what encoding
    and decoding need beyond what the process held before. The four columns of the split add up to
    `bytes` for our codec.
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
    psnr_db: float | None
    ssim: float | None
    bytes: int
    bits_per_pixel: float
    compression_ratio: float
    space_saving_percent: float
    encode_s: float | None
    decode_s: float | None
    ssim_published: float | None
    ciede2000: float | None
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

    @classmethod
    def of(cls, **columns: Any) -> Row:
        """Make a row of the columns that apply; the others are None."""
        blank = dict.fromkeys(field.name for field in dataclasses.fields(cls))
        return cls(**{**blank, **columns})

    def as_dict(self) -> dict[str, Any]:
        """Return the columns by name; infinite and undefined numbers stay what they are."""
        return dataclasses.asdict(self)

    @property
    def is_ours(self) -> bool:
        """Whether our codec made the file."""
        return self.coder is not None

    @property
    def label(self) -> str:
        """What a figure or a terminal calls the method: "regular", or the detail measure."""
        return self.detail or self.method

    @property
    def codebook_sizes(self) -> str:
        """The codebook sizes as a figure or a terminal says them: "64", or "64+256"."""
        if self.k is not None:
            return str(self.k)
        return "" if self.k1 is None else f"{self.k1}+{self.k2}"

    @property
    def setting(self) -> str:
        """The codebook sizes, or the quality of a baseline, such as "q 75"."""
        return self.codebook_sizes or ("" if self.quality is None else f"q {self.quality:g}")
