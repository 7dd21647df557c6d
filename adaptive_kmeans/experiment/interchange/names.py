"""Names of files for series, sets and images, whose names may hold anything."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_CHARACTERS = 100


def distinct(names: Iterable[str]) -> dict[str, str]:
    """Return a plain name of a file for each name, no two of them alike, whatever the case.

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
