"""Quality and rate: PSNR, SSIM, CIEDE2000, SSIMULACRA 2, bits per pixel, and Bjøntegaard deltas.

`METRICS` has what experiments know about each quality metric: a new one is a function and an entry
there. Other packages add metrics through the entry-point group ``adaptive_kmeans.metrics``.

Distortion is always that of a decoded file against the original, in 8-bit RGB, and rate is always
that of the file's bytes. Images with alpha are compared over each of `BACKGROUNDS`, black and
white, and the worse value counts. Metrics take arrays, and whatever `adaptive_kmeans.load` takes.
PSNR and SSIM equal scikit-image's `peak_signal_noise_ratio` and `structural_similarity`, as the
tests check; with those, a study would spend most of its time in metrics.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import io
import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal, TypeVar, cast

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.alpha import BACKGROUNDS, flatten
from adaptive_kmeans.errors import ConfigError, ImageError, MissingDependencyError, PluginError
from adaptive_kmeans.image import as_pixels
from adaptive_kmeans.limits import MAX_PIXELS, check_integer
from adaptive_kmeans.progress import say
from adaptive_kmeans.registry import blaming, group, version_of
from adaptive_kmeans.threads import Workers

Image = npt.NDArray[np.uint8]
Curve = Sequence[tuple[float, float]]
"""A method's files of one image: rate in bits per pixel and quality in dB."""

_Metric = TypeVar("_Metric", bound=Callable[..., float])
Window = Literal["gaussian", "published"]

PEAK = 255.0
GAUSSIAN_SIDE, GAUSSIAN_SIGMA = 11, 1.5
CUBE_SIDE = 3
SSIMULACRA_SIDE = 8

MIN_POINTS = 3
"""Fewest points with which a curve is compared."""

MIN_OVERLAP = 0.5
"""Least share of the narrower of two curves, in quality or in the logarithm of the rate, that the
other one must cover."""

NO_LOSS_SSIMULACRA2 = 100 - 1e-6
"""SSIMULACRA 2 from which a file counts as lossless."""

CHUNK_ROWS = 128
"""Rows of windows that one thread sums; fixed, so that sums do not depend on the number of
threads."""


def _over_backgrounds(worse: Callable[..., float]) -> Callable[[_Metric], _Metric]:
    """Extend a metric to images with alpha: its worse value over the backgrounds.

    Parameters
    ----------
    worse : callable
        Takes the values, and returns the worst.
    """

    def decorate(metric: _Metric) -> _Metric:
        @functools.wraps(metric)
        def compare(original: Image, decoded: Image, *settings: Any, **named: Any) -> float:
            pair = _check_pair(original, decoded)
            if all(image.shape[2] == 3 for image in pair):
                return metric(*pair, *settings, **named)
            values = []
            for color in BACKGROUNDS.values():
                flat = (_read_only(flatten(image, color)) for image in pair)
                values.append(metric(*flat, *settings, **named))
            return worse(values)

        return cast(_Metric, compare)

    return decorate


