import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from adaptive_kmeans.baselines.checked import Baseline
from adaptive_kmeans.codec import AdaptiveKMeans, Settings
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import DamagedError, OutputError, ReadError
from adaptive_kmeans.experiment import results, run_experiment
from adaptive_kmeans.experiment.codec_trials import CodecTrial
from adaptive_kmeans.experiment.report import write_report
from adaptive_kmeans.experiment.reproduction import reproduce
from adaptive_kmeans.experiment.store import Store, Stored

CONFIG = """
name = "many"
images = ["*.png"]
[figures]
draw = ["quality"]
formats = ["png"]
[[methods]]
method = "regular"
k = [2, 3, 5, 8, 13]
coder = ["fixed-length", "deflate"]
"""
IMAGES = 4
TRIALS = 5 * 2 * IMAGES

RUN = """
import sys
from pathlib import Path
from adaptive_kmeans.experiment import results, run_experiment
run_experiment(Path("many.toml"), jobs=int(sys.argv[1]))
"""

KILLS = int(os.environ.get("ADAPTIVE_KMEANS_KILLS", "3"))


@pytest.fixture
def folder(tmp_path, monkeypatch, photo):
    monkeypatch.chdir(tmp_path)
    for i in range(IMAGES):
        Image.fromarray(np.roll(photo, 7 * i, axis=1)[: 40 + 8 * i]).save(f"{i}.png")
    Path("many.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path) as store:
        yield store


def table() -> pd.DataFrame:
    return pd.read_csv("results/many/table.csv")


def rows_of(folder: Path) -> dict[str, tuple[str, float]]:
    with contextlib.closing(sqlite3.connect(folder / "trials.sqlite")) as database, database:
        found = database.execute("SELECT key, state, seconds FROM trials").fetchall()
    return {key: (state, seconds) for key, state, seconds in found}


def test_a_trial_is_claimed_once(tmp_path, store):
    store.add([("a", "a trial"), ("b", "another")])
    with Store(tmp_path) as other:
        assert store.claim("a")
        assert not other.claim("a")
        assert other.claim("b")
        assert store.states(["a", "b"]) == {"a": "running", "b": "running"}
        store.finish("a", [{"bytes": 3}], (), b"file", 0.5)
        other.finish("b", [{"bytes": 4}], ["no luck", "none at all"])
    assert store.states(["a", "b"]) == {"a": "done", "b": "failed"}
    over = store.over(["b", "a"])
    assert list(over) == ["b", "a"]
    assert over["a"] == Stored([{"bytes": 3}], [], 0.5)
    assert over["b"] == Stored([{"bytes": 4}], ["no luck", "none at all"], 0.0)
    assert store.file("a") == b"file"
    assert not store.claim("a")
    store.retry_failed(["a", "b"])
    assert store.states(["a", "b"]) == {"a": "done", "b": "waiting"}


def test_claims_of_a_runner_that_ended_are_released(tmp_path, store):
    store.add([("a", "a trial")])
    with Store(tmp_path) as other:
        assert other.claim("a")
    assert store.states(["a"]) == {"a": "waiting"}


def test_claims_of_a_dead_process_expire(tmp_path, store):
    store.add([("a", "a trial")])
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path;"
            "from adaptive_kmeans.experiment.store import Store, Stored;"
            "Store(Path(sys.argv[1])).claim('a'); print('claimed', flush=True); time.sleep(60)",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
    )
    assert child.stdout.readline() == b"claimed\n"
    assert store.states(["a"]) == {"a": "running"}
    child.kill()
    child.wait()
    child.stdout.close()
    assert store.states(["a"]) == {"a": "waiting"}


def test_a_runner_that_lost_its_claim_stores_nothing(tmp_path, store):
    store.add([("a", "a trial")])
    with Store(tmp_path) as other:
        assert store.claim("a")
        store.release()
        assert other.claim("a")
        store.finish("a", [{"bytes": 1}])
        assert other.states(["a"]) == {"a": "running"}
        other.finish("a", [{"bytes": 2}])
    assert store.over(["a"])["a"].rows == [{"bytes": 2}]


def test_another_version_of_the_tables_is_refused(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "trials.sqlite")) as database, database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(OutputError, match="tables of version 2"):
        Store(tmp_path)


