import importlib.util
import json
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import adaptive_kmeans as akm
from adaptive_kmeans import container
from adaptive_kmeans.codec import AdaptiveKMeans
from adaptive_kmeans.coding.context_mixing import ablation
from adaptive_kmeans.datasets import find_images
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, TrialsFailedError
from adaptive_kmeans.experiment import bars, pictures, run_experiment, tables, view
from adaptive_kmeans.experiment.columns import Column, table_of
from adaptive_kmeans.experiment.config import read_config
from adaptive_kmeans.experiment.rows import COLUMNS as TABLE
from adaptive_kmeans.experiment.schema import CompressionConfig
from adaptive_kmeans.experiment.series import named
from adaptive_kmeans.experiment.studies import clustering_speed
from adaptive_kmeans.experiment.studies.elbow import elbow_curve

CONFIG = """
name = "small"
images = ["a.png", "b.png"]
metrics = ["psnr", "ssim", "ssim-published"]
timing = true
[figures]
picture = "b"
draw = ["quality"]
formats = ["png"]
[[methods]]
method = "regular"
k = [2, 5]
coder = ["fixed-length", "deflate"]
[[methods]]
method = "region-adaptive"
detail = ["eigenvalue", "variance"]
k1 = 3
k2 = [6, 9]
"""

ALL_FIGURES = CONFIG.replace('draw = ["quality"]\nformats = ["png"]\n', "")

COLUMNS = ["image", "method", "detail", "k", "k1", "k2", "block_size", "coder", "psnr_db", "ssim"]
COLUMNS += ["bytes", "bits_per_pixel", "compression_ratio", "space_saving_percent"]
COLUMNS += ["encode_s", "decode_s"]


@pytest.fixture
def folder(tmp_path, monkeypatch, photo):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo).save("a.png")
    Image.fromarray(photo[::-1, :40]).save("b.png")
    Path("small.toml").write_text(CONFIG)
    return tmp_path


def numbers(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=["encode_s", "decode_s", "peak_mb"], errors="ignore")


def test_every_image_method_and_parameter_is_measured_on_the_decoded_file(folder, photo):
    results = run_experiment(Path("small.toml"), jobs=1)
    table = pd.read_csv("results/small/table.csv")
    assert list(table.columns)[: len(COLUMNS)] == COLUMNS
    assert len(table) == 2 * (4 + 4) == len(results.table)
    assert not results.failures
    row = table[(table.image == "a") & (table.detail == "variance") & (table.k2 == 9)].iloc[0]
    data = akm.encode(photo, akm.Settings(k1=3, k2=9, detail="variance"))
    decoded = akm.decode(data)
    assert row.bytes == len(data)
    assert row.bits_per_pixel == pytest.approx(8 * len(data) / photo[..., 0].size)
    assert row.compression_ratio == pytest.approx(photo.size / len(data))
    assert row.space_saving_percent == pytest.approx(100 * (1 - len(data) / photo.size))
    assert row.psnr_db == pytest.approx(akm.psnr(photo, decoded))
    assert row.ssim == pytest.approx(akm.ssim(photo, decoded))
    assert row.ssim_published == pytest.approx(akm.ssim(photo, decoded, "published"))
    parts = ["header_bytes", "codebook_bytes", "region_map_bytes", "index_map_bytes"]
    assert (table[parts].sum(axis=1) == table.bytes).all()
    assert table.encode_s.gt(0).all()
    assert table.peak_mb.ge(0).all() or table.peak_mb.isna().all()


def test_a_metric_without_its_library_is_skipped_and_printed(folder, monkeypatch, capfd):
    Path("small.toml").write_text(CONFIG.replace('"ssim-published"', '"ssimulacra2"'))
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "ssimulacra2" else found(name)
    )
    results = run_experiment(Path("small.toml"), jobs=1)
    assert "skipped: ssimulacra2: pip install 'adaptive-kmeans[metrics]'" in capfd.readouterr().err
    assert results.table["ssimulacra2"].isna().all()
    assert results.table["ssim"].notna().all()


