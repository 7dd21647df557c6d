"""The elbow of an image: distortion, PSNR and bytes of real files against k."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pydantic import Field

from adaptive_kmeans.clustering import elbow
from adaptive_kmeans.clustering.elbow import KS
from adaptive_kmeans.codec import AdaptiveKMeans, Settings
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment.codec_trials import CodecTrial, expand
from adaptive_kmeans.experiment.columns import (
    columns_of,
    derived,
    label,
    measured,
    parameter,
    rows_of,
    table_of,
)
from adaptive_kmeans.experiment.keys import Coder, ColorSpace
from adaptive_kmeans.experiment.kind import study
from adaptive_kmeans.experiment.labels import End, label_ends
from adaptive_kmeans.experiment.runner import run_trials
from adaptive_kmeans.experiment.schema import Experiment, check_once
from adaptive_kmeans.experiment.series import groups
from adaptive_kmeans.experiment.studies.opaque import opaque_images
from adaptive_kmeans.experiment.style import (
    COLORS,
    CONTEXT,
    HATCHES,
    MAX_SERIES,
    TWO_COLUMNS,
    Drawn,
    blank,
    label_doubling,
    look,
)
from adaptive_kmeans.experiment.trials import Measurement, Outcome, StudyTrial, run_trial
from adaptive_kmeans.metrics import PEAK

VERSION = 1


@dataclass(frozen=True)
class ElbowCurve:
    """Files of regular K-means over k.

    Parameters
    ----------
    table : DataFrame
        A row for each k, in increasing order, with the columns of `ElbowRow`.
    """

    table: pd.DataFrame

    @property
    def k(self) -> int:
        """The elbow: the k beyond which more codewords gain little."""
        return int(self.table.loc[self.table["is_elbow"] == 1, "k"].iloc[0])


def elbow_curve(
    source: ImageSource,
    settings: Settings,
    *,
    ks: Sequence[int] = KS,
    background: str | None = None,
) -> ElbowCurve:
    """Encode and measure a file for each k, and choose k at the elbow of the distortion.

    Parameters
    ----------
    source : ImageSource
        The image.
    settings : Settings
        Coder, color space and seed; the codebook sizes are replaced.
    ks : sequence of int
        Codebook sizes, at least two.
    background : str, optional
        Color for a translucent image.
    """
    trials = _trials(source, settings, sorted(set(ks)), background)
    rows = [asdict(row) for row in _rows(source, run_trials(trials))]
    return ElbowCurve(table_of(rows, columns_of(ElbowRow)))


def smallest_k(
    curve: ElbowCurve,
    source: ImageSource,
    settings: Settings,
    psnr_db: float,
    *,
    background: str | None = None,
) -> Mapping[str, Any] | None:
    """Return the file with the fewest codewords that reaches a PSNR; None if none does.

    Between the curve's values of k it is found by bisection, since PSNR rises with k.

    Returns
    -------
    mapping or None
        The row of the file, with `k`, `psnr_db` and `bytes`.
    """
    reached: list[Any] = curve.table[curve.table["psnr_db"] >= psnr_db].to_dict("records")
    if not reached:
        return None
    best: Mapping[str, Any] = reached[0]
    below = max((k for k in curve.table["k"] if k < best["k"]), default=0)
    while best["k"] - below > 1:
        k = (below + best["k"]) // 2
        (row,) = _measured(map(run_trial, _trials(source, settings, [k], background)))
        if row["psnr_db"] >= psnr_db:
            best = row
        else:
            below = k
    return best


def _trials(
    source: ImageSource, settings: Settings, ks: Sequence[int], background: str | None
) -> list[CodecTrial]:
    codecs = [AdaptiveKMeans(dataclasses.replace(settings, k1=k, k2=None)) for k in ks]
    return expand([source], codecs, ("psnr",), background, repeats=0)


def _measured(outcomes: Iterable[Outcome]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of files, or raise the error of one that failed."""
    for outcome in outcomes:
        for error in outcome.measured.errors:
            raise error
        yield from outcome.measured.rows


def _rows(source: ImageSource, outcomes: Iterable[Outcome]) -> list[ElbowRow]:
    """Return the rows of files in increasing order of k, with the elbow marked."""
    files = list(_measured(outcomes))
    mses = [PEAK**2 / 10 ** (row["psnr_db"] / 10) for row in files]
    at = elbow([row["k"] for row in files], mses)
    return [
        ElbowRow(
            image_set=source.set_name,
            image=source.name,
            k=row["k"],
            mse=mse,
            psnr_db=row["psnr_db"],
            bytes=row["bytes"],
            bits_per_pixel=row["bits_per_pixel"],
            is_elbow=int(row["k"] == at),
        )
        for row, mse in zip(files, mses, strict=True)
    ]


