"""Published numbers and ours; pmephin's on its own test image, if that is available."""

from pathlib import Path

import pytest
from PIL import Image

import adaptive_kmeans as akm
from adaptive_kmeans.errors import ConfigError, UnknownNameError
from adaptive_kmeans.experiment import run_experiment
from adaptive_kmeans.experiment.config import read_config
from adaptive_kmeans.image import read_image

CONFIG = Path(__file__).parents[1] / "experiments" / "region_study.toml"


@pytest.mark.parametrize("row", read_config(CONFIG).published.rows)
def test_quality_is_at_or_above_every_published_cell(shared_images, row):
    image = read_image(shared_images / "study" / "toucan.jpeg").pixels
    regular = akm.Settings.regular(row.k)
    settings = (
        regular
        if row.method == "regular"
        else akm.Settings.published(row.k, 256, detail=row.method)
    )
    decoded = akm.decode(akm.encode(image, settings))
    assert akm.psnr(image, decoded) >= row.psnr_db
    assert akm.ssim(image, decoded, "published") >= row.ssim_published


SMALL = """
name = "small"
images = ["a.png", "b.png"]
metrics = ["psnr"]
[figures]
draw = ["quality"]
[published]
source = "A. Author"
image = "a"
rows = [
  { method = "regular", k = 2, psnr_db = 12.5, bytes = 1234 },
  { method = "eigenvalue", k = 3, ssim = 0.5 },
  { method = "variance", k = 3, psnr_db = 9.5 },
]
[[methods]]
method = "regular"
k = [2, 5]
[[methods]]
method = "region-adaptive"
detail = "eigenvalue"
k1 = 3
k2 = 6
"""


REPEATED = """
[[methods]]
method = "baseline"
codec = "published-code"
k = [2, 3, 5]
"""


def test_repeats_of_the_published_code_stand_between_the_published_numbers_and_ours(
    tmp_path, monkeypatch, photo
):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png"):
        Image.fromarray(photo).save(name)
    text = SMALL
    for old, new in {
        '["psnr"]': '["psnr", "jpeg-bytes"]',
        "rows = [": 'input_bytes = 5000\nrepeated.regular = "published-code"\nrows = [',
        "bytes = 1234": "jpeg_bytes = 4000",
        "k = [2, 5]": 'k = [2, 3, 5]\ncoder = "fixed-length"',
        "k2 = 6": 'k2 = 6\ncoder = "fixed-length"',
    }.items():
        text = text.replace(old, new)
    Path("small.toml").write_text(text + REPEATED)
    measured = run_experiment(Path("small.toml"), jobs=1).table.itertuples()
    rows = {(row.method, row.k): row for row in measured if row.image == "a"}
    ours, repeat = rows["regular", 2], rows["published-code", 2]
    share, own = (row.jpeg_bytes / 50 for row in (repeat, ours))
    lines = Path("results/small/published.md").read_text().splitlines()
    assert lines[0] == "A. Author, on a: published → repeated → ours."
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert cells[0][-2:] == ["as JPEG, % of the input", "bytes, repeated → ours"]
    assert cells[2] == [
        *("regular", "2", f"12.500 → {repeat.psnr_db:.3f} → {ours.psnr_db:.3f}", "–"),
        *(f"80.0 → {share:.1f} → {own:.1f}", f"{repeat.bytes:,} → {ours.bytes:,}"),
    ]
    assert not [line for line in lines[4:] if "published-code" in line]
    assert not Path("results/small/comparison.csv").exists()  # no other series has three points
    assert "published-code" in Path("results/small/table.md").read_text()


def test_a_repeat_of_another_name_is_refused_with_the_right_one(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "a.png")
    text = SMALL.replace("rows = [", 'repeated.regular = "publishd-code"\nrows = [')
    (tmp_path / "small.toml").write_text(text)
    with pytest.raises(UnknownNameError, match="published-code"):
        read_config(tmp_path / "small.toml")


def test_a_repeat_is_named_as_in_tables(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "a.png")
    text = SMALL.replace("rows = [", 'repeated.regular = "published-code:16"\nrows = [')
    (tmp_path / "small.toml").write_text(text)
    message = "published.repeated: expected a method as in tables, published-code, received publish"
    with pytest.raises(ConfigError, match=message):
        read_config(tmp_path / "small.toml")


@pytest.mark.parametrize(
    ("old", "new"),
    [('"variance"', '"varience"'), ("rows = [", 'repeated.varience = "x"\nrows = [')],
)
def test_a_method_of_another_name_is_refused_with_the_right_one(old, new, tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "a.png")
    (tmp_path / "small.toml").write_text(SMALL.replace(old, new))
    with pytest.raises(ConfigError, match=r"did you mean variance\?\), received varience"):
        read_config(tmp_path / "small.toml")


def test_published_numbers_are_listed_with_ours_of_the_same_file(tmp_path, monkeypatch, photo):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo).save("a.png")
    Image.fromarray(photo[::-1]).save("b.png")
    Path("small.toml").write_text(SMALL)
    rows = list(run_experiment(Path("small.toml"), jobs=1).table.itertuples())
    regular, adaptive = rows[0], rows[2]
    lines = Path("results/small/published.md").read_text().splitlines()[4:]
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines] == [
        ["regular", "2", f"12.500 → {regular.psnr_db:.3f}", "–", f"1,234 → {regular.bytes:,}"],
        ["eigenvalue", "3", f"{adaptive.psnr_db:.3f}", "0.50000 → –", f"{adaptive.bytes:,}"],
        ["variance", "3", "9.500 → –", "–", "–"],
    ]
    run_experiment(Path("small.toml"), jobs=1, images=["b.png"], force=True)
    assert not Path("results/small/published.md").exists()
