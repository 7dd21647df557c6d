"""What `decompress` writes: palettes, gray, qualities, backgrounds; always the same pixels."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import adaptive_kmeans as akm
from adaptive_kmeans import alpha, image
from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.image import decode_image, encode_image

DEPTH, COLOR_TYPE = 24, 25
"""Bytes of a PNG that hold its bits per sample and its color type."""
RGB, PALETTE, RGBA = 2, 3, 6


def png(pixels: np.ndarray, notes: list[str]) -> bytes:
    """Write an indexed PNG, and check that its pixels come back."""
    data = encode_image(pixels, is_indexed=True, notes=notes)
    assert np.array_equal(decode_image(data).pixels, pixels)
    return data


@pytest.mark.parametrize(
    ("n_colors", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8), (256, 8)]
)
def test_a_palette_has_as_few_bits_as_hold_it(n_colors, bits, random):
    colors = random.permutation(2**24)[: n_colors - 1, None] >> (16, 8, 0) & 255
    colors = np.concatenate([colors, [[255, 0, 0]]]).astype(np.uint8)
    notes: list[str] = []
    data = png(np.resize(colors, (20, 31, 3)), notes)
    assert (data[DEPTH], data[COLOR_TYPE]) == (bits, PALETTE)
    assert b"tRNS" not in data
    assert notes == []
    with Image.open(io.BytesIO(data)) as picture:
        entries = np.array(picture.getpalette()).reshape(-1, 3)
    distinct = np.unique(colors, axis=0)
    assert np.array_equal(np.unique(entries, axis=0), distinct)
    assert len(entries) == len(distinct)


def test_more_colors_than_a_palette_holds_are_rgb_and_said(random):
    colors = (random.permutation(2**24)[:257, None] >> (16, 8, 0) & 255).astype(np.uint8)
    notes: list[str] = []
    data = png(np.resize(colors, (20, 31, 3)), notes)
    assert data[COLOR_TYPE] == RGB
    assert notes == ["more than 256 colors, so there is no palette"]


@pytest.mark.parametrize(("n_pairs", "color_type"), [(2, PALETTE), (256, PALETTE), (257, RGBA)])
def test_a_palette_has_each_color_once_for_every_alpha(n_pairs, color_type):
    pairs = np.array([(9, i // 7, 30, 255 - i % 7 * 40) for i in range(n_pairs)], np.uint8)
    notes: list[str] = []
    data = png(np.resize(pairs, (20, 31, 4)), notes)
    assert data[COLOR_TYPE] == color_type
    assert bool(notes) == (color_type == RGBA)
    if color_type == PALETTE:
        place = data.index(b"tRNS")
        size = int.from_bytes(data[place - 4 : place])
        assert size == np.count_nonzero(pairs[:, 3] < 255)  # opaque entries come last


@pytest.mark.parametrize("extension", image.WRITABLE)
@pytest.mark.parametrize("is_indexed", [False, True])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_gray_stays_gray_and_every_pixel_the_same(photo, extension, is_indexed, has_alpha):
    gray = np.repeat(photo[..., :1], 3, axis=2)
    file_format = image.WRITABLE[extension][0]
    if has_alpha:
        gray = np.dstack([gray, np.maximum(photo[..., 1], 1)])
    refused = has_alpha and file_format not in image.WITH_TRANSPARENCY
    if refused or (is_indexed and file_format == "JPEG"):
        with pytest.raises(ConfigError, match=r"a lossless format|a format that holds alpha"):
            encode_image(gray, extension, is_indexed=is_indexed)
        return
    data = encode_image(gray, extension, is_indexed=is_indexed)
    with Image.open(io.BytesIO(data)) as picture:
        gray_mode = "LA" if has_alpha else "L"
        color_mode = "RGBA" if has_alpha else "RGB"
        assert picture.mode == (gray_mode if file_format in image.WITH_GRAY else color_mode)
    found = decode_image(data).pixels
    if file_format == "JPEG":
        assert (found == found[..., :1]).all()
    else:
        assert np.array_equal(found, gray)


def test_almost_gray_is_color(photo):
    gray = np.repeat(photo[..., :1], 3, axis=2)
    gray[-1, -1, 1] ^= 1
    data = encode_image(gray)
    assert data[COLOR_TYPE] == RGB
    assert np.array_equal(decode_image(data).pixels, gray)


def test_quality_is_of_lossy_formats(photo):
    for extension in (".jpg", ".webp"):
        sizes = [len(encode_image(photo, extension, quality=q)) for q in (1, 40, 80, 95)]
        assert sizes == sorted(set(sizes))
        for wrong in (0, 101, 50.5):
            with pytest.raises(ConfigError, match=r"quality: expected an integer in 1\.\.100"):
                encode_image(photo, extension, quality=wrong)
    assert encode_image(photo, ".jpeg", quality=95) == encode_image(photo, ".jpg")
    with Image.open(io.BytesIO(encode_image(photo, ".jpg", quality=20))) as picture:
        assert {layer[1:3] for layer in picture.layer} == {(1, 1)}  # chroma at full resolution
    for extension in (".png", ".tif", ".bmp"):
        with pytest.raises(ConfigError, match=rf"--quality: .*\.webp, received {extension}$"):
            encode_image(photo, extension, quality=80)


def test_a_lossy_webp_keeps_alpha(photo):
    glass = np.dstack([photo, np.maximum(photo[..., 0], 1)])
    found = decode_image(encode_image(glass, ".webp", quality=50)).pixels
    assert np.array_equal(found[..., 3], glass[..., 3])


def test_indexed_writes_the_codewords_of_a_file(command, photo):
    options = ("--k", "13", "--restoration", "wiener:3")
    assert command("compress", "cat.png", *options)[0] == 0
    assert command("decompress", "cat.akm", "a.png", "--indexed")[::2] == (0, "")
    with Image.open("a.png") as picture:
        assert picture.mode == "P"
        assert len(picture.getpalette()) == 3 * 13
    data = Path("cat.akm").read_bytes()
    assert np.array_equal(akm.load("a.png"), akm.decode(data, restored=False))
    assert command("compress", "cat.png", "many.akm", "--k", "999")[0] == 0
    code, _, err = command("decompress", "many.akm", "many.png", "--indexed")
    assert (code, err) == (0, "note: many.png: more than 256 colors, so there is no palette\n")
    assert command("decompress", "cat.akm", "a.bmp", "--indexed")[0] == 0
    assert np.array_equal(akm.load("a.bmp"), akm.load("a.png"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "a.png --quality 80",
            "--quality: expected an output in .jpg, .jpeg, .webp, received .png",
        ),
        ("- --quality 80", "--quality: expected an output in .jpg, .jpeg, .webp, received .png"),
        ("a.jpg --indexed", "--indexed: expected a lossless format, such as .png, received .jpg"),
        ("a.webp --indexed --quality 5", "options: expected either --indexed or --quality, "),
        ("a.jpg --background lilac-ish", "background: expected an opaque color"),
    ],
)
def test_what_an_output_cannot_do_is_found_before_the_work(command, line, said, monkeypatch):
    monkeypatch.setattr("adaptive_kmeans.codec.decode", None)
    Path("a.akm").write_bytes(b"not read")
    code, out, err = command("decompress", "a.akm", *line.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_quality_of_many_files(command):
    for name in ("a", "b"):
        assert command("compress", "cat.png", f"{name}.akm", "--k", "9")[0] == 0
    line = ("decompress", "a.akm", "b.akm", "--output-dir", "out", "--quality", "30")
    assert command(*line)[0] == 2
    assert command(*line, "--to", "jpg")[0] == 0
    decoded = akm.decode(Path("a.akm").read_bytes())
    assert Path("out/b.jpg").read_bytes() == encode_image(decoded, ".jpg", quality=30)


@pytest.mark.parametrize("name", ["a.jpg", "a.bmp", "a.png"])
def test_a_background_flattens_what_a_format_cannot_hold(command, photo, name):
    glass = np.dstack([photo, photo[..., 0]])
    Path("a.akm").write_bytes(akm.encode(glass, akm.Settings.regular(9)))
    if name != "a.png":
        code, _, err = command("decompress", "a.akm", name)
        assert code == 2
        assert "a.akm: output: expected a format that holds alpha: .png, " in err
        assert ", or --background COLOR, received" in err
    assert command("decompress", "a.akm", name, "--background", "#ff8000")[::2] == (0, "")
    right = alpha.flatten(akm.decode(Path("a.akm").read_bytes()), (255, 128, 0))
    expected = decode_image(encode_image(right, Path(name).suffix)).pixels
    assert np.array_equal(akm.load(name), expected)


def test_help_tells_the_quality_of_jpeg(command):
    out = " ".join(command("man")[1].split())
    assert f"Quality of JPEG (by default {image.DEFAULT_JPEG_QUALITY}," in out
