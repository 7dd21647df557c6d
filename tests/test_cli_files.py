"""Many files, on the command line: which outputs they have, what fails, and what is left alone."""

import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import adaptive_kmeans as akm
from adaptive_kmeans.cli import manual
from adaptive_kmeans.errors import AdaptiveKMeansError

FAST = ("--k", "4", "--coder", "deflate")


@pytest.fixture
def many(folder, photo):
    """Three photographs, one of them in a folder below, a text and a truncated image."""
    Path("set/below").mkdir(parents=True)
    for name, picture in (("a.png", photo), ("b.bmp", photo[8:]), ("below/a.png", photo[16:])):
        Image.fromarray(picture).save(Path("set", name))
    Path("set/notes.txt").write_text("not an image")
    Path("set/.hidden.png").write_text("not for us")
    Path("set/half.png").write_bytes(Path("cat.png").read_bytes()[:3000])
    return folder


def names(place: str) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in Path(place).rglob("*") if path.is_file())


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_folder_gives_a_tree_and_what_fails_is_a_line(many, command, jobs, photo):
    line = ("compress", "set", "--output-dir", "out", "--jobs", jobs, *FAST)
    code, out, err = command(*line)
    assert code == 6
    assert names("out") == ["a.akm", "b.akm", "below/a.akm"]
    assert sorted(line.partition(": ")[0] for line in err.splitlines()) == [
        "adaptive-kmeans",
        "set/notes.txt",
    ]
    assert "set/half.png: expected a whole, undamaged image" in err
    assert [line.partition(":")[0] for line in sorted(out.splitlines())[:3]] == [
        "out/a.akm",
        "out/b.akm",
        "out/below/a.akm",
    ]
    assert "written" in out
    data = akm.encode(photo, akm.Settings.regular(4, coder="deflate"))
    assert Path("out/a.akm").read_bytes() == data

    code, out, err = command("decompress", "out", "--output-dir", "back", "--to", "bmp")
    assert (code, err) == (0, "")
    assert names("back") == ["a.bmp", "b.bmp", "below/a.bmp"]
    assert np.array_equal(akm.load("back/a.bmp"), akm.decode(data))


def test_outputs_stand_beside_their_inputs_and_are_no_inputs_later(many, command):
    Path("set/half.png").unlink()
    assert command("compress", "set", *FAST)[0] == 0
    assert Path("set/below/a.akm").exists()
    before = {name: Path("set", name).stat().st_mtime_ns for name in names("set")}
    code, out, err = command("compress", "set", *FAST)
    assert (code, out) == (2, "")
    assert "received set/a.akm and 2 more, which exist\n" in err
    Path("set/b.akm").unlink()
    code, out, err = command("compress", "set", *FAST, "--skip-existing")
    assert code == 0
    assert "set/a.png: skipped, set/a.akm exists\n" in err
    after = {name: Path("set", name).stat().st_mtime_ns for name in names("set")}
    assert {name for name in after if after[name] != before.get(name)} == {"b.akm"}
    assert command("compress", "set", *FAST, "--force")[0] == 0
    # a pattern of the shell may give one image and one output that is there by chance
    assert command("compress", "set/a.png", "set/b.akm")[0] == 2


def test_conflicts_are_found_before_anything_is_written(many, command):
    for inputs in (("set", "set/below"), ("set/a.png", "set/below/a.png")):
        code, out, err = command("compress", *inputs, "--output-dir", "out", *FAST)
        assert (code, out) == (2, "")
        assert "outputs: expected a different one for each input, received out/" in err
        assert not Path("out").exists()


def test_a_file_named_like_standard_input_is_a_file(command):
    Path("cat.png").rename("-")
    code, _, err = command("compress", ".", *FAST)
    assert (code, err) == (0, "")
    assert Path("-.akm").exists()


def test_json_of_one_skipped_file_is_that_of_many(command):
    Path("cat.akm").touch()
    code, out, err = command("compress", "cat.png", "--skip-existing", "--json")
    assert (code, err) == (0, "cat.png: skipped, cat.akm exists\n")
    facts = json.loads(out)
    assert (facts["files"], facts["errors"], facts["totals"]["skipped"]) == ([], [], 1)