def test_perceptual_metrics_have_columns_figures_and_deltas(folder):
    perceived = 'metrics = ["ssimulacra2", "ciede2000"]'
    text = ALL_FIGURES.replace('metrics = ["psnr", "ssim", "ssim-published"]', perceived)
    Path("small.toml").write_text(text.replace("k = [2, 5]", "k = [2, 5, 9]"))
    run_experiment(Path("small.toml"), jobs=1)
    table = pd.read_csv("results/small/table.csv")
    assert (table.ssimulacra2 < 100).all()
    assert (table.ciede2000 > 0).all()
    assert table.psnr_db.isna().all()
    drawn = {path.name for path in Path("results/small/figures").iterdir()}
    assert {"ssimulacra2_against_rate.png", "ciede2000_against_rate.png"} < drawn
    assert "psnr_against_rate.png" not in drawn


def test_the_folder_of_results_is_complete(folder):
    Path("small.toml").write_text(ALL_FIGURES)
    results = run_experiment(Path("small.toml"), jobs=1)
    root = Path("results/small")
    grids = ["classification", "details", "reconstructions"]
    drawings = ["psnr_against_rate", "quality", "rate_split", "ssim_against_rate"]
    drawings += ["time_against_rate"]
    assert sorted(path.name for path in root.iterdir()) == [
        "config.toml",
        "environment.json",
        "figures",
        "table.csv",
        "table.md",
        "table.tex",
        "trials.sqlite",
    ]
    names = sorted(f"{n}.{suffix}" for n in grids + drawings for suffix in ("pdf", "png"))
    assert results.paths() == [root / "table.md", *(root / "figures" / name for name in names)]
    for path in (root / "figures").glob("*.png"):
        with Image.open(path) as figure:
            assert min(figure.size) > 200
    markdown = Path("results/small/table.md").read_text().splitlines()
    assert len(markdown) == 2 + 16
    assert len({line.count("|") for line in markdown}) == 1
    environment = json.loads((root / "environment.json").read_text())
    assert 0 < environment["trial_seconds"] < environment["seconds"]
    assert list(environment["metrics"]) == ["psnr", "ssim", "ssim-published"]
    assert environment["metrics"]["psnr"] == {"version": 1, "peak": 255}
    assert environment["trials"] == 16
    assert environment["images"]["b"]["width"] == 40
    assert len(environment["images"]["a"]["sha256"]) == 64


def test_the_resolved_config_gives_the_same_table(folder):
    run_experiment(Path("small.toml"), jobs=1)
    first = pd.read_csv("results/small/table.csv")
    resolved = tomllib.loads(Path("results/small/config.toml").read_text())
    assert resolved["methods"][0]["block_size"] == [4]
    run_experiment(Path("results/small/config.toml"), jobs=1, images=["a.png", "b.png"])
    pd.testing.assert_frame_equal(numbers(pd.read_csv("results/small/table.csv")), numbers(first))


def test_several_jobs_give_the_same_table(folder):
    for jobs in (1, 2):
        untimed = {"changes": ["timing=false"], "results": Path(f"by{jobs}")}
        run_experiment(Path("small.toml"), jobs=jobs, **untimed)
    tables = [Path(f"by{jobs}/small/table.csv").read_text() for jobs in (1, 2)]
    assert tables[0] == tables[1]


def test_timed_trials_run_one_at_a_time_with_a_note(folder, capfd):
    assert run_experiment(Path("small.toml"), jobs=2).table.iloc[0].encode_s > 0
    assert (
        "note: trials run one at a time, because their times are measured" in capfd.readouterr().err
    )
    environment = json.loads(Path("results/small/environment.json").read_text())
    assert environment["jobs"] == 1


def test_other_files_in_the_folder_of_results_are_kept(folder):
    Path("results/small/figures").mkdir(parents=True)
    Path("results/small/README.md").write_text("findings")
    Path("results/small/figures/stale.png").touch()
    run_experiment(Path("small.toml"), jobs=1, images=["b.png"])
    assert Path("results/small/README.md").read_text() == "findings"
    assert not Path("results/small/figures/stale.png").exists()
    assert set(pd.read_csv("results/small/table.csv").image) == {"b"}


