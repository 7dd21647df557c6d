"""Sizes of files of our coders and of lossless peers, all of the same reconstruction.

Every image is quantized once for each k, by regular K-means. Each of our coders and each peer codes
the result; a file counts only if it decodes to exactly the reconstruction. Peers run on one thread,
ours on the usual number, of which an image of one band uses one.
"""

from __future__ import annotations

import contextlib
import functools
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from pydantic import BeforeValidator, Field

from adaptive_kmeans import container
from adaptive_kmeans.baselines.lossless import Peer, peers
from adaptive_kmeans.codec import Settings, decode, quantize
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import CorruptError, MissingDependencyError, counted
from adaptive_kmeans.experiment.keys import Coders, Ks, OneOf, listed
from adaptive_kmeans.experiment.schema import Experiment, check_once
from adaptive_kmeans.experiment.studies.opaque import opaque_images
from adaptive_kmeans.experiment.style import (
    ONE_COLUMN,
    TWO_COLUMNS,
    Drawn,
    blank,
    look,
    number_axis,
)
from adaptive_kmeans.experiment.trials import Measurement, StudyTrial, load
from adaptive_kmeans.metrics import bits_per_pixel
from adaptive_kmeans.progress import trial_bar
from adaptive_kmeans.quantize import Quantized

VERSION = 1
WARM_UP_SIDE, WARM_UP_K = 32, 4
Peers = Annotated[list[str], BeforeValidator(listed), OneOf(peers.names)]


class CodingSizeConfig(Experiment):
    """Coders and lossless peers × images × k: whole files of the same reconstruction."""

    SAMPLE: ClassVar = {"k": [16, 64], "coders": ["context-mixing", "deflate"]}

    kind: Literal["coding-size"]
    k: Ks
    coders: Coders = Field(["context-mixing"])
    peers: Peers = Field(
        [], description="Lossless codecs of others, of the extra peers.", examples=[["jpeg-xl:9"]]
    )
    repeats: Annotated[int, Field(ge=1)] = Field(
        1, description="Times that each file is coded, for the median of the times."
    )

    def check(self) -> None:
        """Check all coders and peers."""
        super().check()
        for k in self.k:
            Settings.regular(k)
        for coder in self.coders:
            Settings.regular(2, coder=coder)
        for peer in self.peers:
            with contextlib.suppress(MissingDependencyError):  # skipped when it is run
                peers.create(peer)
        check_once("coders and peers", [*self.coders, *self.peers])


@dataclass(frozen=True)
class CodingSizeRow:
    """A row of the table: one codec on one image at one k.

    `codec` is one of our coders, which writes an `.akm` file, or a peer. Times are medians.
    """

    TERMINAL: ClassVar[dict[str, str]] = {
        "set": "image_set",
        "image": "image",
        "k": "k",
        "codec": "codec",
        "bytes": "bytes",
        "bpp": "bits_per_pixel",
        "enc s": "encode_s",
        "dec s": "decode_s",
    }

    image_set: str
    image: str
    k: int
    codec: str
    bytes: int
    bits_per_pixel: float
    encode_s: float
    decode_s: float


@dataclass(frozen=True)
class _Ours:
    """One of our coders as a `Peer`."""

    coder: str

    def encode(self, quantized: Quantized) -> bytes:
        return container.write(quantized, self.coder)

    def decode(self, data: bytes) -> npt.NDArray[np.uint8]:
        return decode(data)


def plan(config: CodingSizeConfig, sources: Sequence[ImageSource]) -> list[StudyTrial]:
    """List a trial for each image, k and codec, coders before peers.

    Peers without their library are skipped, and so are translucent images unless the config has a
    background; skipped ones are printed.
    """
    with trial_bar(len(config.peers)) as advance:
        skipped = []
        for name in config.peers:
            try:
                _ready(name)
                advance("")
            except MissingDependencyError as error:
                skipped.append(name)
                advance(f"skipped: {error}")
    names = [*config.coders, *(name for name in config.peers if name not in skipped)]
    return [
        StudyTrial(
            "coding-size",
            VERSION,
            source,
            config.background,
            _measure,
            {"k": k, "codec": name, "repeats": config.repeats},
        )
        for source in opaque_images(sources, config.background)
        for k in config.k
        for name in names
    ]


