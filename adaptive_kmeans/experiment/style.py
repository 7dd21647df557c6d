"""Style of all figures: colors, markers, resolution, and files without a date."""

from __future__ import annotations

from typing import Any

# Okabe and Ito's color-blind safe palette; markers and hatches carry the same information.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000")
MARKERS = "osD^vP*Xp<>hd8"
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")
LINES = ("-", "--", ":", "-.")

DPI = 150

UNDATED: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""Metadata that omits the date, so that equal figures give equal files."""
