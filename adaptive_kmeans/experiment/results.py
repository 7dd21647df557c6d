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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from adaptive_kmeans import files
from adaptive_kmeans.datasets import ImageSource, find_images
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, OutputError, TrialsFailedError
from adaptive_kmeans.experiment import (
    classifiers,
    clustering_speed,
    coder_ablation,
    coding_figures,
    coding_size,
    comparison,
    compression,
    elbow,
    figures,
    published,
    speed_figures,
    study_figures,
    tables,
)
from adaptive_kmeans.experiment.classifiers import ClassifierRow, run_classifiers
from adaptive_kmeans.experiment.clustering_speed import SpeedRow, run_clustering_speed
from adaptive_kmeans.experiment.coder_ablation import AblationRow, run_coder_ablation
from adaptive_kmeans.experiment.coding_size import CodingSizeRow, run_coding_size
from adaptive_kmeans.experiment.config import (
    AnyConfig,
    ClassifiersConfig,
    ClusteringSpeedConfig,
    CoderAblationConfig,
    CodingSizeConfig,
    CompressionConfig,
    ElbowConfig,
    read_config,
)
from adaptive_kmeans.experiment.elbow import ElbowRow, run_elbow
from adaptive_kmeans.experiment.store import Store
from adaptive_kmeans.experiment.trials import Row, pixel_hash
from adaptive_kmeans.threads import thread_count

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
    rows : list of Row, or of another experiment's rows
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
        written = [self.folder / name for name in ("table.md", "summary.md", "published.md")]
        tables = [path for path in written if path.exists()]
        return [*tables, *sorted((self.folder / "figures").iterdir())]