def test_other_files_are_refused_as_stores(tmp_path):
    (tmp_path / "trials.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(DamagedError, match="move the file away to start afresh"):
        Store(tmp_path)
    with pytest.raises(ReadError, match="which `run` makes"):
        Store(tmp_path / "missing", create=False)


def test_keys_depend_on_everything_that_numbers_depend_on():
    def regular(k: int, **others: object) -> AdaptiveKMeans:
        return AdaptiveKMeans(Settings.regular(k, **others))

    trial = CodecTrial(ImageSource("a"), regular(4))
    others = [
        CodecTrial(ImageSource("a"), regular(5)),
        CodecTrial(ImageSource("a"), regular(4, seed=1)),
        CodecTrial(ImageSource("a"), regular(4, coder="fixed-length")),
        CodecTrial(ImageSource("a"), regular(4), metrics=("psnr",)),
        CodecTrial(ImageSource("a"), regular(4), repeats=3),
        CodecTrial(ImageSource("a"), Baseline.create("jpeg:4")),
        CodecTrial(ImageSource("a"), Baseline.create("jpeg:5")),
    ]
    keys = {trial.key("hash"), trial.key("another hash"), *(t.key("hash") for t in others)}
    assert len(keys) == 2 + len(others)
    assert trial.key("hash") == CodecTrial(ImageSource("b"), trial.codec).key("hash")


def test_finished_trials_are_not_run_again(folder, monkeypatch):
    first = run_experiment(Path("many.toml"), jobs=1)
    before = table()
    monkeypatch.setattr("adaptive_kmeans.experiment.runner.run_trial", None)
    again = run_experiment(Path("many.toml"), jobs=1)
    assert len(again.table) == len(first.table) == TRIALS
    pd.testing.assert_frame_equal(table(), before)


def test_a_larger_config_runs_only_new_trials(folder):
    run_experiment(Path("many.toml"), jobs=1)
    before = rows_of(Path("results/many"))
    Path("many.toml").write_text(CONFIG.replace("13]", "13, 21]"))
    run_experiment(Path("many.toml"), jobs=1, force=True)
    after = rows_of(Path("results/many"))
    assert len(after) == len(before) + 2 * IMAGES
    assert {key: after[key] for key in before} == before
    assert len(table()) == TRIALS + 2 * IMAGES


def test_the_same_pixels_under_two_names_are_two_rows_and_one_trial(folder):
    Path("copy.png").write_bytes(Path("0.png").read_bytes())
    run_experiment(Path("many.toml"), jobs=1)
    assert len(rows_of(Path("results/many"))) == TRIALS
    both = [group.drop(columns="image") for _, group in table().groupby("image")]
    assert len(both) == IMAGES + 1
    assert any(
        both[0].reset_index(drop=True).equals(other.reset_index(drop=True)) for other in both[1:]
    )


def test_failed_trials_are_stored_and_run_again_on_request(folder, monkeypatch):
    from adaptive_kmeans import codec

    def broken(*_: object, **__: object) -> bytes:
        raise ZeroDivisionError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(codec, "encode", broken)
        with pytest.raises(Exception, match=rf"all {TRIALS} trials failed"):
            run_experiment(Path("many.toml"), jobs=1)
    with pytest.raises(Exception, match="ZeroDivisionError: a defect"):
        run_experiment(Path("many.toml"), jobs=1)
    found = run_experiment(Path("many.toml"), jobs=1, retry_failed=True)
    assert len(found.table) == TRIALS
    assert not found.failures


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_run_resumes_where_it_stopped(folder, jobs):
    run_experiment(Path("many.toml"), results=Path("whole"), jobs=1)
    whole = pd.read_csv("whole/many/table.csv")
    random = np.random.default_rng(jobs)
    finished: dict[str, tuple[str, float]] = {}
    for _ in range(KILLS):
        run = subprocess.Popen([sys.executable, "-c", RUN, str(jobs)], stderr=subprocess.PIPE)
        store = Path("results/many/trials.sqlite")
        deadline = time.monotonic() + 60
        while not store.exists() and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 1.0))
        run.send_signal(signal.SIGKILL)
        run.wait()
        run.stderr.close()
        after = rows_of(store.parent) if store.stat().st_size else {}
        # No finished trial was lost, and none was run again, or its time would differ.
        assert {key: after[key] for key in finished} == finished
        finished = {key: row for key, row in after.items() if row[0] == "done"}
    found = run_experiment(Path("many.toml"), jobs=jobs)
    assert len(found.table) == TRIALS
    after = rows_of(Path("results/many"))
    assert {key: after[key] for key in finished} == finished
    pd.testing.assert_frame_equal(table(), whole)


