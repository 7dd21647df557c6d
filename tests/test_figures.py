"""Figures: nothing overlaps, nothing is hidden, and each has its caption."""

import io
import itertools
import math
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text

from adaptive_kmeans.codec import AdaptiveKMeans, Settings
from adaptive_kmeans.experiment import bars, style
from adaptive_kmeans.experiment.columns import Column, table_of
from adaptive_kmeans.experiment.comparison import compare
from adaptive_kmeans.experiment.curves import against_rate
from adaptive_kmeans.experiment.families import families, shortened
from adaptive_kmeans.experiment.forest import bd_rate
from adaptive_kmeans.experiment.labels import spread
from adaptive_kmeans.experiment.pictures import (
    _error_map,
    classification_maps,
    details,
    reconstructions,
)
from adaptive_kmeans.experiment.rows import COLUMNS
from adaptive_kmeans.experiment.schema import Published, PublishedRow
from adaptive_kmeans.experiment.series import named
from adaptive_kmeans.experiment.studies import clustering_speed, coding_size
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
                place["index_map_bytes"] = place["bytes"]
                rows.append(row("a", method, 20.0 + 4 * math.log2(k), rate, **place))
    return table(rows)


def drawn_texts(figure: Figure) -> list[Text]:
    """The texts that are drawn, which ticks beyond the axes are not."""
    found: list[Text] = []
    draw = Text.draw

    def record(text: Text, *args: object, **keywords: object) -> None:
        if text.get_visible() and text.get_text().strip() and text not in found:
            found.append(text)
        draw(text, *args, **keywords)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", record)
        figure.draw_without_rendering()
        found.clear()  # the layout is that of the second time
        figure.draw_without_rendering()
    return found


