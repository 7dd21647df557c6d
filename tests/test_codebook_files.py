"""Colors in files: what is written is read back, and what cannot be right is refused."""

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adaptive_kmeans as akm
from adaptive_kmeans import codebook_files, exports
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, FormatError, LimitError


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read_bytes(name: str, data: bytes) -> codebook_files.GivenColors:
    Path(name).write_bytes(data)
    return codebook_files.read(name)


@pytest.mark.parametrize("name", codebook_files.WRITABLE)
@pytest.mark.parametrize("sizes", [(1,), (16,), (4096,), (3, 7)])
def test_written_colors_are_read_back_in_their_order(name, sizes, random):
    codes = random.choice(1 << 24, sum(sizes), replace=False)
    colors = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)
    codebooks = np.split(colors, np.cumsum(sizes)[:-1])
    found = read_bytes(f"colors.{name}", codebook_files.write(name, codebooks))
    assert np.array_equal(found.colors, colors)
    assert not found.locked.any()


@pytest.mark.parametrize("chosen", [akm.Settings.regular(9), akm.Settings.published(3, 9)])
def test_files_that_hold_an_image_give_their_colors(photo, chosen):
    data = akm.encode(photo, chosen)
    quantized = akm.quantize(photo, chosen)
    colors = np.unique(np.concatenate(quantized.codebooks), axis=0)
    for name, file in {"image.akm": data, "image.npz": exports.npz(quantized)}.items():
        found = read_bytes(name, file).colors
        assert np.array_equal(np.unique(found, axis=0), colors)


def test_files_of_other_programs_are_read():
    gimp = b"GIMP Palette\r\nName: Brand: 2\r\n# by hand\r\n255 136   0 Sun red\r\n0 0 7\r\n"
    assert read_bytes("a.gpl", gimp).colors.tolist() == [[255, 136, 0], [0, 0, 7]]
    css = b"/* --no: #fff; */ :root{--sun:#F80;--gap: 4px; color: red} .x{--sea: rgb(0, 0, 7)}/*"
    assert read_bytes("a.css", css).colors.tolist() == [[255, 136, 0], [0, 0, 7]]
    csv = "\ufeffBlue,Name,red,green\n0,sun,255,136\n7,sea,0,0\n".encode()
    assert read_bytes("a.csv", csv).colors.tolist() == [[255, 136, 0], [0, 0, 7]]
    text = b'["#f80", [0, 0, 7], {"color": "white", "locked": true}, "#ff8800"]'
    found = read_bytes("a.json", text)
    assert found.colors.tolist() == [[255, 136, 0], [0, 0, 7], [255, 255, 255]]  # each once
    assert found.locked.tolist() == [False, False, True]


def archive(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(f"{name}.npy", data)
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header_of(shape: str, descr: str = "'|u1'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


class Bomb:
    """Ends the test if it is ever unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a file ran code",)


PICKLED = npy(np.array([[Bomb()]], dtype=object))
BAD = {
    "not.json": b"colors",
    "deep.json": b"[" * 100_000,
    "huge.json": b"[[" + b"9" * 5000 + b", 0, 0]]",
    "number.json": b"7",
    "object.json": b'{"colors": 3}',
    "empty.json": b"[]",
    "name.json": b'["rosy"]',
    "float.json": b"[[0, 0, 1.0]]",
    "bool.json": b"[[0, 0, true]]",
    "over.json": b"[[0, 0, 256]]",
    "short.json": b"[[0, 0]]",
    "alpha.json": b'["#11223344"]',
    "lock.json": b'[{"color": "red", "locked": 1}]',
    "lines.json": b'["a\\nb"]',
    "many.json": json.dumps([f"#{i:06x}" for i in range(4097)]).encode(),
    "bytes.gpl": b"GIMP Palette\n\xff\xfe 1 2 3",
    "first.gpl": b"1 2 3",
    "none.gpl": b"",
    "words.gpl": b"GIMP Palette\nred green blue",
    "over.gpl": b"GIMP Palette\n1 2 300",
    "empty.css": b"a { color: red }",
    "open.css": b"/*" * 100_000,
    "columns.csv": b"r,g,b\n1,2,3\n",
    "short.csv": b"red,green,blue\n1,2\n",
    "field.csv": b'red,green,blue\n1,2,"' + b"3" * 200_000,
    "text.npy": b"1 2 3",
    "float.npy": npy(np.zeros((4, 3))),
    "flat.npy": npy(np.zeros(12, np.uint8)),
    "rgba.npy": npy(np.zeros((3, 4), np.uint8)),
    "many.npy": npy(np.zeros((4097, 3), np.uint8)),
    "none.npy": npy(np.zeros((0, 3), np.uint8)),
    "cut.npy": npy(np.zeros((4, 3), np.uint8))[:-1],
    "shape.npy": header_of("(10**9, 3)"),
    "vast.npy": header_of("(1000000000000, 3)"),
    "minus.npy": header_of("(-1, 3)"),
    "pickled.npy": PICKLED,
    "plain-pickle.npy": pickle.dumps(Bomb()),
    "plain-pickle.npz": pickle.dumps(Bomb()),
    "pickled.npz": archive(codebook_0=PICKLED),
    "none.npz": archive(index_map=npy(np.zeros((2, 2), np.uint16))),
    "bomb.npz": archive(codebook_0=header_of("(1000000000, 3)") + bytes(10**7)),
    "text.npz": b"PK\x03\x04 and no more",
    "text.akm": b"GIF89a",
    "cut.akm": b"\x89AKM",
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_hold_no_colors_are_one_line(name):
    with pytest.raises(FormatError) as raised:
        read_bytes(name, BAD[name])
    message = str(raised.value)
    assert message.startswith(f"{name}: ")
    assert "expected " in message
    assert len(message) < 250
    assert "\n" not in message


def test_what_is_no_file_of_colors_by_its_name_is_bad_usage():
    for name in ("colors.txt", "colors", "-"):
        with pytest.raises(ConfigError, match=r"a file that ends in one of \.json"):
            codebook_files.read(name)
    Path("large.css").write_bytes(bytes(codebook_files.MAX_TEXT_BYTES + 1))
    with pytest.raises(LimitError):
        codebook_files.read("large.css")


FUZZED = {name: codebook_files.write(name, [np.arange(30, dtype=np.uint8).reshape(-1, 3)])
          for name in codebook_files.WRITABLE}  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from(sorted(FUZZED)), st.data())
def test_damaged_files_are_read_or_refused(name, data):
    file = bytearray(FUZZED[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(file) - 1))
        file[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(file)))
    try:
        found = read_bytes(f"x.{name}", bytes(file[cut:] if cut % 2 else file))
    except AdaptiveKMeansError:
        return
    assert found.colors.dtype == np.uint8
    assert found.colors.shape == (len(found.locked), 3)
