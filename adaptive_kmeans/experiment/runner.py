"""Running trials: one at a time, in processes of this machine, or on a Dask cluster.

Only the driver accesses the store. It claims a trial when a process is free and stores the outcome,
so that several drivers on one folder share the work.
"""

from __future__ import annotations

import collections
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from adaptive_kmeans.errors import AdaptiveKMeansError, LimitError, TrialsFailedError
from adaptive_kmeans.experiment.cluster import Cluster
from adaptive_kmeans.experiment.store import Store
from adaptive_kmeans.experiment.trials import Outcome, Trial, run_trial
from adaptive_kmeans.pools import Died, Say, run_calls
from adaptive_kmeans.processes import Processes
from adaptive_kmeans.progress import TrialBar, trial_bar
from adaptive_kmeans.threads import thread_count

_Row = TypeVar("_Row")

POLL_S = 0.5

RECOUNT_S = 5.0
"""How often the trials that other runners finish are counted."""


def run_trials(trials: Sequence[Trial]) -> list[Outcome]:
    """Run trials one at a time, without a store, and return their outcomes in the same order."""
    outcomes = []
    with trial_bar(len(trials)) as bar:
        bar.load()
        for trial in trials:
            outcomes.append(run_trial(trial))
            _report(bar, outcomes[-1])
    return outcomes


def measure_all(
    measure: Callable[..., Sequence[_Row | AdaptiveKMeansError]],
    calls: Sequence[tuple[Any, ...]],
    jobs: int = 1,
) -> tuple[list[_Row], list[AdaptiveKMeansError]]:
    """Call a function with each tuple of arguments, without a store.

    Parameters
    ----------
    measure : callable
        A function of a module, so that other processes can import it. It returns rows, and an error
        for each that could not be measured; if it raises an error, that is the call's only result.
    calls : sequence of tuple
        The arguments of each call, beginning with an image.
    jobs : int
        Processes at once.

    Returns
    -------
    rows : list
        The rows of all calls, in the order of the calls.
    failures : list of AdaptiveKMeansError
        Their errors.
    """
    found: list[Sequence[_Row | AdaptiveKMeansError]] = [()] * len(calls)
    with trial_bar(len(calls)) as bar:
        bar.load()
        for number, results in _results(measure, calls, jobs, bar.say):
            found[number] = results
            errors = [error for error in results if isinstance(error, AdaptiveKMeansError)]
            bar("\n".join(f"failed: {error}" for error in errors), failed=bool(errors))
    both = [result for results in found for result in results]
    rows = [result for result in both if not isinstance(result, AdaptiveKMeansError)]
    return rows, [result for result in both if isinstance(result, AdaptiveKMeansError)]


def _results(
    measure: Callable[..., Any], calls: Sequence[tuple[Any, ...]], jobs: int, say: Say
) -> Iterator[tuple[int, Any]]:
    """Yield the number of each call with its results, as they finish."""
    threads = max(1, thread_count() // jobs)
    numbered = ((number, measure, *call) for number, call in enumerate(calls))
    if jobs == 1:
        yield from ((number, _attempt(number, *call)) for number, *call in numbered)
        return
    for (number, _, image, *_), results in run_calls(
        _attempt, numbered, Processes(jobs, threads), say
    ):
        died = isinstance(results, Died)
        yield number, [TrialsFailedError(f"{image.name}: {results}")] if died else results


def _attempt(_: int, measure: Callable[..., Any], *call: Any) -> Any:
    """Call a function; if it raises an error, return that as its only result."""
    try:
        return measure(*call)
    except AdaptiveKMeansError as error:
        return [error]
    except MemoryError:
        return [LimitError("memory", f"enough for {call[0].name}", "none left")]
    except Exception as error:
        return [TrialsFailedError(f"{call[0].name}: {type(error).__name__}: {error}")]


def run_stored(
    trials: Mapping[str, Trial],
    store: Store,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    kept: Collection[str] = (),
) -> None:
    """Run the trials that have not ended yet, and store their outcomes.

    Returns once all have ended, including those that other runners on the same store have claimed.

    Parameters
    ----------
    trials : mapping of str to Trial
        The trials by their keys, in the order to run them.
    store : Store
        Where to store them.
    jobs : int
        Trials at once, each in a process with its share of the threads.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers run them instead.
    kept : collection of str
        Keys of the trials whose files are stored too, for figures.

    Raises
    ------
    OutputError
        The store cannot be written.
    ReadError
        The scheduler does not answer, or went away.
    """
    keys = list(trials)
    with trial_bar(len(keys)) as bar:
        while True:
            states = store.states(keys)
            tally = _count(bar, states)
            counted = time.monotonic()
            waiting = [key for key in keys if states[key] == "waiting"]
            if not waiting and not tally["running"]:
                return
            if not waiting:  # other runners have the rest
                bar.stop()
                time.sleep(POLL_S)
                continue
            bar.load()
            claimed = ((key, trials[key]) for key in waiting if store.claim(key))
            for key, outcome in _outcomes(claimed, jobs, scheduler, bar.say):
                if outcome.row is None:
                    store.fail(key, str(outcome.error), outcome.seconds)
                else:
                    data = outcome.data if key in kept else None
                    store.finish(key, outcome.row.as_dict(), data, outcome.seconds)
                _report(bar, outcome)
                if time.monotonic() - counted > RECOUNT_S:
                    _count(bar, store.states(keys))
                    counted = time.monotonic()


def _count(bar: TrialBar, states: Mapping[str, str]) -> collections.Counter[str]:
    """Show how many trials have ended, including those of other runners."""
    tally = collections.Counter(states.values())
    bar.count(tally["done"], tally["failed"])
    return tally


def _report(bar: TrialBar, outcome: Outcome) -> None:
    if outcome.error is None:
        bar()
        return
    summary, error = outcome.trial.summary, str(outcome.error)
    said = error if error.startswith(summary) else f"{summary}: {error}"
    bar(f"failed: {said}", failed=True)


def _outcomes(
    claimed: Iterator[tuple[str, Trial]], jobs: int, scheduler: str | None, say: Say
) -> Iterator[tuple[str, Outcome]]:
    """Run claimed trials, claiming more as processes become free, and yield the outcomes."""
    if scheduler is None and jobs == 1:
        yield from ((key, run_trial(trial)) for key, trial in claimed)
        return
    threads = 1 if scheduler is not None else max(1, thread_count() // jobs)
    place = Processes(jobs, threads) if scheduler is None else Cluster(scheduler)
    calls = ((key, trial, threads) for key, trial in claimed)
    for (key, trial, _), outcome in run_calls(_run_capped, calls, place, say):
        if isinstance(outcome, Died):
            outcome = Outcome(trial, error=TrialsFailedError(f"{trial.summary}: {outcome}"))
        yield key, outcome


def _run_capped(_: str, trial: Trial, threads: int) -> Outcome:
    """Run a trial with a share of the machine's threads."""
    os.environ["NUMBA_NUM_THREADS"] = str(threads)
    return run_trial(trial)
