"""The elbow of an image: distortion, PSNR and bytes of real files against k."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pydantic import Field

from adaptive_kmeans.clustering import elbow
from adaptive_kmeans.clustering.elbow import KS
from adaptive_kmeans.codec import AdaptiveKMeans, Settings
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment.codec_trials import expand
from adaptive_kmeans.experiment.keys import Coder, ColorSpace
from adaptive_kmeans.experiment.labels import End, label_ends
from adaptive_kmeans.experiment.rows import Row
from adaptive_kmeans.experiment.runner import run_trials
from adaptive_kmeans.experiment.schema import Experiment, check_once
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
    rows : list of Row
        One file for each k, in increasing order.
    distortions : list of float
        Mean squared error of each, over pixels and channels.
    k : int
        The elbow: the k beyond which more codewords gain little.
    """

    rows: list[Row]
    distortions: list[float]
    k: int


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
    codecs = [AdaptiveKMeans(dataclasses.replace(settings, k1=k, k2=None)) for k in sorted(set(ks))]
    return _curve(run_trials(expand([source], codecs, background=background)))


def smallest_k(
    curve: ElbowCurve,
    source: ImageSource,
    settings: Settings,
    psnr_db: float,
    *,
    background: str | None = None,
) -> Row | None:
    """Return the file with the fewest codewords that reaches a PSNR; None if none does.

    Between the values of k of the curve it is searched by halving, as PSNR rises with k.
    """
    reached = [row for row in curve.rows if (row.psnr_db or 0.0) >= psnr_db]
    if not reached:
        return None
    best = reached[0]
    below = max((row.k or 0 for row in curve.rows if (row.k or 0) < (best.k or 0)), default=0)
    while (best.k or 0) - below > 1:
        k = (below + (best.k or 0)) // 2
        codec = AdaptiveKMeans(dataclasses.replace(settings, k1=k, k2=None))
        outcome = run_trial(expand([source], [codec], background=background)[0])
        for error in outcome.measured.errors:
            raise error
        row: Row = outcome.measured.rows[0]
        if (row.psnr_db or 0.0) >= psnr_db:
            best = row
        else:
            below = k
    return best


def _curve(outcomes: Iterable[Outcome]) -> ElbowCurve:
    """Return the curve of files in increasing order of k, or raise the error of one that failed."""
    rows: list[Row] = []
    for outcome in outcomes:
        for error in outcome.measured.errors:
            raise error
        rows += outcome.measured.rows
    distortions = [PEAK**2 / 10 ** ((row.psnr_db or 0.0) / 10) for row in rows]
    return ElbowCurve(rows, distortions, elbow([row.k or 0 for row in rows], distortions))


