"""Running calls in processes on this machine, which end when their driver does."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from adaptive_kmeans.pools import Pool, Say

ORPHAN_S = 1.0
"""Seconds between a process's checks that its driver is still there."""

THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS")
"""Where libraries look up how many threads they may use."""


@dataclass(frozen=True)
class Processes:
    """Processes on this machine.

    Parameters
    ----------
    jobs : int
        How many at a time.
    threads : int
        How many threads each of them may use.
    """

    jobs: int
    threads: int
    name = "processes"

    @contextmanager
    def open(self, say: Say, *, alone: bool) -> Iterator[Pool]:
        """Start processes, and end them in any case."""
        from joblib.externals.loky import ProcessPoolExecutor

        # loky replaces a process whose memory has grown, which need not concern a user.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        jobs = 1 if alone else self.jobs
        capped = {name: str(self.threads) for name in THREAD_VARIABLES}
        with _interrupts_held(), _quiet_tracker():
            executor = ProcessPoolExecutor(
                jobs, initializer=_end_with, initargs=(os.getpid(),), env=capped
            )
            executor.submit(os.getpid)  # starts the processes
        try:
            yield Pool(executor, lambda: jobs + 1, (BrokenExecutor,), lambda: None)
        except BaseException:
            with _silent_manager():
                executor.shutdown(kill_workers=True)
            raise
        executor.shutdown()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold interrupts back; processes and threads that start meanwhile never receive any.

    A terminal sends them to all its processes. It is enough that the driver receives one: it ends
    the others, which would each print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # unblocks interrupts when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _quiet_tracker() -> Iterator[None]:
    """Start loky's tracker so that it does not report resources that are already gone.

    It is a process that outlives the others, and finds such resources when they were killed.
    """
    option = "ignore:resource_tracker:UserWarning"
    sys.warnoptions.append(option)
    try:
        yield
    finally:
        sys.warnoptions.remove(option)


@contextmanager
def _silent_manager() -> Iterator[None]:
    """Let loky's thread that hands out calls end without a traceback.

    When it drops the calls that are left, it may still look one of them up by its number.
    """
    before = threading.excepthook

    def hook(failure: threading.ExceptHookArgs) -> None:
        thread = failure.thread and failure.thread.name
        if (thread, failure.exc_type) != ("ExecutorManagerThread", KeyError):
            before(failure)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def _end_with(driver: int) -> None:
    """End this process when its driver has ended or was killed."""

    def watch() -> None:
        while os.getppid() == driver:
            time.sleep(ORPHAN_S)
        os._exit(1)

    if os.name != "nt":  # where a process keeps the id of a parent that has ended
        threading.Thread(target=watch, daemon=True).start()
