import hashlib
import http.server
import io
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaptive_kmeans import datasets
from adaptive_kmeans.datasets import BUNDLED, KODAK, ImageSource, RemoteSet, find_images
from adaptive_kmeans.errors import ConfigError, MissingDependencyError, ReadError


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def remote(tmp_path, monkeypatch, photo):
    """A set of two images on a local server; its folder, for what goes wrong there."""
    folder = tmp_path / "served"
    folder.mkdir()
    lines = []
    for i in range(2):
        file = io.BytesIO()
        Image.fromarray(np.roll(photo, i, axis=1)).save(file, "PNG")
        (folder / f"{i}.png").write_bytes(file.getvalue())
        lines.append(f"{hashlib.sha256(file.getvalue()).hexdigest()}  {i}.png")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setitem(datasets.REMOTE, "far", RemoteSet(url, "\n".join(lines)))
    monkeypatch.setenv("ADAPTIVE_KMEANS_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_set_is_downloaded_once_and_checked(remote, photo):
    found = find_images(["far"])
    assert [(source.name, source.set_name) for source in found] == [("0", "far"), ("1", "far")]
    assert (found[0].load() == photo).all()
    for served in remote.iterdir():
        served.unlink()
    assert find_images(["far"]) == found


def test_a_download_with_another_checksum_is_refused_and_not_kept(remote, tmp_path):
    (remote / "1.png").write_bytes(b"something else")
    with pytest.raises(ReadError, match=r"far, 1\.png: .* a folder far with the images, received"):
        find_images(["far"])
    assert [path.name for path in (tmp_path / "data" / "far").iterdir()] == ["0.png"]


def test_a_damaged_download_is_fetched_again(remote, tmp_path, photo):
    find_images(["far"])
    (tmp_path / "data" / "far" / "0.png").write_bytes(b"damaged")
    assert (find_images(["far"])[0].load() == photo).all()


def test_a_server_that_does_not_answer_is_one_line(monkeypatch, remote):
    monkeypatch.setitem(datasets.REMOTE, "far", RemoteSet("http://127.0.0.1:9/", "00  0.png"))
    with pytest.raises(ReadError, match=r"far, 0\.png: expected a download from .*, received \w+"):
        find_images(["far"])


def test_a_folder_of_that_name_is_used_instead_of_a_download(remote, photo):
    Path("far").mkdir()
    Image.fromarray(photo).save("far/own.png")
    assert [source.name for source in find_images(["far"])] == ["own"]


def test_the_missing_download_library_is_named(remote, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'adaptive-kmeans\[download\]'"):
        find_images(["far"])


def test_the_checksums_of_kodak_are_those_of_its_files(shared_images):
    hashes = KODAK.hashes()
    assert list(hashes) == [f"kodim{i:02}.png" for i in range(1, 25)]
    for name, sha256 in hashes.items():
        data = (shared_images / "kodak" / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == sha256


def test_bundled_images_need_no_download(monkeypatch):
    monkeypatch.setattr("socket.socket", None)
    for name in BUNDLED:
        pixels = ImageSource(name).load()
        assert pixels.dtype == np.uint8
        assert pixels.shape[2] == 3


def test_images_are_found_by_name_file_folder_and_glob(tmp_path, monkeypatch, photo):
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        Image.fromarray(photo).save(f"{name}.png")
    assert [source.name for source in find_images(["chelsea", "a.png"])] == ["chelsea", "a"]
    assert [source.name for source in find_images(["."])] == ["a", "b"]
    assert [source.name for source in find_images([str(tmp_path / "*.png")])] == ["a", "b"]
    assert len(find_images(["bundled"])) == len(BUNDLED)
    with pytest.raises(
        ConfigError, match=r"a different name for each image, received a twice: a\.png"
    ):
        find_images(["a.png", "."])
    for nothing in ("", "c.png", "*.gif"):
        with pytest.raises(ConfigError, match="expected an image file, a folder or glob"):
            find_images([nothing])
