"""Ablation of context groups: index maps coded by a model that lacks one group.

Files are always written with all contexts; only sizes come from here. The groups are those of the
strongest profile's table in `contexts`. A model without a group is a separate model with its own
kernels, which are compiled on first use.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.coding.context_mixing import ContextMixingIndices
from adaptive_kmeans.coding.context_mixing.contexts import (
    MODELS,
    STRONGEST,
    Decision,
    Model,
    Profile,
)
from adaptive_kmeans.errors import UnknownNameError


def _groups(decision: Decision) -> Iterator[str]:
    contexts = (*decision.hashed, *decision.direct)
    yield from dict.fromkeys(context.group for context in contexts)


def _without(kind: str, group: str) -> Profile:
    if kind == "run":
        return dataclasses.replace(STRONGEST, run=STRONGEST.run.without(group))
    return dataclasses.replace(STRONGEST, branch=STRONGEST.branch.without(group))


def _models() -> dict[str, type[Model]]:
    """Make the models, keyed by the names of the groups that they lack."""
    models: dict[str, type[Model]] = {}
    for kind in ("run", "branch"):
        for group in _groups(getattr(STRONGEST, kind)):
            reduced = _without(kind, group)
            name = f"{kind.title()}Without{group.title().replace(' ', '')}"
            model = type(name, (Model,), {"profile": reduced, "__module__": __name__})
            globals()[name] = model  # where the compiler's cache looks for it
            models[f"{kind}: {group}"] = model
    return models


_MODELS = _models()


def groups() -> tuple[str, ...]:
    """Return the names of all groups, such as "run: match" and "branch: patterns"."""
    return tuple(_MODELS)


def index_map_bytes(
    index_map: npt.NDArray[np.uint16],
    pixel_regions: npt.NDArray[np.uint8],
    codebooks: tuple[npt.NDArray[np.uint8], ...],
    without: str | None = None,
) -> int:
    """Return the size in bytes of an index map coded without one group of contexts.

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
    >>> index_map = np.arange(256, dtype=np.uint16).reshape(16, 16) % 5 % 3
    >>> parts = index_map, np.zeros((16, 16), np.uint8), (np.eye(3, dtype=np.uint8),)
    >>> index_map_bytes(*parts) > 0
    True
    """
    kind = MODELS["strongest"]
    if without is not None:
        if without not in _MODELS:
            raise UnknownNameError("group of contexts", without, _MODELS)
        kind = _MODELS[without]
    return len(ContextMixingIndices(kind, codebooks).encode(index_map, pixel_regions))
