"""The elbow of an image: distortion, PSNR and bytes of real files against k.

A config:

.. code-block:: toml

    kind = "elbow"
    name = "elbow"
    images = ["chelsea"]
    k = [2, 4, 8, 16, 32, 64, 128, 256]
    coder = "context-mixing"
    color_space = "rgb"
    seed = 0
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from matplotlib.figure import Figure
from pydantic import Field

from adaptive_kmeans.clustering import elbow
from adaptive_kmeans.clustering.elbow import KS
from adaptive_kmeans.codec import AdaptiveKMeans, Settings
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.experiment.codec_trials import expand
from adaptive_kmeans.experiment.rows import Row
from adaptive_kmeans.experiment.runner import run_trials
from adaptive_kmeans.experiment.schema import Experiment, check_once
from adaptive_kmeans.experiment.studies.opaque import opaque_images
from adaptive_kmeans.experiment.style import COLORS
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
    k: Annotated[list[int], Field(min_length=2)] = Field([2, 4, 8, 16, 32, 64, 128, 256])
    coder: str = "deflate"
    color_space: str = "rgb"
    seed: int = 0

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
