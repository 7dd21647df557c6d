"""Running an experiment and writing its folder of results, which is replaced as a whole."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from adaptive_kmeans import files
from adaptive_kmeans.datasets import ImageSource, find_images
from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    ConfigError,
    OutputError,
    TrialsFailedError,
    counted,
)
from adaptive_kmeans.experiment import origin, tables, view
from adaptive_kmeans.experiment.columns import Columns
from adaptive_kmeans.experiment.config import read_config
from adaptive_kmeans.experiment.kinds import KINDS
from adaptive_kmeans.experiment.schema import CompressionConfig, Experiment
from adaptive_kmeans.experiment.series import MAX_IMAGES
from adaptive_kmeans.experiment.store import FILE_NAME, Store
from adaptive_kmeans.image import parse_color
from adaptive_kmeans.progress import say
from adaptive_kmeans.threads import thread_count

_STAGED, _COMPLETE = ".part-", ".complete"
"""Folders of results that are being made, and of complete ones that are being put in place."""
_LIST = ".files"
"""Names of the files of complete results."""
GENERATED = (
    *("table.csv", "table.md", "table.tex", "comparison.csv"),
    *("summary.md", "summary.tex", "published.md", "published.tex"),
)
"""Tables that results may have."""


@dataclass(frozen=True)
class Results:
    """What a run wrote, and the outcomes of its trials.

    Parameters
    ----------
    folder : Path
        The folder of results.
    table : DataFrame
        A row for each file or measurement of the trials that succeeded.
    columns : mapping of str to Column
        The columns of the table, as its kind of experiment declares them.
    failures : list of AdaptiveKMeansError
        Errors of the others.
    seconds : float
        Time of the whole run, including figures.
    left_out : str
        A sentence on what the summary leaves out; "" if that is nothing.
    """

    folder: Path
    table: pd.DataFrame
    columns: Columns
    failures: list[AdaptiveKMeansError]
    seconds: float
    left_out: str = ""

    def paths(self) -> list[Path]:
        """List the tables and the figures, without their captions."""
        written = [self.folder / name for name in ("table.md", "summary.md", "published.md")]
        present = [path for path in written if path.exists()]
        figures = sorted((self.folder / "figures").iterdir())
        return [*present, *(path for path in figures if path.suffix != ".txt")]


def run_experiment(
    config_path: Path,
    *,
    images: Sequence[str] | None = None,
    background: str | None = None,
    results: Path = Path("results"),
    jobs: int | None = None,
    scheduler: str | None = None,
    changes: Sequence[str] = (),
    retry_failed: bool = False,
    force: bool = False,
    repair: bool = False,
    keep_files: bool = False,
) -> Results:
    """Run the experiment of a config file and write its folder of results.

    Parameters
    ----------
    config_path : Path
        The TOML config.
    images : sequence of str, optional
        Images to measure instead of the config's: files, folders, globs or bundled names.
    background : str, optional
        Color over which translucent images are flattened, instead of the config's.
    results : Path
        The parent of the folder of results, which has the name of the experiment and holds
        ``table.csv``, ``table.md``, ``table.tex``, ``config.toml``, ``environment.json``,
        ``figures/``, and the store of trials: finished trials are not run again.
    jobs : int, optional
        Trials to run at once, each in a process; by default one per processor. Experiments that
        measure times always run them one at a time.
    scheduler : str, optional
        Address of a Dask scheduler whose workers run the trials.
    changes : sequence of str
        ``key=value`` to override keys of the config; see `read_config`.
    retry_failed : bool
        Whether to rerun trials that failed in an earlier run.
    force : bool
        Whether to replace results of another config, other images or other versions.
    repair : bool
        Whether to drop damaged entries of the store, which are printed, and measure them again.
    keep_files : bool
        Whether the store keeps the files of all trials, for `interchange.reconstructions`.

    Raises
    ------
    ConfigError, ReadError
        The config or an image's name is wrong, or the folder has results of something else; see
        `adaptive_kmeans.experiment.origin`.
    OutputError
        The folder cannot be written; earlier results in it are kept.
    TrialsFailedError
        No trial succeeded; earlier results are kept.
    """
    start = time.perf_counter()
    config, sources = read_experiment(config_path, images, changes, background)
    folder = results / config.name
    finish_replacing(folder)
    if not force:
        origin.require_same(folder, config, sources)
    files.make_folder(folder)
    if KINDS[config.kind].is_timed(config):
        if scheduler is not None or jobs not in (None, 1):
            say("note: trials run one at a time, because their times are measured")
        jobs, scheduler = 1, None
    jobs = jobs or thread_count()
    with Store(folder) as store:
        for dropped in store.repair() if repair else ():
            say(f"dropped: damage in {dropped}")
        shown = view.run(
            config,
            sources,
            store,
            jobs=jobs,
            scheduler=scheduler,
            retry_failed=retry_failed,
            keep_files=keep_files,
        )
        with publishing(store, folder):
            seen = view.see(store, shown)
            ended = _ended(shown, seen, jobs, start)
            view.write(store, ended)
            return _publish(folder, dataclasses.replace(seen, view=ended), start)


def _ended(shown: view.View, seen: view.Seen, jobs: int, start: float) -> view.View:
    """Return a run's view with facts about the run, which has ended."""
    facts = {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "trials": seen.trials,
        "failures": len(seen.failures),
        "seconds": round(time.perf_counter() - start, 2),
        "jobs": jobs,
        "trial_seconds": round(seen.seconds, 2),
        **seen.findings.facts,
    }
    return dataclasses.replace(shown, environment=facts | shown.environment)


