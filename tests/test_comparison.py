"""Series beside their anchors: what is compared, and what is said of the others."""

import pandas as pd

from adaptive_kmeans.experiment.columns import table_of
from adaptive_kmeans.experiment.comparison import compare, left_out, summary
from adaptive_kmeans.experiment.rows import COLUMNS
from adaptive_kmeans.experiment.series import named
from tests.pages import row, rows


def _table(found) -> pd.DataFrame:
    return named(table_of(found, COLUMNS))


def test_series_with_too_few_files_are_named():
    """Three files of webp are of two images."""
    few = [row(image, "webp", 50 + i, 900 + i, 30.0 + i) for i, image in enumerate("aab")]
    for each in few:
        del each["coder"], each["block_size"]
    known, whole = _table(rows()), _table([*rows(), *few])
    assert left_out(known) == ""
    assert (
        left_out(whole) == "Not compared, because they have fewer than 3 files of each image: webp."
    )
    assert set(compare(whole, ["regular"])["series"]) == {"rate-distortion"}


def test_images_without_enough_files_are_counted_as_not_comparable():
    every = _table(rows())
    first = every["image"].iloc[0]
    lacking = every[(every["series"] == "regular") | (every["image"] != first)]
    compared = compare(lacking, ["regular"])
    assert set(compared["image"]) == set(every["image"])
    assert compared.loc[compared["image"] == first, "bd_rate_percent"].isna().all()
    assert summary(compared)["not comparable"].tolist() == ["1"]


def test_a_series_is_compared_with_the_anchor_that_shares_its_dithering():
    one, *others = rows()
    dithered = [{**each, "dither": dither} for each in (one, *others) for dither in ("d", "e")]
    compared = compare(_table(dithered), ["regular"])
    pairs = set(zip(compared["series"], compared["anchor"], strict=True))
    assert pairs == {(f"rate-distortion, {each}", f"regular, {each}") for each in "de"}
