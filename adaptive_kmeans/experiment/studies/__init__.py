"""Kinds of experiments that each have a question and a table of their own.

===================== ==========================================================================
`classifiers`         blocks that detail measures select, against a rate–distortion choice
`clustering-speed`    clustering engines × images × k × threads, timed in turns
`coder-ablation`      index maps coded without each group of contexts
`coding-size`         whole files of our coders against those of lossless peers
`explorer-latency`    from a slider's move to the picture, in the explorer
`filter-training`     default coefficients of the restoration filter
`elbow`               the k at which the distortion of an image has its elbow
`restoration-crops`   crops of images before and after restoration
===================== ==========================================================================

A study is one module, with its config, the rows of its table, its trials, its summary and its
figures, and a line in `STUDIES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.experiment.findings import Ended
from adaptive_kmeans.experiment.schema import Experiment
from adaptive_kmeans.experiment.studies import (
    classifiers,
    clustering_speed,
    coder_ablation,
    coding_size,
    elbow,
    explorer_latency,
    filter_training,
    restoration_crops,
)
from adaptive_kmeans.experiment.style import Drawn
from adaptive_kmeans.experiment.trials import StudyTrial


def draw_nothing(rows: Sequence[Any]) -> Iterable[tuple[str, Drawn]]:
    """Draw no figure: the table says all."""
    return ()


def _never(config: Experiment) -> bool:
    return False


def _always(config: Experiment) -> bool:
    return True


@dataclass(frozen=True)
class Study:
    """A kind of experiment with a question of its own.

    Parameters
    ----------
    config : type
        The model of its config.
    row : type
        The dataclass of its table's rows; `TERMINAL` has the columns to print.
    plan : callable
        Takes a config and the images; returns the trials in the order of the table.
    summarize : callable
        Takes rows; returns Markdown.
    draw : callable
        Takes rows; returns the figures with their names.
    combine : callable, optional
        Makes the rows from what all trials gave; by default they are the rows of all trials.
    is_timed : callable
        Takes a config; whether its trials run one at a time, because they measure times.
    """

    config: type[Experiment]
    row: type[Any]
    plan: Callable[[Any, Sequence[ImageSource]], list[StudyTrial]]
    summarize: Callable[[Any], str]
    draw: Callable[[Any], Iterable[tuple[str, Drawn]]] = draw_nothing
    combine: Callable[[Sequence[Ended]], list[Any]] | None = None
    is_timed: Callable[[Any], bool] = _never


STUDIES = {
    "classifiers": Study(
        classifiers.ClassifiersConfig,
        classifiers.ClassifierRow,
        classifiers.plan,
        classifiers.summarize,
        classifiers.draw,
    ),
    "clustering-speed": Study(
        clustering_speed.ClusteringSpeedConfig,
        clustering_speed.SpeedRow,
        clustering_speed.plan,
        clustering_speed.summarize,
        clustering_speed.draw,
        is_timed=_always,
    ),
    "coder-ablation": Study(
        coder_ablation.CoderAblationConfig,
        coder_ablation.AblationRow,
        coder_ablation.plan,
        coder_ablation.summarize,
        coder_ablation.draw,
    ),
    "coding-size": Study(
        coding_size.CodingSizeConfig,
        coding_size.CodingSizeRow,
        coding_size.plan,
        coding_size.summarize,
        coding_size.draw,
        is_timed=lambda config: config.repeats > 1,
    ),
    "explorer-latency": Study(
        explorer_latency.ExplorerLatencyConfig,
        explorer_latency.LatencyRow,
        explorer_latency.plan,
        explorer_latency.summarize,
        explorer_latency.draw,
        is_timed=_always,
    ),
    "filter-training": Study(
        filter_training.FilterTrainingConfig,
        filter_training.CoefficientRow,
        filter_training.plan,
        filter_training.summarize,
        combine=filter_training.combine,
    ),
    "restoration-crops": Study(
        restoration_crops.RestorationCropsConfig,
        restoration_crops.CropRow,
        restoration_crops.plan,
        restoration_crops.summarize,
        restoration_crops.draw,
        restoration_crops.combine,
    ),
    "elbow": Study(
        elbow.ElbowConfig,
        elbow.ElbowRow,
        elbow.plan,
        elbow.summarize,
        elbow.draw,
    ),
}
