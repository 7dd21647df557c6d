"""Speed of clustering engines: time, error and memory of ours and others, in one run.

Each engine and number of threads has its own process, in which it is warmed up and stays loaded.
For each image and k the engines alternate, repeat by repeat, so that all of them see the same
conditions; nothing else runs at the same time. An engine that has used up its time budget for an
image and k skips the remaining repeats.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from pydantic import Field

from adaptive_kmeans.alpha import require_opaque
from adaptive_kmeans.baselines.clustering import PACKAGES, engines
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    MissingDependencyError,
    TrialsFailedError,
    counted,
    one_line,
)
from adaptive_kmeans.experiment.columns import columns_of, derived, measured, parameter, timed
from adaptive_kmeans.experiment.keys import Integers, Ks, OneOf, Strict
from adaptive_kmeans.experiment.kind import always, study
from adaptive_kmeans.experiment.memory import PeakMemory
from adaptive_kmeans.experiment.schema import Experiment, check_once
from adaptive_kmeans.experiment.style import (
    CONTEXT,
    MAX_SERIES,
    TWO_COLUMNS,
    Drawn,
    blank,
    look,
    number_axis,
    numbered,
)
from adaptive_kmeans.experiment.tables import pivoted
from adaptive_kmeans.experiment.trials import Measurement, StudyTrial, load
from adaptive_kmeans.limits import MAX_CODEWORDS, check_integer
from adaptive_kmeans.processes import THREAD_VARIABLES
from adaptive_kmeans.progress import trial_bar

VERSION = 1
WARM_UP_SIDE, WARM_UP_K = 64, 8
MAX_THREADS = 1024

QUANTIZERS = ("libimagequant", "median-cut", "octree")
"""Engines that are not K-means on all pixels, though some refine their palettes with it."""
MAX_COLUMNS, MAX_ROWS = 3, 4
"""Maximum numbers of panels side by side and below each other."""

_workers: dict[tuple[str, int], ProcessPoolExecutor] = {}
"""The processes that run, by engine and number of threads."""


class EngineConfig(Strict):
    """A clustering engine and its numbers of threads."""

    engine: Annotated[str, OneOf(engines.names)] = Field(description="The engine.")
    threads: Integers = Field([2], description="Numbers of threads.")


class ClusteringSpeedConfig(Experiment):
    """Clustering engines × images × k × threads, timed alternately."""

    SAMPLE: ClassVar = {
        "k": [16, 256],
        "engines": [{"engine": "adaptive-kmeans:exact"}, {"engine": "scikit-learn"}],
    }

    kind: Literal["clustering-speed"]
    k: Ks
    engines: Annotated[list[EngineConfig], Field(min_length=1)]
    repeats: Annotated[int, Field(ge=1)] = Field(
        3, description="Number of runs, which give the median and the range."
    )
    budget_s: Annotated[float, Field(gt=0)] = Field(
        10.0, description="Seconds that an engine may take for an image and k before it skips runs."
    )

    def check(self) -> None:
        """Check that all engines exist, and that none is named twice."""
        super().check()
        named = []
        for contestant in self.engines:
            engines.create(contestant.engine)
            named += [f"{contestant.engine} on {threads}" for threads in contestant.threads]
            for threads in contestant.threads:
                check_integer("threads", threads, 1, MAX_THREADS)
        for k in self.k:
            check_integer("k", k, 1, MAX_CODEWORDS)
        check_once("k", self.k)
        check_once("engines and threads", named)


@dataclass(frozen=True)
class SpeedRow:
    """A row of the table: one engine on one image at one k.

    Times are the median and the range of the runs. The error is that of 8-bit pixels: codewords are
    rounded as they would be stored. `peak_mb` is the largest peak memory of the runs; see
    `PeakMemory`.
    """

    image: str = parameter("image")
    engine: str = parameter("engine")
    k: int = parameter("k")
    threads: int = parameter("threads")
    mse: float = measured(".3f", "MSE")
    psnr_db: float = measured(".3f", tolerance=0.001)
    seconds: float = timed(".4f", "seconds")
    seconds_min: float = timed(".4f")
    seconds_max: float = timed(".4f")
    runs: int = timed("d")
    iterations: int | None = derived("d")
    codewords: int = derived("d")
    peak_mb: float | None = timed(".0f", "MB")


@dataclass(frozen=True)
class _Timing:
    seconds: float
    mse: float
    iterations: int | None
    codewords: int
    peak_mb: float | None


def plan(config: ClusteringSpeedConfig, sources: Sequence[ImageSource]) -> list[StudyTrial]:
    """List a trial for each image and k, in which all engines take turns.

    Engines without their library are skipped and printed.
    """
    contestants = []
    with trial_bar(sum(len(each.threads) for each in config.engines)) as advance:
        for each in config.engines:
            for threads in each.threads:
                try:
                    _worker(each.engine, threads)
                    contestants.append([each.engine, threads])
                    advance("")
                except MissingDependencyError as error:
                    advance(f"skipped: {error}")
    fixed = {"contestants": contestants, "repeats": config.repeats, "budget_s": config.budget_s}
    return [
        StudyTrial(
            "clustering-speed",
            VERSION,
            source,
            config.background,
            _measure,
            {"k": k} | fixed,
            PACKAGES,
        )
        for source in sources
        for k in config.k
    ]


def _measure(
    source: ImageSource,
    background: str | None,
    k: int,
    contestants: Sequence[tuple[str, int]],
    repeats: int,
    budget_s: float,
) -> Measurement:
    """Time all engines in turn; one that fails does not stop the others."""
    runs: dict[tuple[str, int], list[_Timing]] = {(name, n): [] for name, n in contestants}
    errors: list[AdaptiveKMeansError] = []
    source = source.absolute()  # the processes may have started in another folder
    for _ in range(repeats):
        for (engine, threads), done in list(runs.items()):
            if sum(run.seconds for run in done) >= budget_s:
                continue
            arguments = (engine, threads, source, background, k)
            try:
                done.append(_worker(engine, threads).submit(_run, *arguments).result())
            except Exception as error:  # raised by a library, or the process died
                if isinstance(error, BrokenExecutor):
                    _workers.pop((engine, threads), None)  # the next k has a new one
                what = f"{source.name} at k = {k}, {engine}"
                errors.append(TrialsFailedError(f"{what}: {one_line(error)}"))
                del runs[engine, threads]
    rows = [_row(source.name, *contestant, k, done) for contestant, done in runs.items()]
    return Measurement([asdict(row) for row in rows], errors=errors)


def summarize(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Return engines × k over all images: times, errors, and times relative to the first engine.

    Times are geometric means in milliseconds, errors arithmetic means.
    """
    means, first = mean_points(table).reset_index(), table.iloc[0]
    if means.empty:
        return []
    own = means[(means["engine"] == first["engine"]) & (means["threads"] == first["threads"])]
    base = dict(zip(own["k"], own["seconds"], strict=True))

    def cells(rows: pd.DataFrame) -> dict[str, str]:
        point = rows.iloc[0]
        factor = point["seconds"] / base.get(point["k"], np.nan)
        return {
            "ms": f"{1000 * point['seconds']:.1f}",
            "MSE": f"{point['mse']:.3f}",
            "× time": "–" if np.isnan(factor) else f"{factor:.2f}",
        }

    return [pivoted(means, ["engine", "threads"], ["k"], cells, "k = {}".format)]


