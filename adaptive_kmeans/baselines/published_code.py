"""The code of the published study, reproduced step by step.

pmephin, "Improved Image Compression with KMeans" (github.com/pmephin, May 2023), measures regular
K-means, and K-means in two regions, by PSNR and SSIM. The codecs here do what its code does, even
where the package does better:

- Blocks of 4×4 pixels are high detail from the median of the scores on. The regions of
  `Settings.published` are the same, and so are the published maps.
- The clustering is cuML's ``KMeans(n_clusters=k)``: first centroids by scalable K-means++, then at
  most 300 of Lloyd's iterations, until the squared distances that the centroids move add up to less
  than 1e-4. The published numbers are lower than ours because of the initialization: see
  `first_centroids`.
- Centroids are truncated to 8 bits, not rounded, which darkens each channel by half a level.
- A pixel keeps the label that K-means gave it, whichever of the truncated codewords is nearest.
- k2 is 256.

Its random numbers cannot be reproduced, since a GPU drew them, so the results differ from the
published ones as those of two seeds do. Here, the iterations run on the distinct colors weighted by
their pixel counts, and centroids are rounded to eighths of a level, whereas cuML uses all pixels
and float32. An edge that is one pixel wide has its own blocks, whereas the published code makes all
blocks longer.

The only file that the published code writes is a JPEG of the result: see `metrics.jpeg_bytes`. The
codecs here write what they quantize as an `.akm` file, without further loss and with the coder
`CODER`, as the package's own K-means is written in ``region_study``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import codec, container
from adaptive_kmeans.baselines.formats import Pixels
from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.clustering import Workers, count_colors, kmeans
from adaptive_kmeans.clustering.color_points import EIGHTHS, ColorPoints
from adaptive_kmeans.clustering.histogram import ColorSet
from adaptive_kmeans.codec import ENCODER_VERSION, TWO_CODEBOOKS_VERSION
from adaptive_kmeans.detail import measures
from adaptive_kmeans.limits import MAX_CODEWORDS
from adaptive_kmeans.luma import luma_order
from adaptive_kmeans.quantize import Quantized
from adaptive_kmeans.regions import Median, classify
from adaptive_kmeans.registry import version_of
from adaptive_kmeans.specs import Within, check_settings

BLOCK_SIZE = 4
K2 = 256
CODER = "deflate:7"
OVERSAMPLING = 2
ROUNDS = 8
TOLERANCE = 1e-4
MAX_ITERATIONS = 300

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PublishedCode:
    """Regular K-means as in the published code.

    Parameters
    ----------
    k : int
        Number of codewords; with two regions, of those for low detail.
    seed : int
        For the random initialization. Of 0 to 9, the default is the one that gives all nine
        published PSNRs within 0.1 dB; ``published_repeat`` has the others.
    weighted : bool
        Whether the initialization counts the pixels of each color, which cuML's does not.

    Examples
    --------
    >>> image = np.array([[[0, 0, 0], [1, 1, 3], [200, 0, 0], [203, 0, 0]]], np.uint8)
    >>> repeat = PublishedCode(k=2)
    >>> repeat.quantize(image).codebooks
    (array([[  0,   0,   1],
           [201,   0,   0]], dtype=uint8),)
    >>> repeat.decode(repeat.encode(image))[0, :, 0].tolist()
    [0, 0, 201, 201]
    """

    k: Annotated[int, Within(1, MAX_CODEWORDS)] = 64
    seed: Annotated[int, Within(0, 2**32 - 1)] = 4
    weighted: bool = False
    detail: ClassVar[str | None] = None

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def version(self) -> str:
        """Names and versions of the software that makes the files."""
        libraries = f"{version_of('numpy')}, {version_of('scikit-learn')}"
        two = "" if self.detail is None else f", of two codebooks {TWO_CODEBOOKS_VERSION}"
        return f"repeat 1, {libraries}, adaptive-kmeans encoder {ENCODER_VERSION}{two}"

    def encode(self, image: Pixels) -> bytes:
        """Quantize pixels and write the file."""
        return container.write(self.quantize(image), CODER)

    def decode(self, data: bytes) -> Pixels:
        """Decode a file."""
        return codec.decode(data)

    def quantize(self, image: Pixels) -> Quantized:
        """Return the truncated codebooks, and each pixel's codeword by its K-means label."""
        grid, ks = BlockGrid(image.shape[0], image.shape[1], BLOCK_SIZE), [self.k]
        region_map = np.zeros(grid.shape, np.uint8)
        if self.detail is not None:
            ks.append(K2)
            region_map = classify(measures.create(self.detail)(image, grid), Median())
        regions = grid.spread(region_map)
        with Workers() as workers:
            histogram = count_colors(image, regions, len(ks), workers)
            found = [
                _truncated(*cluster(colors, k, self.seed, self.weighted, workers))
                for colors, k in zip(histogram.sets, ks, strict=True)
            ]
            labels = np.concatenate([labels for _, labels in found])
            index_map = histogram.map_labels(image, regions, labels, workers)
        codebooks = tuple(codebook for codebook, _ in found)
        return Quantized(grid, region_map, codebooks, index_map)


