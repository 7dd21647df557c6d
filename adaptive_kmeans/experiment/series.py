"""Series: the files of an experiment that form one curve, and its name.

A series is a method in which everything but the codebook sizes and the quality is fixed. Its name
contains only what tells it apart from the others: a coder or a block size only if there are
several.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from adaptive_kmeans import codec
from adaptive_kmeans.baselines.checked import decoder, titles
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.experiment.columns import rows_of
from adaptive_kmeans.metrics import Curve, Metric
from adaptive_kmeans.restoration import AUTO, NONE
from adaptive_kmeans.targets import KINDS

SERIES_COLUMNS = (
    "threshold",
    "block_size",
    "coder",
    "color_space",
    "detail",
    "detail_power",
    "tune",
    "effort",
    "restoration",
    "correction",
    "alpha_levels",
    "dither",
    "init",
    "tolerance",
)
"""Columns that define a series besides its method, in the order of its name."""

OPTIONAL = ("alpha_levels", "dither", "init", "tolerance")
"""Those that are off or at their default without a value; others then do not apply."""

POINT = ("k", "k1", "k2", "price", "quality")
"""Columns that tell the files of an image and a series apart, if no target does."""

MAX_IMAGES = 4
"""Maximum number of images to show separately; more are averaged."""


def named(table: pd.DataFrame) -> pd.DataFrame:
    """Name the rows of a table.

    Parameters
    ----------
    table : DataFrame
        The files, with the columns of `rows.COLUMNS`.

    Returns
    -------
    DataFrame
        The table with the columns

        - `is_ours`: whether our codec wrote the file;
        - `label`: the method in figures and terminals, "regular", or the detail measure;
        - `sizes`: the codebook sizes, "64" or "64+256", "" without a codebook;
        - `aim`: the target, such as "PSNR ≥ 38 dB", None without one;
        - `setting`: the sizes and what else tells a file apart within its label, such as "q 75";
        - `smaller_codebook`: k of regular K-means, else k1, which published tables have;
        - `series` and `title`: the name of the series, without and with codebook sizes or quality;
        - `point`: what tells the files of an image and a series apart.
    """
    rows = rows_of(table)
    ours = [row for row in rows if row.coder is not None]
    swept = []
    for name in SERIES_COLUMNS:
        values = {getattr(row, name) for row in ours}
        if len(values if name in OPTIONAL else values - {None}) > 1:
            swept.append(name)
    others = titles(row.method for row in rows if row.coder is None)
    series = [_name(row, swept, others) for row in rows]
    return table.assign(
        is_ours=[row.coder is not None for row in rows],
        label=[_label(row) for row in rows],
        sizes=[_sizes(row) for row in rows],
        aim=pd.Series([_aim(row) for row in rows], dtype=object, index=table.index),
        setting=[_setting(row) for row in rows],
        smaller_codebook=[row.k or row.k1 or 0 for row in rows],
        series=series,
        title=[_title(row, name) for row, name in zip(rows, series, strict=True)],
        point=[_point(row) for row in rows],
    )


def is_restored(row: Any) -> bool:
    """Whether the settings of a file ask for a filter or a correction."""
    return {row.restoration, row.correction} - {None, NONE} != set()


def _label(row: Any) -> str:
    if row.method == "rate-distortion":
        kind = (
            " with two codebooks" if row.k1 is not None else "" if row.k is None else " at given k"
        )
        return f"{row.method}{kind}"
    return str(row.detail or row.method)


def _sizes(row: Any) -> str:
    if row.k is not None:
        return str(row.k)
    return "" if row.k1 is None else f"{row.k1}+{row.k2}"


def _aim(row: Any) -> str | None:
    if row.target is None:
        return None
    kind = KINDS[row.target]
    exact = re.sub("{.*}", "{:,.12g}", kind.text).format(row.target_value)
    return f"{kind.name} {'≤' if kind.is_budget else '≥'} {exact}"


def _setting(row: Any) -> str:
    sizes = _sizes(row)
    if aim := _aim(row):
        return aim
    if row.dither is not None:
        return f"{sizes}, {row.dither}"
    if row.price is not None:
        return f"{sizes}, λ {row.price:g}"
    return sizes or ("" if row.quality is None else f"q {row.quality:g}")


def _title(row: Any, series: str) -> str:
    if aim := _aim(row):
        return f"{series}, {aim}"
    if _sizes(row):
        return f"{series}, k = {_sizes(row)}" + (
            "" if row.price is None else f", λ = {row.price:g}"
        )
    if row.coder is not None:
        return f"{series}, quality {row.quality:g}"
    if row.quality is None:
        return series
    return f"{series}{', quality' if ',' in series else ''} {row.quality:g}"


def _point(row: Any) -> str:
    names = POINT if row.target is None else ("target", "target_value")
    return repr([getattr(row, name) for name in names])


def _name(row: Any, swept: Sequence[str], others: Mapping[str, str]) -> str:
    if row.coder is None:
        return others[row.method]
    label = _label(row)
    parts = [label]
    for name in swept:
        value = getattr(row, name)
        # Regular K-means does not depend on its block size.
        is_idle = row.method == "regular" and name == "block_size"
        is_label = name == "detail" and value == label
        if value is not None and not is_idle and not is_label:
            parts += _part(name, value, row.method == "rate-distortion")
    return ", ".join(parts)


def _part(name: str, value: Any, by_choice: bool) -> list[str]:
    """Return the name of a setting as a list, which is empty if it is its method's default."""
    if name == "block_size":
        return [f"{value}×{value}"]
    if name == "detail_power":
        return [] if value == Settings.detail_power else [f"power {value:g}"]
    if name == "alpha_levels":
        return [f"{value} levels of alpha"]
    if name in ("effort", "tolerance"):
        return [f"{name} {value:g}"]
    if name in ("restoration", "correction"):
        usual, other = (AUTO, f"no {name}") if by_choice else (NONE, f"{name} {value}")
        return [] if value == usual else [other if value in (AUTO, NONE) else f"{name} {value}"]
    return [str(value)]


