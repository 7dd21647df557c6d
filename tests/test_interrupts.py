"""Interrupts: one line and exit code 130, however early they come."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

INTERRUPTED = (130, "adaptive-kmeans: interrupted\n")

# Sends an interrupt to itself when the n-th module is imported after the package.
AT_IMPORT = """
import os, signal, sys
import adaptive_kmeans.__main__

class Interrupting:
    count = int(sys.argv.pop(1))
    def find_spec(self, *_):
        self.count -= 1
        if self.count == 0:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
adaptive_kmeans.__main__.main()
"""


@pytest.mark.parametrize("number", [1, 2, 10, 40, 100, 150])
def test_an_interrupt_while_modules_load_is_one_line(number):
    run = [sys.executable, "-c", AT_IMPORT, str(number), "--version"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == INTERRUPTED


CONFIG = """
name = "long"
images = ["cat.png"]
[[methods]]
method = "regular"
k = [{ks}]
"""


@pytest.mark.skipif(os.name == "nt", reason="sends a signal to a group of processes")
@pytest.mark.parametrize("line", ["run long.toml", "compress set --output-dir out -q"])
@pytest.mark.parametrize("wait_s", [0.0, 0.2, 0.5, 1.0, 3.0])
def test_an_interrupt_of_all_processes_is_one_line(tmp_path, photo, line, wait_s):
    Image.fromarray(photo).save(tmp_path / "cat.png")
    (tmp_path / "set").mkdir()
    for number in range(200):
        Image.fromarray(photo).save(tmp_path / "set" / f"{number}.png")
    ks = ", ".join(map(str, range(2, 400)))
    (tmp_path / "long.toml").write_text(CONFIG.format(ks=ks))
    run = subprocess.Popen(
        [sys.executable, "-m", "adaptive_kmeans", *line.split(), "--jobs", "2"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    while not children(run.pid) and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(wait_s)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    stderr = run.communicate(timeout=60)[1]
    how_to_go_on = "; the same command goes on from here" if line.startswith("run") else ""
    said = INTERRUPTED[1].strip() + how_to_go_on
    assert (run.returncode, stderr.splitlines()[-1:]) == (130, [said])
    assert len(stderr.splitlines()) == 1
    assert not list(tmp_path.rglob("*.part"))


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
