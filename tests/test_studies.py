"""The studies of classifiers and of elbows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import adaptive_kmeans as akm
from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.clustering import elbow
from adaptive_kmeans.detail import measures
from adaptive_kmeans.errors import AdaptiveKMeansError, TrialsFailedError
from adaptive_kmeans.experiment import run_experiment, tables
from adaptive_kmeans.experiment.config import read_config
from adaptive_kmeans.experiment.reproduction import reproduce
from adaptive_kmeans.experiment.studies.classifiers import agreement, best_choice, block_sums
from adaptive_kmeans.regions import classify, thresholds

CLASSIFIERS = """
kind = "classifiers"
name = "choices"
images = ["a.png", "set/b.png"]
detail = ["eigenvalue", "variance", "total-variation"]
threshold = ["median", "quantile:0.75"]
block_size = [4, 16]
k1 = 3
k2 = 24
"""

ELBOW = """
kind = "elbow"
name = "elbows"
images = ["a.png", "set/b.png"]
k = [16, 2, 4, 8, 64]
coder = "fixed-length"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch, photo):
    monkeypatch.chdir(tmp_path)
    Path("set").mkdir()
    Image.fromarray(photo).save("a.png")
    Image.fromarray(photo[::-1, :40]).save("set/b.png")
    Path("choices.toml").write_text(CLASSIFIERS)
    Path("elbows.toml").write_text(ELBOW)
    return tmp_path


def errors(image, k):
    decoded = akm.quantize(image, akm.Settings.regular(k)).reconstruct()
    return ((image.astype(int) - decoded) ** 2).sum(axis=-1)


def test_measures_are_compared_with_each_other_and_the_rate_distortion_choice(folder, photo):
    results = run_experiment(Path("choices.toml"), jobs=1)
    assert not results.failures
    assert (
        tables.to_terminal(results.table, results.columns).row_count
        == len(results.table)
        == 2 * 2 * 2 * (3 + 3)
    )
    table = pd.read_csv("results/choices/table.csv")
    assert list(table.image_set) == 24 * [folder.name] + 24 * ["set"]
    pairs = list(zip(table.detail[:6], table.other[:6], strict=True))
    assert pairs == [
        ("eigenvalue", "variance"),
        ("eigenvalue", "total-variation"),
        ("variance", "total-variation"),
        ("eigenvalue", "rate-distortion"),
        ("variance", "rate-distortion"),
        ("total-variation", "rate-distortion"),
    ]
    assert table.agreement_percent.between(0, 100).all()
    assert (table.benefit_percent.isna() == (table.other != "rate-distortion")).all()
    # Worked out block by block for one row.
    grid = BlockGrid(*photo.shape[:2], 16)
    region_map = classify(measures.create("variance")(photo, grid), thresholds.create("median"))
    high = region_map.ravel() == 1
    saved = [
        (float(block.sum()), block.size)
        for block in grid.split(errors(photo, 3) - errors(photo, 24))
    ]
    budget = sum(size for (_, size), is_high in zip(saved, high, strict=True) if is_high)
    most, left = 0.0, budget
    for benefit, size in sorted(saved, key=lambda block: -block[0] / block[1]):
        most += benefit * min(1, left / size)
        left -= min(left, size)
    picked = sum(benefit for (benefit, _), is_high in zip(saved, high, strict=True) if is_high)
    row = table[(table.image == "a") & (table.block_size == 16) & (table.threshold == "median")]
    row = row[(row.detail == "variance") & (row.other == "rate-distortion")].iloc[0]
    assert row.high_percent == pytest.approx(100 * high.mean())
    assert row.benefit_percent == pytest.approx(100 * picked / most)
    assert 0 < row.benefit_percent < 100
    summary = Path("results/choices/summary.md").read_text()
    mean = f"{row.agreement_percent:.1f} ({row.kappa:.2f}), {row.benefit_percent:.1f}"
    line = next(line for line in summary.splitlines() if mean in line)
    assert {folder.name, "median", "variance"} <= {cell.strip() for cell in line.split("|")}
    names = ["agreement_against_block_size", "benefit_against_block_size"]
    figures = [f"{name}.{suffix}" for name in names for suffix in ("pdf", "png")]
    assert [path.name for path in results.paths()] == ["table.md", "summary.md", *figures]
    absolute = [str(folder / name) for name in ("a.png", "set/b.png")]
    run_experiment(Path("choices.toml"), images=absolute, jobs=2)
    pd.testing.assert_frame_equal(pd.read_csv("results/choices/table.csv"), table)


