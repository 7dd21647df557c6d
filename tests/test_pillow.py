"""Pillow opens and saves files, and whatever people have for an image is taken."""

import copy
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

import adaptive_kmeans as akm
import adaptive_kmeans.pillow
from adaptive_kmeans import codec, container
from adaptive_kmeans.errors import ConfigError, ImageError
from tests.fuzzing import join, split

QUICK = akm.Settings(quality=50, effort=1)


@pytest.fixture(scope="module")
def data(photo) -> bytes:
    return akm.encode(photo, QUICK)


@pytest.fixture(scope="module")
def glass(photo) -> np.ndarray:
    return np.dstack([photo, photo[..., 0]])


def test_a_saved_file_is_that_of_the_encoder(photo, data, tmp_path):
    path = tmp_path / "photo.akm"
    Image.fromarray(photo).save(path, quality=50, effort=1)
    assert path.read_bytes() == data
    with Image.open(path) as picture:
        assert (picture.format, picture.mode, picture.size) == ("AKM", "RGB", (83, 61))
        assert picture.get_format_mimetype() == "image/x-akm"
        assert np.array_equal(np.asarray(picture), akm.decode(data))


def test_alpha_is_saved_and_opened(glass):
    file = io.BytesIO()
    Image.fromarray(glass).save(file, "AKM", quality=50, effort=1, dpi=(72, 72))
    with Image.open(file) as picture:
        assert picture.mode == "RGBA"
        assert np.array_equal(np.asarray(picture)[..., 3], glass[..., 3])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "CMYK", "YCbCr", "I;16"])
def test_every_mode_is_saved(photo, mode):
    picture = Image.fromarray(photo)
    picture = picture.convert("L").convert("I;16") if mode == "I;16" else picture.convert(mode)
    file = io.BytesIO()
    picture.save(file, "AKM", k=256, coder="fixed-length")
    with Image.open(file) as opened:
        assert opened.size == picture.size
        assert opened.mode in ("RGB", "RGBA")


def test_a_loaded_image_of_sixteen_bits_is_saved_right():
    samples = np.array([[0, 0x12FF], [0x8000, 0xFFFF]], dtype=np.uint16)
    file = io.BytesIO()
    Image.fromarray(samples).save(file, "PNG")
    with Image.open(file) as picture:
        picture.load()
        saved = io.BytesIO()
        picture.save(saved, "AKM", k=4)
    assert akm.decode(saved.getvalue())[..., 0].tolist() == (samples >> 8).tolist()


def test_opening_decodes_nothing_and_loading_does_once(data, monkeypatch):
    calls = []
    monkeypatch.setattr(
        adaptive_kmeans.pillow, "decode", lambda data: calls.append(1) or codec.decode(data)
    )
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (83, 61)
        assert calls == []
        picture.load()
        picture.getpixel((0, 0))
        picture.load()
    assert calls == [1]


def test_opening_reads_the_heads_of_sections_alone(glass):
    class Counted(io.BytesIO):
        taken = 0

        def read(self, size: int = -1) -> bytes:
            found = super().read(size)
            self.taken += len(found)
            return found

    data = akm.encode(glass, akm.Settings.regular(256))
    file = Counted(data)
    assert container.outline(file) == (83, 61, True)
    assert file.taken < 60 < len(data)


def test_a_thumbnail_and_a_copy_are_made(data):
    with Image.open(io.BytesIO(data)) as picture:
        copy = picture.copy()
        picture.thumbnail((20, 20))
        assert picture.size == (20, 15)
    assert np.array_equal(np.asarray(copy), akm.decode(data))


def test_pickled_and_deep_copied_images_keep_their_pixels(data):
    with Image.open(io.BytesIO(data)) as picture:
        unpickled = pickle.loads(pickle.dumps(picture))  # noqa: S301
        for made in (copy.deepcopy(picture), unpickled):
            assert np.array_equal(np.asarray(made), akm.decode(data))


def ascii_orientation() -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "x"
    return exif.tobytes().replace(b"\x01\x0e", b"\x01\x12").replace(b"\x0e\x01", b"\x12\x01")


@pytest.mark.parametrize("exif", [b"garbage", b"MM\0*", ascii_orientation(), "text", 3])
def test_exif_that_cannot_be_read_is_a_value_error(photo, exif):
    with pytest.raises(ConfigError, match=r"exif: expected|EXIF: expected"):
        Image.fromarray(photo).save(io.BytesIO(), "AKM", quality=50, effort=1, exif=exif)


def test_an_orientation_that_pillow_cannot_write_is_a_value_error(photo):
    exif = Image.Exif()
    exif[0x0112] = "six"
    with pytest.raises(ConfigError, match="exif: expected values that EXIF holds"):
        Image.fromarray(photo).save(io.BytesIO(), "AKM", quality=50, effort=1, exif=exif)


def test_exif_given_replaces_damaged_exif_of_the_image(photo):
    picture = Image.fromarray(photo)
    picture.info["exif"] = b"garbage"
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    picture.save(file, "AKM", k=4, exif=exif)
    with Image.open(file) as opened:
        assert opened.size == (61, 83)


