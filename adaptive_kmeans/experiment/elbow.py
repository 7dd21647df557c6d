"""The elbow of an image: distortion, PSNR and bytes of real files against k, and where to stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from adaptive_kmeans.clustering import elbow
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.experiment.figures import COLORS
from adaptive_kmeans.experiment.runner import run_trials
from adaptive_kmeans.experiment.trials import Row, expand

KS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
PEAK = 255.0


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
        The elbow: the k after which more codewords gain little.
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
    """Make and measure a file for each k, and choose k at the elbow of the distortion.

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
    shared = {
        "block_size": settings.block_size,
        "coder": settings.coder,
        "color_space": settings.color_space,
        "seed": settings.seed,
    }
    sizes = sorted(set(ks))
    trials = expand([source], [Settings.regular(k, **shared) for k in sizes], background=background)
    rows = []
    for outcome in run_trials(trials):
        if outcome.row is None:
            raise outcome.error or AssertionError
        rows.append(outcome.row)
    distortions = [PEAK**2 / 10 ** ((row.psnr_db or 0.0) / 10) for row in rows]
    return ElbowCurve(rows, distortions, elbow(sizes, distortions))


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