def test_conversions_are_recorded(folder, photo):
    Image.fromarray(photo).convert("RGBA").save("opaque.png")
    run_experiment(Path("small.toml"), jobs=1, images=["opaque.png"])
    environment = json.loads(Path("results/small/environment.json").read_text())
    notes = environment["images"]["opaque"]["converted"]
    assert notes == ["dropped an alpha channel that is opaque everywhere"]


def test_a_failed_trial_does_not_affect_the_others(folder):
    Path("broken.png").write_bytes(b"no image")
    results = run_experiment(Path("small.toml"), jobs=1, images=["broken.png", "a.png"])
    assert len(results.table) == len(results.failures) == 8
    assert set(pd.read_csv("results/small/table.csv").image) == {"a"}
    environment = json.loads(Path("results/small/environment.json").read_text())
    assert environment["failures"] == 8


def test_a_run_without_success_keeps_the_old_results(folder):
    Path("broken.png").write_bytes(b"no image")
    with pytest.raises(TrialsFailedError, match=r"all 8 trials failed, the first: broken\.png"):
        run_experiment(Path("small.toml"), jobs=1, images=["broken.png"])
    assert not Path("results/small/table.csv").exists()
    run_experiment(Path("small.toml"), jobs=1, images=["a.png"])
    table = Path("results/small/table.csv").read_bytes()
    with pytest.raises(TrialsFailedError):
        run_experiment(Path("small.toml"), jobs=1, images=["broken.png"], force=True)
    assert Path("results/small/table.csv").read_bytes() == table


def test_duplicate_settings_are_measured_once(folder):
    Path("small.toml").write_text(CONFIG.replace("k = [2, 5]", "k = [2, 2, 5]"))
    assert len(run_experiment(Path("small.toml"), jobs=1, images=["a.png"]).table) == 8


def test_an_interrupted_run_keeps_the_old_results(folder, monkeypatch):
    run_experiment(Path("small.toml"), jobs=1)
    written = [*Path("results").rglob("*.*")]
    before = {p: p.read_bytes() for p in written if p.is_file() and p.suffix != ".sqlite"}

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("adaptive_kmeans.experiment.figures.draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(Path("small.toml"), jobs=1, images=["a.png"], force=True)
    assert {p: p.read_bytes() for p in before} == before
    assert not list(Path("results").rglob(".part-*"))


def test_tables_keep_infinity_and_omit_columns_that_do_not_apply(folder):
    Image.new("RGB", (9, 9), "teal").save("flat.png")
    results = run_experiment(Path("small.toml"), jobs=1, images=["flat.png"])
    assert "inf" in tables.to_csv(results.table, results.columns)
    shown = tables.to_markdown(tables.rounded(results.table, results.columns))
    assert " ∞ |" in shown
    assert "nan" not in shown


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[1].glob("experiments/*.toml")))
def test_every_config_is_valid_and_named_as_its_file_and_its_results(path):
    config = read_config(path)
    assert config.name == path.stem
    assert config.question
    if isinstance(config, CompressionConfig):
        assert list(config.codecs())
    results = path.parents[1] / "results" / config.name
    assert (results / "table.csv").is_file()
    committed = read_config(results / "config.toml")
    assert committed.model_dump(exclude={"images"}) == config.model_dump(exclude={"images"})


SPEED = """
kind = "clustering-speed"
name = "speed"
images = ["b.png"]
k = [3, 8]
repeats = 2
[[engines]]
engine = "adaptive-kmeans"
threads = [1, 2]
[[engines]]
engine = "scikit-learn"
"""


def test_engines_alternate_and_their_error_is_that_of_8_bit_pixels(folder, photo):
    Path("speed.toml").write_text(SPEED)
    results = run_experiment(Path("speed.toml"), jobs=1)
    table = pd.read_csv("results/speed/table.csv")
    assert list(table.engine + " " + table.threads.astype(str)) == 2 * [
        "adaptive-kmeans 1",
        "adaptive-kmeans 2",
        "scikit-learn 2",
    ]
    image = np.ascontiguousarray(photo[::-1, :40])
    decoded = akm.quantize(image, akm.Settings.regular(8)).reconstruct()
    ours = table[(table.engine == "adaptive-kmeans") & (table.k == 8)]
    assert ours.mse.tolist() == 2 * [pytest.approx(((image.astype(int) - decoded) ** 2).mean())]
    assert (table.runs == 2).all()
    assert (table.seconds_min <= table.seconds).all()
    assert (table.seconds <= table.seconds_max).all()
    assert (table.codewords == table.k).all()
    assert [path.name for path in results.paths()] == [
        "table.md",
        "summary.md",
        "time_against_error.pdf",
        "time_against_error.png",
    ]


