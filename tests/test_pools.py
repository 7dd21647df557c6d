"""Trials that kill their process, killed drivers, and workers that come and go."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from PIL import Image

from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.experiment import runner
from adaptive_kmeans.experiment.store import Store
from adaptive_kmeans.experiment.trials import Measurement, StudyTrial, hash_images
from adaptive_kmeans.pools import Died, run_calls
from adaptive_kmeans.processes import Processes
from adaptive_kmeans.progress import LOADING

PLUGIN = """
import dataclasses, os, signal

@dataclasses.dataclass(frozen=True)
class Deadly:
    version = "1"

    def encode(self, image):
        os.kill(os.getpid(), signal.SIGKILL)

    def decode(self, data):
        raise NotImplementedError
"""

CONFIG = """
name = "deadly"
images = ["0.png", "1.png"]
[figures]
draw = ["quality"]
formats = ["png"]
[[methods]]
method = "regular"
k = [2, 3, 5]
coder = "deflate"
[[methods]]
method = "baseline"
codec = "deadly"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch, photo):
    """A folder with a config, whose baseline kills its process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    for i in range(2):
        Image.fromarray(photo[8 * i :]).save(f"{i}.png")
    Path("deadly.toml").write_text(CONFIG)
    Path("deadly_plugin.py").write_text(PLUGIN)
    Path("deadly-1.dist-info").mkdir()
    Path("deadly-1.dist-info/METADATA").write_text("Name: deadly\nVersion: 1\n")
    Path("deadly-1.dist-info/entry_points.txt").write_text(
        "[adaptive_kmeans.baselines]\ndeadly = deadly_plugin:Deadly\n"
    )
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "adaptive_kmeans", "run", "deadly.toml", *arguments]


def typed(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    run = command(*arguments)
    return subprocess.run(run, capture_output=True, text=True, check=False, timeout=300, **options)


def states() -> list[str]:
    database = sqlite3.connect("results/deadly/trials.sqlite")
    try:
        found = [state for (state,) in database.execute("SELECT state FROM trials")]
    except sqlite3.OperationalError:  # its tables do not exist yet
        found = []
    database.close()
    return sorted(found)


def wait_for(what, timeout=60.0):
    deadline = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)


def half(number: int, pids: str) -> int:
    """Return half of an even number; an odd one kills its process."""
    Path(pids, str(os.getpid())).touch()
    if number % 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number // 2


def test_the_call_that_kills_its_process_is_found_and_the_others_complete(tmp_path):
    calls = iter([(number, str(tmp_path)) for number in (0, 2, 3, 4, 6, 8)])
    said = []
    found = {
        number: result
        for (number, _), result in run_calls(half, calls, Processes(2, 1), said.append)
    }
    assert {n: r for n, r in found.items() if n != 3} == {0: 0, 2: 1, 4: 2, 6: 3, 8: 4}
    assert isinstance(found[3], Died)
    assert str(found[3]) == "its process died (SIGKILL(-9))"
    assert said[0].startswith("a process died")
    assert str(os.getpid()) not in {path.name for path in tmp_path.iterdir()}


def interrupted_after_submitting():
    with Processes(1, 1).open(print, alone=False) as pool:
        pool.executor.submit(time.sleep, 0.1).result()
        pool.executor.submit(time.sleep, 60)
        raise KeyboardInterrupt


def test_processes_end_silently_with_a_call_just_submitted(monkeypatch):
    failures = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    with pytest.raises(KeyboardInterrupt):
        interrupted_after_submitting()
    assert not failures
    assert threading.excepthook == failures.append


def rows_or_death(source, background, k: int, pids: str) -> Measurement:
    return Measurement([{"value": half(k, pids)}, {"value": k}])


def test_a_study_keeps_what_did_not_die_and_what_is_no_bug(tmp_path, capfd):
    arguments = [{"k": k, "pids": str(tmp_path)} for k in (8, 1, 2)]
    source = ImageSource("chelsea")
    each = [
        StudyTrial("numbers", 1, source, None, rows_or_death, given)
        for given in [*arguments, {"k": "?", "pids": str(tmp_path)}]
    ]
    hashes = hash_images([source], None)
    trials = {trial.key(hashes["chelsea"]): trial for trial in each}
    with Store(tmp_path) as store:
        store.add((key, trial.summary) for key, trial in trials.items())
        runner.run_stored(trials, store, jobs=2)
        over = store.over(list(trials))
    assert [row["value"] for trial in over.values() for row in trial.rows] == [4, 8, 1, 2]
    errors = [error.replace(str(tmp_path), "") for trial in over.values() for error in trial.errors]
    assert errors[0] == "chelsea, k 1, pids : its process died (SIGKILL(-9))"
    assert errors[1].startswith("chelsea, k ?, pids : TypeError: ")
    assert "failed: chelsea, k 1" in capfd.readouterr().err


def test_a_trial_that_kills_its_process_is_stored_as_failed(folder):
    run = typed("--jobs", "2")
    assert run.returncode == 6, run.stderr
    assert "2 trials failed, the first with: 0, deadly: its process died (SIGKILL(-9))" in (
        run.stderr
    )
    assert states() == 6 * ["done"] + 2 * ["failed"]
    assert "Traceback" not in run.stderr
    again = typed("--jobs", "2")
    assert again.returncode == 6
    assert "a process died" not in again.stderr


def children(pid: int) -> list[int]:
    """Return the processes that run calls for a driver."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # a process that has just ended
            parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
            if int(parent) == pid and b"popen_loky" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_processes_end_when_their_driver_is_killed(folder):
    more = ["--set", f"methods.0.k={list(range(2, 200))}", "--jobs", "2"]
    driver = subprocess.Popen(command(*more), stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: len(children(driver.pid)) == 2)
        workers = children(driver.pid)
    finally:
        driver.kill()
        driver.wait()
    wait_for(lambda: not any(map(is_running, workers)), timeout=20.0)


@contextmanager
def cluster(workers: int):
    """Give the address of a scheduler that blames a trial at once, the scheduler and workers."""
    pytest.importorskip("distributed")
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1"}
    environment["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = "0"
    options = {"stderr": subprocess.DEVNULL, "env": environment}
    start = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0"]
    start += ["--no-dashboard", "--scheduler-file", "scheduler.json"]
    processes = [subprocess.Popen(start, **options)]
    try:
        wait_for(Path("scheduler.json").exists)
        address = json.loads(Path("scheduler.json").read_text())["address"]
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
        worker += ["--no-dashboard", "--nthreads", "1"]

        def add() -> None:
            processes.append(subprocess.Popen(worker, **options))

        for _ in range(workers):
            add()
        yield address, processes, add
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.long
def test_a_trial_that_kills_its_dask_worker_is_stored_as_failed(folder):
    one = ["--set", 'images=["0.png"]', "--set", "methods.0.k=[2]"]
    with cluster(3) as (address, _, _):  # one dies with all calls, one with the suspect alone
        run = typed("--scheduler", address, *one)
    assert run.returncode == 6, run.stderr
    assert "1 trial failed, the first with: 0, deadly: its process died" in run.stderr
    assert "Traceback" not in run.stderr
    assert states() == ["done", "failed"]


@pytest.mark.long
def test_a_scheduler_without_workers_and_one_that_goes_away_are_one_line_each(folder):
    alive = ["--set", 'methods=[{method="regular", k=[2, 3], coder="deflate"}]']
    with cluster(0) as (address, processes, _):
        run = subprocess.Popen(
            command("--scheduler", address, *alive), stderr=subprocess.PIPE, text=True
        )
        processes.append(run)
        assert run.stderr.readline() == f"waiting for workers of {address}\n"
        processes[0].kill()
        assert run.wait(timeout=60) == 5
        rest = run.stderr.read()
        run.stderr.close()
        assert rest.removeprefix(f"{LOADING}\n") == (  # which takes long on a busy machine
            f"adaptive-kmeans: Dask scheduler {address}: expected to stay while trials run, "
            "received it went away\n"
        )
    assert typed("--jobs", "1", *alive).returncode == 0
    assert states() == 4 * ["done"]


@pytest.mark.long
def test_workers_that_join_late_are_used(folder):
    alive = ["--set", 'methods=[{method="regular", k=[2, 3], coder="deflate"}]']
    with cluster(0) as (address, processes, add):
        run = subprocess.Popen(
            command("--scheduler", address, *alive), stderr=subprocess.PIPE, text=True
        )
        processes.append(run)
        assert run.stderr.readline() == f"waiting for workers of {address}\n"
        add()
        assert run.wait(timeout=120) == 0
        run.stderr.close()
    assert states() == 4 * ["done"]
