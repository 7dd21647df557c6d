"""File names for series, sets and images, whose own names may contain anything."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_CHARACTERS = 100


def distinct(names: Iterable[str]) -> dict[str, str]:
    """Return a plain file name for each name; no two are equal, even ignoring case.

    Examples
    --------
    >>> distinct(["regular, 4×4", "regular 4x4", "../"])
    {'regular, 4×4': 'regular-4x4', 'regular 4x4': 'regular-4x4-2', '../': 'unnamed'}
    """
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        plain = unicodedata.normalize("NFKD", name.replace("×", "x")).encode("ascii", "ignore")
        words = re.sub(r"[^A-Za-z0-9_.+]+", "-", plain.decode()).strip("-.")[:MAX_CHARACTERS]
        base = words or "unnamed"
        candidate, count = base, 1
        while candidate.lower() in taken:
            count += 1
            candidate = f"{base}-{count}"
        taken.add(candidate.lower())
        chosen[name] = candidate
    return chosen
