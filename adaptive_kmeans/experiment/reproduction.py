"""Rerunning committed experiments and comparing their numbers.

A committed experiment is a folder of results with its resolved config and its table. Its images are
looked up by name, among the bundled ones and in the given folders, and must have the pixels whose
hash the committed environment records. Every row that can be measured again is compared with the
committed row of the same parameters, except for times.
"""

from __future__ import annotations

import csv
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adaptive_kmeans import files
from adaptive_kmeans.datasets import BUNDLED, TRANSPARENCY_SET, ImageSource, find_images
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, ReadError, counted
from adaptive_kmeans.experiment.columns import Columns
from adaptive_kmeans.experiment.config import read_config
from adaptive_kmeans.experiment.results import finish_replacing, run_experiment
from adaptive_kmeans.experiment.schema import CompressionConfig
from adaptive_kmeans.experiment.trials import load, pixel_hash

RELATIVE = 0.01
"""Largest relative difference for other libraries, whose versions differ."""

ROUNDING = 1e-9
"""Largest relative difference for our codec: logarithms may differ in their last digit."""

OURS = ("fixed-length", "deflate", "context-mixing", "adaptive-kmeans")
OURS_ONLY = ("without", "other", "is_elbow", "fine_class")
"""Columns found only in tables of our codec alone."""

NAMES = ("codec", "engine", "method")
"""Columns that name what is left out if its library is missing."""

Cells = dict[str, str]


@dataclass(frozen=True)
class Reproduction:
    """How the numbers of a committed experiment compare with those of a new run.

    Parameters
    ----------
    name : str
        The experiment.
    confirmed : int
        Rows with the committed numbers.
    differing : list of str
        Rows with other numbers, and which; rows that should have been measured but were not; or
        why the experiment could not be run.
    missing : int
        Rows of images that are not available with the pixels of the committed run.
    left_out : list of str
        The codec or engine of each row that was left out because its library is missing.
    """

    name: str
    confirmed: int
    differing: list[str]
    missing: int = 0
    left_out: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [
            counted(self.confirmed, "row confirmed", "rows confirmed"),
            counted(len(self.differing), "differs", "differ"),
            counted(self.missing, "without its image", "without their image"),
        ]
        if self.left_out:
            parts.append(
                f"{len(self.left_out)} left out ({', '.join(dict.fromkeys(self.left_out))})"
            )
        return f"{self.name}: {', '.join(parts)}"


def reproduce(
    committed: Path,
    images: Sequence[str] = (),
    names: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
    jobs: int | None = None,
) -> Iterator[Reproduction]:
    """Rerun committed experiments, one at a time, and compare; a failure does not stop the rest.

    Parameters
    ----------
    committed : Path
        The folder of committed results.
    images : sequence of str
        Files, folders and globs of images that are not bundled.
    names : sequence of str
        The experiments to run; all by default.
    say : callable
        Called with a line before each experiment, which may take minutes.
    jobs : int, optional
        Trials to run at once, if none is timed; by default one per processor.

    Raises
    ------
    ConfigError
        No experiment has such a name.
    ReadError
        The folder holds no results.
    """
    folders = {path.parent.name: path.parent for path in sorted(committed.glob("*/config.toml"))}
    if not folders:
        raise ReadError(str(committed), "a folder of committed results", "none")
    for name in names:
        if name not in folders:
            raise ConfigError("experiment", f"one of {', '.join(folders)}", name)
    available = {
        source.name: source for source in find_images([*BUNDLED, TRANSPARENCY_SET, *images])
    }
    chosen = list(dict.fromkeys(names or folders))
    for number, name in enumerate(chosen, start=1):
        say(f"{name}: experiment {number} of {len(chosen)}")
        try:
            found = _reproduce(name, folders[name], available, jobs)
        except AdaptiveKMeansError as error:
            found = Reproduction(name, 0, [f"failed: {error}"])
        except (ValueError, LookupError, TypeError) as error:  # a file was edited or is damaged
            found = Reproduction(name, 0, [f"failed: {type(error).__name__}: {error}"])
        yield found


