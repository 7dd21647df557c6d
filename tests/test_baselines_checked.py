"""Baselines of other packages that break the protocol are one line: of the config or the trial."""

import json
import pickle
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaptive_kmeans.baselines.checked import Baseline, decoder, titles
from adaptive_kmeans.baselines.image_codecs import baselines
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import ConfigError, TrialsFailedError
from adaptive_kmeans.experiment import run_experiment
from adaptive_kmeans.experiment.codec_trials import WARM_UP_SIDE, CodecTrial
from adaptive_kmeans.experiment.compression import plan
from adaptive_kmeans.experiment.config import check_config, read_config
from adaptive_kmeans.experiment.trials import run_trial

CONFIG = """
name = "fakes"
images = ["cat.png"]
[figures]
draw = ["details"]
formats = ["png"]
[[methods]]
method = "baseline"
codec = "jpeg"
quality = [50]
[[methods]]
method = "baseline"
codec = "fake"
"""


class Raw:
    """A codec that works: the size and the raw pixels."""

    version = "raw 1"

    def encode(self, image):
        return bytes(image.shape[:2]) + image.tobytes()

    def decode(self, data):
        return np.frombuffer(data[2:], np.uint8).reshape(data[0], data[1], 3)


def fake(**attributes: object) -> type:
    return type("Fake", (Raw,), attributes)


def raises(*_: object) -> object:
    raise RuntimeError("a defect\nof two lines")


@pytest.fixture
def folder(tmp_path, monkeypatch, photo):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo).save("cat.png")
    Path("fakes.toml").write_text(CONFIG)
    monkeypatch.setattr(baselines, "_members", dict(baselines._members))
    return tmp_path


def test_plugin_baselines_run_like_built_in_ones(folder, photo):
    baselines.register("fake", Raw)
    results = run_experiment(Path("fakes.toml"), jobs=1)
    assert not results.failures
    assert results.table.iloc[1].method == "fake"
    assert results.table.iloc[1].bytes == 2 + photo.size
    assert results.table.iloc[1].psnr_db == np.inf


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (fake(__init__=raises), "baseline fake: expected one that can be made, received Runt"),
        (json, "baseline fake: expected one that can be made, received TypeError: 'module'"),
        (fake(version=property(raises)), "settings that can be read, received RuntimeError: a de"),
        (fake(version=3), "version of baseline fake: expected a str, received 3"),
        (fake(k=property(raises)), "settings that can be read, received RuntimeError: a defect"),
        (fake(quality="high"), "quality of baseline fake: expected a finite number or None, "),
        (fake(quality=np.zeros(2)), "quality of baseline fake: expected a finite number or None"),
        (fake(k=float("nan")), "k of baseline fake: expected a finite number or None, received n"),
    ],
    ids=range(8),
)
def test_baselines_that_cannot_be_made_are_config_errors(folder, member, message):
    baselines.register("fake", member)
    with pytest.raises(ConfigError) as caught:
        run_experiment(Path("fakes.toml"), jobs=1)
    assert caught.value.exit_code == 2
    assert message in str(caught.value)
    assert str(caught.value).startswith("fakes.toml: ")
    assert "\n" not in str(caught.value)
    assert not Path("results").exists()


