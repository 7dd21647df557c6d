"""Reading inputs and writing outputs: an output appears whole or not at all.

`-` means standard input or output.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    LimitError,
    OutputError,
    ReadError,
)

WINDOWS = os.name == "nt"
if not WINDOWS:
    import fcntl

STANDARD_STREAM = "-"
START_BYTES = 64
"""Bytes at the start of a file that tell what it is."""
_PART, _PART_END = ".adaptive-kmeans-", ".part"
"""How the names of temporary files begin and end."""


def read_bytes(
    path: str | Path,
    limit: int,
    *,
    check_start: Callable[[bytes], None] | None = None,
) -> bytes:
    """Read a whole file, or standard input for `-`.

    Parameters
    ----------
    path : str or Path
        The file.
    limit : int
        Most bytes to accept.
    check_start : callable, optional
        Called with the first `START_BYTES`, or all there are, before the rest is read; an exception
        from it ends the reading, so that a large file of another kind costs nothing.

    Raises
    ------
    ReadError
        The file is missing, a folder, or cannot be read.
    LimitError
        It is larger than the limit.
    """
    with opened(path) as file:
        start = file.read(min(START_BYTES, limit + 1))
        if check_start is not None:
            check_start(start)
        is_large = _regular_size(file) > limit
        data = start if is_large else start + file.read(limit + 1 - len(start))
    if is_large or len(data) > limit:
        raise LimitError(str(path), f"at most {limit:,} bytes", "more")
    return data


def _regular_size(file: BinaryIO) -> int:
    """Return the size of a regular file; 0 for a pipe, whose size is unknown."""
    try:
        status = os.fstat(file.fileno())
    except OSError:  # not a file of the operating system
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for reading, or standard input for `-`.

    Raises
    ------
    ReadError
        The file is missing, a folder, or cannot be read.
    """
    try:
        if str(path) == STANDARD_STREAM:
            if sys.stdin is None:
                raise ReadError("standard input", "to be open", "a closed one")
            yield sys.stdin.buffer
        else:
            with Path(path).open("rb") as file:
                yield file
    except AdaptiveKMeansError:
        raise
    except OSError as error:
        raise ReadError(str(path), "a file that can be read", reason(error)) from error


def write_bytes(path: str | Path, data: bytes, *, replace: bool = True) -> None:
    """Write a whole file, or standard output for `-`.

    The bytes go to a temporary file beside the target. Once they are on disk, it takes the target's
    name, and the permissions of the file that it replaces. However the writing ends, either the old
    file or the new one is there, whole. A device or a pipe is written to directly: it has no
    content to lose.

    Parameters
    ----------
    path : str or Path
        The target; links are followed.
    data : bytes
        Its content.
    replace : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        The file cannot be written; an existing one is unharmed.
    """
    if str(path) == STANDARD_STREAM:
        _write_standard_output(data)
        return
    with _output_errors(path):
        target = _resolve(path)
        if target.is_special:
            with Path(path).open("wb") as device:
                device.write(data)
            return
        with _temporary(target) as part:
            part.write(data)
            part.put(replace=replace)


def check_target(path: str | Path) -> None:
    """Raise an error unless a file can be written there, before its content is computed.

    Files that killed writers left in its folder are removed.

    Raises
    ------
    OutputError
        The target is a folder, is read-only, or its folder cannot be written.
    """
    if str(path) == STANDARD_STREAM:
        return
    with _output_errors(path):
        target = _resolve(path)
        if not target.is_special:
            with _temporary(target):
                pass


def is_taken(path: str | Path) -> bool:
    """Whether there is a file that writing to this path would replace.

    A device, a pipe or standard output has nothing to lose.

    Raises
    ------
    OutputError
        The path cannot be a file.
    """
    if str(path) == STANDARD_STREAM:
        return False
    with _output_errors(path):
        target = _resolve(path)
        return target.status is not None and not target.is_special


def is_regular(path: str | Path) -> bool:
    """Whether there is a file with content of its own."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: str | Path) -> bool:
    """Whether there is a folder."""
    return stat.S_ISDIR(_mode(path))


def is_special(path: str | Path) -> bool:
    """Whether there is a device, a pipe or a socket."""
    mode = _mode(path)
    return mode != 0 and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _mode(path: str | Path) -> int:
    """Return the mode of what is at a path; 0 for nothing, and for an invalid path."""
    try:
        return Path(path).stat().st_mode
    except (OSError, ValueError):
        return 0


def remove_leftovers(folder: str | Path) -> None:
    """Remove the temporary files of killed writers from a folder; those in use are kept."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_PART) and entry.name.endswith(_PART_END):
                _remove_unless_used(entry.path)