def read_experiment(
    config_path: Path,
    images: Sequence[str] | None = None,
    changes: Sequence[str] = (),
    background: str | None = None,
) -> tuple[Experiment, list[ImageSource]]:
    """Read a config and find its images, or the ones given instead."""
    config = read_config(config_path, changes)
    if background is not None:
        parse_color(background)
        config = config.model_copy(update={"background": background})
        config.check()
    if images is not None:
        config = config.model_copy(update={"images": list(images)})
    if files.STANDARD_STREAM in config.images:
        expected = "files, which later runs can read; compare and elbow take standard input"
        raise ConfigError("images", expected, files.STANDARD_STREAM)
    try:
        sources = find_images(config.images)
    except ConfigError as error:
        if images is None:
            error.what = f"{config_path}: {error.what}"
        raise
    if isinstance(config, CompressionConfig) and images is None:
        _check_picture(config, sources)
        _check_others(config, sources)
    view.read_others(config, sources)  # report what cannot be read before anything is run
    return config, sources


@contextlib.contextmanager
def publishing(store: Store, folder: Path) -> Iterator[None]:
    """Lock a folder's tables and figures for writing; remove what a killed run left behind."""
    with store.publishing():
        for left in folder.glob(f"{_STAGED}*"):
            shutil.rmtree(left, ignore_errors=True)
        _finish_replacing(folder)
        yield


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runners from writing tables and figures, if there is a store."""
    if not (folder / FILE_NAME).exists():
        _finish_replacing(folder)
        yield
        return
    with Store(folder, create=False) as store, publishing(store, folder):
        yield


def publish_again(folder: Path, seen: view.Seen) -> Results:
    """Rewrite the tables and figures of a folder of results from its store alone.

    Without a store, its tables and pictures stay as they are.
    """
    return _publish(folder, seen, time.perf_counter())


def _publish(folder: Path, seen: view.Seen, start: float) -> Results:
    """Write tables and figures, and the config and environment that the store has."""
    found, failures = seen.findings, seen.failures
    table, columns = found.table, KINDS[seen.config.kind].columns
    with _staging(folder) as staged:
        if table.empty:
            # Earlier results are better than an empty table.
            if not failures:
                raise TrialsFailedError(str(folder), "trials that are finished", "none")
            raise TrialsFailedError(f"all {len(failures)} trials failed, the first: {failures[0]}")
        drawn = staged / "figures"
        drawn.mkdir()
        texts: dict[str, str] = {}
        if (folder / FILE_NAME).exists():
            cells = tables.rounded(table, columns)
            texts["table.csv"] = tables.to_csv(table, columns)
            texts["table.md"] = tables.to_markdown(cells) + _failure_list(failures)
            texts["table.tex"] = tables.of_paper(table, columns)
        else:
            _copy(folder, staged, ["table.csv", "table.md", "table.tex"])
            _copy(folder / "figures", drawn, [path.name for path in folder.glob("figures/*.*")])
        found.draw(drawn)
        texts |= {
            **{f"{name}.md": summary.to_markdown() for name, summary in found.summaries.items()},
            **{f"{name}.tex": summary.to_latex() for name, summary in found.summaries.items()},
            **found.csvs,
        }
        if seen.view is not None and seen.view.resolved:
            facts = json.dumps(seen.view.environment, indent=2, ensure_ascii=False)
            texts |= {origin.CONFIG: seen.view.resolved, origin.ENVIRONMENT: f"{facts}\n"}
        for name, text in texts.items():
            if text:
                (staged / name).write_text(text, encoding="utf-8")
    seconds = time.perf_counter() - start
    return Results(folder, table, columns, failures, seconds, found.summaries["summary"].note)


def _copy(place: Path, target: Path, names: Sequence[str]) -> None:
    for name in names:
        if (place / name).exists():
            shutil.copyfile(place / name, target / name)


def _failure_list(failures: Sequence[AdaptiveKMeansError]) -> str:
    lines = [f"- {' '.join(str(failure).split())}" for failure in failures]
    return "\n".join([f"\n{counted(len(lines), 'trial')} failed:", "", *lines, ""]) if lines else ""


def _check_picture(config: CompressionConfig, sources: list[ImageSource]) -> None:
    names = [source.name for source in sources]
    if config.figures.picture not in (None, *names):
        expected = f"one of {', '.join(names)}"
        raise ConfigError("figures.picture", expected, config.figures.picture)


def _check_others(config: CompressionConfig, sources: list[ImageSource]) -> None:
    sets = dict.fromkeys(source.set_name for source in sources)
    for name in config.figures.others:
        if name not in sets:
            raise ConfigError("figures.others", f"a set of the images, {' or '.join(sets)}", name)
    if config.figures.others and len(sources) <= MAX_IMAGES:
        say(f"note: figures.others are means, not drawn beside {MAX_IMAGES} images or fewer")


@contextlib.contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Provide a folder to write to, whose files replace those of `folder` on success."""
    try:
        staged = Path(tempfile.mkdtemp(prefix=_STAGED, dir=folder))
        try:
            yield staged
            names = [path.relative_to(staged).as_posix() for path in staged.rglob("*.*")]
            (staged / _LIST).write_text("\n".join(names), encoding="utf-8")
            staged.rename(folder / _COMPLETE)
            _put_in_place(folder / _COMPLETE, folder)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
            with contextlib.suppress(OSError):
                folder.rmdir()  # only succeeds if it is empty
    except AdaptiveKMeansError:
        raise
    except OSError as error:
        expected = "a folder that can be written"
        raise OutputError(str(folder), expected, files.reason(error)) from error


def finish_replacing(folder: Path) -> None:
    """Finish what a killed run began: put complete results in place."""
    if (folder / _COMPLETE).is_dir():
        with locked(folder):
            pass


def _finish_replacing(folder: Path) -> None:
    complete = folder / _COMPLETE
    if complete.is_dir():
        _put_in_place(complete, folder)


def _put_in_place(complete: Path, folder: Path) -> None:
    """Replace the files one by one, and remove figures that the new results do not have.

    Each step can be repeated, and what is not done yet stays in the folder `_COMPLETE`. If a run is
    killed here, the next command that uses the results finishes its work.
    """
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    kept = set((complete / _LIST).read_text("utf-8").splitlines())
    for path in figures.iterdir():
        if path.relative_to(folder).as_posix() not in kept and path.is_file():
            path.unlink()
    for name in GENERATED:
        if name not in kept:
            (folder / name).unlink(missing_ok=True)
    for path in sorted(complete.rglob("*")):
        if path.is_file() and path.name != _LIST:
            path.replace(folder / path.relative_to(complete))
    shutil.rmtree(complete)
