"""What each kind of experiment measures, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import AdaptiveKMeansError
from adaptive_kmeans.experiment import (
    classifiers,
    clustering_speed,
    coder_ablation,
    coding_figures,
    coding_size,
    comparison,
    compression,
    elbow,
    figures,
    published,
    speed_figures,
    study_figures,
    tables,
)
from adaptive_kmeans.experiment.config import (
    AnyConfig,
    ClassifiersConfig,
    ClusteringSpeedConfig,
    CoderAblationConfig,
    CodingSizeConfig,
    ElbowConfig,
)
from adaptive_kmeans.experiment.store import Store
from adaptive_kmeans.experiment.trials import Row


@dataclass(frozen=True)
class Found:
    """What an experiment measured, and how it is shown.

    Parameters
    ----------
    rows : list
        The rows of its table.
    failures : list of AdaptiveKMeansError
        Why there are not more.
    row_type : type
        Their dataclass.
    draw : callable
        Draws the figures into a folder.
    texts : dict of str to str
        More files, by name; an empty one is not written.
    """

    rows: list[Any]
    failures: list[AdaptiveKMeansError]
    row_type: type[Any]
    draw: Callable[[Path], None]
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Study:
    """A kind of experiment that has no store."""

    measure: Callable[..., tuple[list[Any], list[AdaptiveKMeansError]]]
    row_type: type[Any]
    summarize: Callable[[Any], str]
    draw: Callable[..., None]


_STUDIES: dict[type[AnyConfig], _Study] = {
    ClusteringSpeedConfig: _Study(
        clustering_speed.run_clustering_speed,
        clustering_speed.SpeedRow,
        clustering_speed.summarize,
        speed_figures.draw_all,
    ),
    CodingSizeConfig: _Study(
        coding_size.run_coding_size,
        coding_size.CodingSizeRow,
        coding_size.summarize,
        coding_figures.draw_sizes,
    ),
    CoderAblationConfig: _Study(
        coder_ablation.run_coder_ablation,
        coder_ablation.AblationRow,
        coder_ablation.summarize,
        coding_figures.draw_ablation,
    ),
    ClassifiersConfig: _Study(
        classifiers.run_classifiers,
        classifiers.ClassifierRow,
        classifiers.summarize,
        study_figures.draw_classifiers,
    ),
    ElbowConfig: _Study(
        elbow.run_elbow,
        elbow.ElbowRow,
        elbow.summarize,
        study_figures.draw_elbows,
    ),
}


def study(config: AnyConfig, sources: Sequence[ImageSource], jobs: int) -> Found:
    """Run an experiment that has no store."""
    kind = _STUDIES[type(config)]
    rows, failures = kind.measure(config, sources, jobs)
    summary = kind.summarize(rows) if rows else ""
    draw = partial(kind.draw, rows=rows)
    return Found(rows, failures, kind.row_type, draw, {"summary.md": summary})


def stored(store: Store, view: compression.View | None = None) -> Found:
    """Return what the store of an experiment of compression holds."""
    found = compression.found(store, view)
    compared = comparison.compare(found.measured, found.figures.anchor)
    csv = tables.to_csv(compared, comparison.ComparisonRow) if compared else ""
    texts = {
        "summary.md": comparison.to_markdown(compared),
        "comparison.csv": csv,
        "published.md": published.to_markdown(found.measured, found.published),
    }
    draw = partial(
        figures.draw_all,
        measured=found.measured,
        shown=found.shown,
        asked=found.figures,
        published=found.published,
    )
    return Found([m.row for m in found.measured], found.failures, Row, draw, texts)