def _measure(
    source: ImageSource, background: str | None, k: int, codec: str, repeats: int
) -> Measurement:
    """Code the reconstruction of an image at one k."""
    quantized = _quantized(source, background, k)
    right = quantized.reconstruct()
    encode_s, decode_s, data = [], [], b""
    tool = _ready(codec)
    for _ in range(repeats):
        start = time.perf_counter()
        data = tool.encode(quantized)
        encoded = time.perf_counter()
        decoded = tool.decode(data)
        decode_s.append(time.perf_counter() - encoded)
        encode_s.append(encoded - start)
        if not np.array_equal(decoded, right):
            what = f"{source.name} at k = {k} by {codec}"
            raise CorruptError(what, "a file that decodes to the same pixels", "others")
    row = CodingSizeRow(
        image_set=source.set_name,
        image=source.name,
        k=k,
        codec=codec,
        bytes=len(data),
        bits_per_pixel=bits_per_pixel(data, right.shape),
        encode_s=statistics.median(encode_s),
        decode_s=statistics.median(decode_s),
    )
    return Measurement([row])


@functools.lru_cache(maxsize=1)
def _quantized(source: ImageSource, background: str | None, k: int) -> Quantized:
    """Quantize an image; the last one is cached, since trials come codec by codec."""
    return quantize(load(source, background), Settings.regular(k))


@functools.cache
def _ready(name: str) -> Peer:
    """Return a codec by name, after a first use that loads and compiles what it needs."""
    tool: Peer = peers.create(name) if name.partition(":")[0] in peers.names() else _Ours(name)
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (WARM_UP_SIDE, WARM_UP_SIDE, 3), dtype=np.uint8)
    tool.decode(tool.encode(quantize(image, Settings.regular(WARM_UP_K))))
    return tool


@dataclass(frozen=True)
class Comparison:
    """A coder's file and the smallest of the peers' files, of one image at one k."""

    image_set: str
    image: str
    k: int
    coder: str
    bytes: int
    best_peer: str
    best_peer_bytes: int

    @property
    def percent_of_best_peer(self) -> float:
        """Size as a percentage of the smallest peer's."""
        return 100 * self.bytes / self.best_peer_bytes


def compare(rows: Sequence[CodingSizeRow]) -> list[Comparison]:
    """Compare every coder's file with the smallest peer's; empty without peers."""
    comparisons = []
    by_trial: dict[tuple[str, str, int], list[CodingSizeRow]] = {}
    for row in rows:
        by_trial.setdefault((row.image_set, row.image, row.k), []).append(row)
    for trial, members in by_trial.items():
        others = [row for row in members if _is_peer(row.codec)]
        if others:
            best = min(others, key=lambda row: row.bytes)
            comparisons += [
                Comparison(*trial, row.codec, row.bytes, best.codec, best.bytes)
                for row in members
                if not _is_peer(row.codec)
            ]
    return comparisons


