"""Comparisons for a setting: other codecs at the size of its file, and the elbow of k."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adaptive_kmeans import codec, metrics
from adaptive_kmeans.clustering import elbow
from adaptive_kmeans.clustering.elbow import KS
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.errors import AdaptiveKMeansError
from adaptive_kmeans.explorer.images import Pixels
from adaptive_kmeans.explorer.state import ExplorerState
from adaptive_kmeans.metrics import PEAK
from adaptive_kmeans.progress import Progress

CODECS = {"png8": (2, 256), "jpeg": (1, 100), "webp": (1, 100)}
"""Baselines to compare with, and the range of the setting that increases their file size."""


@dataclass(frozen=True)
class PeerPoint:
    """A file of another codec.

    Parameters
    ----------
    codec, label : str
        Its name, and its spec with the setting.
    bytes : int
    psnr_db, ssim : float
    """

    codec: str
    label: str
    bytes: int
    psnr_db: float
    ssim: float


def at_bytes(pixels: Pixels, most: int, progress: Progress) -> tuple[list[PeerPoint], list[str]]:
    """Return each codec's largest file of at most `most` bytes.

    Parameters
    ----------
    pixels : (H, W, 3) uint8
    most : int
        Largest size in bytes.
    progress : callable
        Called before each file.

    Returns
    -------
    points : list of PeerPoint
    missing : list of str
        Why a codec is not among them, one line per codec.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.arange(48 * 48 * 3, dtype=np.uint32).reshape(48, 48, 3).astype(np.uint8)
    >>> points, missing = at_bytes(ramp, 50, lambda stage, share: None)
    >>> points, [line.partition(":")[0] for line in missing]
    ([], ['png8', 'jpeg', 'webp'])
    """
    points, missing = [], []
    for place, (name, (low, high)) in enumerate(CODECS.items()):
        try:
            point = _closest(pixels, most, name, (low, high), place / len(CODECS), progress)
        except AdaptiveKMeansError as error:  # its library is not installed, or it failed
            missing.append(f"{name}: {' '.join(str(error).split())}")
            continue
        if isinstance(point, int):
            missing.append(f"{name}: its smallest file has {point:,} bytes")
        else:
            points.append(point)
    return points, missing


def _closest(
    pixels: Pixels,
    most: int,
    name: str,
    settings: tuple[int, int],
    share: float,
    progress: Progress,
) -> PeerPoint | int:
    """Return the largest file of at most `most` bytes, or else the size of the smallest one."""
    from adaptive_kmeans.baselines.checked import Baseline

    low, high = settings
    best: tuple[Baseline, bytes] | None = None
    smallest = 0
    while low <= high:
        progress(f"peers: {name}", share)
        # the smallest is tried last, and only if all others are too large
        middle = (low + high) // 2
        baseline = Baseline.create(f"{name}:{middle}")
        data = baseline.encode(pixels)
        smallest = len(data)
        if len(data) <= most:
            best, low = (baseline, data), middle + 1
        else:
            high = middle - 1
    if best is None:
        return smallest
    baseline, data = best
    decoded = baseline.decode(data)
    psnr_db, ssim = metrics.psnr(pixels, decoded), metrics.ssim(pixels, decoded)
    return PeerPoint(name, baseline.label, len(data), psnr_db, ssim)


def elbow_of(
    pixels: Pixels, state: ExplorerState, progress: Progress
) -> tuple[list[dict[str, Any]], int]:
    """Return the quality of regular K-means at each k, and the k at its elbow.

    Parameters
    ----------
    pixels : (H, W, 3) uint8
    state : ExplorerState
        Gives the color space and the seed.
    progress : callable
        Called before each k.

    Returns
    -------
    points : list of dict
        k, psnr_db and error, the mean squared error over pixels and channels.
    k : int

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3).astype(np.uint8)
    >>> points, k = elbow_of(ramp, ExplorerState(), lambda stage, share: None)
    >>> len(points), k in KS
    (15, True)
    """
    points = []
    for place, k in enumerate(KS):
        progress("elbow", place / len(KS))
        settings = Settings.regular(k, color_space=state.color_space, seed=state.seed)
        psnr_db = metrics.psnr(pixels, codec.quantize(pixels, settings).reconstruct())
        points.append({"k": k, "psnr_db": psnr_db, "error": PEAK**2 / 10 ** (psnr_db / 10)})
    return points, elbow(KS, [point["error"] for point in points])
