"""The store of an experiment: every finished trial, in one SQLite file that survives power failure.

It has one entry per trial, under a key that hashes all that its numbers depend on: the pixels of
the image, the parameters with the seed, the metrics, and the declared versions of codec and
metrics. A finished trial is never run again, whichever config contains it.

A trial is `waiting`, `running`, `done` or `failed`. A runner claims a trial before running it, and
each change of state is one transaction, so that a runner that dies loses the trials in flight and
nothing else. A claim expires when its runner's process has ended or, on another machine, has sent
no heartbeat for `STALE_S` seconds. One runner at a time writes tables and figures; that lock
expires in the same way. Transactions are short, so a runner that draws figures delays no trial.

The outcome of a trial, and each file, has a checksum that covers its key: damage is an error that
names it, never a wrong table. `repair` drops what is damaged, so that it is measured again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from adaptive_kmeans.errors import DamagedError, OutputError, ReadError
from adaptive_kmeans.experiment.database import Database

FILE_NAME = "trials.sqlite"

STALE_S = 60.0
HEARTBEAT_S = 10.0
POLL_S = 0.5


STATES = ("waiting", "running", "done", "failed")


@dataclass(frozen=True)
class Stored:
    """A trial that ended: its rows as dictionaries, and its errors.

    One that succeeded has no errors; one that failed may still have rows.
    """

    rows: list[dict[str, Any]]
    errors: list[str]
    seconds: float

    @property
    def is_done(self) -> bool:
        """Whether it succeeded."""
        return not self.errors


class Store:
    """The trials of one folder of results; a context manager.

    Parameters
    ----------
    folder : Path
        The folder, which exists; the store is its file `trials.sqlite`.
    create : bool
        Whether to create a store that does not exist.

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
                    "UPDATE trials SET state = 'waiting', checksum = NULL "
                    "WHERE key = ? AND state = 'failed'",
                    (key,),
                )

    def require_files(self, keys: Sequence[str]) -> None:
        """Set finished trials back to waiting if figures need files that the store lacks."""
        with self._transaction() as run:
            for key in keys:
                run(
                    "UPDATE trials SET state = 'waiting', checksum = NULL "
                    "WHERE key = ? AND state = 'done' AND key NOT IN (SELECT key FROM files)",
                    (key,),
                )

    def states(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the state of each key, once the claims of dead runners have expired.

        Raises
        ------
        DamagedError
            A trial that was added is missing, or has no valid state.
        """
        self._expire_claims()
        with self._transaction() as run:
            states = dict(run("SELECT key, state FROM trials").fetchall())
        for key in keys:
            if states.get(key) not in STATES:
                raise self._damaged(f"the state of {_short(key)}")
        return {key: states[key] for key in keys}

    def claim(self, key: str, *, alone: bool = False) -> bool:
        """Claim a waiting trial for this runner; False if it is no longer waiting.

        If `alone`, it is not claimed either while another runner has a claim.
        """
        self._start_heartbeat()
        with self._transaction() as run:
            # A claim without a heartbeat of its runner would expire at once.
            run("INSERT OR IGNORE INTO runners VALUES (?, ?, ?, ?)", self._runner_row())
            claimed = run(
                "UPDATE trials SET state = 'running', runner = ? "
                "WHERE key = ? AND state = 'waiting' AND NOT (? AND EXISTS "
                "(SELECT 1 FROM trials WHERE state = 'running' AND runner != ?))",
                (self.runner, key, alone, self.runner),
            )
            return bool(claimed.rowcount)

    def release(self) -> None:
        """Set the trials that this runner claimed and did not finish back to waiting."""
        with self._transaction() as run:
            self._forget(run, self.runner)

    def finish(
        self,
        key: str,
        rows: Sequence[Mapping[str, Any]],
        errors: Sequence[str] = (),
        data: bytes | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Store the outcome of a trial; one with errors has failed.

        Parameters
        ----------
        key : str
        rows : sequence of dict
        errors : sequence of str
        data : bytes, optional
            Further data for figures.
        seconds : float
        """
        state = "failed" if errors else "done"
        texts = json.dumps([dict(row) for row in rows]), json.dumps(list(errors))
        checksum = _checksum(key, state, *texts, seconds)
        with self._transaction() as run:
            # A runner presumed dead may still finish, after another one has claimed its trial.
            ended = run(
                "UPDATE trials SET state = ?, runner = NULL, rows = ?, errors = ?, seconds = ?, "
                "checksum = ? WHERE key = ? AND state = 'running' AND runner = ?",
                (state, *texts, seconds, checksum, key, self.runner),
            )
            if ended.rowcount and data is not None:
                self._put_file(run, key, data)

    def over(self, keys: Sequence[str]) -> dict[str, Stored]:
        """Return the trials that are done or failed, in the order of `keys`.

        Raises
        ------
        DamagedError
            One of them differs from what was stored.
        """
        ended = self._ended()
        found = {}
        for key in keys:
            if key in ended:
                stored = _stored(*ended[key])
                if stored is None:
                    raise self._damaged(f"the trial {_named(*ended[key][:2])}")
                found[key] = stored
        return found

    def all_over(self) -> list[Stored]:
        """Return all trials that are done or failed, except damaged ones."""
        found = (_stored(*entry) for entry in self._ended().values())
        return [stored for stored in found if stored is not None]

    def put_file(self, key: str, data: bytes) -> None:
        """Store a file that does not belong to a trial, such as an original image."""
        with self._transaction() as run:
            self._put_file(run, key, data)

    def file(self, key: str) -> bytes | None:
        """Return a stored file, if there is one.

        Raises
        ------
        DamagedError
            It differs from what was stored.
        """
        with self._transaction() as run:
            found = run("SELECT data, checksum FROM files WHERE key = ?", (key,)).fetchone()
        if found is None:
            return None
        if not _is_file(key, *found):
            raise self._damaged(f"the file {_short(key)}")
        return bytes(found[0])

    def repair(self) -> list[str]:
        """Drop what is damaged and return its names; dropped trials are measured again."""
        dropped = []
        for key, entry in self._ended().items():
            if _stored(*entry) is None:
                dropped.append(f"the trial {_named(*entry[:2])}")
                with self._transaction() as run:
                    run("DELETE FROM trials WHERE key IS ?", (key,))
                    run("DELETE FROM files WHERE key IS ?", (key,))
        with self._transaction() as run:
            files = run("SELECT rowid, key, data, checksum FROM files").fetchall()
            for number, key, data, checksum in files:
                if not _is_file(key, data, checksum):
                    dropped.append(f"the file {_short(key)}")
                    run("DELETE FROM files WHERE rowid = ?", (number,))
                    run(
                        "UPDATE trials SET state = 'waiting', checksum = NULL "
                        "WHERE key IS ? AND state = 'done'",
                        (key,),
                    )
        return dropped

    def _ended(self) -> dict[str, tuple[Any, ...]]:
        with self._transaction() as run:
            found = run(
                "SELECT key, summary, state, rows, errors, seconds, checksum FROM trials "
                "WHERE state NOT IN ('waiting', 'running') OR checksum IS NOT NULL"
            ).fetchall()
        return {entry[0]: entry for entry in found}

    def _damaged(self, what: str) -> DamagedError:
        expected = "what was stored; run --repair drops what is damaged and measures it again"
        return DamagedError(str(self.path), expected, f"damage in {what}")

    @staticmethod
    def _put_file(run: Any, key: str, data: bytes) -> None:
        checksum = hashlib.sha256(key.encode() + data).hexdigest()
        run("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (key, data, checksum))

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

    def _expire_claims(self) -> None:
        host, now = socket.gethostname(), time.time()
        with self._transaction() as run:
            for runner, where, pid, beat in run("SELECT * FROM runners").fetchall():
                # A beat in the future comes from a clock that was set back, or is damaged.
                is_known = isinstance(pid, int) and isinstance(beat, float)
                is_stale = not is_known or abs(now - beat) > STALE_S
                gone = is_stale or (where == host and not _is_alive(pid))
                if runner != self.runner and gone:
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


def _checksum(key: str, state: str, rows: str, errors: str, seconds: float) -> str:
    text = json.dumps([key, state, rows, errors, seconds])
    return hashlib.sha256(text.encode()).hexdigest()


def _stored(
    key: Any, _: Any, state: Any, rows: Any, errors: Any, seconds: Any, checksum: Any
) -> Stored | None:
    """Return the outcome of a trial, None if it differs from what was stored."""
    try:
        if _checksum(key, state, rows, errors, seconds) != checksum:
            return None
        return Stored(json.loads(rows), json.loads(errors), seconds)
    except (TypeError, ValueError):
        return None


def _is_file(key: Any, data: Any, checksum: Any) -> bool:
    try:
        return bool(hashlib.sha256(key.encode() + bytes(data)).hexdigest() == checksum)
    except (TypeError, ValueError, AttributeError):
        return False


def _named(key: Any, summary: Any) -> str:
    return f"{_short(key)} ({summary})"


def _short(key: Any) -> str:
    text = str(key)
    return text if len(text) <= 24 else f"{text[:12]}…"


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # signal 0 would end the process there; the heartbeat decides
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # another user's
    return True