def decode(row: Any, data: bytes) -> npt.NDArray[np.uint8]:
    """Decode the file of a row of `named`: (H, W, 3), or with alpha (H, W, 4)."""
    if row.is_ours:
        return codec.decode(data)
    return decoder(row.method, {"k": row.k, "quality": row.quality}).decode(data)


def groups(table: pd.DataFrame, name: str) -> dict[str, pd.DataFrame]:
    """Group rows by a column, in the order in which its values first occur."""
    return {str(value): rows for value, rows in table.groupby(name, sort=False)}


def quality(files: pd.DataFrame, metric: Metric) -> pd.Series[Any]:
    """Return the quality of files on the scale of a metric's curves, NaN where it is unknown."""
    if metric.scale is None:
        raise ValueError(f"{metric.label} has no curves")
    return files[metric.column].map(metric.scale, na_action="ignore")


def curve(files: pd.DataFrame, values: pd.Series[Any]) -> Curve:
    """Return (rate in bits per pixel, value) for each choice of parameters, sorted by rate.

    With several images both are arithmetic means, over the choices that all images have. Several
    seeds of an image are averaged first, and so are block sizes of regular K-means.

    Parameters
    ----------
    files : DataFrame
        Files of one series.
    values : Series
        A value for each, such as its quality; those that are missing or infinite are left out.
    """
    points = files[["point", "image", "bits_per_pixel"]].assign(value=values)
    of_image = points[np.isfinite(points["value"])].groupby(["point", "image"]).mean()
    of_point = of_image.groupby("point")
    means = of_point.mean()[of_point.size() == files["image"].nunique()]
    return sorted(zip(means["bits_per_pixel"], means["value"], strict=True))


def shared_images(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Keep the images of which every series has a file, and say how many others there are.

    Means over other images could not be compared. If no image is left, all are kept.
    """
    series = table.groupby("image")["series"].nunique()
    shared = series.index[series == table["series"].nunique()]
    if not len(shared) or len(shared) == len(series):
        return table, ""
    return table[table["image"].isin(shared)], f"{len(series) - len(shared)} not in every series"


def complete(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Keep the groups of files that have one of every image of the table."""
    images = table.groupby(by)["image"].transform("nunique")
    return table[images == table["image"].nunique()]


def panels(table: pd.DataFrame, values: pd.Series[Any]) -> dict[str, pd.DataFrame]:
    """Group by image or, if there are more than `MAX_IMAGES`, by set, to be averaged.

    Only the images of which every series has a file are averaged; see `shared_images`.

    Infinite quality has no mean. An image that some lossy series codes losslessly at some choice of
    parameters is therefore excluded from the averages of all series, and the title says so. A
    series of only lossless files is kept. If no image of a set would be left, all are kept, and
    only choices that are lossy on all of them are averaged.

    Parameters
    ----------
    table : DataFrame
        The files.
    values : Series
        The quality of each.
    """
    if table["image"].nunique() <= MAX_IMAGES:
        return groups(table, "image")
    titled = {}
    for name, every in groups(table, "image_set").items():
        files, absent = shared_images(every)
        infinite = values[files.index] == math.inf
        is_lossy = ~infinite.groupby(files["series"]).transform("all")
        perfect = set(files.loc[infinite & is_lossy, "image"])
        kept = files[~files["image"].isin(perfect)]
        if kept.empty:
            kept, perfect = files, set()
        images = kept["image"].nunique()
        mean = f"mean of {images} images" if images > 1 else "1 image"
        reasons = ", ".join(filter(None, [f"{len(perfect)} lossless" if perfect else "", absent]))
        titled[f"{name}, {mean}" + (f" ({reasons} left out)" if reasons else "")] = kept
    return titled


def is_lossless(values: pd.Series[Any]) -> bool:
    """Return whether all files are lossless, by their quality."""
    return bool((values == math.inf).all())
