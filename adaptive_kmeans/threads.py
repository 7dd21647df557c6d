"""Splitting work over threads; the kernels release the interpreter's lock.

Sums are integers, so that results do not depend on the number of threads.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice, pairwise
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.progress import Progress

_Result = TypeVar("_Result")

WAITING_S = 0.1
"""Seconds between checks of the progress while waiting."""
STOP = -1
"""Row count that tells a kernel to stop."""
STOPPING_S = 0.005


def thread_count() -> int:
    """Return how many threads to use: ``NUMBA_NUM_THREADS`` if set, else the available processors.

    Examples
    --------
    >>> thread_count() >= 1
    True
    """
    setting = os.environ.get("NUMBA_NUM_THREADS", "")
    if setting.isdecimal() and int(setting) > 0:
        return int(setting)
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def split_evenly(total: int, parts: int) -> list[tuple[int, int]]:
    """Split ``range(total)`` into at most `parts` runs of nearly equal length, none empty.

    Examples
    --------
    >>> split_evenly(10, 3)
    [(0, 3), (3, 6), (6, 10)]
    """
    parts = max(1, min(parts, total))
    edges = [total * part // parts for part in range(parts + 1)]
    return list(pairwise(edges))


class Workers:
    """A pool of threads, for one clustering or one file; a context manager.

    Parameters
    ----------
    count : int or None
        Number of threads, by default `thread_count`.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = thread_count() if count is None else count
        self._pool = ThreadPoolExecutor(self.count) if self.count > 1 else None

    def map(
        self, function: Callable[..., _Result], tasks: Iterable[tuple[Any, ...]]
    ) -> list[_Result]:
        """Call `function` with each tuple of arguments; return the results in their order."""
        calls = list(tasks)
        if self._pool is None or len(calls) <= 1:
            return [function(*call) for call in calls]
        others = [self._pool.submit(function, *call) for call in calls[1:]]
        return [function(*calls[0]), *(other.result() for other in others)]

    def in_order(
        self,
        function: Callable[..., _Result],
        tasks: Iterable[tuple[Any, ...]],
        waiting: Callable[[], None] | None = None,
    ) -> Iterator[_Result]:
        """Yield what `function` returns for each tuple of arguments, in their order.

        At most `count` calls run at a time, and at most as many results wait to be taken, so that
        memory is bounded. The first call that fails, in their order, ends the iteration; later
        calls that have not started are canceled.

        Parameters
        ----------
        function : callable
            What to call.
        tasks : iterable of tuple
            The arguments of each call.
        waiting : callable, optional
            Called ten times a second while waiting for a result. Calls then never run on the
            caller's thread.
        """
        if self._pool is None:
            if waiting is None:
                for task in tasks:
                    yield function(*task)
                return
            self._pool = ThreadPoolExecutor(1)
        remaining = iter(tasks)
        calls: deque[Future[_Result]] = deque()
        try:
            for task in islice(remaining, self.count):
                calls.append(self._pool.submit(function, *task))
            while calls:
                while waiting is not None and not wait([calls[0]], WAITING_S).done:
                    waiting()
                result = calls.popleft().result()
                for task in islice(remaining, 1):
                    calls.append(self._pool.submit(function, *task))
                yield result
                del result
        finally:
            for call in calls:
                call.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()


def count_rows(
    call: Callable[[npt.NDArray[np.int64]], _Result],
    rows: int,
    stage: str,
    progress: Progress | None,
) -> _Result:
    """Run a kernel that counts the rows it has done, and report its progress meanwhile.

    Parameters
    ----------
    call : callable
        Takes the counter, (1,) int64, and runs without the interpreter's lock. It stops at the next
        row once the counter is below 0, and its result is then meaningless.
    rows : int
        Rows in all.
    stage : str
        What the work is called.
    progress : callable or None
        Called ten times a second with the stage and the finished share; an exception from it stops
        the work. None runs the call on the caller's thread.

    Examples
    --------
    >>> count_rows(lambda counter: 5, 1, "coding", None)
    5
    """
    counter = np.zeros(1, dtype=np.int64)
    if progress is None:
        return call(counter)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(call, counter)
        while not wait([running], WAITING_S).done:
            try:
                progress(stage, int(counter[0]) / max(1, rows))
            except BaseException:
                counter[0] = STOP
                while not wait([running], STOPPING_S).done:
                    counter[0] = STOP  # the kernel may have counted a row meanwhile
                raise
        return running.result()
