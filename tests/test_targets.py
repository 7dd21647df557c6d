"""Targets: the best file within a size, the smallest one of a quality, and what none reaches."""

import dataclasses
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adaptive_kmeans as akm
from adaptive_kmeans import container, targets
from adaptive_kmeans.baselines.checked import Baseline
from adaptive_kmeans.codec import QUALITIES, AdaptiveKMeans
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import ConfigError, ImageError, UnknownNameError, UnreachableError
from adaptive_kmeans.experiment.codec_trials import CodecTrial
from adaptive_kmeans.targets import MAX_TRIES, Target, Targeted, encode_to, search

GRAY = np.full((16, 16, 3), 100, dtype=np.uint8)
QUICK = akm.Settings(effort=1)


def dial(size, error=lambda quality: 9, *, tried=None):
    """A codec of one gray: files of `size(quality)` bytes, and pixels that are off by `error`."""

    def attempt(quality):
        if tried is not None:
            tried.append(quality)
        return bytes(round(size(quality))), GRAY + np.uint8(error(quality))

    return attempt


@settings(deadline=None)
@given(
    st.floats(500, 50_000),
    st.floats(0.012, 0.05),
    st.floats(-1e-4, 1e-4),
    st.floats(100, 1_000_000),
)
def test_a_smooth_dial_gives_a_file_just_below_the_size(least, slope, bend, wanted):
    def size(quality):
        return least * math.exp(slope * quality + bend * quality * (quality - 100))

    tried = []
    target = Target("size", wanted)
    if wanted < round(size(0)):
        with pytest.raises(UnreachableError, match="at quality 0"):
            search(dial(size, tried=tried), QUALITIES, target, GRAY)
        assert len(tried) <= MAX_TRIES
        return
    found = search(dial(size, tried=tried), QUALITIES, target, GRAY)
    assert found.tries == len(tried) == len(set(tried)) <= MAX_TRIES
    assert found.reached == len(found.data) <= target.value
    assert len(found.data) >= 0.97 * target.value or found.quality == 100


@settings(deadline=None)
@given(st.lists(st.integers(100, 10**6), min_size=1, max_size=101), st.integers(1, 2 * 10**6))
def test_a_dial_with_jumps_never_gives_more_than_the_size(sizes, wanted):
    sizes = sorted(sizes)
    attempt = dial(lambda quality: sizes[quality])
    if wanted < sizes[0]:
        with pytest.raises(UnreachableError):
            search(attempt, range(len(sizes)), Target("size", wanted), GRAY)
        return
    found = search(attempt, range(len(sizes)), Target("size", wanted), GRAY)
    assert sizes[0] <= len(found.data) <= wanted
    assert found.tries <= MAX_TRIES


@settings(deadline=None)
@given(st.integers(2000, 9999), st.floats(21, 52))
def test_a_steep_dial_that_ends_lossless_gives_a_file_of_the_quality(step, wanted):
    lossless_from = step / 100

    def error(quality):  # PSNR of 28.13, 29.05, …, 48.13 dB, then lossless
        return 0 if quality >= lossless_from else round(10 - 9 * quality / lossless_from)

    target = Target("psnr", wanted)
    found = search(dial(lambda quality: 100 + quality, error), QUALITIES, target, GRAY)
    assert found.reached >= wanted
    assert found.tries <= MAX_TRIES


@pytest.mark.parametrize(
    "target", [Target("size", 1400), Target("bpp", 2.5), Target("psnr", 31), Target("ssim", 0.9)]
)
def test_the_file_is_that_of_encode_at_the_quality_found(photo, target):
    found = encode_to(photo, target, QUICK)
    again = akm.encode(photo, dataclasses.replace(QUICK, quality=found.quality, price=0.0))
    assert found.data == again
    assert np.array_equal(found.decoded, akm.decode(again))
    assert targets.KINDS[target.kind].measure(photo, again, found.decoded) == found.reached
    if target.kind in ("size", "bpp"):
        assert found.reached <= target.value
    else:
        assert found.reached >= target.value
    assert found.tries <= MAX_TRIES


def test_an_image_with_alpha_reaches_its_psnr_over_both_backgrounds(photo):
    glass = np.dstack([photo, photo[..., 0]])
    found = encode_to(glass, Target("psnr", 33), QUICK)
    assert akm.psnr(glass, akm.decode(found.data)) == found.reached >= 33


def test_ssimulacra2_is_a_target(photo):
    found = encode_to(photo, Target("ssimulacra2", 50), QUICK)
    assert akm.ssimulacra2(photo, found.decoded) == found.reached >= 50