def mean_points(table: pd.DataFrame) -> pd.DataFrame:
    """Return each engine's geometric mean time in seconds and mean error by engine, threads, k.

    One that failed on an image has none: its means would be over easier or smaller images.
    """
    by = ["engine", "threads", "k"]
    images = table.groupby(by)["image"].transform("nunique")
    kept = table[images == table.groupby("k")["image"].transform("nunique")]
    found = kept.assign(seconds=np.log(kept["seconds"])).groupby(by, sort=False)
    means = found[["seconds", "mse"]].mean()
    return means.assign(seconds=np.exp(means["seconds"]))


def _row(image: str, engine: str, threads: int, k: int, runs: list[_Timing]) -> SpeedRow:
    seconds = [run.seconds for run in runs]
    mse = runs[-1].mse
    return SpeedRow(
        image=image,
        engine=engine,
        k=k,
        threads=threads,
        mse=mse,
        psnr_db=float(10 * np.log10(255**2 / mse)) if mse else float("inf"),
        seconds=statistics.median(seconds),
        seconds_min=min(seconds),
        seconds_max=max(seconds),
        runs=len(runs),
        iterations=runs[-1].iterations,
        codewords=runs[-1].codewords,
        peak_mb=max(filter(None, (run.peak_mb for run in runs)), default=None),
    )


def _worker(engine: str, threads: int) -> ProcessPoolExecutor:
    """Return the process of an engine, whose libraries use the given number of threads.

    Raises
    ------
    MissingDependencyError
        The engine's library is not installed.
    """
    if (engine, threads) not in _workers:
        worker = ProcessPoolExecutor(1, get_context("spawn"), _limit_threads, (threads,))
        worker.submit(_warm_up, engine, threads).result()
        _workers[engine, threads] = worker
    return _workers[engine, threads]


def _limit_threads(threads: int) -> None:
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(threads)


def _warm_up(engine: str, threads: int) -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (WARM_UP_SIDE, WARM_UP_SIDE, 3), dtype=np.uint8)
    engines.create(engine)(image, WARM_UP_K, threads)


def _run(engine: str, threads: int, source: ImageSource, background: str | None, k: int) -> _Timing:
    image = require_opaque(source.name, load(source, background))
    find = engines.create(engine)
    with PeakMemory() as peak:
        start = time.perf_counter()
        found = find(image, k, threads)
        seconds = time.perf_counter() - start
    codebook = np.clip(np.rint(found.codebook), 0, 255).astype(np.uint8)
    mse = _mean_squared_error(image, codebook, found.labels)
    return _Timing(seconds, mse, found.iterations, len(codebook), peak.mb)


