"""A kind of experiment: its config, its trials, its table, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.experiment import style
from adaptive_kmeans.experiment.columns import Columns
from adaptive_kmeans.experiment.findings import Findings, Measured, Shown, Summary
from adaptive_kmeans.experiment.schema import Experiment
from adaptive_kmeans.experiment.style import Drawn
from adaptive_kmeans.experiment.trials import Trial

Plan = Callable[[Any, Sequence[ImageSource]], Sequence[Trial]]


def never(config: Experiment) -> bool:
    """Say that trials of a kind measure no times."""
    return False


def always(config: Experiment) -> bool:
    """Say that trials of a kind always measure times."""
    return True


@dataclass(frozen=True)
class Kind:
    """A kind of experiment.

    Parameters
    ----------
    name : str
        The key ``kind`` of its configs.
    config : type
        The model of its config.
    columns : mapping of str to Column
        The columns of its table.
    plan : callable
        Takes a config and the images, and returns the trials in the order of the table.
    find : callable
        Takes a config, what the trials gave, and the image that figures show; returns `Findings`.
    is_timed : callable
        Takes a config; whether its trials run one at a time, because they measure times.
    survey : callable, optional
        Like `plan`, but trials may be made when they are asked for, and some may be equal.
    shows_picture : bool
        Whether figures show an image; else all data of trials are kept.
    """

    name: str
    config: type[Experiment]
    columns: Columns
    plan: Plan
    find: Callable[[Any, Measured, Shown], Findings]
    is_timed: Callable[[Any], bool] = never
    survey: Plan | None = None
    shows_picture: bool = False


def draw_nothing(table: pd.DataFrame) -> Iterable[tuple[str, Drawn]]:
    """Draw no figure: the table says all."""
    return ()


def summarize_nothing(table: pd.DataFrame) -> Sequence[pd.DataFrame]:
    """Sum up nothing: the table says all."""
    return ()


def study(
    name: str,
    config: type[Experiment],
    columns: Columns,
    plan: Plan,
    *,
    summarize: Callable[[pd.DataFrame], Sequence[pd.DataFrame]] = summarize_nothing,
    draw: Callable[[pd.DataFrame], Iterable[tuple[str, Drawn]]] = draw_nothing,
    combine: Callable[[Measured], pd.DataFrame] | None = None,
    is_timed: Callable[[Any], bool] = never,
) -> Kind:
    """Return the kind of a study, which shows its table alone.

    Parameters
    ----------
    name, config, columns, plan, is_timed
        See `Kind`.
    summarize : callable
        Takes the table; returns tables of shown cells.
    draw : callable
        Takes the table; returns the figures with their names.
    combine : callable, optional
        Makes the table from what all trials gave; by default it has their rows.
    """

    def find(config: Experiment, measured: Measured, _: Shown) -> Findings:
        # Results without a store have no data, but the table that was made of them.
        table = combine(measured) if combine is not None and measured.data else measured.table
        summary = Summary("Summary", summarize(table) if len(table) else ())
        draws = partial(style.save, draw=partial(draw, table), config=config.name)
        return Findings(table, draws, {"summary": summary})

    return Kind(name, config, columns, plan, find, is_timed)
