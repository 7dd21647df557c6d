import os
from pathlib import Path

import pytest

from adaptive_kmeans.errors import LimitError, OutputError, ReadError
from adaptive_kmeans.files import make_folder, read_bytes, replacing, write_bytes


def test_a_file_is_written_whole_with_the_usual_rights(tmp_path):
    (tmp_path / "usual").touch()
    write_bytes(tmp_path / "new", b"abc")
    assert (tmp_path / "new").read_bytes() == b"abc"
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["new", "usual"]


def test_what_fails_halfway_leaves_nothing_and_harms_nothing(tmp_path):
    target = tmp_path / "target.bin"
    target.write_bytes(b"old")

    def interrupted() -> None:
        with replacing(target) as part:
            part.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="no space left"):
        write_bytes("/dev/full", b"abc")


def test_a_full_disk_halfway_keeps_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "target.bin"
    target.write_bytes(b"old")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="received no space left on device"):
        write_bytes(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


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
