"""A preview of a run: its trials, how long they will take, and what will fail."""

from __future__ import annotations

import statistics
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from adaptive_kmeans.baselines.checked import Baseline
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import AdaptiveKMeansError, OutputError, counted
from adaptive_kmeans.experiment import origin
from adaptive_kmeans.experiment.compression import LISTED
from adaptive_kmeans.experiment.kinds import KINDS
from adaptive_kmeans.experiment.results import read_experiment
from adaptive_kmeans.experiment.schema import CompressionConfig, Experiment
from adaptive_kmeans.experiment.store import FILE_NAME, Store, Stored
from adaptive_kmeans.experiment.trials import Pixels, Trial, hash_images, load, run_trial
from adaptive_kmeans.progress import say, trial_bar
from adaptive_kmeans.targets import Targeted
from adaptive_kmeans.threads import thread_count

SAMPLES = 5
SAMPLES_S = 1.0
"""Seconds after which no further trial is sampled, not counting the first warm-up."""
CORNER = 16
"""Side of the crop of an image that shows whether a codec accepts it."""


def estimate(
    config_path: Path,
    *,
    images: Sequence[str] | None = None,
    background: str | None = None,
    results: Path = Path("results"),
    jobs: int | None = None,
    changes: Sequence[str] = (),
    retry_failed: bool = False,
    force: bool = False,
) -> str:
    """Count all and the finished trials, estimate the time of the rest, and say what will fail.

    The estimate is the mean time of the finished trials. If there are none, up to `SAMPLES` trials
    spread over the plan are run, and their results discarded. What will fail is printed: images
    that cannot be read, codecs that refuse them, and libraries that are missing.

    Parameters
    ----------
    config_path, images, background, results, jobs, changes, retry_failed, force
        See `run_experiment`.

    Returns
    -------
    str
        One line.

    Raises
    ------
    ConfigError
        The run would be refused, because the folder has results made from something else.
    OutputError
        It would be refused, because there cannot be such a folder.
    """
    config, sources = read_experiment(config_path, images, changes, background)
    folder = results / config.name
    nearest = next((each for each in (folder, *folder.parents) if each.exists()), Path())
    if not nearest.is_dir():
        raise OutputError(str(folder), "a folder that can be written", f"{nearest}, a file")
    if not force:
        origin.require_same(folder, config, sources)
    kind = KINDS[config.kind]
    trials = (kind.survey or kind.plan)(config, sources)
    unreadable = _foresee(config, sources)
    ended = _ended(folder, config, sources, trials)
    finished = [trial for trial in ended if trial.is_done]
    failed = len(ended) - len(finished)
    left = max(0, len(trials) - (len(finished) if retry_failed else len(ended)))
    jobs = 1 if kind.is_timed(config) else jobs or thread_count()
    text = f"{config.name}: {counted(len(trials), 'trial')}, {len(finished)} finished"
    text += f", {failed} failed" if failed else ""
    seconds = [trial.seconds for trial in finished]
    if left and not seconds:
        seconds = _sample(trials, unreadable)
    if left and not seconds:
        return f"{text}; no time estimate: the trials that were tried failed"
    total = statistics.fmean(seconds) * left / jobs if left else 0.0
    return f"{text}; the rest will take about {_duration(total)}, {jobs} at a time"


def _ended(
    folder: Path, config: Experiment, sources: Sequence[ImageSource], trials: Sequence[Trial]
) -> list[Stored]:
    """Return the stored outcomes of the trials, or of the whole store if there are very many."""
    if not (folder / FILE_NAME).exists():
        return []
    with Store(folder, create=False) as store:
        if len(trials) > LISTED:
            return store.all_over()
        hashes = hash_images(sources, config.background)
        keys = dict.fromkeys(trial.key(hashes[trial.image.name]) for trial in trials)
        return list(store.over(list(keys)).values())


def _foresee(config: Experiment, sources: Sequence[ImageSource]) -> set[str]:
    """Print what will fail, and return the names of images that cannot be read."""
    unreadable: set[str] = set()
    corners: dict[int, tuple[str, Pixels]] = {}
    for source in sources:
        try:
            pixels = load(source, config.background)
        except AdaptiveKMeansError as error:
            say(f"will fail: {error}")
            unreadable.add(source.name)
            continue
        corners.setdefault(pixels.shape[2], (source.name, pixels[:CORNER, :CORNER].copy()))
    for name, corner in corners.values():
        for codec in _baselines(config):
            try:
                codec.decode(codec.encode(corner))
            except AdaptiveKMeansError as error:
                say(f"will fail: {name}, {codec.label}: {error}")
    return unreadable


def _baselines(config: Experiment) -> list[Baseline]:
    """Return the other codecs of an experiment, each with the first of its settings."""
    if not isinstance(config, CompressionConfig):
        return []
    found: dict[str, Baseline] = {}
    for codecs in config.codecs_by_method():
        codec = codecs[0] if codecs else None
        if isinstance(codec.codec if isinstance(codec, Targeted) else codec, Baseline):
            for each in codecs:
                baseline = each.codec if isinstance(each, Targeted) else each
                if isinstance(baseline, Baseline):
                    found.setdefault(baseline.name, baseline)
    return list(found.values())


def _sample(trials: Sequence[Trial], unreadable: Collection[str]) -> list[float]:
    """Run a few trials of images that can be read, and return the seconds of those that succeed."""
    step = max(1, len(trials) // SAMPLES)
    chosen = [trials[i] for i in range(0, len(trials), step)][:SAMPLES]
    chosen = [trial for trial in chosen if trial.image.name not in unreadable]
    found: list[float] = []
    with trial_bar(len(chosen)) as bar:
        bar.load()
        end: float | None = None
        for trial in chosen:
            run_trial(trial)  # loads its kernels
            end = end or time.monotonic() + SAMPLES_S
            outcome = run_trial(trial)
            found += [] if outcome.errors else [outcome.seconds]
            if time.monotonic() > end:
                break
        bar.stop()
    return found


def _duration(seconds: float) -> str:
    """Format a time in a suitable unit.

    Examples
    --------
    >>> _duration(5.4), _duration(400), _duration(20000)
    ('5 s', '7 min', '5.6 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
