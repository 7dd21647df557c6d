"""Output of commands: tables, JSON, notes and failures."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    TrialsFailedError,
    counted,
    printable,
)

if TYPE_CHECKING:
    from adaptive_kmeans.image import SourceImage

INTERRUPTED = 130
"""The exit code after an interrupt."""


def print_json(facts: Any, *, to_stderr: bool = False) -> None:
    """Print numbers as JSON."""
    # JSON has no infinity and no NaN; null stands for a value that is not a finite number.
    finite = json.loads(json.dumps(facts), parse_constant=lambda _: None)
    text = json.dumps(finite, indent=2, ensure_ascii=False)
    # Undecodable bytes in file names can only be escaped.
    text = re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)
    typer.echo(text, err=to_stderr)


def say(line: str, *, err: bool = False) -> None:
    """Print a line, in which unprintable characters of file names are escaped."""
    typer.echo(printable(line), err=err)


def print_error(error: AdaptiveKMeansError | str) -> None:
    """Print an error as one line."""
    say(f"adaptive-kmeans: {error}", err=True)


def end(message: str, code: int) -> NoReturn:
    """Print an error as one line and exit."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process is about to exit
    print_error(" ".join(message.split()))
    sys.exit(code)


def print_notes(notes: Iterable[str]) -> None:
    """Print notes for the user, one per line."""
    for note in notes:
        say(f"note: {note}", err=True)


@contextlib.contextmanager
def named(source: str) -> Iterator[None]:
    """Put the file's name in front of errors about its bytes."""
    try:
        yield
    except AdaptiveKMeansError as error:
        if not error.what.startswith(source):
            error.what = f"{source}: {error.what}"
        raise


def print_table(table: Any) -> None:
    """Print a table, cropped to the width of the terminal, if any."""
    from rich.console import Console

    # A pipe or a file has no width: there is room for the widest table.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def print_conversions(source: str, picture: SourceImage) -> None:
    """Print the conversions made when an image was read."""
    print_notes(f"{source}: {note}" for note in picture.notes)


def raise_failures(failures: list[AdaptiveKMeansError]) -> None:
    """Raise an error that counts the failed trials, after the others have been printed."""
    if failures:
        raise TrialsFailedError(
            f"{counted(len(failures), 'trial')} failed, the first with: {failures[0]}"
        )
