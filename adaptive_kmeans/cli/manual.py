"""The command `man`: the manual page, made from the help texts."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import typer

CODES = {
    0: "done",
    2: "bad usage or config",
    3: "bad input",
    4: "over a limit",
    5: "could not read or write",
    6: "some files or trials failed",
    98: "not smaller than the input, so not written",
    99: "no quality reaches the target, so not written",
    130: "interrupted",
}
"""What the exit codes mean."""


def man(context: typer.Context) -> None:
    """Print the manual page: adaptive-kmeans man | man -l -."""
    typer.echo(manual_page(context.find_root().command))


def manual_page(group: Any) -> str:
    """Return the manual page of a group of commands, in roff."""
    import adaptive_kmeans

    name, version = "adaptive-kmeans", adaptive_kmeans.__version__
    lines = [
        f'.TH {name.upper()} 1 "" "{name} {version}"',
        ".SH NAME",
        _text(f"{name} - {_first_line(group.help).rstrip('.')}"),
        ".SH SYNOPSIS",
        f".B {_text(name)}",
        r"\fICOMMAND\fR [\fIOPTIONS\fR] [\fIARGUMENTS\fR]",
        ".SH COMMANDS",
    ]
    for title, command in group.commands.items():
        if not command.hidden:
            lines += _section(title, command, name)
    lines += [".SH EXIT STATUS"]
    for code, meaning in CODES.items():
        lines += [".TP", f".B {code}", _text(meaning)]
    return "\n".join(lines)


def _section(title: str, command: Any, name: str) -> list[str]:
    context = typer.Context(command, info_name=title)
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f".SS {_text(f'{name} {title} {usage}')}"]
    for paragraph in re.split(r"\n\s*\n", textwrap.dedent(command.help or "").strip()):
        lines += [".PP", _text(" ".join(paragraph.split()))]
    for parameter in command.get_params(context):
        record = _record(parameter, context)
        if record is not None:
            lines += [".TP", f".B {_text(record[0])}", _text(" ".join(record[1].split()))]
    return lines


def _record(parameter: Any, context: typer.Context) -> tuple[str, str] | None:
    """Return what --help prints for an argument or an option."""
    found = parameter.get_help_record(context)
    if found is None:
        return None
    return str(found[0]), str(found[1])


def _first_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0] if text else ""


def _text(text: str) -> str:
    r"""Escape what roff would interpret.

    Examples
    --------
    >>> _text("a-b")
    'a\\-b'
    """
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    escaped = "".join(c if c.isascii() else rf"\[u{ord(c):04X}]" for c in escaped)
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped
