"""What each group of contexts saves: index maps coded without it and with all contexts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import pandas as pd
from matplotlib.ticker import FixedLocator

from adaptive_kmeans import codec
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.coding.context_mixing.ablation import groups, index_map_bytes
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment import tables
from adaptive_kmeans.experiment.columns import columns_of, derived, label, measured, parameter
from adaptive_kmeans.experiment.keys import Ks
from adaptive_kmeans.experiment.kind import study
from adaptive_kmeans.experiment.schema import Experiment, check_once
from adaptive_kmeans.experiment.studies.opaque import opaque_images
from adaptive_kmeans.experiment.style import CONTEXT, TWO_COLUMNS, Drawn, blank, look
from adaptive_kmeans.experiment.trials import Measurement, StudyTrial, load

VERSION = 1
NOTHING = "nothing"

GROWTH_TICKS = (-1, 0, 1, 2, 5, 10, 20, 50, 100)
"""In percent; the axis of the figure is linear up to one percent, then logarithmic."""


class CoderAblationConfig(Experiment):
    """Groups of contexts × images × k: index maps coded without each group."""

    SAMPLE: ClassVar = {"k": [16, 64]}

    kind: Literal["coder-ablation"]
    k: Ks

    def check(self) -> None:
        """Check the codebook sizes."""
        super().check()
        for k in self.k:
            Settings.regular(k)
        check_once("k", self.k)


@dataclass(frozen=True)
class AblationRow:
    """A row of the table: an image's index map at one k, coded without one group of contexts.

    `without` is "nothing" if all contexts are used. `growth_percent` is relative to that; it is
    negative if the group costs more than it saves.
    """

    image_set: str = label()
    image: str = parameter("image")
    k: int = parameter("k")
    without: str = parameter("without")
    payload_bytes: int = measured(",", "bytes")
    growth_percent: float = derived("+.2f", "growth %")


def plan(config: CoderAblationConfig, sources: Sequence[ImageSource]) -> list[StudyTrial]:
    """List a trial for each image and k.

    Translucent images are skipped unless the config has a background; skipped ones are printed.
    """
    return [
        StudyTrial("coder-ablation", VERSION, source, config.background, _measure, {"k": k})
        for source in opaque_images(sources, config.background)
        for k in config.k
    ]


def _measure(source: ImageSource, background: str | None, k: int) -> Measurement:
    """Code the index map with all contexts, then without each group."""
    quantized = codec.quantize(load(source, background), Settings.regular(k))
    parts = quantized.index_map, quantized.pixel_regions, quantized.codebooks
    whole = index_map_bytes(*parts)
    rows = [AblationRow(source.set_name, source.name, k, NOTHING, whole, 0.0)]
    for group in groups():
        size = index_map_bytes(*parts, without=group)
        growth = 100 * (size / whole - 1) if whole else 0.0
        rows.append(AblationRow(source.set_name, source.name, k, group, size, growth))
    return Measurement([asdict(row) for row in rows])


def summarize(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the mean and the largest growth: a row for each group, a column for each set and k."""

    def cells(rows: pd.DataFrame) -> dict[str, str]:
        growth = rows["growth_percent"]
        largest = rows.sort_values("growth_percent").iloc[-1]
        most = f"{growth.max():+.2f} ({largest['image']})"
        return {"mean %": f"{growth.mean():+.2f}", "largest %": most}

    left_out = table[table["without"] != NOTHING]
    heading = "{}, k = {}".format
    return [tables.pivoted(left_out, ["without"], ["image_set", "k"], cells, heading)]


def draw(table: pd.DataFrame) -> Iterator[tuple[str, Drawn]]:
    """Draw how index maps grow without each group of contexts: a panel for each k.

    A bar is the mean over all images, and a point is one image.
    """
    left_out = table[table["without"] != NOTHING]
    groups = list(left_out["without"].unique())
    if not groups:
        return
    ks, sets = sorted(table["k"].unique()), list(table["image_set"].unique())
    figure = blank(TWO_COLUMNS, 1.0 + 0.2 * len(groups))
    grid = figure.subplots(1, len(ks), squeeze=False, sharex=True, sharey=True)[0]
    for axes, k in zip(grid, ks, strict=True):
        own = left_out[left_out["k"] == k]
        means = own.groupby("without")["growth_percent"].mean()[groups]
        axes.barh(range(len(groups)), means, color=CONTEXT, label="mean of all images")
        for i, name in enumerate(sets):
            chosen = own[own["image_set"] == name]
            axes.plot(
                chosen["growth_percent"],
                chosen["without"].map(groups.index),
                **{**look(i), "linestyle": ""},
                markersize=3,
                alpha=0.7,
                label=f"an image of {name}",
            )
        axes.axvline(0, color="black", linewidth=0.6)
        axes.set_xscale("symlog", linthresh=1.0)
        axes.xaxis.set_major_locator(FixedLocator(GROWTH_TICKS))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_title(f"k = {k}")
        axes.set_xlabel("growth of the index map, %")
        axes.grid(axis="x")
    grid[0].set_yticks(range(len(groups)), groups, fontsize=7)
    grid[0].invert_yaxis()
    figure.legend(
        *grid[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=min(4, 1 + len(sets)),
    )
    images = counted(table["image"].nunique(), "image")
    yield (
        "growth_without_group",
        Drawn(
            figure,
            f"Growth of the index maps of {images} when a group of contexts is left out: a point "
            "for each image, a bar for the mean. The axis is linear up to 1 %, then logarithmic.",
        ),
    )


KIND = study(
    "coder-ablation",
    CoderAblationConfig,
    columns_of(AblationRow),
    plan,
    summarize=summarize,
    draw=draw,
)