def faults(figure: Figure) -> list[str]:
    """What a reader of the printed figure would complain about."""
    texts = drawn_texts(figure)
    boxes = [Text.get_window_extent(text) for text in texts]
    page = figure.bbox
    found = [f"small: {text.get_text()}" for text in texts if text.get_fontsize() < 7]
    found += [
        f"cut off: {text.get_text()}"
        for text, box in zip(texts, boxes, strict=True)
        if min(box.x0 - page.x0, box.y0 - page.y0, page.x1 - box.x1, page.y1 - box.y1) < -1
    ]
    found += [
        f"overlap: {one.get_text()} | {two.get_text()}"
        for (one, a), (two, b) in itertools.combinations(zip(texts, boxes, strict=True), 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 2 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2
    ]
    if figure.get_figheight() > style.PAGE:
        found.append(f"{figure.get_figheight()} inches high")
    return found


def study() -> pd.DataFrame:
    """Files of series with long names on two sets, with two lossless codecs of about one rate."""
    rows = []
    for i in range(5):
        image = {"image_set": f"a-set-of-images-{i % 2}"}
        for c, coder in enumerate(("context-mixing", "deflate", "fixed-length")):
            for f, restoration in enumerate(("none", "auto", "wiener:3+rings")):
                for k in (16, 64, 256):
                    psnr = 20 + 2 * math.log2(k) + f + i
                    rate = math.log2(k) * (1 + c) / (1 + i % 2) * (1 - f / 20)
                    other = {"psnr_db": psnr, "ssim": psnr / 60, "ciede2000": 60 / psnr}
                    own = {"coder": coder, "restoration": restoration, "correction": restoration}
                    size = {"k": k, "bytes": 1000, "index_map_bytes": 999}
                    rows.append(row(f"{i}", "regular", rate=rate, **other, **own, **size, **image))
        for n, name in enumerate(("jpeg-xl-lossless", "webp-lossless")):
            rows.append(row(f"{i}", name, math.inf, 9.0 + n / 10, bytes=9000, **image))
    return table(rows)


def test_nothing_overlaps_is_cut_off_or_too_small_to_be_read():
    files = study()
    with rc_context(style.PAPER):
        drawn = {
            "curves": against_rate(files, PSNR),
            "forest": bd_rate(compare(files, ["regular"]), files),
            "bars": bars.quality_bars(files, None),
            "split": bars.rate_split(files),
        }
        for name, figures in drawn.items():
            assert figures, name
            assert [(name, fault) for each in figures for fault in faults(each.figure)] == []


def test_a_figure_higher_than_a_page_is_split_and_loses_no_row():
    files = measured(40)
    compared = compare(files, ["regular"])
    parts = bd_rate(compared, files)
    assert len(parts) > 1
    names = [label.get_text() for part in parts for label in part.figure.axes[0].get_yticklabels()]
    of_series = [name for name in names if not name.startswith("against")]
    assert sorted(of_series) == sorted(2 * [f"measure {i}" for i in range(1, 40)])
    named = dict(style.numbered("bd_rate", parts))
    assert list(named)[:2] == ["bd_rate", "bd_rate_2"]
    assert named["bd_rate_2"].caption.startswith(f"Part 2 of {len(parts)}. BD-rate on 1 image")
    rows = sum(len(part.figure.axes[0].get_yticklabels()) for part in bars.rate_split(files))
    assert rows == files["title"].nunique()


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
    (drawn,) = against_rate(files, PSNR)
    for axes in drawn.figure.axes:
        assert 0 < len({text.get_text() for text in axes.texts}) <= style.MAX_SERIES
    assert "12 series, 1 image (a)" in drawn.caption


def test_panels_of_one_set_have_the_same_axes_and_show_all_of_the_others():
    rows = [
        row("a", "rate-distortion", 10 * effort + quality, effort, quality=quality, **ours)
        for effort in range(1, 10)
        for quality in (1.0, 2.0)
        for ours in [{"coder": "deflate", "effort": effort}]
    ]
    files = table(rows)
    titles = ["rate-distortion, effort 1 to effort 5", "rate-distortion, effort 6 to effort 9"]
    assert [family.title for family in families(files)] == titles
    (drawn,) = against_rate(files, PSNR)
    one, two = drawn.figure.axes
    assert [text.get_text() for text in two.texts] == [f"effort {i}" for i in range(6, 10)]
    assert one.get_ylim() == two.get_ylim()
    assert one.get_xlim() == two.get_xlim()
    low, high = one.get_ylim()
    assert low < 11
    assert high > 92


def test_rows_and_groups_are_named_by_what_tells_them_apart():
    names = ["regular, deflate", "regular, deflate, restored", "regular, deflate, corrected"]
    common, short = shortened(names)
    assert common == ["regular", "deflate"]
    assert list(short.values()) == ["regular", "restored", "corrected"]


def test_engines_that_failed_on_an_image_have_no_means():
    def rows(engines: dict[str, str]) -> pd.DataFrame:
        every = [
            {"image": image, "engine": name, "k": 4, "threads": 1, "mse": 9.0, "seconds": 0.1}
            for name, images in engines.items()
            for image in images
        ]
        return pd.DataFrame(every)

    (summary,) = clustering_speed.summarize(rows({"first": "b", "second": "ab"}))
    assert summary["engine"].tolist() == ["second"]
    assert summary["k = 4: × time"].tolist() == ["–"]
    neither = rows({"first": "b", "second": "a"})
    assert clustering_speed.summarize(neither) == []
    assert list(clustering_speed.draw(neither)) == []


def test_engines_are_split_by_kind_on_axes_that_can_be_compared():
    engines = ["adaptive-kmeans", *(f"mini-batch:{i}" for i in range(7)), "octree", "median-cut:0"]
    rows = [
        {"image": "a", "engine": engine, "k": k, "threads": 2, "mse": 500 / k + i, "seconds": 0.1}
        for k in (16, 256)
        for i, engine in enumerate(engines)
    ]
    ((name, drawn),) = clustering_speed.draw(pd.DataFrame(rows))
    panels = drawn.figure.axes
    kinds = [axes.get_title().split("\n")[1] for axes in panels]
    assert kinds == 2 * ["K-means"] + 2 * ["palette quantizers"]
    assert name == "time_against_error"
    assert (
        len({axes.get_xlim() for axes in panels}) == len({axes.get_ylim() for axes in panels}) == 1
    )
    legends = [axes.get_legend() for axes in panels[1::2]]
    shown = [[text.get_text() for text in legend.get_texts()] for legend in legends]
    assert shown == [engines[:8], engines[8:]]


def test_a_logarithmic_axis_has_several_numbers_however_short_it_is():
    ticks = style.PlainNumbers()
    for low, high in ((0.05, 0.13), (1.1, 1.9), (0.3, 40.0), (1e-3, 1e3)):
        found = ticks.tick_values(low, high)
        assert 4 <= len([value for value in found if low <= value <= high]) <= 9


def test_each_row_of_reconstructions_starts_with_the_original_and_leaves_no_hole():
    original = np.zeros((8, 8, 3), dtype=np.uint8)
    settings = [
        Settings.regular(k, coder=coder) for k in (1, 2) for coder in ("deflate", "fixed-length")
    ]
    codecs = [AdaptiveKMeans(each) for each in settings]
    rows = [
        {"key": str(i), "image": "a", "image_set": "", "psnr_db": math.inf, "bits_per_pixel": 1.0}
        | codec.columns
        for i, codec in enumerate(codecs)
    ]
    every = named(table_of(rows, {**COLUMNS, "key": Column("name")}))
    files = {str(i): codec.encode(original) for i, codec in enumerate(codecs)}
    (drawn,) = reconstructions(original, every, files)
    titles = [text.get_text() for text in drawn.figure.texts]
    assert len(titles) == 6
    assert titles[0] == titles[3] == "original"


def test_a_method_has_one_color_in_all_panels_and_figures():
    for methods in (["regular", "jpeg"], ["png", "variance", "regular"]):
        looks = dict(zip(methods, style.looks(methods), strict=True))
        assert looks["regular"]["color"] == style.COLORS[0]
        assert len({look["color"] for look in looks.values()}) == len(methods)


def test_bd_rates_have_a_row_for_each_method_with_mean_and_wins():
    files = measured(3, ("deflate",))
    (drawn,) = bd_rate(compare(files, ["regular"]), files)
    axes = drawn.figure.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["against regular", "measure 1", "measure 2"]
    beside = [text.get_text() for text in axes.texts]
    assert beside[:4] == ["+1.0", "0/1", "+2.0", "0/1"]


def test_a_lossless_image_does_not_flatten_bars_and_is_named():
    files = measured(2, ("deflate",))
    regular = files[files["k1"].isna()].copy()
    regular.loc[regular.index[-1], "psnr_db"] = math.inf
    axes = bars.quality_bars(regular, None)[0].figure.axes
    assert axes[0].get_ylim()[1] < 40
    assert [text.get_text() for text in axes[0].texts] == ["lossless"]
    assert "axis starts at" in axes[0].get_ylabel()


def test_bars_reach_over_most_of_their_axis():
    rows = [row(f"{i}", "regular", 20.0 + 5 * i, 1.0, k=k) for i in range(6) for k in (8, 9)]
    axes = bars.quality_bars(table(rows), None)[0].figure.axes[0]
    assert axes.get_ylim()[1] < 34  # the means are 32.5, one image has 45
    assert axes.yaxis.get_major_formatter().get_useOffset() is False


def test_the_number_of_the_longest_bar_is_inside_the_axes():
    parts = {"k": 8, "bytes": 1000, "index_map_bytes": 1000, "correction": "none"}
    corrected = {"k": 8, "bytes": 500, "index_map_bytes": 300, "correction_bytes": 200}
    rows = [row("a", "regular", 30.0, 2.0, **parts)]
    rows += [row("a", "regular", 30.0, 1.0, correction="auto", **corrected)]
    (drawn,) = bars.rate_split(table(rows))
    assert drawn.figure.axes[0].get_xlim()[1] > 2.1


def test_published_sizes_stand_beside_ours():
    paper = Published(
        source="A paper", image="a", rows=[PublishedRow(method="k-compress", k=16, bytes=2000)]
    )
    rows = [row("a", "regular", 30.0, 8.0, k=16, bytes=1000, index_map_bytes=1000)]
    (drawn,) = bars.rate_split(table(rows), paper)
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


def test_names_stay_text_in_vector_files():
    files = study()
    (drawn,) = against_rate(files, PSNR)
    written = io.StringIO()
    with rc_context({"svg.fonttype": "none"}):
        drawn.figure.savefig(written, format="svg")
    assert all(f">{name}</" in written.getvalue() for name in ("webp-lossless", "regular"))


def test_titles_of_pictures_fit_and_each_block_size_has_a_map():
    original = np.random.default_rng(0).integers(0, 256, (64, 48, 4), dtype=np.uint8)
    codecs = [
        AdaptiveKMeans(Settings(k1=2, k2=4, detail="total-variation", block_size=size, coder=coder))
        for size in (4, 8, 16)
        for coder in ("deflate", "context-mixing:fast")
    ]
    place = {"image": "a", "image_set": "", "psnr_db": 30.0, "bits_per_pixel": 1.0}
    rows = [{"key": str(i), **place, **codec.columns} for i, codec in enumerate(codecs)]
    every = named(table_of(rows, {**COLUMNS, "key": Column("name")}))
    files = {str(i): codec.encode(original) for i, codec in enumerate(codecs)}
    (maps,) = classification_maps(original, every, files)
    titles = [text.get_text().split("\n")[0] for text in maps.figure.texts]
    assert titles == ["original", *(f"total-variation, {size}×{size}" for size in (4, 8, 16))]
    for draw in (classification_maps, reconstructions, details):
        for drawn in draw(original, every, files):
            assert [f for f in faults(drawn.figure) if not f.startswith("small")] == []


def test_an_error_map_shows_what_is_seen():
    original = np.zeros((4, 4, 4), dtype=np.uint8)
    hidden = original + np.array([200, 0, 0, 0], dtype=np.uint8)
    assert np.array_equal(_error_map(original, hidden), _error_map(original, original))
    assert not np.array_equal(_error_map(original, hidden + 255), _error_map(original, original))