IMAGE = "decode of baseline fake: expected an array of shape (height, width, 3) and dtype uint8"
IMAGE += ", received "
SHAPE = "cat, fake: decode: expected an image of shape (61, 83, 3), received "


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (fake(encode=raises), "encode of baseline fake: expected bytes, at least one, received Ru"),
        (fake(encode=lambda self, image: "file"), "expected bytes, at least one, received str"),
        (fake(encode=lambda self, image: memoryview(b"file")), "at least one, received memoryview"),
        (fake(encode=lambda self, image: b""), "expected bytes, at least one, received none"),
        (fake(encode=None), "expected bytes, at least one, received TypeError: 'NoneType' object"),
        (fake(decode=raises), IMAGE + "RuntimeError: a defect of two lines"),
        (fake(decode=lambda self, data: b"pixels"), IMAGE + "bytes"),
        (fake(decode=lambda self, data: np.zeros((61, 83, 4), np.uint8)), IMAGE + "(61, 83, 4) ui"),
        (fake(decode=lambda self, data: np.zeros((83, 61, 3), np.uint8)), SHAPE + "(83, 61, 3)"),
        (fake(decode=lambda self, data: np.zeros((61, 83, 3))), IMAGE + "(61, 83, 3) float64"),
    ],
    ids=range(10),
)
def test_baselines_that_break_the_protocol_fail_their_trial(folder, member, message):
    baselines.register("fake", member)
    results = run_experiment(Path("fakes.toml"), jobs=1)
    assert [row.method for row in results.table.itertuples()] == ["jpeg"]
    (failure,) = results.failures
    assert isinstance(failure, TrialsFailedError)
    assert message in str(failure)
    assert "\n" not in str(failure)


@pytest.mark.parametrize("quality", [np.int64(7), np.float32(7), 7])
def test_settings_may_be_numpy_numbers(folder, quality):
    baselines.register("fake", fake(quality=quality))
    run_experiment(Path("fakes.toml"), jobs=1)
    results = run_experiment(Path("fakes.toml"), jobs=1)
    assert results.table.iloc[1].quality == 7


@dataclass(frozen=True)
class NoDefault(Raw):
    k: int


def test_figures_decode_with_the_codec_that_encoded(folder):
    baselines.register("fake", NoDefault)
    Path("fakes.toml").write_text(CONFIG + "k = 5\n")
    results = run_experiment(Path("fakes.toml"), jobs=1)
    assert [row.k for row in results.table.itertuples()] == [None, 5]
    assert Path("results/fakes/figures/details.png").exists()


def test_a_baseline_whose_import_fails_is_skipped_and_affects_no_other(folder, monkeypatch, capfd):
    points = [
        metadata.EntryPoint("fake", "no_such_package:Codec", "adaptive_kmeans.baselines"),
        metadata.EntryPoint("odd", "json:NoSuchCodec", "adaptive_kmeans.baselines"),
        metadata.EntryPoint("good", f"{__name__}:Raw", "adaptive_kmeans.baselines"),
    ]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points)
    monkeypatch.setattr(baselines, "_pending", True)
    Path("fakes.toml").write_text(CONFIG + "quality = [5]\n")
    results = run_experiment(Path("fakes.toml"), jobs=1)
    assert [row.method for row in results.table.itertuples()] == ["jpeg"]
    assert "skipped: fake: baseline fake: expected what it imports to be" in capfd.readouterr().err
    assert baselines.create("good").version == "raw 1"
    assert {"fake", "odd", "good"} < set(baselines.names())
    with pytest.raises(ConfigError, match="baseline odd: expected one that can be made, received"):
        Baseline.create("odd")


@dataclass(frozen=True)
class Effort(Raw):
    effort: int = 7


@pytest.mark.parametrize(
    ("codec", "key", "expected"),
    [
        ("jpeg", "k", "quality"),
        ("webp", "k", "quality"),
        ("png8", "quality", "k"),
        ("npz", "quality", "k"),
        ("png", "quality", "neither quality nor k"),
        ("webp-lossless", "k", "neither quality nor k"),
        ("fake", "quality", "neither quality nor k"),
    ],
)
def test_keys_that_are_not_settings_of_the_codec_are_refused(folder, codec, key, expected):
    baselines.register("fake", Effort)
    Path("fakes.toml").write_text(
        CONFIG.replace('"jpeg"\nquality = [50]', f'"{codec}"\n{key} = [5]')
    )
    with pytest.raises(ConfigError) as caught:
        read_config(Path("fakes.toml"))
    message = f"fakes.toml: methods.0: baseline {codec}: expected {expected}, received {key}"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            'codec = "jpeg:50"\ntarget_bpp = 1',
            "baseline jpeg: expected either a quality or a target",
        ),
        ('codec = "jpeg"\nquality = 5\nk = 5', "or a target, received quality and k"),
    ],
)
def test_two_dials_of_a_baseline_are_refused(folder, keys, message):
    Path("fakes.toml").write_text(CONFIG.replace('codec = "jpeg"\nquality = [50]', keys))
    with pytest.raises(ConfigError, match=message):
        read_config(Path("fakes.toml"))