def run_experiment(
    config_path: Path,
    *,
    images: Sequence[str] | None = None,
    results: Path = Path("results"),
    jobs: int | None = None,
    scheduler: str | None = None,
    changes: Sequence[str] = (),
    retry_failed: bool = False,
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
        ``table.md``, ``table.tex``, ``config.toml``, ``environment.json`` and ``figures/``, and the
        store of its trials: what is finished there is not run again.
    jobs : int, optional
        Trials at once, each in a process; by default as many as there are processors. An experiment
        of times always runs them one by one.
    scheduler : str, optional
        Address of a Dask scheduler whose workers run the trials.
    changes : sequence of str
        ``key=value`` that replace what the config says; see `read_config`.
    retry_failed : bool
        Whether trials that failed in an earlier run are run again.

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
    config, sources = read_experiment(config_path, images, changes)
    if jobs is None:  # what is timed has the machine to itself
        jobs = thread_count() if isinstance(config, CompressionConfig) else 1
    folder = files.make_folder(results / config.name)
    if isinstance(config, CompressionConfig) and config.timing:
        jobs = 1
    environment: dict[str, Any] = {"jobs": jobs}
    if isinstance(config, CompressionConfig):
        with Store(folder) as store:
            options: dict[str, Any] = {"scheduler": scheduler, "retry_failed": retry_failed}
            view = compression.run(config, sources, store, jobs=jobs, **options)
            with store.publishing():
                found = _stored(store, view)
                return _publish(folder, found, start, config, sources, environment)
    measured = _measure(config, sources, jobs)
    return _publish(folder, measured, start, config, sources, environment)


def read_experiment(
    config_path: Path, images: Sequence[str] | None = None, changes: Sequence[str] = ()
) -> tuple[AnyConfig, list[ImageSource]]:
    """Read a config and find its images, or others that take their place."""
    config = read_config(config_path, changes)
    if images is not None:
        config = config.model_copy(update={"images": list(images)})
    sources = find_images(config.images)
    if isinstance(config, CompressionConfig) and images is None:
        _check_picture(config, sources)
    return config, sources


def publish_again(folder: Path) -> Results:
    """Make the tables and figures of a folder of results again, from its store alone.

    Raises
    ------
    ReadError
        The folder has no store.
    """
    start = time.perf_counter()
    with Store(folder, create=False) as store, store.publishing():
        return _publish(folder, _stored(store), start)


def _publish(
    folder: Path,
    found: _Found,
    start: float,
    config: AnyConfig | None = None,
    sources: Sequence[ImageSource] = (),
    environment: dict[str, Any] | None = None,
) -> Results:
    """Write tables and figures; and, after a run, its config and environment."""
    rows, failures = found.rows, found.failures
    with _staging(folder) as staged:
        drawn = staged / "figures"
        drawn.mkdir()
        if not rows:
            # Earlier results are worth more than an empty table.
            first = f", the first: {failures[0]}" if failures else ""
            raise TrialsFailedError(f"all {len(failures)} trials failed{first}")
        found.draw(drawn)
        texts = {
            "table.csv": tables.to_csv(rows, found.row_type),
            "table.md": tables.to_markdown(rows) + _said(failures),
            "table.tex": tables.to_latex(rows),
            **found.texts,
        }
        if config is not None:
            facts = {
                "trials": len(rows) + len(failures),
                "failures": len(failures),
                "seconds": round(time.perf_counter() - start, 2),
                **(environment or {}),
            }
            texts["config.toml"] = _resolved(config, sources)
            texts["environment.json"] = _environment(sources, config.background, **facts)
        for name, text in texts.items():
            if text:
                (staged / name).write_text(text, encoding="utf-8")
            else:  # what an earlier run had to say is no longer so
                (folder / name).unlink(missing_ok=True)
    return Results(folder, rows, failures, time.perf_counter() - start)


def _said(failures: Sequence[AdaptiveKMeansError]) -> str:
    lines = [f"- {' '.join(str(failure).split())}" for failure in failures]
    return "\n".join([f"\n{len(lines)} trials failed:", "", *lines, ""]) if lines else ""


@dataclass(frozen=True)
class _Found:
    """What an experiment measured, and how it is shown."""

    rows: list[Any]
    failures: list[AdaptiveKMeansError]
    row_type: type[Any]
    draw: Callable[[Path], None]
    texts: dict[str, str] = field(default_factory=dict)
    """More files, by name."""


def _stored(store: Store, view: compression.View | None = None) -> _Found:
    """Return what the store of an experiment of compression holds."""
    found = compression.found(store, view)
    compared = comparison.compare(found.measured, found.figures.anchor)
    csv = tables.to_csv(compared, comparison.ComparisonRow) if compared else ""
    texts = {
        "summary.md": comparison.to_markdown(compared),
        "comparison.csv": csv,
        "published.md": published.to_markdown(found.measured, found.published),
    }
    draw = partial(
        figures.draw_all,
        measured=found.measured,
        shown=found.shown,
        asked=found.figures,
        published=found.published,
    )
    return _Found([m.row for m in found.measured], found.failures, Row, draw, texts)


def _measure(
    config: ClusteringSpeedConfig
    | CodingSizeConfig
    | CoderAblationConfig
    | ClassifiersConfig
    | ElbowConfig,
    sources: list[ImageSource],
    jobs: int,
) -> _Found:
    """Run an experiment that is no matter of the store."""
    failures: list[AdaptiveKMeansError]
    if isinstance(config, ClusteringSpeedConfig):
        speeds = run_clustering_speed(config, sources)
        summary = clustering_speed.summarize(speeds) if speeds else ""
        draw = partial(speed_figures.draw_all, rows=speeds)
        return _Found(speeds, [], SpeedRow, draw, {"summary.md": summary})
    if isinstance(config, CodingSizeConfig):
        sizes, failures = run_coding_size(config, sources, jobs)
        summary = coding_size.summarize(sizes)
        draw = partial(coding_figures.draw_sizes, rows=sizes)
        return _Found(sizes, failures, CodingSizeRow, draw, {"summary.md": summary})
    if isinstance(config, ClassifiersConfig):
        choices, failures = run_classifiers(config, sources, jobs)
        summary = classifiers.summarize(choices)
        draw = partial(study_figures.draw_classifiers, rows=choices)
        return _Found(choices, failures, ClassifierRow, draw, {"summary.md": summary})
    if isinstance(config, ElbowConfig):
        points, failures = run_elbow(config, sources, jobs)
        summary = elbow.summarize(points)
        draw = partial(study_figures.draw_elbows, rows=points)
        return _Found(points, failures, ElbowRow, draw, {"summary.md": summary})
    growths, failures = run_coder_ablation(config, sources, jobs)
    summary = coder_ablation.summarize(growths)
    draw = partial(coding_figures.draw_ablation, rows=growths)
    return _Found(growths, failures, AblationRow, draw, {"summary.md": summary})


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


def _resolved(config: AnyConfig, sources: Sequence[ImageSource]) -> str:
    """Return the config as TOML with every default filled in, and images by name."""
    import tomli_w

    document = config.model_dump(exclude_none=True)
    document["images"] = [source.name for source in sources]
    return tomli_w.dumps(document)


def _environment(sources: Sequence[ImageSource], background: str | None, **run: float) -> str:
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
