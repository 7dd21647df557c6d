"""Others' curves stand in our figures, and ours in the tools of CompressAI and Codec-Compare."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaptive_kmeans import metrics
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, LimitError, ReadError
from adaptive_kmeans.experiment import run_experiment
from adaptive_kmeans.experiment.interchange import compressai
from adaptive_kmeans.experiment.interchange.exporting import export_results
from adaptive_kmeans.experiment.others import comparable
from adaptive_kmeans.experiment.report import write_report

CONFIG = """
name = "mine"
images = ["kodak"]
[figures]
draw = ["psnr_against_rate"]
formats = ["svg"]
others = { kodak = ["elic.json"] }
[[methods]]
method = "regular"
k = [2, 8]
coder = "fixed-length"
[[methods]]
method = "baseline"
codec = "webp-lossless"
"""
ELIC = {
    "name": "ELIC $2022$",
    "description": "Results from paper",
    "results": {"bpp": [2.0, 0.5], "psnr": [35.0, 30.0], "ms-ssim": [0.9, 0.8]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five crops, measured, with all files in the store."""
    folder = tmp_path_factory.mktemp("interchange")
    photo = ImageSource("chelsea").load()
    (folder / "kodak").mkdir()
    for i in range(5):
        crop = photo[30 * i : 30 * i + 20, 60 * i : 60 * i + 30]
        Image.fromarray(crop).save(folder / "kodak" / f"crop{i}.png")
    (folder / "elic.json").write_text(json.dumps(ELIC))
    (folder / "mine.toml").write_text(CONFIG)
    before = Path.cwd()
    os.chdir(folder)
    try:
        run_experiment(Path("mine.toml"), jobs=1, keep_files=True)
    finally:
        os.chdir(before)
    return folder


def plotted(path: Path, metric: str) -> list[tuple[float, float]]:
    """Read a file as `compressai.utils.plot` does, version 1.2.9."""
    data = json.loads(path.read_text())
    results = data.get("results", data)
    return list(zip(results["bpp"], results[f"{metric}-rgb"], strict=True))


def loaded(path: Path) -> tuple[dict[str, str], list[dict[str, object]]]:
    """Read a batch under the conditions of Codec-Compare's `entry_loader.ts`."""
    batch = json.loads(path.read_text())
    names = {}
    for part in ("constant", "field"):
        assert all(
            len(one) == 1 and isinstance(text, str)
            for one in batch[f"{part}_descriptions"]
            for text in one.values()
        )
        names[part] = [name for one in batch[f"{part}_descriptions"] for name in one]
        assert len(set(names[part])) == len(names[part])
    assert all(isinstance(value, str) for value in batch["constant_values"])
    rows = [dict(zip(names["field"], row, strict=True)) for row in batch["field_values"]]
    assert all(isinstance(cell, str | int | float) for row in rows for cell in row.values())
    return dict(zip(names["constant"], batch["constant_values"], strict=True)), rows


def test_a_curve_for_compressai_has_the_means_over_the_set(folder, tmp_path):
    export_results(folder / "results" / "mine", to_compressai=tmp_path)
    points = plotted(tmp_path / "kodak" / "regular.json", "psnr")
    _, rows = batches(folder, tmp_path)["regular"]
    assert len(points) == 2
    for k, (rate, psnr) in zip((2, 8), points, strict=True):
        of_k = [row for row in rows if row["k"] == k]
        assert rate == pytest.approx(np.mean([row["bpp"] for row in of_k]))
        assert psnr == pytest.approx(np.mean([row["psnr"] for row in of_k]))
    # A file without loss has no point in a curve of PSNR.
    assert (
        "psnr-rgb"
        not in json.loads((tmp_path / "kodak" / "webp-lossless.json").read_text())["results"]
    )


def batches(folder, place):
    export_results(folder / "results" / "mine", to_codec_compare=place / "batches")
    listed = json.loads((place / "batches" / "batches.json").read_text())
    found = {}
    for (name,) in listed:
        constants, rows = loaded(place / "batches" / name)
        found[constants["name"]] = constants, rows
    return found


