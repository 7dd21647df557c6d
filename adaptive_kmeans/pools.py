"""Calls in other processes, any of which may crash.

A call may kill its process, by running out of memory or by a bug in a library. Which of the calls
in flight did so is unknown, so each of them is a suspect and runs again, alone in a process. The
one that crashes again is the culprit; all others complete.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from adaptive_kmeans.errors import ReadError

Call = tuple[Any, ...]
Say = Callable[[str], None]

LOOK_S = 3.0
"""Seconds without a result before a pool checks whether one can still come."""

STAY = "to stay while trials run"
"""What errors expect of a place."""


@dataclass(frozen=True)
class Died:
    """The result of a call that killed its process; `how` is the signal, if it is known."""

    how: str

    def __str__(self) -> str:
        return f"its process died{f' ({self.how})' if self.how else ''}"


@dataclass(frozen=True)
class Pool:
    """An open place, to which calls can be submitted.

    Parameters
    ----------
    executor : Executor
        Runs the calls.
    width : callable
        Returns how many calls keep it busy.
    deaths : tuple of exception types
        What a call's future raises when its process died.
    look : callable
        Called when there has been no result for a while.
    """

    executor: Executor
    width: Callable[[], int]
    deaths: tuple[type[BaseException], ...]
    look: Callable[[], None]


class Place(Protocol):
    """Where calls can run."""

    @property
    def name(self) -> str:
        """Its name in messages."""

    def open(self, say: Say, *, alone: bool) -> AbstractContextManager[Pool]:
        """Open a pool; of one process if `alone`."""


def run_calls(
    function: Callable[..., Any], calls: Iterator[Call], place: Place, say: Say
) -> Iterator[tuple[Call, Any]]:
    """Yield each call with its result, or with `Died`, as they finish.

    Parameters
    ----------
    function : callable
        A module-level function, so that other processes can import it. An error that it raises ends
        the run.
    calls : iterator of tuple
        The arguments of each call, taken as processes become free.
    place : Place
        Where they run.
    say : callable
        Called with a line for the user.

    Raises
    ------
    ReadError
        The place went away, or cannot run the function.
    """
    while suspects := (yield from _together(function, calls, place, say)):
        say(f"a process died; its {len(suspects)} possible causes run again, one at a time")
        for call, _ in suspects:
            yield from (yield from _together(function, iter([call]), place, say, alone=True))


def _together(
    function: Callable[..., Any],
    calls: Iterator[Call],
    place: Place,
    say: Say,
    *,
    alone: bool = False,
) -> Generator[tuple[Call, Any], None, list[tuple[Call, Died]]]:
    """Run calls until one dies or none are left; return the suspects."""
    suspects: list[tuple[Call, Died]] = []
    with place.open(say, alone=alone) as pool:
        flying: dict[Future[Any], Call] = {}
        while True:
            room = 0 if suspects else max(0, pool.width() - len(flying))
            for call in islice(calls, room):
                flying[_submit(pool, function, call)] = call
            if not flying:
                return suspects
            over, _ = wait(flying, LOOK_S, FIRST_COMPLETED)
            if not over:
                pool.look()
            for future in over:
                call = flying.pop(future)
                try:
                    result = future.result()
                except pool.deaths as death:
                    codes = re.search(r"\{(.*)\}", str(death))
                    suspects.append((call, Died(codes[1] if codes else "")))
                except CancelledError as error:
                    raise ReadError(place.name, STAY, "it went away") from error
                except Exception as error:
                    received = f"{type(error).__name__}: {error}"
                    raise ReadError(place.name, "one that can run the calls", received) from error
                else:
                    yield call, result


def _submit(pool: Pool, function: Callable[..., Any], call: Call) -> Future[Any]:
    try:
        return pool.executor.submit(function, *call)
    except BrokenExecutor as error:  # a process has just died
        future: Future[Any] = Future()
        future.set_exception(error)
        return future