@_over_backgrounds(min)
def psnr(original: Image, decoded: Image) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and channels; infinite for equal images.

    PSNR = 10 log10(255² / MSE).

    Examples
    --------
    >>> black = np.zeros((2, 2, 3), dtype=np.uint8)
    >>> round(psnr(black, black + np.uint8(1)), 2)
    48.13
    >>> psnr(black, black)
    inf
    """
    from adaptive_kmeans._metric_kernels import squared_error

    total = int(squared_error(original.ravel(), decoded.ravel()))
    return 10 * math.log10(PEAK**2 * original.size / total) if total else math.inf


@_over_backgrounds(min)
def ssim(original: Image, decoded: Image, window: Window = "gaussian") -> float:
    """Mean structural similarity, at most 1.

    Parameters
    ----------
    original, decoded : (H, W, 3) or (H, W, 4) uint8
        The images.
    window : {"gaussian", "published"}
        ``gaussian`` is the standard one: an 11×11 Gaussian of σ = 1.5, each channel apart (Z. Wang
        et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE
        Trans. Image Processing 13(4), 2004). ``published`` is pmephin's: a uniform window of
        3×3×3 samples over rows, columns and channels, which the published code gets from
        scikit-image with ``win_size=3`` and no channel axis.

    Returns
    -------
    float
        The similarity; NaN where a side of the image is shorter than the window.

    Examples
    --------
    >>> black = np.zeros((16, 16, 3), dtype=np.uint8)
    >>> round(ssim(black, black), 6)
    1.0
    """
    if window not in ("gaussian", "published"):
        raise ConfigError("SSIM window", "one of gaussian, published", window)
    if min(original.shape[:2]) < (GAUSSIAN_SIDE if window == "gaussian" else CUBE_SIDE):
        return math.nan
    from adaptive_kmeans import _metric_kernels as kernels

    height, width = original.shape[:2]
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    side = GAUSSIAN_SIDE if window == "gaussian" else CUBE_SIDE
    taps = _gaussian_taps()

    def add_up(top: int) -> float:
        """Sum the index of the windows whose first row is in the chunk from `top` on."""
        rows = slice(top, min(top + CHUNK_ROWS + side - 1, height))
        pair = original[rows], decoded[rows]
        if window == "published":
            return float(kernels.cube_ssim(*pair, c1, c2))
        x, y = (part.reshape(len(part), -1) for part in pair)
        scratch = np.empty((4, 3 * width))
        return float(kernels.gaussian_ssim(x, y, 3, taps, c1, c2, scratch))

    with Workers() as workers:
        tops = range(0, height - side + 1, CHUNK_ROWS)
        total: float = math.fsum(workers.map(add_up, [(top,) for top in tops]))
    channels = 3 if window == "gaussian" else 1
    return total / float(channels * (height - side + 1) * (width - side + 1))


def _gaussian_taps() -> npt.NDArray[np.float64]:
    offsets = np.arange(GAUSSIAN_SIDE) - GAUSSIAN_SIDE // 2
    taps: npt.NDArray[np.float64] = np.exp(-0.5 * (offsets / GAUSSIAN_SIGMA) ** 2)
    normalized: npt.NDArray[np.float64] = taps / taps.sum()
    return normalized


@_over_backgrounds(max)
def ciede2000(original: Image, decoded: Image) -> float:
    """Mean CIEDE2000 color difference over all pixels; about 1 is just noticeable.

    By scikit-image, after G. Sharma et al., "The CIEDE2000 Color-Difference Formula", Color
    Research & Application 30(1), 2005.

    Examples
    --------
    >>> black = np.zeros((2, 2, 3), dtype=np.uint8)
    >>> ciede2000(black, black)
    0.0
    """
    from skimage.color import deltaE_ciede2000, rgb2lab

    return float(deltaE_ciede2000(rgb2lab(original), rgb2lab(decoded)).mean())


@_over_backgrounds(min)
def ssimulacra2(original: Image, decoded: Image) -> float:
    """SSIMULACRA 2, a score of perceived quality: 100 for equal images, 90 if hard to tell apart.

    By the `ssimulacra2` package, a NumPy version of J. Sneyers' metric from the JPEG XL project
    (Cloudinary, 2022): structural similarity and two edge maps at six scales of the XYB color
    space, weighted to match human ratings. Very bad images score below zero.

    Returns
    -------
    float
        The score; NaN where a side of the image is shorter than 8 pixels.

    Raises
    ------
    MissingDependencyError
        The package is not installed: it comes with the extra ``metrics``.
    """
    compute_ssimulacra2 = require_ssimulacra2()
    if min(original.shape[:2]) < SSIMULACRA_SIDE:
        return math.nan
    return float(compute_ssimulacra2(_as_file(original), _as_file(decoded)))


def require_ssimulacra2() -> Callable[..., Any]:
    """Return the function for SSIMULACRA 2, or raise `MissingDependencyError`."""
    try:
        from ssimulacra2 import compute_ssimulacra2
    except ImportError as error:
        expected = "it to be installed: pip install 'adaptive-kmeans[metrics]'"
        raise MissingDependencyError("library ssimulacra2", expected, str(error)) from error
    return cast(Callable[..., Any], compute_ssimulacra2)


def _as_file(image: Image, kind: str = "PPM") -> io.BytesIO:
    """Return an image as a file in memory."""
    from PIL import Image as Pillow

    file = io.BytesIO()
    Pillow.fromarray(image).save(file, kind)
    file.seek(0)
    return file


def bits_per_pixel(data: bytes, shape: tuple[int, ...]) -> float:
    """Rate of a file: 8 × its bytes / the image's pixels.

    Parameters
    ----------
    data : bytes
        The file.
    shape : tuple of int
        Shape of the image, (H, W, …).

    Examples
    --------
    >>> bits_per_pixel(bytes(100), (20, 20, 3))
    2.0
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ConfigError("data", "the bytes of a file", type(data).__name__)
    if not isinstance(shape, tuple) or len(shape) < 2:
        raise ConfigError("shape", "(height, width, …)", reprlib.repr(shape))
    height, width = (check_integer("side of the image", n, 1, MAX_PIXELS) for n in shape[:2])
    return 8 * len(data) / (height * width)