def test_what_pillow_logs_is_not_printed(folder):
    Image.open("cat.png").save("cat.tif")
    data = bytearray(Path("cat.tif").read_bytes())
    start = int.from_bytes(data[4:8], "little")
    entry = data.index(b"\x15\x01\x03\0", start)  # samples per pixel
    data[entry + 8] = 99
    Path("cat.tif").write_bytes(data)
    run = [sys.executable, "-m", "adaptive_kmeans", "compress", "cat.tif"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr.startswith("adaptive-kmeans: cat.tif: expected an image: PNG")
    assert done.stderr.count("\n") == 1


def test_json_of_many_files(many, command):
    code, out, _ = command("compress", "set", "--output-dir", "out", "--json", *FAST)
    facts = json.loads(out)
    assert code == 6
    written = ["out/a.akm", "out/b.akm", "out/below/a.akm"]
    assert [file["output"] for file in facts["files"]] == written
    assert None not in facts["files"][0].values()
    assert "detail" not in facts["files"][0]
    assert len(facts["errors"]) == 1
    totals = facts["totals"]
    assert [totals[name] for name in ("written", "skipped", "failed")] == [3, 1, 1]
    assert totals["bytes"] == sum(Path("out", name).stat().st_size for name in names("out"))


def test_quiet_prints_errors_alone(many, command):
    code, out, err = command("compress", "set", "--output-dir", "out", "--quiet", *FAST)
    assert (code, out) == (6, "")
    assert err.count("\n") == 1
    assert command("compress", "-q", "cat.png", *FAST) == (0, "", "")
    assert command("decompress", "-q", "cat.akm", "back.png") == (0, "", "")


def test_a_target_that_cannot_be_written_is_found_before_the_work(command, monkeypatch):
    def unexpected(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("adaptive_kmeans.codec.encode_with_reconstruction", unexpected)
    assert command("compress", "cat.png", "none/a.akm")[0] == 5
    assert command("compress", "cat.png", "--output-dir", "cat.png/out")[0] == 5
    monkeypatch.setattr("adaptive_kmeans.codec.decode", unexpected)
    assert command("decompress", "cat.akm", "none/a.png")[0] == 5


def test_a_file_that_is_no_smaller_is_said_and_skipped_if_asked(command):
    Image.new("RGB", (2, 2)).save("tiny.png")
    code, _, err = command("compress", "tiny.png", *FAST)
    assert code == 0
    assert err.startswith("note: tiny.akm: ")
    assert "not smaller than the input's" in err
    Path("tiny.akm").unlink()
    code, out, err = command("compress", "tiny.png", "--skip-if-larger", *FAST)
    assert (code, out) == (98, "")
    assert err.startswith("adaptive-kmeans: tiny.akm: expected fewer bytes than the input's")
    assert not Path("tiny.akm").exists()
    code, _, err = command("compress", "tiny.png", "cat.png", "--skip-if-larger", *FAST)
    assert (code, err.count("\n")) == (98, 1)
    assert Path("cat.akm").exists()


NAMES = [
    b"new\nline.png",
    b"\xff\xfe.png",
    b"tab\t\x1b[31m.png",
    b"[red]x.png",
    "é€😀.png".encode(),
]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_works_and_its_lines_stay_lines(command, name):
    source = os.fsdecode(name)
    Path("cat.png").rename(source)
    file = source.replace(".png", ".akm")
    for line in (
        ["compress", source, *FAST],
        ["compress", source, *FAST, "--force", "--json"],
        ["info", file],
        ["info", file, file],
        ["decompress", file, "back.png"],
        ["compare", source, "--k1", "2", "--k2", "3", "--coder", "deflate"],
        ["elbow", source, "--coder", "deflate"],
    ):
        code, out, err = command(*line)
        assert (code, err) == (0, "")
        if line[0] == "decompress" or line == ["compress", source, *FAST]:
            assert out.count("\n") == 1
        assert out.replace("\n", "").isprintable()
    for line in (["compress", "none" + source], ["info", source], ["compress", source]):
        code, out, err = command(*line)
        assert code in (2, 3, 5)
        assert out == ""
        assert err.startswith("adaptive-kmeans: ")
        assert err.count("\n") == 1


def test_bytes_of_no_character_are_printed_by_a_real_process(folder):
    Path("cat.png").rename(os.fsdecode(b"\xff.png"))
    run = [sys.executable, "-m", "adaptive_kmeans", "compress", b"\xff.png", *FAST]
    done = subprocess.run(run, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"\\xff.akm: PNG of ")


def test_killed_and_restarted_all_files_are_whole_and_nothing_is_left(folder, photo):
    Path("set").mkdir()
    for number in range(12):
        Image.fromarray(np.roll(photo, number, 1)).save(f"set/{number}.png")
    run = [sys.executable, "-m", "adaptive_kmeans", "compress", "set", "--output-dir", "out"]
    run += ["--jobs", "1", "--skip-existing", *FAST]
    for wait_s in (0.0, 0.02, 0.04):
        count = len(list(Path("out").glob("*.akm"))) if Path("out").exists() else 0
        killed = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while killed.poll() is None and time.monotonic() < end:
            if Path("out").exists() and len(list(Path("out").glob("*.akm"))) > count:
                break
            time.sleep(0.005)
        time.sleep(wait_s)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert subprocess.run(run, capture_output=True).returncode == 0
    assert names("out") == sorted(f"{number}.akm" for number in range(12))
    for number in range(12):
        assert len(akm.decode(Path(f"out/{number}.akm").read_bytes())) == len(photo)


def test_overwriting_keeps_the_mode(command):
    Path("cat.akm").touch(mode=0o600)
    assert command("compress", "cat.png", "--force", *FAST)[0] == 0
    assert stat.S_IMODE(Path("cat.akm").stat().st_mode) == 0o600


def test_info_of_many_files_is_a_row_each_and_reads_little(command):
    command("compress", "cat.png", "a.akm", *FAST)
    Path("b.akm").write_bytes(Path("a.akm").read_bytes())
    Path("c.akm").write_text("something else")
    code, out, err = command("info", ".")
    assert code == 6
    assert "a.akm" in out
    assert "b.akm" in out
    assert err.count("\n") == 1
    assert err.startswith("adaptive-kmeans: c.akm: signature: expected")
    facts = json.loads(command("info", "a.akm", "b.akm", "--json")[1])
    assert [each["file"] for each in facts] == ["a.akm", "b.akm"]
    data = bytearray(Path("a.akm").read_bytes())
    data[-30] ^= 1  # in the indices
    Path("a.akm").write_bytes(data)
    assert "all checksums" not in command("info", "a.akm")[1]
    code, _, err = command("info", "--verify", "a.akm")
    assert code == 3
    assert "CRC-32" in err
    assert "all checksums hold" in command("info", "--verify", "b.akm")[1]


def test_info_and_decompress_take_the_same_files_of_a_folder(command):
    command("compress", "cat.png", "set.akm", *FAST)
    Path("set").mkdir()
    for name in ("a.akm", "B.AKM", ".hidden.akm"):
        Path("set", name).write_bytes(Path("set.akm").read_bytes())
    facts = json.loads(command("info", "set", "--json")[1])
    assert [each["file"] for each in facts] == ["set/B.AKM", "set/a.akm"]
    assert command("decompress", "set", "--output-dir", "out")[0] == 0
    assert names("out") == ["B.png", "a.png"]


def test_info_refuses_a_large_file_of_another_kind_by_its_start(command):
    with Path("large.akm").open("wb") as file:
        file.truncate(3 * 2**30)
    start = time.process_time()
    for line in (["info"], ["info", "--verify"], ["decompress"], ["compress", "-o", "x.akm"]):
        code, _, err = command(*line, "large.akm")
        assert code == 3
        assert err.count("\n") == 1
    assert time.process_time() - start < 1.0


def test_standard_streams_of_info(folder):
    run = [sys.executable, "-m", "adaptive_kmeans", "info", "-"]
    data = akm.encode(np.zeros((4, 4, 3), np.uint8), akm.Settings.regular(2, coder="deflate"))
    done = subprocess.run(run, input=data, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().startswith("-: 4×4 pixels")


def test_h_is_help_and_the_shell_completes(command):
    assert command("compress", "-h") == command("compress", "--help")
    assert command("-h")[0] == 0
    asked = {"COMP_WORDS": "adaptive-kmeans comp", "COMP_CWORD": "1"}
    for task, found in (("complete", "compress"), ("source", "complete -o default -F")):
        done = subprocess.run(
            [sys.executable, "-m", "adaptive_kmeans"],
            capture_output=True,
            text=True,
            env={**os.environ, **asked, "_ADAPTIVE_KMEANS_COMPLETE": f"{task}_bash"},
        )
        assert found in done.stdout


def test_the_manual_page_explains_the_code_of_every_error():
    assert {kind.exit_code for kind in subclasses(AdaptiveKMeansError)} <= set(manual.CODES)


def subclasses(kind: type) -> list[type]:
    return [each for below in kind.__subclasses__() for each in (below, *subclasses(below))]


def test_the_manual_page_has_every_option_and_exit_code(command):
    code, page, _ = command("man")
    assert code == 0
    assert page.startswith(".TH ADAPTIVE-KMEANS 1 ")
    for word in (r"\-\-skip\-if\-larger", r"\-\-output\-dir", r"\-\-quality", "reproduce", ".B 98"):
        assert word in page
    texts = " ".join(command("compress", "--help")[1].split())
    assert "Decode the file before writing it, and compare." in texts
    assert "Decode the file before writing it, and compare." in page
    assert not [line for line in io.StringIO(page) if line.startswith("'")]


def test_a_table_in_a_pipe_is_as_wide_as_its_names(command, photo):
    name = "a" * 70
    akm.save(f"{name}.png", photo)
    command("compress", f"{name}.png", *FAST)
    out = command("info", f"{name}.akm", f"{name}.akm")[1]
    assert out.count(f"{name}.akm") == 2
    assert "deflate" in out


def test_a_median_that_splits_nothing_is_said(command):
    screen = np.full((64, 64, 3), 200, np.uint8)
    screen[:8, :8] = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    akm.save("screen.png", screen)
    said = "100 % of the blocks are in one region; --threshold otsu may split them"
    code, _, err = command("compress", "screen.png", "--k1", "2", "--k2", "4")
    assert (code, err) == (0, f"note: screen.akm: {said}\n")
    code, out, err = command("info", "screen.akm")
    assert "regions: 0.0 % of the blocks low detail, 100.0 % high detail" in out
    assert err == f"note: screen.akm: {said}\n"
    assert f"screen: {said}" in command("compare", "screen.png", "--k1", "2", "--k2", "4")[2]
    line = ("compress", "screen.png", "split.akm", "--k1", "2", "--k2", "4", "--threshold", "otsu")
    assert command(*line)[2] == ""
