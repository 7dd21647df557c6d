"""The folder of results: what an experiment gave, put in place once all of it is there."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from adaptive_kmeans import files
from adaptive_kmeans.datasets import ImageSource, find_images
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, OutputError, TrialsFailedError
from adaptive_kmeans.experiment import (
    clustering_speed,
    coder_ablation,
    coding_figures,
    coding_size,
    figures,
    speed_figures,
    tables,
)
from adaptive_kmeans.experiment.clustering_speed import SpeedRow, run_clustering_speed
from adaptive_kmeans.experiment.coder_ablation import AblationRow, run_coder_ablation
from adaptive_kmeans.experiment.coding_size import CodingSizeRow, run_coding_size
from adaptive_kmeans.experiment.config import (
    AnyConfig,
    ClusteringSpeedConfig,
    CodingSizeConfig,
    CompressionConfig,
    read_config,
)
from adaptive_kmeans.experiment.runner import run_trials
from adaptive_kmeans.experiment.trials import Row, expand, pixel_hash

LIBRARIES = (
    "adaptive-kmeans",
    "numpy",
    "numba",
    "pillow",
    "scikit-image",
    "scikit-learn",
    "opencv-python-headless",
    "faiss-cpu",
    "imagecodecs",
    "libimagequant",
    "pyoxipng",
)


@dataclass(frozen=True)
class Results:
    """What a run wrote.

    Parameters
    ----------
    folder : Path
        The folder of results.
    rows : list of Row, SpeedRow, CodingSizeRow or AblationRow
        The trials that succeeded.
    failures : list of AdaptiveKMeansError
        Why the others did not.
    seconds : float
        Time of the whole run, figures included.
    """

    folder: Path
    rows: list[Any]
    failures: list[AdaptiveKMeansError]
    seconds: float

    def paths(self) -> list[Path]:
        """List the tables and the figures."""
        written = [self.folder / name for name in ("table.md", "summary.md")]
        tables = [path for path in written if path.exists()]
        return [*tables, *sorted((self.folder / "figures").iterdir())]


def run_experiment(
    config_path: Path,
    *,
    images: Sequence[str] | None = None,
    results: Path = Path("results"),
    jobs: int = 1,
) -> Results:
    """Run the experiment of a config file and write its folder of results.

    Parameters
    ----------
    config_path : Path
        The TOML config.
    images : sequence of str, optional
        Images to measure instead of the config's: files, folders, globs or bundled names.
    results : Path
        The folder in which the experiment gets a folder of its name, which holds ``table.csv``,
        ``table.md``, ``config.toml``, ``environment.json`` and ``figures/``.
    jobs : int
        Trials at once, each in a process; an experiment of speed always runs them one by one.

    Raises
    ------
    ConfigError, ReadError
        The config or an image's name is wrong.
    OutputError
        The folder cannot be written; what stood there is unharmed.
    TrialsFailedError
        No trial succeeded; what stood there is unharmed.
    """
    start = time.perf_counter()
    config = read_config(config_path)
    if images is not None:
        config = config.model_copy(update={"images": list(images)})
    sources = find_images(config.images)
    if isinstance(config, CompressionConfig) and images is None:
        _check_picture(config, sources)
    folder = files.make_folder(results / config.name)
    with _staging(folder) as staged:
        drawn = staged / "figures"
        drawn.mkdir()
        found = _measure(config, sources, jobs)
        rows, failures = found.rows, found.failures
        if not rows:
            # Earlier results are worth more than an empty table.
            first = f", the first: {failures[0]}" if failures else ""
            raise TrialsFailedError(f"all {len(failures)} trials failed{first}")
        found.draw(drawn)
        if found.summary:
            (staged / "summary.md").write_text(found.summary, encoding="utf-8")
        (staged / "table.csv").write_text(tables.to_csv(rows, found.row_type), encoding="utf-8")
        (staged / "table.md").write_text(tables.to_markdown(rows), encoding="utf-8")
        (staged / "config.toml").write_text(_resolved(config, sources), encoding="utf-8")
        seconds = time.perf_counter() - start
        environment = _environment(
            sources,
            config.background,
            trials=len(rows) + len(failures),
            failures=len(failures),
            seconds=round(seconds, 2),
            jobs=jobs,
        )
        (staged / "environment.json").write_text(environment, encoding="utf-8")
    return Results(folder, rows, failures, seconds)


@dataclass(frozen=True)
class _Found:
    """What an experiment measured, and how it is shown."""

    rows: list[Any]
    failures: list[AdaptiveKMeansError]
    row_type: type[Any]
    draw: Callable[[Path], None]
    summary: str = ""


def _measure(config: AnyConfig, sources: list[ImageSource], jobs: int) -> _Found:
    """Run an experiment of any kind."""
    failures: list[AdaptiveKMeansError]
    if isinstance(config, CompressionConfig):
        trials = expand(sources, config.settings(), config.metrics, config.background)
        outcomes = run_trials(trials, jobs)
        rows = [outcome.row for outcome in outcomes if outcome.row is not None]
        failures = [outcome.error for outcome in outcomes if outcome.error is not None]
        draw = partial(figures.draw_all, outcomes=outcomes, config=config)
        return _Found(rows, failures, Row, draw)
    if isinstance(config, ClusteringSpeedConfig):
        speeds = run_clustering_speed(config, sources)
        summary = clustering_speed.summarize(speeds) if speeds else ""
        draw = partial(speed_figures.draw_all, rows=speeds)
        return _Found(speeds, [], SpeedRow, draw, summary)
    if isinstance(config, CodingSizeConfig):
        sizes, failures = run_coding_size(config, sources, jobs)
        summary = coding_size.summarize(sizes)
        draw = partial(coding_figures.draw_sizes, rows=sizes)
        return _Found(sizes, failures, CodingSizeRow, draw, summary)
    growths, failures = run_coder_ablation(config, sources, jobs)
    summary = coder_ablation.summarize(growths)
    draw = partial(coding_figures.draw_ablation, rows=growths)
    return _Found(growths, failures, AblationRow, draw, summary)


def _check_picture(config: CompressionConfig, sources: list[ImageSource]) -> None:
    names = [source.name for source in sources]
    if config.figures.picture not in (None, *names):
        expected = f"one of {', '.join(names)}"
        raise ConfigError("figures.picture", expected, config.figures.picture)


@contextlib.contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Give a folder to write in, whose entries replace those of `folder` when all went well."""
    try:
        staged = Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
        try:
            yield staged
            for entry in sorted(staged.iterdir()):
                target = folder / entry.name
                if target.is_dir():
                    shutil.rmtree(target)
                os.replace(entry, target)  # noqa: PTH105 - Path.replace is the same call
        finally:
            shutil.rmtree(staged, ignore_errors=True)
            with contextlib.suppress(OSError):
                folder.rmdir()  # only if nothing was ever put there
    except AdaptiveKMeansError:
        raise
    except OSError as error:
        expected = "a folder that can be written"
        raise OutputError(str(folder), expected, files.reason(error)) from error


def _resolved(config: AnyConfig, sources: list[ImageSource]) -> str:
    """Return the config as TOML with every default filled in, and images by name."""
    import tomli_w

    document = config.model_dump(exclude_none=True)
    document["images"] = [source.name for source in sources]
    return tomli_w.dumps(document)


def _environment(sources: list[ImageSource], background: str | None, **run: float) -> str:
    """Return as JSON what the numbers depend on beside the config."""
    images = {}
    for source in sources:
        with contextlib.suppress(AdaptiveKMeansError):
            picture = source.read(background)
            height, width = picture.pixels.shape[:2]
            images[source.name] = {
                "width": width,
                "height": height,
                "sha256": pixel_hash(picture.pixels),
                "converted": list(picture.notes),
            }
    libraries = {}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            libraries[name] = importlib.metadata.version(name)
    environment = {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        **run,
        "images": images,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "libraries": libraries,
    }
    return json.dumps(environment, indent=2) + "\n"