def test_no_choice_of_as_many_pixels_saves_more_than_the_best_one(random):
    grid = BlockGrid(19, 22, 4)
    pixels = grid.pixel_counts()
    saved = random.integers(-200, 1000, grid.shape)
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        region_map = (random.random(grid.shape) < share).astype(np.uint8)
        budget = int(pixels[region_map == 1].sum())
        best, most = best_choice(saved, pixels, budget)
        assert saved[region_map == 1].sum() <= most + 1e-6
        assert abs(int(pixels[best == 1].sum()) - budget) <= 8
    whole = np.full(grid.shape, 16)
    best, most = best_choice(saved, whole, 16 * 7)
    assert sorted(saved[best == 1]) == sorted(saved.ravel())[-7:]
    assert most == saved[best == 1].sum()


def test_block_sums_are_those_of_the_blocks(random):
    for height, width, size in [(1, 1, 4), (13, 9, 4), (8, 8, 8), (5, 7, 32)]:
        values = random.integers(-9, 9, (height, width))
        grid = BlockGrid(height, width, size)
        assert block_sums(values, grid).ravel().tolist() == [b.sum() for b in grid.split(values)]


def test_kappa_is_that_of_all_blocks(random):
    from sklearn.metrics import cohen_kappa_score

    one, two = random.integers(0, 2, (2, 9, 11), dtype=np.uint8)
    two[:5] = one[:5]
    equal, kappa = agreement(one, two)
    assert equal == pytest.approx(100 * (one == two).mean())
    assert kappa == pytest.approx(cohen_kappa_score(one.ravel(), two.ravel()))
    assert agreement(np.zeros_like(one), np.ones_like(one)) == (0.0, 0.0)
    assert agreement(np.ones_like(one), np.ones_like(one)) == (100.0, None)


def test_an_image_that_fits_the_small_codebook_has_no_benefit(folder):
    Image.new("RGB", (9, 9), "teal").save("flat.png")
    rows = list(
        run_experiment(Path("choices.toml"), jobs=1, images=["flat.png"]).table.itertuples()
    )
    assert all(np.isnan(value) for row in rows for value in (row.benefit_percent, row.kappa))
    assert {row.agreement_percent for row in rows} == {100.0}
    # There is no benefit to draw.
    drawn = sorted(path.name for path in Path("results/choices/figures").iterdir())
    assert drawn == [f"agreement_against_block_size.{suffix}" for suffix in ("pdf", "png", "txt")]
    assert "nan" not in Path("results/choices/summary.md").read_text()


def test_every_image_has_one_elbow_among_its_files(folder, photo):
    results = run_experiment(Path("elbows.toml"), jobs=1)
    assert not results.failures
    assert tables.to_terminal(results.table, results.columns).row_count == len(results.table)
    table = pd.read_csv("results/elbows/table.csv")
    assert list(table.k) == 2 * [2, 4, 8, 16, 64]
    assert list(table.image_set) == 5 * [folder.name] + 5 * ["set"]
    for name, curve in table.groupby("image"):
        chosen = curve[curve.is_elbow == 1]
        assert list(chosen.k) == [elbow(curve.k, curve.mse)], name
    data = akm.encode(photo, akm.Settings.regular(16, coder="fixed-length"))
    row = table[(table.image == "a") & (table.k == 16)].iloc[0]
    assert row.bytes == len(data)
    assert row.bits_per_pixel == pytest.approx(8 * len(data) / photo[..., 0].size)
    assert row.mse == pytest.approx(((photo.astype(int) - akm.decode(data)) ** 2).mean())
    assert row.psnr_db == pytest.approx(akm.psnr(photo, akm.decode(data)))
    elbows, counts = Path("results/elbows/summary.md").read_text().split("\n\n")
    assert len(elbows.splitlines()) == 2 + 2
    *_, last = counts.strip().splitlines()
    assert sum(int(cell) for cell in last.strip("| ").split("|")[1:]) == 1
    figures = ["elbows.pdf", "elbows.png"]
    assert [path.name for path in results.paths()] == ["table.md", "summary.md", *figures]


