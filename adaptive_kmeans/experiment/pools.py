"""Calls in other processes, one of which may die of it.

A call may kill the process that runs it: out of memory, or by a defect of a library. Which one of
those in flight did it is not known, so that each of them is suspect and runs again, alone in a
process of its own. The one that dies there is the culprit, and all others go on.
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
"""How long nothing may end before a pool looks whether anything can."""

STAY = "to stay while trials run"
"""What is expected of a place."""


@dataclass(frozen=True)
class Died:
    """What a call gave that killed its process; `how` is the signal where the system tells."""

    how: str

    def __str__(self) -> str:
        return f"its process died{f' ({self.how})' if self.how else ''}"


@dataclass(frozen=True)
class Pool:
    """A place while it is open.

    Parameters
    ----------
    executor : Executor
        Where calls are submitted.
    width : callable
        Says how many calls keep it busy.
    deaths : tuple of exception types
        What a call's future raises when its process died.
    look : callable
        Called when nothing has ended for a while.
    """

    executor: Executor
    width: Callable[[], int]
    deaths: tuple[type[BaseException], ...]
    look: Callable[[], None]


class Place(Protocol):
    """Where calls can run."""

    @property
    def name(self) -> str:
        """What messages call it."""

    def open(self, say: Say, *, alone: bool) -> AbstractContextManager[Pool]:
        """Give a pool, of one process where a call is to run alone."""


def run_calls(
    function: Callable[..., Any], calls: Iterator[Call], place: Place, say: Say
) -> Iterator[tuple[Call, Any]]:
    """Yield each call with what it returned, or with `Died`, in the order in which they end.

    Parameters
    ----------
    function : callable
        At the top level of a module, so that other processes find it. What it raises ends it all.
    calls : iterator of tuple
        The arguments of each call; one is taken when there is room to run it.
    place : Place
        Where they run.
    say : callable
        Called with a line for the user.

    Raises
    ------
    ReadError
        The place is gone, or cannot run the function.
    """
    while suspects := (yield from _together(function, calls, place, say)):
        say(f"a process died; what it may have been runs again, one by one ({len(suspects)})")
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
    """Run calls until one dies or there are no more; return the suspects."""
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
                    raise ReadError(place.name, STAY, "it is gone") from error
                except Exception as error:
                    received = f"{type(error).__name__}: {error}"
                    raise ReadError(place.name, "one that can run trials", received) from error
                else:
                    yield call, result


def _submit(pool: Pool, function: Callable[..., Any], call: Call) -> Future[Any]:
    try:
        return pool.executor.submit(function, *call)
    except BrokenExecutor as error:  # a process died since the last look
        future: Future[Any] = Future()
        future.set_exception(error)
        return future
