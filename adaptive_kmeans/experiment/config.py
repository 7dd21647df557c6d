"""Reading and validating configs: TOML files, whose keys ``key=value`` can override.

The keys are declared in `schema`, and those of each kind of study in its module of `studies`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adaptive_kmeans import files
from adaptive_kmeans.datasets import EXTENSIONS
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, did_you_mean
from adaptive_kmeans.experiment.kinds import KINDS
from adaptive_kmeans.experiment.problems import first_problem
from adaptive_kmeans.experiment.schema import Experiment

MAX_CONFIG_BYTES = 2**20


def read_config(path: Path, changes: Sequence[str] = ()) -> Experiment:
    """Read and validate a config file.

    Parameters
    ----------
    path : Path
        The TOML file.
    changes : sequence of str
        ``key=value`` to override keys of the file: a dotted key, in which list elements are
        numbered from 0, and a TOML value, such as ``methods.0.k=[16, 32]``. A value that is not
        valid TOML is taken as a string.

    Raises
    ------
    ReadError
        The file cannot be read.
    ConfigError
        It is not valid TOML, or has an unknown key or an invalid value; the message names the key.
    """
    try:
        text = files.read_bytes(path, MAX_CONFIG_BYTES).decode("utf-8-sig")
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        if isinstance(error, AdaptiveKMeansError):
            raise
        if path.suffix.lower() in EXTENSIONS:  # the shell has replaced a glob by several images
            expected = "a TOML config; --images takes a glob in quotes, or is repeated"
            raise ConfigError(str(path), expected, "an image") from error
        raise ConfigError(str(path), "TOML", error) from error
    for change in changes:
        _change(document, change)
    return check_config(document, str(path))


def _change(document: dict[str, Any], change: str) -> None:
    """Set one key of a parsed config."""
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise ConfigError("--set", "key=value", change)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        value = text
    *parents, last = key.strip().split(".")
    place: Any = document
    try:
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
        place[int(last) if isinstance(place, list) else last] = value
    except (ValueError, IndexError, TypeError, AttributeError):
        expected = "a key that the config can have"
        if isinstance(place, list):
            name = key.partition(".")[0]
            expected += f"; {name} are numbered from 0 to {len(place) - 1}"
        raise ConfigError("--set", expected, key) from None


def check_config(document: dict[str, Any], source: str) -> Experiment:
    """Validate a parsed config; see `read_config`."""
    kind = document.get("kind", "compression")
    if not isinstance(kind, str) or kind not in KINDS:
        expected = f"one of {', '.join(KINDS)}{did_you_mean(str(kind), KINDS)}"
        raise ConfigError(f"{source}: kind", expected, repr(kind))
    try:
        config: Experiment = KINDS[kind].config.model_validate(document)
        config.check()
    except ValidationError as error:
        problem = first_problem(error, KINDS[kind].config, document)
        raise ConfigError(f"{source}: {problem}") from None
    except AdaptiveKMeansError as error:
        error.what = f"{source}: {error.what}"
        raise
    return config