def raw_bytes(shape: tuple[int, ...]) -> int:
    """Bytes of the pixels of an image of shape (H, W, …), alpha aside.

    Examples
    --------
    >>> raw_bytes((20, 20, 4))
    1200
    """
    return 3 * shape[0] * shape[1]


def compression_ratio(data: bytes, shape: tuple[int, ...]) -> float:
    """Raw RGB bytes of an image of shape (H, W, …) / bytes of its file.

    Examples
    --------
    >>> compression_ratio(bytes(100), (20, 20, 3))
    12.0
    """
    return raw_bytes(shape) / len(data)


def space_saving_percent(data: bytes, shape: tuple[int, ...]) -> float:
    """100 × (1 − bytes of a file / raw RGB bytes of its image, of shape (H, W, …)).

    Examples
    --------
    >>> space_saving_percent(bytes(300), (20, 20, 3))
    75.0
    """
    return 100 * (1 - len(data) / raw_bytes(shape))


def bd_rate(anchor: Curve, method: Curve) -> float | None:
    """Mean change of rate at equal quality, in percent; negative if the method needs fewer bytes.

    By the `bjontegaard` package with Akima interpolation (C. Herglotz et al., "The Bjøntegaard
    Bible: Why Your Way of Comparing Video Codecs May Be Wrong", IEEE Trans. Image Processing 33,
    2024), after G. Bjøntegaard, VCEG-M33, 2001.

    Parameters
    ----------
    anchor, method : sequence of (float, float)
        Rate in bits per pixel and quality in dB of each file. Points of infinite quality are left
        out, since a curve has no slope there, and so are those that `front` leaves out.

    Returns
    -------
    float or None
        The change; None where the curves barely overlap or have fewer than three points.

    Examples
    --------
    >>> anchor = [(1.0, 30.0), (2.0, 33.0), (3.0, 35.0), (4.0, 36.5)]
    >>> round(bd_rate(anchor, [(0.9 * rate, psnr) for rate, psnr in anchor]), 6)
    -10.0
    """
    return _delta(anchor, method, "rate")


def bd_psnr(anchor: Curve, method: Curve) -> float | None:
    """Mean change of quality at equal rate, in dB; see `bd_rate`.

    Examples
    --------
    >>> anchor = [(1.0, 30.0), (2.0, 33.0), (3.0, 35.0), (4.0, 36.5)]
    >>> round(bd_psnr(anchor, [(rate, psnr + 1) for rate, psnr in anchor]), 6)
    1.0
    """
    return _delta(anchor, method, "psnr")


def front(curve: Curve) -> list[tuple[float, float]]:
    """Return the finite points by rate, without those that cost more for no more quality.

    Examples
    --------
    >>> front([(2.0, 31.0), (1.0, 30.0), (1.5, 29.0)])
    [(1.0, 30.0), (2.0, 31.0)]
    """
    kept: list[tuple[float, float]] = []
    for rate, quality in sorted(curve, key=lambda point: (point[0], -point[1])):
        if math.isfinite(quality) and (not kept or quality > kept[-1][1]):
            kept.append((rate, quality))
    return kept


