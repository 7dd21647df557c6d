"""The command `init-config`: a first config with every key, which runs as is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from adaptive_kmeans.cli.console import say
from adaptive_kmeans.errors import ConfigError, UnknownNameError


def init_config(
    output: Annotated[
        str, Argument(metavar="NAME.toml", help="The file; - prints to standard output.")
    ] = "-",
    kind: Annotated[
        str,
        Option(
            help="Kind of experiment: compression, or a study such as elbow.",
            autocompletion=lambda: _kinds(),
        ),
    ] = "compression",
    force: Annotated[bool, Option("--force", "-f", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a config with every key, its meaning, its allowed values and its default.

    It runs as is, on two bundled images, and is the reference for all keys of a config.
    """
    from adaptive_kmeans import files
    from adaptive_kmeans.experiment.first_config import first_config

    if kind not in _kinds():
        raise UnknownNameError("--kind", kind, _kinds())
    to_stdout = output == files.STANDARD_STREAM
    if not to_stdout and Path(output).suffix != ".toml":
        raise ConfigError("output", "a name that ends in .toml", output)
    if files.is_taken(output) and not force:
        raise ConfigError("output", "a new name, or --force", f"{output}, which exists")
    name = re.sub("[^a-z0-9]+", "_", Path(output).stem.lower()).strip("_")
    text = first_config(kind, name or None)
    files.write_bytes(output, text.encode(), replace=force)
    if not to_stdout:
        say(f"{output}, which runs as it is: adaptive-kmeans run {shlex.quote(output)}")


def _kinds() -> list[str]:
    from adaptive_kmeans.experiment.kinds import KINDS

    return list(KINDS)
