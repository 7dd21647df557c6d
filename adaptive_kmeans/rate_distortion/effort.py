"""How much work a file is worth: what each level of effort does.

| effort | sweeps | candidates | live passes | coder |
| --- | --- | --- | --- | --- |
| 1 | none: nearest codewords | | | fast |
| 2 | 1 | 4 | | fast |
| 3 | 2 | 6 | | fast |
| 4 | 2 | 6 | | strongest |
| 5, the default | 3 | 8 | | strongest |
| 6 | 2 | 6 | 1 | strongest |
| 7 | 3 | 8 | 1 | strongest |
| 8 | 3 | 8 | 2 | strongest |
| 9 | 6 | 12 | 3 | strongest |

Live passes are for coders that have a model, which is `context-mixing`. When tuned for PSNR, they
count errors after the decoder's filter.

What each level gains is measured in ``results/effort``.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT = 5
FAST_UP_TO = 3
"""Efforts up to this one write files with the coder's fast profile."""


@dataclass(frozen=True)
class Effort:
    """The work done for a file.

    Parameters
    ----------
    shares : tuple of float
        λ of each sweep, as a fraction of the full λ.
    candidates : int
        Nearest codewords that a pixel tries, besides those of its neighbors.
    passes : int
        Passes with the live model of the coder.
    """

    shares: tuple[float, ...]
    candidates: int
    passes: int = 0


EFFORTS = {
    1: Effort((), 1),
    2: Effort((1.0,), 4),
    3: Effort((0.5, 1.0), 6),
    4: Effort((0.5, 1.0), 6),
    5: Effort((0.5, 1.0, 1.0), 8),
    6: Effort((0.5, 1.0), 6, passes=1),
    7: Effort((0.5, 1.0, 1.0), 8, passes=1),
    8: Effort((0.5, 1.0, 1.0), 8, passes=2),
    9: Effort((0.2, 0.5, 0.8, 1.0, 1.0, 1.0), 12, passes=3),
}