def test_what_cannot_be_reached_is_told_with_the_nearest(photo):
    least = akm.encode(photo, dataclasses.replace(QUICK, quality=0, price=0.0))
    with pytest.raises(UnreachableError) as raised:
        encode_to(photo, Target("size", 9), QUICK)
    assert str(raised.value) == (
        f"target: expected size of at most 9 B, received {len(least):,} B at quality 0"
    )
    with pytest.raises(
        UnreachableError, match=r"of at least 99\.00 dB, received .* at quality 100"
    ):
        encode_to(photo, Target("psnr", 99), QUICK)


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        ("size", "50 furlongs", ConfigError),
        ("size", 0, ConfigError),
        ("size", "1.2.3", ConfigError),
        ("bpp", -1, ConfigError),
        ("psnr", math.inf, ConfigError),
        ("psnr", "high", ConfigError),
        ("ssim", 1, ConfigError),
        ("ssim", True, ConfigError),
        ("psrn", 38, UnknownNameError),
    ],
)
def test_targets_that_make_no_sense_are_refused(kind, value, error):
    with pytest.raises(error):
        Target(kind, value)


@pytest.mark.parametrize(
    ("text", "size"),
    [("700", 700), ("50kB", 50_000), ("1.5 KB", 1500), ("2KiB", 2048), ("3mb", 3_000_000)],
)
def test_sizes_have_units(text, size):
    assert Target("size", text) == Target("size", size)


def test_settings_with_codebooks_and_small_images_are_refused(photo):
    for codebook in (akm.Settings.regular(4), akm.Settings.regular(4, price=9)):
        with pytest.raises(ConfigError, match="settings: expected none of codebooks, since a targ"):
            encode_to(photo, Target("psnr", 30), codebook)
    with pytest.raises(ConfigError, match="settings: expected a Settings, received str"):
        encode_to(photo, Target("psnr", 30), "quality")
    with pytest.raises(ConfigError, match="target: expected a Target"):
        encode_to(photo, 38)
    with pytest.raises(ImageError, match="large enough for SSIM, received 9 × 83"):
        encode_to(photo[:9], Target("ssim", 0.9), QUICK)


@pytest.mark.parametrize("wanted", range(150, 1200, 13))
def test_the_next_quality_of_a_dial_in_whole_steps_does_not_fit(wanted):
    sizes = [100, 120, 150, 190, 240, 310, 390, 500, 650, 820, 1050]
    found = search(dial(sizes.__getitem__), range(11), Target("size", wanted), GRAY)
    best = max(place for place in range(11) if sizes[place] <= wanted)
    close = 0.98 * wanted <= len(found.data) <= wanted
    assert found.quality == best or close


def test_progress_counts_the_tries(photo):
    said = []
    found = encode_to(
        photo, Target("psnr", 33), QUICK, progress=lambda stage, _: said.append(stage)
    )
    assert {stage.split(",")[0] for stage in said} == {
        f"try {number}" for number in range(1, found.tries + 1)
    }


@pytest.mark.parametrize("codec", [AdaptiveKMeans(QUICK), Baseline.create("jpeg")])
def test_codecs_are_driven_to_equal_bytes(photo, codec):
    aimed = Targeted(codec, Target("size", 2500))
    found = aimed.find(photo)
    assert 0.9 * 2500 < len(found.data) <= 2500
    assert np.array_equal(aimed.decode(found.data), found.decoded)
    assert aimed.encode(photo) == found.data
    assert "quality" not in aimed.columns


def test_times_of_a_target_are_those_of_the_quality_found(tmp_path, photo, monkeypatch):
    akm.save(tmp_path / "cat.png", photo)
    searched, find = [], Targeted.find
    monkeypatch.setattr(Targeted, "find", lambda *given: searched.append(1) or find(*given))
    codec = Targeted(Baseline.create("jpeg"), Target("size", 1500))
    row = CodecTrial(ImageSource("cat", tmp_path / "cat.png"), codec, repeats=3).measure().rows[0]
    assert len(searched) == 2  # one of them to warm up
    assert row["encode_s"] > 0
    assert (row["bytes"], row["tries"]) == (len(codec.encode(photo)), codec.find(photo).tries)


# On the command line.


def test_a_target_is_said_in_the_line_and_in_json(command, photo):
    found = encode_to(photo, Target("size", "1.4kB"), QUICK)
    line = ("compress", "cat.png", "--effort", "1", "--target-size", "1.4kB")
    code, out, err = command(*line)
    assert (code, err) == (0, "")
    assert Path("cat.akm").read_bytes() == found.data
    tries = "1 try" if found.tries == 1 else f"{found.tries} tries"
    reached = f"{len(found.data):,} B at quality {found.quality:g} after {tries}"
    assert f"target size of 1,400 B: {reached}, encoded in" in out
    facts = json.loads(command(*line, "--force", "--json")[1])
    expected = {"target": "size", "target_value": 1400, "reached": len(found.data)}
    expected |= {"tries": found.tries, "quality": found.quality}
    assert {name: facts[name] for name in expected} == expected


