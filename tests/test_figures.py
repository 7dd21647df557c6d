"""Figures: nothing overlaps, nothing is hidden, and each has its caption."""

import math
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from adaptive_kmeans.experiment import bars, style
from adaptive_kmeans.experiment.comparison import compare
from adaptive_kmeans.experiment.curves import against_rate
from adaptive_kmeans.experiment.families import families
from adaptive_kmeans.experiment.forest import bd_rate
from adaptive_kmeans.experiment.labels import spread
from adaptive_kmeans.experiment.schema import Published, PublishedRow
from adaptive_kmeans.experiment.studies import coding_size
from tests.test_series import PSNR, row, table


def measured(details: int, coders: tuple[str, ...] = ("deflate", "fixed-length")) -> pd.DataFrame:
    """Files of measures with names of numbers, at three rates; measure i needs i % more bytes."""
    rows = []
    for coder in coders:
        for i in range(details):
            for k in (8, 16, 32):
                method = "regular" if i == 0 else "region-adaptive"
                detail = None if i == 0 else f"measure {i}"
                sizes = {"k": k} if i == 0 else {"k1": k, "k2": 64}
                rate = math.log2(k) * (1 + i / 100)
                place = {"coder": coder, "detail": detail, "bytes": 1000 * k, **sizes}
                rows.append(row("a", method, 20.0 + 4 * math.log2(k), rate, **place))
    return table(rows)


def test_names_at_the_ends_of_curves_do_not_overlap():
    random = np.random.default_rng(0)
    for count in range(1, 9):
        heights = random.uniform(5, 15, count)
        wanted = random.choice([50.0, 52.0, 90.0], count)
        middles = np.array(spread(wanted, heights, 0, 200))
        order = np.argsort(middles)
        gaps = np.diff(middles[order]) - (heights[order][1:] + heights[order][:-1]) / 2
        assert (gaps > -1e-9).all()
        assert (middles - heights / 2 >= -1e-9).all()
        assert (middles + heights / 2 <= 200 + 1e-9).all()


def test_more_than_eight_series_are_split_by_what_they_share():
    files = measured(6)
    assert [family.title for family in families(files)] == ["deflate", "fixed-length"]
    drawn = against_rate(files, PSNR)
    for axes in drawn.figure.axes:
        assert 0 < len({text.get_text() for text in axes.texts}) <= style.MAX_SERIES
    assert "12 series, 1 image (a)" in drawn.caption


def test_a_method_has_one_color_in_all_panels_and_figures():
    for methods in (["regular", "jpeg"], ["png", "variance", "regular"]):
        looks = dict(zip(methods, style.looks(methods), strict=True))
        assert looks["regular"]["color"] == style.COLORS[0]
        assert len({look["color"] for look in looks.values()}) == len(methods)


def test_bd_rates_have_a_row_for_each_method_with_mean_and_wins():
    files = measured(3, ("deflate",))
    drawn = bd_rate(compare(files, ["regular"]), files)
    axes = drawn.figure.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["against regular", "measure 1", "measure 2"]
    beside = [text.get_text() for text in axes.texts]
    assert beside[:4] == ["+1.0", "0/1", "+2.0", "0/1"]


def test_a_lossless_image_does_not_flatten_bars_and_is_named():
    files = measured(2, ("deflate",))
    regular = files[files["k1"].isna()].copy()
    regular.loc[regular.index[-1], "psnr_db"] = math.inf
    axes = bars.quality_bars(regular, None).figure.axes
    assert axes[0].get_ylim()[1] < 40
    assert [text.get_text() for text in axes[0].texts] == ["lossless"]
    assert "axis starts at" in axes[0].get_ylabel()


def test_published_sizes_stand_beside_ours():
    paper = Published(
        source="A paper", image="a", rows=[PublishedRow(method="k-compress", k=16, bytes=2000)]
    )
    rows = [row("a", "regular", 30.0, 8.0, k=16, bytes=1000, index_map_bytes=1000)]
    drawn = bars.rate_split(table(rows), paper)
    assert max(bar.get_width() for bar in drawn.figure.axes[0].patches) == pytest.approx(16.0)
    assert "A paper" in drawn.caption


def test_no_size_lies_outside_its_axes():
    sizes = {"context-mixing": 50, "deflate": 405, "jpeg-xl:9": 100}
    rows = [
        coding_size.CodingSizeRow("set", "a", 16, codec, size, 1.0, 1.0, 1.0)
        for codec, size in sizes.items()
    ]
    (_, drawn), *_ = coding_size.draw(pd.DataFrame(map(asdict, rows)))
    low, high = drawn.figure.axes[0].get_ylim()
    assert low < 50
    assert high > 405
    assert "405 % (a, k = 16, deflate)" in drawn.caption


def test_each_figure_has_a_caption_that_names_its_config(tmp_path):
    style.save(tmp_path, lambda: [("one", style.Drawn(style.blank(3.5, 2), "What."))], "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.pdf", "one.png", "one.txt"]
    assert (tmp_path / "one.txt").read_text() == "What. Config: mine.\n"
