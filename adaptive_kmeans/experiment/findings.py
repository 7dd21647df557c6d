"""The findings of an experiment of any kind, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from adaptive_kmeans.codec import ENCODER_VERSION
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import AdaptiveKMeansError
from adaptive_kmeans.experiment import comparison, compression, figures, published, tables
from adaptive_kmeans.experiment.rows import Row
from adaptive_kmeans.experiment.schema import Experiment
from adaptive_kmeans.experiment.store import Store
from adaptive_kmeans.experiment.studies import STUDIES
from adaptive_kmeans.experiment.trials import METRICS


@dataclass(frozen=True)
class Findings:
    """What an experiment measured, and how to show it.

    Parameters
    ----------
    rows : list
        The rows of its table.
    failures : list of AdaptiveKMeansError
        Errors of the trials that failed.
    row_type : type
        Their dataclass.
    draw : callable
        Draws the figures into a folder.
    texts : dict of str to str
        Other files to write, by name; empty ones are not written.
    facts : dict
        What `environment.json` records of the measurements.
    """

    rows: list[Any]
    failures: list[AdaptiveKMeansError]
    row_type: type[Any]
    draw: Callable[[Path], None]
    texts: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def study(config: Experiment, sources: Sequence[ImageSource], jobs: int) -> Findings:
    """Run an experiment that has no store."""
    kind = STUDIES[config.kind]
    rows, failures = kind.measure(config, sources, jobs)
    summary = kind.summarize(rows) if rows else ""
    draw = partial(kind.draw, rows=rows)
    return Findings(rows, failures, kind.row, draw, {"summary.md": summary})


def stored(store: Store, view: compression.View | None = None) -> Findings:
    """Return the findings of a compression experiment, from its store."""
    found = compression.stored_trials(store, view)
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
        config=found.figures,
        published=found.published,
    )
    rows = [m.row for m in found.measured]
    metrics = {
        name: metric.settings
        for name, metric in METRICS.items()
        if any(getattr(row, metric.column) is not None for row in rows)
    }
    facts = {
        "trial_seconds": round(found.seconds, 2),
        "metrics": metrics,
        "encoder": ENCODER_VERSION,
    }
    return Findings(rows, found.failures, Row, draw, texts, facts)
