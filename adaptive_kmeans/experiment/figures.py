"""Figures of an experiment, from its store: PNG and PDF files, each with its caption.

A figure is left out if the trials have no data for it. Several images have separate axes; many are
averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from adaptive_kmeans.experiment.bars import quality_bars, rate_split
from adaptive_kmeans.experiment.comparison import ComparisonRow
from adaptive_kmeans.experiment.curves import against_rate, time_against_rate
from adaptive_kmeans.experiment.findings import Shown
from adaptive_kmeans.experiment.forest import bd_rate
from adaptive_kmeans.experiment.pictures import classification_maps, details, reconstructions
from adaptive_kmeans.experiment.schema import Figures, Published
from adaptive_kmeans.experiment.series import (
    Measured,
    minus_ciede2000,
    psnr,
    ssim_db,
    ssimulacra2,
)
from adaptive_kmeans.experiment.style import Drawn


def draw(
    measured: Sequence[Measured],
    compared: Sequence[ComparisonRow],
    shown: Shown,
    config: Figures,
    published: Published | None = None,
) -> Iterator[tuple[str, Drawn]]:
    """Draw the figures that the trials have data for.

    Parameters
    ----------
    measured : sequence of Measured
        The trials that succeeded, with the names of their series.
    compared : sequence of ComparisonRow
        The comparison of the series at equal quality.
    shown : Shown
        The image to show, whose trials have their files, and the curves of others.
    config : Figures
        Which figures.
    published : Published, optional
        Published numbers to mark in the bar charts.

    Yields
    ------
    name : str
    figure : Drawn
    """
    drawings: dict[str, Callable[[], Drawn | None]] = {
        "quality": lambda: quality_bars(measured, published),
        "bd_rate": lambda: bd_rate(compared, measured),
        "psnr_against_rate": lambda: against_rate(measured, psnr, "PSNR, dB", shown.others),
        "ssim_against_rate": lambda: against_rate(
            measured, ssim_db, "SSIM, −10 log10(1 − SSIM) dB"
        ),
        "ssimulacra2_against_rate": lambda: against_rate(measured, ssimulacra2, "SSIMULACRA 2"),
        "ciede2000_against_rate": lambda: against_rate(
            measured, minus_ciede2000, "CIEDE2000, negated mean over pixels"
        ),
        "rate_split": lambda: rate_split(measured, published),
        "time_against_rate": lambda: time_against_rate(measured),
    }
    pixels = shown.pixels
    pictured = [m for m in measured if m.row.image == shown.name and m.data is not None]
    if pixels is not None and pictured:
        drawings |= {
            "classification": lambda: classification_maps(pixels, pictured),
            "reconstructions": lambda: reconstructions(pixels, pictured),
            "details": lambda: details(pixels, pictured),
        }
    for name, make in drawings.items():
        if name in config.draw and (drawn := make()) is not None:
            yield name, drawn