class ElbowConfig(Experiment):
    """Files of regular K-means over k, and the k at the elbow of each image's distortion."""

    kind: Literal["elbow"]
    k: Annotated[list[int], Field(min_length=2)] = Field(
        [2, 4, 8, 16, 32, 64, 128, 256],
        description="Codebook sizes of the curve; the elbow depends on the largest one.",
    )
    coder: Coder = "deflate"
    color_space: ColorSpace = "rgb"
    seed: int = Field(0, description="Seed of the clustering.")

    def settings(self, k: int) -> Settings:
        """Return the settings of the file with k codewords."""
        return Settings.regular(k, coder=self.coder, color_space=self.color_space, seed=self.seed)

    def check(self) -> None:
        """Check all settings."""
        super().check()
        for k in self.k:
            self.settings(k)
        check_once("k", self.k)


@dataclass(frozen=True)
class ElbowRow:
    """A row of the table: the file of an image at one k, and whether the elbow is at this k.

    `mse` is the mean squared error over pixels and channels. The elbow is that of `mse` over the
    measured values of k, on linear axes.
    """

    image_set: str = label()
    image: str = parameter("image")
    k: int = parameter("k")
    mse: float = measured(".3f", "MSE")
    psnr_db: float = measured(".3f", "PSNR dB", tolerance=0.001)
    bytes: int = measured(",", "bytes")
    bits_per_pixel: float = derived(".3f", "bpp")
    is_elbow: int = measured("d", "elbow")


def plan(config: ElbowConfig, sources: Sequence[ImageSource]) -> list[StudyTrial]:
    """List a trial for each image.

    Translucent images are skipped unless the config has a background; skipped ones are printed.
    """
    arguments = {
        "k": sorted(config.k),
        "coder": config.coder,
        "color_space": config.color_space,
        "seed": config.seed,
    }
    return [
        StudyTrial("elbow", VERSION, source, config.background, _measure, arguments)
        for source in opaque_images(sources, config.background)
    ]


def _measure(
    source: ImageSource, background: str | None, k: Sequence[int], **settings: Any
) -> Measurement:
    """Encode and measure the files of an image in increasing order of k, and find their elbow."""
    trials = _trials(source, Settings.regular(k[0], **settings), k, background)
    return Measurement([asdict(row) for row in _rows(source, map(run_trial, trials))])


