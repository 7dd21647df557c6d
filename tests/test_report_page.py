"""The page of an experiment: what it says, and that it stands alone whatever names there are."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from adaptive_kmeans.errors import TrialsFailedError
from adaptive_kmeans.experiment.columns import table_of
from adaptive_kmeans.experiment.page import cells, swipe
from adaptive_kmeans.experiment.report import write_report
from adaptive_kmeans.experiment.rows import COLUMNS
from adaptive_kmeans.experiment.studies.elbow import ElbowRow
from tests.pages import QUESTION, Seen, picture, render, row, rows

HOSTILE = """</script><script>alert("1")</script><img src=x onerror='alert(2)'>"""

APART = [
    *rows(["a"])[:4],
    *(row("a", "rate-distortion", place, 9000 + place, 50.0 + place) for place in (1, 2, 3)),
]


def test_a_page_opens_with_the_question_and_the_gain_in_numbers(tmp_path):
    said = Seen(render(tmp_path, rows())).texts
    assert said["head"].index(QUESTION) < said["head"].index("24 trials · 3 images")
    assert said["answer"].startswith(
        "−50.0 % rate-distortion needs 50.0 % fewer bytes than regular at equal PSNR "
        "(95 % interval −50.0 to −50.0 %); it needs fewer on 3 of 3 images."
    )


def test_the_best_series_come_first_and_the_table_has_the_rest(tmp_path):
    found = rows()
    for effort in range(1, 10):
        for point in range(4):
            size = int((1 - effort / 50) * (1000 + 800 * point))
            quality, psnr_db = 8 * 2**point, 30.0 + 2 * point
            found.append(row("a", "rate-distortion", quality, size, psnr_db, effort=effort))
    said = Seen(render(tmp_path, found)).texts["answer"]
    claims, _, table = said.partition(
        "These are the best against each anchor; the table has 2 more."
    )
    numbers = [word for word in claims.split() if word.startswith("−") and word[-1].isdigit()]
    assert numbers[0] == "−50.0"
    assert claims.count("needs fewer on") == 8
    assert claims.index("effort 9") < claims.index("effort 5")
    assert "effort 1" not in claims
    assert "effort 1" in table


def test_a_weak_anchor_does_not_crowd_out_a_strong_one(tmp_path):
    found = [
        row("a", "rate-distortion", 8 * 2**point, size, 30.0 + 2 * point, effort=effort)
        for effort in range(1, 10)
        for point in range(4)
        for size in [int((1 - effort / 50) * (1000 + 800 * point))]
    ]
    for codec, factor in (("weak", 9.0), ("strong", 0.7)):
        for point in range(4):
            size = int(factor * (1000 + 800 * point))
            other = row("a", codec, point, size, 30.0 + 2 * point)
            found.append({**other, "coder": None})
    text = render(tmp_path, found, figures={"anchor": ["weak", "strong"]})
    claims = Seen(text).texts["answer"].partition("These are")[0]
    assert claims.count("than weak at") == claims.count("than strong at") == 4
    assert "effort 9 needs 17.2 % more bytes than strong" in claims


@pytest.mark.parametrize(
    ("found", "anchor", "reason"),
    [
        (rows()[:4], "regular", "regular is the only series"),
        (rows(points=2), "regular", "a curve takes 3 files of an image, and no series has as many"),
        (rows(points=1), "regular", "each series has one file of an image, and a curve takes 3"),
        (rows(), "jpeg", "figures.anchor is jpeg, and the series with curves are regular; rate-"),
        (APART, "regular", "the curves barely overlap"),
    ],
    ids=["one series", "two points", "one file", "no anchor", "apart"],
)
def test_where_nothing_can_be_compared_the_page_says_why(tmp_path, found, anchor, reason):
    seen = Seen(render(tmp_path, found, figures={"anchor": [anchor]}))
    assert reason in seen.texts["answer"]
    assert "%" not in seen.texts["answer"].partition("All comparisons")[0]


def test_a_study_shows_its_summary_and_its_trials(tmp_path):
    found = [
        asdict(ElbowRow("set", "a", k, mse, psnr_db, size, 1.0, is_elbow))
        for k, mse, psnr_db, size, is_elbow in (
            (2, 90.0, 28.6, 1000, False),
            (4, 20.0, 35.1, 12_000, True),
            (8, 10.0, 38.1, 3000, False),
        )
    ]
    seen = Seen(render(tmp_path, found, kind="elbow", k=[2, 4, 8]))
    assert "k at the elbow PSNR dB bytes" in seen.texts["answer"]
    assert "set a 4 35.10 12,000" in seen.texts["answer"]
    assert "all: image_set set , image a" in seen.texts["trials"]
    assert "k 2, 4, 8" in seen.texts["settings"]
    assert "split" not in seen.texts


def test_the_page_has_settings_environment_failures_and_published_numbers(tmp_path):
    environment = {
        "finished": "2026-11-30T10:09:22+00:00",
        "encoder": 4,
        "seconds": 61.2,
        "python": "3.11.7",
        "images": {"a": {"width": 100, "height": 90}},
        "libraries": {"adaptive-kmeans": "0.1.0", "numpy": "2.4.6"},
    }
    (tmp_path / "environment.json").write_text(json.dumps(environment))
    row_of_paper = {"method": "regular", "k": 8, "psnr_db": 29.5}
    published = {"source": "A. Author", "image": "a", "rows": [row_of_paper]}
    failure = TrialsFailedError("b, regular: expected an image")
    said = Seen(render(tmp_path, rows(), published=published, failures=[failure])).texts
    assert "A. Author, on a: published → ours" in said["answer"]
    assert "29.500 → 30.000" in said["answer"]
    assert "b, regular: expected an image" in said["failures"]
    assert "2026-11-30 10:09 UTC" in said["head"]
    for fact in ("encoder version 4", "1: a 100×90", "61 s", "numpy 2.4.6", "Python 3.11.7"):
        assert fact in said["environment"]
    assert "regular block size 4" in said["settings"]
    assert "k 8, 16" in said["settings"]


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"images": null}'])
def test_a_damaged_environment_does_not_cost_the_page(tmp_path, text):
    (tmp_path / "environment.json").write_text(text)
    assert QUESTION in render(tmp_path, rows())


def test_the_split_of_the_rate_is_a_mean_over_images(tmp_path):
    text = render(tmp_path, rows())
    rate, header = 8 * 1000 / 10_000, 8 * 60 / 10_000
    assert f"header {header:.3f} bits per pixel, 6 %" in text
    assert f"index map {rate - header:.3f} bits per pixel, 94 %" in text
    others = [{**each, "coder": None} for each in rows()]
    assert "Where the bits go" not in render(tmp_path, others)


def test_columns_that_do_not_vary_are_folded_away_and_numbers_sort_unrounded():
    found = [
        {"method": "regular", "k": k, "psnr_db": psnr_db, "bytes": size, "header_bytes": 60}
        for k, psnr_db, size in ((8, 30.12345, 1234), (None, float("inf"), 99), (64, None, 1000))
    ]
    table = cells.of_table(table_of(found, COLUMNS), COLUMNS)
    assert table.heads == [("k", True), ("psnr_db", True), ("bytes", True)]
    assert table.same == [("method", "regular")]
    assert table.rows[0] == [("8", None), ("30.123", 30.12345), ("1,234", None)]
    assert [row[1] for row in table.rows[1:]] == [("∞", "Infinity"), ("", None)]
    assert table.rows[1][0].text == ""


def test_figures_are_inline_as_vectors_where_there_are_any(tmp_path):
    folder = tmp_path / "figures"
    folder.mkdir()
    Image.new("RGB", (700, 300)).save(folder / "curves.png", dpi=(100, 100))
    (folder / "curves.pdf").write_bytes(b"%PDF")
    (folder / "curves.txt").write_text('PSNR "against" rate.\n')
    Image.new("RGB", (700, 300)).save(folder / "bars.png", dpi=(100, 100))
    (folder / "bars.svg").write_text('<svg width="518.4pt" height="9pt"></svg>')
    (folder / "paper.pdf").write_bytes(b"%PDF")
    text = render(tmp_path, rows())
    assert text.count("data:image/svg+xml;base64,") == 1
    assert text.count('src="data:image/png;base64,') == 1
    said = Seen(text).texts["figures"]
    assert 'PSNR "against" rate.' in said
    assert "Only as a file: figures/paper.pdf" in said


def test_hostile_names_are_text_and_the_page_makes_no_request(tmp_path):
    pictures = [
        picture(HOSTILE, "", (0, 0, 0), None),
        picture(HOSTILE, HOSTILE, (9, 9, 9), 500),
        picture("b", HOSTILE, (9, 9, 9), 600),
    ]
    plain, hostile = (
        Seen(
            render(
                tmp_path,
                rows([name, "b"]),
                question=name,
                pictures=pictures,
                failures=[TrialsFailedError(name)],
            )
        )
        for name in ("a", HOSTILE)
    )
    assert hostile.tags == plain.tags
    assert all(link.startswith("data:") for link in hostile.links)
    for place in ("head", "failures", "trials"):
        assert 'alert("1")' in hostile.texts[place]
    _, start, rest = hostile.texts["swipe"].partition("[{")
    assert json.loads(start + rest)[0]["title"] == HOSTILE


def test_all_series_are_compared_at_the_same_few_rates_where_pictures_are_left_out():
    pictures = [picture("original", "", (0, 0, 0), None)]
    for name in ("regular", "adaptive", "other"):
        pictures += [
            picture(f"{name} {size}", name, (size % 256,) * 3, size)
            for size in range(1000, 21_000, 1000)
        ]
    pictures += [picture("one", "one", (1, 1, 1), 5000)]
    shown = swipe.swipe(pictures)
    assert shown is not None
    titles = [each["title"] for each in shown.pictures]
    assert titles[0] == "original"
    assert len(titles) <= swipe.MAX_PICTURES
    sizes = [
        [title.split()[1] for title in titles if title.startswith(name)]
        for name in ("regular", "adaptive", "other")
    ]
    assert len(sizes[0]) >= 5
    assert sizes[0] == sizes[1] == sizes[2]
    assert shown.note.startswith(f"{len(titles)} of 62 pictures")
    assert swipe.swipe(pictures[:1]) is None


def test_large_pictures_are_fewer(monkeypatch):
    monkeypatch.setattr(swipe, "MAX_PIXELS", 3 * 20 * 40)
    pictures = [picture("original", "", (0, 0, 0), None)]
    pictures += [picture(f"r {size}", "r", (1, 1, 1), size) for size in (100, 200, 400, 800)]
    shown = swipe.swipe(pictures)
    assert shown is not None
    assert len(shown.pictures) == 3
    assert (shown.width, shown.height) == (40, 20)


def test_committed_results_without_a_store_have_a_page_and_keep_their_tables(tmp_path):
    """What their table has is drawn again, and the comparison is the committed one."""
    committed = Path(__file__).parents[1] / "results"
    for name in ("targets", "published_sizes", "coder_ablation", "filter_training"):
        shutil.copytree(committed / name, tmp_path / name)
    pages = write_report(tmp_path)
    assert [page.parent.name for page in pages] == sorted(page.parent.name for page in pages)
    assert len(pages) == 4
    for page in pages:
        before, after = committed / page.parent.name, page.parent
        for table in ("table.csv", "table.md", "table.tex"):
            assert (after / table).read_bytes() == (before / table).read_bytes()
        names = {path.name for path in (before / "figures").glob("*.png")}
        assert names <= {path.name for path in (after / "figures").glob("*.png")}
        assert Seen(page.read_text()).texts["answer"]
    tables = [
        pd.read_csv(folder / "targets" / "comparison.csv") for folder in (committed, tmp_path)
    ]
    pd.testing.assert_frame_equal(*tables, check_like=True)
