"""What each group of contexts saves: index maps coded without it, against all contexts."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from matplotlib.ticker import FixedLocator

from adaptive_kmeans import codec
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.coding.context_mixing.ablation import groups, index_map_bytes
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment.keys import Ks
from adaptive_kmeans.experiment.schema import Experiment
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


@dataclass(frozen=True)
class AblationRow:
    """A row of the table: an image's index map at one k, coded without one group of contexts.

    `without` is "nothing" if all contexts are used. `growth_percent` is relative to that; it is
    negative if the group costs more than it saves.
    """

    TERMINAL: ClassVar[dict[str, str]] = {
        "image": "image",
        "k": "k",
        "without": "without",
        "bytes": "payload_bytes",
        "growth %": "growth_percent",
    }

    image_set: str
    image: str
    k: int
    without: str
    payload_bytes: int
    growth_percent: float


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
    return Measurement(rows)


def summarize(rows: Sequence[AblationRow]) -> str:
    """Return a Markdown table of groups × set and k: the mean and the largest growth."""
    columns = list(dict.fromkeys((row.image_set, row.k) for row in rows))
    heads = [f"{name}, k = {k}: mean % | largest %" for name, k in columns]
    lines = [f"| without | {' | '.join(heads)} |", f"| :-- |{' --: | --: |' * len(columns)}"]
    for group in dict.fromkeys(row.without for row in rows if row.without != NOTHING):
        cells = []
        for column in columns:
            chosen = [r for r in rows if (r.image_set, r.k) == column and r.without == group]
            largest = max(chosen, key=lambda row: row.growth_percent)
            mean = statistics.fmean(row.growth_percent for row in chosen)
            cells.append(f"{mean:+.2f} | {largest.growth_percent:+.2f} ({largest.image})")
        lines.append(f"| {group} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def draw(rows: Sequence[AblationRow]) -> Iterator[tuple[str, Drawn]]:
    """Draw how index maps grow without each group of contexts: a panel for each k.

    A bar is the mean of all images, a point an image.
    """
    groups = list(dict.fromkeys(row.without for row in rows if row.without != NOTHING))
    if not groups:
        return
    ks = sorted({row.k for row in rows})
    sets = list(dict.fromkeys(row.image_set for row in rows))
    figure = blank(TWO_COLUMNS, 1.0 + 0.2 * len(groups))
    grid = figure.subplots(1, len(ks), squeeze=False, sharex=True, sharey=True)[0]
    for axes, k in zip(grid, ks, strict=True):
        means = [
            statistics.fmean(r.growth_percent for r in rows if (r.k, r.without) == (k, group))
            for group in groups
        ]
        axes.barh(range(len(groups)), means, color=CONTEXT, label="mean of all images")
        for i, name in enumerate(sets):
            chosen = [r for r in rows if (r.k, r.image_set) == (k, name) and r.without != NOTHING]
            axes.plot(
                [r.growth_percent for r in chosen],
                [groups.index(r.without) for r in chosen],
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
    images = counted(len({row.image for row in rows}), "image")
    yield (
        "growth_without_group",
        Drawn(
            figure,
            f"Growth of the index maps of {images} when a group of contexts is left out: a point "
            "for each image, a bar for the mean. The axis is linear up to 1 %, then logarithmic.",
        ),
    )
