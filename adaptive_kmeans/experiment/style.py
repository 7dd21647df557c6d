"""Style of all figures: widths and fonts of a two-column paper, colors, captions.

Figures are drawn at the size at which they are printed. Colors can be told apart by color-blind
readers (Okabe and Ito's palette, with its yellow replaced, which is too pale for lines). Each comes
with its own marker or hatch, so that figures can also be read in gray.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import Locator, MaxNLocator, NullLocator

ONE_COLUMN, TWO_COLUMNS = 3.5, 7.2
"""Widths of figures, in inches."""
PAGE = 8.9
"""Maximum height of a figure, in inches; taller figures are split into several."""

COLORS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000", "#882255")
MARKERS = "osD^vP*X<>hp"
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")
LINES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)))
CONTEXT = "0.83"
"""Color of what is shown only for orientation."""

MAX_SERIES = len(COLORS)
"""Maximum number of series in a panel; more are split into several panels."""

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
"""The place in `COLORS` of a method in all figures, unless another one in its panel has it."""

DPI = 300
"""Resolution of plots as PNG files."""

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
        What it shows, for how many images, and what its marks and intervals are.
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
        Returns the names of the figures, and the figures; called with the style of this module.
    config : str
        Name of the config, with which the captions end.
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


def numbered(name: str, parts: Sequence[Drawn]) -> Iterator[tuple[str, Drawn]]:
    """Name the parts of a figure: name, name_2, ...; their captions say which part they are.

    Examples
    --------
    >>> [name for name, _ in numbered("bd_rate", [Drawn(Figure(), "What.")] * 2)]
    ['bd_rate', 'bd_rate_2']
    """
    for i, drawn in enumerate(parts, 1):
        part = f"Part {i} of {len(parts)}. " if len(parts) > 1 else ""
        yield name if i == 1 else f"{name}_{i}", Drawn(drawn.figure, part + drawn.caption)


def blank(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, whose layout is automatic."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)  # type: ignore[union-attr,call-arg]
    return figure


def looks(methods: Sequence[str]) -> list[dict[str, Any]]:
    """Return color, marker and line of each series of a panel, by the names of their methods.

    A method has its color in `METHODS`; other series have the remaining ones.

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
    """Return a text in which dollar signs do not start formulas."""
    return text.replace("$", r"\$")


BACKED: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.6, "pad": 0.2}
"""A translucent box behind text on lines; both stay visible, and vector files keep the text."""


def wrapped(title: str, width: int = 47) -> str:
    """Wrap a title into lines no wider than a panel; only long words break at hyphens.

    Examples
    --------
    >>> wrapped("total-variation, deflate", 10).splitlines()
    ['total-', 'variation,', 'deflate']
    """
    is_tight = max(map(len, title.split()), default=0) > width
    return plain("\n".join(textwrap.wrap(title, width, break_on_hyphens=is_tight)))


def number_axis(axis: Any) -> None:
    """Label a logarithmic axis with a few plain numbers, however short its range is."""
    axis.set_major_locator(PlainNumbers())
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_locator(NullLocator())


class PlainNumbers(Locator):
    """Ticks of a logarithmic axis: the coarsest of `STEPS` with at least `FEWEST` in view."""

    STEPS = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8))
    FEWEST = 4

    def __call__(self) -> list[float]:
        """Return the ticks in view."""
        return self.tick_values(*self.axis.get_view_interval())  # type: ignore[union-attr]

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        """Return the ticks of a range.

        Examples
        --------
        >>> PlainNumbers().tick_values(0.05, 0.13)
        [0.05, 0.06, 0.07, 0.08, 0.1, 0.12]
        >>> PlainNumbers().tick_values(0.15, 5.0)
        [0.2, 0.5, 1.0, 2.0, 5.0]
        """
        found: list[float] = []
        powers = range(math.floor(math.log10(vmin)), math.ceil(math.log10(vmax)) + 1)
        for steps in self.STEPS:
            every = (float(f"{step}e{power}") for power in powers for step in steps)
            found = [value for value in every if vmin <= value <= vmax]
            if len(found) >= self.FEWEST:
                return found
        return [*map(float, MaxNLocator(5).tick_values(vmin, vmax))]


def label_doubling(axes: Axes, values: Sequence[int]) -> None:
    """Put values that double at equal distances, each with a tick."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(values, [str(value) for value in values])
    axes.minorticks_off()
