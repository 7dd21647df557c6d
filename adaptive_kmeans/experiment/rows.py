"""Rows of the table of compression experiments: one file of one image."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from adaptive_kmeans import container
from adaptive_kmeans.baselines.checked import Baseline
from adaptive_kmeans.codec import Settings


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

    def as_dict(self) -> dict[str, Any]:
        """Return the columns by name; infinite and undefined numbers stay what they are."""
        return dataclasses.asdict(self)

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


def parameter_columns(asked: Settings | str) -> dict[str, Any]:
    """Return the columns that say what was asked for: settings of our codec, or a baseline."""
    columns = ("method", "detail", "k", "k1", "k2", "block_size", "coder", "quality")
    values: dict[str, Any] = dict.fromkeys((*columns, "threshold", "color_space", "seed"))
    if isinstance(asked, str):
        baseline = Baseline.create(asked)
        chosen = {"k": baseline.k, "quality": baseline.quality}
        return values | {"method": asked.partition(":")[0]} | chosen
    shared = {name: getattr(asked, name) for name in ("block_size", "coder", "color_space", "seed")}
    if asked.is_regular:
        return values | shared | {"method": "regular", "k": asked.k1}
    ours = {name: getattr(asked, name) for name in ("detail", "k1", "k2", "threshold")}
    return values | shared | {"method": "region-adaptive"} | ours


def split_columns(asked: Settings | str, data: bytes) -> dict[str, int | None]:
    """Return the columns that say where the bytes of a file of our codec go."""
    columns = ("header_bytes", "codebook_bytes", "region_map_bytes", "index_map_bytes")
    if isinstance(asked, str):
        return dict.fromkeys(columns)
    contents = container.inspect(data)
    return {name: getattr(contents, name) for name in columns}