def _mean_squared_error(
    image: npt.NDArray[np.uint8], codebook: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]
) -> float:
    difference = image.reshape(-1, 3).astype(np.int32) - codebook[labels.ravel()]
    return float(np.square(difference).mean())


def draw(table: pd.DataFrame) -> Iterator[tuple[str, Drawn]]:
    """Draw time against mean squared error: a row for each kind of engine, a column for each k.

    Times are geometric means, errors arithmetic, relative to the smallest at the same k. All panels
    have the same axes, and show the other engines in gray. Lower left is better; the gray line
    joins the engines that no other beats in both.
    """
    means = mean_points(table)
    if means.empty:
        return
    smallest = means.groupby("k")["mse"].transform("min")
    means = means.assign(percent=100 * means["mse"] / smallest)
    ks = sorted(means.index.unique("k"))
    rows = [(of, some) for of in _kinds(list(table["engine"].unique())) for some in _few(ks)]
    columns = max(len(some) for _, some in rows)
    drawn = []
    for start in range(0, len(rows), MAX_ROWS):
        page = rows[start : start + MAX_ROWS]
        figure = blank(TWO_COLUMNS, 0.3 + 2.0 * len(page))
        grid = figure.subplots(len(page), columns, squeeze=False, sharex=True, sharey=True)
        for axes_row, ((kind, names), some) in zip(grid, page, strict=True):
            for unused in axes_row[len(some) :]:
                unused.remove()
            for axes, k in zip(axes_row, some, strict=False):
                _draw_panel(axes, means[means.index.get_level_values("k") == k], names)
                error = smallest.xs(k, level="k").iloc[0]
                axes.set_title(f"k = {k} (100 %: MSE {error:.3g})\n{kind}")
            last = axes_row[len(some) - 1]
            last.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
        figure.supxlabel("time, s", fontsize=8)
        figure.supylabel("mean squared error, % of the smallest at this k", fontsize=8)
        drawn.append(figure)
    images = counted(table["image"].nunique(), "image")
    caption = (
        "Time and mean squared error of the 8-bit pixels of clustering engines: geometric and "
        f"arithmetic means over {images}. Errors are relative to the smallest at the same k, which "
        "titles state; both axes are logarithmic, and the same in all panels. Hollow: one thread; "
        "filled: several. Gray dots: the engines of the other panels; gray line: those that no "
        "other beats in both."
    )
    yield from numbered("time_against_error", [Drawn(figure, caption) for figure in drawn])


def _kinds(names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Split engines into those that run K-means on all pixels, and palette quantizers."""
    palettes = [name for name in names if name.partition(":")[0] in QUANTIZERS]
    kinds = {"K-means": [n for n in names if n not in palettes], "palette quantizers": palettes}
    return [
        (kind, own[start : start + MAX_SERIES])
        for kind, own in kinds.items()
        for start in range(0, len(own), MAX_SERIES)
    ]


def _few(ks: Sequence[int]) -> list[Sequence[int]]:
    return [ks[start : start + MAX_COLUMNS] for start in range(0, len(ks), MAX_COLUMNS)]


def _draw_panel(axes: Axes, of_k: pd.DataFrame, names: Sequence[str]) -> None:
    """Draw the engines of a panel, and in gray the others, at one k."""
    points = list(zip(of_k["seconds"], of_k["percent"], strict=True))
    axes.plot(*zip(*_front(points), strict=True), color=CONTEXT, zorder=0)
    others = of_k[~of_k.index.get_level_values("engine").isin(names)]
    axes.plot(others["seconds"], others["percent"], ".", color=CONTEXT, zorder=0)
    for i, engine in enumerate(names):
        if engine not in of_k.index.get_level_values("engine"):  # it failed
            continue
        own = of_k.loc[engine].droplevel("k").sort_index()
        style = look(i)
        axes.plot(own["seconds"], own["percent"], color=style["color"], linewidth=0.6)
        for threads, point in own.iterrows():
            face = "none" if threads == 1 else style["color"]
            label = engine if threads == own.index[-1] else "_"
            look_of = {"color": style["color"], "markerfacecolor": face, "label": label}
            axes.plot(point["seconds"], point["percent"], style["marker"], **look_of)
    axes.set_xscale("log")
    axes.set_yscale("log")
    number_axis(axes.xaxis)
    number_axis(axes.yaxis)
    axes.grid()


def _front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no other beats in both, sorted by time."""
    front: list[tuple[float, float]] = []
    for point in sorted(points):
        if not front or point[1] < front[-1][1]:
            front.append(point)
    return front


KIND = study(
    "clustering-speed",
    ClusteringSpeedConfig,
    columns_of(SpeedRow),
    plan,
    summarize=summarize,
    draw=draw,
    is_timed=always,
)