def _check_pair(original: Image, decoded: Image) -> tuple[Image, Image]:
    """Return both images as the kernels take them; one may have alpha without the other."""
    original, decoded = as_pixels(original, "original image"), as_pixels(decoded, "decoded image")
    if original.shape[:2] != decoded.shape[:2]:
        raise ImageError("decoded image", f"the shape {original.shape}", f"{decoded.shape}")
    return _read_only(original), _read_only(decoded)


def _read_only(image: Image) -> Image:
    """Return an image as a contiguous, read-only array, so that kernels compile only once."""
    view = np.ascontiguousarray(image).view()
    view.flags.writeable = False
    return view


def _delta(anchor: Curve, method: Curve, axis: Literal["rate", "psnr"]) -> float | None:
    try:
        import bjontegaard
    except ImportError as error:
        expected = "it to be installed: pip install bjontegaard"
        raise MissingDependencyError("library bjontegaard", expected, str(error)) from error
    curves = [front(_check_curve(curve)) for curve in (anchor, method)]
    if min(map(len, curves)) < MIN_POINTS:
        return None
    values = [list(column) for curve in curves for column in zip(*curve, strict=True)]
    if _overlap(*(values[1::2] if axis == "rate" else _logs(values[0::2]))) < MIN_OVERLAP:
        return None
    compute = bjontegaard.bd_rate if axis == "rate" else bjontegaard.bd_psnr
    delta = compute(*values, method="akima", require_matching_points=False, min_overlap=0)
    return float(delta) if math.isfinite(delta) else None


def _check_curve(curve: Curve) -> Curve:
    """Raise `ConfigError` unless this is a sequence of pairs of numbers, the rates above 0."""
    expected = "a sequence of (rate above 0, quality) pairs"
    try:
        points = [(float(rate), float(quality)) for rate, quality in curve]
    except (TypeError, ValueError):
        raise ConfigError("curve", expected, repr(curve)) from None
    if not all(rate > 0 for rate, _ in points):
        raise ConfigError("curve", expected, repr(curve))
    return points


def _logs(rates: Sequence[Sequence[float]]) -> list[list[float]]:
    return [[math.log(rate) for rate in curve] for curve in rates]


def _overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the share of the narrower of two ranges that both cover."""
    shared = min(max(first), max(second)) - max(min(first), min(second))
    narrower = min(max(first) - min(first), max(second) - min(second))
    return shared / narrower if narrower else 0.0


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of quality, as experiments tabulate, plot and compare it.

    Parameters
    ----------
    column : str
        Its column in tables.
    label, unit : str
        Its name and its unit.
    score : callable
        Function of the original and the decoded image.
    digits : int
        Decimal places in tables.
    tolerance : float
        Largest difference between two runs of the same encoder that counts as none.
    settings : mapping
        Stored with its numbers. Its version is raised when the numbers change, so that stored
        trials are measured again.
    package : str or None
        The library, from the extra ``metrics``, that it needs.
    scale : callable or None
        Maps a score to the scale on which curves are drawn and compared: more is better, and a
        lossless file is infinite. A metric without one has no curves.
    axis : str
        Label of that scale; by default the label and the unit.
    """

    column: str
    label: str
    unit: str = ""
    score: Callable[[Image, Image], float]
    digits: int
    tolerance: float
    settings: Mapping[str, Any]
    package: str | None = None
    scale: Callable[[float], float] | None = None
    axis: str = ""

    @property
    def heading(self) -> str:
        """The label and the unit, as tables show them."""
        return f"{self.label} {self.unit}".strip()

    @property
    def score_label(self) -> str:
        """The label of an axis of scores."""
        return ", ".join(filter(None, (self.label, self.unit)))

    @property
    def scale_label(self) -> str:
        """The label of the axis on which curves are drawn."""
        return self.axis or self.score_label

    @property
    def declared(self) -> Mapping[str, Any]:
        """The settings, with the version of the library if it needs one."""
        if self.package is None:
            return self.settings
        return {**self.settings, "library": version_of(self.package)}

    @property
    def is_installed(self) -> bool:
        """Whether its library is installed."""
        return self.package is None or importlib.util.find_spec(self.package) is not None