def test_an_animation_is_refused_with_exif_as_without():
    pages = [Image.new("RGB", (6, 4), color) for color in ("red", "blue")]
    file = io.BytesIO()
    pages[0].save(file, "GIF", save_all=True, append_images=pages[1:])
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(file) as animation:
        for options in ({}, {"exif": exif}):
            with pytest.raises(ImageError, match="a single image, received 2 frames"):
                animation.save(io.BytesIO(), "AKM", k=4, **options)


def test_a_file_is_closed_by_its_context_and_reads_again(data, tmp_path):
    path = tmp_path / "photo.akm"
    path.write_bytes(data)
    picture = Image.open(path)
    picture.load()
    picture.close()
    path.unlink()  # fails on some systems while it is open
    assert not path.exists()


def test_verify_finds_damage_that_opening_does_not(data):
    with Image.open(io.BytesIO(data)) as picture:
        picture.verify()
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 4
    picture = Image.open(io.BytesIO(bytes(damaged)))
    with pytest.raises(OSError, match="CRC-32"):
        picture.verify()


def test_damaged_pixels_are_an_error_of_loading(data):
    sections = split(data)
    place = next(i for i, section in enumerate(sections) if section.type == "I")
    sections[place] = sections[place]._replace(payload=sections[place].payload[:-9])
    for damaged in (join(sections), data[:-1], data[: len(data) // 2], data + b"!"):
        picture = Image.open(io.BytesIO(damaged))
        assert picture.size == (83, 61)
        with pytest.raises(OSError, match="expected"):
            picture.load()


@pytest.mark.parametrize("cut", [0, 3, 4, 5, 9, 20, 30])
def test_what_has_no_header_is_not_an_image(data, cut):
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(data[:cut]))
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(data[:4] + b"\x63" + data[5:]))


def test_wrong_settings_are_value_errors(photo):
    with pytest.raises(ValueError, match=r"quality: expected a number in 0\.\.100"):
        Image.fromarray(photo).save(io.BytesIO(), "AKM", quality=101)


def test_it_is_registered_on_import_and_not_before():
    script = (
        "from PIL import Image; import adaptive_kmeans; Image.init()\n"
        "assert '.akm' not in Image.EXTENSION\n"
        "import adaptive_kmeans.pillow\n"
        "assert Image.EXTENSION['.akm'] == 'AKM' and Image.MIME['AKM'] == 'image/x-akm'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_scikit_image_and_imageio_read_files(data, tmp_path):
    import imageio.v3
    import skimage.io

    path = tmp_path / "photo.akm"
    path.write_bytes(data)
    right = akm.decode(data)
    assert np.array_equal(skimage.io.imread(path), right)
    assert np.array_equal(imageio.v3.imread(path), right)


def test_paths_files_pictures_and_arrays_are_the_same_image(photo, data, tmp_path):
    path = tmp_path / "photo.png"
    akm.save(path, photo)
    file = io.BytesIO(path.read_bytes())
    picture = Image.open(path)
    for given in (str(path), path, file, picture, Image.fromarray(photo)):
        assert akm.encode(given, QUICK) == data
    file.seek(0)
    with path.open("rb") as opened:
        for given in (file, opened, picture):
            assert np.array_equal(akm.load(given), photo)
    assert akm.psnr(path, akm.decode(data)) == akm.psnr(picture, Image.fromarray(akm.decode(data)))
    assert akm.quantize(path, akm.Settings.regular(4)).grid.width == 83
    picture.close()


@pytest.mark.parametrize("wrong", [None, 3, b"photo.png", [[1, 2, 3]], np.zeros((3, 3))])
def test_what_is_no_image_is_refused_in_one_line(photo, wrong):
    for call in (
        akm.encode,
        lambda image: akm.psnr(photo, image),
        lambda image: akm.ssim(image, photo),
    ):
        with pytest.raises(ImageError, match=r"image: expected a .*, received") as caught:
            call(wrong)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="path: expected"):
        akm.load(wrong)


def test_a_file_in_text_mode_is_refused(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("not an image")
    with path.open() as opened, pytest.raises(ConfigError, match="binary mode"):
        akm.load(opened)


def test_a_notebook_shows_a_quantized_image_and_its_facts(photo, glass):
    quantized = akm.quantize(photo, akm.Settings.published(4, 9))
    with Image.open(io.BytesIO(quantized._repr_png_())) as picture:
        assert np.array_equal(np.asarray(picture), quantized.reconstruct())
    shown = quantized._repr_html_()
    assert 'src="data:image/png;base64,' in shown
    assert "83×61 pixels, 4 + 9 codewords, 50 + 50 % of the 4×4 blocks</figcaption>" in shown
    facts = akm.quantize(glass, akm.Settings.regular(5)).facts
    assert facts.startswith("83×61 pixels, 5 codewords, ")
    assert facts.endswith(f"{len(np.unique(glass[..., 3]))} levels of alpha, 0 % hidden")


def test_a_large_image_is_shown_smaller():
    quantized = akm.quantize(np.zeros((5, 3000, 3), np.uint8), akm.Settings.regular(2))
    with Image.open(io.BytesIO(quantized._repr_png_())) as picture:
        assert picture.size == (1000, 2)
