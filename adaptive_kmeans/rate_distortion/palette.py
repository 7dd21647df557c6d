# mypy: disable-error-code="operator,arg-type,assignment,return-value"
"""The codewords of all regions, and the lookup tables of the search.

Codewords are numbered consecutively: those of region 0, then those of region 1, and so on. A pixel
takes only those of its own region.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.kernels import inlined, kernel, sources
from adaptive_kmeans.quantize import Quantized
from adaptive_kmeans.threads import Workers

Array = npt.NDArray[Any]

SIDE = 32
"""Cubes of 8 levels along each axis of the RGB cube."""
SPANS = 16
"""Classes of distances: 0, then half octaves from half a spacing on."""
SPACINGS = 20
"""Longest length that is distinguished, in half spacings."""
NOWHERE = -1
"""Label outside the image, and of hidden pixels."""
_LONGEST = 3 * 255 + 1

SOURCES = sources(Path(__file__).parent)
"""An argument of every kernel: see `adaptive_kmeans.kernels.sources`."""


class Palette(NamedTuple):
    """Codewords, and the lookup tables of the search."""

    colors: npt.NDArray[np.int32]  # (n, 4) red, green, blue, and the region
    nearest: npt.NDArray[np.int32]  # (regions, 32**3) codeword nearest to the center of a cube
    close: npt.NDArray[np.int32]  # (n, m) the nearest of the same region, itself first
    spans: npt.NDArray[np.int32]  # (766,) class of a distance between two codewords
    within: npt.NDArray[np.int32]  # (n, SPANS) codewords of the region in each class of distance
    lengths: npt.NDArray[np.int32]  # (3 * 766,) class of activity
    sources: npt.NDArray[np.void]


def first_codewords(codebooks: tuple[npt.NDArray[np.uint8], ...]) -> npt.NDArray[np.int32]:
    """Return the number of the first codeword of each codebook."""
    return np.cumsum([0, *(len(codebook) for codebook in codebooks[:-1])], dtype=np.int32)


def with_margins(labels: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int32]:
    """Return a map of labels between margins of -1: two rows above, two columns to each side."""
    framed = np.full((labels.shape[0] + 2, labels.shape[1] + 4), NOWHERE, dtype=np.int32)
    framed[2:, 2:-2] = labels
    return framed


def labels_of(quantized: Quantized) -> npt.NDArray[np.int32]:
    """Return the number of each pixel's codeword, between margins.

    Hidden pixels have none: to the search, they are outside the image.
    """
    firsts = first_codewords(quantized.region_codebooks)
    labels = firsts[quantized.pixel_regions] + quantized.index_map
    if quantized.has_hidden:
        labels[quantized.alpha == 0] = NOWHERE
    return with_margins(labels)


def new_palette(
    codebooks: tuple[npt.NDArray[np.uint8], ...], candidates: int, workers: Workers
) -> Palette:
    """Return the palette of codebooks, at least one of which has codewords.

    Parameters
    ----------
    codebooks : tuple of (k, 3) uint8
    candidates : int
        Most codewords in each row of `Palette.close`.
    workers : Workers
    """
    sizes = [len(codebook) for codebook in codebooks]
    colors = np.empty((sum(sizes), 4), dtype=np.int32)
    colors[:, :3] = np.concatenate(codebooks)
    colors[:, 3] = np.repeat(np.arange(len(sizes)), sizes)
    ends = np.cumsum(sizes)
    nearest = np.zeros((len(sizes), SIDE**3), dtype=np.int32)
    close = np.empty((len(colors), max(1, min(candidates, max(sizes)))), dtype=np.int32)
    gaps = np.empty(len(colors), dtype=np.int64)
    squares = np.empty(close.shape[1], dtype=np.int64)
    for region, (end, size) in enumerate(zip(ends, sizes, strict=True)):
        if size:
            start = end - size
            workers.map(
                lambda red, start=start, end=end, out=nearest[region]: _fill_cubes(
                    colors, start, end, red, out
                ),
                ((red,) for red in range(SIDE)),
            )
            _find_close(colors, start, end, close, gaps, squares)
    spacing = max(1, int(np.median(gaps)))
    spans, lengths = _classes(spacing)
    within = np.zeros((len(colors), SPANS), dtype=np.int32)
    _count_within(colors, ends, spans, within)
    return Palette(colors, nearest, close, spans, within, lengths, SOURCES)


def _classes(spacing: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the classes of distances, and those of activity."""
    distances = np.arange(_LONGEST)
    # in integers: a span begins where the square is a power of two times that of half a spacing
    squares, unit = 4 * distances**2, spacing**2
    begins = np.array([unit << octave for octave in range(1, SPANS - 1)])
    spans = 1 + np.searchsorted(begins, squares, side="right")
    spans[0] = 0
    halves = 2 * np.arange(3 * _LONGEST) // spacing
    bounds = np.array([1, 2, 4, 7, 12, SPACINGS])
    lengths = np.searchsorted(bounds, halves, side="right")
    return spans.astype(np.int32), lengths.astype(np.int32)


