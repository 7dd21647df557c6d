"""What the design fixes and a machine can check: names, rooms, exit codes, light imports.

The import contract is checked by import-linter, from `pyproject.toml`.
"""

import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import adaptive_kmeans as akm
from adaptive_kmeans import coding, detail, dithering, errors, regions
from adaptive_kmeans.errors import AdaptiveKMeansError

ROOT = Path(__file__).parents[1]
EXIT_CODES = {"usage or config": 2, "input": 3, "limit": 4, "read or write": 5, "failed trials": 6}
EXIT_CODES["larger than the input"] = 98
EXIT_CODES["unreachable target"] = 99


def test_registered_names():
    assert {"eigenvalue", "variance", "total-variation"} <= set(detail.measures.names())
    assert {"median", "mean", "otsu", "quantile"} <= set(regions.thresholds.names())
    assert {"fixed-length", "deflate"} <= set(coding.coders.names())
    assert {"none", "diffusion", "blue-noise"} <= set(dithering.ditherings.names())
    registries = detail.measures, regions.thresholds, coding.coders, dithering.ditherings
    for registry in registries:
        assert all(name == name.lower().replace("_", "-") for name in registry.names())


def test_public_names():
    settings = akm.Settings(
        k1=32,
        k2=256,
        detail="eigenvalue",
        threshold="median",
        block_size=4,
        coder="fixed-length",
        color_space="rgb",
        seed=0,
    )
    assert settings == akm.Settings.published(k1=32, k2=256, coder="fixed-length")
    assert akm.Settings(quality=60, effort=7, tune="psnr").effort == 7
    assert akm.Settings() == akm.Settings(quality=75)
    assert akm.Settings.regular(k=64) == akm.Settings(k1=64)
    for name in ("encode", "decode", "quantize", "psnr", "ssim", "bits_per_pixel"):
        assert inspect.isfunction(getattr(akm, name))
    for name in ("region_map", "codebooks", "index_map", "reconstruct"):
        assert name in {*akm.Quantized.__annotations__, *vars(akm.Quantized)}


@pytest.mark.parametrize(
    "statement",
    [
        "import adaptive_kmeans.quantize",
        "from adaptive_kmeans.quantize import Quantized",
        "import adaptive_kmeans.codec",
        "from adaptive_kmeans import encode, quantize",
        "pass",
    ],
)
def test_quantize_is_the_function_whatever_was_imported_first(statement):
    code = f"{statement}\nimport adaptive_kmeans as akm\nprint(type(akm.quantize).__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "function\n"


def test_importing_the_package_is_light_and_silent():
    code = "import sys, adaptive_kmeans; print(sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(eval(done.stdout))  # noqa: S307
    assert not loaded & {"numba", "skimage", "sklearn", "scipy", "matplotlib", "pandas", "PIL"}
    assert done.stderr == ""


@pytest.mark.parametrize("coder", ["fixed-length", "deflate"])
def test_decoding_needs_no_measure_no_clustering_and_no_compiler(coder):
    image = "np.arange(768, dtype=np.uint8).reshape(16, 16, 3)"
    settings = f"akm.Settings(coder='{coder}')"
    code = (
        f"import numpy as np, adaptive_kmeans as akm; print(akm.encode({image}, {settings}).hex())"
    )
    data = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    code = (
        f"import sys, adaptive_kmeans as akm; akm.decode(bytes.fromhex('{data.stdout.strip()}'));"
        "print([m for m in sys.modules if m.startswith(('adaptive_kmeans.detail', "
        "'adaptive_kmeans.clustering', 'sklearn', 'skimage', 'numba'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_error_has_its_builtin_base_and_exit_code():
    kinds = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, AdaptiveKMeansError)
    } - {AdaptiveKMeansError, errors.NotWrittenError}
    codes = {
        errors.ConfigError: ("usage or config", ValueError),
        errors.UnknownNameError: ("usage or config", LookupError),
        errors.MissingDependencyError: ("usage or config", ImportError),
        errors.ImageError: ("input", ValueError),
        errors.FormatError: ("input", ValueError),
        errors.LimitError: ("limit", ValueError),
        errors.ReadError: ("read or write", OSError),
        errors.OutputError: ("read or write", OSError),
        errors.TrialsFailedError: ("failed trials", RuntimeError),
        errors.LargerError: ("larger than the input", ValueError),
        errors.UnreachableError: ("unreachable target", ValueError),
    }
    for kind in kinds:
        base = next(base for base in codes if issubclass(kind, base))
        assert kind.exit_code == EXIT_CODES[codes[base][0]]
        assert issubclass(kind, codes[base][1])


def test_top_level_has_only_the_files_of_the_design():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode:
        pytest.skip("not a checkout")
    top = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    allowed = {"adaptive_kmeans", "experiments", "results", "tests", "pyproject.toml", "README.md"}
    allowed |= {"LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"}
    assert {name for name in top if not name.startswith(".")} <= allowed


def test_docstrings_of_families_list_their_members():
    families = (detail, detail.measures), (coding, coding.coders), (dithering, dithering.ditherings)
    for package, registry in families:
        for name in registry.names():
            assert f"`{name}`" in package.__doc__


def test_the_command_is_installed_under_its_name():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"adaptive-kmeans": "adaptive_kmeans.__main__:main"}


def lines_of(*path: str) -> list[str]:
    """Return the lines of a file, without what aligns the columns of its tables."""
    text = ROOT.joinpath(*path).read_text()
    return [" ".join(line.split()) for line in text.splitlines()]


def test_speeds_in_the_readme_match_the_results():
    rows = lines_of("results", "clustering_speed", "summary.md")[2:]
    assert len(rows) == 11
    assert set(rows) <= set(lines_of("README.md"))


def test_sizes_in_the_readme_match_the_results():
    rows = lines_of("results", "coding_size", "summary.md")
    ours = [row for row in rows if " | context-mixing | " in row and not row.startswith("| set |")]
    assert len(ours) == 9
    assert set(ours) <= set(lines_of("README.md"))


def test_published_numbers_in_the_readme_match_the_results():
    rows = [row for row in lines_of("results", "region_study", "published.md") if row[:2] == "| "]
    assert len(rows) == 1 + 12
    assert set(rows) <= set(lines_of("README.md"))
