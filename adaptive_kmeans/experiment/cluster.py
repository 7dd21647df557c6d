"""Running calls on the workers of a Dask cluster."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adaptive_kmeans.errors import MissingDependencyError, ReadError
from adaptive_kmeans.pools import STAY, Pool, Say

ANSWER_S = 10.0
"""Timeout for the answer of a scheduler, in seconds."""


@dataclass(frozen=True)
class Cluster:
    """The workers of a Dask scheduler, which reassigns the trials of a worker that dies.

    Parameters
    ----------
    address : str
        Address of the scheduler.
    """

    address: str

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"Dask scheduler {self.address}"

    @contextmanager
    def open(self, say: Say, *, alone: bool) -> Iterator[Pool]:
        """Connect, and report when there are no workers."""
        try:
            from distributed import Client, KilledWorker
        except ImportError as error:
            expected = "it to be installed: pip install 'adaptive-kmeans[distributed]'"
            raise MissingDependencyError("library distributed", expected, str(error)) from error
        # Errors are reported in one line, not in the logs of Dask.
        with _silent("distributed", "distributed.client"):
            try:
                client = Client(self.address, timeout=ANSWER_S)
            except (OSError, ValueError) as error:
                raise ReadError(self.name, "one that answers", error) from error

            waiting = False

            def threads() -> int:
                nonlocal waiting
                try:
                    count: int = sum(client.nthreads().values())
                except (OSError, RuntimeError) as error:
                    raise ReadError(self.name, STAY, "it went away") from error
                waiting = waiting and not count
                return count

            def look() -> None:
                nonlocal waiting
                if not threads() and not waiting:
                    say(f"waiting for workers of {self.address}")
                    waiting = True

            with client:
                executor = client.get_executor(pure=False, retries=3)
                yield Pool(executor, lambda: 2 * max(1, threads()), (KilledWorker,), look)


@contextmanager
def _silent(*names: str) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