def ssim_db(ssim: float) -> float:
    """SSIM in dB, −10 log10(1 − SSIM), a scale on which equal steps look about equal.

    Examples
    --------
    >>> round(ssim_db(0.99), 3)
    20.0
    """
    return -10 * math.log10(1 - ssim) if ssim < 1 else math.inf


def jpeg_bytes(original: Image, decoded: Image) -> float:
    """Bytes of the decoded image, saved as JPEG with Pillow's defaults: quality 75, 4:2:0.

    The published study of region-adaptive K-means took these bytes for its rate, which they are
    not: a file of this size does not hold the decoded image. NaN with alpha, which JPEG does not
    support.
    """
    return math.nan if decoded.shape[2] == 4 else len(_as_file(decoded, "JPEG").getvalue())


def _ssimulacra2_scale(score: float) -> float:
    return score if score < NO_LOSS_SSIMULACRA2 else math.inf


def _ciede2000_scale(difference: float) -> float:
    return -difference if difference else math.inf


METRICS = {
    "psnr": Metric(
        column="psnr_db",
        label="PSNR",
        unit="dB",
        score=psnr,
        digits=3,
        tolerance=0.001,
        settings={"version": 1, "peak": 255},
        scale=float,
    ),
    "ssim": Metric(
        column="ssim",
        label="SSIM",
        score=ssim,
        digits=5,
        tolerance=1e-5,
        settings={"version": 1, "window": "11×11 Gaussian, σ = 1.5"},
        scale=ssim_db,
        axis="SSIM, −10 log10(1 − SSIM) dB",
    ),
    "ssim-published": Metric(
        column="ssim_published",
        label="SSIM, 3×3×3",
        score=functools.partial(ssim, window="published"),
        digits=5,
        tolerance=1e-5,
        settings={"version": 1, "window": "3×3×3, uniform"},
    ),
    "ciede2000": Metric(
        column="ciede2000",
        label="CIEDE2000",
        score=ciede2000,
        digits=3,
        tolerance=0.001,
        settings={"version": 1, "mean": "over pixels"},
        scale=_ciede2000_scale,
        axis="negated mean CIEDE2000",
    ),
    "ssimulacra2": Metric(
        column="ssimulacra2",
        label="SSIMULACRA 2",
        score=ssimulacra2,
        digits=2,
        tolerance=0.01,
        settings={"version": 1},
        package="ssimulacra2",
        scale=_ssimulacra2_scale,
    ),
    "jpeg-bytes": Metric(
        column="jpeg_bytes",
        label="as JPEG",
        unit="bytes",
        score=jpeg_bytes,
        digits=0,
        tolerance=500,
        settings={"version": 1, "writer": "Pillow: quality 75, 4:2:0"},
    ),
}
"""The metrics of this package, by their names in a config."""


@functools.cache
def known() -> Mapping[str, Metric]:
    """Return all metrics by name: `METRICS`, and those that installed packages add.

    A metric of another package that cannot be used is left out, and the reason is printed.
    """
    found = dict(METRICS)
    for entry in metadata.entry_points(group=group("metrics")):
        what = f"metric {entry.name}"
        try:
            with blaming(PluginError, what, "a Metric of adaptive_kmeans.metrics"):
                found[entry.name] = _checked(what, entry.load(), found)
        except PluginError as error:
            say(f"note: {error}")
    return found


def _checked(what: str, metric: object, others: Mapping[str, Metric]) -> Metric:
    """Wrap a metric of another package so that it returns numbers, or fails with one line."""
    if not isinstance(metric, Metric):
        raise PluginError(what, "a Metric of adaptive_kmeans.metrics", type(metric).__name__)
    if metric.column in {other.column for other in others.values()}:
        raise PluginError(f"{what}: column", "one of its own", metric.column)
    compute = metric.score

    def score(original: Image, decoded: Image) -> float:
        expected = "a number"
        with blaming(PluginError, what, expected):
            value = compute(original, decoded)
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise PluginError(what, expected, reprlib.repr(value))
        return float(value)

    return dataclasses.replace(metric, score=score)
