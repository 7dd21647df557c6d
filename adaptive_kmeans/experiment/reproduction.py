"""Running committed experiments again, and saying which of their numbers are confirmed.

A committed experiment is a folder of results with its resolved config and its table. Its images are
looked for by name, among the bundled ones and in folders that are given, and must have the pixels
that the committed environment records. Every row that can be measured again is compared with the
committed one of the same parameters; times are not.
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
from adaptive_kmeans.datasets import BUNDLED, ImageSource, find_images
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, ReadError
from adaptive_kmeans.experiment.config import read_config
from adaptive_kmeans.experiment.results import run_experiment
from adaptive_kmeans.experiment.schema import CompressionConfig
from adaptive_kmeans.experiment.trials import load, pixel_hash

TOLERANCES = {
    "psnr_db": 0.001,
    "ssim": 1e-5,
    "ssim_published": 1e-5,
    "ciede2000": 0.001,
    "ssimulacra2": 0.01,
    "agreement_percent": 0.1,
    "kappa": 0.002,
    "high_percent": 0.1,
    "benefit_percent": 0.1,
}
"""Largest differences of what our codec gives, whose bytes must be equal."""

RELATIVE = 0.01
"""Largest relative difference of what other libraries give: their versions differ."""

ROUNDING = 1e-9
"""Largest relative difference of what our codec gives: logarithms differ in their last digit."""

TIMES = ("encode_s", "decode_s", "seconds", "seconds_min", "seconds_max", "runs", "peak_mb")
OURS = ("fixed-length", "deflate", "context-mixing", "adaptive-kmeans")
OURS_ALONE = ("without", "other", "is_elbow")
"""Columns of tables that have no rows of other libraries."""

NUMBERS = (*TOLERANCES, "bytes", "payload_bytes", "mse", "is_elbow")
DERIVED = (
    "image_set",
    "bits_per_pixel",
    "compression_ratio",
    "space_saving_percent",
    "growth_percent",
    "header_bytes",
    "codebook_bytes",
    "region_map_bytes",
    "index_map_bytes",
    "iterations",
    "codewords",
)
"""Columns that follow from the others."""

Cells = dict[str, str]


NAMES = ("codec", "engine", "method")
"""Columns that name what may be left out, where its library is missing."""


@dataclass(frozen=True)
class Reproduction:
    """What became of one committed experiment.

    Parameters
    ----------
    name : str
        The experiment.
    confirmed : int
        Rows whose numbers are as committed.
    differing : list of str
        Rows with another number, and which; rows that should have been measured and were not; or
        why the experiment could not be run.
    missing : int
        Rows of images that are not at hand, with the pixels that were measured.
    left_out : list of str
        What each row names that was left out, since its library is missing.
    """

    name: str
    confirmed: int
    differing: list[str]
    missing: int = 0
    left_out: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counted = f"{self.name}: {self.confirmed} rows confirmed, {len(self.differing)} differ, "
        counted += f"{self.missing} not at hand"
        if not self.left_out:
            return counted
        names = ", ".join(dict.fromkeys(self.left_out))
        return f"{counted}, {len(self.left_out)} left out ({names})"


def reproduce(
    committed: Path,
    images: Sequence[str] = (),
    names: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[Reproduction]:
    """Run committed experiments again and compare, one by one; one that fails ends no other.

    Parameters
    ----------
    committed : Path
        The folder of committed results.
    images : sequence of str
        Files, folders and globs of images that are not bundled.
    names : sequence of str
        The experiments; all by default.
    say : callable
        Called with a line before each experiment, which may take minutes.

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
    at_hand = {source.name: source for source in find_images([*BUNDLED, *images])}
    chosen = list(dict.fromkeys(names or folders))
    for number, name in enumerate(chosen, start=1):
        say(f"{name}: experiment {number} of {len(chosen)}")
        try:
            found = _reproduce(name, folders[name], at_hand)
        except AdaptiveKMeansError as error:
            found = Reproduction(name, 0, [f"failed: {error}"])
        except (ValueError, LookupError, TypeError) as error:  # a file that no run wrote
            found = Reproduction(name, 0, [f"failed: {type(error).__name__}: {error}"])
        yield found


def _reproduce(name: str, folder: Path, at_hand: dict[str, ImageSource]) -> Reproduction:
    before = _rows(folder / "table.csv")
    config = read_config(folder / "config.toml")
    usable = _usable(folder, config.images, config.background, at_hand)
    if not usable:
        return Reproduction(name, 0, [], len(before))
    changes = []
    if isinstance(config, CompressionConfig):
        changes = ['figures.draw=["quality"]', 'figures.formats=["png"]']
        if config.figures.picture is not None:
            changes.append(f'figures.picture="{usable[0].name}"')
    paths = [source.name if source.path is None else str(source.path) for source in usable]
    with tempfile.TemporaryDirectory() as place:
        outcome = run_experiment(
            folder / "config.toml", images=paths, results=Path(place), changes=changes
        )
        after = _rows(Path(place) / config.name / "table.csv")
    failures = list(map(str, outcome.failures))
    return _compare(name, before, after, {source.name for source in usable}, failures)


def _compare(
    name: str, before: list[Cells], after: list[Cells], usable: set[str], failures: list[str]
) -> Reproduction:
    measured = {_key(row): row for row in after}
    present = {_named(row) for row in after}
    confirmed, missing = 0, 0
    differing = [f"failed: {failure}" for failure in failures]
    left_out: list[str] = []
    for row in before:
        again = measured.get(_key(row))
        what = " ".join(filter(None, _key(row)))
        if row.get("image") not in usable:
            missing += 1
        elif again is not None:
            other = [column for column in NUMBERS if not _agrees(column, row, again)]
            said = ", ".join(f"{c} {row[c] or 'none'} → {again[c] or 'none'}" for c in other)
            differing += [f"{what}: {said}"] if other else []
            confirmed += not other
        elif _named(row) in present or any(_named(row) in failure for failure in failures):
            differing.append(f"{what}: not measured")
        else:
            left_out.append(_named(row))
    return Reproduction(name, confirmed, differing, missing, left_out)


def _named(row: Cells) -> str:
    """Return what a row measures, such as a codec; "" where all of it is ours."""
    return next((row[column] for column in NAMES if column in row), "")


def _usable(
    folder: Path, names: Sequence[str], background: str | None, at_hand: dict[str, ImageSource]
) -> list[ImageSource]:
    """Return the images that are at hand with the pixels that were measured."""
    text = files.read_bytes(folder / "environment.json", 2**24)
    recorded = json.loads(text)["images"]
    usable = []
    for name in names:
        source = at_hand.get(name)
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


def _key(row: Cells) -> tuple[str, ...]:
    """Return a row's parameters: every column that is no number that was measured."""
    measured = {*NUMBERS, *TIMES, *DERIVED}
    return tuple(value for column, value in row.items() if column not in measured)


def _agrees(column: str, row: Cells, again: Cells) -> bool:
    if column not in row:
        return True
    old, new = (float(cells.get(column) or "nan") for cells in (row, again))
    if math.isnan(old) or old == new:
        return math.isnan(old) == math.isnan(new)
    named = [row.get(key) for key in ("coder", "codec", "engine", "without")]
    ours = any(key in row for key in OURS_ALONE) or any(
        value is not None and value.partition(":")[0] in OURS for value in named
    )
    if not ours:
        return math.isclose(old, new, rel_tol=RELATIVE)
    return math.isclose(old, new, rel_tol=ROUNDING, abs_tol=TOLERANCES.get(column, 0.0))