def test_two_runners_on_one_folder_share_the_work(folder):
    runs = [subprocess.Popen([sys.executable, "-c", RUN, "1"]) for _ in range(2)]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    assert len(table()) == TRIALS
    assert {state for state, _ in rows_of(Path("results/many")).values()} == {"done"}
    run_experiment(Path("many.toml"), results=Path("alone"), jobs=1)
    pd.testing.assert_frame_equal(table(), pd.read_csv("alone/many/table.csv"))


@pytest.mark.long
def test_a_dask_cluster_that_loses_a_worker_gives_the_same_table(folder):
    pytest.importorskip("distributed")
    run_experiment(Path("many.toml"), results=Path("alone"), jobs=1)
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0"]
    command += ["--no-dashboard", "--scheduler-file", "scheduler.json"]
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)]
    try:
        deadline = time.monotonic() + 60
        while not Path("scheduler.json").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        address = json.loads(Path("scheduler.json").read_text())["address"]
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
        worker += ["--no-dashboard", "--nthreads", "1"]
        processes += [
            subprocess.Popen(worker, stderr=subprocess.DEVNULL, env=environment) for _ in range(2)
        ]
        code = RUN.replace("jobs=int(sys.argv[1])", "scheduler=sys.argv[1]")
        run = subprocess.Popen([sys.executable, "-c", code, address])
        processes.append(run)
        store = Path("results/many/trials.sqlite")
        while time.monotonic() < deadline + 60:
            if store.exists() and store.stat().st_size:
                done = [state for state, _ in rows_of(store.parent).values() if state == "done"]
                if len(done) >= TRIALS // 4:
                    break
            time.sleep(0.02)
        processes[1].kill()
        assert run.wait(timeout=120) == 0
    finally:
        for process in processes:
            process.kill()
            process.wait()
    pd.testing.assert_frame_equal(table(), pd.read_csv("alone/many/table.csv"))