DYING_OPENCV = """
import os
import numpy as np
TERM_CRITERIA_MAX_ITER = KMEANS_PP_CENTERS = 0
setNumThreads = setRNGSeed = print
def kmeans(points, k, *_):
    if k == 3:
        os._exit(1)
    return 0, np.zeros(len(points), int), points[:k]
"""


def test_a_failing_engine_does_not_affect_the_others(folder):
    pytest.importorskip("libimagequant")
    text = SPEED.replace('"scikit-learn"', '"libimagequant"').replace("k = [3, 8]", "k = [1, 8]")
    Path("speed.toml").write_text(text)
    results = run_experiment(Path("speed.toml"), jobs=1)
    assert [str(failure) for failure in results.failures] == [
        "b at k = 1, libimagequant: ValueError:"
    ]
    assert len(results.table) == 2 * 3 - 1


def test_an_engine_whose_process_dies_has_a_new_one_for_the_next_k(folder, monkeypatch):
    Path("speed.toml").write_text(SPEED.replace('"scikit-learn"', '"opencv"'))
    monkeypatch.syspath_prepend(folder)  # which a spawned process inherits
    Path("cv2.py").write_text(DYING_OPENCV)
    monkeypatch.setattr(clustering_speed, "_workers", {})
    results = run_experiment(Path("speed.toml"), jobs=1)
    (failure,) = results.failures
    assert str(failure).startswith("b at k = 3, opencv: BrokenProcessPool")
    assert list(results.table.loc[results.table.engine == "opencv", "k"]) == [8]


def test_an_engine_needs_time(folder):
    Path("speed.toml").write_text(f"budget_s = 0\n{SPEED}")
    with pytest.raises(ConfigError, match=r"budget_s: expected more than 0, received 0"):
        read_config(Path("speed.toml"))


def test_an_engine_without_its_library_is_skipped_and_printed(folder, monkeypatch, capfd):
    missing = SPEED.replace('"scikit-learn"', '"opencv"')
    Path("speed.toml").write_text(missing)
    monkeypatch.syspath_prepend(folder)  # which a spawned process inherits
    Path("cv2.py").write_text("raise ImportError('no OpenCV here')")
    results = run_experiment(Path("speed.toml"), jobs=1)
    assert {row.engine for row in results.table.itertuples()} == {"adaptive-kmeans"}
    assert not results.failures
    said = capfd.readouterr().err
    assert "skipped: library opencv-python-headless" in said
    assert "pip install 'adaptive-kmeans[peers]'" in said


SIZES = """
kind = "coding-size"
name = "sizes"
images = ["a.png", "set/b.png"]
k = [3, 16]
coders = ["context-mixing", "fixed-length"]
peers = ["webp-lossless:0", "png8-oxipng:0"]
"""


@pytest.fixture
def two_sets(folder):
    Path("set").mkdir()
    Path("b.png").rename("set/b.png")
    return folder


def test_files_of_coders_are_set_beside_those_of_peers(two_sets, photo):
    pytest.importorskip("oxipng")
    Path("sizes.toml").write_text(SIZES)
    results = run_experiment(Path("sizes.toml"), jobs=1)
    assert not results.failures
    assert tables.to_terminal(results.table, results.columns).row_count == 16
    table = pd.read_csv("results/sizes/table.csv")
    codecs = ["context-mixing", "fixed-length", "webp-lossless:0", "png8-oxipng:0"]
    assert list(table.codec) == 4 * codecs
    assert list(table.image_set) == 8 * [two_sets.name] + 8 * ["set"]
    row = table[(table.image == "a") & (table.k == 16) & (table.codec == "fixed-length")].iloc[0]
    data = akm.encode(photo, akm.Settings.regular(16, coder="fixed-length"))
    assert row.bytes == len(data)
    assert row.bits_per_pixel == pytest.approx(8 * len(data) / photo[..., 0].size)
    summary = Path("results/sizes/summary.md").read_text()
    sizes = table[(table.image == "b") & (table.k == 16)].set_index("codec").bytes
    saved = 100 - 100 * sizes["context-mixing"] / sizes[["webp-lossless:0", "png8-oxipng:0"]].min()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in summary.splitlines()]
    assert ["set", "16", "context-mixing", "1", f"{saved:.1f}", f"{saved:.1f} (b)", "0"] in cells
    assert [path.name for path in results.paths()] == [
        "table.md",
        "summary.md",
        "size_against_best_peer.pdf",
        "size_against_best_peer.png",
    ]
    # Processes may have been started in another folder.
    absolute = [str(two_sets / name) for name in ("a.png", "set/b.png")]
    run_experiment(Path("sizes.toml"), images=absolute, jobs=2)
    again = pd.read_csv("results/sizes/table.csv")
    pd.testing.assert_frame_equal(numbers(again), numbers(table))


