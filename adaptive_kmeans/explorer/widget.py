"""The explorer's widget, its host in Jupyter, VS Code, Colab and marimo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adaptive_kmeans.codec import Settings
from adaptive_kmeans.datasets import BUNDLED
from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.explorer import missing_extra
from adaptive_kmeans.explorer.images import (
    Offer,
    Pixels,
    offer_pixels,
    offers_of,
    read_flattened,
)
from adaptive_kmeans.explorer.session import Message, Session
from adaptive_kmeans.explorer.state import ExplorerState
from adaptive_kmeans.explorer.worker import Outdated

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise missing_extra(error) from error

HERE = Path(__file__).parent


class ExplorerWidget(anywidget.AnyWidget):
    """The explorer as a widget; `adaptive_kmeans.explore` creates one.

    Parameters
    ----------
    offers : sequence of Offer
        Images to choose from.
    state : ExplorerState
        What it shows initially.

    Attributes
    ----------
    session : Session
        The widget's session: its `state` is what is shown, and its `points` are what was tried.
    """

    _esm = HERE / "explorer.js"
    _css = HERE / "explorer.css"
    query = traitlets.Unicode("").tag(sync=True)

    def __init__(self, offers: Sequence[Offer], state: ExplorerState) -> None:
        super().__init__(query=state.to_query())
        self.session = Session(offers, self._answer, state=state, folder=Path.cwd())
        self.on_msg(self._receive)

    @property
    def settings(self) -> Settings:
        """The encoder settings that the widget currently shows."""
        return self.session.state.settings()

    @property
    def image(self) -> Pixels:
        """The pixels of the image shown, never a reduced copy: (H, W, 3) uint8."""
        offer = self.session.gallery[self.session.state.image]
        return read_flattened(offer.read)[0].pixels

    def _receive(self, _: object, message: object, buffers: Sequence[Any]) -> None:
        if isinstance(message, dict) and message.get("type") == "bye":
            self.session.pause()  # the view is gone; the widget may be shown again
            return
        self.session.receive(message, [bytes(buffer) for buffer in buffers])

    def _answer(self, message: Message, buffers: Sequence[bytes]) -> None:
        if self.comm is None:
            raise Outdated
        self.send(message, list(buffers))

    def close(self) -> None:
        """Stop working when the widget is closed."""
        if hasattr(self, "session"):
            self.session.close()
        super().close()


def explore_in_widget(image: object, settings: Mapping[str, Any]) -> ExplorerWidget:
    """Return a widget for an image and the bundled ones; see `adaptive_kmeans.explore`."""
    state = state_of(settings)
    if image is None:
        return ExplorerWidget(offers_of([]), state)
    if isinstance(image, np.ndarray):
        return ExplorerWidget([offer_pixels(image), *offers_of([])], state)
    if isinstance(image, str | Path):
        return ExplorerWidget(offers_of([str(image)]), state)
    expected = f"pixels, a file, or one of {', '.join(BUNDLED)}"
    raise ConfigError("image", expected, type(image).__name__)


def state_of(settings: Mapping[str, Any]) -> ExplorerState:
    """Return the state of some settings; unless given, the method follows from them.

    Examples
    --------
    >>> state_of({"k": 8}).method, state_of({"k2": 8}).method, state_of({"effort": 9}).method
    ('regular', 'regions', 'quality')
    """
    known = ExplorerState().to_dict()
    for name in settings:
        if name not in known:
            raise ConfigError("explore", f"one of {', '.join(known)}", name)
    method = "regions" if {"k1", "k2"} & set(settings) else "quality"
    method = settings.get("method", "regular" if "k" in settings else method)
    # as in `Settings`, plain K-means is not restored unless it is asked for
    return ExplorerState(**{"method": method, "restoration": method == "quality", **settings})
