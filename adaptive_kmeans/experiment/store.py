"""The store of an experiment: every finished trial, in one SQLite file that survives power failure.

It has one row per trial, under a key that hashes all that its numbers depend on: the pixels of the
image, the parameters with the seed, the metrics, and the declared versions of codec and metrics. A
finished trial is never run again, whichever config has it.

A trial is `waiting`, `running`, `done` or `failed`. A runner claims a trial before running it, and
each change of state is one transaction, so that a runner which dies loses the trials in flight and
nothing else. A claim expires when its runner's process has ended or, on another machine, has sent
no heartbeat for `STALE_S` seconds. One runner at a time writes tables and figures; that lock
expires in the same way. Transactions are short, so a runner that draws figures delays no trial.
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
HEARTBEAT_S = 10.0
POLL_S = 0.5


@dataclass(frozen=True)
class Stored:
    """A trial that ended: its row as a dictionary, or its error."""

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
        self._heartbeat: threading.Thread | None = None
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
        if self._heartbeat is not None:
            self._heartbeat.join()
            with contextlib.suppress(OutputError):
                self.release()
        self._database.close()

    def add(self, trials: Iterable[tuple[str, str]]) -> None:
        """Add trials that are not there yet, as (key, summary)."""
        with self._transaction() as run:
            for key, summary in trials:
                run(
                    "INSERT OR IGNORE INTO trials (key, state, summary) VALUES (?, 'waiting', ?)",
                    (key, summary),
                )

    def retry_failed(self, keys: Sequence[str]) -> None:
        """Set failed trials back to waiting."""
        with self._transaction() as run:
            for key in keys:
                run(
                    "UPDATE trials SET state = 'waiting' WHERE key = ? AND state = 'failed'", (key,)
                )

    def require_files(self, keys: Sequence[str]) -> None:
        """Set finished trials back to waiting whose files figures need and the store lacks."""
        with self._transaction() as run:
            for key in keys:
                run(
                    "UPDATE trials SET state = 'waiting' WHERE key = ? AND state = 'done' "
                    "AND key NOT IN (SELECT key FROM files)",
                    (key,),
                )

    def states(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the state of each key, once the claims of dead runners have expired."""
        self._expire_claims()
        with self._transaction() as run:
            states = dict(run("SELECT key, state FROM trials").fetchall())
        return {key: states[key] for key in keys}

    def claim(self, key: str) -> bool:
        """Claim a waiting trial for this runner; False if it is no longer waiting."""
        self._start_heartbeat()
        with self._transaction() as run:
            # A claim without a heartbeat of its runner would expire at once.
            run("INSERT OR IGNORE INTO runners VALUES (?, ?, ?, ?)", self._runner_row())
            claimed = run(
                "UPDATE trials SET state = 'running', runner = ? "
                "WHERE key = ? AND state = 'waiting'",
                (self.runner, key),
            )
            return bool(claimed.rowcount)

    def release(self) -> None:
        """Set the trials that this runner claimed and did not finish back to waiting."""
        with self._transaction() as run:
            self._forget(run, self.runner)

    def finish(self, key: str, row: dict[str, Any], data: bytes | None, seconds: float) -> None:
        """Store a trial's row, and its file if a figure needs it."""
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
        """Return the trials that are done or failed, in the order of `keys`."""
        with self._transaction() as run:
            found = run(
                "SELECT key, row, error, seconds FROM trials WHERE state IN ('done', 'failed')"
            ).fetchall()
        stored = {key: Stored(row and json.loads(row), error, s) for key, row, error, s in found}
        return {key: stored[key] for key in keys if key in stored}

    def put_file(self, key: str, data: bytes) -> None:
        """Store a file that is not a trial's, such as an original image."""
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
            # If this fails, the lock expires with the claims of this runner.
            with contextlib.suppress(OutputError), self._transaction() as run:
                run("DELETE FROM publisher WHERE runner = ?", (self.runner,))

    def _may_publish(self) -> bool:
        self._start_heartbeat()
        self._expire_claims()
        with self._transaction() as run:
            run("INSERT OR IGNORE INTO runners VALUES (?, ?, ?, ?)", self._runner_row())
            run("INSERT OR IGNORE INTO publisher VALUES (1, ?)", (self.runner,))
            return bool(run("SELECT runner FROM publisher").fetchone()[0] == self.runner)

    def _end(
        self, run: Any, key: str, state: str, seconds: float, row: str | None, error: str | None
    ) -> bool:
        # A runner that was taken for dead may still finish, when another one has its trial.
        ended = run(
            "UPDATE trials SET state = ?, runner = NULL, row = ?, error = ?, seconds = ? "
            "WHERE key = ? AND state = 'running' AND runner = ?",
            (state, row, error, seconds, key, self.runner),
        )
        return bool(ended.rowcount)

    def _expire_claims(self) -> None:
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

    def _start_heartbeat(self) -> None:
        if self._heartbeat is None:
            self._send_heartbeat()
            self._heartbeat = threading.Thread(target=self._keep_heartbeat, daemon=True)
            self._heartbeat.start()

    def _keep_heartbeat(self) -> None:
        while not self._stopping.wait(HEARTBEAT_S):
            # A full disk is reported by the next trial that writes to it.
            with contextlib.suppress(OutputError):
                self._send_heartbeat()

    def _send_heartbeat(self) -> None:
        with self._transaction() as run:
            run("INSERT OR REPLACE INTO runners VALUES (?, ?, ?, ?)", self._runner_row())

    def _runner_row(self) -> tuple[str, str, int, float]:
        return self.runner, socket.gethostname(), os.getpid(), time.time()


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # signal 0 would end the process there; the heartbeat decides
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True
