"""The command line: what it prints, its exit codes, and what it leaves behind."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import adaptive_kmeans as akm
from adaptive_kmeans import container
from adaptive_kmeans.experiment.rows import SPLIT

SMALL = ("--k1", "6", "--k2", "12")


def test_compress_and_decompress_match_the_library(command, photo):
    code, out, err = command("compress", "cat.png", *SMALL)
    assert (code, err) == (0, "")
    data = Path("cat.akm").read_bytes()
    assert data == akm.encode(photo, akm.Settings(k1=6, k2=12))
    decoded = akm.decode(data)
    size = Path("cat.png").stat().st_size
    assert out.startswith(f"cat.akm: PNG of {size:,} B (raw {photo.size:,} B) → {len(data):,} B, ")
    for part in (
        f"{akm.bits_per_pixel(data, photo.shape):.3f} bits per pixel",
        f"{photo.size / len(data):.2f}:1 to raw",
        f"{size / len(data):.2f}:1 to the input",
        f"PSNR {akm.psnr(photo, decoded):.2f} dB",
        f"SSIM {akm.ssim(photo, decoded):.4f}",
    ):
        assert part in out
    assert ", encoded in " in out
    assert out.endswith(" s\n")
    assert out.count("\n") == 1

    Path("cat.png").rename("original.png")
    code, out, err = command("decompress", "cat.akm")
    assert (code, err) == (0, "")
    assert np.array_equal(np.asarray(Image.open("cat.png")), decoded)


def test_a_translucent_image_needs_no_option_and_comes_back(command, photo):
    glass = np.dstack([photo, photo[..., 0] // 2])
    akm.save("glass.png", glass)
    facts = json.loads(command("compress", "glass.png", "--k", "8", "--json", "--verify")[1])
    assert facts["alpha_bytes"] > 0
    assert facts["raw_bytes"] == photo.size
    code, out, _ = command("info", "glass.akm", "--verify")
    assert code == 0
    assert f"8 codewords, {len(np.unique(glass[..., 3]))} levels of alpha, blocks of 4" in out
    assert "│ alpha " in out
    assert command("decompress", "glass.akm", "back.png")[0] == 0
    back = np.asarray(Image.open("back.png"))
    assert np.array_equal(back[..., 3], glass[..., 3])
    assert facts["psnr_db"] == pytest.approx(akm.psnr(glass, back))
    code, _, err = command("decompress", "glass.akm", "back.jpg")
    assert (code, Path("back.jpg").exists()) == (2, False)
    holding = "a format that holds alpha: .png, .webp, .tif, .tiff"
    assert f"expected {holding}, or --background COLOR, received .jpg" in err


def test_levels_of_alpha_and_a_background_are_options(command, photo):
    akm.save("glass.png", np.dstack([photo, photo[..., 0] // 2]))
    assert command("compress", "glass.png", "few.akm", "--k", "8", "--alpha-levels", "4")[0] == 0
    assert len(np.unique(akm.decode(Path("few.akm").read_bytes())[..., 3])) == 4
    assert command("compress", "glass.png", "flat.akm", "--k", "8", "--background", "red")[0] == 0
    assert akm.decode(Path("flat.akm").read_bytes()).shape == photo.shape
    assert command("compress", "glass.png", "--alpha-levels", "1")[0] == 2


def test_dithering_tells_what_it_costs(command, photo):
    plain = len(akm.encode(photo, akm.Settings.regular(5, coder="deflate")))
    chosen = ("compress", "cat.png", "--k", "5", "--coder", "deflate", "--dither", "diffusion:0.8")
    code, _, err = command(*chosen, "--verify")
    data = Path("cat.akm").read_bytes()
    assert data == akm.encode(photo, akm.Settings.regular(5, coder="deflate", dither=chosen[-1]))
    more = len(data) - plain
    assert more > 0
    share = f"{100 * more / plain:.0f} %"
    note = f"note: cat.akm: dithering adds {more:,} B ({share}) to the {plain:,} B without it\n"
    assert (code, err) == (0, note)
    facts = json.loads(command(*chosen, "--json", "--force")[1])
    assert (facts["dither"], facts["undithered_bytes"]) == ("diffusion:0.8", plain)
    assert command(*chosen, "--quiet", "--force") == (0, "", "")
    facts = json.loads(command(*chosen[:-2], "--json", "--force")[1])
    assert not facts.keys() & {"dither", "undithered_bytes"}


@pytest.mark.parametrize(
    "line",
    [
        "--dither diffusion",
        "--quality 50 --dither blue-noise",
        "--quality 50 --dither none",
        "--k 4 --lambda 9 --dither diffusion",
    ],
)
def test_dithering_needs_plain_kmeans(command, line):
    code, out, err = command("compress", "cat.png", *line.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "dither: expected plain K-means" in err
    assert not Path("cat.akm").exists()


def test_verify_decodes_the_file_and_refuses_another_image(command, monkeypatch):
    facts = json.loads(command("compress", "cat.png", *SMALL, "--json")[1])
    assert "decode_s" not in facts
    facts = json.loads(command("compress", "cat.png", *SMALL, "--json", "--verify", "--force")[1])
    assert facts["decode_s"] > 0
    Path("cat.akm").unlink()
    decode = akm.decode
    monkeypatch.setattr("adaptive_kmeans.codec.decode", lambda *a, **b: decode(*a, **b) ^ 1)
    code, out, err = command("compress", "cat.png", *SMALL, "--verify")
    assert (code, out) == (3, "")
    assert err == (
        "adaptive-kmeans: cat.akm: expected a file that decodes to the encoder's reconstruction, "
        "received other pixels\n"
    )
    assert not Path("cat.akm").exists()


def test_compress_imports_neither_experiments_nor_their_libraries(folder):
    code = (
        "import sys; sys.argv = ['adaptive-kmeans', 'compress', 'cat.png']\n"
        "from adaptive_kmeans.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = ('adaptive_kmeans.experiment', 'adaptive_kmeans.baselines', 'sklearn', 'skimage',"
        " 'matplotlib', 'pandas', 'scipy.ndimage', 'scipy.stats')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.BMP"])
def test_decompress_writes_the_format_of_the_extension(command, name):
    command("compress", "cat.png", "a.akm", *SMALL)
    assert command("decompress", "a.akm", name)[0] == 0
    kinds = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".bmp": "BMP"}
    with Image.open(name) as picture:
        assert picture.format == kinds[Path(name).suffix.lower()]
        assert picture.size == (83, 61)


def test_default_settings(command):
    command("compress", "cat.png")
    layout = container.inspect(Path("cat.akm").read_bytes())
    assert layout.filter_bytes > 0
    assert len(layout.codewords) == 1
    assert Path("cat.akm").read_bytes() == akm.encode(np.asarray(Image.open("cat.png")))


def test_k_alone_is_regular_kmeans(command):
    command("compress", "cat.png", "--k", "16", "--coder", "fixed-length")
    layout = container.inspect(Path("cat.akm").read_bytes())
    assert (layout.codewords, layout.coder) == ((16,), "fixed-length")
    assert command("compress", "cat.png", "--k", "16", "--k1", "4") == (
        2,
        "",
        "adaptive-kmeans: options: expected either --k or --k1 and --k2, received both\n",
    )


def test_info_splits_the_bytes_of_a_file(command):
    command("compress", "cat.png", *SMALL)
    code, out, _ = command("info", "cat.akm")
    size = Path("cat.akm").stat().st_size
    assert code == 0
    assert (
        "83×61 pixels, 6 + 12 codewords, blocks of 4, coder context-mixing (model 1), 1 band" in out
    )
    for part in ("header", "codebooks", "region map", "indices", f"{size:,}", "100.00"):
        assert part in out
    facts = json.loads(command("info", "cat.akm", "--json")[1])
    parts = ("header_bytes", "codebook_bytes", "region_map_bytes", "index_map_bytes")
    assert sum(facts[part] for part in parts) == facts["bytes"] == size


def test_restored_files(command, photo):
    options = ("--k", "8", "--restoration", "wiener:3", "--correction", "auto", "--verify")
    code, out, err = command("compress", "cat.png", *options)
    assert (code, err) == (0, "")
    assert f"PSNR {akm.psnr(photo, akm.decode(Path('cat.akm').read_bytes())):.2f} dB" in out
    code, out, _ = command("info", "cat.akm")
    assert code == 0
    assert "│ filter" in out
    assert "│ correction" in out
    assert "filter: 3 classes, without rings, +" in out
    assert "correction: blocks of " in out
    facts = json.loads(command("info", "cat.akm", "--json")[1])
    assert sum(facts[part] for part in SPLIT) == facts["bytes"]
    assert facts["filter"] == "3"
    assert facts["filter_gain_db"] + facts["correction_gain_db"] > 1.0
    for name, restored in (("full.png", ()), ("indexed.png", ("--indexed",))):
        assert command("decompress", "cat.akm", name, *restored)[0] == 0
    data = Path("cat.akm").read_bytes()
    assert (akm.load("full.png") == akm.decode(data)).all()
    assert (akm.load("indexed.png") == akm.decode(data, restored=False)).all()
    assert akm.psnr(photo, akm.load("full.png")) > akm.psnr(photo, akm.load("indexed.png"))


def test_info_lists_ancillary_sections(command, photo):
    quantized = akm.quantize(photo, akm.Settings(6, 12))
    data = container.write(quantized, "deflate", sections=[container.Section("t", b"a title")])
    Path("cat.akm").write_bytes(data)
    code, out, _ = command("info", "cat.akm")
    assert code == 0
    assert "other" in out
    assert out.endswith("ancillary section t: 7 B, skipped\n")
    facts = json.loads(command("info", "cat.akm", "--json")[1])
    assert facts["ancillary"] == [{"type": "t", "bytes": 7}]
    assert facts["other_bytes"] == 7


def test_restrictive_limits_refuse_what_the_default_ones_take(command):
    image = np.zeros((4097, 4097, 3), np.uint8)
    Path("large.akm").write_bytes(akm.encode(image, akm.Settings.regular(2, coder="deflate")))
    for line in ("info large.akm", "decompress large.akm large.png"):
        code, out, err = command(*line.split(), "--limits", "restrictive")
        assert (code, out) == (4, "")
        assert err == (
            "adaptive-kmeans: large.akm: image: "
            "expected at most 16,777,216 pixels, received 4097×4097\n"
        )
    assert not Path("large.png").exists()
    assert command("info", "large.akm")[0] == 0


def test_json_is_valid_if_a_number_is_not_finite(command):
    Image.new("RGB", (4, 4), "red").save("red.png")
    code, out, _ = command("compress", "red.png", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["psnr_db"] is None
    assert facts["ssim"] is None
    assert facts["bytes"] == Path("red.akm").stat().st_size
    assert "lossless" in command("compress", "red.png", "--force")[1]


def test_compare_prints_regular_kmeans_and_the_three_measures(command):
    code, out, err = command("compare", "cat.png", *SMALL)
    assert (code, err) == (0, "")
    for method in ("regular", "eigenvalue", "variance", "total-variation"):
        assert method in out
    Image.open("cat.png").convert("RGBA").save("opaque.png")
    said = command("compare", "opaque.png", *SMALL)[2]
    assert said == "note: opaque: dropped an alpha channel that is opaque everywhere\n"
    rows = json.loads(command("compare", "cat.png", *SMALL, "--json")[1])
    assert [row["k"] for row in rows] == [6, None, None, None]


def test_elbow_is_printed_and_drawn(command):
    code, out, err = command("elbow", "cat.png", "--coder", "fixed-length")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("elbow at k = ")
    assert "of k up to 256, which it depends on" in out.splitlines()[-1]
    with Image.open("cat-elbow.png") as figure:
        assert figure.format == "PNG"
    code, out, _ = command("elbow", "cat.png", "--json", "--figure", "curve.pdf")
    assert Path("curve.pdf").read_bytes().startswith(b"%PDF")
    facts = json.loads(out)
    assert facts["k"] in [point["k"] for point in facts["curve"]]
    sizes = [point["bytes"] for point in facts["curve"]]
    assert sizes == sorted(sizes)


def test_elbow_finds_the_smallest_k_of_a_quality(command, photo):
    quick = ["elbow", "cat.png", "--coder", "fixed-length"]
    out = command(*quick, "--psnr", "30")[1]
    line = next(line for line in out.splitlines() if line.startswith("30 dB: k = "))
    k = int(line.split(" = ")[1].split(",")[0])

    def reached(k: int) -> float:
        quantized = akm.quantize(photo, akm.Settings.regular(k))
        return akm.psnr(photo, quantized.reconstruct())

    assert reached(k) >= 30 > reached(k - 1)
    assert "99 dB: reached by no k up to 256, which gives " in command(*quick, "--psnr", "99")[1]


def test_compare_and_elbow_read_standard_input(folder):
    data = Path("cat.png").read_bytes()
    for name in ("compare", "elbow"):
        run = subprocess.run(
            [sys.executable, "-m", "adaptive_kmeans", name, "-", "--coder", "fixed-length"],
            input=data,
            capture_output=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        assert b"all: image stdin" in run.stdout


def test_conversions_are_printed(command, photo):
    Image.fromarray(photo).convert("RGBA").save("opaque.png")
    code, _, err = command("compress", "opaque.png", *SMALL)
    assert code == 0
    assert err == "note: opaque.png: dropped an alpha channel that is opaque everywhere\n"


def test_an_unusual_k1_is_noted(command):
    code, _, err = command("compress", "cat.png", "--k1", "9", "--k2", "9")
    assert code == 0
    assert err.startswith("note: k1 = 9 is not below k2 = 9")


def test_standard_streams(folder):
    run = [sys.executable, "-m", "adaptive_kmeans"]
    picture = Path("cat.png").read_bytes()
    packed = subprocess.run([*run, "compress", "-", "-"], input=picture, capture_output=True)
    assert packed.returncode == 0
    assert packed.stderr.decode().startswith("stdout: ")
    data = packed.stdout
    unpacked = subprocess.run([*run, "decompress", "-", "-"], input=data, capture_output=True)
    assert (unpacked.returncode, unpacked.stderr) == (0, b"")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(unpacked.stdout))), akm.decode(data))
    with Path("/dev/full").open("wb") as full:
        failed = subprocess.run([*run, "compress", "cat.png", "-"], stdout=full, stderr=-1)
    assert failed.returncode == 5
    assert failed.stderr.decode() == (
        "adaptive-kmeans: standard output: expected to be writable, "
        "received no space left on device\n"
    )


def damaged_png() -> None:
    Path("half.png").write_bytes(Path("cat.png").read_bytes()[:3000])


def damaged_akm(change: slice, name: str = "bad.akm") -> None:
    data = bytearray(akm.encode(np.asarray(Image.open("cat.png")), akm.Settings(6, 12)))
    data[change] = bytes(byte ^ 0x10 for byte in data[change])
    Path(name).write_bytes(data)


def longer_akm() -> None:
    Path("bad.akm").write_bytes(akm.encode(np.asarray(Image.open("cat.png"))) + b"!")


def translucent() -> None:
    Image.new("RGBA", (5, 5), (1, 2, 3, 77)).save("glass.png")


def loop() -> None:
    Path("loop.akm").symlink_to("pool.akm")
    Path("pool.akm").symlink_to("loop.akm")


def animated() -> None:
    first = Image.new("L", (5, 5))
    first.save("two.gif", save_all=True, append_images=[Image.new("L", (5, 5), 200)])


def config(text: str):
    return lambda: Path("config.toml").write_text(text)


METHOD = '[[methods]]\nmethod = "regular"\nk = 4\n'

BAD = [
    ("compress none.png", None, 5, "none.png: expected a file that can be read, received no such"),
    ("compress . all.akm", None, 2, "expected --output-dir for several inputs, received all.akm"),
    ("compress empty.png", lambda: Path("empty.png").touch(), 3, "received an empty file"),
    ("compress half.png", damaged_png, 3, "half.png: expected a whole, undamaged image, received"),
    ("compress text.png", lambda: Path("text.png").write_text("?"), 3, "expected an image: PNG"),
    ("compress glass.png --background x", translucent, 2, "expected an opaque color"),
    ("compress two.gif", animated, 3, "received 2 frames or pages"),
    ("compress cat.png out.png", None, 2, "expected a name that ends in .akm, or -"),
    ("compress self.akm", lambda: shutil.copy("cat.png", "self.akm"), 2, "another file than the"),
    (
        "compress cat.png link.akm",
        lambda: Path("link.akm").symlink_to("cat.png"),
        2,
        "ends in .akm",
    ),
    ("compress cat.png --k 4 --detail bogus", None, 2, "detail measure: expected one of"),
    ("decompress cat.akm", lambda: damaged_akm(slice(0, 0), "cat.akm"), 2, "cat.png, which exists"),
    ("decompress cat.png", None, 3, "cat.png: signature: expected 89 41 4b 4d (an .akm file), rec"),
    ("compress bad.akm", lambda: damaged_akm(slice(0, 0)), 3, "bad.akm: expected an image: PNG"),
    (
        "decompress same.png",
        lambda: damaged_akm(slice(0, 0), "same.png"),
        2,
        "output: expected another file than the input, received same.png",
    ),
    ("compress cat.png keep.akm", lambda: Path("keep.akm").touch(), 2, "keep.akm, which exists"),
    (
        "compress --force cat.png keep.akm",
        lambda: Path("keep.akm").touch(),
        2,
        "expected -o before an output that exists, received keep.akm",
    ),
    (
        "compress cat.png cat.tif two.png",
        lambda: (shutil.copy("cat.png", "cat.tif"), shutil.copy("cat.png", "two.png")),
        2,
        "expected a different one for each input, received cat.akm for cat.png and cat.tif",
    ),
    ("compress cat.png two.png", None, 2, "expected a name that ends in .akm, or -"),
    ("compress cat.png cat.png - two.png", None, 2, "expected standard input alone"),
    ("compress cat.png -o a.akm --output-dir out", None, 2, "one output, or --output-dir"),
    ("compress - --output-dir out", None, 2, "a name by -o for standard input"),
    ("compress cat.png --force --skip-existing", None, 2, "either --force or --skip-existing"),
    ("decompress a.akm b.akm --to xyz", None, 2, "expected one of .png"),
    ("compress cat.png --k 16 --detail variance", None, 2, "--detail: expected two codebooks"),
    ("compress cat.png --k 16 --threshold mean", None, 2, "--threshold: expected two codebooks"),
    ("compress cat.png --threshold mean", None, 2, "--threshold: expected two codebooks"),
    ("compress cat.png --effort 1 --detail variance", None, 2, "--detail: expected two"),
    ("compress cat.png --k 16 --effort 9", None, 2, "--effort: expected a quality, or a price"),
    ("compress cat.png --k1 6 --tune psnr", None, 2, "--tune: expected a quality, or a price"),
    ("compress cat.png --seed 3", None, 2, "--seed: expected an init that draws"),
    ("elbow cat.png --seed 3", None, 2, "--seed: expected an init that draws"),
    ("compress cat.png --init mean", None, 2, "initialization: expected one of"),
    (f"compress cat.png {'a' * 300}.akm", None, 5, "received file name too long"),
    (f"compress {'a' * 300}.png", None, 5, "received file name too long"),
    ("compress cat.png loop.akm", lambda: loop(), 5, "symbolic links"),
    ("compare /**x.png", None, 2, "images: expected a glob"),
    ("compress cat.png none/a.akm", None, 5, "received no such file or directory"),
    (
        "compress cat.png --quality 50 --k 8",
        None,
        2,
        "options: expected either --quality, or --k, --k1, --k2, received both",
    ),
    ("compress cat.png --lambda 9", None, 2, "--lambda: expected codebooks, --k or --k1 and --k2"),
    ("compress cat.png --quality 9 --lambda 9", None, 2, "either --quality or --lambda, received"),
    ("compress cat.png --k 9 --lambda nan", None, 2, "price: expected a number in 0..1e+06, rec"),
    ("compress cat.png --k 9 --lambda -1", None, 2, "price: expected a number in 0..1e+06, recei"),
    ("compress cat.png --effort 0", None, 2, "effort: expected an integer in 1..9, received 0"),
    ("compress cat.png --tune ssim", None, 2, "tune: expected one of perceptual, psnr, received"),
    ("compress cat.png --quality 200", None, 2, "quality: expected a number in 0..100, received 2"),
    ("compress cat.png --k 0", None, 2, "k: expected an integer in 1..4096, received 0"),
    ("compress cat.png --k1 5000", None, 2, "k1: expected an integer in 1..4096, received 5000"),
    ("compress cat.png --k x", None, 2, "'--k': Input should be a valid integer"),
    ("compress cat.png --block-size 0", None, 2, "block size: expected an integer in 1..256"),
    ("compress cat.png --detail edges", None, 2, "expected one of eigenvalue, total-variation"),
    ("compress cat.png --threshold meen", None, 2, "did you mean mean"),
    ("compress cat.png --coder zip", None, 2, "coder: expected one of"),
    ("compress cat.png --color-space xyz", None, 2, "color space: expected one of"),
    ("compress cat.png --qualty 9", None, 2, "No such option: --qualty"),
    ("compress", None, 2, "Missing argument 'INPUT'"),
    ("shrink", None, 2, "No such command 'shrink'"),
    ("decompress none.akm", None, 5, "received no such file"),
    ("decompress cat.png out.png", None, 3, "an .akm file), received 89 50 4e 47"),
    ("decompress bad.akm out.png", lambda: damaged_akm(slice(4, 5)), 3, "format version: expected"),
    ("decompress bad.akm out.png", lambda: damaged_akm(slice(-9, -8)), 3, "expected CRC-32"),
    ("decompress bad.akm out.png", longer_akm, 3, "received 1 more"),
    ("decompress bad.akm out.xyz", None, 2, "expected one of .png"),
    ("info cat.png", None, 3, "cat.png: signature: expected"),
    ("info cat.png --limits x", None, 2, "limits: expected one of default, restrictive"),
    ("compare none.png", None, 2, "expected an image file, a folder or glob"),
    ("elbow .", lambda: shutil.copy("cat.png", "two.png"), 2, "expected one image, received 2"),
    ("elbow cat.png --figure curve.xyz", None, 2, "figure: expected one of"),
    ("run none.toml", None, 5, "received no such file"),
    ("run config.toml", config("name = "), 2, "config.toml: expected TOML"),
    (
        "run cat.png",
        None,
        2,
        "cat.png: expected a TOML config; --images takes a glob in quotes, or",
    ),
    (
        "run config.toml",
        config("name = 'a'\nimages = ['none.png']\n" + METHOD),
        2,
        "config.toml: images: expected an image file, a folder or glob of images, or one of",
    ),
    (
        "run config.toml",
        config("name = 'a'\nimages = ['none.png']\n" + METHOD),
        2,
        "received none.png, which does not exist",
    ),
    (
        "run config.toml",
        config("name = 'a'\nimages = ['chelsea']\n[[methods]]\nmethod = 'regular'\nquality = 3\n"),
        2,
        "config.toml: unknown key methods.0.quality",
    ),
    (
        "run config.toml --dry-run --results cat.png",
        config("name = 'a'\nimages = ['chelsea']\n" + METHOD),
        5,
        "cat.png/a: expected a folder that can be written, received cat.png, a file",
    ),
    ("run config.toml", config("a = " + 3000 * "["), 2, "config.toml: expected TOML"),
    ("run config.toml", config("a = " + 5000 * "1"), 2, "config.toml: expected TOML"),
    (
        "run config.toml",
        config("name = 'a'\nimages = ['chelsea']\nbackground = 'no'\n" + METHOD),
        2,
        "background: expected an opaque color",
    ),
    (
        "run config.toml",
        config("name = 'a'\nimages = ['chelsea']\n[figures]\npicture = 'none'\n" + METHOD),
        2,
        "figures.picture: expected one of chelsea, received none",
    ),
    ("run config.toml", config("name = 'a'\nimages = ['chelsea']\n"), 2, "missing key methods"),
    (
        "run config.toml",
        config("name = 'a'\nimages = ['chelsea']\nspeed = 1\n" + METHOD),
        2,
        "config.toml: unknown key speed",
    ),
    (
        "run config.toml",
        config("name = 'a'\nimages = ['chelsea']\n" + METHOD + "kk = 3\n"),
        2,
        "unknown key methods.0.kk (did you mean k?)",
    ),
    (
        "run config.toml",
        config("name = 'a'\nimages = ['chelsea']\n" + METHOD.replace("4", "4.5")),
        2,
        "received 4.5",
    ),
    (
        "run config.toml",
        config("name = 'a'\nimages = ['chelsea']\n" + METHOD.replace("4", "[4, 9999]")),
        2,
        "config.toml: methods.0: k: expected an integer in 1..4096, received 9999",
    ),
    (
        "run config.toml",
        config("name = '../a'\nimages = ['chelsea']\n" + METHOD),
        2,
        "name: expected letters a to z, digits and underscores, received '../a'",
    ),
    ("run config.toml", config("name = 'a'\nimages = ['none*']\n" + METHOD), 2, "received none*"),
    (
        "run config.toml more.png",
        config("name = 'a'\nimages = ['chelsea']\n" + METHOD),
        2,
        "more.png",
    ),
    (
        "run config.toml --results cat.png",
        config("name = 'a'\nimages = ['chelsea']\n" + METHOD),
        5,
        "expected a folder that can be written, received not a directory",
    ),
]


@pytest.mark.parametrize(("line", "prepare", "code", "message"), BAD, ids=[b[0] for b in BAD])
def test_bad_input_is_one_line_and_changes_no_file(command, line, prepare, code, message):
    if prepare is not None:
        prepare()
    before = content()
    received, out, err = command(*line.split())
    assert (received, out) == (code, "")
    assert err.startswith("adaptive-kmeans: ")
    assert err.count("\n") == 1
    assert message in err
    assert "Traceback" not in err
    assert content() == before


def content() -> dict[str, object]:
    """Return every file of the folder, and where links lead."""
    found = {str(path): path for path in Path().rglob("*")}
    return {n: p.readlink() if p.is_symlink() else p.read_bytes() for n, p in found.items()}


def test_failures_keep_an_existing_target(command):
    Path("keep.akm").write_bytes(b"precious")
    Path("keep.png").write_bytes(b"precious")
    damaged_akm(slice(-9, -8))
    keep = ("--force", "-o", "keep.akm")
    assert command("compress", "none.png", *keep)[0] == 5
    assert command("compress", "cat.png", *keep, "--k", "0")[0] == 2
    assert command("decompress", "bad.akm", "--force", "-o", "keep.png")[0] == 3
    assert Path("keep.akm").read_bytes() == Path("keep.png").read_bytes() == b"precious"
    assert command("compress", "cat.png", *keep, *SMALL)[0] == 0
    assert container.inspect(Path("keep.akm").read_bytes()).codewords == (6, 12)


def test_an_interrupted_compress_writes_no_file(command, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("adaptive_kmeans.codec.encode_with_reconstruction", interrupted)
    assert command("compress", "cat.png", *SMALL) == (130, "", "adaptive-kmeans: interrupted\n")
    assert not Path("cat.akm").exists()


@pytest.mark.parametrize(
    "name", ["", "compress", "decompress", "info", "compare", "elbow", "run", "init-config"]
)
def test_every_command_has_help(command, name):
    code, out, err = command(*name.split(), "--help")
    assert (code, err) == (0, "")
    assert "Usage: adaptive-kmeans" in out
    documented = {
        "compress": "--k1 --k2 --k --detail --threshold --block-size --coder --color-space --seed",
        "run": "--images --results --jobs",
    }
    for option in documented.get(name, "").split():
        assert option in out


@pytest.mark.parametrize("name", ["compress", "compare"])
def test_help_tells_the_default_codebooks_of_two_regions(command, name):
    _, out, _ = command(name, "--help")
    shown = " ".join(out.split())
    assert "low-detail blocks, 1..4096; by default 64" in shown
    assert "high-detail blocks, 1..4096; by default 256" in shown


def test_help_needs_no_heavy_import():
    code = (
        "import sys; from adaptive_kmeans import cli; import adaptive_kmeans; "
        "print([m for m in ('numba', 'skimage', 'sklearn', 'scipy', 'matplotlib', 'pandas', 'PIL') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_help_is_printed_without_a_command(command):
    code, out, err = command()
    assert (code, out) == (2, "")
    assert err.count("\n") > 5
    assert "compress" in err


@pytest.mark.parametrize("redirection", ["> /dev/full", ">&-"])
def test_an_unwritable_standard_output_is_one_line(folder, redirection):
    for arguments in ("info cat.akm", "compress cat.png -"):
        akm_file = Path("cat.akm")
        akm_file.write_bytes(akm.encode(np.zeros((4, 4, 3), np.uint8)))
        run = f"{sys.executable} -m adaptive_kmeans {arguments} {redirection}"
        done = subprocess.run(run, shell=True, capture_output=True, text=True)  # noqa: S602
        if arguments.startswith("info") and redirection == ">&-":
            continue  # there is nowhere to write, and nothing is lost
        assert done.returncode == 5
        assert done.stderr.startswith("adaptive-kmeans: standard output: expected to be ")
        assert done.stderr.count("\n") == 1


def test_a_closed_standard_input_is_one_line(folder):
    run = f"{sys.executable} -m adaptive_kmeans compress - a.akm <&-"
    done = subprocess.run(run, shell=True, capture_output=True, text=True)  # noqa: S602
    assert done.returncode == 5
    assert "standard input" in done.stderr
    assert done.stderr.count("\n") == 1


def test_version(command):
    assert command("--version") == (0, f"adaptive-kmeans {akm.__version__}\n", "")


def test_a_closed_pipe_prints_no_traceback(folder):
    run = f"{sys.executable} -m adaptive_kmeans compress cat.png - --k 4 | true"
    done = subprocess.run(run, shell=True, capture_output=True, text=True, env=os.environ)  # noqa: S602
    assert "Traceback" not in done.stderr
