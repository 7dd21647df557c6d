"""Pictures of an experiment: its regions and its decoded images.

All pictures but the original are decoded from the files of the trials. A grid is as wide as two
columns of a paper; its titles are text, and its pictures are aligned to whole pixels.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath
from PIL import Image

from adaptive_kmeans import container
from adaptive_kmeans.alpha import BACKGROUNDS, OPAQUE, flatten
from adaptive_kmeans.experiment.columns import rows_of
from adaptive_kmeans.experiment.series import decode, groups
from adaptive_kmeans.experiment.style import PAGE, TWO_COLUMNS, Drawn, plain
from adaptive_kmeans.regions import LOW_DETAIL

Pixels = npt.NDArray[np.uint8]

PICTURE_DPI = 200

LINE_HEIGHT, GAP = 21, 10
"""In pixels: a line of a title, the gap between pictures."""

FONT_SIZE = 6.0

MAX_WIDTH, MAX_HEIGHT, MIN_HEIGHT = 440, 480, 160
"""Limits of the size of a picture in a grid, in pixels."""

TITLE_LINES = 3
"""Lines of a title for which a page has room."""

MAX_COLUMNS, MAX_CELLS = 6, 36
"""Limits of a grid; a figure that needs more is left out."""

CROP = 96
"""Side of the magnified part of a picture, in pixels."""

ERRORS = "magma_r"
MAX_ERROR = 32
"""Error, in levels of 255, at which the color scale of an error map ends."""


class Cell(NamedTuple):
    """A picture with its title above it, and a rectangle on it: left, top, width and height."""

    title: str
    picture: Pixels
    rectangle: tuple[int, int, int, int] | None = None


Files = Mapping[str, bytes]
"""The files of the image that figures show, by the keys of their rows."""


def classification_maps(original: Pixels, table: pd.DataFrame, files: Files) -> list[Drawn]:
    """Draw the original, and for each way to split it the image with low-detail blocks in black.

    The ways are those of a measure, a threshold and a block size.
    """
    by = ["detail", "threshold", "block_size"]
    adaptive = table[table["method"] == "region-adaptive"]
    first = adaptive.drop_duplicates(by).sort_values(by, kind="stable")
    if not 0 < len(first) < MAX_CELLS:
        return []
    cells = [Cell("original", original)]
    for row in rows_of(first):
        low = container.read(files[row.key]).pixel_regions == LOW_DETAIL
        names = [row.detail] + ([] if row.threshold == "median" else [row.threshold])
        if first["block_size"].nunique() > 1:
            names.append(f"{row.block_size}×{row.block_size}")
        title = f"{', '.join(names)}\n{100 * low.mean():.1f} % low detail"
        shown = original.copy()
        shown[low] = (0, 0, 0, OPAQUE)[: original.shape[2]]
        cells.append(Cell(title, shown))
    what = f"Regions of {first['image'].iloc[0]}: blocks of low detail are black."
    return [Drawn(grid_of(_wrapped(cells)), what)]


def reconstructions(original: Pixels, table: pd.DataFrame, files: Files) -> list[Drawn]:
    """Draw the original and our decoded files: a row for each k1, a column for each method.

    Each row starts with the original. If the methods have different codebook sizes, only the common
    ones have a row; without common ones, the pictures follow each other, method by method.
    """
    ours = table[table["is_ours"]]
    if ours.empty:
        return []
    cells: dict[str, dict[object, Any]] = {}
    for row in rows_of(ours):
        key = row.smaller_codebook if row.sizes else row.quality
        cells.setdefault(row.series, {}).setdefault(row.target_value or key, row)
    common = set.intersection(*(set(of_series) for of_series in cells.values()))
    first = Cell("original", original)
    image = f"{ours['image'].iloc[0]} and our files of it, decoded"
    if common and len(cells) < MAX_COLUMNS and len(common) * (1 + len(cells)) <= MAX_CELLS:
        keys = [key for key in next(iter(cells.values())) if key in common]
        shown = [[_cell(of_series[key], files) for of_series in cells.values()] for key in keys]
        if len(cells) == 1:
            return [Drawn(grid_of(_wrapped([first, *(row[0] for row in shown)])), f"{image}.")]
        left_out = sum(len(of_series) for of_series in cells.values()) > len(common) * len(cells)
        note = " Only codebook sizes that all methods have." if left_out else ""
        caption = f"{image}: a row a codebook size or quality, a column a method.{note}"
        return [Drawn(grid_of([[first, *row] for row in shown]), caption)]
    rows = [row for of_series in cells.values() for row in of_series.values()]
    if len(rows) >= MAX_CELLS:
        return []
    return [Drawn(grid_of(_wrapped([first, *(_cell(row, files) for row in rows)])), f"{image}.")]


def details(original: Pixels, table: pd.DataFrame, files: Files) -> list[Drawn]:
    """Magnify the busiest part of the image: the original, then each series at its median rate.

    Below each crop is its error, the largest of the three channels; below the crop of the original,
    the whole image shows where the crop lies.
    """
    series = groups(table, "series")
    if not series or 2 * (1 + len(series)) > MAX_CELLS:
        return []
    top, left = _busiest(original)
    crop = slice(top, top + CROP), slice(left, left + CROP)
    cells = [Cell("original", original[crop])]
    below = [Cell("where it lies", original, (left, top, CROP, CROP))]
    for members in series.values():
        ranked = rows_of(members.sort_values("bytes", kind="stable"))
        cell = _cell(ranked[len(ranked) // 2], files)
        decoded = cell.picture[crop]
        cells.append(cell._replace(picture=decoded))
        below.append(Cell("error", _error_map(original[crop], decoded)))
    rows: list[Sequence[Cell | None]] = []
    for upper, lower in zip(_wrapped(cells), _wrapped(below), strict=True):
        rows += [upper, lower]
    side = original[crop].shape
    caption = (
        f"The busiest {side[1]}×{side[0]} pixels of {table['image'].iloc[0]}, of each series the "
        "file of its median size. Below each crop its error: the largest of the three channels."
    )
    return [Drawn(grid_of(rows, shape=side, has_errors=True), caption)]


def _wrapped(cells: Sequence[Cell]) -> list[list[Cell | None]]:
    """Wrap cells into rows of the length that leaves the fewest places empty."""
    count = len(cells)
    fewest = min(count, 3)
    widths = range(min(count, MAX_COLUMNS), fewest - 1, -1)
    across = min(widths, key=lambda width: (-count % width, -(-count // width)))
    padded: list[Cell | None] = [*cells, *[None] * (-count % across)]
    return [padded[start : start + across] for start in range(0, count, across)]


def _busiest(original: Pixels) -> tuple[int, int]:
    """Return the corner of the square with the greatest variance, in steps of half its side."""
    height, width = original.shape[:2]
    tops = range(0, max(1, height - CROP + 1), CROP // 2)
    lefts = range(0, max(1, width - CROP + 1), CROP // 2)
    return max(
        ((top, left) for top in tops for left in lefts),
        key=lambda at: float(original[at[0] : at[0] + CROP, at[1] : at[1] + CROP].var()),
    )


def _error_map(original: Pixels, decoded: Pixels) -> Pixels:
    """Color the largest error of the three channels; with alpha, over the worse background."""
    errors = [
        np.abs(flatten(original, color).astype(np.int16) - flatten(decoded, color)).max(axis=-1)
        for color in BACKGROUNDS.values()
    ]
    error = np.maximum(*errors)
    shades = colormaps[ERRORS](np.minimum(error / MAX_ERROR, 1.0), bytes=True)
    return np.ascontiguousarray(shades[..., :3])


def _cell(row: Any, files: Files) -> Cell:
    quality = quality_of(row)
    shown = f"{row.title}\n{quality + ', ' if quality else ''}{row.bits_per_pixel:.2f} bpp"
    return Cell(shown, decode(row, files[row.key]))


def quality_of(row: Any) -> str:
    """Return the PSNR of a file as shown with pictures, "" if it was not measured."""
    if math.isnan(row.psnr_db):
        return ""
    return "lossless" if math.isinf(row.psnr_db) else f"{row.psnr_db:.2f} dB"


def grid_of(
    rows: Sequence[Sequence[Cell | None]],
    *,
    shape: tuple[int, ...] | None = None,
    has_errors: bool = False,
) -> Figure:
    """Arrange pictures in a grid, each below its title.

    Small pictures are magnified by integer factors, and large ones are shrunk, so that one pixel of
    the shown picture is one pixel of the figure's file.

    Parameters
    ----------
    rows : sequence of sequence of Cell or None
        The pictures, rows of equal length.
    shape : tuple, optional
        Height and width of the cells, by default those of the first picture. A picture of another
        shape is fitted into its cell.
    has_errors : bool
        Whether to add the color bar of errors.
    """
    first = next(cell for row in rows for cell in row if cell is not None)
    height, width = (first.picture.shape if shape is None else shape)[:2]
    columns = len(rows[0])
    pitch = int(TWO_COLUMNS * PICTURE_DPI / columns)
    bar = 4 * LINE_HEIGHT if has_errors else 0
    room = (PAGE * PICTURE_DPI - bar) / len(rows) - 2 * GAP - TITLE_LINES * LINE_HEIGHT
    highest = min(MAX_HEIGHT, max(room, MIN_HEIGHT))
    wanted = min(pitch - GAP, MAX_WIDTH, highest * width / height)
    scale = _scale(width, wanted)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    pitch = min(pitch, max(size[0], MAX_WIDTH // 2) + GAP)
    placed = [
        [(cell, None if cell is None else _broken(cell.title, pitch)) for cell in row]
        for row in rows
    ]
    heads = [
        LINE_HEIGHT * max(0 if title is None else title.count("\n") + 1 for _, title in row)
        for row in placed
    ]
    pixels = columns * pitch, sum(heads) + len(rows) * (size[1] + 2 * GAP) + bar
    figure = Figure(figsize=(pixels[0] / PICTURE_DPI, pixels[1] / PICTURE_DPI), dpi=PICTURE_DPI)
    top = pixels[1]
    for row, head in zip(placed, heads, strict=True):
        top -= head
        for i, (cell, title) in enumerate(row):
            if cell is not None:
                _place(figure, pixels, cell, str(title), (i + 0.5) * pitch, top, size)
        top -= size[1] + 2 * GAP
    if has_errors:
        _add_color_bar(figure, pixels)
    return figure


def _scale(width: int, wanted: float) -> float:
    return max(1, int(wanted / width)) if width <= wanted else wanted / width


def _broken(title: str, pitch: int) -> str:
    """Break the lines of a title that are wider than a picture: at commas, or else at spaces."""
    lines: list[str] = []
    for line in title.split("\n"):
        words: list[tuple[str, str]] = []  # each with what joins it to the one before
        for part in line.split(", "):
            first, *others = part.split(" ") if _width(part) > pitch else [part]
            words += [(", ", first), *((" ", word) for word in others)]
        current = words[0][1]
        for joint, word in words[1:]:
            if _width(current + joint + word) <= pitch:
                current += joint + word
            else:
                lines.append(current + joint.rstrip())
                current = word
        lines.append(current)
    return "\n".join(lines)


@functools.cache
def _width(text: str) -> float:
    """Return the width of a text in pixels."""
    extents = TextPath((0, 0), plain(text), size=FONT_SIZE, usetex=False).get_extents()
    return float(extents.width) * PICTURE_DPI / 72


def _place(
    figure: Figure,
    pixels: tuple[int, int],
    cell: Cell,
    title: str,
    middle: float,
    top: float,
    size: tuple[int, int],
) -> None:
    """Place a picture with its top at a height in pixels, and its title above it."""
    figure.text(
        middle / pixels[0],
        (top + 4) / pixels[1],
        plain(title),
        fontsize=FONT_SIZE,
        ha="center",
        va="bottom",
        linespacing=1.0,
    )
    height, width = cell.picture.shape[:2]
    factor = min(size[0] / width, size[1] / height)
    own = max(1, round(width * factor)), max(1, round(height * factor))
    method = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.LANCZOS
    shown = np.asarray(Image.fromarray(cell.picture).resize(own, method))
    corner = round(middle - own[0] / 2), round(top - own[1])
    axes = figure.add_axes(
        (
            corner[0] / pixels[0],
            corner[1] / pixels[1],
            own[0] / pixels[0],
            own[1] / pixels[1],
        )
    )
    axes.imshow(shown, interpolation="none", aspect="auto")
    axes.set_axis_off()
    if cell.rectangle is not None:
        left, upper, across, down = (side * factor for side in cell.rectangle)
        for color, line in (("black", 1.6), ("white", 0.7)):
            look: dict[str, Any] = {"fill": False, "edgecolor": color, "linewidth": line}
            axes.add_patch(Rectangle((left, upper), across, down, **look))


def _add_color_bar(figure: Figure, pixels: tuple[int, int]) -> None:
    place = 0.35, 2.2 * LINE_HEIGHT / pixels[1], 0.3, 0.5 * LINE_HEIGHT / pixels[1]
    shades = ScalarMappable(Normalize(0, MAX_ERROR), ERRORS)
    bar = figure.colorbar(shades, cax=figure.add_axes(place), orientation="horizontal")
    ends = [0, MAX_ERROR // 4, MAX_ERROR // 2, MAX_ERROR]
    bar.set_ticks(ends, labels=[*map(str, ends[:-1]), f"≥ {MAX_ERROR}"])
    bar.ax.tick_params(labelsize=FONT_SIZE, length=2, pad=1)
    bar.ax.text(
        1.1, 0.5, "levels of 255", transform=bar.ax.transAxes, va="center", fontsize=FONT_SIZE
    )
