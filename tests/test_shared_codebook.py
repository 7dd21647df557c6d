"""One codebook for many images: what counts in it, and that each file then has those colors."""

import json
from pathlib import Path

import numpy as np
import pytest

import adaptive_kmeans as akm
from adaptive_kmeans import codebook_files, container
from adaptive_kmeans.clustering import cluster_colors, count_colors
from adaptive_kmeans.clustering.histogram import colors_of, keys_of
from adaptive_kmeans.clustering.joint import JointColors
from adaptive_kmeans.errors import ImageError

FAST = ("--coder", "fixed-length")


def joint(images, k, per_image=False):
    colors = JointColors(per_image=per_image)
    for image in images:
        colors.add(image)
    return colors.cluster(k)


def test_places_of_colors_are_those_of_a_histogram(random):
    image = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    color_set = count_colors(image).sets[0]
    keys = keys_of(color_set.colors)
    assert (np.diff(keys.astype(np.int64)) > 0).all()
    assert np.array_equal(colors_of(keys), color_set.colors)
    colors = JointColors()
    colors.add(image[:7])
    colors.add(image[7:])
    counted = colors._color_set()
    assert np.array_equal(counted.colors, color_set.colors)
    assert np.array_equal(counted.weights, 256 * color_set.weights)
    assert np.array_equal(counted.cubes, color_set.cubes)


@pytest.mark.parametrize("k", [5, 40])
def test_the_codebook_of_an_image_in_parts_is_that_of_the_image(photo, k):
    whole = cluster_colors(count_colors(photo).sets[0], k)
    parts = [photo[:20], photo[20:33], photo[33:]]
    for images in (parts, parts[::-1], [photo]):
        found = joint(images, k)
        assert np.array_equal(found.colors, whole.centroids)
    settings = akm.Settings.with_codebook(found.colors, coder="fixed-length")
    decoded = akm.decode(akm.encode(photo, settings))
    assert found.psnr_db == pytest.approx(akm.psnr(photo, decoded))
    (codebook,) = akm.quantize(photo, settings).codebooks
    used = [(decoded == color).all(axis=2).mean() for color in codebook]
    assert found.shares.tolist() == pytest.approx(used)


def test_pixels_or_images_count_the_same():
    def plain(level, size):
        return np.full((size, size, 3), level, np.uint8)

    images = [plain(10, 30), plain(20, 10)]
    assert joint(images, 1).colors.tolist() == [[11, 11, 11]]  # (900·10 + 100·20) / 1000
    assert joint(images, 1, per_image=True).colors.tolist() == [[15, 15, 15]]


def test_colors_count_as_far_as_they_are_seen():
    hidden = np.dstack([np.full((4, 4, 3), 99, np.uint8), np.zeros((4, 4), np.uint8)])
    dim = np.dstack([np.full((4, 4, 3), 200, np.uint8), np.full((4, 4), 128, np.uint8)])
    seen = np.full((4, 4, 3), 100, np.uint8)
    weight = 65 / 256  # the square of the opacity
    mean = round((100 + 200 * weight) / (1 + weight))
    assert joint([hidden, dim, seen], 1).colors.tolist() == [[mean] * 3]
    assert len(joint([hidden, dim, seen], 9).colors) == 2
    with pytest.raises(ImageError, match="at least one pixel that is seen"):
        joint([hidden], 3)


@pytest.fixture
def folder(tmp_path, monkeypatch, photo):
    monkeypatch.chdir(tmp_path)
    Path("frames").mkdir()
    for i in range(3):
        akm.save(f"frames/{i}.png", photo[20 * i : 20 * i + 20])
    return tmp_path


def test_frames_share_a_codebook(command, photo):
    code, out, err = command("codebook", "frames", "-o", "brand.json", "--k", "12")
    assert (code, err) == (0, "")
    expected = joint([photo[:60]], 12)
    said = f"PSNR {expected.psnr_db:.2f} dB where each pixel takes the nearest\n"
    assert out == f"brand.json: 12 colors, of 3 images with {60 * 83:,} pixels; {said}"
    assert np.array_equal(codebook_files.read("brand.json").colors, expected.colors)
    words = ("--codebook", "brand.json", "--output-dir", "akm", "--jobs", "1", *FAST)
    assert command("compress", "frames", *words)[0] == 0
    for i in range(3):
        (codebook,) = container.read(Path(f"akm/{i}.akm").read_bytes()).codebooks
        assert np.array_equal(codebook, expected.colors)


def test_every_format_is_written_and_colors_are_kept(command):
    Path("lock.css").write_text(":root { --brand: #ff00ff; }")
    for name in codebook_files.WRITABLE:
        words = ("--k", "7", "--codebook", "lock.css", "--json")
        code, out, _ = command("codebook", "frames", "-o", f"x.{name}", *words)
        assert code == 0
        colors = codebook_files.read(f"x.{name}").colors.tolist()
        assert len(colors) == json.loads(out)["k"] == 7
        assert [255, 0, 255] in colors
    code, out, err = command("codebook", "frames", "-o", "-", "--format", "gpl", "--k", "3")
    assert (code, out.startswith("GIMP Palette\n")) == (0, True)
    assert err.startswith("stdout: 3 colors, of 3 images")


def test_bad_images_are_lines_and_bad_usage_writes_nothing(command):
    Path("frames/1.png").write_text("no image")
    code, out, err = command("codebook", "frames", "-o", "x.npy", "--k", "4")
    assert (code, err.count("\n")) == (6, 1)
    assert err.startswith("adaptive-kmeans: frames/1.png: ")
    assert "of 2 images" in out
    Path("kept.gpl").write_text("kept")
    Path("lock.json").write_text('["red", "blue"]')
    Path("empty").mkdir()
    for words, expected, part in (
        (("frames", "-o", "x.png", "--k", "4"), 2, "ends in one of .json"),
        (("frames", "-o", "x.json", "--k", "0"), 2, "1..4096"),
        (("frames", "-o", "kept.gpl", "--k", "4"), 2, "--force"),
        (("frames", "-o", "no/x.gpl", "--k", "4"), 5, "no/x.gpl"),
        (("frames", "-o", "x.json", "--k", "4", "--seed", "1"), 2, "an init that draws"),
        (("frames", "-o", "x.json", "--k", "4", "--format", "gpl"), 2, "- as the output"),
        (("frames", "-o", "x.json", "--k", "2", "--codebook", "lock.json"), 2, "more than the 2"),
        (("frames", "-o", "x.json", "--k", "1", "--codebook", "lock.json"), 2, "at least the 2"),
        (("empty", "-o", "x.json", "--k", "4"), 2, "images, or folders"),
        (("frames/1.png", "-o", "x.json", "--k", "4"), 3, "frames/1.png"),
        (("none.png", "-o", "x.json", "--k", "4"), 5, "none.png"),
    ):
        code, out, err = command("codebook", *words)
        assert (code, out) == (expected, ""), words
        assert part in err
        assert not Path("x.json").exists()
    assert Path("kept.gpl").read_text() == "kept"