class Eigenvalue(PublishedCode):
    """Two codebooks, by the eigenvalues of a block's colors."""

    detail = "eigenvalue"


class Variance(PublishedCode):
    """Two codebooks, by the variance of a block's amplitude."""

    detail = "variance"


class TotalVariation(PublishedCode):
    """Two codebooks, by the total variation of a block's amplitude."""

    detail = "total-variation"


def cluster(
    colors: ColorSet, k: int, seed: int, weighted: bool, workers: Workers
) -> tuple[Floats, npt.NDArray[np.uint16]]:
    """Cluster colors as cuML does.

    Returns
    -------
    centroids : (k', 3) float64
        k of them, or the colors themselves if there are at most k.
    labels : (n,) uint16
        Each color's nearest centroid.
    """
    if len(colors.colors) <= k:
        return colors.colors.astype(np.float64), np.arange(len(colors.colors), dtype=np.uint16)
    coordinates = np.ascontiguousarray(colors.colors.T, dtype=np.float32) * EIGHTHS
    points = ColorPoints(coordinates, colors.weights, colors.cubes, workers)
    centroids = EIGHTHS * first_centroids(points, k, weighted, np.random.default_rng(seed))
    points.start(k)
    for _ in range(MAX_ITERATIONS):
        points.assign(np.rint(centroids).astype(np.float32))
        means = points.means()
        moved = ((means - centroids) ** 2).sum() / EIGHTHS**2
        centroids = means
        if moved < TOLERANCE:
            break
    points.assign(np.rint(centroids).astype(np.float32))
    return centroids / EIGHTHS, points.labels


def first_centroids(
    points: ColorPoints, k: int, weighted: bool, rng: np.random.Generator
) -> Floats:
    """Choose first centroids by scalable K-means++, with cuML's departure from it.

    B. Bahmani et al., "Scalable K-Means++", PVLDB 5(7), 2012: candidates are drawn by their squared
    distance to those already drawn, and K-means of the candidates, weighted by the number of pixels
    that each is nearest to, gives the centroids. This K-means in turn starts with K-means++, where
    cuML omits the weights: rare colors, many of which are drawn, get more centroids than they are
    worth, and the iterations that follow do not take them back. With `weighted`, the weights are
    kept.

    Returns
    -------
    (k, 3) float64
        In levels.
    """
    from sklearn.cluster import kmeans_plusplus

    colors: Floats = points.coordinates.T.astype(np.float64) / EIGHTHS
    weights = points.weights
    drawn, nearest = _draw(points, colors, k, rng)
    candidates = np.flatnonzero(drawn)
    if len(candidates) < k:
        others = np.flatnonzero(drawn == 0)
        chances = weights[others] / weights[others].sum()
        more = rng.choice(others, k - len(candidates), replace=False, p=chances)
        candidates = np.concatenate([candidates, more])
        return np.take(colors, candidates, axis=0)
    pixels = np.bincount(nearest, weights, len(colors))[candidates]
    start, _ = kmeans_plusplus(
        colors[candidates],
        k,
        # Without weights, a color that was drawn n times is n candidates.
        sample_weight=pixels if weighted else drawn[candidates],
        random_state=int(rng.integers(2**32)),
        n_local_trials=2 + math.ceil(math.log(k)),
    )
    centroids: Floats = kmeans(
        colors[candidates], k, init=start, weights=pixels, max_iterations=MAX_ITERATIONS
    ).centroids
    return centroids


def _draw(
    points: ColorPoints, colors: Floats, k: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """Draw pixels in rounds, about 2k in each.

    Returns
    -------
    drawn : (n,) int64
        How many pixels of each color.
    nearest : (n,) integers
        The nearest of the drawn colors to each color.
    """
    weights = points.weights
    drawn = rng.multinomial(1, weights / weights.sum())
    nearest = np.full(len(colors), drawn.argmax())
    distances = ((colors - colors[nearest]) ** 2).sum(axis=1)
    for _ in range(min(ROUNDS, math.ceil(math.log(weights @ distances)))):
        if not distances.any():
            break
        chances = OVERSAMPLING * k * distances / (weights @ distances)
        draws = rng.binomial(weights, np.minimum(chances, 1))
        drawn += draws
        new = np.flatnonzero(draws)
        if new.size:
            points.start(new.size).assign(np.ascontiguousarray(points.coordinates[:, new].T))
            closest = new[points.labels]
            squares = ((colors - colors[closest]) ** 2).sum(axis=1)
            nearest = np.where(squares < distances, closest, nearest)
            distances = np.minimum(squares, distances)
    return drawn, nearest


def _truncated(
    centroids: Floats, labels: npt.NDArray[np.uint16]
) -> tuple[Pixels, npt.NDArray[np.uint16]]:
    """Return the truncated centroids as a codebook, each once and in order of luma, and labels."""
    codebook, places = np.unique(centroids.astype(np.uint8), axis=0, return_inverse=True)
    order = luma_order(codebook)
    ranks = order.argsort().astype(np.uint16)
    return codebook[order], ranks[places.reshape(-1)][labels]
