"""File sizes of our coders and of lossless peers, all for the same reconstruction.

Every image is quantized once for each k, by regular K-means. Each of our coders and each peer codes
the result; a file counts only if it decodes to exactly the reconstruction. Peers run on one thread,
our coders on the usual number, of which an image with one band uses one. With several repeats,
trials run one at a time, and their times are measured.
"""

from __future__ import annotations

import contextlib
import functools
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from pydantic import BeforeValidator, Field

from adaptive_kmeans import container
from adaptive_kmeans.baselines.lossless import PACKAGES, Peer, peers
from adaptive_kmeans.codec import Settings, decode, quantize
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import CorruptError, MissingDependencyError, counted
from adaptive_kmeans.experiment.columns import (
    columns_of,
    derived,
    label,
    measured,
    parameter,
    timed,
)
from adaptive_kmeans.experiment.keys import Coders, Ks, OneOf, listed
from adaptive_kmeans.experiment.kind import study
from adaptive_kmeans.experiment.schema import Experiment, check_once
from adaptive_kmeans.experiment.studies.opaque import opaque_images
from adaptive_kmeans.experiment.style import (
    BACKED,
    ONE_COLUMN,
    TWO_COLUMNS,
    Drawn,
    blank,
    look,
    number_axis,
)
from adaptive_kmeans.experiment.tables import pivoted
from adaptive_kmeans.experiment.trials import Measurement, StudyTrial, cached, load
from adaptive_kmeans.metrics import bits_per_pixel
from adaptive_kmeans.progress import trial_bar
from adaptive_kmeans.quantize import Quantized

VERSION = 2
WARM_UP_SIDE, WARM_UP_K = 32, 4
Peers = Annotated[list[str], BeforeValidator(listed), OneOf(peers.names)]


class CodingSizeConfig(Experiment):
    """Coders and lossless peers × images × k: whole files of the same reconstruction."""

    SAMPLE: ClassVar = {
        "k": [16, 64],
        "coders": ["context-mixing", "deflate"],
        "peers": ["webp-lossless"],
    }

    kind: Literal["coding-size"]
    k: Ks
    coders: Coders = Field(["context-mixing"])
    peers: Peers = Field(
        [], description="Other lossless codecs, from the extra peers.", examples=[["jpeg-xl:9"]]
    )
    repeats: Annotated[int, Field(ge=1)] = Field(
        1,
        description="How many times each file is coded; from 2 on, trials run one at a time, and "
        "the table has the medians of their times.",
    )

    def check(self) -> None:
        """Check all coders and peers."""
        super().check()
        for k in self.k:
            Settings.regular(k)
        for coder in self.coders:
            Settings.regular(2, coder=coder)
        for peer in self.peers:
            with contextlib.suppress(MissingDependencyError):  # skipped when the study is run
                peers.create(peer)
        check_once("k", self.k)
        check_once("coders and peers", [*self.coders, *self.peers])


@dataclass(frozen=True)
class CodingSizeRow:
    """A row of the table: one codec on one image at one k.

    `codec` is one of our coders, which writes an `.akm` file, or a peer. Times are medians. With
    one repeat there are none, since other trials may run at the same time.
    """

    image_set: str = label("set")
    image: str = parameter("image")
    k: int = parameter("k")
    codec: str = parameter("codec")
    bytes: int = measured(",", "bytes")
    bits_per_pixel: float = derived(".3f", "bpp")
    encode_s: float | None = timed(".2f", "enc s")
    decode_s: float | None = timed(".2f", "dec s")


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
            PACKAGES if _is_peer(name) else (),
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
        encode_s=statistics.median(encode_s) if repeats > 1 else None,
        decode_s=statistics.median(decode_s) if repeats > 1 else None,
    )
    return Measurement([asdict(row)])


@cached(1)  # trials come codec by codec
def _quantized(source: ImageSource, background: str | None, k: int) -> Quantized:
    """Quantize an image."""
    return quantize(load(source, background), Settings.regular(k))


@functools.cache
def _ready(name: str) -> Peer:
    """Return a codec by name, after a first use that loads and compiles what it needs."""
    tool: Peer = peers.create(name) if name.partition(":")[0] in peers.names() else _Ours(name)
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (WARM_UP_SIDE, WARM_UP_SIDE, 3), dtype=np.uint8)
    tool.decode(tool.encode(quantize(image, Settings.regular(WARM_UP_K))))
    return tool


