"""Series beside their anchors: what is compared, and what is said of the others."""

import pandas as pd

from adaptive_kmeans.experiment.columns import table_of
from adaptive_kmeans.experiment.comparison import compare, left_out
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