def test_sizes_have_times_only_if_trials_run_one_at_a_time(two_sets, capsys):
    coded = SIZES.partition("peers")[0]
    Path("sizes.toml").write_text(coded)
    results = run_experiment(Path("sizes.toml"), jobs=2)
    assert results.table[["encode_s", "decode_s"]].isna().all(axis=None)
    assert "encode_s" not in Path("results/sizes/table.md").read_text()
    Path("results/sizes/trials.sqlite").unlink()
    assert len(view.see_folder(Path("results/sizes")).findings.table) == len(results.table)
    Path("sizes.toml").write_text(f"repeats = 2\n{coded}")
    results = run_experiment(Path("sizes.toml"), jobs=2, force=True)
    assert results.table[["encode_s", "decode_s"]].gt(0).all(axis=None)
    assert "run one at a time" in capsys.readouterr().err


def test_translucent_images_are_skipped_and_printed_without_a_background(two_sets, capfd):
    config = SIZES.replace('"set/b.png"', '"glass.png"').replace('peers = ["webp', "peers = [] #")
    Image.new("RGBA", (9, 9), (1, 2, 3, 4)).save("glass.png")
    Path("sizes.toml").write_text(config)
    results = run_experiment(Path("sizes.toml"), jobs=1)
    assert {row.image for row in results.table.itertuples()} == {"a"}
    assert not results.failures
    assert "skipped: glass: expected an opaque image" in capfd.readouterr().err
    Path("sizes.toml").write_text(config.replace("k = ", 'background = "white"\nk = '))
    results = run_experiment(Path("sizes.toml"), jobs=1, force=True)
    assert {row.image for row in results.table.itertuples()} == {"a", "glass"}


def test_a_codec_that_decodes_to_other_pixels_is_a_failure(two_sets, monkeypatch):
    from adaptive_kmeans.baselines.lossless import WebPLossless
    from adaptive_kmeans.experiment.studies import coding_size

    Path("sizes.toml").write_text(SIZES.replace(', "png8-oxipng:0"', ""))
    decode = WebPLossless.decode
    monkeypatch.setattr(WebPLossless, "decode", lambda self, data: decode(self, data) ^ 1)
    coding_size._ready.cache_clear()
    results = run_experiment(Path("sizes.toml"), jobs=1)
    assert {row.codec for row in results.table.itertuples()} == {"context-mixing", "fixed-length"}
    assert len(results.failures) == 4
    assert str(results.failures[0]) == (
        "a at k = 3 by webp-lossless:0: expected a file that decodes to the same pixels, "
        "received others"
    )


def test_a_peer_without_its_library_is_skipped_and_printed(two_sets, monkeypatch, capfd):
    from adaptive_kmeans.experiment.studies import coding_size

    monkeypatch.setitem(sys.modules, "oxipng", None)
    coding_size._ready.cache_clear()
    Path("sizes.toml").write_text(SIZES)
    results = run_experiment(Path("sizes.toml"), jobs=1, images=["a.png"])
    assert "png8-oxipng:0" not in {row.codec for row in results.table.itertuples()}
    assert "skipped: library pyoxipng" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"fixed-length"', '"zip"', "coder: expected one of"),
        ('"webp-lossless:0"', '"gif"', "lossless peer: expected one of"),
        ('"webp-lossless:0"', '"png8-oxipng:0"', "coders and peers: expected each once"),
        ("k = [3, 16]", "k = [3, 3]", "k: expected each once, received 3, 3"),
        ("k = [3, 16]", "k = [0]", r"k: expected an integer in 1\.\.4096"),
        ("k = [3, 16]", "", "missing key k"),
        ("k = [3, 16]", "effort = 3", "unknown key effort"),
    ],
)
def test_an_invalid_coding_size_config_is_refused(folder, old, new, message):
    Path("sizes.toml").write_text(SIZES.replace(old, new))
    with pytest.raises(AdaptiveKMeansError, match=message):
        read_config(Path("sizes.toml"))


