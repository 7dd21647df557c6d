"""Crops of images before and after restoration, beside the original.

A crop is left out if its image is not among the experiment's images.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from adaptive_kmeans import codec, metrics
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.experiment.columns import columns_of, label, measured, parameter, rows_of
from adaptive_kmeans.experiment.findings import Measured
from adaptive_kmeans.experiment.keys import Strict
from adaptive_kmeans.experiment.kind import study
from adaptive_kmeans.experiment.pictures import CROP, Cell, grid_of
from adaptive_kmeans.experiment.schema import Experiment
from adaptive_kmeans.experiment.studies.opaque import opaque_images
from adaptive_kmeans.experiment.style import Drawn
from adaptive_kmeans.experiment.trials import Measurement, StudyTrial, load

VERSION = 1
Pixels = npt.NDArray[np.uint8]


class Crop(Strict):
    """A square of an image and what it shows; its side is `CROP` pixels."""

    SAMPLE: ClassVar = {"image": "chelsea", "what": "eye", "left": 150, "top": 70}

    image: str = Field(description="Name of the image; without this image, the crop is left out.")
    what: str = Field(description="What the crop shows.")
    left: Annotated[int, Field(ge=0)] = Field(description="Its left edge in pixels.")
    top: Annotated[int, Field(ge=0)] = Field(description="Its top edge in pixels.")


class RestorationCropsConfig(Experiment):
    """Crops, at one codebook size."""

    SAMPLE: ClassVar = {"k": 32}

    kind: Literal["restoration-crops"]
    k: int = Field(description="Codewords.")
    crops: Annotated[list[Crop], Field(min_length=1)]

    def check(self) -> None:
        """Check the codebook size."""
        super().check()
        Settings.regular(self.k)


@dataclass(frozen=True)
class CropRow:
    """A row of the table: an image, its file before and after restoration, and a crop of it."""

    image_set: str = label()
    image: str = parameter("image")
    what: str = parameter("what")
    k: int = parameter()
    bytes: int = measured(",", "bytes")
    restored_bytes: int = measured(",", "restored")
    psnr_db: float = measured(".3f", "PSNR dB", tolerance=0.001)
    restored_psnr_db: float = measured(".3f", "restored PSNR dB", tolerance=0.001)


def plan(config: RestorationCropsConfig, sources: Sequence[ImageSource]) -> list[StudyTrial]:
    """List a trial for each crop of the images."""
    by_name = {source.name: source for source in opaque_images(sources, config.background)}
    return [
        StudyTrial(
            "restoration-crops",
            VERSION,
            by_name[crop.image],
            config.background,
            _measure,
            {"k": config.k, **crop.model_dump(exclude={"image"})},
        )
        for crop in config.crops
        if crop.image in by_name
    ]


def combine(found: Measured) -> pd.DataFrame:
    """Return the table with the pictures that the trials kept."""
    kept = {key: _pictures(data) for key, data in found.data.items()}
    return found.table.assign(pictures=found.table["key"].map(lambda key: kept.get(key, ())))


def _pictures(data: bytes) -> tuple[Pixels, ...]:
    with np.load(io.BytesIO(data)) as arrays:
        return tuple(arrays[name] for name in arrays.files)


def _measure(
    source: ImageSource, background: str | None, k: int, what: str, left: int, top: int
) -> Measurement:
    """Compress an image without restoration and with it, and keep the pictures of a crop."""
    original = load(source, background)
    if top + CROP > original.shape[0] or left + CROP > original.shape[1]:
        expected = f"{CROP}×{CROP} pixels inside {original.shape[1]}×{original.shape[0]}"
        raise ConfigError(f"crop {what}", expected, f"left {left}, top {top}")
    settings = Settings.regular(k)
    data, before = codec.encode_with_reconstruction(original, settings)
    settings = dataclasses.replace(settings, restoration="auto", correction="auto")
    restored_data, after = codec.encode_with_reconstruction(original, settings)
    place = slice(top, top + CROP), slice(left, left + CROP)
    pictures = io.BytesIO()
    np.savez(pictures, *(image[place] for image in (original, before, after)))
    row = CropRow(
        source.set_name,
        source.name,
        what,
        k,
        len(data),
        len(restored_data),
        metrics.psnr(original, before),
        metrics.psnr(original, after),
    )
    return Measurement([dataclasses.asdict(row)], pictures.getvalue())


def draw(table: pd.DataFrame) -> Iterator[tuple[str, Drawn]]:
    """Draw a row of pictures for each crop: the original, without and with restoration."""
    if "pictures" not in table:
        return
    grid = []
    for row in rows_of(table):
        titles = (
            f"{row.image}, {row.what}\noriginal",
            f"k = {row.k}\n{row.bytes:,} B, {row.psnr_db:.1f} dB",
            f"restored\n{row.restored_bytes:,} B, {row.restored_psnr_db:.1f} dB",
        )
        grid.append([Cell(title, crop) for title, crop in zip(titles, row.pictures, strict=True)])
    if grid:
        caption = (
            f"Crops of {CROP}×{CROP} pixels: the original, the file without restoration, and with "
            "it; bytes and PSNR are those of the whole file."
        )
        yield "crops", Drawn(grid_of(grid), caption)


KIND = study(
    "restoration-crops",
    RestorationCropsConfig,
    columns_of(CropRow),
    plan,
    draw=draw,
    combine=combine,
)
