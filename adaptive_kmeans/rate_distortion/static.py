"""Costs of coders that see less than the proxy does.

DEFLATE looks for repeated strings of bytes in the rows of a map, and Huffman codes what is left:
here, only the left neighbor is seen, and other codewords cost bits by their frequency. In
fixed-length codes all cost the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.rate_distortion.palette import SPANS, Palette
from adaptive_kmeans.rate_distortion.proxy import (
    ACTIVITIES,
    CONTEXTS,
    EVENTS,
    Costs,
    in_parts,
)


def learn_rows(labels: npt.NDArray[np.int32], palette: Palette) -> Costs:
    """Return the costs of codewords that do or do not equal those to their left.

    Parameters
    ----------
    labels : (h + 2, w + 4) int32
        Codewords, between margins of -1: two rows above, two columns to each side.
    palette : Palette
    """
    inner = labels[2:, 2:-2]
    visible = inner >= 0
    equal = (inner == labels[2:, 1:-3]) & visible
    share = (equal.sum() + 0.5) / (visible.sum() + 1.0)
    uses = np.bincount(inner[visible & ~equal], minlength=len(palette.colors)) + 0.5
    events = np.full((CONTEXTS, EVENTS), in_parts(-np.log2(1 - share)), dtype=np.int32)
    events[:, 0] = in_parts(-np.log2(share))
    costs = no_costs(labels, palette)
    return costs._replace(events=events, uses=in_parts(-np.log2(uses / uses.sum())), seen=1)


def no_costs(labels: npt.NDArray[np.int32], palette: Palette) -> Costs:
    """Return costs of zero for all codewords; parameters as for `learn_rows`."""
    return Costs(
        np.zeros((CONTEXTS, EVENTS), dtype=np.int32),
        np.zeros((ACTIVITIES, SPANS), dtype=np.int32),
        np.zeros((len(palette.colors), SPANS), dtype=np.int32),
        np.zeros(len(palette.colors), dtype=np.int32),
        0,
    )


LEARNERS = {"deflate": learn_rows, "fixed-length": no_costs}
"""The function that learns the costs of codewords, by coder; other coders use that of the proxy."""
