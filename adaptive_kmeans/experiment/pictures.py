"""Pictures of an experiment: its regions, and its decoded images.

All pictures but the original are decoded from the files of the trials.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image

from adaptive_kmeans import container
from adaptive_kmeans.experiment.series import Measured
from adaptive_kmeans.regions import LOW_DETAIL

Pixels = npt.NDArray[np.uint8]

PICTURE_DPI = 110

TITLE_HEIGHT, GAP, LETTER = 42, 8, 7
"""In pixels: two title lines above a picture, the gap between pictures, a letter's width."""

MAX_HEIGHT = 800
"""Greatest height of a picture in a grid, in pixels."""

MAX_ROWS, MAX_COLUMNS = 6, 8
"""Limits of a grid; a figure that needs more is left out."""

MAX_CROPS = 6
"""Most crops side by side, so that they can be magnified."""

CROP = 96
"""Side of the magnified part of a picture, in pixels."""

MAX_ERROR = 32
"""Error, in levels of 255, that is black in an error map."""


def classification_maps(original: Pixels, measured: Sequence[Measured]) -> Figure | None:
    """Draw the original, and for each measure the image with its low-detail blocks in black."""
    adaptive = [m for m in reversed(measured) if m.row.method == "region-adaptive"]
    first = {m.row.label if m.row.threshold == "median" else m.series: m for m in adaptive}
    if not 0 < len(first) <= MAX_COLUMNS:
        return None
    titles, pictures = ["original"], [original]
    for series, m in sorted(first.items()):
        low = container.read(m.file).pixel_regions == LOW_DETAIL
        titles.append(f"{series}\n{100 * low.mean():.1f} % low detail, black")
        pictures.append(np.where(low[..., None], np.uint8(0), original))
    return picture_grid([titles], [pictures])


def reconstructions(original: Pixels, measured: Sequence[Measured]) -> Figure | None:
    """Draw a row for each k1 and a column for each method, with the first trial of each cell.

    Files by quality, which have no k1, stand in the first rows, the worst first.
    """
    measured = [m for m in measured if m.row.is_ours]
    columns = list(dict.fromkeys(m.series for m in measured))
    by_quality = sorted({m.row.quality for m in measured if m.row.quality is not None})
    sizes = sorted({m.smaller_codebook for m in measured if m.row.codebook_sizes})
    rows = range(max(len(sizes), len(by_quality)))
    if not (0 < len(rows) <= MAX_ROWS and 0 < len(columns) <= MAX_COLUMNS):
        return None

    def row_of(m: Measured) -> int:
        if m.row.quality is not None:
            return by_quality.index(m.row.quality)
        return sizes.index(m.smaller_codebook)

    cells = {(row_of(m), m.series): m for m in reversed(measured)}
    titles, pictures = [], []
    for row in rows:
        of_row = [cells.get((row, series)) for series in columns]
        titles.append([_cell_title(m) for m in of_row])
        pictures.append([None if m is None else m.decode() for m in of_row])
    return picture_grid(titles, pictures, original.shape)


def details(original: Pixels, measured: Sequence[Measured]) -> Figure | None:
    """Magnify the busiest part of the image: the original, then each series at its median rate.

    Below each crop is its error, the largest of the three channels', black at `MAX_ERROR` levels.
    """
    by_series: dict[str, list[Measured]] = {}
    for m in measured:
        by_series.setdefault(m.series, []).append(m)
    if not by_series or len(by_series) >= 2 * MAX_COLUMNS:
        return None
    top, left = _busiest(original)
    crop = slice(top, top + CROP), slice(left, left + CROP)
    titles, crops, errors = ["original"], [original[crop]], [np.full_like(original[crop], 255)]
    for members in by_series.values():
        ranked = sorted(members, key=lambda m: m.row.bytes)
        chosen = ranked[len(ranked) // 2]
        decoded = chosen.decode()[crop]
        titles.append(_cell_title(chosen))
        crops.append(decoded)
        errors.append(_error_map(original[crop], decoded))
    captions = [""] + [f"error, black is {MAX_ERROR} levels"] * (len(titles) - 1)
    return picture_grid(*_wrap((titles, captions), (crops, errors)))


def _wrap(
    titles: Sequence[list[str]], pictures: Sequence[list[Pixels]]
) -> tuple[list[list[str]], list[list[Pixels | None]]]:
    """Wrap rows of pictures at `MAX_CROPS`, keeping those of a column below each other."""
    wrapped_titles: list[list[str]] = []
    wrapped: list[list[Pixels | None]] = []
    total = len(titles[0])
    rows = -(-total // MAX_CROPS)
    across = -(-total // rows)
    for start in range(0, total, across):
        for line, row in zip(titles, pictures, strict=True):
            missing = across - len(row[start : start + across])
            wrapped_titles.append(line[start : start + across] + [""] * missing)
            wrapped.append([*row[start : start + across], *[None] * missing])
    return wrapped_titles, wrapped


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
    error = np.abs(original.astype(np.int16) - decoded).max(axis=-1)
    shades = colormaps["magma_r"](np.minimum(error / MAX_ERROR, 1.0), bytes=True)
    return np.ascontiguousarray(shades[..., :3])


def _cell_title(m: Measured | None) -> str:
    if m is None:
        return ""
    psnr_db = m.row.psnr_db
    lossless = psnr_db is not None and math.isinf(psnr_db)
    quality = "" if psnr_db is None else "lossless, " if lossless else f"{psnr_db:.2f} dB, "
    rate = f"{m.row.bits_per_pixel:.2f} bits per pixel"
    return f"{m.title}\n{quality}{rate}"


def picture_grid(
    titles: Sequence[Sequence[str]],
    pictures: Sequence[Sequence[Pixels | None]],
    shape: tuple[int, ...] | None = None,
) -> Figure:
    """Arrange pictures of one size in a grid, each below its title, at whole pixels.

    Small pictures are magnified by integer factors. Large ones are shrunk first, since matplotlib
    would take much longer to do it.
    """
    height, width = (pictures[0][0].shape if shape is None else shape)[:2]  # type: ignore[union-attr]
    rows, columns = len(pictures), len(pictures[0])
    wanted = min(3.2, 13 / columns) * PICTURE_DPI
    wanted = min(wanted, MAX_HEIGHT * width / height)
    scale = max(1, int(wanted / width)) if width < wanted else wanted / width
    size = max(1, round(width * scale)), max(1, round(height * scale))
    longest = max(len(line) for of_row in titles for title in of_row for line in title.split("\n"))
    cell = max(size[0], LETTER * longest) + GAP, size[1] + TITLE_HEIGHT + GAP
    inches = (columns * cell[0] / PICTURE_DPI, rows * cell[1] / PICTURE_DPI)
    figure = Figure(figsize=inches, dpi=PICTURE_DPI)
    method = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS
    for row in range(rows):
        for column in range(columns):
            middle, bottom = (column + 0.5) * cell[0], (rows - 1 - row) * cell[1] + GAP / 2
            figure.text(
                middle / PICTURE_DPI / inches[0],
                (bottom + size[1] + 4) / PICTURE_DPI / inches[1],
                titles[row][column].replace("$", r"\$"),
                fontsize=8,
                ha="center",
                va="bottom",
            )
            picture = pictures[row][column]
            if picture is not None:
                shown = np.asarray(Image.fromarray(picture).resize(size, method))
                figure.figimage(shown, round(middle - size[0] / 2), round(bottom), origin="upper")
    return figure