def test_a_batch_for_codec_compare_has_a_row_for_each_file(folder, tmp_path):
    found = batches(folder, tmp_path)
    assert list(found) == ["regular", "webp-lossless"]
    constants, rows = found["regular"]
    assert constants["codec"] == "adaptive-kmeans"
    assert constants["source_data_set"] == "kodak"
    assert [(row["original_name"], row["k"]) for row in rows] == [
        (f"crop{i}", k) for i in range(5) for k in (2, 8)
    ]
    assert all(
        row["bpp"] == 8 * row["encoded_size"] / (row["width"] * row["height"]) for row in rows
    )
    assert {row["psnr"] for row in found["webp-lossless"][1]} == {99.0}


def test_reconstructions_are_what_was_measured_and_batches_refer_to_them(folder, tmp_path):
    written = export_results(
        folder / "results" / "mine", to_codec_compare=tmp_path / "akm", pictures=tmp_path / "png"
    )
    assert sum(path.suffix == ".png" for path in written) == 5 + 15
    _, rows = loaded(tmp_path / "akm" / "regular.json")
    assert rows[0]["decoded_path"] == "png/crop0/regular-k-2.png"
    for row in rows:
        original, decoded = (
            np.array(Image.open(tmp_path / row[path])) for path in ("original_path", "decoded_path")
        )
        assert metrics.psnr(original, decoded) == row["psnr"]


def test_committed_results_without_a_store_give_the_same_curves_and_no_pictures(folder, tmp_path):
    results = folder / "results" / "mine"
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("table.csv", "config.toml", "environment.json"):
        (bare / name).write_bytes((results / name).read_bytes())
    for source in (results, bare):
        export_results(
            source,
            to_compressai=tmp_path / source.name,
            to_codec_compare=tmp_path / f"{source.name}-c",
        )
    for made in tmp_path.glob("mine*/**/*.json"):
        again = tmp_path / str(made.relative_to(tmp_path)).replace("mine", "bare", 1)
        assert again.read_text() == made.read_text()
    with pytest.raises(ReadError, match="as after `run --keep-files`, received no store"):
        export_results(bare, pictures=tmp_path / "png")


def test_files_that_exist_are_kept(folder, tmp_path):
    (tmp_path / "kodak").mkdir()
    (tmp_path / "kodak" / "webp-lossless.json").write_text("mine")
    with pytest.raises(
        AdaptiveKMeansError, match=r"lossless\.json: expected no file there, or --force"
    ):
        export_results(folder / "results" / "mine", to_compressai=tmp_path)
    assert (tmp_path / "kodak" / "webp-lossless.json").read_text() == "mine"
    assert not (tmp_path / "kodak" / "regular.json").exists()


def test_our_own_files_can_be_read_as_those_of_others(folder, tmp_path):
    export_results(folder / "results" / "mine", to_compressai=tmp_path)
    path = tmp_path / "kodak" / "regular.json"
    curve = compressai.read(path, "kodak")
    assert curve.name == "adaptive-kmeans regular"
    assert curve.psnr_db == plotted(path, "psnr")


def test_curves_of_others_are_drawn_marked_and_stay_out_of_tables(folder):
    results = folder / "results" / "mine"
    drawn = (results / "figures" / "psnr_against_rate.svg").read_text()
    assert "ELIC $2022$, as" in drawn.replace("\\", "")  # and in the next line, published
    for path in results.glob("*.*"):
        if path.suffix in (".csv", ".md", ".tex"):
            assert "ELIC" not in path.read_text()
    # The report is made of the store alone.
    (folder / "elic.json").rename(folder / "elsewhere.json")
    write_report(results)
    (folder / "elsewhere.json").rename(folder / "elic.json")
    assert "ELIC" in (results / "figures" / "psnr_against_rate.svg").read_text()


