"""Clustering engines, including ours: from pixels to a codebook and labels.

Every engine starts from 8-bit pixels and ends with a codeword for each pixel, without dithering;
conversions that a library needs count toward its time. Iterations, tolerances and initialization
are the defaults that a user of the library would get, unless stated below.

===================== =====================================================================
`adaptive-kmeans`     ours; `adaptive-kmeans:exact` iterates until no label changes
`scikit-learn`        Lloyd on all pixels until no label changes (``tol=0``)
`mini-batch`          scikit-learn's MiniBatchKMeans
`opencv`              25 iterations on all pixels from k-means++
`faiss`               25 iterations on all pixels
`libimagequant`       the library of pngquant
`median-cut`          Pillow's, with its K-means refinement; `median-cut:0` without
`octree`              Pillow's
===================== =====================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.baselines.libraries import library
from adaptive_kmeans.registry import Registry
from adaptive_kmeans.specs import Within, check_settings

Pixels = npt.NDArray[np.uint8]
PACKAGES = (
    *("numpy", "numba", "pillow", "scikit-learn"),
    *("opencv-python-headless", "faiss-cpu", "libimagequant"),
)
"""What the engines' speed and codebooks depend on."""


@dataclass(frozen=True, eq=False)
class EngineResult:
    """The codebook and the labels that an engine found.

    Parameters
    ----------
    codebook : (k, 3) float64 or uint8
        The codewords.
    labels : (n,) integers
        Each pixel's codeword, in raster order.
    iterations : int or None
        Number of times that all points were assigned, if the library reports it.
    """

    codebook: npt.NDArray[Any]
    labels: npt.NDArray[Any]
    iterations: int | None = None


class Engine(Protocol):
    """A clustering engine."""

    def __call__(self, image: Pixels, k: int, threads: int) -> EngineResult:
        """Find k codewords for an (H, W, 3) image, on a number of threads."""
        ...


def _float_points(image: Pixels, dtype: type) -> npt.NDArray[Any]:
    return image.reshape(-1, 3).astype(dtype)


@dataclass(frozen=True)
class AdaptiveKMeans:
    """Our engine.

    Parameters
    ----------
    mode : {"default", "exact"}
        Whether to stop at the default tolerance, or when no label changes.
    """

    mode: Literal["default", "exact"] = "default"

    def __post_init__(self) -> None:
        check_settings(self)

    def __call__(self, image: Pixels, k: int, threads: int) -> EngineResult:
        """Cluster the distinct colors."""
        from adaptive_kmeans import clustering

        tolerance = clustering.EXACT if self.mode == "exact" else clustering.DEFAULT_TOLERANCE
        with clustering.Workers(threads) as workers:
            histogram = clustering.count_colors(image, workers=workers)
            colors = histogram.sets[0]
            found = clustering.cluster_colors(colors, k, tolerance=tolerance, workers=workers)
            labels = histogram.map_labels(image, None, found.labels, workers)
        return EngineResult(found.centroids, labels.ravel(), found.iterations)


@dataclass(frozen=True)
class ScikitLearn:
    """scikit-learn's KMeans, once from k-means++, until no label changes."""

    def __call__(self, image: Pixels, k: int, threads: int) -> EngineResult:
        """Cluster all pixels."""
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits

        with threadpool_limits(threads):
            fitted = KMeans(k, n_init=1, tol=0, random_state=0).fit(_float_points(image, float))
        return EngineResult(fitted.cluster_centers_, fitted.labels_, fitted.n_iter_)


@dataclass(frozen=True)
class MiniBatch:
    """scikit-learn's MiniBatchKMeans with its defaults."""

    def __call__(self, image: Pixels, k: int, threads: int) -> EngineResult:
        """Cluster all pixels."""
        from sklearn.cluster import MiniBatchKMeans
        from threadpoolctl import threadpool_limits

        with threadpool_limits(threads):
            fitted = MiniBatchKMeans(k, n_init=1, random_state=0).fit(_float_points(image, float))
        return EngineResult(fitted.cluster_centers_, fitted.labels_, fitted.n_iter_)


