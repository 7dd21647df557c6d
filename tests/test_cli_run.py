"""The commands `run`, `report` and `reproduce`."""

import contextlib
import csv
import io
import json
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from adaptive_kmeans import cli, codec
from adaptive_kmeans.experiment import store
from adaptive_kmeans.experiment.estimate import estimate
from adaptive_kmeans.progress import LOADING

CONFIG = """
name = "small"
images = ["*.png"]
[figures]
draw = ["quality"]
formats = ["png"]
[[methods]]
method = "regular"
k = [2, 4, 8]
coder = "deflate"
[[methods]]
method = "region-adaptive"
detail = "variance"
k1 = [2, 4]
k2 = [6, 12]
coder = "deflate"
[[methods]]
method = "baseline"
codec = "jpeg"
quality = [30, 60, 90]
"""
TRIALS = 3 + 4 + 3


@pytest.fixture
def folder(tmp_path, monkeypatch, photo):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo).save("cat.png")
    Path("small.toml").write_text(CONFIG)
    return tmp_path


def typed(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command here, or with options of `subprocess.run` in a process of its own."""
    if arguments[0] == "run" and "--jobs" not in arguments:
        arguments = *arguments, "--jobs", "1"  # processes take longer to start than these trials
    if options:
        command = [sys.executable, "-m", "adaptive_kmeans", *arguments]
        run = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    else:
        run = _typed_here(*arguments)
    run.stderr = run.stderr.replace(f"{LOADING}\n", "")  # as the first run on a machine says
    return run


def _typed_here(*arguments: str) -> subprocess.CompletedProcess[str]:
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["adaptive-kmeans", *arguments])
        patched.setattr(sys, "stdout", out)
        patched.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as stopped:
            cli.main()
    code = stopped.value.code or 0
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def rows(name: str = "small") -> list[dict[str, str]]:
    with Path(f"results/{name}/table.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.long
def test_run_then_report_then_reproduce(folder):
    figures = '[figures]\ndraw = ["quality"]\nformats = ["png"]\n'
    Path("small.toml").write_text(CONFIG.replace(figures, ""))
    run = typed("run", "small.toml", "--jobs", "2")
    assert (run.returncode, run.stderr) == (0, "")
    assert f"{TRIALS} rows in" in run.stdout
    assert len(rows()) == TRIALS
    assert {row["method"] for row in rows()} == {"regular", "region-adaptive", "jpeg"}
    assert {row["image_set"] for row in rows()} == {folder.name}
    summary = Path("results/small/summary.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:4]] for line in summary]
    assert [folder.name, "jpeg", "regular"] in cells
    latex = Path("results/small/table.tex").read_text()
    assert latex.count(r"\\") == TRIALS + 1
    assert latex.splitlines()[2].startswith("method & k & PSNR dB & SSIM & bytes ")

    table = Path("results/small/table.csv").read_bytes()
    report = typed("report", "results")
    assert (report.returncode, report.stdout) == (0, "results/small/report.html\n")
    page = Path("results/small/report.html").read_text()
    pictures = json.loads(page.partition('id="pictures">')[2].partition("</script>")[0])
    assert len(pictures) == 1 + TRIALS
    assert all(each["source"].startswith("data:image/png;base64,") for each in pictures)
    assert Path("results/small/table.csv").read_bytes() == table

    again = typed("reproduce", "--images", "cat.png")
    assert again.returncode == 0, again.stderr
    assert again.stdout == f"small: {TRIALS} rows confirmed, 0 differ, 0 without their image\n"
    number = rows()[5]["bytes"].encode()
    changed = table.replace(b"regular,,2,", b"regular,,3,").replace(b"," + number + b",", b",9,")
    Path("results/small/table.csv").write_bytes(changed)
    again = typed("reproduce", "--images", "cat.png")
    assert again.returncode == 6
    lines = again.stdout.splitlines()
    assert lines[0] == f"small: {TRIALS - 2} rows confirmed, 2 differ, 0 without their image"
    assert lines[1].startswith("  cat regular 3 ")
    assert lines[1].endswith(": not measured")
    assert f"bytes 9 → {number.decode()}" in lines[2]
    assert "2 rows differ from what is committed" in again.stderr


def test_results_whose_published_curves_are_gone_are_reproduced(folder):
    curve = {"name": "A", "results": {"bpp": [0.5, 1.0], "psnr": [30.0, 35.0]}}
    Path("curve.json").write_text(json.dumps(curve))
    others = f"figures.others={{{folder.name}=['curve.json']}}"
    assert typed("run", "small.toml", "--set", others).returncode == 0
    Path("curve.json").unlink()
    again = typed("reproduce", "--images", "cat.png")
    assert again.returncode == 0, again.stdout
    assert again.stdout == f"small: {TRIALS} rows confirmed, 0 differ, 0 without their image\n"


def test_another_image_of_the_same_name_is_not_compared(folder, photo):
    typed("run", "small.toml")
    Image.fromarray(255 - photo).save("cat.png")
    again = typed("reproduce", "--images", "cat.png")
    assert again.returncode == 6
    assert again.stdout == f"small: 0 rows confirmed, 0 differ, {TRIALS} without their image\n"
    assert "note: give the images of these rows with --images PATH" in again.stderr
    assert again.stderr.endswith("adaptive-kmeans: nothing was confirmed\n")


def test_set_overrides_keys_of_the_config(folder):
    run = typed("run", "small.toml", "--set", "name=other", "--set", "methods.0.k=[3, 5]")
    assert run.returncode == 0
    assert [row["k"] for row in rows("other") if row["method"] == "regular"] == ["3", "5"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "methods.7.k=3",
            "--set: expected a key that the config can have; methods are numbered from 0 to 2, "
            "received methods.7.k",
        ),
        ("k", "--set: expected key=value, received k"),
        ("methds=3", "small.toml: unknown key methds (did you mean methods?)"),
        ("methods.0.kk=3", "small.toml: unknown key methods.0.kk (did you mean k?)"),
        (
            "methods.0.quality=50",
            "small.toml: unknown key methods.0.quality; a method rate-distortion or "
            "methods.2.quality (baseline) can have it",
        ),
        (
            "methods.0.k='16'",
            "small.toml: methods.0.k.0: expected an integer (did you mean 16, without quotes?), "
            "received '16'",
        ),
        (
            "figures.formats=['pgn']",
            "small.toml: figures.formats.0: expected one of png, pdf, svg (did you mean png?), "
            "received 'pgn'",
        ),
        ("methods.0.k=0", "small.toml: methods.0: k: expected an integer in 1..4096, received 0"),
    ],
)
def test_an_invalid_override_is_one_line(folder, change, message):
    run = typed("run", "small.toml", "--set", change)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == f"adaptive-kmeans: {message}\n"


def test_a_dry_run_counts_and_estimates(folder):
    dry = typed("run", "small.toml", "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "")
    assert dry.stdout.startswith(f"small: {TRIALS} trials, 0 finished; the rest will take about ")
    assert not Path("results").exists()
    typed("run", "small.toml")
    dry = typed("run", "small.toml", "--dry-run")
    assert dry.stdout.startswith(f"small: {TRIALS} trials, {TRIALS} finished; the rest will take ")


def test_a_full_disk_is_one_line_and_the_next_run_completes(folder):
    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (24_000, 24_000))

    full = typed("run", "small.toml", "--jobs", "1", preexec_fn=little_room)
    assert full.returncode == 5
    assert full.stderr.count("\n") == 1
    assert "results/small" in full.stderr
    assert not Path("results/small/table.csv").exists()
    assert typed("run", "small.toml").returncode == 0
    assert len(rows()) == TRIALS


def test_an_unwritable_folder_is_one_line_and_exit_code_5(folder):
    Path("results/small/trials.sqlite").mkdir(parents=True)
    run = typed("run", "small.toml")
    assert (run.returncode, run.stdout) == (5, "")
    assert run.stderr.startswith("adaptive-kmeans: results/small/trials.sqlite: expected a store")
    assert run.stderr.count("\n") == 1
    Path("plain").touch()
    run = typed("run", "small.toml", "--results", "plain")
    assert run.returncode == 5
    assert run.stderr.count("\n") == 1


def test_failed_trials_are_printed_at_once_and_exit_with_code_6(folder):
    Path("half.png").write_bytes(Path("cat.png").read_bytes()[:1000])
    run = typed("run", "small.toml")
    assert run.returncode == 6
    assert "failed: half, regular k = 2 4×4 deflate: " in run.stderr
    assert f"{TRIALS} trials failed, the first with: " in run.stderr
    assert len(rows()) == TRIALS
    assert f"{TRIALS} trials failed:" in Path("results/small/table.md").read_text()


def test_a_baseline_without_its_library_is_skipped_and_printed(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "oxipng", None)
    run = typed("run", "small.toml", "--set", 'methods.2.codec=["jpeg", "png"]', "--set",
                "methods.2.quality=[50]")  # fmt: skip
    assert run.returncode == 2  # png has no quality
    extra = '[[methods]]\nmethod = "baseline"\ncodec = "png"\n'
    Path("small.toml").write_text(CONFIG + extra)
    run = typed("run", "small.toml")
    assert run.returncode == 0
    assert "skipped: png: library pyoxipng: expected it to be installed" in run.stderr
    assert len(rows()) == TRIALS


def test_report_and_reproduce_without_results_are_one_line(folder):
    for command in ("report", "reproduce"):
        arguments = ["nowhere"] if command == "report" else ["--results", "nowhere"]
        run = typed(command, *arguments)
        assert (run.returncode, run.stdout) == (5, "")
        assert run.stderr.startswith("adaptive-kmeans: nowhere: expected a folder of ")


@pytest.mark.long
def test_reproduce_prints_a_line_for_every_experiment(folder, photo):
    for name in ("damaged", "small", "tableless"):
        typed("run", "small.toml", "--set", f"name={name}")
    Path("results/damaged/environment.json").write_text("{}")
    Path("results/tableless/table.csv").unlink()
    again = typed("reproduce", "--images", "cat.png")
    assert again.returncode == 6
    lines = again.stdout.splitlines()
    assert lines[0] == "damaged: 0 rows confirmed, 1 differs, 0 without their image"
    assert lines[1].startswith("  failed: KeyError: ")
    assert lines[2] == f"small: {TRIALS} rows confirmed, 0 differ, 0 without their image"
    assert lines[3] == "tableless: 0 rows confirmed, 1 differs, 0 without their image"
    assert "table.csv: expected a file that can be read" in lines[4]
    assert again.stderr.splitlines()[:3] == [
        "damaged: experiment 1 of 3",
        "small: experiment 2 of 3",
        "tableless: experiment 3 of 3",
    ]


@pytest.mark.long
def test_reproduce_distinguishes_missing_libraries_from_failed_trials(folder, monkeypatch):
    pytest.importorskip("oxipng")
    extra = '[[methods]]\nmethod = "baseline"\ncodec = "png"\n'
    Path("small.toml").write_text(CONFIG + extra)
    assert typed("run", "small.toml").returncode == 0
    monkeypatch.setitem(sys.modules, "oxipng", None)
    again = typed("reproduce", "--images", "cat.png")
    assert again.returncode == 0, again.stderr
    assert again.stdout == (
        f"small: {TRIALS} rows confirmed, 0 differ, 0 without their image, 1 left out (png)\n"
    )
    Path("oxipng.py").write_text("def optimize_from_memory(*_, **__): raise ValueError('broken')")
    again = typed("reproduce", "--images", "cat.png", cwd=folder)
    assert again.returncode == 6
    lines = again.stdout.splitlines()
    assert lines[0] == f"small: {TRIALS} rows confirmed, 2 differ, 0 without their image"
    assert lines[1].startswith("  failed: ")
    assert lines[1].endswith("ValueError: broken (oxipng.py, line 1)")
    assert lines[2:] == ["  cat png: not measured"]
    assert again.stderr.count("cat, png: ") == 1


def test_a_dry_run_counts_jobs_failures_and_unreadable_images(folder):
    Path("broken.png").write_bytes(b"no image")
    dry = typed("run", "small.toml", "--dry-run", "--jobs", "7")
    assert dry.returncode == 0, dry.stderr
    assert dry.stdout.startswith(f"small: {2 * TRIALS} trials, 0 finished; the rest will take ")
    assert dry.stdout.endswith(", 7 at a time\n")
    assert typed("run", "small.toml").returncode == 6
    counted = f"small: {2 * TRIALS} trials, {TRIALS} finished, {TRIALS} failed; the rest will take "
    dry = typed("run", "small.toml", "--dry-run")
    assert dry.stdout.startswith(counted + "about 0 s")
    dry = typed("run", "small.toml", "--dry-run", "--images", "broken.png", "--retry-failed")
    assert dry.returncode == 2  # the folder has results of other images
    assert "small has results: expected a run of the same" in dry.stderr
    dry = typed("run", "small.toml", "--dry-run", "--images", "broken.png", "--retry-failed", "-f")
    assert dry.stdout == (
        f"small: {TRIALS} trials, 0 finished, {TRIALS} failed; no time estimate: "
        "the trials that were tried failed\n"
    )


def test_a_dry_run_foresees_what_will_fail(folder, photo):
    Path("broken.png").write_bytes(b"no image")
    alpha = Image.fromarray(photo).convert("RGBA")
    alpha.putalpha(128)
    alpha.save("veil.png")
    dry = typed("run", "small.toml", "--dry-run")
    assert dry.returncode == 0
    lines = dry.stderr.splitlines()
    assert [line[:19] for line in lines] == ["will fail: broken.p", "will fail: veil, jp"]
    dry = typed("run", "small.toml", "--dry-run", "--images", "veil.png", "--background", "white")
    assert (dry.returncode, dry.stderr) == (0, "")
    run = typed("run", "small.toml", "--images", "veil.png", "--background", "white")
    assert (run.returncode, run.stderr) == (0, "")
    assert len(rows()) == TRIALS


def test_a_dry_run_of_a_million_trials_makes_few_of_them(folder, monkeypatch):
    made = []
    of = codec.Settings.regular
    monkeypatch.setattr(codec.Settings, "regular", lambda **each: made.append(1) or of(**each))
    ks, seeds = list(range(2, 1002)), list(range(1000))
    changes = [f"methods=[{{method='regular', coder='deflate', k={ks}, seed={seeds}}}]"]
    said = estimate(Path("small.toml"), changes=changes)
    assert said.startswith("small: 1,000,000 trials, 0 finished; the rest will take about ")
    assert len(made) < 3000


def without_columns(*names: str) -> None:
    """Rewrite a store as a version without some columns would have written it."""
    stored_rows(lambda row: {name: cell for name, cell in row.items() if name not in names})


def stored_rows(change: Callable[[dict], dict]) -> None:
    """Rewrite the rows of a store."""
    with contextlib.closing(sqlite3.connect("results/small/trials.sqlite")) as database, database:
        entries = database.execute("SELECT key, state, rows, errors, seconds FROM trials")
        for key, state, rows, errors, seconds in entries.fetchall():
            text = json.dumps([change(row) for row in json.loads(rows)])
            checksum = store._checksum(key, state, text, errors, seconds)
            values = (text, checksum, key)
            database.execute("UPDATE trials SET rows = ?, checksum = ? WHERE key = ?", values)


def test_report_on_results_without_a_page_is_one_line(folder):
    def said(path: str) -> str:
        run = typed("report", path)
        assert run.returncode in (5, 6)
        assert run.stdout == ""
        assert run.stderr.count("\n") == 1
        return run.stderr

    Path("empty").mkdir()
    assert "empty: expected a folder of results, with trials.sqlite or table.csv" in said("empty")
    Path("study").mkdir()
    Path("study/config.toml").write_text(
        'kind = "elbow"\nname = "study"\nimages = ["cat.png"]\nk = [2, 4]\n'
    )
    assert "study: expected a folder of results" in said("study")
    assert typed("run", "small.toml").returncode == 0
    without_columns("ciede2000")
    assert typed("report", "results").returncode == 0
    without_columns("bytes")
    assert "results/small/trials.sqlite: expected rows of this version; " in said("results")
    with contextlib.closing(sqlite3.connect("results/small/trials.sqlite")) as database, database:
        database.execute("UPDATE trials SET state = 'waiting', checksum = NULL")
    assert "results/small: expected trials that are finished, received none" in said("results")


def test_a_report_of_all_results_goes_on_after_a_folder_that_cannot_be_shown(folder):
    for name in ("small", "zoo"):
        assert typed("run", "small.toml", "--set", f"name={name}").returncode == 0
    without_columns("bytes")
    run = typed("report", "results")
    assert (run.returncode, run.stdout) == (5, "results/zoo/report.html\n")
    assert "small/trials.sqlite: expected rows of this version; " in run.stderr
    assert run.stderr.count("\n") == 1


def test_a_column_of_a_plug_in_that_is_not_installed_is_named(folder):
    assert typed("run", "small.toml").returncode == 0
    stored_rows(lambda row: {**row, "largest_error": 3.0})
    run = typed("report", "results")
    assert run.returncode == 5
    assert run.stderr.endswith(
        "results/small/trials.sqlite: expected only what this version and installed plug-ins know, "
        "received the column largest_error, perhaps of a plug-in that is not installed\n"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("kind=5", "kind: expected one of compression, classifiers, clustering-speed, coder-"),
        ("kind=['elbow']", "kind: expected one of compression, classifiers, clustering-speed, "),
        ('methods=[{method="rgular"}]', "methods.0.method: expected one of regular, rate-dist"),
        ("methods=[{k=3}]", "missing key methods.0.method"),
    ],
)
def test_an_unknown_kind_or_method_is_one_line_with_the_known_ones(folder, change, message):
    run = typed("run", "small.toml", "--set", change)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"adaptive-kmeans: small.toml: {message}")
    assert run.stderr.count("\n") == 1
    assert "lambda" not in run.stderr


def test_an_unknown_anchor_is_noted(folder):
    run = typed("run", "small.toml", "--set", "figures.anchor=reguler")
    assert run.returncode == 0
    assert run.stderr == (
        "note: no comparison: figures.anchor is reguler, and the series are "
        "regular; variance; jpeg\n"
    )


def test_series_of_few_files_are_noted(folder):
    run = typed("run", "small.toml", "--set", "methods.2.quality=[30, 60]")
    assert run.returncode == 0
    few = "fewer than 3 files of each image"
    assert run.stderr == f"note: not compared, because they have {few}: jpeg\n"


def test_names_with_brackets_are_printed_unchanged(folder):
    Path("cat.png").rename("x[red]y[0].png")
    run = typed("run", "small.toml")
    assert run.returncode == 0
    assert "all: image x[red]y[0]" in run.stdout
    assert "% all: image x[red]y[0]\n" in Path("results/small/table.tex").read_text()
