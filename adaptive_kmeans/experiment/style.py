"""What all figures have in common: colors, markers, resolution, and files that bear no date."""

from __future__ import annotations

from typing import Any

# Okabe and Ito's palette, told apart by the color-blind; markers and hatches repeat the message.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000")
MARKERS = "osD^vP*Xp<>hd8"
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")
LINES = ("-", "--", ":", "-.")

DPI = 150

UNDATED: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""So that the same figure gives the same file."""
