"""Drives the explorer in a browser: starts its server, reads what the page shows."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import numpy as np

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

TIMEOUT_MS = 180_000
"""For what compiles kernels first, on a busy machine; nothing waits that long otherwise."""

SERVE = """
import secrets, sys
secrets.token_urlsafe = lambda size: "always-the-same-token"
from adaptive_kmeans.cli import main
main()
"""
"""The command, with a token that the next server has as well: a page can then find it again."""

ARRAY = """canvas => {
  const { width, height } = canvas;
  if (!width) return [0, 0, ""];
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const bytes = copy.getImageData(0, 0, width, height).data;
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) {
    text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  }
  return [width, height, btoa(text)];
}"""


@contextlib.contextmanager
def serving(images: Sequence[Path], port: int = 0) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `adaptive-kmeans explore`; give the address that it prints, and the process."""
    command = [sys.executable, "-c", SERVE, "explore", *map(str, images)]
    with subprocess.Popen(
        [*command, "--no-browser", "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+/\S*/", line)
            assert found is not None, line
            yield found[0], process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


class Watch:
    """What no page may do: complain on the console, throw, ask beyond the loopback, alert."""

    def __init__(self, context: BrowserContext) -> None:
        self.complaints: list[str] = []
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(f"threw {error.error}"))
        context.on("request", lambda request: self._see(request.url))
        context.on("dialog", self._dismiss)
        context.on("page", lambda page: page.on("websocket", lambda ws: self._see(ws.url)))

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text}")

    def _see(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("blob", "data") and parts.hostname != "127.0.0.1":
            self.complaints.append(f"asked for {url}")

    def _dismiss(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


class Explorer:
    """An explorer in a page; its root's attributes are what it says of itself."""

    def __init__(self, page: Page, address: str = "") -> None:
        self.page = page
        self.address = address
        self.root = page.locator(".akm")

    def open(self, **state: object) -> Explorer:
        """Open the page at a state, and wait for its file."""
        text = {
            key: str(value).lower() if value in (True, False) else value
            for key, value in state.items()
        }
        self.page.goto(f"{self.address}?{urlencode(text)}")
        return self.settle()

    def settle(self) -> Explorer:
        """Wait for the file of what is set."""
        self.page.wait_for_selector(
            '.akm[data-bytes]:not([data-bytes="pending"])', state="attached", timeout=TIMEOUT_MS
        )
        return self

    def get(self, name: str) -> str:
        """Return what an attribute of the root says."""
        return self.root.get_attribute(f"data-{name}") or ""

    def expect(self, name: str, value: object) -> None:
        """Wait until an attribute of the root says so."""
        from playwright.sync_api import expect

        expect(self.root).to_have_attribute(f"data-{name}", str(value), timeout=TIMEOUT_MS)

    @property
    def bytes(self) -> int:
        return int(self.get("bytes"))

    def pixels(self, layer: str) -> np.ndarray:
        """Return the pixels of a layer: original, result or overlay; (H, W, 4), uint8."""
        width, height, text = self.page.locator(f"canvas.akm-{layer}").evaluate(ARRAY)
        pixels = np.frombuffer(base64.b64decode(text), dtype=np.uint8)
        return pixels.reshape(height, width, 4)

    def choose(self, group: str, name: str) -> None:
        """Choose one of a row of radio buttons."""
        self.page.get_by_role("group", name=group, exact=True).get_by_role(
            "radio", name=name, exact=True
        ).check(force=True)

    def field(self, key: str) -> Locator:
        return self.page.locator(f'[data-field="{key}"]')

    def set(self, key: str, value: object) -> None:
        """Move the control of a setting, whatever kind it is."""
        field = self.field(key)
        if isinstance(value, bool):
            field.get_by_role("switch").set_checked(value)
        elif isinstance(value, str):
            field.get_by_role("combobox").select_option(value)
        else:
            field.get_by_role("spinbutton").fill(str(value))

    def fact(self, name: str) -> str:
        return self.page.locator(f'[data-fact="{name}"]').inner_text()

    @property
    def stage(self) -> Locator:
        return self.page.locator(".akm-stage")

    def point_at(self, x: float, y: float) -> None:
        """Move the pointer to a share of the stage's width and height."""
        box = self.stage.bounding_box()
        assert box is not None
        self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])

    @property
    def pointed_pixel(self) -> tuple[int, int]:
        """The pixel under the pointer, as the page tells it."""
        found = re.match(r"(\d+), (\d+)", self.page.locator(".akm-readout").inner_text())
        assert found is not None
        return int(found[1]), int(found[2])
