"""The contents of a folder of results, for export to other projects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from adaptive_kmeans import files
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, ReadError
from adaptive_kmeans.experiment import view
from adaptive_kmeans.experiment.origin import ENVIRONMENT, MAX_ENVIRONMENT_BYTES
from adaptive_kmeans.experiment.results import finish_replacing
from adaptive_kmeans.experiment.schema import CompressionConfig


@dataclass(frozen=True)
class Measurements:
    """The files of an experiment, as recorded in its results.

    Parameters
    ----------
    name : str
        The experiment.
    files : DataFrame
        A row for each file, with the name of its series and the key of its trial in the store.
    environment : dict
        The contents of `environment.json`, empty without it.
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
    seen = view.see_folder(folder)
    if not isinstance(seen.config, CompressionConfig):
        raise ConfigError(str(folder), "results of the kind compression", seen.config.kind)
    table = seen.findings.table
    if table.empty:
        raise ReadError(str(folder), "results with at least one row", "none")
    return Measurements(seen.config.name, table, _environment(folder))


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
