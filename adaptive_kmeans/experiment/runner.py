"""Running trials: one by one, in processes of this machine, or on a Dask cluster.

Only the driver touches the store. It claims a trial when there is room to run it, and stores what
came back, so that several drivers on one folder share the work.
"""

from __future__ import annotations

import collections
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, wait
from contextlib import contextmanager
from itertools import islice, starmap
from typing import Any, TypeVar

from adaptive_kmeans.errors import MissingDependencyError, ReadError, TrialsFailedError
from adaptive_kmeans.experiment.store import Store
from adaptive_kmeans.experiment.trials import Outcome, Trial, run_trial
from adaptive_kmeans.progress import TrialBar, trial_bar
from adaptive_kmeans.threads import thread_count

_Result = TypeVar("_Result")

MOST_CRASHES = 3
"""How often processes may die, out of memory for instance, before the run is given up."""

POLL_S = 0.5

THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS")
"""What libraries ask how many threads they may use; `clustering_speed` sets them, too."""


def run_trials(trials: Sequence[Trial]) -> list[Outcome]:
    """Run trials one by one, without a store, and return their outcomes in the same order."""
    outcomes = []
    with trial_bar(len(trials)) as bar:
        for trial in trials:
            outcomes.append(run_trial(trial))
            _report(bar, outcomes[-1])
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
        return starmap(function, calls)
    from joblib import Parallel, delayed

    tasks = (delayed(function)(*call) for call in calls)
    results: Iterator[_Result] = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    return results


def run_stored(
    trials: Mapping[str, Trial],
    store: Store,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    kept: Collection[str] = (),
) -> None:
    """Run the trials that are not over yet and store what they gave.

    Returns once all are over, be it in another runner on the same store.

    Parameters
    ----------
    trials : mapping of str to Trial
        The trials by their keys, in the order in which they are run.
    store : Store
        Where they are stored.
    jobs : int
        Trials at once, each in a process with its share of the threads.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers run them instead.
    kept : collection of str
        Keys of the trials whose files are stored as well, for figures.

    Raises
    ------
    OutputError
        The store cannot be written.
    TrialsFailedError
        Processes died again and again.
    """
    keys = list(trials)
    crashes = 0
    with trial_bar(len(keys)) as bar:
        while True:
            states = store.states(keys)
            tally = collections.Counter(states.values())
            bar.count(tally["done"], tally["failed"])
            waiting = [key for key in keys if states[key] == "waiting"]
            if not waiting and not tally["running"]:
                return
            if not waiting:  # another runner is at the rest
                time.sleep(POLL_S)
                continue
            claimed = ((key, trials[key]) for key in waiting if store.claim(key))
            try:
                for key, outcome in _outcomes(claimed, jobs, scheduler):
                    if outcome.row is None:
                        store.fail(key, str(outcome.error), outcome.seconds)
                    else:
                        data = outcome.data if key in kept else None
                        store.finish(key, outcome.row.as_dict(), data, outcome.seconds)
                    _report(bar, outcome)
            except _CrashedError as crash:
                crashes += 1
                store.release()
                bar.say(f"a process died ({crash}); its trials start again")
                if crashes == MOST_CRASHES:
                    expected = "processes that live; fewer --jobs need less memory"
                    raise TrialsFailedError("trials", expected, f"{crashes} deaths") from crash


class _CrashedError(Exception):
    """A process that ran trials died."""


def _report(bar: TrialBar, outcome: Outcome) -> None:
    failed = outcome.error is not None
    bar(f"failed: {outcome.trial.summary}: {outcome.error}" if failed else "", failed=failed)


def _outcomes(
    claimed: Iterator[tuple[str, Trial]], jobs: int, scheduler: str | None
) -> Iterator[tuple[str, Outcome]]:
    """Run what is claimed, claiming more only when there is room, and yield what is over."""
    if scheduler is None and jobs == 1:
        yield from ((key, run_trial(trial)) for key, trial in claimed)
        return
    share = 1 if scheduler is not None else max(1, thread_count() // jobs)
    with _processes(jobs, share) if scheduler is None else _cluster(scheduler) as (pool, width):
        flying = {pool.submit(_run_keyed, *call, share) for call in islice(claimed, width)}
        while flying:
            over, flying = wait(flying, return_when=FIRST_COMPLETED)
            flying |= {pool.submit(_run_keyed, *call, share) for call in islice(claimed, len(over))}
            try:
                yield from [future.result() for future in over]
            except BrokenExecutor as error:
                raise _CrashedError(str(error).splitlines()[0].rstrip(".")) from error


def _run_keyed(key: str, trial: Trial, threads: int) -> tuple[str, Outcome]:
    """Run a trial in a process that has a share of the machine."""
    os.environ["NUMBA_NUM_THREADS"] = str(threads)
    return key, run_trial(trial)


@contextmanager
def _processes(jobs: int, threads: int) -> Iterator[tuple[Executor, int]]:
    """Give a pool of processes and how many trials keep it busy."""
    from joblib.externals.loky import ProcessPoolExecutor

    capped = {name: str(threads) for name in THREAD_VARIABLES}
    pool = ProcessPoolExecutor(jobs, env=capped)
    try:
        yield pool, jobs + 1
    except BaseException:
        pool.shutdown(kill_workers=True)
        raise
    pool.shutdown()


@contextmanager
def _cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """Give a Dask cluster, which moves the trials of a worker that dies to another one."""
    try:
        from distributed import Client
    except ImportError as error:
        expected = "it to be installed: pip install 'adaptive-kmeans[distributed]'"
        raise MissingDependencyError("library distributed", expected, str(error)) from error
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise ReadError(f"Dask scheduler {address}", "one that answers", error) from error
    with client:
        threads = sum(client.nthreads().values())
        yield client.get_executor(pure=False, retries=3), 2 * max(1, threads)