def _reproduce(
    name: str, folder: Path, available: dict[str, ImageSource], jobs: int | None
) -> Reproduction:
    finish_replacing(folder)
    before = _rows(folder / "table.csv")
    config = read_config(folder / "config.toml")
    usable = _usable(folder, config.images, config.background, available)
    # Rows that name no image are of all of them together.
    is_of_all = "image" not in before[0]
    if not usable or (is_of_all and len(usable) < len(config.images)):
        return Reproduction(name, 0, [], len(before))
    changes = []
    if isinstance(config, CompressionConfig):
        # Curves of others, whose files may not be here, change no number.
        changes = ['figures.draw=["quality"]', 'figures.formats=["png"]', "figures.others={}"]
        if config.figures.picture is not None:
            changes.append(f'figures.picture="{usable[0].name}"')
    paths = [source.name if source.path is None else str(source.path) for source in usable]
    with tempfile.TemporaryDirectory() as place:
        outcome = run_experiment(
            folder / "config.toml",
            images=paths,
            results=Path(place),
            changes=changes,
            jobs=jobs,
        )
        after = _rows(Path(place) / config.name / "table.csv")
    failures = list(map(str, outcome.failures))
    # Later releases have more columns than the committed table.
    columns = {name: each for name, each in outcome.columns.items() if name in before[0]}
    return _compare(name, columns, before, after, {source.name for source in usable}, failures)


def _compare(
    name: str,
    columns: Columns,
    before: list[Cells],
    after: list[Cells],
    usable: set[str],
    failures: list[str],
) -> Reproduction:
    numbers = [name for name, column in columns.items() if column.role == "measured"]
    measured = {_key(row, columns): row for row in after}
    present = {_named(row) for row in after}
    confirmed, missing = 0, 0
    differing = [f"failed: {failure}" for failure in failures]
    left_out: list[str] = []
    for row in before:
        key = _key(row, columns)
        again = measured.get(key)
        what = " ".join(filter(None, key))
        if "image" in row and row["image"] not in usable:
            missing += 1
        elif again is not None:
            other = [
                column
                for column in numbers
                if not _agrees(row, again, column, columns[column].tolerance)
            ]
            said = ", ".join(f"{c} {row[c] or 'none'} → {again[c] or 'none'}" for c in other)
            differing += [f"{what}: {said}"] if other else []
            confirmed += not other
        elif _named(row) in present or any(_named(row) in failure for failure in failures):
            differing.append(f"{what}: not measured")
        else:
            left_out.append(_named(row))
    return Reproduction(name, confirmed, differing, missing, left_out)


def _named(row: Cells) -> str:
    """Return the codec, engine or method of a row; "" if the table has only ours."""
    return next((row[column] for column in NAMES if column in row), "")


def _usable(
    folder: Path, names: Sequence[str], background: str | None, available: dict[str, ImageSource]
) -> list[ImageSource]:
    """Return the images that are available with the pixels of the committed run."""
    text = files.read_bytes(folder / "environment.json", 2**24)
    recorded = json.loads(text)["images"]
    usable = []
    for name in names:
        source = available.get(name)
        if source is None or name not in recorded:
            continue
        try:
            same = pixel_hash(load(source, background)) == recorded[name]["sha256"]
        except AdaptiveKMeansError:
            continue
        if same:
            usable.append(source)
    return usable


def _rows(path: Path) -> list[Cells]:
    text = files.read_bytes(path, 2**30).decode()
    return list(csv.DictReader(text.splitlines()))


def _key(row: Cells, columns: Columns) -> tuple[str, ...]:
    """Return the parameters of a row.

    With a target, the quality is a result and differs between library versions, so it is excluded.
    """
    found = ["quality"] if row.get("target") else []
    names = [name for name, column in columns.items() if column.role == "parameter"]
    return tuple(row.get(name, "") for name in names if name not in found)


def _agrees(row: Cells, again: Cells, column: str, tolerance: float) -> bool:
    old, new = (float(cells.get(column) or "nan") for cells in (row, again))
    if math.isnan(old) or old == new:
        return math.isnan(old) == math.isnan(new)
    named = [row.get(key) for key in ("coder", "codec", "engine", "without")]
    ours = any(key in row for key in OURS_ONLY) or any(
        value is not None and value.partition(":")[0] in OURS for value in named
    )
    if not ours:
        return math.isclose(old, new, rel_tol=RELATIVE)
    return math.isclose(old, new, rel_tol=ROUNDING, abs_tol=tolerance)