def planned(*methods: dict[str, object]) -> list[str]:
    listed = [{"method": "baseline", **method} for method in methods]
    config = check_config({"name": "a", "images": ["chelsea"], "methods": listed}, "a.toml")
    return [trial.codec.label for trial in plan(config, [ImageSource("chelsea")])]


def test_equal_codecs_share_a_trial():
    assert planned({"codec": "jpeg", "quality": [75, 30, 75]}, {"codec": ["jpeg", "webp"]}) == [
        "jpeg:75",
        "jpeg:30",
        "webp",
    ]
    assert planned({"codec": ["npz:016", "k-compress", "npz", "k-compress:16"]}) == [
        "npz:016",
        "k-compress",
    ]


def test_keys_of_stored_trials_do_not_change_when_defaults_are_spelled_out(monkeypatch):
    monkeypatch.setattr("adaptive_kmeans.baselines.pixel_codecs.version_of", lambda name: "lib 1")
    specs = {
        "jpeg:75": "b8eafd2723f09eec",
        "jpeg:quality=75": "b8eafd2723f09eec",
        "jpeg:75,subsampling=auto,progressive=true": "b8eafd2723f09eec",
        "jpeg": "b8eafd2723f09eec",
        "jpeg:optimize=true": "b8eafd2723f09eec",
        "webp": "388c7a6c3c26a290",
        "webp-lossless:6": "507bdb59182c8578",
    }
    trials = {spec: CodecTrial(ImageSource("a"), Baseline.create(spec)) for spec in specs}
    assert {spec: trial.key("hash")[:16] for spec, trial in trials.items()} == specs
    other = CodecTrial(ImageSource("a"), Baseline.create("jpeg:75,subsampling=4:4:4"))
    assert other.key("hash")[:16] not in specs.values()


def test_all_combinations_of_settings_are_run_with_defaults_as_they_were():
    swept = {"settings": {"method": [6, 4], "exact": [False, True]}, "quality": [30, 50]}
    assert planned({"codec": "webp", **swept}, {"codec": "webp:30,method=6"}) == [
        "webp:30",
        "webp:50",
        "webp:30,exact=true",
        "webp:50,exact=true",
        "webp:30,method=4",
        "webp:50,method=4",
        "webp:30,method=4,exact=true",
        "webp:50,method=4,exact=true",
    ]
    targets = {"target_bpp": 1, "settings": {"method": [2, 6]}}
    assert planned({"codec": "webp", **targets}) == [
        "webp:method=2, rate of 1 bits per pixel",
        "webp, rate of 1 bits per pixel",
    ]


