"""Output of commands: tables, JSON, notes and failures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from adaptive_kmeans.errors import AdaptiveKMeansError, TrialsFailedError

if TYPE_CHECKING:
    from adaptive_kmeans.image import SourceImage


def print_json(facts: Any, *, to_stderr: bool = False) -> None:
    """Print numbers as JSON."""
    # JSON has no infinity and no NaN; null stands for a value that is not a finite number.
    finite = json.loads(json.dumps(facts), parse_constant=lambda _: None)
    typer.echo(json.dumps(finite, indent=2, ensure_ascii=False), err=to_stderr)


def print_table(table: Any) -> None:
    """Print a table, cropped to the width of the terminal if there is one."""
    from rich.console import Console

    console = Console()
    # A pipe or a file has no width, so that nothing is cropped there.
    console.print(table, width=None if console.is_terminal else 200)


def print_conversions(source: str, picture: SourceImage) -> None:
    """Print what was converted when an image was read."""
    for note in picture.notes:
        typer.echo(f"note: {source}: {note}", err=True)


def raise_failures(failures: list[AdaptiveKMeansError]) -> None:
    """Raise an error that counts the failed trials, once the others are printed."""
    if failures:
        raise TrialsFailedError(f"{len(failures)} trials failed, the first with: {failures[0]}")