def test_a_scheduler_that_does_not_answer_is_an_error(folder, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("adaptive_kmeans.experiment.cluster.ANSWER_S", 1.0)
    with pytest.raises(ReadError, match="Dask scheduler"):
        run_experiment(Path("many.toml"), scheduler="tcp://127.0.0.1:9")


def test_the_report_needs_neither_images_nor_trials(folder, monkeypatch):
    run_experiment(Path("many.toml"), jobs=1)
    before = table()
    for image in folder.glob("*.png"):
        image.unlink()
    monkeypatch.setattr("adaptive_kmeans.experiment.runner.run_trial", None)
    Path("results/many/table.csv").unlink()
    assert write_report(Path("results")) == [Path("results/many/report.html")]
    pd.testing.assert_frame_equal(table(), before)
    page = Path("results/many/report.html").read_text()
    assert page.count("<tr>") >= TRIALS + 1
    assert "http://" not in page
    assert "https://" not in page
    with pytest.raises(ReadError, match=r"trials\.sqlite or table\.csv, received none"):
        write_report(Path("elsewhere"))


def test_a_claim_without_its_runner_expires(tmp_path, store):
    store.add([("a", "a trial")])
    assert store.claim("a")
    with contextlib.closing(sqlite3.connect(tmp_path / "trials.sqlite")) as database, database:
        database.execute("DELETE FROM runners")
    database.close()
    with Store(tmp_path) as other:
        assert other.states(["a"]) == {"a": "waiting"}


def test_outdated_files_are_removed_when_tables_are_rewritten(folder):
    run_experiment(Path("many.toml"), jobs=1)
    for name in ("summary.md", "comparison.csv"):
        Path("results/many", name).write_text("of another table")
    run_experiment(Path("many.toml"), jobs=1)
    assert not Path("results/many/summary.md").exists()
    assert not Path("results/many/comparison.csv").exists()


def test_an_image_that_changed_is_measured_again(folder, photo):
    first = run_experiment(Path("many.toml"), images=["0.png"], jobs=1).table
    Image.fromarray(photo[15:55]).save("0.png")
    second = run_experiment(Path("many.toml"), images=["0.png"], jobs=1, force=True).table
    assert list(first["psnr_db"]) != list(second["psnr_db"])


def test_an_image_that_changes_while_the_run_goes_on_is_not_measured(folder, photo, monkeypatch):
    from adaptive_kmeans.experiment import view

    run_stored = view.run_stored

    def replaced(*arguments, **named):
        Image.fromarray(photo[15:55]).save("0.png")  # after its pixels were hashed
        run_stored(*arguments, **named)

    monkeypatch.setattr(view, "run_stored", replaced)
    run = run_experiment(Path("many.toml"), jobs=1)
    assert "0" not in set(run.table["image"])
    assert all("the pixels and the software that the run" in str(one) for one in run.failures)
    assert len(run.failures) == 10


CODED = """
kind = "coding-size"
name = "coded"
images = ["0.png"]
k = 8
"""


def test_studies_in_one_process_measure_a_replaced_file(folder, photo):
    Path("coded.toml").write_text(CODED)
    first = run_experiment(Path("coded.toml"), jobs=1).table
    Image.fromarray(photo[15:55]).save("0.png")
    second = run_experiment(Path("coded.toml"), jobs=1, force=True).table
    assert list(first["bytes"]) != list(second["bytes"])


TRAINED = """
kind = "filter-training"
name = "trained"
images = ["chelsea", "text"]
k = 8
"""


def test_timed_runs_of_two_runners_take_turns(tmp_path, store):
    store.add([("a", ""), ("b", ""), ("c", "")])
    with Store(tmp_path) as other:
        assert other.claim("a")
        assert not store.claim("b", alone=True)
        other.finish("a", [])
        assert store.claim("b", alone=True)
        assert store.claim("c", alone=True)  # its own claims do not matter


def test_the_report_of_a_run_that_was_stopped_does_not_mix_it_with_the_last_one(
    folder, monkeypatch
):
    from adaptive_kmeans.experiment import view

    run_experiment(Path("many.toml"), images=["0.png"], jobs=1)
    run_stored = view.run_stored

    def stopped(trials, *arguments, **named):
        run_stored(dict(list(trials.items())[:3]), *arguments, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(view, "run_stored", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(Path("many.toml"), images=["1.png"], jobs=1, force=True)
    write_report(Path("results/many"))
    made_of = tomllib.loads(Path("results/many/config.toml").read_text())["images"]
    facts = json.loads(Path("results/many/environment.json").read_text())
    assert set(table()["image"].astype(str)) == {"1"} == set(made_of) == set(facts["images"])
    assert "finished" not in facts


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE files SET data = x'00' WHERE key IN (SELECT key FROM trials LIMIT 1)",
        "DELETE FROM files WHERE key IN (SELECT key FROM trials LIMIT 1)",
    ],
)
def test_a_study_measures_again_what_lost_its_data(folder, damage):
    Path("trained.toml").write_text(TRAINED)
    before = run_experiment(Path("trained.toml"), jobs=1).table
    with contextlib.closing(sqlite3.connect("results/trained/trials.sqlite")) as database, database:
        database.execute(damage)
    after = run_experiment(Path("trained.toml"), jobs=1, repair=True).table
    pd.testing.assert_frame_equal(before, after)


def test_a_study_of_all_images_together_is_reproduced(folder):
    Path("trained.toml").write_text(TRAINED)
    rows = len(run_experiment(Path("trained.toml"), jobs=1).table)
    Path("results/trained/trials.sqlite").unlink()
    (found,) = reproduce(Path("results"), [], ["trained"], print, 1)
    assert (found.confirmed, found.differing, found.missing) == (rows, [], 0)


def test_unusual_names_and_shapes_work_in_tables_and_figures(folder):
    names = [r"a$\frac$", "p|q", "tall"]
    for name, shape in zip(names, [(9, 9, 3), (8, 9, 3), (1500, 1, 3)], strict=True):
        Image.fromarray(np.arange(np.prod(shape), dtype=np.uint32).astype(np.uint8).reshape(shape)
                        ).save(f"{name}.png")  # fmt: skip
    Path("many.toml").write_text(CONFIG.replace('draw = ["quality"]', 'picture = "tall"'))
    run_experiment(Path("many.toml"), images=[f"{name}.png" for name in names], jobs=1)
    lines = Path("results/many/table.md").read_text().splitlines()
    assert sum(line.startswith(r"| p\|q ") for line in lines) == len(lines) // len(names)
    write_report(Path("results/many"))
    cells = '<td class="words">p|q</td><td>2</td>'
    assert cells in Path("results/many/report.html").read_text()


def test_drawing_figures_does_not_block_other_runners(tmp_path, store):
    store.add([("a", "a trial")])
    with store.publishing(), Store(tmp_path) as other:
        start = time.monotonic()
        assert other.claim("a")
        other.finish("a", [{"bytes": 1}])
        assert other.states(["a"]) == {"a": "done"}
        assert time.monotonic() - start < 5


def test_one_runner_publishes_at_a_time(tmp_path, store):
    order = []

    def publish() -> None:
        with Store(tmp_path) as other, other.publishing():
            order.append("other")

    thread = threading.Thread(target=publish)
    with store.publishing():
        thread.start()
        time.sleep(1.5)
        order.append("first")
    thread.join(timeout=30)
    assert order == ["first", "other"]


def test_a_runner_killed_while_publishing_blocks_nobody(tmp_path, store):
    code = (
        "import os, signal, sys; from pathlib import Path;"
        "from adaptive_kmeans.experiment.store import Store, Stored;"
        "lock = Store(Path(sys.argv[1])).publishing(); lock.__enter__();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    with contextlib.closing(sqlite3.connect(tmp_path / "trials.sqlite")) as database, database:
        assert database.execute("SELECT COUNT(*) FROM publisher").fetchone() == (1,)
    database.close()
    with store.publishing():
        pass


@pytest.mark.parametrize("steps", range(7))
def test_results_are_replaced_as_a_whole_even_if_a_kill_interrupts(tmp_path, monkeypatch, steps):
    (tmp_path / "figures").mkdir()
    for name in ("figures/a.png", "figures/stale.png", "table.csv", "published.md", "README.md"):
        (tmp_path / name).write_text("old")
    complete = tmp_path / ".complete"
    (complete / "figures").mkdir(parents=True)
    new = ("figures/a.png", "figures/b.png", "table.csv")
    for name in new:
        (complete / name).write_text("new")
    (complete / ".files").write_text("\n".join(new))
    left = [steps]

    class Killed(BaseException):
        pass

    def dying(call):
        def step(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return call(*arguments, **options)

        return step

    with monkeypatch.context() as patched:
        for owner, name in ((Path, "replace"), (Path, "unlink"), (results.shutil, "rmtree")):
            patched.setattr(owner, name, dying(getattr(owner, name)))
        try:
            results.finish_replacing(tmp_path)
        except Killed:
            assert complete.exists()
        else:
            assert steps == 6
    results.finish_replacing(tmp_path)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert found == {*new, "README.md"}
    assert {(tmp_path / name).read_text() for name in new} == {"new"}


def test_leftovers_of_a_killed_run_are_removed(folder):
    Path("results/many/.part-left").mkdir(parents=True)
    run_experiment(Path("many.toml"), images=["0.png"], jobs=1)
    assert not list(Path("results/many").glob(".part-*"))


def test_a_log_mentions_loading_only_if_it_takes_long(folder, monkeypatch, capfd):
    from adaptive_kmeans import progress
    from adaptive_kmeans.experiment import runner

    monkeypatch.setattr(progress, "LOADING_S", 60.0)
    run_experiment(Path("many.toml"), images=["0.png"], jobs=1)
    assert capfd.readouterr().err == ""
    monkeypatch.setattr(progress, "LOADING_S", 0.2)
    run_trial = runner.run_trial

    def slow(trial, key):
        time.sleep(1.0)
        return run_trial(trial, key)

    monkeypatch.setattr(runner, "run_trial", slow)
    changes = ["methods.0.k=[21, 22]", 'methods.0.coder="deflate"']
    run_experiment(Path("many.toml"), images=["0.png"], jobs=1, changes=changes, force=True)
    assert capfd.readouterr().err == f"{progress.LOADING}\n"