def test_curves_of_others_stand_only_beside_means_of_all_images_of_their_set():
    from tests.test_series import files

    measured = files()
    other = compressai.OtherCurve("other", "set", [(1.0, 30.0)])
    assert comparable([other], measured, measured) == [other]
    assert comparable([other], measured[3:], measured) == []
    assert comparable([other], measured[:3], measured[:3]) == []
    elsewhere = compressai.OtherCurve("other", "photos", [(1.0, 30.0)])
    assert comparable([elsewhere], measured, measured) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "o.json: expected JSON of CompressAI's format, received Expecting property name"),
        ("[" * 100_000, "expected JSON of CompressAI's format, received brackets too deep"),
        ("\xff", "expected JSON of CompressAI's format, received"),
        ("[]", "expected a JSON object, received list"),
        ('{"results": 3}', "results: expected an object of lists, received int"),
        ('{"bpp": [1], "ms-ssim": [1]}', "expected the key psnr-rgb, received bpp, ms-ssim"),
        ('{"psnr": [30]}', "bpp: expected a list of 1..4096 numbers, received NoneType"),
        ('{"bpp": [], "psnr": []}', "bpp: expected a list of 1..4096 numbers, received 0 of them"),
        (
            '{"bpp": [1, 2], "psnr": [30]}',
            "psnr: expected as many numbers as in bpp, 2, received 1",
        ),
        (
            '{"bpp": [1], "psnr": [NaN]}',
            "psnr: expected numbers above 0, at most 1000, received nan",
        ),
        ('{"bpp": [1], "psnr": [1e999]}', "psnr: expected numbers above 0, at most 1000, received"),
        ('{"bpp": [true], "psnr": [30]}', "bpp: expected numbers above 0, at most 10000, received"),
        ('{"bpp": ["1"], "psnr": [30]}', "bpp: expected numbers above 0, at most 10000, received"),
        (
            '{"bpp": [-1], "psnr": [30]}',
            "bpp: expected numbers above 0, at most 10000, received -1",
        ),
        ('{"bpp": [1], "psnr": [%s]}' % ("9" * 5000), "received"),
        ('{"name": [], "bpp": [1], "psnr": [30]}', "name: expected a text, received list"),
    ],
    ids=range(16),
)
def test_files_that_are_not_of_compressai_are_one_line(tmp_path, text, message):
    path = tmp_path / "o.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ReadError) as caught:
        compressai.read(path, "kodak")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_huge_files_of_others_are_not_read(tmp_path):
    (tmp_path / "o.json").write_bytes(b" " * (compressai.MAX_BYTES + 1))
    with pytest.raises(LimitError):
        compressai.read(tmp_path / "o.json", "kodak")


def test_the_set_of_others_must_be_among_the_images(folder, monkeypatch):
    monkeypatch.chdir(folder)
    changes = ['figures.others={ kodk = ["elic.json"] }', 'name="other"']
    with pytest.raises(
        ConfigError, match=r"figures\.others: expected a set of the images, kodak, rec"
    ):
        run_experiment(Path("mine.toml"), jobs=1, changes=changes)
    changes[0] = 'figures.others=["elic.json"]'
    with pytest.raises(
        ConfigError, match=r"the set that they are means over, as in others\.kodak ="
    ):
        run_experiment(Path("mine.toml"), jobs=1, changes=changes)
    assert not Path("results/other").exists()
    # Other images than the config's are not of its sets.
    changes = ['name="other"', 'figures.others={ kodak = ["elic.json"] }']
    images = ["chelsea"]
    run_experiment(Path("mine.toml"), jobs=1, changes=changes, images=images, results=Path("own"))
    changes[1] = 'figures.others={ kodak = ["nowhere.json"] }'
    with pytest.raises(ReadError, match=r"nowhere\.json: expected a file that can be read"):
        run_experiment(Path("mine.toml"), jobs=1, changes=changes)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace(",kodak,", ",kodak,,,x", 1), "a table that `run` wrote"),
        (lambda text: text.splitlines()[0] + "\n", "results with at least one row"),
        (lambda _: "", "a table that `run` wrote"),
        (lambda text: text.replace("crop0,regular,,2,", "crop0,regular,,two,"), "a table that `ru"),
        (lambda text: text.replace("bytes", "octets"), "the columns image, method, bytes, bi"),
    ],
    ids=range(5),
)
def test_damaged_tables_are_one_line(folder, tmp_path, damage, message):
    results = folder / "results" / "mine"
    (tmp_path / "config.toml").write_bytes((results / "config.toml").read_bytes())
    (tmp_path / "table.csv").write_text(damage((results / "table.csv").read_text()))
    with pytest.raises(ReadError, match=message) as caught:
        export_results(tmp_path, to_compressai=tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
