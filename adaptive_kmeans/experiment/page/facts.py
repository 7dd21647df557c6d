"""What the page shows besides the trials: settings, environment, figures."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from PIL import Image

from adaptive_kmeans.errors import counted
from adaptive_kmeans.experiment import view
from adaptive_kmeans.experiment.origin import ENVIRONMENT
from adaptive_kmeans.experiment.schema import Experiment

TOLD = ("name", "question", "methods", "published")
"""Keys of a config that are shown elsewhere on the page."""

ENLARGED = 1.3
"""How much larger figures are than in print, so that letters of 8 points can be read."""

CSS_DPI, POINTS = 96, 72


class Figure(NamedTuple):
    """A figure: its name, its caption, its source, and its width in CSS pixels, if it is known.

    A figure that exists only as PDF has no source, and is only mentioned.
    """

    name: str
    caption: str
    source: str
    width: int | None


def figures(folder: Path) -> list[Figure]:
    """Return the figures of a folder, as SVG if available, else as PNG."""
    stems = sorted({path.stem for path in folder.glob("*") if path.suffix != ".txt"})
    return [_figure(folder / stem) for stem in stems]


def _figure(stem: Path) -> Figure:
    name = stem.name.replace("_", " ")
    caption = stem.with_suffix(".txt")
    text = caption.read_text("utf-8").strip() if caption.exists() else name
    svg, png = stem.with_suffix(".svg"), stem.with_suffix(".png")
    if svg.exists():
        data = svg.read_bytes()
        found = re.search(rb'<svg[^>]*\swidth="([\d.]+)pt"', data)
        inches = float(found[1]) / POINTS if found else None
        return Figure(name, text, _inline(data, "svg+xml"), _shown_width(inches))
    if png.exists():
        with Image.open(png) as picture:
            dpi = picture.info.get("dpi", (0, 0))[0]
            inches = picture.width / dpi if dpi else None
        return Figure(name, text, _inline(png.read_bytes(), "png"), _shown_width(inches))
    return Figure(f"{stem.name}.pdf", text, "", None)


def _shown_width(inches: float | None) -> int | None:
    return None if inches is None else round(inches * CSS_DPI * ENLARGED)


def _inline(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def settings(config: Experiment) -> list[tuple[str, str]]:
    """Return the keys of a config that the page tells nowhere else, and their values in words."""
    document = config.model_dump(mode="json", exclude_none=True, exclude=set(TOLD))
    if document.get("background") is None:
        document.pop("background", None)
    return [(key.replace("_", " "), readable(value)) for key, value in document.items()]


def methods(config: Experiment) -> list[tuple[str, str]]:
    """Return the methods of a config and their settings in words, shared settings first."""
    found = config.model_dump(mode="json", exclude_none=True).get("methods", [])
    if not found or not all("method" in method for method in found):
        return []
    same = {
        key: value
        for key, value in found[0].items()
        if key != "method" and len(found) > 1 and all(m.get(key) == value for m in found)
    }
    lines = [("all methods", readable(same))] if same else []
    for method in found:
        own = {key: value for key, value in method.items() if key not in {*same, "method"}}
        lines.append((method["method"], readable(own)))
    return lines


def readable(value: object) -> str:
    """Return a value of a config in words.

    Examples
    --------
    >>> readable({"k": [16, 32], "timing": True, "draw": []})
    'k 16, 32 · timing yes · draw none'
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        has_parts = any(isinstance(each, Mapping) and each for each in value.values())
        pairs = (f"{str(key).replace('_', ' ')} {readable(each)}" for key, each in value.items())
        return ("; " if has_parts else " · ").join(pairs) or "none"
    if isinstance(value, list):
        has_parts = any(isinstance(each, Mapping) for each in value)
        return ("; " if has_parts else ", ").join(map(readable, value)) or "none"
    return str(value)


def read_environment(folder: Path) -> dict[str, Any]:
    """Read what a run recorded about itself; empty if the file is missing or damaged."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / ENVIRONMENT).read_text("utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def counts(seen: view.Seen, table: pd.DataFrame, environment: Mapping[str, Any]) -> list[str]:
    """Return how much was measured, and when."""
    told = [counted(seen.trials, "trial")]
    if "image" in table:
        told.append(counted(table["image"].nunique(), "image"))
    if len(table) != seen.trials:
        told.append(counted(len(table), "row"))
    if seen.failures:
        told.append(f"{len(seen.failures)} failed")
    if finished := _date(environment.get("finished")):
        told.append(finished)
    return told


def readable_environment(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a run recorded about itself, in words."""
    if not environment:
        return []
    got = environment.get
    libraries = dict(got("libraries") or {})
    images = {
        name: f"{about.get('width')}×{about.get('height')}"
        for name, about in dict(got("images") or {}).items()
    }
    facts = {
        "finished": _date(got("finished")),
        "adaptive-kmeans": libraries.pop("adaptive-kmeans", None),
        "encoder version": got("encoder"),
        "machine": _joined(got("system"), counted(got("processors") or 0, "processor")),
        "Python": got("python"),
        "time": _times(environment),
        "images": f"{len(images)}: {', '.join(f'{n} {s}' for n, s in images.items())}",
        "metrics": readable(got("metrics")) if got("metrics") else None,
        "libraries": ", ".join(f"{name} {version}" for name, version in libraries.items()),
    }
    return [(name, str(fact)) for name, fact in facts.items() if fact]


def _times(environment: Mapping[str, Any]) -> str:
    seconds, of_trials = environment.get("seconds"), environment.get("trial_seconds")
    told = [f"{seconds:,.0f} s" if seconds is not None else ""]
    if of_trials is not None:
        told.append(f"{of_trials:,.0f} s of trials, with those of earlier runs")
    if environment.get("jobs"):
        told.append(f"{environment['jobs']} at a time")
    return "; ".join(filter(None, told))


def _joined(*parts: object) -> str:
    return ", ".join(str(part) for part in parts if part)


def _date(text: object) -> str:
    try:
        return datetime.fromisoformat(str(text)).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return ""
