"""What a folder of results holds: from its store, or without one from the table that it is read of.

Committed results have no store, so that their curves come from ``table.csv``; files to decode are
in the store alone.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from adaptive_kmeans import files
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, ReadError
from adaptive_kmeans.experiment import view
from adaptive_kmeans.experiment.config import read_config
from adaptive_kmeans.experiment.origin import CONFIG, ENVIRONMENT, MAX_ENVIRONMENT_BYTES
from adaptive_kmeans.experiment.results import finish_replacing
from adaptive_kmeans.experiment.rows import Row
from adaptive_kmeans.experiment.schema import CompressionConfig, Experiment
from adaptive_kmeans.experiment.series import Measured, named
from adaptive_kmeans.experiment.store import FILE_NAME, Store

TABLE = "table.csv"
MAX_TABLE_BYTES = 2**30
REQUIRED = ("image", "method", "bytes", "bits_per_pixel")
"""Columns without which a table is none."""


@dataclass(frozen=True)
class Measurements:
    """The files of an experiment, as its results tell of them.

    Parameters
    ----------
    name : str
        The experiment.
    files : list of Measured
        A row for each file, with the name of its series.
    keys : list of str
        The key of each file's trial in the store; empty for results without one.
    environment : dict
        What `environment.json` says, if it is there.
    """

    name: str
    files: list[Measured]
    keys: list[str]
    environment: Mapping[str, Any]

    @property
    def finished(self) -> str | None:
        """When the run ended, in ISO 8601."""
        value = self.environment.get("finished")
        return value if isinstance(value, str) else None

    def version(self, library: str) -> str | None:
        """Return the version of a library that the run used."""
        libraries = self.environment.get("libraries")
        value = libraries.get(library) if isinstance(libraries, dict) else None
        return value if isinstance(value, str) else None

    def size(self, image: str) -> tuple[int, int] | None:
        """Return the width and height of an image."""
        images = self.environment.get("images")
        facts = images.get(image) if isinstance(images, dict) else None
        sides = (facts.get("width"), facts.get("height")) if isinstance(facts, dict) else (None,)
        return sides if all(isinstance(side, int) for side in sides) else None  # type: ignore[return-value]


def measurements(folder: Path) -> Measurements:
    """Read what a folder of results holds.

    Raises
    ------
    ConfigError
        The experiment is of a kind that does not measure files of images.
    ReadError
        There are no results, or they are damaged.
    """
    finish_replacing(folder)
    if (folder / FILE_NAME).exists():
        with Store(folder, create=False) as store:
            seen = view.see(store)
        _require_files(folder, seen.config)
        name, rows, keys = seen.config.name, seen.findings.rows, seen.keys
    elif (folder / TABLE).exists():
        config = read_config(folder / CONFIG)
        _require_files(folder, config)
        name, rows, keys = config.name, _table(folder / TABLE), []
    else:
        raise ReadError(str(folder), f"a folder of results, with {FILE_NAME} or {TABLE}", "none")
    if not rows:
        raise ReadError(str(folder), "results with at least one row", "none")
    return Measurements(name, named([Measured(row) for row in rows]), keys, _environment(folder))


def _require_files(folder: Path, config: Experiment) -> None:
    if not isinstance(config, CompressionConfig):
        raise ConfigError(str(folder), "results of the kind compression", config.kind)


def _environment(folder: Path) -> dict[str, Any]:
    path = folder / ENVIRONMENT
    if not path.exists():
        return {}
    try:
        facts = json.loads(files.read_bytes(path, MAX_ENVIRONMENT_BYTES))
    except (ValueError, RecursionError) as error:
        if isinstance(error, AdaptiveKMeansError):
            raise
        raise ReadError(str(path), "JSON", error) from error
    if not isinstance(facts, dict):
        raise ReadError(str(path), "a JSON object", type(facts).__name__)
    return facts


def _table(path: Path) -> list[Row]:
    """Read a table; columns that it does not have are None, and unknown ones are skipped."""
    kinds = {name: _kind(hint) for name, hint in get_type_hints(Row).items()}
    known = {field.name for field in dataclasses.fields(Row)}
    try:
        text = files.read_bytes(path, MAX_TABLE_BYTES).decode()
        reader = csv.DictReader(io.StringIO(text), strict=True)
        lines = list(reader)
        if not {*REQUIRED} <= {*(reader.fieldnames or ())}:
            raise ReadError(str(path), f"the columns {', '.join(REQUIRED)}", "others")
        return [
            Row.of(
                **{
                    name: kinds[name](cell)
                    for name, cell in line.items()
                    if name in known and cell != ""
                }
            )
            for line in lines
        ]
    except (ValueError, TypeError, csv.Error) as error:
        if isinstance(error, AdaptiveKMeansError):
            raise
        raise ReadError(str(path), "a table that `run` wrote", error) from error


def _kind(hint: Any) -> type:
    """Return the type of a column's values."""
    kinds = [kind for kind in get_args(hint) if kind is not types.NoneType] or [hint]
    return kinds[0] if kinds[0] in (int, float) else str