def summarize(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the elbow of every image, and how many images have it at each k."""
    chosen = table[table["is_elbow"] == 1]
    over_log = {
        place: _elbow_over_log(curve) for place, curve in table.groupby(["image_set", "image"])
    }
    elbows = [
        {
            "set": row.image_set,
            "image": row.image,
            "k at the elbow": str(row.k),
            "PSNR dB": f"{row.psnr_db:.2f}",
            "bytes": f"{row.bytes:,}",
            "k at the elbow over log k": str(over_log[row.image_set, row.image]),
        }
        for row in rows_of(chosen)
    ]
    often = chosen.groupby(["image_set", "k"], sort=False).size()
    counts = [
        {"set": name} | {f"elbow at k = {k}": str(often.get((name, k), 0)) for k in _ks(table)}
        for name in table["image_set"].unique()
    ]
    return [pd.DataFrame(elbows), pd.DataFrame(counts)]


def _elbow_over_log(curve: pd.DataFrame) -> int:
    return elbow(list(curve["k"]), list(curve["mse"]), log_k=True)


def _ks(table: pd.DataFrame) -> list[int]:
    return sorted(table["k"].unique())


def draw_elbow(curve: ElbowCurve) -> Figure:
    """Draw distortion, PSNR and bytes against k, with the elbow marked."""
    figure = Figure(figsize=(11.0, 3.4), layout="constrained")
    panels = {"mse": "mean squared error", "psnr_db": "PSNR, dB", "bytes": "bytes of the file"}
    chosen = curve.table[curve.table["is_elbow"] == 1]
    for axes, (name, title) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        axes.plot(curve.table["k"], curve.table[name], marker="o", markersize=4, color=COLORS[0])
        axes.plot(chosen["k"], chosen[name], marker="s", markersize=9, color=COLORS[1], zorder=3)
        axes.axvline(curve.k, color=COLORS[1], linestyle="--", linewidth=1)
        axes.set_xlabel("k, codewords")
        axes.set_ylabel(title)
        axes.grid(alpha=0.3)
    figure.suptitle(f"{chosen['image'].iloc[0]}: elbow at k = {curve.k}", fontsize=11)
    return figure


def draw(table: pd.DataFrame) -> Iterator[tuple[str, Drawn]]:
    """Draw where elbows lie, and the curves that they lie on: a row for each set.

    The first panel counts the images with their elbow at each k, by the rule over k and over log k.
    The others show every image's distortion, scaled as the rule does, and its PSNR against its
    rate, with a marker at the elbow.
    """
    if table.empty:
        return
    sets, ks = list(table["image_set"].unique()), _ks(table)
    figure = blank(TWO_COLUMNS, 0.35 + 2.1 * len(sets))
    grid = figure.subplots(len(sets), 3, squeeze=False)
    ends: dict[Axes, list[End]] = {}
    for axes_row, name in zip(grid, sets, strict=True):
        curves = groups(table[table["image_set"] == name], "image")
        counts, scaled, quality = axes_row
        _draw_counts(counts, list(curves.values()), ks)
        counts.set_title(f"{name}, {counted(len(curves), 'image')}")
        few = len(curves) <= MAX_SERIES
        for i, (image, curve) in enumerate(curves.items()):
            at = list(curve["is_elbow"]).index(1)
            k = curve["k"].iloc[at]
            style = look(i if few else ks.index(k))
            rates, psnrs = list(curve["bits_per_pixel"]), list(curve["psnr_db"])
            lines = (scaled, list(curve["k"]), _normalized(curve)), (quality, rates, psnrs)
            for axes, across, up in lines:
                axes.plot(
                    across, up, color=style["color"] if few else CONTEXT, linewidth=0.7, zorder=1
                )
                axes.plot(
                    across[at],
                    up[at],
                    style["marker"],
                    color=style["color"],
                    markeredgecolor="white",
                    markeredgewidth=0.4,
                    zorder=3,
                    label=f"elbow at k = {k}",
                )
            drawn = [point for point in zip(rates, psnrs, strict=True) if math.isfinite(point[1])]
            if few and drawn:  # a lossless file is not on the curve
                end = End(f"{image}: {k}", *drawn[-1], style["color"])
                ends.setdefault(quality, []).append(end)
        label_doubling(scaled, ks)
        scaled.set_xlabel("k, codewords")
        scaled.set_ylabel("mean squared error, scaled")
        quality.set_xlabel("rate, bits per pixel")
        quality.set_ylabel("PSNR, dB")
        for axes in (scaled, quality):
            axes.grid()
        if not few:
            known = dict(zip(*reversed(quality.get_legend_handles_labels()), strict=True))
            order = [f"elbow at k = {k}" for k in ks if f"elbow at k = {k}" in known]
            scaled.legend([known[label] for label in order], order, loc="upper right")
    label_ends(figure, ends)
    images = counted(len(table[["image_set", "image"]].drop_duplicates()), "image")
    yield (
        "elbows",
        Drawn(
            figure,
            f"Elbows of {images}: on how many they lie at each k, by the rule over k and over "
            "log k; the mean squared error of each image, scaled to 0..1; its PSNR against its "
            "rate. Markers: the elbow over k.",
        ),
    )


def _draw_counts(axes: Axes, curves: Sequence[pd.DataFrame], ks: Sequence[int]) -> None:
    """Count the images with their elbow at each k, by both rules."""
    rules = {
        "over k": [curve.loc[curve["is_elbow"] == 1, "k"].iloc[0] for curve in curves],
        "over log k": [_elbow_over_log(curve) for curve in curves],
    }
    for i, (name, chosen) in enumerate(rules.items()):
        often = [chosen.count(k) for k in ks]
        places = [place + 0.4 * (i - 0.5) for place in range(len(ks))]
        style: dict[str, Any] = {"color": COLORS[i], "hatch": 2 * HATCHES[i], "edgecolor": "white"}
        bars = axes.bar(places, often, 0.4, label=name, **style)
        axes.bar_label(bars, [str(n) if n else "" for n in often], fontsize=7, padding=1)
    axes.set_xticks(range(len(ks)), [str(k) for k in ks])
    axes.set_xlabel("k at the elbow")
    axes.set_ylabel("images")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def _normalized(curve: pd.DataFrame) -> list[float]:
    """Scale distortion to 0..1, as the rule of the elbow does; a flat curve is 0 everywhere."""
    mses = curve["mse"]
    height = mses.iloc[0] - mses.iloc[-1]
    return list((mses - mses.iloc[-1]) / height if height > 0 else 0.0 * mses)


KIND = study("elbow", ElbowConfig, columns_of(ElbowRow), plan, summarize=summarize, draw=draw)
