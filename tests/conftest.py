"""Images for tests: made here, and the shared ones beside the checkout if there are any."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaptive_kmeans import cli
from adaptive_kmeans.datasets import ImageSource

SHARED = Path(__file__).parents[2] / "shared" / "images"


COMPILE = (
    "from adaptive_kmeans import codec; codec.warm_up_search(codec.Settings())",
    "from adaptive_kmeans import codec; codec.warm_up_coder('context-mixing')",
)


def pytest_configure(config: pytest.Config) -> None:
    """Compile the largest kernels once, before the suite's workers all compile them at once."""
    is_suite = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if not is_suite or hasattr(config, "workerinput") or "NUMBA_DISABLE_JIT" in os.environ:
        return
    from adaptive_kmeans.coding.context_mixing.pixels import code_pixels
    from adaptive_kmeans.kernels import is_compiled

    if not is_compiled(code_pixels):
        running = [subprocess.Popen([sys.executable, "-c", code]) for code in COMPILE]
        assert [process.wait() for process in running] == [0, 0]


@pytest.fixture
def shared_images() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared images are not available")
    return SHARED


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A corner of a photograph whose sides are not multiples of the block size: (61, 83, 3)."""
    return np.ascontiguousarray(ImageSource("chelsea").load()[100:161, 120:203])


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def folder(tmp_path, monkeypatch, photo):
    """An empty folder with one photograph in it, `cat.png`."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo).save("cat.png")
    return tmp_path


@pytest.fixture
def command(folder, monkeypatch, capsys):
    """Run the command line in that folder: exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["adaptive-kmeans", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed = capsys.readouterr()
        return stopped.value.code, printed.out, printed.err

    return run