def compare(table: pd.DataFrame) -> pd.DataFrame:
    """Return our coders' rows with their size as `percent` of the smallest peer's file.

    The result is empty without peers.
    """
    place = ["image_set", "image", "k"]
    is_peer = table["codec"].map(_is_peer).astype(bool)
    best = table[is_peer].groupby(place)["bytes"].min().rename("best").reset_index()
    ours = table[~is_peer].merge(best, on=place)
    return ours.assign(percent=100 * ours["bytes"] / ours["best"])


def summarize(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the savings over the smallest peer, and the mean rates."""
    saved = []
    for (name, k, coder), own in compare(table).groupby(["image_set", "k", "codec"], sort=False):
        worst = own.sort_values("percent").iloc[-1]
        row = {"set": name, "k": str(k), "coder": coder, "images": str(len(own))}
        row["saved, mean %"] = f"{100 - own['percent'].mean():.1f}"
        row["least saved %"] = f"{100 - worst['percent']:.1f} ({worst['image']})"
        row["a peer is smaller"] = str((own["percent"] > 100).sum())
        saved.append(row)

    def mean(rows: pd.DataFrame) -> dict[str, str]:
        return {"": f"{rows['bits_per_pixel'].mean():.3f}"}

    rates = pivoted(table, ["image_set", "k"], ["codec"], mean, "{}, bpp".format)
    return [pd.DataFrame(saved), rates.rename(columns={"image_set": "set"})]


def _is_peer(name: str) -> bool:
    return name.partition(":")[0] in peers.names()


def draw(table: pd.DataFrame) -> Iterator[tuple[str, Drawn]]:
    """Draw the sizes relative to the smallest peer's, if there are peers: a panel for each set.

    For each k and coder there is a point for each image, and a line at the mean.
    """
    compared = compare(table)
    if compared.empty:
        return
    sets, coders = compared["image_set"].unique(), compared["codec"].unique()
    ks = sorted(compared["k"].unique())
    figure = blank(ONE_COLUMN if len(sets) == 1 else TWO_COLUMNS, 3.0)
    grid = figure.subplots(1, len(sets), squeeze=False, sharey=True)[0]
    width = 0.8 / len(coders)
    for axes, name in zip(grid, sets, strict=True):
        for i, coder in enumerate(coders):
            for place, k in enumerate(ks):
                own = (compared["image_set"] == name) & (compared["k"] == k)
                sizes = list(compared.loc[own & (compared["codec"] == coder), "percent"])
                if sizes:
                    middle = place + (i - (len(coders) - 1) / 2) * width
                    _draw_group(axes, sizes, i, middle, width, coder if place == 0 else "")
        axes.axhline(100, color="black", linestyle="--", linewidth=0.8, label="smallest peer")
        images = compared.loc[compared["image_set"] == name, "image"].nunique()
        axes.set_title(f"{name}, {counted(images, 'image')}")
        axes.set_xticks(range(len(ks)), [str(k) for k in ks])
        axes.set_xlim(-0.55, len(ks) - 0.35)
        axes.set_xlabel("codewords k")
        axes.set_yscale("log")
        axes.grid(axis="y")
    number_axis(grid[0].yaxis)
    grid[0].set_ylabel("size, % of the smallest peer's")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    count = counted(compared["image"].nunique(), "image")
    largest = compared.sort_values("percent").iloc[-1]
    yield (
        "size_against_best_peer",
        Drawn(
            figure,
            f"Files of our coders as a percentage of the smallest lossless peer's, of {count}: a "
            "point an image, a line and a number the mean. The axis is logarithmic. Largest: "
            f"{largest['percent']:.0f} % ({largest['image']}, k = {largest['k']}, "
            f"{largest['codec']}).",
        ),
    )


def _draw_group(
    axes: Axes, sizes: Sequence[float], which: int, middle: float, width: float, name: str
) -> None:
    """Draw a point for each image and a line at their mean; an empty name has no legend entry."""
    style: dict[str, Any] = {**look(which), "linestyle": ""}
    spread = np.linspace(-0.3, 0.3, len(sizes)) if len(sizes) > 1 else np.zeros(1)
    axes.plot(
        middle + width * spread,
        sizes,
        **style,
        markersize=2.5,
        alpha=0.6,
        label=name or "_",
    )
    mean = statistics.fmean(sizes)
    axes.hlines(
        mean, middle - 0.42 * width, middle + 0.42 * width, color=style["color"], linewidth=1.8
    )
    axes.annotate(
        f"{mean:.0f}",
        (middle, max(sizes)),
        (0, 4),
        textcoords="offset points",
        ha="center",
        fontsize=7,
        bbox=BACKED,
    )


KIND = study(
    "coding-size",
    CodingSizeConfig,
    columns_of(CodingSizeRow),
    plan,
    summarize=summarize,
    draw=draw,
    is_timed=lambda config: bool(config.repeats > 1),
)
