"""Kinds of experiments without a store: each has its own question and its own table.

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

A study is one module, with its config, the rows of its table, and how they are measured and
summarized, and a line in `STUDIES`. Its figures are in a module beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adaptive_kmeans.errors import AdaptiveKMeansError
from adaptive_kmeans.experiment.schema import Experiment
from adaptive_kmeans.experiment.studies import (
    classifiers,
    clustering_speed,
    coder_ablation,
    coding_figures,
    coding_size,
    elbow,
    explorer_latency,
    filter_training,
    restoration_crops,
    speed_figures,
    study_figures,
)


@dataclass(frozen=True)
class Study:
    """A kind of experiment.

    Parameters
    ----------
    config : type
        The model of its config.
    row : type
        The dataclass of its table's rows; `TERMINAL` has the columns to print.
    measure : callable
        Takes a config, the images and the number of jobs; returns rows and failures.
    summarize : callable
        Takes rows; returns Markdown.
    draw : callable
        Takes a folder and rows; draws figures into the folder.
    """

    config: type[Experiment]
    row: type[Any]
    measure: Callable[..., tuple[list[Any], list[AdaptiveKMeansError]]]
    summarize: Callable[[Any], str]
    draw: Callable[..., None]


STUDIES = {
    "classifiers": Study(
        classifiers.ClassifiersConfig,
        classifiers.ClassifierRow,
        classifiers.run_classifiers,
        classifiers.summarize,
        study_figures.draw_classifiers,
    ),
    "clustering-speed": Study(
        clustering_speed.ClusteringSpeedConfig,
        clustering_speed.SpeedRow,
        clustering_speed.run_clustering_speed,
        clustering_speed.summarize,
        speed_figures.draw_all,
    ),
    "coder-ablation": Study(
        coder_ablation.CoderAblationConfig,
        coder_ablation.AblationRow,
        coder_ablation.run_coder_ablation,
        coder_ablation.summarize,
        coding_figures.draw_ablation,
    ),
    "coding-size": Study(
        coding_size.CodingSizeConfig,
        coding_size.CodingSizeRow,
        coding_size.run_coding_size,
        coding_size.summarize,
        coding_figures.draw_sizes,
    ),
    "explorer-latency": Study(
        explorer_latency.ExplorerLatencyConfig,
        explorer_latency.LatencyRow,
        explorer_latency.run_explorer_latency,
        explorer_latency.summarize,
        explorer_latency.draw,
    ),
    "filter-training": Study(
        filter_training.FilterTrainingConfig,
        filter_training.CoefficientRow,
        filter_training.run_filter_training,
        filter_training.summarize,
        filter_training.draw_nothing,
    ),
    "restoration-crops": Study(
        restoration_crops.RestorationCropsConfig,
        restoration_crops.CropRow,
        restoration_crops.run_restoration_crops,
        restoration_crops.summarize,
        restoration_crops.draw,
    ),
    "elbow": Study(
        elbow.ElbowConfig,
        elbow.ElbowRow,
        elbow.run_elbow,
        elbow.summarize,
        study_figures.draw_elbows,
    ),
}
