"""Running trials: one after the other, or several at once in processes, with live progress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from adaptive_kmeans.experiment.trials import Outcome, Trial, run_trial
from adaptive_kmeans.progress import trial_bar


def run_trials(trials: Sequence[Trial], jobs: int = 1) -> list[Outcome]:
    """Run trials and return their outcomes in the same order.

    Parameters
    ----------
    trials : sequence of Trial
        What to run.
    jobs : int
        Processes at once. Rates and qualities do not depend on it; times do.
    """
    outcomes = []
    with trial_bar(len(trials)) as advance:
        for outcome in _outcomes(trials, jobs):
            outcomes.append(outcome)
            advance(f"failed: {outcome.trial.image.name}: {outcome.error}" if outcome.error else "")
    return outcomes


def _outcomes(trials: Iterable[Trial], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        return map(run_trial, trials)
    from joblib import Parallel, delayed

    calls = (delayed(run_trial)(trial) for trial in trials)
    outcomes: Iterator[Outcome] = Parallel(n_jobs=jobs, return_as="generator")(calls)
    return outcomes
