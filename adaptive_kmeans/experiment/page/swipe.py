"""The pictures that the page compares: how they are chosen, and their PNG data."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from adaptive_kmeans.experiment.findings import Picture
from adaptive_kmeans.experiment.rows import COLUMNS
from adaptive_kmeans.experiment.tables import shown_value

MAX_PICTURES = 24
"""Maximum number of pictures on the page, including the original."""

MAX_PIXELS = 2**24
"""Maximum number of pixels of all pictures together."""


class Swipe(NamedTuple):
    """What the page compares.

    Parameters
    ----------
    pictures : list of dict
        For each its `title`, its `facts` in words, and its `source`, a data URL.
    groups : dict of str to list of int
        For each series the places of its pictures.
    width, height : int
        Their size.
    note : str
        Which ones were kept; "" if all were.
    """

    pictures: list[dict[str, Any]]
    groups: dict[str, list[int]]
    width: int
    height: int
    note: str


def swipe(pictures: Sequence[Picture]) -> Swipe | None:
    """Return the pictures to compare; None if there are fewer than two."""
    if len(pictures) < 2:
        return None
    height, width = pictures[0].pixels().shape[:2]
    most = max(2, min(MAX_PICTURES, MAX_PIXELS // (height * width)))
    chosen = choose(pictures, most)
    groups: dict[str, list[int]] = {}
    for place, picture in enumerate(chosen):
        groups.setdefault(picture.series, []).append(place)
    shown = [
        {
            "title": picture.title,
            "facts": _facts(picture) or f"{width}×{height} pixels",
            "source": f"data:image/png;base64,{base64.b64encode(_png(picture)).decode()}",
        }
        for picture in chosen
    ]
    note = ""
    if len(chosen) < len(pictures):
        note = (
            f"{len(chosen)} of {len(pictures)} pictures: the original, and of each series the "
            "files nearest to the same few rates."
        )
    return Swipe(shown, groups, width, height, note)


def choose(pictures: Sequence[Picture], most: int) -> list[Picture]:
    """Choose the original, and for each series the files nearest to the same few rates.

    The rates are evenly spaced in the logarithm, from the lowest to the highest that all series
    reach. If there are more series than places, only the first ones have a picture, one each.
    """
    if len(pictures) <= most:
        return list(pictures)
    originals = [picture for picture in pictures if not picture.series]
    series: dict[str, list[Picture]] = {}
    for picture in pictures:
        if picture.series:
            series.setdefault(picture.series, []).append(picture)
    places = most - len(originals)
    each = max(1, places // len(series))
    lows = [min(map(_rate, members)) for members in series.values()]
    highs = [max(map(_rate, members)) for members in series.values()]
    low, high = sorted((max(lows), min(highs)))
    steps = np.linspace(low, high, each) if each > 1 else [(low + high) / 2]
    kept = list(originals)
    for members in list(series.values())[:places]:
        left, own = list(members), []
        for step in steps[: len(members)]:
            nearest = min(left, key=lambda picture: abs(_rate(picture) - step))
            left.remove(nearest)
            own.append(nearest)
        kept += [picture for picture in members if picture in own]
    return kept


def _rate(picture: Picture) -> float:
    return math.log(picture.bits_per_pixel or 1e-6)


def _facts(picture: Picture) -> str:
    """Return size and quality in words, "" for an original."""
    if picture.size is None:
        return ""
    facts = [
        f"{shown_value(picture.size, COLUMNS['bytes'].digits)} bytes",
        f"{shown_value(picture.bits_per_pixel, COLUMNS['bits_per_pixel'].digits)} bits per pixel",
    ]
    if picture.psnr_db is not None:
        is_lossless = math.isinf(picture.psnr_db)
        quality = (
            "lossless"
            if is_lossless
            else f"{shown_value(picture.psnr_db, COLUMNS['psnr_db'].digits)} dB"
        )
        facts.append(quality)
    return ", ".join(facts)


def _png(picture: Picture) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture.pixels()).save(file, "PNG")
    return file.getvalue()