def test_a_target_out_of_reach_writes_nothing(command):
    Path("set").mkdir()
    Path("cat.png").rename("set/cat.png")
    code, out, err = command("compress", "set/cat.png", "--effort", "1", "--target-psnr", "99")
    assert (code, out, err.count("\n")) == (99, "", 1)
    assert err.startswith(
        "adaptive-kmeans: set/cat.png: target: expected PSNR of at least 99.00 dB"
    )
    akm.save("set/flat.png", GRAY)
    line = ("compress", "set", "--effort", "1", "--target-psnr", "99", "--output-dir", "out")
    code, out, err = command(*line)
    assert code == 99
    assert [path.name for path in Path("out").iterdir()] == ["flat.akm"]
    assert "lossless" in out
    Path("set/half.png").write_bytes(Path("set/cat.png").read_bytes()[:3000])
    assert command(*line, "--force")[0] == 6
    assert not Path("set/cat.akm").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--target-psnr 38 --quality 60", "either a target or --quality"),
        ("--target-psnr 38 --k 60", "either a target or --k"),
        ("--target-psnr 38 --k2 60", "either a target or --k2"),
        ("--target-psnr 38 --codebook none.json", "either a target or --codebook"),
        ("--target-psnr 38 --target-bpp 1", "one target, received --target-bpp and --target-psnr"),
        ("--target-size 50XB", "expected a number, maybe with a unit of B, kB, KiB, MB, MiB"),
    ],
)
def test_targets_that_contradict_other_options_are_refused(command, options, message):
    code, out, err = command("compress", "cat.png", *options.split())
    assert (code, out) == (2, "")
    assert message in err


def test_a_missing_extra_is_named_before_any_work(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "ssimulacra2", None)
    code, out, err = command("compress", "none.png", "--target-ssimulacra2", "70")
    assert (code, out) == (2, "")
    assert "pip install 'adaptive-kmeans[metrics]'" in err


def test_an_experiment_sweeps_targets_of_several_codecs(command):
    Path("config.toml").write_text(
        """
        name = "equal"
        images = ["cat.png"]
        [figures]
        draw = ["psnr_against_rate"]
        formats = ["png"]
        [[methods]]
        method = "rate-distortion"
        effort = 1
        target_size = ["1.5kB", 5]
        target_psnr = 30
        [[methods]]
        method = "baseline"
        codec = "jpeg"
        target_size = 1500
        """
    )
    code, _, err = command("run", "config.toml", "--jobs", "1")
    assert code == 6
    assert (
        "cat, perceptual effort 1 context-mixing, size of 5 B: expected size of at most 5 B" in err
    )
    table = Path("results/equal/table.csv").read_text().splitlines()
    rows = [dict(zip(table[0].split(","), line.split(","), strict=True)) for line in table[1:]]
    assert [(row["method"], row["target"], float(row["target_value"])) for row in rows] == [
        ("rate-distortion", "size", 1500),
        ("rate-distortion", "psnr", 30),
        ("jpeg", "size", 1500),
    ]
    assert all(int(row["bytes"]) <= 1500 for row in rows if row["target"] == "size")
    assert float(rows[1]["psnr_db"]) >= 30
    assert all(1 <= int(row["tries"]) <= MAX_TRIES for row in rows)
    for wrong in ('codec = "png"\ntarget_bpp = 1', 'codec = "jpeg"\nquality = 9\ntarget_bpp = 1'):
        Path("wrong.toml").write_text(
            f'name = "a"\nimages = ["cat.png"]\n[[methods]]\nmethod = "baseline"\n{wrong}\n'
        )
        assert command("run", "wrong.toml")[0] == 2


def test_a_size_includes_the_metadata_that_is_kept(photo):
    from adaptive_kmeans.metadata import Metadata

    kept = Metadata(xmp=b"<x:xmpmeta>" + bytes(range(32, 127)) * 4 + b"</x:xmpmeta>")
    target = akm.Target("size", 2500)
    plain = akm.encode_to(photo, target, akm.Settings(effort=1))
    found = akm.encode_to(photo, target, akm.Settings(effort=1), metadata=kept)
    assert len(found.data) <= 2500
    assert found.quality < plain.quality
    assert container.Reader(found.data).metadata().xmp == kept.xmp
