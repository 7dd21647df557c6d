"""Workers of a Dask cluster that run calls."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adaptive_kmeans.errors import MissingDependencyError, ReadError
from adaptive_kmeans.experiment.pools import STAY, Pool, Say

ANSWER_S = 10.0
"""How long a scheduler may take to answer."""


@dataclass(frozen=True)
class Cluster:
    """The workers of a Dask scheduler, which moves the trials of one that dies to another one.

    Parameters
    ----------
    address : str
        The scheduler's.
    """

    address: str

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"Dask scheduler {self.address}"

    @contextmanager
    def open(self, say: Say, *, alone: bool) -> Iterator[Pool]:
        """Connect, and say it when there are no workers."""
        try:
            from distributed import Client, KilledWorker
        except ImportError as error:
            expected = "it to be installed: pip install 'adaptive-kmeans[distributed]'"
            raise MissingDependencyError("library distributed", expected, str(error)) from error
        with _silent(
            "distributed", "distributed.client"
        ):  # what they would say is said in one line
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
                    raise ReadError(self.name, STAY, "it is gone") from error
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
