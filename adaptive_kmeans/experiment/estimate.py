"""How many trials an experiment has, and how long they may take."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from adaptive_kmeans.experiment import compression
from adaptive_kmeans.experiment.config import CompressionConfig
from adaptive_kmeans.experiment.results import read_experiment
from adaptive_kmeans.experiment.store import FILE_NAME, Store
from adaptive_kmeans.experiment.trials import load, pixel_hash, run_trial
from adaptive_kmeans.threads import thread_count

SAMPLES = 5


def estimate(
    config_path: Path,
    *,
    images: Sequence[str] | None = None,
    results: Path = Path("results"),
    changes: Sequence[str] = (),
) -> str:
    """Say how many trials there are, how many are finished, and how long the others may take.

    The time of a trial is the mean of the finished ones; where there are none, that of
    `SAMPLES` trials that lie far apart in the plan, which are run and forgotten.

    Parameters
    ----------
    config_path, images, results, changes
        See `run_experiment`.

    Returns
    -------
    str
        One line.
    """
    config, sources = read_experiment(config_path, images, changes)
    if not isinstance(config, CompressionConfig):
        return f"{config.name}: {config.kind} on {len(sources)} images; its time is not estimated"
    trials = compression.plan(config, sources)
    keys = [trial.key(pixel_hash(load(trial.image, trial.background))) for trial in trials]
    folder = results / config.name
    finished = {}
    if (folder / FILE_NAME).exists():
        with Store(folder, create=False) as store:
            finished = store.over(keys)
    seconds = [trial.seconds for trial in finished.values() if trial.row is not None]
    left = [trial for key, trial in zip(keys, trials, strict=True) if key not in finished]
    if left and not seconds:
        step = max(1, len(left) // SAMPLES)
        run_trial(left[0])  # loads the kernels
        seconds = [run_trial(trial).seconds for trial in left[::step][:SAMPLES]]
    jobs = 1 if config.timing else thread_count()
    total = statistics.fmean(seconds) * len(left) / jobs if left else 0.0
    return (
        f"{config.name}: {len(trials)} trials, {len(trials) - len(left)} finished; "
        f"the others take about {_duration(total)} with {jobs} at once"
    )


def _duration(seconds: float) -> str:
    """Say a time in the unit that fits.

    Examples
    --------
    >>> _duration(5.4), _duration(400), _duration(20000)
    ('5 s', '7 min', '5.6 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
