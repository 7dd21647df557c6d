"""The elbow of a curve: the number of codewords beyond which more of them gain little."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.errors import ConfigError

KS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""The numbers of codewords at which a curve is measured by default."""


def elbow(ks: npt.ArrayLike, distortions: npt.ArrayLike, *, log_k: bool = False) -> int:
    """Choose k at the elbow of a curve of distortion against k.

    The curve is scaled to the unit square, and the elbow is the point farthest below the chord from
    its first to its last point: the rule of Satopää, Albrecht, Irwin and Raghavan, "Finding a
    'kneedle' in a haystack" (ICDCSW 2011), for a decreasing convex curve, with neither smoothing
    nor a threshold. Ties go to the smallest k.

    Parameters
    ----------
    ks : (n,) array
        Increasing numbers of codewords, at least two.
    distortions : (n,) array
        The distortion (mean squared error, not decibels) at each k.
    log_k : bool
        Whether the curve is drawn over the logarithm of k, as for codebooks that double.

    Returns
    -------
    int
        One of `ks`; the first if no point lies below the chord.

    Raises
    ------
    ConfigError
        If there are fewer than two points, k does not increase, or a number is not finite.

    Examples
    --------
    >>> elbow([1, 2, 3, 4, 5], [100, 40, 10, 8, 7])
    3
    """
    x, y = np.array(ks, np.float64), np.array(distortions, np.float64)
    if x.ndim != 1 or x.shape != y.shape or x.size < 2:
        raise ConfigError(
            "unusable curve",
            "two or more k and as many distortions",
            f"shapes {x.shape} and {y.shape}",
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ConfigError("unusable curve", "finite numbers", "some that are not")
    if x[0] < 1 or (np.diff(x) <= 0).any():
        raise ConfigError("unusable curve", "increasing k from 1 on", x.tolist())
    chosen = x.copy()
    if log_k:
        x = np.log(x)
    across = (x - x[0]) / (x[-1] - x[0])
    height = y[0] - y[-1]
    if height <= 0.0:
        return int(chosen[0])
    below = (1.0 - across) - (y - y[-1]) / height
    return int(chosen[int(np.argmax(below))])
