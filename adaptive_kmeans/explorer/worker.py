"""A thread that does the newest job of each kind, and never queues.

A new job replaces a waiting one of its kind and outdates a running one, which ends at its next
check: a job calls its `Check` wherever it can stop.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable


class Outdated(Exception):  # noqa: N818
    """Ends a job that was replaced by a newer one, or whose session is closed."""


class Check:
    """Passed to a job, which calls it wherever it can stop.

    Examples
    --------
    >>> check = Check()
    >>> check()
    >>> check.outdate()
    >>> check()
    Traceback (most recent call last):
    adaptive_kmeans.explorer.worker.Outdated
    """

    def __init__(self) -> None:
        self._is_outdated = threading.Event()

    def __call__(self) -> None:
        """Raise `Outdated` if the job is outdated."""
        if self._is_outdated.is_set():
            raise Outdated

    def wait(self, seconds: float) -> None:
        """Wait; raise `Outdated` as soon as the job is outdated."""
        self._is_outdated.wait(seconds)
        self()

    def outdate(self) -> None:
        """Make the job end at its next check."""
        self._is_outdated.set()


Job = Callable[[Check], None]


class Worker:
    """A thread for the jobs of one session, which starts with the first job.

    Parameters
    ----------
    name : str
        Name of the thread.
    niceness : int
        How much it and the threads that it starts yield to others, if the system has thread
        priorities: 0 to 19.
    """

    def __init__(self, name: str, niceness: int = 0) -> None:
        self._name = name
        self._niceness = niceness
        self._waiting: dict[str, tuple[Job, Check]] = {}
        self._running: tuple[str, Check] | None = None
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    def put(self, kind: str, job: Job) -> None:
        """Do a job after the waiting ones of other kinds, and in place of any of its own kind."""
        with self._changed:
            if self._is_closed:
                return
            self._outdate(kind)
            self._waiting[kind] = job, Check()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def outdate(self, *kinds: str) -> None:
        """Drop the jobs of these kinds."""
        with self._changed:
            for kind in kinds:
                self._outdate(kind)

    def _outdate(self, kind: str) -> None:
        self._waiting.pop(kind, None)
        if self._running is not None and self._running[0] == kind:
            self._running[1].outdate()

    def close(self) -> None:
        """Drop all jobs, and end the thread once the running job has ended."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            if self._running is not None:
                self._running[1].outdate()
            self._changed.notify_all()

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no job is running or waiting; return whether that is so."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._waiting and self._running is None, seconds
            )

    def join(self, seconds: float) -> bool:
        """Wait until the thread of a closed worker has ended; return whether it has."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def _work(self) -> None:
        if self._niceness and sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._niceness)
        while True:
            with self._changed:
                self._running = None
                self._changed.notify_all()
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                if self._is_closed:
                    return
                kind = next(iter(self._waiting))
                job, check = self._waiting.pop(kind)
                self._running = kind, check
            with contextlib.suppress(Outdated):
                job(check)
            del job
