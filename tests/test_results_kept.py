"""Committed results are never replaced by a run of something else, unless that is asked for."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import adaptive_kmeans as akm
from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.experiment import run_experiment

CONFIG = """
name = "small"
images = ["a.png"]
[figures]
draw = ["quality"]
formats = ["png"]
[[methods]]
method = "regular"
k = [2, 5]
coder = "fixed-length"
"""


def content(place: str = "results") -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path(place).rglob("*") if path.is_file()}


@pytest.fixture
def kept(folder, photo):
    """Results of a small experiment, and another image."""
    akm.save("a.png", photo)
    akm.save("b.png", photo[:32])
    Path("small.toml").write_text(CONFIG)
    run_experiment(Path("small.toml"), jobs=1)
    return content()


@pytest.mark.parametrize(
    ("options", "received"),
    [
        (("--images", "b.png"), "also the images b, not the images a"),
        (("--images", "a.png", "b.png"), "also the images b"),
        (("--set", "methods.0.k=[2]"), "methods.0.k = [2], not [2, 5]"),
        (("--set", 'background="white"'), "background = white, not none"),
    ],
)
def test_a_run_of_something_else_is_refused(kept, command, options, received):
    typed = ("run", "small.toml", "--jobs", "1", *options)
    code, out, err = command(*typed)
    assert (code, out) == (2, "")
    assert err.endswith(f"does not repeat trials that both have, received {received}\n")
    assert content() == kept
    assert command(*typed, "--results", "mine")[0] == 0
    assert content() == kept
    assert command(*typed, "--force")[0] == 0
    assert content() != kept


def test_the_same_run_and_other_figures_are_not_refused(kept):
    run_experiment(Path("small.toml"), jobs=1)
    run_experiment(Path("small.toml"), jobs=1, changes=['figures.formats=["svg"]'])
    assert Path("results/small/figures/quality.svg").exists()


def test_other_pixels_and_other_versions_are_refused(kept, photo):
    akm.save("a.png", np.ascontiguousarray(photo[::-1]))
    with pytest.raises(ConfigError, match=r"received other pixels in a$"):
        run_experiment(Path("small.toml"), jobs=1)
    akm.save("a.png", photo)
    path = Path("results/small/environment.json")
    facts = json.loads(path.read_text())
    facts["encoder"] += 1
    facts["encoder_of_two_codebooks"] += 1
    facts["metrics"]["psnr"]["version"] += 1
    path.write_text(json.dumps(facts))
    with pytest.raises(ConfigError) as error:
        run_experiment(Path("small.toml"), jobs=1)
    received = re.sub(r"\d+", "N", error.value.received)
    assert received == (
        "encoder N for N, encoder of two codebooks N for N, another version of the metric psnr"
    )
    path.write_text("{")
    with pytest.raises(ConfigError, match="damaged records"):
        run_experiment(Path("small.toml"), jobs=1)
    assert len(run_experiment(Path("small.toml"), jobs=1, force=True).table)
