"""Pages of experiments whose rows are made up, so that nothing has to be measured."""

from __future__ import annotations

import dataclasses
import html.parser
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from adaptive_kmeans.experiment import page, view
from adaptive_kmeans.experiment.columns import KEY, Column, table_of
from adaptive_kmeans.experiment.config import check_config
from adaptive_kmeans.experiment.findings import NOTHING_SHOWN, Measured, Picture
from adaptive_kmeans.experiment.kinds import KINDS

Row = dict[str, Any]

PIXELS = 100 * 100
QUESTION = "What does a choice by rate gain?"


def row(image: str, method: str, point: int, size: int, psnr_db: float, **columns: Any) -> Row:
    """Return the row of a file of ours: `point` is its k, or its quality."""
    return {
        "image": image,
        "image_set": "set",
        "method": method,
        "coder": "fixed-length",
        "block_size": 4,
        "psnr_db": psnr_db,
        "bytes": size,
        "bits_per_pixel": 8 * size / PIXELS,
        "compression_ratio": 3 * PIXELS / size,
        "space_saving_percent": 100 - 100 * size / (3 * PIXELS),
        "header_bytes": 60,
        "index_map_bytes": size - 60,
        "k" if method == "regular" else "quality": point,
        **columns,
    }


def rows(images: Sequence[str] = ("a", "b", "c"), points: int = 4) -> list[Row]:
    """Return rows in which rate-distortion has exactly half the bytes of regular K-means."""
    return [
        row(image, method, 2 ** (3 + point), int(factor * (1000 + 800 * point)), 30.0 + 2 * point)
        for image in images
        for method, factor in (("regular", 1.0), ("rate-distortion", 0.5))
        for point in range(points)
    ]


def render(folder: Path, found: Sequence[Any], kind: str = "compression", **keys: Any) -> str:
    """Return the page of rows; `keys` are of the config, `pictures` those to compare."""
    pictures = keys.pop("pictures", None)
    failures = keys.pop("failures", [])
    document = {"name": "made_up", "question": QUESTION, "images": ["a"], "kind": kind, **keys}
    if kind == "compression":
        document.setdefault("methods", [{"method": "regular", "k": [8, 16]}])
    config = check_config(document, "a test")
    columns = {**KINDS[kind].columns, KEY: Column("name")}
    table = table_of([{KEY: str(place), **each} for place, each in enumerate(found)], columns)
    findings = KINDS[kind].find(config, Measured(table, {}), NOTHING_SHOWN)
    if pictures is not None:
        findings = dataclasses.replace(findings, pictures=lambda: pictures)
    (folder / "figures").mkdir(exist_ok=True)
    return page.render(folder, view.Seen(config, findings, failures, len(found), 1.0))


def picture(title: str, series: str, color: tuple[int, int, int], size: int | None) -> Picture:
    """Return a picture of one color, 40 pixels wide and 20 high."""
    pixels: Callable[[], np.ndarray] = partial(np.full, (20, 40, 3), color, np.uint8)
    rate = None if size is None else 8 * size / PIXELS
    return Picture(title, series, pixels, size, rate, None if size is None else 31.5)


class Seen(html.parser.HTMLParser):
    """What a browser makes of a page: its tags, its texts by section, what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.texts: dict[str, str] = {}
        self._place = ["head"]
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "action")]
        if tag == "section":
            self._place.append(dict(attrs).get("id") or "")
        if any(name.startswith("on") for name, _ in attrs):
            raise AssertionError(f"a handler in {tag}: {attrs}")

    def handle_endtag(self, tag: str) -> None:
        if tag == "section":
            self._place.pop()

    def handle_data(self, data: str) -> None:
        words = " ".join(data.split())
        if words:
            place = self._place[-1]
            self.texts[place] = f"{self.texts.get(place, '')} {words}".strip()
