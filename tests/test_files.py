import contextlib
import errno
import fnmatch
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adaptive_kmeans import files
from adaptive_kmeans.datasets import EXTENSIONS
from adaptive_kmeans.errors import LimitError, OutputError, ReadError
from adaptive_kmeans.files import (
    check_target,
    is_taken,
    make_folder,
    read_bytes,
    write_bytes,
)

OLD, NEW = b"old content", b"new content" * 1000


def test_a_file_is_written_whole_with_the_usual_rights(tmp_path):
    (tmp_path / "usual").touch()
    write_bytes(tmp_path / "new", b"abc")
    assert (tmp_path / "new").read_bytes() == b"abc"
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["new", "usual"]


def test_a_full_disk_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="no space left"):
        write_bytes("/dev/full", b"abc")


CALLS = ("open", "write", "fchmod", "fsync", "replace", "link", "close")
"""Calls of the system while an output is written, by their names in `os`."""


def fail_at(monkeypatch, call: str, error: BaseException) -> None:
    """Let one kind of call fail, wherever it stands; `Path` uses the same functions of `os`."""

    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(os, call, failing)


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("call", CALLS)
def test_a_failing_call_leaves_the_old_file_or_the_new_one(tmp_path, monkeypatch, call, replace):
    target = tmp_path / "target.png"
    if replace:
        target.write_bytes(OLD)
    before = OLD if replace else None
    with monkeypatch.context() as patched:
        fail_at(patched, call, OSError(errno.ENOSPC, "No space left on device"))
        with contextlib.suppress(OutputError):
            write_bytes(target, NEW, replace=replace)
    after = target.read_bytes() if target.exists() else None
    assert after in (before, NEW)
    if call in ("open", "write", "fsync"):
        assert after == before
    write_bytes(target, b"next")
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call):
    target = tmp_path / "target.bin"
    target.write_bytes(OLD)
    with monkeypatch.context() as patched:
        fail_at(patched, call, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            write_bytes(target, NEW)
    assert target.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [target]


def in_child(call, target: Path, at_line: int) -> bool:
    """Write in a child process and act at the n-th line of `files.py`; tell if it got so far."""
    child = os.fork()
    if child == 0:
        count = 0

        def trace(frame, event, _):
            nonlocal count
            if frame.f_code.co_filename != files.__file__:
                return None
            if event == "line":
                count += 1
                if count == at_line:
                    call()
            return trace

        os.fsync = lambda _: None  # which would take most of the time
        with contextlib.suppress(OSError):
            sys.settrace(trace)
            write_bytes(target, NEW)
        os._exit(count >= at_line)
    return os.waitpid(child, 0)[1] != 0


def refuse() -> None:
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("what", ["kill", "error"])
def test_whatever_happens_at_any_line_the_target_is_whole(tmp_path, what):
    call = refuse if what == "error" else lambda: os.kill(os.getpid(), signal.SIGKILL)
    target = tmp_path / "target.png"
    found = set()
    target.write_bytes(OLD)
    line = 1
    while in_child(call, target, line):
        found.add(target.read_bytes())
        target.write_bytes(OLD)
        line += 1
    assert line > 30
    assert found == {OLD, NEW}
    write_bytes(target, NEW)
    assert list(tmp_path.iterdir()) == [target]


def test_temporary_files_are_like_no_image_and_the_next_write_removes_them(tmp_path):
    target = tmp_path / ("é" * 120 + ".png")  # 244 bytes, and every name up to 255 is legal
    target.write_bytes(OLD)
    waiting = (
        "import os, sys, time; from pathlib import Path; from adaptive_kmeans import files\n"
        "def stuck(*_): print('stuck', flush=True); time.sleep(60)\n"
        "os.fsync = stuck\n"
        "files.write_bytes(Path(sys.argv[1]), b'half')"
    )
    child = subprocess.Popen([sys.executable, "-c", waiting, target], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"stuck\n"
    (left,) = {entry.name for entry in tmp_path.iterdir()} - {target.name}
    assert not any(fnmatch.fnmatch(left, f"*{extension}*") for extension in (*EXTENSIONS, ".akm"))
    write_bytes(tmp_path / "other", b"")
    assert (tmp_path / left).exists()  # its writer lives
    child.kill()
    child.communicate()
    assert (tmp_path / left).exists()
    write_bytes(tmp_path / "other", b"")
    assert {entry.name for entry in tmp_path.iterdir()} == {target.name, "other"}
    assert target.read_bytes() == OLD


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_a_replaced_file_keeps_its_mode(tmp_path, mode):
    target = tmp_path / "file"
    target.write_bytes(OLD)
    target.chmod(mode)
    write_bytes(target, NEW)
    assert target.stat().st_mode & 0o7777 == mode
    assert target.read_bytes() == NEW


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    (tmp_path / "taken").write_bytes(OLD)
    with pytest.raises(OutputError, match="expected a name that is not taken"):
        write_bytes(tmp_path / "taken", NEW, replace=False)
    assert (tmp_path / "taken").read_bytes() == OLD
    write_bytes(tmp_path / "free", NEW, replace=False)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["free", "taken"]


def test_links_that_lead_to_each_other_are_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for function in (check_target, is_taken, lambda path: write_bytes(path, NEW)):
        with pytest.raises(OutputError, match="symbolic links"):
            function(tmp_path / "a")
    assert (tmp_path / "a").is_symlink()


def test_targets_are_checked_without_being_touched(tmp_path):
    check_target(tmp_path / "new")
    (tmp_path / "old").write_bytes(OLD)
    check_target(tmp_path / "old")
    check_target("/dev/null")
    check_target("-")
    assert [entry.name for entry in tmp_path.iterdir()] == ["old"]
    assert (is_taken(tmp_path / "old"), is_taken(tmp_path / "new")) == (True, False)
    assert not is_taken("/dev/null")
    with pytest.raises(OutputError, match="file name too long"):
        check_target(tmp_path / ("a" * 300))
    with pytest.raises(OutputError, match="no such file"):
        check_target(tmp_path / "none" / "file")


def test_a_large_file_of_another_kind_is_refused_by_its_start(tmp_path):
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(3 * 2**30)

    def refuse_start(start: bytes) -> None:
        raise ValueError(start)

    start = time.process_time()
    with pytest.raises(ValueError, match="x00"):
        read_bytes(large, 2**32, check_start=refuse_start)
    with pytest.raises(LimitError):
        read_bytes(large, 2**31)
    assert time.process_time() - start < 0.1  # reading gigabytes takes longer


def test_a_link_is_followed(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("file")
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="expected a file, received a folder"):
        write_bytes(tmp_path, b"")
    with pytest.raises(OutputError, match="no such file or directory"):
        write_bytes(tmp_path / "none" / "file", b"")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="not a directory"):
        write_bytes(tmp_path / "file" / "below", b"")
    with pytest.raises(OutputError, match="a folder that can be written"):
        make_folder(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_file_is_kept(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(0o400)
    with pytest.raises(OutputError, match="read-only"):
        write_bytes(tmp_path / "file", b"new")


def test_a_name_as_long_as_the_system_allows(tmp_path):
    write_bytes(tmp_path / ("a" * 251 + ".akm"), b"abc")
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"abc"]


def test_reading_has_a_limit(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert read_bytes(tmp_path / "file", 5) == b"12345"
    with pytest.raises(LimitError, match="at most 4 bytes"):
        read_bytes(tmp_path / "file", 4)
    with pytest.raises(ReadError, match="no such file"):
        read_bytes(tmp_path / "none", 4)
