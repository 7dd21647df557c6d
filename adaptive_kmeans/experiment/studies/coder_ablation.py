"""What each group of contexts saves: index maps coded without it, against all contexts.

A config:

.. code-block:: toml

    kind = "coder-ablation"
    name = "coder_ablation"
    images = ["chelsea"]
    k = [16, 256]
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from adaptive_kmeans import codec
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.coding.context_mixing.ablation import groups, index_map_bytes
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.experiment.schema import Experiment, Integers
from adaptive_kmeans.experiment.studies.opaque import opaque_images
from adaptive_kmeans.experiment.trials import Measurement, StudyTrial, load

VERSION = 1
NOTHING = "nothing"


class CoderAblationConfig(Experiment):
    """Groups of contexts × images × k: index maps coded without each group."""

    kind: Literal["coder-ablation"]
    k: Integers

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