@kernel
def _fill_cubes(colors: Array, start: int, end: int, red: int, nearest: Array) -> None:
    """Find the codewords nearest to the centers of the cubes of one red.

    nearest : (32**3,) int32  # OUT, its row `red`
    """
    for green in range(SIDE):
        for blue in range(SIDE):
            least, best = np.int64(1) << 40, start
            for i in range(start, end):
                r = np.int64(colors[i, 0]) - (8 * red + 4)
                g = np.int64(colors[i, 1]) - (8 * green + 4)
                b = np.int64(colors[i, 2]) - (8 * blue + 4)
                square = r * r + g * g + b * b
                if square < least:
                    least, best = square, i
            nearest[(red * SIDE + green) * SIDE + blue] = best


@kernel
def _find_close(
    colors: Array, start: int, end: int, close: Array, gaps: Array, squares: Array
) -> None:
    """Find the codewords nearest to each, and how far the nearest other one is.

    close : (n, m) int32  # OUT, rows start to end; padded with the codeword itself
    gaps : (n,) int64  # OUT, sum of absolute differences
    """
    room = close.shape[1]
    for i in range(start, end):
        count = 0
        gaps[i] = 0
        least = np.int64(1) << 40
        for j in range(start, end):
            r = np.int64(colors[i, 0]) - np.int64(colors[j, 0])
            g = np.int64(colors[i, 1]) - np.int64(colors[j, 1])
            b = np.int64(colors[i, 2]) - np.int64(colors[j, 2])
            square = r * r + g * g + b * b
            if i == j:
                square = np.int64(-1)
            elif square < least:
                least = square
                gaps[i] = abs(r) + abs(g) + abs(b)
            if count == room and square >= squares[room - 1]:
                continue
            place = min(count, room - 1)
            while place > 0 and squares[place - 1] > square:
                squares[place] = squares[place - 1]
                close[i, place] = close[i, place - 1]
                place -= 1
            squares[place] = square
            close[i, place] = j
            count = min(count + 1, room)
        for place in range(count, room):
            close[i, place] = i


@kernel
def _count_within(colors: Array, ends: Array, spans: Array, within: Array) -> None:
    start = 0
    for end in ends:
        for i in range(start, end):
            for j in range(start, end):
                within[i, spans[distance(colors, i, j)]] += 1
        start = end


@inlined
def distance(colors: Array, one: int, other: int) -> int:
    """Return the sum of the absolute differences of two codewords."""
    return (
        abs(np.int64(colors[one, 0]) - np.int64(colors[other, 0]))
        + abs(np.int64(colors[one, 1]) - np.int64(colors[other, 1]))
        + abs(np.int64(colors[one, 2]) - np.int64(colors[other, 2]))
    )


@inlined
def nearest_to(palette: Palette, region: int, color: Array) -> int:
    """Return the codeword of a region that is nearest to the cube of an 8-bit color."""
    red, green, blue = np.int64(color[0]), np.int64(color[1]), np.int64(color[2])
    cube = ((red >> 3) * SIDE + (green >> 3)) * SIDE + (blue >> 3)
    return np.int64(palette.nearest[region, cube])
