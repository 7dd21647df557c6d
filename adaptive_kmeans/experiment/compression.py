"""The compression experiment: a store of its trials, and the table and figures made from it.

A store may hold more trials than an experiment has. Its *view* of the store is the keys of its
trials, in the order of the table, and the image for its figures. The view is stored too, so that
the table and figures can be made again without images and without running a trial.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adaptive_kmeans import image
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    MissingDependencyError,
    ReadError,
    TrialsFailedError,
)
from adaptive_kmeans.experiment.figures import Shown
from adaptive_kmeans.experiment.rows import Row
from adaptive_kmeans.experiment.runner import run_stored
from adaptive_kmeans.experiment.schema import CompressionConfig, Figures, Published
from adaptive_kmeans.experiment.series import Measured, named
from adaptive_kmeans.experiment.store import Store
from adaptive_kmeans.experiment.trials import (
    METRICS,
    UNREADABLE,
    Trial,
    expand,
    hash_images,
    load,
)
from adaptive_kmeans.progress import say

VIEW = "view"
"""Key of the stored file that holds the view."""


@dataclass(frozen=True)
class View:
    """What an experiment shows of a store.

    Parameters
    ----------
    trials : list of [key, image name, set name]
        Its trials, in the order of the table.
    picture : str or None
        Name of the image that figures show.
    original : str or None
        Key of the stored file with the original of this image.
    figures : dict
        The section ``figures`` of the config.
    published : dict or None
        Its section ``published``.
    """

    trials: list[tuple[str, str, str]]
    picture: str | None
    original: str | None
    figures: dict[str, Any]
    published: dict[str, Any] | None = None


def plan(config: CompressionConfig, sources: Sequence[ImageSource]) -> list[Trial]:
    """List the trials of an experiment; codecs and metrics without their library are skipped.

    Skipped ones are printed. A codec that the config names in two ways, such as ``jpeg`` and
    ``jpeg:75``, has one trial per image.

    Returns
    -------
    list of Trial
        Image by image, in the order of the config's methods.
    """
    skipped: dict[str, None] = {}  # a set in order

    def skip(name: str, error: MissingDependencyError) -> None:
        skipped[f"skipped: {name}: {error}"] = None

    codecs = list(config.codecs(skip))
    metrics = []
    for name in config.metrics:
        package = METRICS[name].package
        if package is None or importlib.util.find_spec(package) is not None:
            metrics.append(name)
        else:
            skipped[f"skipped: {name}: pip install 'adaptive-kmeans[metrics]' brings it"] = None
    for message in skipped:
        say(message)
    repeats = config.repeats if config.timing else 0
    return expand(sources, codecs, metrics, config.background, repeats)


def keyed(config: CompressionConfig, sources: Sequence[ImageSource]) -> dict[str, Trial]:
    """Return the trials of an experiment by their keys in the store."""
    return dict(_plan_keyed(config, sources, hash_images(sources, config.background)))


def run(
    config: CompressionConfig,
    sources: Sequence[ImageSource],
    store: Store,
    *,
    jobs: int,
    scheduler: str | None = None,
    retry_failed: bool = False,
) -> View:
    """Run the trials that the store does not hold yet; store the view and return it.

    Parameters
    ----------
    config : CompressionConfig
        The experiment.
    sources : sequence of ImageSource
        Its images.
    store : Store
        The store of its folder.
    jobs, scheduler
        See `run_stored`.
    retry_failed : bool
        Whether to run failed trials again.
    """
    hashes = hash_images(sources, config.background)
    shown: list[tuple[str, str, str]] = []
    trials: dict[str, Trial] = {}
    for key, trial in _plan_keyed(config, sources, hashes):
        shown.append((key, trial.image.name, trial.image.set_name))
        trials.setdefault(key, trial if scheduler is None else _absolute(trial))
    picture, original = _store_picture(config, sources, hashes, store)
    published = None if config.published is None else config.published.model_dump()
    view = View(shown, picture, original, config.figures.model_dump(), published)
    store.put_file(VIEW, json.dumps(dataclasses.asdict(view)).encode())
    store.add((key, trial.summary) for key, trial in trials.items())
    kept = {key for key, name, _ in shown if name == picture}
    store.require_files(list(kept))
    if retry_failed:
        store.retry_failed(list(trials))
    run_stored(trials, store, jobs=jobs, scheduler=scheduler, kept=kept)
    return view


@dataclass(frozen=True)
class StoredTrials:
    """The trials of a view that have ended, and how to show them.

    Parameters
    ----------
    measured : list of Measured
        The trials that succeeded, with the names of their series.
    failures : list of AdaptiveKMeansError
        Errors of the others.
    shown : Shown
        The image that figures show.
    figures : Figures
        Which figures to draw.
    published : Published or None
        Published numbers to compare with.
    seconds : float
        Total time of all trials, including those of earlier runs.
    """

    measured: list[Measured]
    failures: list[AdaptiveKMeansError]
    shown: Shown
    figures: Figures
    published: Published | None
    seconds: float


def stored_trials(store: Store, view: View | None = None) -> StoredTrials:
    """Return the trials of a view; by default that of the last run.

    Raises
    ------
    ReadError
        No experiment has stored a view.
    """
    if view is None:
        document = store.file(VIEW)
        if document is None:
            raise ReadError(str(store.path), "a store that an experiment has used", "no view")
        view = View(**json.loads(document))
    over = store.over([key for key, *_ in view.trials])
    measured: list[Measured] = []
    failures: list[AdaptiveKMeansError] = []
    for key, name, set_name in view.trials:
        if key not in over:
            continue
        trial = over[key]
        if trial.row is None:
            failures.append(TrialsFailedError(trial.error or ""))
            continue
        # The same pixels may have several names.
        row = _row(trial.row, name, set_name, store)
        data = store.file(key) if name == view.picture else None
        measured.append(Measured(row, data))
    png = None if view.original is None else store.file(view.original)
    pixels = None if png is None else image.decode_image(png).pixels
    shown = Shown(view.picture, pixels)
    published = None if view.published is None else Published.model_validate(view.published)
    seconds = sum(trial.seconds for trial in over.values())
    return StoredTrials(
        named(measured), failures, shown, Figures(**view.figures), published, seconds
    )


def _row(cells: dict[str, Any], name: str, set_name: str, store: Store) -> Row:
    """Make a row of a stored trial; metrics that were added later are None."""
    metrics = dict.fromkeys(metric.column for metric in METRICS.values())
    try:
        return Row(**{**metrics, **cells, "image": name, "image_set": set_name})
    except TypeError as error:
        expected = "rows of this version; move the file away to start afresh"
        raise ReadError(str(store.path), expected, f"others ({error})") from error


def _plan_keyed(
    config: CompressionConfig, sources: Sequence[ImageSource], hashes: dict[str, str]
) -> Iterator[tuple[str, Trial]]:
    for trial in plan(config, sources):
        yield trial.key(hashes[trial.image.name]), trial


def _absolute(trial: Trial) -> Trial:
    """Make the path of a trial's image absolute, since workers run in other folders."""
    if trial.image.path is None:
        return trial
    image = dataclasses.replace(trial.image, path=trial.image.path.absolute())
    return dataclasses.replace(trial, image=image)


def _store_picture(
    config: CompressionConfig, sources: Sequence[ImageSource], hashes: dict[str, str], store: Store
) -> tuple[str | None, str | None]:
    """Store the original of the image that figures show, by default the first readable one."""
    names = [source.name for source in sources if not hashes[source.name].startswith(UNREADABLE)]
    if not names:
        return None, None
    picture = config.figures.picture if config.figures.picture in names else names[0]
    source = next(source for source in sources if source.name == picture)
    original = f"original {hashes[picture]}"
    if store.file(original) is None:
        store.put_file(original, image.encode_image(load(source, config.background)))
    return picture, original