def test_settings_are_those_of_each_of_several_codecs():
    pytest.importorskip("oxipng")
    assert planned({"codec": ["png8", "octree"], "k": [9], "settings": {"zopfli": 5}}) == [
        "png8:9,zopfli=5",
        "octree:9,zopfli=5",
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"settings": {"sped": 2}}, "(did you mean speed?), received sped"),
        ({"settings": {"speed": "2"}}, "in 0..10 (did you mean 2, without quotes?), received '2'"),
        ({"settings": {"speed": 11}}, "speed of baseline avif: expected an integer in 0..10, rec"),
        ({"settings": {"speed": [[2]]}}, "methods.0.settings.speed.0: expected a value, or a list"),
        ({"settings": {"quality": 2}}, "expected no quality, which is a key of its own, received"),
        ({"codec": "avif:speed=2", "settings": {"speed": 3}}, "expected one value, received 2 and"),
        ({"codec": "avif:50", "quality": 30}, "quality of baseline avif: expected one value, rece"),
        ({"speed": 2}, "unknown key methods.0.speed (did you mean settings.speed?)"),
        ({"subsamplin": "4:4:4"}, "unknown key methods.0.subsamplin (did you mean settings.subs"),
        (
            {"codec": ["avif", "webp"], "settings": {"speed": 2}},
            "baseline webp: expected one of it",
        ),
    ],
    ids=str,
)
def test_a_wrong_setting_of_a_codec_is_one_line(keys, message):
    with pytest.raises(ConfigError) as caught:
        planned({"codec": "avif", **keys})
    assert str(caught.value).startswith("a.toml: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_are_series_whose_files_decode_again(folder):
    changes = ["methods.0.codec=webp", "methods.0.settings.method=[6, 0]"]
    changes += ["methods.0.quality=[30, 60, 90]", "methods.1.codec=webp-lossless:2"]
    config = read_config(Path("fakes.toml"), changes)
    results = run_experiment(Path("fakes.toml"), changes=changes, jobs=1)
    assert not results.failures
    methods = {"webp": "webp, method 6", "webp:method=0": "webp, method 0"}
    methods["webp-lossless:2"] = "webp-lossless, method 2"
    assert list(results.table["method"])[::3] == list(methods)
    assert list(results.table["series"])[::3] == list(methods.values())
    for row, codec in zip(results.table.itertuples(), config.codecs(), strict=True):
        assert decoder(row.method, {"k": row.k, "quality": row.quality}) == codec


def test_codecs_are_warmed_up_once_and_only_if_timed(folder):
    encoded = []

    class Counted(Raw):
        def encode(self, image):
            encoded.append(image.shape)
            return super().encode(image)

    baselines.register("counted", Counted)
    source = ImageSource("cat", Path("cat.png"))
    real = (61, 83, 3)
    counted = Baseline.create("counted")
    assert (
        run_trial(CodecTrial(source, counted, repeats=0)).measured.rows[0].get("encode_s") is None
    )
    assert encoded == [real]
    encoded.clear()
    for _ in range(2):
        assert run_trial(CodecTrial(source, counted, repeats=2)).measured.rows[0]["encode_s"] > 0
    assert encoded == [(WARM_UP_SIDE, WARM_UP_SIDE, 3), real, real, real, real]


def test_a_codec_that_refuses_the_warm_up_image_is_still_timed(folder):
    class Picky(Raw):
        def encode(self, image):
            if len(image) == WARM_UP_SIDE:
                raise RuntimeError("not this one")
            return super().encode(image)

    baselines.register("picky", Picky)
    source = ImageSource("cat", Path("cat.png"))
    outcome = run_trial(CodecTrial(source, Baseline.create("picky"), repeats=1))
    assert not outcome.errors


def test_pickled_baselines_are_recreated_from_their_spec(folder):
    class NotPicklable(Raw):
        def __reduce__(self):
            raise TypeError("not this one")

    baselines.register("fake", NotPicklable)
    again = pickle.loads(pickle.dumps(Baseline.create("fake")))  # noqa: S301
    assert again == Baseline.create("fake")
    assert isinstance(again.codec, NotPicklable)


def test_a_process_without_the_codec_fails_the_trial(folder):
    baselines.register("fake", Raw)
    trial = pickle.dumps(CodecTrial(ImageSource("cat", Path("cat.png")), Baseline.create("fake")))
    del baselines._members["fake"]
    outcome = run_trial(pickle.loads(trial))  # noqa: S301
    assert "baseline: expected one of" in outcome.errors[0]


def test_settings_without_a_column_are_part_of_the_method(folder):
    methods = {spec: Baseline.create(spec).columns["method"] for spec in ("jpeg:5", "jpeg", "npz")}
    assert methods == {"jpeg:5": "jpeg", "jpeg": "jpeg", "npz": "npz"}
    assert Baseline.create("webp-lossless:3").columns == {"method": "webp-lossless:3"}
    assert Baseline.create("webp-lossless") == Baseline.create("webp-lossless:6")
    assert Baseline.create("webp:5,method=2").columns == {"method": "webp:method=2", "quality": 5}


def test_a_row_of_a_package_that_is_gone_keeps_its_name():
    assert titles(["gone:3", "gone", "png"]) == {"gone:3": "gone:3", "gone": "gone", "png": "png"}
