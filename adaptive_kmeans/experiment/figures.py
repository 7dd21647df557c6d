"""Figures of an experiment, from its store: PNG files, and PDF files of plots.

A figure is left out if the trials have no data for it. Several images have separate axes; many are
averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from adaptive_kmeans.experiment.bars import quality_bars, rate_split
from adaptive_kmeans.experiment.curves import against_rate, time_against_rate
from adaptive_kmeans.experiment.findings import Shown
from adaptive_kmeans.experiment.pictures import classification_maps, details, reconstructions
from adaptive_kmeans.experiment.schema import Figures, Published
from adaptive_kmeans.experiment.series import (
    Measured,
    minus_ciede2000,
    psnr,
    ssim_db,
    ssimulacra2,
)
from adaptive_kmeans.experiment.style import DPI, UNDATED


def draw_all(
    folder: Path,
    measured: Sequence[Measured],
    shown: Shown,
    config: Figures,
    published: Published | None = None,
) -> None:
    """Draw the figures that the trials have data for, into a folder.

    Parameters
    ----------
    folder : Path
        Folder to write to.
    measured : sequence of Measured
        The trials that succeeded, with the names of their series.
    shown : Shown
        The image to show; its trials have their files.
    config : Figures
        Which figures, in which formats.
    published : Published, optional
        Published numbers to mark in the bar charts.
    """
    drawings: dict[str, Callable[[], Figure | None]] = {
        "quality": lambda: quality_bars(measured, published),
        "psnr_against_rate": lambda: against_rate(measured, psnr, "PSNR, dB"),
        "ssim_against_rate": lambda: against_rate(measured, ssim_db, "−10 log10(1 − SSIM), dB"),
        "ssimulacra2_against_rate": lambda: against_rate(measured, ssimulacra2, "SSIMULACRA 2"),
        "ciede2000_against_rate": lambda: against_rate(
            measured, minus_ciede2000, "−CIEDE2000, mean over pixels"
        ),
        "rate_split": lambda: rate_split(measured),
        "time_against_rate": lambda: time_against_rate(measured),
    }
    for name, draw in drawings.items():
        if name in config.draw and (figure := draw()) is not None:
            for suffix in config.formats:
                figure.savefig(folder / f"{name}.{suffix}", dpi=DPI, metadata=UNDATED.get(suffix))
    pictured = [m for m in measured if m.row.image == shown.name and m.data is not None]
    if shown.pixels is None or not pictured:
        return
    grids = {
        "classification": classification_maps,
        "reconstructions": reconstructions,
        "details": details,
    }
    for name, arrange in grids.items():
        if name in config.draw and (figure := arrange(shown.pixels, pictured)) is not None:
            figure.savefig(folder / f"{name}.png", pil_kwargs={"compress_level": 3})
