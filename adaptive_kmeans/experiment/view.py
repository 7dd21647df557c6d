"""The part of a store that an experiment shows.

A store may hold more trials than an experiment has. Its *view* of the store is its config, the keys
of its trials in the order of the table, and the image for its figures. The view is stored too, so
that the table and figures can be made again without images and without running a trial.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from adaptive_kmeans import files, image
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    ReadError,
    TrialsFailedError,
    UnknownNameError,
    one_line,
)
from adaptive_kmeans.experiment import environment
from adaptive_kmeans.experiment.columns import KEY, Column, from_csv, required, table_of
from adaptive_kmeans.experiment.config import check_config, read_config
from adaptive_kmeans.experiment.findings import (
    NOTHING_SHOWN,
    Findings,
    Measured,
    OtherCurve,
    Shown,
)
from adaptive_kmeans.experiment.interchange import compressai
from adaptive_kmeans.experiment.kind import Kind
from adaptive_kmeans.experiment.kinds import KINDS
from adaptive_kmeans.experiment.origin import CONFIG
from adaptive_kmeans.experiment.rows import METRICS
from adaptive_kmeans.experiment.runner import run_stored
from adaptive_kmeans.experiment.schema import CompressionConfig, Experiment
from adaptive_kmeans.experiment.store import FILE_NAME, Store, Stored
from adaptive_kmeans.experiment.trials import UNREADABLE, Trial, hash_images, load
from adaptive_kmeans.progress import say, with_bar

TABLE = "table.csv"
MAX_TABLE_BYTES = 2**30
VIEW = "view"
"""Key of the stored file that holds the view."""


@dataclass(frozen=True)
class View:
    """The part of a store that an experiment shows.

    Parameters
    ----------
    config : dict
        The config.
    trials : list of [key, image name, set name]
        Its trials, in the order of the table.
    picture : str or None
        Name of the image that figures show.
    original : str or None
        Key of the stored file with the original of this image.
    originals : dict of str to str
        Keys of the originals of all images by their names, if all files are kept.
    others : list of dict
        Curves that others have published; see `OtherCurve`.
    resolved : str
        The config as TOML, with the names of the images.
    environment : dict
        What the numbers depend on besides the config, and facts about the run when it has ended.
    """

    config: dict[str, Any]
    trials: list[tuple[str, str, str]]
    picture: str | None = None
    original: str | None = None
    originals: dict[str, str] = field(default_factory=dict)
    others: list[dict[str, Any]] = field(default_factory=list)
    resolved: str = ""
    environment: dict[str, Any] = field(default_factory=dict)


def run(
    config: Experiment,
    sources: Sequence[ImageSource],
    store: Store,
    *,
    jobs: int,
    scheduler: str | None = None,
    retry_failed: bool = False,
    keep_files: bool = False,
) -> View:
    """Run the trials that the store does not hold yet; store the view and return it.

    Parameters
    ----------
    config : Experiment
        The experiment.
    sources : sequence of ImageSource
        Its images.
    store : Store
        The store of its folder.
    jobs, scheduler
        See `run_stored`.
    retry_failed : bool
        Whether to run failed trials again.
    keep_files : bool
        Whether to store the file of every trial and the original of every image, not only those of
        the image that figures show. Once they are kept, later runs keep them.
    """
    others = [dataclasses.asdict(curve) for curve in read_others(config, sources)]
    keep_files = keep_files or bool(
        store.file(VIEW) and read(store).originals
    )  # files once kept stay kept
    hashes = hash_images(sources, config.background)
    shown: list[tuple[str, str, str]] = []
    trials: dict[str, Trial] = {}
    kind = KINDS[config.kind]
    for trial in with_bar("listing trials", kind.plan(config, sources)):
        key = trial.key(hashes[trial.image.name])
        shown.append((key, trial.image.name, trial.image.set_name))
        trials.setdefault(key, trial if scheduler is None else _absolute(trial))
    picture, original = None, None
    if kind.shows_picture:
        picture, original = _store_picture(config, sources, hashes, store)
    originals = _store_originals(config, sources, hashes, store) if keep_files else {}
    view = View(
        config.model_dump(mode="json"),
        shown,
        picture,
        original,
        originals,
        others,
        environment.resolved(config, sources),
        environment.environment(sources, config.background),
    )
    summaries = [(key, trial.summary) for key, trial in trials.items()]
    store.add(with_bar("storing trials", summaries))
    write(store, view)
    kept = _kept(view)
    if picture is not None or kind.needs_data:
        store.require_files(list(kept))
    if retry_failed:
        store.retry_failed(list(trials))
    is_timed = kind.is_timed(config)
    run_stored(trials, store, jobs=jobs, scheduler=scheduler, kept=kept, alone=is_timed)
    return view


def write(store: Store, view: View) -> None:
    """Store a view."""
    store.put_file(VIEW, json.dumps(dataclasses.asdict(view)).encode())


def _kept(view: View) -> Collection[str]:
    """Return the keys of the trials whose data are kept."""
    shown = (None, *view.originals) if view.originals else (None, view.picture)
    return {key for key, name, _ in view.trials if view.picture is None or name in shown}


@dataclass(frozen=True)
class Seen:
    """A view with the outcomes of its trials.

    Parameters
    ----------
    config : Experiment
    findings : Findings
    failures : list of AdaptiveKMeansError
        Errors of the trials that failed, wholly or in part.
    trials : int
        How many trials have ended.
    seconds : float
        Total time of all trials, including those of earlier runs.
    view : View or None
        The view; None without a store.
    """

    config: Experiment
    findings: Findings
    failures: list[AdaptiveKMeansError]
    trials: int
    seconds: float
    view: View | None = None


def see(store: Store, view: View | None = None) -> Seen:
    """Return the findings of a view; by default that of the last run.

    Raises
    ------
    ReadError
        No experiment has stored a view, or the store is damaged or of another version.
    """
    if view is None:
        view = read(store)
    try:
        config = check_config(view.config, str(store.path))
    except UnknownNameError as error:
        raise _of_a_plugin(store, error.received) from error
    except AdaptiveKMeansError as error:
        metrics = view.config.get("metrics")
        if isinstance(metrics, list) and (
            unknown := [name for name in metrics if name not in METRICS]
        ):
            raise _of_a_plugin(store, unknown[0]) from error
        raise _of_another_version(store, error) from error
    kind = KINDS[config.kind]
    keys = [key for key, *_ in view.trials]
    store.states(keys)  # raises an error if one is missing
    over = store.over(keys)
    measured = _measured(view, kind, over, store)
    failures: list[AdaptiveKMeansError] = [
        TrialsFailedError(error) for trial in over.values() for error in trial.errors
    ]
    shown = NOTHING_SHOWN
    if kind.shows_picture:
        png = None if view.original is None else store.file(view.original)
        pixels = None if png is None else image.decode_image(png).pixels
        shown = Shown(view.picture, pixels, _others(view, store))
    seconds = sum(trial.seconds for trial in over.values())
    findings = kind.find(config, measured, shown)
    return Seen(config, findings, failures, len(over), seconds, view)


def see_folder(folder: Path) -> Seen:
    """Return what a folder of results holds, from its store or, without one, from its table.

    Committed results have no store. Their table has every number, but there are no files to show.

    Raises
    ------
    ReadError
        There are no results, or they are damaged.
    """
    if (folder / FILE_NAME).exists():
        with Store(folder, create=False) as store:
            return see(store)
    if not (folder / CONFIG).exists() or not (folder / TABLE).exists():
        expected = f"a folder of results, with {FILE_NAME}, or with {CONFIG} and {TABLE}"
        raise ReadError(str(folder), expected, "none")
    config = read_config(folder / CONFIG)
    kind = KINDS[config.kind]
    table = _read_table(folder / TABLE, kind).assign(**{KEY: ""})
    shown = NOTHING_SHOWN
    try:
        sets = set(table["image_set"]) if "image_set" in table else set()
        shown = shown._replace(others=_read_others(config, sets))
    except ReadError as error:
        say(f"note: without curves of others: {error}")
    return Seen(config, kind.find(config, Measured(table, {}), shown), [], len(table), 0.0)


def _read_table(path: Path, kind: Kind) -> pd.DataFrame:
    """Read a table; columns that it lacks are empty, and unknown ones are dropped."""
    try:
        table = from_csv(files.read_bytes(path, MAX_TABLE_BYTES).decode(), kind.columns)
    except (ValueError, TypeError) as error:
        if isinstance(error, AdaptiveKMeansError):
            raise
        raise ReadError(str(path), "a table that `run` wrote", one_line(error)) from error
    names = [name for name in required(kind.columns) if table[name].isna().all()]
    if len(table) and names:
        raise ReadError(str(path), f"the columns {', '.join(required(kind.columns))}", "others")
    return table


def read(store: Store) -> View:
    """Return the view of the last run.

    Raises
    ------
    ReadError
        No experiment has stored a view, or it is of another version.
    """
    document = store.file(VIEW)
    if document is None:
        raise ReadError(str(store.path), "a store that an experiment has used", "no view")
    try:
        return View(**json.loads(document))
    except (TypeError, ValueError) as error:
        raise _of_another_version(store, error) from error


def read_others(config: Experiment, sources: Sequence[ImageSource]) -> list[OtherCurve]:
    """Read the curves published by others that the figures of a config name.

    Those that are means over a set that none of the images belongs to are left out.

    Raises
    ------
    ReadError
        A file cannot be read.
    """
    return _read_others(config, {source.set_name for source in sources})


def _read_others(config: Experiment, sets: Collection[str]) -> list[OtherCurve]:
    if not isinstance(config, CompressionConfig):
        return []
    return [
        compressai.read(Path(path), name)
        for name, paths in config.figures.others.items()
        for path in paths
        if name in sets
    ]


def _others(view: View, store: Store) -> list[OtherCurve]:
    try:
        return [OtherCurve(**curve) for curve in view.others]
    except TypeError as error:
        raise _of_another_version(store, error) from error


def _measured(view: View, kind: Kind, over: Mapping[str, Stored], store: Store) -> Measured:
    """Collect the rows and the data of stored trials; columns that were added later are empty."""
    columns = {**kind.columns, KEY: Column("name")}
    rows: list[dict[str, Any]] = []
    data: dict[str, bytes] = {}
    for key, name, set_name in view.trials:
        if key not in over:
            continue
        # The same pixels may have several names.
        place = {"image": name, "image_set": set_name, KEY: key}
        for cells in over[key].rows:
            row = {**cells, **place}
            if unknown := [column for column in cells if column not in columns]:
                raise _of_a_plugin(store, f"the column {unknown[0]}")
            if missing := [column for column in required(columns) if column not in row]:
                raise _of_another_version(store, f"no column {missing[0]}")
            rows.append(row)
        file = store.file(key) if view.picture in (None, name) else None
        if file is not None:
            data[key] = file
    return Measured(table_of(rows, columns), data)


def _of_another_version(store: Store, error: Exception | str) -> ReadError:
    expected = "rows of this version; move the file away to start afresh"
    return ReadError(str(store.path), expected, f"others ({error})")


def _of_a_plugin(store: Store, what: object) -> ReadError:
    expected = "only what this version and installed plug-ins know"
    received = f"{what}, perhaps of a plug-in that is not installed"
    return ReadError(str(store.path), expected, received)


def _absolute(trial: Any) -> Any:
    """Make the path of a trial's image absolute, since workers run in other folders."""
    return dataclasses.replace(trial, image=trial.image.absolute())


def _store_picture(
    config: Experiment, sources: Sequence[ImageSource], hashes: dict[str, str], store: Store
) -> tuple[str | None, str | None]:
    """Store the original of the image that figures show, by default the first readable one."""
    names = [source.name for source in sources if not hashes[source.name].startswith(UNREADABLE)]
    if not names:
        return None, None
    wanted = config.model_dump()["figures"]["picture"]
    picture = wanted if wanted in names else names[0]
    source = next(source for source in sources if source.name == picture)
    return picture, _store_original(config, source, hashes, store)


def _store_originals(
    config: Experiment, sources: Sequence[ImageSource], hashes: dict[str, str], store: Store
) -> dict[str, str]:
    """Store the originals of all readable images; return their keys by name."""
    readable = [source for source in sources if not hashes[source.name].startswith(UNREADABLE)]
    return {source.name: _store_original(config, source, hashes, store) for source in readable}


def _store_original(
    config: Experiment, source: ImageSource, hashes: dict[str, str], store: Store
) -> str:
    original = f"original {hashes[source.name]}"
    if store.file(original) is None:
        store.put_file(original, image.encode_image(load(source, config.background)))
    return original
