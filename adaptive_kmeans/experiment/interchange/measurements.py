"""What a folder of results holds: from its store, or without one from the table that it is read of.

Committed results have no store, so that their curves come from ``table.csv``; files to decode are
in the store alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from adaptive_kmeans import files
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, ReadError, one_line
from adaptive_kmeans.experiment import view
from adaptive_kmeans.experiment.columns import from_csv, required
from adaptive_kmeans.experiment.config import read_config
from adaptive_kmeans.experiment.origin import CONFIG, ENVIRONMENT, MAX_ENVIRONMENT_BYTES
from adaptive_kmeans.experiment.results import finish_replacing
from adaptive_kmeans.experiment.rows import COLUMNS
from adaptive_kmeans.experiment.schema import CompressionConfig, Experiment
from adaptive_kmeans.experiment.series import named
from adaptive_kmeans.experiment.store import FILE_NAME, Store

TABLE = "table.csv"
MAX_TABLE_BYTES = 2**30


@dataclass(frozen=True)
class Measurements:
    """The files of an experiment, as its results tell of them.

    Parameters
    ----------
    name : str
        The experiment.
    files : DataFrame
        A row for each file, with the name of its series and, if there is a store, the key of its
        trial.
    environment : dict
        What `environment.json` says, if it is there.
    """

    name: str
    files: pd.DataFrame
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
        name, table = seen.config.name, seen.findings.table
    elif (folder / TABLE).exists():
        config = read_config(folder / CONFIG)
        _require_files(folder, config)
        name, table = config.name, named(_table(folder / TABLE))
    else:
        raise ReadError(str(folder), f"a folder of results, with {FILE_NAME} or {TABLE}", "none")
    if table.empty:
        raise ReadError(str(folder), "results with at least one row", "none")
    return Measurements(name, table, _environment(folder))


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


def _table(path: Path) -> pd.DataFrame:
    """Read a table; columns that it does not have are empty, and unknown ones are left out."""
    try:
        table = from_csv(files.read_bytes(path, MAX_TABLE_BYTES).decode(), COLUMNS)
    except (ValueError, TypeError) as error:
        if isinstance(error, AdaptiveKMeansError):
            raise
        raise ReadError(str(path), "a table that `run` wrote", one_line(error)) from error
    names = required(COLUMNS)
    if table[names].isna().any(axis=None):
        raise ReadError(str(path), f"the columns {', '.join(names)}", "others")
    return table
