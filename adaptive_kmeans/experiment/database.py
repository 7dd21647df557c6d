"""The tables of a store, in one SQLite file that is changed in short transactions."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adaptive_kmeans.errors import DamagedError, OutputError

SCHEMA_VERSION = 2
"""Version of the tables below; stores of other versions are refused."""

_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_TABLES = """
CREATE TABLE IF NOT EXISTS trials (
    key TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    runner TEXT,
    summary TEXT NOT NULL,
    rows TEXT,
    errors TEXT,
    seconds REAL,
    checksum TEXT
);
CREATE TABLE IF NOT EXISTS files (key TEXT PRIMARY KEY, data BLOB NOT NULL, checksum TEXT);
CREATE TABLE IF NOT EXISTS runners (id TEXT PRIMARY KEY, host TEXT, pid INTEGER, beat REAL);
CREATE TABLE IF NOT EXISTS publisher (one INTEGER PRIMARY KEY CHECK (one = 1), runner TEXT);
"""


class Database:
    """The SQLite file of a store; threads may share it.

    Parameters
    ----------
    path : Path
        The file.
    create : bool
        Whether to create the tables if there are none.

    Raises
    ------
    OutputError
        It cannot be opened or written, or was written by another version.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        self._lock = threading.Lock()  # heartbeats come from another thread
        with self._errors():
            self._connection = sqlite3.connect(
                path, timeout=60.0, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(create)
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self, create: bool) -> None:
        with self.transaction() as run:
            version = run("PRAGMA user_version").fetchone()[0]
            if version not in ((0, SCHEMA_VERSION) if create else (SCHEMA_VERSION,)):
                expected = f"tables of version {SCHEMA_VERSION}; move the file away to start afresh"
                raise OutputError(str(self.path), expected, f"version {version}")
            for statement in _TABLES.split(";"):
                run(statement)
            run(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        """Provide a function that executes SQL; either all of it takes effect or none."""
        with self._lock, self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.execute
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            # Text that is not UTF-8 is an error of the sqlite3 module, without a name.
            name = getattr(error, "sqlite_errorname", "")
            if name in _DAMAGED or "decode" in str(error):
                expected = "a store that can be read; move the file away to start afresh"
                raise DamagedError(str(self.path), expected, error) from error
            expected = "a store of trials that can be written"
            raise OutputError(str(self.path), expected, error) from error