LATENCY = 'kind = "explorer-latency"\nname = "latency"\nimages = ["a.png"]\n'


@pytest.mark.parametrize("key", ["k", "moves", "pause_ms"])
def test_a_huge_integer_of_the_latency_study_is_refused(folder, key):
    Path("latency.toml").write_text(f"{LATENCY}{key} = {10**400}")
    with pytest.raises(ConfigError, match=key):
        read_config(Path("latency.toml"))


def test_the_latency_study_refuses_a_background(folder):
    Path("latency.toml").write_text(LATENCY)
    message = "background: expected none, as the explorer shows alpha, received white"
    with pytest.raises(ConfigError, match=message):
        run_experiment(Path("latency.toml"), background="white")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SPEED.replace("k = [3, 8]", "k = [8, 8]"), "k: expected each once, received 8, 8"),
        (SPEED.replace("[1, 2]", "[2, 2]"), "engines and threads: expected each once, received "),
        (
            'kind = "coder-ablation"\nname = "groups"\nimages = ["a.png"]\nk = [8, 8]',
            "k: expected ",
        ),
        (f"{LATENCY}pause_ms = [0, 0]", "pause_ms: expected each once"),
    ],
)
def test_a_study_refuses_what_would_have_the_same_rows_twice(folder, text, message):
    Path("twice.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(Path("twice.toml"))


@pytest.mark.long
def test_index_maps_are_coded_without_each_group_of_contexts(two_sets, photo):
    Path("groups.toml").write_text(
        'kind = "coder-ablation"\nname = "groups"\nimages = ["a.png", "set/b.png"]\nk = 16'
    )
    results = run_experiment(Path("groups.toml"), jobs=1)
    assert tables.to_terminal(results.table, results.columns).row_count == len(results.table)
    table = pd.read_csv("results/groups/table.csv")
    assert list(table.without) == 2 * ["nothing", *ablation.groups()]
    data = akm.encode(photo, akm.Settings.regular(16, coder="context-mixing"))
    whole = table[(table.image == "a") & (table.without == "nothing")].iloc[0]
    assert whole.payload_bytes == container.inspect(data).index_map_bytes
    without = table[(table.image == "a") & (table.without == "branch: patterns")].iloc[0]
    growth = 100 * (without.payload_bytes / whole.payload_bytes - 1)
    assert without.growth_percent == pytest.approx(growth)
    assert len(set(table.payload_bytes)) > 8
    assert [path.name for path in results.paths()] == [
        "table.md",
        "summary.md",
        "growth_without_group.pdf",
        "growth_without_group.png",
    ]


def test_the_elbow_is_one_of_the_files_of_its_curve(folder, photo):
    source = find_images(["a.png"])[0]
    curve = elbow_curve(source, akm.Settings.regular(2, coder="fixed-length"), ks=(2, 4, 8, 16, 64))
    assert list(curve.table["k"]) == [2, 4, 8, 16, 64]
    assert curve.k in (4, 8)
    data = akm.encode(photo, akm.Settings.regular(8, coder="fixed-length"))
    assert curve.table["bytes"][2] == len(data)
    mse = ((photo.astype(int) - akm.decode(data)) ** 2).mean()
    assert curve.table["mse"][2] == pytest.approx(mse)
    assert curve.table["mse"].is_monotonic_decreasing


def test_files_by_quality_are_pictures_of_their_own_and_no_bars(photo):
    original = np.ascontiguousarray(photo[:40, :50])
    settings = [akm.Settings.regular(4), akm.Settings.regular(9)]
    settings += [akm.Settings(quality=q, effort=1) for q in (30, 60, 90)]
    codecs = [AdaptiveKMeans(each) for each in settings]
    facts = {"image": "a", "image_set": "", "bits_per_pixel": 1.0, "psnr_db": 30.0}
    rows = [
        {**facts, "key": str(i), "bytes": 9 + i, **codec.columns} for i, codec in enumerate(codecs)
    ]
    table = named(table_of(rows, {**TABLE, "key": Column("name")}))
    files = {str(i): codec.encode(original) for i, codec in enumerate(codecs)}
    grid = pictures.reconstructions(original, table, files)[0].figure
    titles = [text.get_text() for text in grid.texts if text.get_text()]
    assert titles[0] == "original"
    assert sum("quality" in title for title in titles) == 3
    assert len(titles) == 6
    drawn = bars.quality_bars(table, None)[0].figure
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["4", "9"]


@pytest.mark.parametrize(
    ("keys", "received"),
    [
        ("", "methods.0: rate-distortion: .* or a target, received none"),
        ("quality = 50\nprice = 9", "or a target, received quality and price"),
        ("quality = 50\ntarget_bpp = 9", "or a target, received quality and target_bpp"),
        ("price = 9", "beside quality, received none"),
        ("price = 9\nk = 8\nk1 = 8", "beside quality, received k and k1"),
        ("quality = 50\nk = 8", "beside quality, received k"),
        ("price = 9\nk2 = 8", "k1 as well as k2, received k2 alone"),
        ("quality = 101", r"quality: expected a number in 0\.\.100, received 101"),
        ("quality = 50\neffort = 0", r"effort: expected an integer in 1\.\.9, received 0"),
    ],
)
def test_contradictory_dials_of_a_config_are_refused(tmp_path, keys, received):
    path = tmp_path / "small.toml"
    method = f'[[methods]]\nmethod = "rate-distortion"\n{keys}\n'
    path.write_text(f'name = "small"\nimages = ["chelsea"]\n{method}')
    with pytest.raises(AdaptiveKMeansError, match=received):
        read_config(path)


def test_dials_of_a_config_are_swept(tmp_path):
    path = tmp_path / "small.toml"
    method = '[[methods]]\nmethod = "rate-distortion"\n'
    path.write_text(
        f'name = "small"\nimages = ["chelsea"]\n{method}quality = [50, 75]\neffort = [1, 9]\n'
        f"{method}k = [8, 16]\nprice = 9\n{method}k1 = 8\nk2 = 16\nprice = [9, 20]\n"
    )
    codecs = list(read_config(path).codecs())
    restored = {"restoration": "auto", "correction": "auto"}
    expected = [akm.Settings(quality=q, effort=e, **restored) for q in (50, 75) for e in (1, 9)]
    expected += [akm.Settings.regular(k, price=9.0, **restored) for k in (8, 16)]
    expected += [akm.Settings.published(8, 16, price=p, **restored) for p in (9.0, 20.0)]
    assert [codec.settings for codec in codecs] == expected


def test_a_terminal_has_the_columns_that_vary_and_what_tells_rows_apart():
    def row(**changed):
        facts = {"image": "cat", "method": "regular", "k": 8, "coder": "deflate", "bytes": 100}
        facts |= {"bits_per_pixel": 1.0, "image_set": "", "psnr_db": 30.0, "effort": None}
        return {**facts, **changed}

    def terminal(rows):
        return tables.to_terminal(named(table_of(rows, TABLE)), TABLE)

    def titles(rows):
        return [column.header for column in terminal(rows).columns]

    assert titles([row(), row(k=16, bytes=120)]) == ["k", "bytes"]
    assert titles([row(), row(coder="fixed-length", bytes=120)]) == ["coder", "bytes"]
    assert titles([row(), row(method="rate-distortion", k=None, quality=50, coder="x")]) == [
        "method",
        "k",
    ]
    assert titles([row()]) == ["image", "method", "k", "PSNR dB", "bytes", "bpp"]
    caption = terminal([row(), row(k=16, bytes=120)]).caption
    assert str(caption).startswith("all: image cat, method regular, PSNR dB 30.000, bpp 1.000")