class ElbowConfig(Experiment):
    """Files of regular K-means over k, and the k at the elbow of each image's distortion."""

    kind: Literal["elbow"]
    k: Annotated[list[int], Field(min_length=2)] = Field(
        [2, 4, 8, 16, 32, 64, 128, 256],
        description="Codewords where the curve is measured; the elbow depends on the largest.",
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

    TERMINAL: ClassVar[dict[str, str]] = {
        "image": "image",
        "k": "k",
        "MSE": "mse",
        "PSNR dB": "psnr_db",
        "bytes": "bytes",
        "bpp": "bits_per_pixel",
        "elbow": "is_elbow",
    }

    image_set: str
    image: str
    k: int
    mse: float
    psnr_db: float
    bytes: int
    bits_per_pixel: float
    is_elbow: int


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
    codecs = [AdaptiveKMeans(Settings.regular(each, **settings)) for each in k]
    trials = expand([source], codecs, ("psnr",), background, repeats=0)
    curve = _curve(map(run_trial, trials))
    rows = [
        ElbowRow(
            image_set=source.set_name,
            image=source.name,
            k=row.k or 0,
            mse=mse,
            psnr_db=row.psnr_db or 0.0,
            bytes=row.bytes,
            bits_per_pixel=row.bits_per_pixel,
            is_elbow=int(row.k == curve.k),
        )
        for row, mse in zip(curve.rows, curve.distortions, strict=True)
    ]
    return Measurement(rows)


def summarize(rows: Sequence[ElbowRow]) -> str:
    """Return Markdown tables: the elbow of every image, and how many images have it at each k."""
    lines = ["| set | image | k at the elbow | PSNR dB | bytes | k at the elbow over log k |"]
    lines += ["| :-- | :-- | --: | --: | --: | --: |"]
    for place in dict.fromkeys((row.image_set, row.image) for row in rows):
        curve = [row for row in rows if (row.image_set, row.image) == place]
        chosen = next(row for row in curve if row.is_elbow)
        over_log = elbow([row.k for row in curve], [row.mse for row in curve], log_k=True)
        lines.append(
            f"| {' | '.join(place)} | {chosen.k} | {chosen.psnr_db:.2f} | {chosen.bytes:,} "
            f"| {over_log} |"
        )
    ks = sorted({row.k for row in rows})
    lines += ["", f"| images with the elbow at k = | {' | '.join(map(str, ks))} |"]
    lines += [f"| :-- |{' --: |' * len(ks)}"]
    for name in dict.fromkeys(row.image_set for row in rows):
        often = collections.Counter(r.k for r in rows if r.image_set == name and r.is_elbow)
        lines.append(f"| {name} | {' | '.join(str(often[k]) for k in ks)} |")
    return "\n".join(lines) + "\n"


def draw_elbow(curve: ElbowCurve) -> Figure:
    """Draw distortion, PSNR and bytes against k, with the elbow marked."""
    figure = Figure(figsize=(11.0, 3.4), layout="constrained")
    ks = [row.k or 0 for row in curve.rows]
    panels: tuple[tuple[str, Sequence[float | None]], ...] = (
        ("mean squared error", curve.distortions),
        ("PSNR, dB", [row.psnr_db for row in curve.rows]),
        ("bytes of the file", [row.bytes for row in curve.rows]),
    )
    for axes, (label, values) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        axes.plot(ks, values, marker="o", markersize=4, color=COLORS[0])
        chosen = ks.index(curve.k)
        axes.plot(curve.k, values[chosen], marker="s", markersize=9, color=COLORS[1], zorder=3)
        axes.axvline(curve.k, color=COLORS[1], linestyle="--", linewidth=1)
        axes.set_xlabel("k, codewords")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    figure.suptitle(f"{curve.rows[0].image}: elbow at k = {curve.k}", fontsize=11)
    return figure


def draw(rows: Sequence[ElbowRow]) -> Iterator[tuple[str, Drawn]]:
    """Draw where elbows lie, and the curves that they lie on: a row for each set.

    The first panel counts the images with their elbow at each k, by the rule over k and over log k.
    The others show every image's distortion, scaled as the rule does, and its PSNR against its
    rate, with a marker at the elbow.
    """
    if not rows:
        return
    sets = list(dict.fromkeys(row.image_set for row in rows))
    ks = sorted({row.k for row in rows})
    figure = blank(TWO_COLUMNS, 0.35 + 2.1 * len(sets))
    grid = figure.subplots(len(sets), 3, squeeze=False)
    ends: dict[Axes, list[End]] = {}
    for axes_row, name in zip(grid, sets, strict=True):
        curves: dict[str, list[ElbowRow]] = {}
        for row in rows:
            if row.image_set == name:
                curves.setdefault(row.image, []).append(row)
        counts, scaled, quality = axes_row
        _draw_counts(counts, list(curves.values()), ks)
        counts.set_title(f"{name}, {counted(len(curves), 'image')}")
        few = len(curves) <= MAX_SERIES
        for i, (image, curve) in enumerate(curves.items()):
            at = next(place for place, row in enumerate(curve) if row.is_elbow)
            style = look(i if few else ks.index(curve[at].k))
            rates, psnrs = [r.bits_per_pixel for r in curve], [r.psnr_db for r in curve]
            lines = (scaled, [r.k for r in curve], _normalized(curve)), (quality, rates, psnrs)
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
                    label=f"elbow at k = {curve[at].k}",
                )
            drawn = [point for point in zip(rates, psnrs, strict=True) if math.isfinite(point[1])]
            if few and drawn:  # a lossless file is not on the curve
                end = End(f"{image}: {curve[at].k}", *drawn[-1], style["color"])
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
    images = counted(len({(row.image_set, row.image) for row in rows}), "image")
    yield (
        "elbows",
        Drawn(
            figure,
            f"Elbows of {images}: on how many they lie at each k, by the rule over k and over "
            "log k; the mean squared error of each image, scaled to 0..1; its PSNR against its "
            "rate. Markers: the elbow over k.",
        ),
    )


def _draw_counts(axes: Axes, curves: Sequence[Sequence[ElbowRow]], ks: Sequence[int]) -> None:
    """Count the images with their elbow at each k, by both rules."""
    rules = {
        "over k": [next(row.k for row in curve if row.is_elbow) for curve in curves],
        "over log k": [
            elbow([row.k for row in curve], [row.mse for row in curve], log_k=True)
            for curve in curves
        ],
    }
    for i, (name, chosen) in enumerate(rules.items()):
        often = [chosen.count(k) for k in ks]
        places = [place + 0.4 * (i - 0.5) for place in range(len(ks))]
        style: dict[str, Any] = {"color": COLORS[i], "hatch": 2 * HATCHES[i], "edgecolor": "white"}
        bars = axes.bar(places, often, 0.4, label=name, **style)
        axes.bar_label(bars, [str(n) if n else "" for n in often], fontsize=6, padding=1)
    axes.set_xticks(range(len(ks)), [str(k) for k in ks])
    axes.set_xlabel("k at the elbow")
    axes.set_ylabel("images")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def _normalized(curve: Sequence[ElbowRow]) -> list[float]:
    """Scale distortion to 0..1, as the rule of the elbow does; a flat curve is 0 everywhere."""
    mses = [row.mse for row in curve]
    height = mses[0] - mses[-1]
    return [(mse - mses[-1]) / height if height > 0 else 0.0 for mse in mses]
