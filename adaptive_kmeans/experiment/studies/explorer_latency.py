"""Latency of the explorer: from the move of a slider to the picture, over its own WebSocket.

The server runs in this process, and a client moves a slider as a page does: it sends the state and
waits for the picture. ``k`` varies by up to a quarter around each of its values; with two regions,
k1 does. With a pause of 0 the next move follows the picture at once, as when a slider is dragged; a
longer pause lets the encoding of the file begin, which the next move cancels.
"""

from __future__ import annotations

import json
import random
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pandas as pd
from pydantic import Field

from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, TrialsFailedError, counted
from adaptive_kmeans.experiment.columns import columns_of, parameter, timed
from adaptive_kmeans.experiment.keys import Integers, Ks, Numbers
from adaptive_kmeans.experiment.kind import always, study
from adaptive_kmeans.experiment.schema import Experiment, check_once
from adaptive_kmeans.experiment.style import TWO_COLUMNS, Drawn, blank, looks
from adaptive_kmeans.experiment.trials import Measurement, StudyTrial
from adaptive_kmeans.explorer.images import offer_source
from adaptive_kmeans.explorer.state import ExplorerState
from adaptive_kmeans.limits import MAX_CODEWORDS, check_integer

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

    from adaptive_kmeans.explorer.server import Server

VERSION = 1
SPREAD = 0.25
"""How far a slider moves around a value, as a fraction of it."""
PATIENCE_S = 120.0
WANTED_MS = 100.0
MAX_PAUSE_MS = 60_000


class ExplorerLatencyConfig(Experiment):
    """Images × methods × settings × pauses, each with a number of moves."""

    kind: Literal["explorer-latency"]
    k: Ks = Field(
        [16, 64, 256], description="Codewords around which k varies; with two regions, k1."
    )
    k2: int = Field(256, description="Codewords for high-detail blocks.")
    quality: Numbers = Field([75.0], description="Qualities around which the slider moves.")
    moves: Annotated[int, Field(ge=2, le=10_000)] = Field(
        50, description="Number of moves for each setting."
    )
    pause_ms: Integers = Field([0], description="Milliseconds between a picture and the next move.")

    def dials(self) -> list[tuple[str, str, float]]:
        """Return the methods, the settings that vary, and the values around which they do."""
        found = [(method, key, float(k)) for method, key in _DIALS for k in self.k]
        return [*found, *(("quality", "quality", value) for value in self.quality)]

    def check(self) -> None:
        """Check all settings."""
        super().check()
        if self.background is not None:
            raise ConfigError("background", "none, as the explorer shows alpha", self.background)
        for k in self.k:
            check_integer("k", k, 1, MAX_CODEWORDS)
        for pause_ms in self.pause_ms:
            check_integer("pause_ms", pause_ms, 0, MAX_PAUSE_MS)
        for method, key, value in self.dials():
            for moved in _moves(key, value, self.moves):
                ExplorerState(**{"method": method, "k2": self.k2, key: moved})
        for key in ("k", "quality", "pause_ms"):
            check_once(key, getattr(self, key))


_DIALS = (("regular", "k"), ("regions", "k1"))


@dataclass(frozen=True)
class LatencyRow:
    """A row of the table: the moves around one setting of one image.

    Times are from sending the state to receiving the picture; `computed_ms` is the part that was
    spent on computing the picture.
    """

    image: str = parameter("image")
    megapixels: float = parameter(digits=".2f")
    method: str = parameter("method")
    around: float = parameter("around", "g")
    pause_ms: int = parameter("pause ms")
    moves: int = parameter()
    median_ms: float = timed(".1f", "median ms")
    p95_ms: float = timed(".1f", "95 % ms")
    computed_ms: float = timed(".1f", "computed ms")


def plan(config: ExplorerLatencyConfig, sources: Sequence[ImageSource]) -> list[StudyTrial]:
    """List a trial for each image.

    Raises
    ------
    MissingDependencyError
        The extra ``explorer`` is not installed.
    """
    import adaptive_kmeans.explorer.server  # noqa: F401

    arguments = {
        "dials": [list(dial) for dial in config.dials()],
        "pause_ms": config.pause_ms,
        "k2": config.k2,
        "moves": config.moves,
    }
    return [
        StudyTrial("explorer-latency", VERSION, source, None, _measure, arguments)
        for source in sources
    ]


def _measure(
    source: ImageSource,
    background: str | None,
    dials: Sequence[tuple[str, str, float]],
    pause_ms: Sequence[int],
    k2: int,
    moves: int,
) -> Measurement:
    """Move the sliders of an image, in the order of the config's settings."""
    from adaptive_kmeans.explorer.server import Server

    rows: list[LatencyRow] = []
    errors: list[AdaptiveKMeansError] = []
    server = Server([offer_source(source)], 0)
    with _running(server), _connected(server) as socket:
        slider = _Slider(socket, source.name)
        for pause in pause_ms:
            for method, key, around in dials:
                fixed = {"method": method, "k2": k2, "restoration": method == "quality"}
                try:
                    rows.append(slider.move(moves, fixed, key, around, pause))
                except AdaptiveKMeansError as error:
                    errors.append(error)
    return Measurement([asdict(row) for row in rows], errors=errors)


