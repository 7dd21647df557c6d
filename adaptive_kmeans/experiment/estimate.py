"""Estimating how long the trials of an experiment take."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from adaptive_kmeans.experiment import view
from adaptive_kmeans.experiment.kinds import KINDS
from adaptive_kmeans.experiment.results import read_experiment
from adaptive_kmeans.experiment.store import FILE_NAME, Store
from adaptive_kmeans.experiment.trials import Trial, run_trial
from adaptive_kmeans.threads import thread_count

SAMPLES = 5


def estimate(
    config_path: Path,
    *,
    images: Sequence[str] | None = None,
    results: Path = Path("results"),
    jobs: int | None = None,
    changes: Sequence[str] = (),
    retry_failed: bool = False,
) -> str:
    """Count the trials and the finished ones, and estimate how long the others take.

    The estimate is the mean time of the finished trials. If there are none, `SAMPLES` trials spread
    over the plan are run, and their results discarded.

    Parameters
    ----------
    config_path, images, results, jobs, changes, retry_failed
        See `run_experiment`.

    Returns
    -------
    str
        One line.
    """
    config, sources = read_experiment(config_path, images, changes)
    trials = view.plan_keyed(config, sources)
    folder = results / config.name
    over = {}
    if (folder / FILE_NAME).exists():
        with Store(folder, create=False) as store:
            over = store.over(list(trials))
    finished = {key: trial for key, trial in over.items() if trial.is_done}
    failed = len(over) - len(finished)
    done = finished if retry_failed else over
    left = [trial for key, trial in trials.items() if key not in done]
    jobs = 1 if KINDS[config.kind].is_timed(config) else jobs or thread_count()
    text = f"{config.name}: {len(trials)} trials, {len(finished)} finished"
    text += f", {failed} failed" if failed else ""
    seconds = [trial.seconds for trial in finished.values()]
    if left and not seconds:
        seconds = _sample(left)
    if left and not seconds:
        return f"{text}; no time estimate: the trials that were tried failed"
    total = statistics.fmean(seconds) * len(left) / jobs if left else 0.0
    return f"{text}; the rest will take about {_duration(total)}, {jobs} at a time"


def _sample(trials: Sequence[Trial]) -> list[float]:
    """Run a few trials, and return the seconds of those that succeed."""
    step = max(1, len(trials) // SAMPLES)
    run_trial(trials[0])  # loads the kernels
    outcomes = [run_trial(trial) for trial in trials[::step][:SAMPLES]]
    return [outcome.seconds for outcome in outcomes if not outcome.errors]


def _duration(seconds: float) -> str:
    """Format a time in a suitable unit.

    Examples
    --------
    >>> _duration(5.4), _duration(400), _duration(20000)
    ('5 s', '7 min', '5.6 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