@dataclass(frozen=True)
class OpenCV:
    """OpenCV's kmeans, with a fixed number of iterations from k-means++."""

    iterations: int = 25

    def __call__(self, image: Pixels, k: int, threads: int) -> EngineResult:
        """Cluster all pixels."""
        cv2 = library("cv2", "opencv-python-headless")
        cv2.setNumThreads(threads)
        cv2.setRNGSeed(0)
        stop = (cv2.TERM_CRITERIA_MAX_ITER, self.iterations, 0)
        points = _float_points(image, np.float32)
        _, labels, codebook = cv2.kmeans(points, k, None, stop, 1, cv2.KMEANS_PP_CENTERS)
        return EngineResult(codebook, labels.ravel(), self.iterations)


@dataclass(frozen=True)
class Faiss:
    """Kmeans of faiss, with a fixed number of iterations on all points."""

    iterations: int = 25

    def __call__(self, image: Pixels, k: int, threads: int) -> EngineResult:
        """Cluster all pixels."""
        faiss = library("faiss", "faiss-cpu")
        faiss.omp_set_num_threads(threads)
        points = _float_points(image, np.float32)
        engine = faiss.Kmeans(
            3, k, niter=self.iterations, max_points_per_centroid=len(points), seed=0
        )
        engine.train(points)
        _, labels = engine.index.search(points, 1)
        return EngineResult(engine.centroids, labels.ravel(), self.iterations)


@dataclass(frozen=True)
class LibImageQuant:
    """The library of pngquant; the number of threads is set for the whole process.

    Parameters
    ----------
    speed : int
        1, the best, to 10.
    dithering : float
        Strength of Floyd–Steinberg dithering, 0..1.
    """

    speed: Annotated[int, Within(1, 10)] = 4
    dithering: Annotated[float, Within(0, 1)] = 0.0

    def __post_init__(self) -> None:
        check_settings(self)

    def __call__(self, image: Pixels, k: int, threads: int) -> EngineResult:
        """Cluster a histogram of the pixels; if these have alpha, so does the codebook."""
        imagequant = library("libimagequant", "libimagequant")
        height, width = image.shape[:2]
        rgba = np.full((height, width, 4), 255, np.uint8)
        rgba[..., : image.shape[2]] = image
        attributes = imagequant.Attr()
        attributes.max_colors = k
        attributes.speed = self.speed
        picture = attributes.create_rgba(rgba.tobytes(), width, height, 0)
        result = picture.quantize(attributes)
        result.dithering_level = self.dithering
        labels = np.frombuffer(bytes(result.remap_image(picture)), np.uint8)
        colors = np.array([(c.r, c.g, c.b, c.a) for c in result.get_palette()])
        return EngineResult(colors[:, : image.shape[2]], labels)


def _pillow(image: Pixels, k: int, **options: Any) -> EngineResult:
    from PIL import Image

    quantized = Image.fromarray(image).quantize(k, dither=Image.Dither.NONE, **options)
    palette = np.array(quantized.getpalette(), np.uint8).reshape(-1, 3)
    return EngineResult(palette, np.asarray(quantized).ravel())


@dataclass(frozen=True)
class MedianCut:
    """Pillow's median cut.

    Parameters
    ----------
    refinement : int
        Threshold of Pillow's K-means refinement; 0 for none.
    """

    refinement: int = 1

    def __call__(self, image: Pixels, k: int, threads: int) -> EngineResult:
        """Cut the box of colors; Pillow uses one thread."""
        from PIL import Image

        return _pillow(image, k, method=Image.Quantize.MEDIANCUT, kmeans=self.refinement)


@dataclass(frozen=True)
class Octree:
    """Pillow's octree."""

    def __call__(self, image: Pixels, k: int, threads: int) -> EngineResult:
        """Merge the leaves of an octree; Pillow uses one thread."""
        from PIL import Image

        return _pillow(image, k, method=Image.Quantize.FASTOCTREE)


engines: Registry[Engine] = Registry(
    "clustering engine",
    {
        "adaptive-kmeans": AdaptiveKMeans,
        "scikit-learn": ScikitLearn,
        "mini-batch": MiniBatch,
        "opencv": OpenCV,
        "faiss": Faiss,
        "libimagequant": LibImageQuant,
        "median-cut": MedianCut,
        "octree": Octree,
    },
)