def summarize(rows: Sequence[CodingSizeRow]) -> str:
    """Return two Markdown tables: savings against the smallest peer, and mean rates."""
    lines = ["## Saved against the smallest of the peers, image by image", ""]
    lines += ["| set | k | coder | images | mean saved % | least saved % | a peer is smaller |"]
    lines += ["| :-- | --: | :-- | --: | --: | --: | --: |"]
    groups: dict[tuple[str, int, str], list[Comparison]] = {}
    for comparison in compare(rows):
        key = (comparison.image_set, comparison.k, comparison.coder)
        groups.setdefault(key, []).append(comparison)
    for (name, k, coder), members in groups.items():
        saved = {member.image: 100 - member.percent_of_best_peer for member in members}
        worst = min(saved, key=lambda image: saved[image])
        larger = sum(value < 0 for value in saved.values())
        lines.append(
            f"| {name} | {k} | {coder} | {len(members)} | {statistics.fmean(saved.values()):.1f} "
            f"| {saved[worst]:.1f} ({worst}) | {larger} |"
        )
    codecs = list(dict.fromkeys(row.codec for row in rows))
    lines += ["", "## Mean bits per pixel of the whole files", ""]
    lines += [f"| set | k | {' | '.join(codecs)} |"]
    lines += [f"| :-- | --: |{' --: |' * len(codecs)}"]
    for name, k in dict.fromkeys((row.image_set, row.k) for row in rows):
        cells = []
        for tool in codecs:
            chosen = [
                row.bits_per_pixel
                for row in rows
                if (row.image_set, row.k, row.codec) == (name, k, tool)
            ]
            cells.append(f"{statistics.fmean(chosen):.3f}" if chosen else "")
        lines.append(f"| {name} | {k} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _is_peer(name: str) -> bool:
    return name.partition(":")[0] in peers.names()


def draw(rows: Sequence[CodingSizeRow]) -> Iterator[tuple[str, Drawn]]:
    """Draw the sizes relative to the smallest peer's, if there are peers: a panel for each set.

    For each k and coder there is a point for each image, and a line at the mean.
    """
    comparisons = compare(rows)
    if not comparisons:
        return
    sets = list(dict.fromkeys(c.image_set for c in comparisons))
    coders = list(dict.fromkeys(c.coder for c in comparisons))
    ks = sorted({c.k for c in comparisons})
    figure = blank(ONE_COLUMN if len(sets) == 1 else TWO_COLUMNS, 3.0)
    grid = figure.subplots(1, len(sets), squeeze=False, sharey=True)[0]
    width = 0.8 / len(coders)
    for axes, name in zip(grid, sets, strict=True):
        for i, coder in enumerate(coders):
            for place, k in enumerate(ks):
                sizes = [
                    c.percent_of_best_peer
                    for c in comparisons
                    if (c.image_set, c.k, c.coder) == (name, k, coder)
                ]
                if sizes:
                    middle = place + (i - (len(coders) - 1) / 2) * width
                    _draw_group(axes, sizes, i, middle, width, coder if place == 0 else "")
        axes.axhline(100, color="black", linestyle="--", linewidth=0.8, label="smallest peer")
        images = len({c.image for c in comparisons if c.image_set == name})
        axes.set_title(f"{name}, {counted(images, 'image')}")
        axes.set_xticks(range(len(ks)), [str(k) for k in ks])
        axes.set_xlim(-0.55, len(ks) - 0.35)
        axes.set_xlabel("codewords k")
        axes.set_yscale("log")
        axes.grid(axis="y")
    number_axis(grid[0].yaxis, (1, 2, 3, 4, 5, 7))
    grid[0].set_ylabel("size, % of the smallest peer's")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    count = counted(len({c.image for c in comparisons}), "image")
    largest = max(comparisons, key=lambda c: c.percent_of_best_peer)
    yield (
        "size_against_best_peer",
        Drawn(
            figure,
            f"Files of our coders as a percentage of the smallest lossless peer's, of {count}: a "
            "point an image, a line and a number the mean. The axis is logarithmic. Largest: "
            f"{largest.percent_of_best_peer:.0f} % ({largest.image}, k = {largest.k}, "
            f"{largest.coder}).",
        ),
    )


def _draw_group(
    axes: Axes, sizes: Sequence[float], which: int, middle: float, width: float, label: str
) -> None:
    """Draw a point for each image and a line at their mean; an empty label has no legend entry."""
    style: dict[str, Any] = {**look(which), "linestyle": ""}
    spread = np.linspace(-0.3, 0.3, len(sizes)) if len(sizes) > 1 else np.zeros(1)
    axes.plot(
        middle + width * spread,
        sizes,
        **style,
        markersize=2.5,
        alpha=0.6,
        label=label or "_",
    )
    mean = statistics.fmean(sizes)
    axes.hlines(
        mean, middle - 0.42 * width, middle + 0.42 * width, color=style["color"], linewidth=1.8
    )
    axes.annotate(
        f"{mean:.0f}",
        (middle, max(sizes)),
        (0, 3),
        textcoords="offset points",
        ha="center",
        fontsize=6,
    )
