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
    # Bytes of no character, in names, can only be escaped.
    text = re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)
    typer.echo(text, err=to_stderr)


def say(line: str, *, err: bool = False) -> None:
    """Print a line, whatever names of files it holds."""
    typer.echo(printable(line), err=err)


def print_error(error: AdaptiveKMeansError | str) -> None:
    """Print the line of an error."""
    say(f"adaptive-kmeans: {error}", err=True)


def end(message: str, code: int) -> NoReturn:
    """Print the line of an error and exit."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the end is near
    print_error(" ".join(message.split()))
    sys.exit(code)


def print_notes(notes: Iterable[str]) -> None:
    """Print what a user may want to know, a line each."""
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
    """Print a table, cropped to the width of the terminal if there is one."""
    from rich.console import Console

    # A pipe or a file has no width, so that nothing is cropped there.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def print_conversions(source: str, picture: SourceImage) -> None:
    """Print what was converted when an image was read."""
    print_notes(f"{source}: {note}" for note in picture.notes)


def raise_failures(failures: list[AdaptiveKMeansError]) -> None:
    """Raise an error that counts the failed trials, once the others are printed."""
    if failures:
        raise TrialsFailedError(
            f"{counted(len(failures), 'trial')} failed, the first with: {failures[0]}"
        )