def _write_standard_output(data: bytes) -> None:
    if sys.stdout is None:
        raise OutputError("standard output", "to be open", "a closed one")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        # Otherwise the interpreter would try to flush the rest on exit, and fail.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError("standard output", "to be writable", reason(error)) from error


@contextlib.contextmanager
def _output_errors(path: str | Path) -> Iterator[None]:
    """Turn refusals of the operating system into errors about the target."""
    try:
        yield
    except OutputError:
        raise
    except FileExistsError as error:
        raise OutputError(str(path), "a name that is not taken", "one that is") from error
    except OSError as error:
        raise OutputError(str(path), "a place that can be written", reason(error)) from error


class _Target(NamedTuple):
    """Where an output goes: its path without links, and what is there now."""

    path: Path
    status: os.stat_result | None

    @property
    def is_special(self) -> bool:
        """Whether there is a device or a pipe."""
        return self.status is not None and not stat.S_ISREG(self.status.st_mode)


def _resolve(path: str | Path) -> _Target:
    """Follow links to the target, and check that it can be written if it exists."""
    try:
        status = Path(path).stat()  # fails for links that form a cycle
    except FileNotFoundError:
        return _Target(Path(os.path.realpath(path)), None)
    if stat.S_ISDIR(status.st_mode):
        raise OutputError(str(path), "a file", "a folder")
    if stat.S_ISREG(status.st_mode) and not os.access(path, os.W_OK):
        raise OutputError(str(path), "a file that can be replaced", "one that is read-only")
    return _Target(Path(os.path.realpath(path)), status)


class _Part:
    """A temporary file beside a target; see `_temporary`.

    Its name does not end in an image extension, and its length does not depend on the target's. It
    is locked while its writer lives, so that others can tell it from the leftovers of a killed
    writer.
    """

    def __init__(self, target: _Target) -> None:
        self._target = target
        # A file that replaces a private one is never accessible to others.
        mode = 0o666 if target.status is None else 0o600
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        while True:
            self.path = target.path.with_name(f"{_PART}{secrets.token_hex(8)}{_PART_END}")
            self._descriptor = os.open(self.path, flags, mode)
            if _lock(self._descriptor):
                return
            os.close(self._descriptor)  # another writer takes it for a leftover and removes it

    def write(self, data: bytes) -> None:
        """Write bytes at the end."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def put(self, *, replace: bool) -> None:
        """Put the file in its target's place, once it is on the disk."""
        self._take_rights()
        os.fsync(self._descriptor)
        if WINDOWS:  # where an open file cannot be renamed
            self._close()
        if replace:
            self.path.replace(self._target.path)
        else:
            self._put_new()
        self._sync_folder()

    def _take_rights(self) -> None:
        """Take the owner and the permissions of the replaced file, as far as possible."""
        status = self._target.status
        if status is None or WINDOWS:
            return
        with contextlib.suppress(OSError):  # only root may give files away
            os.fchown(self._descriptor, status.st_uid, status.st_gid)
        with contextlib.suppress(OSError):  # a file system without permissions
            os.fchmod(self._descriptor, stat.S_IMODE(status.st_mode))

    def _put_new(self) -> None:
        """Take the target's name only if it is free."""
        try:
            os.link(self.path, self._target.path)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if os.path.lexists(self._target.path):
                raise FileExistsError from None
            self.path.replace(self._target.path)

    def _sync_folder(self) -> None:
        """Flush the new name to disk, where a folder can be opened."""
        with contextlib.suppress(OSError):
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def remove(self) -> None:
        """Remove the file unless it was put in place."""
        try:
            self._close()
        finally:
            self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def _temporary(target: _Target) -> Iterator[_Part]:
    """Provide a temporary file beside a target, and remove it unless it was put in place."""
    remove_leftovers(target.path.parent)
    part = _Part(target)
    try:
        yield part
    finally:
        part.remove()


def _lock(descriptor: int) -> bool:
    """Lock a new temporary file; return False if another writer's cleanup was faster."""
    if WINDOWS:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return os.fstat(descriptor).st_nlink > 0


def _remove_unless_used(path: str) -> None:
    """Remove a temporary file that no living writer has locked."""
    with contextlib.suppress(OSError):
        if WINDOWS:  # where the system refuses to remove an open file
            Path(path).unlink()
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            Path(path).unlink()
        finally:
            os.close(descriptor)


def make_folder(path: str | Path) -> Path:
    """Make a folder with its parents, unless it exists.

    Raises
    ------
    OutputError
        It cannot be made.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(str(path), "a folder that can be written", reason(error)) from error
    return Path(path)


def reason(error: OSError) -> str:
    """Say in a few words why the system refused, such as "no such file or directory"."""
    if isinstance(error, IsADirectoryError):
        return "a folder"
    return (error.strerror or str(error)).lower()
