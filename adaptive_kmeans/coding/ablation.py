"""What groups of contexts of the `context-mixing` coder are worth: index maps coded without them.

Files are always written with all contexts; only sizes come from here. A change of the contexts of
`_same_kernels` or `_turn_kernels` changes this table, which names every context once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.coding import _index_model
from adaptive_kmeans.errors import UnknownNameError

Bytes = npt.NDArray[np.uint8]

SAME_GROUPS = {
    "exact neighborhoods": (0, 1, 2, 3),
    "equality patterns": (4, 5, 11),
    "patterns with codewords": (6, 8, 9, 14),
    "runs": (7, 12, 15),
    "colors": (13, 16),
    "match": (10, 17),
}
"""Contexts of the same-decision, by group."""

TURN_GROUPS = {
    "single neighbors": (0, 1),
    "pairs along a line": (2, 3, 6, 7),
    "pairs and triples around": (4, 5),
    "patterns": (8, 15),
    "exact neighborhoods": (9, 10, 12),
    "predicted codeword": (11,),
    "distances from planes": (13, 14, 16),
    "match": (17,),
}
"""Contexts of a turn, by group."""


def groups() -> tuple[str, ...]:
    """Return the names of all groups, such as "same: runs" and "turn: patterns"."""
    return (
        *(f"same: {name}" for name in SAME_GROUPS),
        *(f"turn: {name}" for name in TURN_GROUPS),
    )


def index_map_bytes(
    index_map: npt.NDArray[np.uint16],
    pixel_regions: Bytes,
    codebooks: tuple[Bytes, ...],
    without: str | None = None,
) -> int:
    """Return the bytes of an index map that is coded without a group of contexts.

    Parameters
    ----------
    index_map : (h, w) uint16
    pixel_regions : (h, w) uint8
    codebooks : tuple of (k, 3) uint8
    without : str, optional
        One of `groups`; None for all contexts, as in a file.

    Raises
    ------
    UnknownNameError
        There is no such group.

    Examples
    --------
    >>> index_map = np.arange(4096, dtype=np.uint16).reshape(64, 64) % 5 % 3
    >>> parts = index_map, np.zeros((64, 64), np.uint8), (np.eye(3, dtype=np.uint8),)
    >>> index_map_bytes(*parts) < index_map_bytes(*parts, without="turn: exact neighborhoods")
    True
    """
    masks = _index_model.ALL
    if without is not None:
        decision, _, name = without.partition(": ")
        table = {"same": SAME_GROUPS, "turn": TURN_GROUPS}.get(decision, {})
        if name not in table:
            raise UnknownNameError("group of contexts", without, groups())
        mask = -1 ^ sum(1 << context for context in table[name])
        masks = (mask, -1) if decision == "same" else (-1, mask)
    return len(_index_model.encode(index_map, pixel_regions, codebooks, masks))
