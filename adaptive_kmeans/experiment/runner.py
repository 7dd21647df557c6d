"""Running trials: one at a time, in processes on this machine, or on a Dask cluster.

Only the driver accesses the store. It claims a trial when a process is free and stores the outcome,
so that several drivers on one folder share the work.
"""

from __future__ import annotations

import collections
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from adaptive_kmeans.errors import TrialsFailedError
from adaptive_kmeans.experiment.cluster import Cluster
from adaptive_kmeans.experiment.store import Store
from adaptive_kmeans.experiment.trials import Measurement, Outcome, Trial, run_trial
from adaptive_kmeans.pools import Died, Say, run_calls
from adaptive_kmeans.processes import Processes
from adaptive_kmeans.progress import TrialBar, trial_bar
from adaptive_kmeans.threads import thread_count

POLL_S = 0.5

RECOUNT_S = 5.0
"""Interval at which the trials that other runners finish are counted."""


def run_trials(trials: Sequence[Trial]) -> list[Outcome]:
    """Run trials one at a time, without a store, and return their outcomes in the same order."""
    outcomes = []
    with trial_bar(len(trials)) as bar:
        bar.load()
        for trial in trials:
            outcomes.append(run_trial(trial))
            _report(bar, outcomes[-1])
    return outcomes


def run_stored(
    trials: Mapping[str, Trial],
    store: Store,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    kept: Collection[str] = (),
    alone: bool = False,
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
        Trials to run at once, each in a process with its share of the threads.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers run them instead.
    kept : collection of str
        Keys of the trials whose data are stored too, for figures.
    alone : bool
        Whether no other runner on the same store may run a trial meanwhile, since times are
        measured.

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
            if not waiting or (alone and tally["running"]):  # other runners have the rest
                bar.stop()
                time.sleep(POLL_S)
                continue
            bar.load()
            claimed = ((key, trials[key]) for key in waiting if store.claim(key, alone=alone))
            has_run = False
            for key, outcome in _outcomes(claimed, jobs, scheduler, bar.say):
                has_run, measured = True, outcome.measured
                data = measured.data if key in kept and measured.data else None
                store.finish(key, measured.rows, outcome.errors, data, outcome.seconds)
                _report(bar, outcome)
                if time.monotonic() - counted > RECOUNT_S:
                    _count(bar, store.states(keys))
                    counted = time.monotonic()
            if not has_run:  # another runner was faster
                time.sleep(POLL_S)


def _count(bar: TrialBar, states: Mapping[str, str]) -> collections.Counter[str]:
    """Show how many trials have ended, including those of other runners."""
    tally = collections.Counter(states.values())
    bar.count(tally["done"], tally["failed"])
    return tally


def _report(bar: TrialBar, outcome: Outcome) -> None:
    if not outcome.errors:
        bar()
        return
    image = outcome.trial.image.name
    named = f"{image}, ", f"{image}: "  # an error of the file begins with the file's name
    said = [e if e.startswith(named) else f"{outcome.trial.summary}: {e}" for e in outcome.errors]
    bar("\n".join(f"failed: {error}" for error in said), failed=True)


def _outcomes(
    claimed: Iterator[tuple[str, Trial]], jobs: int, scheduler: str | None, say: Say
) -> Iterator[tuple[str, Outcome]]:
    """Run claimed trials, claiming more as processes become free, and yield the outcomes."""
    if scheduler is None and jobs == 1:
        yield from ((key, run_trial(trial, key)) for key, trial in claimed)
        return
    threads = 1 if scheduler is not None else max(1, thread_count() // jobs)
    place = Processes(jobs, threads) if scheduler is None else Cluster(scheduler)
    calls = ((key, trial, threads) for key, trial in claimed)
    for (key, trial, _), outcome in run_calls(_run_capped, calls, place, say):
        if isinstance(outcome, Died):
            died = TrialsFailedError(f"{trial.summary}: {outcome}")
            outcome = Outcome(trial, Measurement([], errors=[died]))
        yield key, outcome


def _run_capped(key: str, trial: Trial, threads: int) -> Outcome:
    """Run a trial with a share of the machine's threads."""
    os.environ["NUMBA_NUM_THREADS"] = str(threads)
    return run_trial(trial, key)
