"""The kinds of experiments, by the key ``kind`` of a config.

``compression``, the default, measures codecs on images; the others are `studies`. Whatever the
kind, a config is expanded into trials, which go through one store, and what they gave becomes one
table, figures and a page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.experiment import compression, style
from adaptive_kmeans.experiment.findings import Ended, Findings, Shown, all_rows
from adaptive_kmeans.experiment.rows import Row
from adaptive_kmeans.experiment.schema import CompressionConfig, Experiment
from adaptive_kmeans.experiment.studies import STUDIES, Study
from adaptive_kmeans.experiment.trials import Trial


@dataclass(frozen=True)
class Kind:
    """A kind of experiment.

    Parameters
    ----------
    config : type
        The model of its config.
    row : type
        The dataclass of its table's rows; `TERMINAL` has the columns to print.
    plan : callable
        Takes a config and the images, and returns the trials in the order of the table.
    find : callable
        Takes a config, what the trials gave, and the image that figures show; returns `Findings`.
    is_timed : callable
        Takes a config; whether its trials run one at a time, because they measure times.
    survey : callable
        Like `plan`, but trials may be made when they are asked for, and some may be equal.
    shows_picture : bool
        Whether figures show an image; else all data of trials are kept.
    """

    config: type[Experiment]
    row: type[Any]
    plan: Callable[[Any, Sequence[ImageSource]], Sequence[Trial]]
    find: Callable[[Any, Sequence[Ended], Shown], Findings]
    is_timed: Callable[[Any], bool]
    survey: Callable[[Any, Sequence[ImageSource]], Sequence[Trial]]
    shows_picture: bool = False


def _of_study(study: Study) -> Kind:
    def find(config: Any, ended: Sequence[Ended], _: Shown) -> Findings:
        rows = all_rows(ended) if study.combine is None else study.combine(ended)
        summary = study.summarize(rows) if rows else ""
        draw = partial(style.save, draw=partial(study.draw, rows), config=config.name)
        return Findings(rows, draw, {"summary.md": summary})

    return Kind(study.config, study.row, study.plan, find, study.is_timed, study.plan)


KINDS = {
    "compression": Kind(
        CompressionConfig,
        Row,
        compression.plan,
        compression.find,
        lambda config: bool(config.timing),
        compression.survey,
        shows_picture=True,
    ),
    **{name: _of_study(study) for name, study in STUDIES.items()},
}
