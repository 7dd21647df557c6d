import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, ImageCms

import adaptive_kmeans as akm
from adaptive_kmeans import image as images
from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    ConfigError,
    ImageError,
    LimitError,
    ReadError,
)
from adaptive_kmeans.image import decode_image, encode_image, read_image, read_size
from adaptive_kmeans.limits import Limits


def saved(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def png(width: int, height: int, depth: int, samples: bytes) -> bytes:
    """Write a color PNG by hand, for what Pillow does not write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(samples)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.fixture
def picture(photo):
    return Image.fromarray(photo)


@pytest.mark.parametrize("extension", images.WRITABLE)
def test_what_is_written_is_read(photo, extension):
    source = decode_image(encode_image(photo, extension.upper()))
    assert source.notes == ()
    if extension in (".jpg", ".jpeg"):
        assert np.abs(source.pixels.astype(int) - photo).mean() < 2
    else:
        assert np.array_equal(source.pixels, photo)


@pytest.mark.parametrize("mode", ["L", "1", "P"])
@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP", "GIF"])
def test_gray_palette_and_one_bit_lose_nothing(picture, mode, file_format):
    converted = picture.convert(mode)
    source = decode_image(saved(converted, file_format))
    assert np.array_equal(source.pixels, np.asarray(converted.convert("RGB")))
    assert source.notes == ()


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 10))
def test_the_orientation_is_applied_once_and_said(picture, orientation, file_format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = decode_image(saved(picture, file_format, exif=exif, lossless=True))
    turned = {
        1: picture,
        2: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: picture.transpose(Image.Transpose.ROTATE_180),
        4: picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: picture.transpose(Image.Transpose.TRANSPOSE),
        6: picture.transpose(Image.Transpose.ROTATE_270),
        7: picture.transpose(Image.Transpose.TRANSVERSE),
        8: picture.transpose(Image.Transpose.ROTATE_90),
        9: picture,
    }[orientation]
    assert np.array_equal(source.pixels, np.asarray(turned))
    assert len(source.notes) == (orientation not in (1, 9))


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", range(10))
def test_the_size_in_a_header_is_that_of_the_pixels(picture, orientation, file_format, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "picture"
    path.write_bytes(saved(picture, file_format, exif=exif))
    height, width = read_image(path).pixels.shape[:2]
    assert height != width
    assert read_size(path) == (width, height)


def test_the_size_of_what_is_not_an_image_is_an_error(tmp_path, picture):
    with pytest.raises(ReadError, match="no such file"):
        read_size(tmp_path / "nothing.png")
    with pytest.raises(ReadError):
        read_size(tmp_path)
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(ImageError, match="something else"):
        read_size(tmp_path / "text.png")
    (tmp_path / "a.png").write_bytes(saved(picture, "PNG"))
    with pytest.raises(LimitError, match="at most 9 pixels"):
        read_size(tmp_path / "a.png", Limits(pixels=9))


def test_a_profile_is_converted_and_said(picture):
    # Little CMS brings sRGB and Lab only; swapped primaries make another profile of it.
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"tXYZ", 1).replace(b"gXYZ", b"rXYZ", 1)
    swapped = swapped.replace(b"tXYZ", b"gXYZ", 1)
    source = decode_image(saved(picture, "PNG", icc_profile=swapped))
    assert any("converted the color profile" in note for note in source.notes)
    expected = np.asarray(picture)[..., [1, 0, 2]].astype(int)
    assert np.abs(source.pixels - expected).max() <= 2


def test_an_srgb_profile_changes_no_pixel(picture, photo):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = decode_image(saved(picture, "PNG", icc_profile=srgb))
    assert source.notes == ()
    assert np.array_equal(source.pixels, photo)


def test_a_profile_that_cannot_be_used_is_ignored_and_said(picture, photo):
    source = decode_image(saved(picture, "PNG", icc_profile=b"no profile at all"))
    assert source.notes == ("ignored a color profile that does not fit the RGB image",)
    assert np.array_equal(source.pixels, photo)


def test_cmyk_is_converted_and_said(picture):
    source = decode_image(saved(picture.convert("CMYK"), "TIFF"))
    assert source.notes == ("converted CMYK to RGB",)
    assert np.abs(source.pixels.astype(int) - np.asarray(picture)).max() <= 1


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_sixteen_bit_gray_keeps_the_high_byte(file_format):
    samples = np.array([[0, 255, 256], [0x1234, 0xFF00, 0xFFFF]], dtype=np.uint16)
    source = decode_image(saved(Image.fromarray(samples), file_format))
    assert source.pixels[..., 0].tolist() == (samples >> 8).tolist()
    assert (source.pixels == source.pixels[..., :1]).all()
    assert source.notes == ("kept the high byte of samples of 16 bits",)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_a_loaded_image_of_sixteen_bits_keeps_the_high_byte(file_format):
    samples = np.array([[0, 255, 256], [0x1234, 0xFF00, 0xFFFF]], dtype=np.uint16)
    picture = Image.open(io.BytesIO(saved(Image.fromarray(samples), file_format)))
    for given in (picture, picture, picture.copy(), picture.convert("I")):
        assert akm.load(given)[..., 0].tolist() == (samples >> 8).tolist()
    assert np.array_equal(np.asarray(picture), samples)


def test_sixteen_bit_color_keeps_the_high_byte():
    samples = np.array([[[0x12FF, 0x8001, 0xFFFF], [0, 255, 256]]], dtype=">u2")

    source = decode_image(png(2, 1, 16, b"\0" + samples.tobytes()))
    assert source.pixels.tolist() == (samples >> 8).tolist()
    assert source.notes == ("kept the high byte of samples of 16 bits",)


def test_other_depths_are_refused_and_white_may_be_zero():
    samples = np.array([[0, 0x1234, 0xFFFF]], dtype=np.uint16)
    inverted = saved(Image.fromarray(samples), "TIFF", tiffinfo={262: 0})
    assert decode_image(inverted).pixels[0, :, 0].tolist() == [255, 255 - 0x12, 0]
    twelve = saved(Image.fromarray(samples), "TIFF").replace(
        struct.pack("<HHII", 258, 3, 1, 16), struct.pack("<HHII", 258, 3, 1, 12)
    )
    with pytest.raises(ImageError):
        decode_image(twelve)


def test_a_transparent_color_of_sixteen_bits_is_refused(random):
    data = png(2, 1, 16, b"\0" + bytes(range(12)))
    key = b"tRNS" + bytes(range(6))
    chunk = struct.pack(">I", 6) + key + struct.pack(">I", zlib.crc32(key))
    place = data.index(b"IDAT") - 4
    keyed = data[:place] + chunk + data[place:]
    with pytest.raises(ImageError, match="an alpha channel where samples have 16 bits"):
        decode_image(keyed)
    picture = Image.open(io.BytesIO(keyed))
    picture.load()
    with pytest.raises(ImageError, match="an alpha channel where samples have 16 bits"):
        akm.load(picture)


def test_damaged_metadata_does_not_fail_a_good_picture(picture, photo):
    data = saved(picture, "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    source = decode_image(data)
    assert np.array_equal(source.pixels, photo)


def test_floating_point_samples_are_refused():
    with pytest.raises(ImageError, match="integer samples, received floating-point"):
        decode_image(saved(Image.fromarray(np.ones((3, 3), np.float32)), "TIFF"))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_an_opaque_alpha_channel_is_dropped_and_said(picture, mode, file_format):
    source = decode_image(saved(picture.convert(mode), file_format))
    assert source.notes == ("dropped an alpha channel that is opaque everywhere",)
    assert np.array_equal(source.pixels, np.asarray(picture.convert(mode).convert("RGB")))


def translucent(photo: np.ndarray, alpha: int) -> bytes:
    channel = np.full(photo.shape[:2], 255, np.uint8)
    channel[3, 5] = alpha
    return saved(Image.fromarray(np.dstack([photo, channel])), "PNG")


def test_a_translucent_image_keeps_its_alpha_unless_there_is_a_background(photo):
    kept = decode_image(translucent(photo, 254))
    assert np.array_equal(kept.pixels[..., :3], photo)
    assert (kept.pixels[3, 5, 3], kept.pixels[..., 3].sum()) == (254, 255 * photo[..., 0].size - 1)
    assert kept.notes == ()
    source = decode_image(translucent(photo, 100), background="#ff8000")
    expected = photo.astype(float)
    expected[3, 5] = expected[3, 5] * 100 / 255 + np.array([255, 128, 0]) * 155 / 255
    assert np.array_equal(source.pixels, np.floor(expected + 0.5).astype(np.uint8))
    assert source.notes == ("flattened the alpha channel over #ff8000",)


def test_a_transparent_palette_entry_is_an_alpha_channel(picture):
    palette = picture.convert("P")
    entry = palette.getpixel((0, 0))
    source = decode_image(saved(palette, "PNG", transparency=entry))
    assert np.array_equal(source.pixels[..., 3] == 0, np.asarray(palette) == entry)
    assert set(np.unique(source.pixels[..., 3])) == {0, 255}


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_transparent_color_is_an_alpha_channel(picture, mode):
    picture = picture.convert(mode)
    color = picture.getpixel((0, 0))
    source = decode_image(saved(picture, "PNG", transparency=color))
    pixels = np.asarray(picture).reshape(*source.pixels.shape[:2], -1)
    assert np.array_equal(source.pixels[..., 3] == 0, (pixels == color).all(axis=2))


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_comes_through_every_format_that_has_it(picture, mode, file_format):
    picture = picture.convert(mode)
    picture.putalpha(
        Image.fromarray(np.arange(61 * 83, dtype=np.uint16).astype(np.uint8).reshape(61, 83))
    )
    options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
    source = decode_image(saved(picture, file_format, **options))
    assert np.array_equal(source.pixels, np.asarray(picture.convert("RGBA")))


def test_a_background_is_a_color():
    with pytest.raises(ConfigError, match="background: expected an opaque color"):
        decode_image(b"", background="off-white")


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "TIFF", "PNG"])
def test_animations_and_pages_are_refused(picture, file_format):
    other = picture.transpose(Image.Transpose.ROTATE_180)
    data = saved(picture, file_format, save_all=True, append_images=[other])
    with pytest.raises(ImageError, match="a single image, received 2 frames or pages"):
        decode_image(data)


def test_one_frame_of_a_gif_is_an_image(picture):
    assert decode_image(saved(picture.convert("P"), "GIF")).pixels.shape == (61, 83, 3)


def test_damage_is_an_image_error(picture):
    with pytest.raises(ImageError, match="received an empty file"):
        decode_image(b"")
    with pytest.raises(ImageError, match="an image: PNG, JPEG, WEBP, TIFF, BMP, GIF"):
        decode_image(b"%PDF-1.7 is none of them")
    for file_format in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"):
        data = saved(picture, file_format)
        for length in range(1, len(data) - 12, max(1, len(data) // 40)):
            with pytest.raises(ImageError):
                decode_image(data[:length])


def test_zero_by_zero_is_an_image_error():
    fields = (b"BM", 54, 0, 0, 54, 40, 0, 0, 1, 24, 0, 0, 0, 0, 0, 0)
    with pytest.raises(ImageError):
        decode_image(struct.pack("<2sIHHIIiiHHIIiiII", *fields))
    with pytest.raises(ImageError):
        decode_image(png(0, 5, 8, b""))


def test_a_size_over_the_limit_is_refused_before_it_is_decoded(picture, tmp_path):
    data = saved(picture, "PNG")
    with pytest.raises(LimitError, match="at most 5,000 pixels, received 83×61"):
        decode_image(data, limits=Limits(pixels=5000))
    (tmp_path / "cat.png").write_bytes(data)
    with pytest.raises(LimitError, match="at most 5,000 pixels, received 83×61"):
        akm.load(tmp_path / "cat.png", limits=Limits(pixels=5000))
    with pytest.raises(LimitError, match="at most 1,000 bytes"):
        akm.load(tmp_path / "cat.png", limits=Limits(file_bytes=1000))


@pytest.mark.parametrize("name", ["a.png", "a.TIF", "a.bmp", "a.webp"])
def test_saved_images_are_loaded(photo, tmp_path, name):
    akm.save(tmp_path / name, photo)
    assert np.array_equal(akm.load(tmp_path / name), photo)
    assert np.array_equal(akm.load(str(tmp_path / name)), photo)


def test_a_translucent_image_is_loaded_over_a_background(photo, tmp_path):
    (tmp_path / "glass.png").write_bytes(translucent(photo, 0))
    loaded = akm.load(tmp_path / "glass.png", "#ff8000")
    assert loaded[3, 5].tolist() == [255, 128, 0]


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_alpha_is_saved_where_the_format_holds_it(photo, tmp_path, name):
    image = np.dstack([photo, np.maximum(photo[..., 0], 1)])
    akm.save(tmp_path / name, image)
    assert np.array_equal(akm.load(tmp_path / name), image)
    with pytest.raises(ConfigError, match=r"a format that holds alpha: .png, .webp, .tif, .tiff"):
        akm.save(tmp_path / "a.jpg", image)


@pytest.mark.parametrize("wrong", [None, 3, b"a.png", "a\0b.png"])
def test_other_paths_are_refused(photo, wrong):
    with pytest.raises(ConfigError, match="path: expected"):
        akm.load(wrong)
    with pytest.raises(ConfigError, match="path: expected"):
        akm.save(wrong, photo)


def test_other_arrays_are_not_saved(photo, tmp_path):
    for wrong in ([1], photo[0], photo.astype(float), np.dstack([photo, photo])):
        with pytest.raises(ImageError, match="image: expected a"):
            akm.save(tmp_path / "a.png", wrong)
    assert not list(tmp_path.iterdir())


def test_a_size_over_pillows_limit_is_refused():
    with pytest.raises(LimitError, match="at most 134,217,728 pixels"):
        decode_image(png(90_000, 90_000, 8, b"\0"))


def test_a_missing_file_is_a_read_error(tmp_path):
    with pytest.raises(ReadError, match="no such file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(ReadError, match="received a folder"):
        read_image(tmp_path)


def test_other_extensions_are_not_written(photo):
    with pytest.raises(ConfigError, match=r"one of \.png.*received \.xyz"):
        encode_image(photo, ".xyz")


def test_libtiff_writes_no_lines_of_its_own(capfd, photo):
    whole = saved(Image.fromarray(photo).convert("1"), "TIFF", compression="group4")
    files = [whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :] for at in range(8, 300, 7)]
    for data in files:
        with suppress(Exception):
            Image.open(io.BytesIO(data)).load()
    assert "Fax4Decode" in capfd.readouterr().err  # what Pillow leaves to a user to read
    notes = []
    for data in files:
        with suppress(AdaptiveKMeansError):
            notes += decode_image(data).notes
    assert capfd.readouterr().err == ""
    assert all(note.startswith("libtiff says: ") for note in notes)
