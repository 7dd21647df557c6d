"""Figures of an experiment, from its store: PNG and PDF files, each with its caption.

A figure is left out if the trials have no data for it, and split into several if it is taller than
a page. A few images have separate axes; many are averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pandas as pd

from adaptive_kmeans.experiment.bars import quality_bars, rate_split
from adaptive_kmeans.experiment.curves import against_rate, time_against_rate
from adaptive_kmeans.experiment.findings import Measured, Shown
from adaptive_kmeans.experiment.forest import bd_rate
from adaptive_kmeans.experiment.pictures import classification_maps, details, reconstructions
from adaptive_kmeans.experiment.rows import METRICS
from adaptive_kmeans.experiment.schema import Figures, Published
from adaptive_kmeans.experiment.style import Drawn, numbered


def draw(
    measured: Measured,
    compared: pd.DataFrame,
    shown: Shown,
    config: Figures,
    published: Published | None = None,
) -> Iterator[tuple[str, Drawn]]:
    """Draw the figures that the trials have data for.

    Parameters
    ----------
    measured : Measured
        The trials that succeeded, with the names of their series, and the files of the shown image.
    compared : DataFrame
        The comparison of the series at equal quality; see `comparison`.
    shown : Shown
        The image to show, and curves published by others.
    config : Figures
        Which figures.
    published : Published, optional
        Published numbers to mark in the bar charts.

    Yields
    ------
    name : str
    figure : Drawn
    """
    table = measured.table
    drawings: dict[str, Callable[[], Sequence[Drawn]]] = {
        "quality": lambda: quality_bars(table, published),
        "bd_rate": lambda: bd_rate(compared, table),
        **{
            f"{name}_against_rate": partial(against_rate, table, metric, shown.others)
            for name, metric in METRICS.items()
            if metric.scale is not None
        },
        "rate_split": lambda: rate_split(table, published),
        "time_against_rate": lambda: time_against_rate(table),
    }
    pixels, own = shown.pixels, table[table["key"].isin(measured.data)]
    own = own[own["image"] == shown.name]
    if pixels is not None and not own.empty:
        for name, make in (
            ("classification", classification_maps),
            ("reconstructions", reconstructions),
            ("details", details),
        ):
            drawings[name] = partial(make, pixels, own, measured.data)
    for name, drawing in drawings.items():
        if name in config.draw:
            yield from numbered(name, drawing())
