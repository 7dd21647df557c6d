"""Running trials: one after the other, or several at once in processes, with live progress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from adaptive_kmeans.experiment.trials import Outcome, Trial, run_trial


def run_trials(trials: Sequence[Trial], jobs: int = 1) -> list[Outcome]:
    """Run trials and return their outcomes in the same order.

    Parameters
    ----------
    trials : sequence of Trial
        What to run.
    jobs : int
        Processes at once. Rates and qualities do not depend on it; times do.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("trials"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    outcomes = []
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        for outcome in bar.track(_outcomes(trials, jobs), total=len(trials)):
            outcomes.append(outcome)
            if outcome.error is not None:
                name = outcome.trial.image.name
                console.print(f"failed: {name}: {outcome.error}", markup=False, soft_wrap=True)
    return outcomes


def _outcomes(trials: Iterable[Trial], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        return map(run_trial, trials)
    from joblib import Parallel, delayed

    calls = (delayed(run_trial)(trial) for trial in trials)
    outcomes: Iterator[Outcome] = Parallel(n_jobs=jobs, return_as="generator")(calls)
    return outcomes
