"""The store of an experiment: every finished trial, in one SQLite file that survives a power cut.

One row a trial, under a key that is a hash of all that its numbers depend on: the image's pixels,
the parameters with the seed, the metrics, and the declared versions of codec and metrics. A trial
whose key is finished is never run again, whichever config asks for it.

A trial is `waiting`, `running`, `done` or `failed`. A runner claims a trial before running it, and
each change of state is one transaction, so that a runner which dies loses the trials in flight and
nothing else. A claim is given up when its runner's process is gone, or has shown no sign of life
for `STALE_S` seconds (a runner on another machine). So is the right to write tables and figures,
which one runner has at a time. Transactions are short: nobody waits for figures to run a trial.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from adaptive_kmeans.errors import OutputError, ReadError
from adaptive_kmeans.experiment.database import Database

FILE_NAME = "trials.sqlite"

STALE_S = 60.0
BEAT_S = 10.0
POLL_S = 0.5


@dataclass(frozen=True)
class Stored:
    """A trial that is over: its row as a dictionary, or its error."""

    row: dict[str, Any] | None
    error: str | None
    seconds: float


class Store:
    """The trials of one folder of results; a context manager.

    Parameters
    ----------
    folder : Path
        The folder, which exists; the store is its file `trials.sqlite`.
    create : bool
        Whether a store that does not exist is made.

    Raises
    ------
    OutputError
        The store cannot be opened or written, or was written by another version.
    ReadError
        It does not exist, and `create` is false.
    """

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        self.path = folder / FILE_NAME
        self.runner = secrets.token_hex(8)
        self._stopping = threading.Event()
        self._beating: threading.Thread | None = None
        if not create and not self.path.exists():
            raise ReadError(str(self.path), "a store of trials, which `run` makes", "no such file")
        self._database = Database(self.path, create=create)
        self._transaction = self._database.transaction

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        if self._beating is not None:
            self._beating.join()
            with contextlib.suppress(OutputError):
                self.release()
        self._database.close()

    def add(self, trials: Iterable[tuple[str, str]]) -> None:
        """Put in trials that are not there yet, as (key, what it is in words)."""
        with self._transaction() as run:
            for key, summary in trials:
                run(
                    "INSERT OR IGNORE INTO trials (key, state, summary) VALUES (?, 'waiting', ?)",
                    (key, summary),
                )

    def retry_failed(self, keys: Sequence[str]) -> None:
        """Let trials that failed wait again."""
        with self._transaction() as run:
            for key in keys:
                run(
                    "UPDATE trials SET state = 'waiting' WHERE key = ? AND state = 'failed'", (key,)
                )

    def require_files(self, keys: Sequence[str]) -> None:
        """Let finished trials wait again whose file is not stored, though a figure shows it."""
        with self._transaction() as run:
            for key in keys:
                run(
                    "UPDATE trials SET state = 'waiting' WHERE key = ? AND state = 'done' "
                    "AND key NOT IN (SELECT key FROM files)",
                    (key,),
                )

    def states(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the state of each key, after giving up the claims of runners that are gone."""
        self._give_up_claims()
        with self._transaction() as run:
            states = dict(run("SELECT key, state FROM trials").fetchall())
        return {key: states[key] for key in keys}

    def claim(self, key: str) -> bool:
        """Take a waiting trial for this runner; False if it is no longer waiting."""
        self._start_beating()
        with self._transaction() as run:
            # A claim always has its runner's sign of life beside it.
            run("INSERT OR IGNORE INTO runners VALUES (?, ?, ?, ?)", self._sign())
            claimed = run(
                "UPDATE trials SET state = 'running', runner = ? "
                "WHERE key = ? AND state = 'waiting'",
                (self.runner, key),
            )
            return bool(claimed.rowcount)

    def release(self) -> None:
        """Let all trials that this runner claimed and did not finish wait again."""
        with self._transaction() as run:
            self._forget(run, self.runner)

    def finish(self, key: str, row: dict[str, Any], data: bytes | None, seconds: float) -> None:
        """Store a trial's row, and its file where a figure shows it."""
        text = json.dumps(row)
        with self._transaction() as run:
            mine = self._end(run, key, "done", seconds, text, None)
            if mine and data is not None:
                run("INSERT OR REPLACE INTO files VALUES (?, ?)", (key, data))

    def fail(self, key: str, error: str, seconds: float) -> None:
        """Store why a trial failed."""
        with self._transaction() as run:
            self._end(run, key, "failed", seconds, None, error)

    def over(self, keys: Sequence[str]) -> dict[str, Stored]:
        """Return the trials that are done or failed, in the order of the keys."""
        with self._transaction() as run:
            found = run(
                "SELECT key, row, error, seconds FROM trials WHERE state IN ('done', 'failed')"
            ).fetchall()
        stored = {key: Stored(row and json.loads(row), error, s) for key, row, error, s in found}
        return {key: stored[key] for key in keys if key in stored}

    def put_file(self, key: str, data: bytes) -> None:
        """Store a file that no trial made, such as an original picture."""
        with self._transaction() as run:
            run("INSERT OR REPLACE INTO files VALUES (?, ?)", (key, data))

    def file(self, key: str) -> bytes | None:
        """Return a stored file, if there is one."""
        with self._transaction() as run:
            found = run("SELECT data FROM files WHERE key = ?", (key,)).fetchone()
        return found and bytes(found[0])

    @contextlib.contextmanager
    def publishing(self) -> Iterator[None]:
        """Keep other runners from writing tables and figures at the same time."""
        while not self._may_publish():
            time.sleep(POLL_S)
        try:
            yield
        finally:
            # If this fails, it is given up with the other claims of this runner.
            with contextlib.suppress(OutputError), self._transaction() as run:
                run("DELETE FROM publisher WHERE runner = ?", (self.runner,))

    def _may_publish(self) -> bool:
        self._start_beating()
        self._give_up_claims()
        with self._transaction() as run:
            run("INSERT OR IGNORE INTO runners VALUES (?, ?, ?, ?)", self._sign())
            run("INSERT OR IGNORE INTO publisher VALUES (1, ?)", (self.runner,))
            return bool(run("SELECT runner FROM publisher").fetchone()[0] == self.runner)

    def _end(
        self, run: Any, key: str, state: str, seconds: float, row: str | None, error: str | None
    ) -> bool:
        # A runner that was thought dead may still finish: the trial is then another one's.
        ended = run(
            "UPDATE trials SET state = ?, runner = NULL, row = ?, error = ?, seconds = ? "
            "WHERE key = ? AND state = 'running' AND runner = ?",
            (state, row, error, seconds, key, self.runner),
        )
        return bool(ended.rowcount)

    def _give_up_claims(self) -> None:
        host, now = socket.gethostname(), time.time()
        with self._transaction() as run:
            for runner, where, pid, beat in run("SELECT * FROM runners").fetchall():
                gone = where == host and not _is_alive(pid)
                if runner != self.runner and (gone or now - beat > STALE_S):
                    self._forget(run, runner)
            run(
                "UPDATE trials SET state = 'waiting', runner = NULL "
                "WHERE state = 'running' AND runner NOT IN (SELECT id FROM runners)"
            )
            run("DELETE FROM publisher WHERE runner NOT IN (SELECT id FROM runners)")

    @staticmethod
    def _forget(run: Any, runner: str) -> None:
        run(
            "UPDATE trials SET state = 'waiting', runner = NULL "
            "WHERE state = 'running' AND runner = ?",
            (runner,),
        )
        run("DELETE FROM runners WHERE id = ?", (runner,))

    def _start_beating(self) -> None:
        if self._beating is None:
            self._beat()
            self._beating = threading.Thread(target=self._keep_beating, daemon=True)
            self._beating.start()

    def _keep_beating(self) -> None:
        while not self._stopping.wait(BEAT_S):
            # A full disk will be reported by the trial that meets it.
            with contextlib.suppress(OutputError):
                self._beat()

    def _beat(self) -> None:
        with self._transaction() as run:
            run("INSERT OR REPLACE INTO runners VALUES (?, ?, ?, ?)", self._sign())

    def _sign(self) -> tuple[str, str, int, float]:
        return self.runner, socket.gethostname(), os.getpid(), time.time()


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # where signal 0 would end the process; the sign of life decides
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True