class _Slider:
    """A client that moves a slider as a page does."""

    def __init__(self, socket: ClientConnection, image: str) -> None:
        self._socket = socket
        self._image = image
        self._number = 0
        self._megapixels = 0.0

    def move(
        self,
        moves: int,
        fixed: dict[str, Any],
        key: str,
        around: float,
        pause_ms: int,
    ) -> LatencyRow:
        """Move a slider, and return how long its pictures took."""
        values = _moves(key, around, moves)
        self._show({**fixed, key: values[-1]}, "file")  # loads (on a new machine, compiles) kernels
        waited, computed = [], []
        for value in values:
            start = time.perf_counter()
            message = self._show({**fixed, key: value}, "picture")
            waited.append(1000 * (time.perf_counter() - start))
            computed.append(1000 * message["seconds"])
            time.sleep(pause_ms / 1000)
        return LatencyRow(
            image=self._image,
            megapixels=self._megapixels,
            method=fixed["method"],
            around=around,
            pause_ms=pause_ms,
            moves=len(values),
            median_ms=statistics.median(waited),
            p95_ms=statistics.quantiles(waited, n=20, method="inclusive")[-1],
            computed_ms=statistics.median(computed),
        )

    def _show(self, changes: dict[str, Any], kind: str) -> dict[str, Any]:
        """Ask for a state, and return the message that answers it."""
        from adaptive_kmeans.explorer.server import pack

        self._number += 1
        state = ExplorerState(image=self._image, **changes).to_dict()
        self._socket.send(pack({"type": "state", "number": self._number, "state": state}))
        while True:
            message = _head(self._socket.recv(timeout=PATIENCE_S))
            if message["type"] == "error":
                raise TrialsFailedError(f"{self._image}: {message['message']}")
            if message["type"] == "original":
                self._megapixels = message["width"] * message["height"] / 1e6
            if message["type"] == kind and message["number"] == self._number:
                return message


def _head(frame: bytes | str) -> dict[str, Any]:
    """Return the message of a frame without its buffers."""
    data = frame if isinstance(frame, bytes) else frame.encode()
    message: dict[str, Any] = json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
    return message


def _moves(key: str, around: float, count: int) -> list[Any]:
    """Return the values that a slider takes."""
    draw = random.Random(0)  # noqa: S311
    places = [around * (1 + SPREAD * (2 * draw.random() - 1)) for _ in range(count)]
    return [min(place, 100.0) for place in places] if key == "quality" else list(map(round, places))


@contextmanager
def _running(server: Server) -> Iterator[None]:
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield
    finally:
        server.stop()
        thread.join()


@contextmanager
def _connected(server: Server) -> Iterator[ClientConnection]:
    from websockets.sync.client import connect
    from websockets.typing import Origin

    address = server.address.replace("http:", "ws:") + "socket"
    origin = Origin(f"http://127.0.0.1:{server.port}")
    with connect(address, origin=origin, max_size=None, compression=None) as socket:
        yield socket


def summarize(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the mean of the images' medians, and the largest of their 95th percentiles."""
    found = table.groupby(["method", "around", "pause_ms"], sort=False)
    rows = [
        {
            "method": method,
            "around": f"{around:g}",
            "pause ms": str(pause_ms),
            "median ms": f"{own['median_ms'].mean():.0f}",
            "95 % ms": f"{own['p95_ms'].max():.0f}",
            "of it computed, ms": f"{own['computed_ms'].mean():.0f}",
            "images": str(own["image"].nunique()),
            "moves of each": str(own["moves"].iloc[0]),
        }
        for (method, around, pause_ms), own in found
    ]
    return [pd.DataFrame(rows)]


def draw(table: pd.DataFrame) -> Iterator[tuple[str, Drawn]]:
    """Draw the medians and the 95th percentiles, by method and setting."""
    pauses = list(table["pause_ms"].unique())
    if not pauses:
        return
    figure = blank(TWO_COLUMNS, 2.5)
    panels = figure.subplots(1, len(pauses), sharey=True, squeeze=False)[0]
    for axes, pause_ms in zip(panels, pauses, strict=True):
        own = table[table["pause_ms"] == pause_ms]
        methods = list(own["method"].unique())
        styles = dict(zip(methods, looks(methods), strict=True))
        found = own.groupby(["method", "around"], sort=False)
        medians, most = found["median_ms"].mean(), found["p95_ms"].max()
        names: list[Any] = list(medians.index)
        for place, name in enumerate(names):
            axes.bar(place, medians[name], color=styles[name[0]]["color"])
            axes.plot([place, place], [medians[name], most[name]], color="black")
        axes.axhline(WANTED_MS, color="gray", linestyle="--")
        labels = [f"{method}\n{around:g}" for method, around in names]
        axes.set_xticks(range(len(names)), labels, fontsize=7)
        axes.set_title(f"pause of {pause_ms} ms")
        axes.grid(axis="y")
    panels[0].set_ylabel("slider to picture, ms")
    images = counted(table["image"].nunique(), "image")
    yield (
        "latency",
        Drawn(
            figure,
            f"From a slider's move to the picture, by method and setting, on {images}: bars are "
            "medians, lines reach the slowest image's 95th percentile, and the dashed line is "
            f"{WANTED_MS:g} ms.",
        ),
    )


KIND = study(
    "explorer-latency",
    ExplorerLatencyConfig,
    columns_of(LatencyRow),
    plan,
    summarize=summarize,
    draw=draw,
    is_timed=always,
)
