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
    """Return False: the trials of a kind are never timed."""
    return False


def always(config: Experiment) -> bool:
    """Return True: the trials of a kind are always timed."""
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
        Takes a config, the outcomes of the trials, and what figures show; returns `Findings`.
    is_timed : callable
        Takes a config; returns whether its trials measure times, and so run one at a time.
    survey : callable, optional
        Like `plan`, but trials may be made on demand, and some may be equal.
    shows_picture : bool
        Whether figures show an image; if not, the data of all trials are kept.
    needs_data : bool
        Whether the table is made from the data of all trials.
    """

    name: str
    config: type[Experiment]
    columns: Columns
    plan: Plan
    find: Callable[[Any, Measured, Shown], Findings]
    is_timed: Callable[[Any], bool] = never
    survey: Plan | None = None
    shows_picture: bool = False
    needs_data: bool = False


def draw_nothing(table: pd.DataFrame) -> Iterable[tuple[str, Drawn]]:
    """Draw no figures: the table is enough."""
    return ()


def summarize_nothing(table: pd.DataFrame) -> Sequence[pd.DataFrame]:
    """Return no summary: the table is enough."""
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
    """Return the kind of a study, which shows only its table.

    Parameters
    ----------
    name, config, columns, plan, is_timed
        See `Kind`.
    summarize : callable
        Takes the table; returns tables of formatted cells.
    draw : callable
        Takes the table; returns the figures with their names.
    combine : callable, optional
        Makes the table from the outcomes of all trials; by default, the table has their rows.
    """

    def find(config: Experiment, measured: Measured, _: Shown) -> Findings:
        # Results without a store have no data, but the table that was made from them.
        table = combine(measured) if combine is not None and measured.data else measured.table
        summary = Summary("Summary", summarize(table) if len(table) else ())
        draws = partial(style.save, draw=partial(draw, table), config=config.name)
        return Findings(table, draws, {"summary": summary})

    return Kind(name, config, columns, plan, find, is_timed, needs_data=combine is not None)
