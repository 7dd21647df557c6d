"""Members of families that other packages add: the template works, and others fail in one line."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import adaptive_kmeans as akm
from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.codec import AdaptiveKMeans
from adaptive_kmeans.detail import measures
from adaptive_kmeans.dithering import Nearest, ditherings
from adaptive_kmeans.errors import PluginError
from adaptive_kmeans.regions import Median, thresholds
from adaptive_kmeans.registry import FAMILIES, Registry, group, version_of

TEMPLATE = Path(__file__).parent / "plugin_template"
CONFIG = """
name = "plugged"
images = ["cat.png"]
metrics = ["psnr", "largest-error"]
[figures]
draw = ["quality"]
formats = ["png"]
[[methods]]
method = "region-adaptive"
detail = "range"
threshold = "midpoint:0.3"
dither = ["none", "checkerboard"]
k1 = 2
k2 = 4
coder = "fixed-length"
[[methods]]
method = "baseline"
codec = "levels"
quality = [50, 90]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder in which the template is installed, as pip leaves it there."""
    site = tmp_path_factory.mktemp("site")
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())["project"]
    shutil.copy(TEMPLATE / "akm_plugin_template.py", site)
    info = site / "akm_plugin_template-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    sections = [
        "\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in entries.items()), ""])
        for name, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(sections))
    return site


@pytest.fixture
def command(site, tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "cat.png")

    def run(*arguments: str, site: Path = site) -> tuple[int, str, str]:
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
        done = subprocess.run(
            [sys.executable, "-m", "adaptive_kmeans", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, "COLUMNS": "100"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_the_template_has_a_member_of_every_family():
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())["project"]
    assert set(project["entry-points"]) == {group(family) for family in FAMILIES}


def test_the_template_compresses_and_runs_like_what_is_built_in(command, tmp_path):
    options = ("--k1", "2", "--k2", "4", "--detail", "range", "--threshold", "midpoint:0.3")
    code, _, err = command("compress", "cat.png", *options, "--coder", "fixed-length")
    assert code == 0, err
    assert akm.decode((tmp_path / "cat.akm").read_bytes()).shape == (61, 83, 3)
    (tmp_path / "plugged.toml").write_text(CONFIG)
    code, _, err = command("run", "plugged.toml", "--jobs", "1")
    assert code == 0, err
    table = (tmp_path / "results" / "plugged" / "table.md").read_text()
    assert table.count("| range ") == 2
    assert table.count("| levels ") == 2
    assert "largest_error" in table


def test_trials_depend_on_the_versions_of_packages(site, monkeypatch):
    monkeypatch.syspath_prepend(site)
    family = Registry("threshold", {"median": Median}, group("thresholds"))
    assert family.package("median") == ""
    assert family.package("midpoint:0.3") == "akm-plugin-template"
    assert version_of("akm-plugin-template") == "akm-plugin-template 0.1.0"
    plain = AdaptiveKMeans(akm.Settings(k1=2, k2=4, detail="variance"))
    assert "packages" not in plain.parameters
    monkeypatch.setattr(thresholds, "package", lambda _: "akm-plugin-template")
    assert plain.parameters["packages"] == {"threshold": "akm-plugin-template 0.1.0"}


def test_help_lists_installed_members(command):
    code, out, _ = command("compress", "--help")
    assert code == 0
    listed = [" ".join(line.split()) for line in out.partition("Plug-ins:")[2].splitlines()]
    assert listed[1:] == [
        "--detail range",
        "--threshold midpoint",
        "--dither checkerboard",
        "codec of method baseline levels",
        "metrics of a config largest-error",
    ]


def plug(monkeypatch, registry, returned):
    def call(*_):
        if isinstance(returned, Exception):
            raise returned
        return returned

    monkeypatch.setattr(registry, "_members", dict(registry._members))
    registry.register("fake", type("Fake", (), {"__call__": call}))
    return registry.create("fake")


DEFECT = ValueError("a defect\nof two lines")


def said(error):
    """Return the message of an error without the line of this file that raised it."""
    return re.sub(r" \(test_plugins\.py, line \d+\)$", "", str(error))


@pytest.mark.parametrize(
    ("returned", "received"),
    [
        (DEFECT, "ValueError: a defect of two lines"),
        (None, "NoneType"),
        ([[1.0, 2.0]], "list"),
        (np.zeros((2, 1)), "(2, 1) float64"),
        (np.zeros((1, 2), dtype=np.int64), "(1, 2) int64"),
        (np.array([[1.0, np.nan]]), "1 that are not"),
        (np.array([[-np.inf, np.inf]]), "2 that are not"),
    ],
    ids=range(7),
)
def test_scores_of_other_measures_are_checked(monkeypatch, returned, received):
    measure = plug(monkeypatch, measures, returned)
    with pytest.raises(PluginError) as caught:
        measure(np.zeros((4, 8, 3), dtype=np.uint8), BlockGrid(4, 8, 4))
    expected = "detail measure fake: expected finite floats of shape (1, 2), received "
    assert said(caught.value) == expected + received
    assert caught.value.exit_code == 6


def test_a_defect_of_a_plug_in_is_reported_with_its_line(monkeypatch):
    with pytest.raises(PluginError, match=r"a defect of two lines \(test_plugins\.py, line \d+\)$"):
        plug(monkeypatch, thresholds, DEFECT)(np.ones((1, 2)))


def test_compare_needs_no_plug_in(command, site, tmp_path):
    broken = shutil.copytree(site, tmp_path / "broken")
    (broken / "akm_plugin_template.py").write_text("")
    code, out, err = command("compare", "cat.png", "--k1", "2", "--k2", "4", site=broken)
    assert code == 0, err
    assert "variance" in out
    assert err.startswith("note: metric largest-error: expected a Metric")
    assert err.endswith("has no attribute 'LARGEST_ERROR'\n")


def test_scores_of_other_measures_may_be_of_less_precision(monkeypatch):
    measure = plug(monkeypatch, measures, np.ones((1, 2), dtype=np.float32))
    assert measure(np.zeros((4, 8, 3), dtype=np.uint8), BlockGrid(4, 8, 4)).dtype == np.float64


@pytest.mark.parametrize(
    ("returned", "received"),
    [
        (DEFECT, "ValueError: a defect of two lines"),
        (None, "None"),
        (True, "True"),
        ("1", "'1'"),
        (float("nan"), "nan"),
        (np.ones(1), "array([1.])"),
    ],
    ids=range(6),
)
def test_what_other_thresholds_return_is_checked(monkeypatch, returned, received):
    with pytest.raises(PluginError) as caught:
        plug(monkeypatch, thresholds, returned)(np.ones((1, 2)))
    assert said(caught.value) == f"threshold fake: expected a finite number, received {received}"


@pytest.mark.parametrize(
    ("returned", "received"),
    [
        (DEFECT, "ValueError: a defect of two lines"),
        (None, "NoneType"),
        (np.zeros((2, 1), dtype=np.uint16), "(2, 1) uint16"),
        (np.zeros((1, 2), dtype=np.int64), "(1, 2) int64"),
        (np.array([[0, 2]], dtype=np.uint16), "2 of 2"),
        (np.array([[2, 3]], dtype=np.uint16), "3 of 2"),
    ],
    ids=range(6),
)
def test_index_maps_of_other_ditherings_are_checked(monkeypatch, returned, received):
    dither = plug(monkeypatch, ditherings, returned)
    codebooks = (np.zeros((3, 3), dtype=np.uint8), np.zeros((2, 3), dtype=np.uint8))
    regions = np.array([[0, 1]], dtype=np.uint8)
    pixels, nearest = np.zeros((1, 2, 3), dtype=np.uint8), np.zeros((1, 2), dtype=np.uint16)
    with pytest.raises(PluginError) as caught:
        dither(Nearest(pixels, None, regions, codebooks, nearest), None)
    assert str(caught.value).startswith("dithering fake: expected a (1, 2) uint16 array of indices")
    assert said(caught.value).endswith(f"received {received}")


def test_encoding_with_a_measure_that_fails_names_it(monkeypatch, photo):
    plug(monkeypatch, measures, np.zeros((1, 1)))
    settings = akm.Settings.published(2, 4, detail="fake", coder="fixed-length")
    with pytest.raises(PluginError, match="detail measure fake: expected finite floats of shape"):
        akm.encode(photo, settings)
