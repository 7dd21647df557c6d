"""Reading inputs and writing outputs: an output appears whole or not at all.

`-` means standard input or output.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from adaptive_kmeans.errors import ConfigError, LimitError, OutputError, ReadError

STANDARD_STREAM = "-"


def read_bytes(path: str | Path, limit: int) -> bytes:
    """Read a whole file, or standard input for `-`.

    Parameters
    ----------
    path : str or Path
        The file.
    limit : int
        Bytes at most.

    Raises
    ------
    ReadError
        The file is missing, a folder, or cannot be read.
    LimitError
        It is larger than the limit.
    """
    try:
        if str(path) == STANDARD_STREAM:
            if sys.stdin is None:
                raise ReadError("standard input", "to be open", "a closed one")
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(limit + 1)
    except ReadError:
        raise
    except OSError as error:
        raise ReadError(str(path), "a file that can be read", reason(error)) from error
    if len(data) > limit:
        raise LimitError(str(path), f"at most {limit:,} bytes", "more")
    return data


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a whole file, or standard output for `-`; a target that exists is replaced at the end.

    Raises
    ------
    OutputError
        The file cannot be written; one that stood there is unharmed.
    """
    if str(path) == STANDARD_STREAM:
        if sys.stdout is None:
            raise OutputError("standard output", "to be open", "a closed one")
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except OSError as error:
            # The interpreter would try, and fail, to flush the rest on its way out.
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise OutputError("standard output", "to be writable", reason(error)) from error
        return
    with replacing(path) as part:
        part.write_bytes(data)


def write_new(path: str | Path, data: bytes) -> Path:
    """Write a whole file where there is none; return its path.

    Raises
    ------
    OutputError
        There is a file of that name, or it cannot be written.
    """
    target = Path(path)
    try:
        target.open("xb").close()  # takes the name
    except FileExistsError as error:
        raise OutputError(str(path), "a name that is not taken", "one that is") from error
    except OSError as error:
        raise OutputError(str(path), "a place that can be written", reason(error)) from error
    try:
        write_bytes(target, data)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a path to write to, and put what was written in place of `path` at the end.

    The file is written beside its target, so that the last step is one rename on one file system. A
    target that is a device or a pipe is written to directly: it has no content to lose.

    Raises
    ------
    OutputError
        The target cannot be written; one that stood there is unharmed.
    """
    try:
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise OutputError(str(path), "a file", "a folder")
        if target.exists() and not target.is_file():
            yield target
            return
        if target.exists() and not os.access(target, os.W_OK):
            raise OutputError(str(path), "a file that can be replaced", "one that is read-only")
        part = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part{target.suffix}")
        try:
            yield part
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(str(path), "a place that can be written", reason(error)) from error


def akm_target(source: str, output: str | None) -> str:
    """Return where a compressed file goes; refuse what is likely a slip and would lose an image.

    Parameters
    ----------
    source : str
        The input.
    output : str or None
        What was asked for; None is the input's name with ``.akm``.

    Raises
    ------
    ConfigError
        The name does not end in ``.akm``, or is the input's.
    """
    target = _renamed(source, ".akm") if output is None else output
    special = target == STANDARD_STREAM or (Path(target).exists() and not Path(target).is_file())
    if not special and Path(os.path.realpath(target)).suffix.lower() != ".akm":
        raise ConfigError("output", "a name that ends in .akm, or -", target)
    _refuse_same(source, target)
    return target


def image_target(source: str, output: str | None) -> str:
    """Return where a decompressed image goes; the default name must be new.

    ``photo.akm`` most likely lies beside the ``photo.png`` that it was made from.

    Raises
    ------
    ConfigError
        No name was given and the default one is taken, or the name is the input's.
    """
    if output is None:
        target = _renamed(source, ".png")
        if target != STANDARD_STREAM and Path(target).exists():
            raise ConfigError("output", f"a name after {source}, since {target} exists", "none")
        return target
    _refuse_same(source, output)
    return output


def _renamed(source: str, extension: str) -> str:
    name = Path(source).name
    return str(Path(source).with_suffix(extension)) if name not in ("", "-") else source


def _refuse_same(source: str, target: str) -> None:
    files = STANDARD_STREAM not in (source, target) and Path(target).is_file()
    if files and Path(source).is_file() and Path(source).samefile(target):
        raise ConfigError("output", "another file than the input", target)


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
    return (error.strerror or str(error)).lower()
