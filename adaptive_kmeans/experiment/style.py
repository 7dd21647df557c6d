"""Style of all figures: widths and fonts of a two-column paper, colors, captions.

Figures are drawn at the size at which they are printed. Colors are told apart by the color-blind
(Okabe and Ito's palette, with its yellow replaced, which is too pale for lines) and come with a
marker or a hatch of their own, so that figures can also be read in gray.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ONE_COLUMN, TWO_COLUMNS = 3.5, 7.2
"""Widths of figures, in inches."""

COLORS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000", "#882255")
MARKERS = "osD^vP*X<>hp"
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")
LINES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)))
CONTEXT = "0.83"
"""Color of what is shown only for orientation."""

MAX_SERIES = len(COLORS)
"""Most series of a panel; more are split into several panels."""

METHODS = {
    "regular": 0,
    "rate-distortion": 1,
    "eigenvalue": 2,
    "variance": 3,
    "total-variation": 4,
    "jpeg": 5,
    "jpeg-444": 6,
    "libimagequant": 7,
    "webp": 2,
    "jpeg-xl": 3,
    "avif": 4,
}
"""The place in `COLORS` that a method has in all figures, unless another of its panel has it."""

DPI = 300
"""Of plots as PNG files."""

SUFFIXES = ("png", "pdf")
UNDATED: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""Metadata that omits the date, so that equal figures give equal files."""

PAPER: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "hatch.linewidth": 0.5,
    "lines.linewidth": 1.1,
    "lines.markersize": 4,
    "pdf.fonttype": 42,
    "svg.hashsalt": "adaptive-kmeans",
}


@dataclass(frozen=True)
class Drawn:
    """A figure and its caption.

    Parameters
    ----------
    figure : Figure
        The figure, as wide as it is printed.
    caption : str
        What it shows, of how many images, and what its marks and intervals are.
    """

    figure: Figure
    caption: str


def save(
    folder: Path,
    draw: Callable[[], Iterable[tuple[str, Drawn]]],
    config: str,
    suffixes: Sequence[str] = SUFFIXES,
) -> None:
    """Draw figures, and write each with its caption in a text file beside it.

    Parameters
    ----------
    folder : Path
        Folder to write to.
    draw : callable
        Returns the names of the figures, and the figures; called under the style of this module.
    config : str
        Name of the config, which ends the captions.
    suffixes : sequence of str
        Formats of the files.
    """
    with rc_context(PAPER):
        for name, drawn in draw():
            for suffix in suffixes:
                path = folder / f"{name}.{suffix}"
                drawn.figure.savefig(path, dpi="figure", metadata=UNDATED.get(suffix))
            caption = f"{drawn.caption} Config: {config}.\n"
            (folder / f"{name}.txt").write_text(caption, encoding="utf-8")


def blank(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, whose parts arrange themselves."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)  # type: ignore[union-attr,call-arg]
    return figure


def looks(methods: Sequence[str]) -> list[dict[str, Any]]:
    """Return color, marker and line of each series of a panel, by the names of their methods.

    A method has its color of `METHODS`; other series have those that are left.

    Examples
    --------
    >>> [look["color"] for look in looks(["png", "regular", "regular"])]
    ['#D55E00', '#0072B2', '#009E73']
    """
    taken: dict[int, int] = {}
    for i, method in enumerate(methods):
        wanted = METHODS.get(method)
        if wanted is not None and wanted not in taken.values():
            taken[i] = wanted
    free = [place for place in range(len(COLORS)) if place not in taken.values()]
    for i in range(len(methods)):
        if i not in taken:
            taken[i] = free.pop(0) if free else i
    return [look(taken[i]) for i in range(len(methods))]


def look(place: int) -> dict[str, Any]:
    """Return color, marker and line at a place; those after the last color are gray."""
    color = COLORS[place] if place < len(COLORS) else "0.5"
    marker, line = MARKERS[place % len(MARKERS)], LINES[place // 4 % len(LINES)]
    return {"color": color, "marker": marker, "linestyle": line}


def plain(text: str) -> str:
    """Return a text in which a dollar sign starts no formula."""
    return text.replace("$", r"\$")


def wrapped(title: str, width: int = 50) -> str:
    """Return a title in lines that are not wider than a panel."""
    return plain("\n".join(textwrap.wrap(title, width, break_on_hyphens=False)))


def number_axis(axis: Any, steps: Sequence[float] = (1, 2, 5)) -> None:
    """Label a logarithmic axis with plain numbers, steps within each power of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def label_doubling(axes: Axes, values: Sequence[int]) -> None:
    """Put each value, as they double, at an equal distance."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(values, [str(value) for value in values])
    axes.minorticks_off()
