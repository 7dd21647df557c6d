"""Running trials: one after the other, or several at once in processes, with live progress."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from adaptive_kmeans.experiment.trials import Outcome, Trial, run_trial
from adaptive_kmeans.progress import trial_bar

_Result = TypeVar("_Result")


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
        for outcome in call_all(run_trial, ((trial,) for trial in trials), jobs):
            outcomes.append(outcome)
            advance(f"failed: {outcome.trial.image.name}: {outcome.error}" if outcome.error else "")
    return outcomes


def call_all(
    function: Callable[..., _Result], calls: Iterable[tuple[Any, ...]], jobs: int = 1
) -> Iterator[_Result]:
    """Yield what a function returns for each tuple of arguments, in their order.

    Parameters
    ----------
    function : callable
        At the top level of a module, so that other processes find it.
    calls : iterable of tuple
        The arguments of each call.
    jobs : int
        Processes at once.
    """
    if jobs == 1:
        return itertools.starmap(function, calls)
    from joblib import Parallel, delayed

    tasks = (delayed(function)(*call) for call in calls)
    results: Iterator[_Result] = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    return results