def test_lossless_and_one_color_images_have_an_elbow(folder):
    Image.new("RGB", (9, 9), "teal").save("flat.png")
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save("few.png")
    rows = list(
        run_experiment(
            Path("elbows.toml"), jobs=1, images=["flat.png", "few.png"]
        ).table.itertuples()
    )
    elbows = {row.image: row.k for row in rows if row.is_elbow}
    assert elbows["flat"] == 2
    assert rows[-1].mse == 0
    assert " ∞ |" in Path("results/elbows/table.md").read_text()


def test_more_images_than_colors_share_the_color_of_their_elbow(folder, photo):
    for i in range(9):
        Image.fromarray(photo[i:, i : 30 + i]).save(f"set/{i}.png")
    results = run_experiment(Path("elbows.toml"), jobs=1, images=["set"])
    assert len(results.table) == 10 * 5


@pytest.mark.parametrize("name", ["choices", "elbows"])
def test_an_image_that_cannot_be_read_is_a_failure(folder, name):
    Path("broken.png").write_bytes(Path("a.png").read_bytes()[:200])
    results = run_experiment(Path(f"{name}.toml"), jobs=1, images=["a.png", "broken.png"])
    assert {row.image for row in results.table.itertuples()} == {"a"}
    assert {str(error).partition(":")[0] for error in results.failures} == {"broken.png"}
    with pytest.raises(TrialsFailedError, match=r"the first: .*broken\.png"):
        run_experiment(Path(f"{name}.toml"), jobs=1, images=["broken.png"], force=True)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("choices", '"variance"', '"entropy"', "detail measure: expected one of"),
        ("choices", '"variance"', '"eigenvalue"', "detail: expected each once"),
        ("choices", '"median"', '"quantile:2"', r"a share of blocks in 0\.\.1"),
        ("choices", "[4, 16]", "[4, 0]", r"block size: expected an integer in 1\.\.256"),
        ("choices", "k1 = 3", "k1 = 24", "k1: expected fewer codewords than k2 = 24, received 24"),
        ("choices", "k1 = 3", "k = 3", "unknown key k"),
        ("elbows", "k = [16, 2, 4, 8, 64]", "k = [16]", "k: expected at least 2 values"),
        ("elbows", "k = [16, 2, 4, 8, 64]", "k = [2, 2]", "k: expected each once"),
        ("elbows", "fixed-length", "zip", "coder: expected one of"),
        ("elbows", "k = ", 'color_space = "xyz"\nk = ', "color space: expected one of"),
    ],
)
def test_an_invalid_config_is_refused(folder, name, old, new, message):
    path = Path(f"{name}.toml")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(AdaptiveKMeansError, match=message):
        read_config(path)


CHANGES = {
    "choices": {
        "agreement_percent": 1.0,
        "kappa": 0.1,
        "high_percent": 1.0,
        "benefit_percent": 1.0,
    },
    "elbows": {"mse": 1e-3, "psnr_db": 0.01, "bytes": 1, "is_elbow": 1},
}


@pytest.mark.long
@pytest.mark.parametrize("name", CHANGES)
def test_committed_rows_are_confirmed_and_changed_numbers_are_listed(folder, name):
    images = ["a.png", "set/b.png"]
    rows = list(run_experiment(Path(f"{name}.toml"), jobs=1, images=images).table.itertuples())
    again = next(reproduce(Path("results"), images, [name]))
    assert (again.confirmed, again.differing, again.missing) == (len(rows), [], 0)
    table = pd.read_csv(f"results/{name}/table.csv")
    others = table.index[table.other == "rate-distortion"] if name == "choices" else table.index
    said = []
    for row, (column, change) in zip(others, CHANGES[name].items(), strict=False):
        correct = table.loc[row, column]
        table.loc[row, column] += change
        said.append(f"{column} {table.loc[row, column]} → {correct}")
    table.to_csv(f"results/{name}/table.csv", index=False)
    again = next(reproduce(Path("results"), images, [name]))
    assert (again.confirmed, again.missing) == (len(rows) - len(said), 0)
    assert [line.partition(": ")[2] for line in again.differing] == said
