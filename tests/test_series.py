import math

import pandas as pd

from adaptive_kmeans.experiment.bars import quality_bars, split_of
from adaptive_kmeans.experiment.columns import table_of
from adaptive_kmeans.experiment.curves import against_rate
from adaptive_kmeans.experiment.rows import COLUMNS
from adaptive_kmeans.experiment.series import curve, named, panels
from adaptive_kmeans.metrics import METRICS

PSNR = METRICS["psnr"]


def row(image: str, method: str, psnr_db: float, rate: float = 1.0, **others: object) -> dict:
    coder = "deflate" if method == "regular" else None
    own = {"image": image, "method": method, "psnr_db": psnr_db, "bits_per_pixel": rate}
    return {"image_set": "set", "coder": coder, **own, **others}


def table(rows: list[dict]) -> pd.DataFrame:
    return named(table_of(rows, COLUMNS))


def files() -> pd.DataFrame:
    """Five images; at k = 16 regular K-means codes the last one without loss."""
    rows = []
    for i in range(5):
        best = math.inf if i == 4 else 40.0 + i
        rows.append(row(f"{i}", "regular", 30.0 + i, 1.0, k=4))
        rows.append(row(f"{i}", "regular", best, 2.0, k=16))
        rows.append(row(f"{i}", "png", math.inf, 9.0))
    return table(rows)


def test_an_image_that_a_lossy_series_codes_losslessly_is_excluded_from_all_means():
    every = files()
    (title, members), *rest = panels(every, every["psnr_db"]).items()
    assert not rest
    assert title == "set, mean of 4 images (1 lossless left out)"
    assert set(members["image"]) == {"0", "1", "2", "3"}
    regular = members[members["series"] == "regular"]
    assert curve(regular, regular["psnr_db"]) == [(1.0, 31.5), (2.0, 41.5)]


def test_if_all_images_are_lossless_at_some_choice_other_choices_are_averaged():
    rows = [row(f"{i}", "regular", 30.0 + i, 1.0, k=4) for i in range(5)]
    rows += [row(f"{i}", "regular", math.inf, 2.0, k=16) for i in range(5)]
    few_colors = table(rows)
    (title, members), *_ = panels(few_colors, few_colors["psnr_db"]).items()
    assert title == "set, mean of 5 images"
    assert curve(members, members["psnr_db"]) == [(1.0, 32.0)]
    assert against_rate(few_colors, PSNR)


def test_a_few_images_have_separate_axes():
    few = files()[lambda every: every["image"].isin(["3", "4"])]
    assert list(panels(few, few["psnr_db"])) == ["3", "4"]


def test_a_lossless_codec_is_a_line_at_its_rate():
    figure = against_rate(files(), PSNR)[0].figure
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert list(lines["png"].get_xdata()) == [9.0, 9.0]
    assert list(lines["regular"].get_xdata()) == [1.0, 2.0]


def test_without_a_finite_quality_there_is_no_figure():
    lossless = files()[lambda every: every["method"] == "png"]
    assert against_rate(lossless, PSNR) == []


def test_levels_of_alpha_are_a_series_of_their_own():
    rows = [
        row("0", "rate-distortion", 30.0, coder="deflate", quality=50.0),
        row("0", "rate-distortion", 29.0, coder="deflate", quality=50.0, alpha_levels=16),
    ]
    assert list(table(rows)["series"]) == ["rate-distortion", "rate-distortion, 16 levels of alpha"]


def test_ditherings_are_series_of_their_own():
    rows = [row("0", "regular", 30.0, k=4, dither=dither) for dither in (None, "diffusion:0.5")]
    measured = table(rows)
    assert list(measured["series"]) == ["regular", "regular, diffusion:0.5"]
    assert list(measured["setting"]) == ["4", "4, diffusion:0.5"]


def test_a_price_at_given_k_and_a_quality_are_series_of_their_own():
    by_quality = row("0", "rate-distortion", 30.0, coder="deflate", quality=50.0)
    by_price = row("0", "rate-distortion", 29.0, coder="deflate", k=16, price=100.0)
    assert list(table([by_quality, by_price])["series"]) == [
        "rate-distortion",
        "rate-distortion at given k",
    ]


def test_a_target_is_told_from_what_is_tuned_for():
    found = row("0", "rate-distortion", 34.2, coder="deflate", target="psnr", target_value=34.0)
    assert list(table([found])["title"]) == ["rate-distortion, PSNR ≥ 34 dB"]


def some_images_missing() -> pd.DataFrame:
    """Six images; JPEG, which is as good as regular K-means, lacks the three hard ones."""
    rows = []
    for i in range(6):
        quality = 20.0 if i < 3 else 30.0
        rows += [row(f"{i}", "regular", quality + k, k / 10, k=k) for k in (4, 8, 16)]
        if i >= 3:
            rows += [row(f"{i}", "jpeg", quality + k, k / 10, quality=k) for k in (4, 8, 16)]
    return table(rows)


def test_only_images_that_every_series_has_are_averaged():
    every = some_images_missing()
    ((title, members),) = panels(every, every["psnr_db"]).items()
    assert title == "set, mean of 3 images (3 not in every series left out)"
    curves = [curve(of_one, of_one["psnr_db"]) for _, of_one in members.groupby("series")]
    assert curves[0] == curves[1]
    assert [value for _, value in curves[0]] == [34.0, 38.0, 46.0]


def test_a_bar_needs_a_file_of_every_image():
    every = some_images_missing()
    ours = every[every["is_ours"] & ~((every["k"] == 16) & (every["image"] == "0"))]
    bars = quality_bars(ours, None)[0].figure.axes[0].containers
    assert [bar.get_label() for bar in bars] == ["4", "8", "16"]
    assert [bar.patches[0].get_height() for bar in bars][:2] == [29.0, 33.0]
    assert math.isnan(bars[2].patches[0].get_height())
    assert "set" not in split_of(ours, "title").index
    assert list(split_of(ours.assign(index_map_bytes=1), "title").index) == [
        "regular, k = 4",
        "regular, k = 8",
    ]


def test_bars_of_several_k2_beside_one_k1_are_told_apart():
    given = {"coder": "deflate", "detail": "variance", "threshold": "median", "k1": 16}
    of_k2 = [(30.0, 64), (40.0, 256)]
    every = table([row("0", "region-adaptive", psnr, k2=k2, **given) for psnr, k2 in of_k2])
    bars = quality_bars(every, None)[0].figure.axes[0].containers
    heights = {bar.get_label(): bar.patches[0].get_height() for bar in bars}
    assert heights == {"16+64": 30.0, "16+256": 40.0}
