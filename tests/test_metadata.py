"""EXIF and XMP: kept when asked for, true of the pixels, and never in the way of them."""

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import adaptive_kmeans as akm
import adaptive_kmeans.pillow
from adaptive_kmeans import container
from adaptive_kmeans.container import Reader, Section, with_metadata, with_sections
from adaptive_kmeans.errors import ChecksumError, ConfigError, FormatError, LimitError
from adaptive_kmeans.image import decode_image, encode_image
from adaptive_kmeans.limits import MAX_METADATA_BYTES, Limits
from adaptive_kmeans.metadata import EXIF_PREFIX, Metadata, to_payload

FAST = ("--k", "256", "--coder", "fixed-length")
QUICK = akm.Settings.regular(16, coder="fixed-length")
MAKE, ORIENTATION, DIRECTORY, COLOR_SPACE, NOTE = 271, 0x0112, 0x8769, 0xA001, 0x927C
THUMBNAIL = b"\xff\xd8" + bytes(range(1, 200)) + b"\xff\xd9"
UPRIGHT_OF = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
BACK = UPRIGHT_OF | {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def exif(orientation: int = 6, order: str = "<", thumbnail: bytes = THUMBNAIL) -> bytes:
    """Write EXIF as cameras do: a maker's note that holds offsets, and a thumbnail at the end."""

    def directory(entries: list[tuple[int, int, int, bytes]], following: int) -> bytes:
        body = struct.pack(f"{order}H", len(entries))
        for tag, kind, count, value in entries:
            body += struct.pack(f"{order}HHI", tag, kind, count) + value.ljust(4, b"\0")
        return body + struct.pack(f"{order}I", following)

    def short(value: int) -> bytes:
        return struct.pack(f"{order}H", value)

    def long(value: int) -> bytes:
        return struct.pack(f"{order}I", value)

    head = (b"II*\0" if order == "<" else b"MM\0*") + long(8)
    sizes = [2 + 12 * n + 4 for n in (3, 2, 2)]
    inner = 8 + sizes[0]
    note = inner + sizes[1]
    second = note + 40
    start = second + sizes[2]
    data = head + directory(
        [
            (MAKE, 2, 4, b"Axe\0"),
            (ORIENTATION, 3, 1, short(orientation)),
            (DIRECTORY, 4, 1, long(inner)),
        ],
        second if thumbnail else 0,
    )
    data += directory([(NOTE, 7, 40, long(note)), (COLOR_SPACE, 3, 1, short(65535))], 0)
    data += b"the note of the maker, which points here"
    if thumbnail:
        places = [(0x0201, 4, 1, long(start)), (0x0202, 4, 1, long(len(thumbnail)))]
        data += directory(places, 0) + thumbnail
    return data


def xmp(orientation: int = 6) -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:Description tiff:Orientation="{orientation}" dc:title="Käthe"/></x:xmpmeta>'
        "<?xpacket end='w'?>"
    ).encode()


def saved(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def read(data: bytes) -> tuple[Image.Exif, bytes]:
    """Return what Pillow finds in an image file."""
    with Image.open(io.BytesIO(data)) as picture:
        found = picture.getexif()
        found.get_ifd(DIRECTORY)
        picture.load()
        return found, picture.info.get("xmp", b"")


@pytest.fixture(scope="module")
def data(photo) -> bytes:
    return akm.encode(photo, QUICK)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_metadata_of_every_orientation_come_back_upright(command, photo, orientation):
    picture = Image.fromarray(photo)
    if orientation > 1:
        picture = picture.transpose(BACK[orientation])
    jpeg = saved(
        picture,
        "JPEG",
        quality=98,
        subsampling=0,
        exif=EXIF_PREFIX + exif(orientation),
        xmp=xmp(orientation),
    )
    Path("turned.jpg").write_bytes(jpeg)
    code, _, err = command("compress", "turned.jpg", "--keep-metadata", "--verify", *FAST)
    assert code == 0
    assert "left out" not in err
    decoded = akm.decode(Path("turned.akm").read_bytes())
    assert akm.psnr(photo, decoded) > 35
    for name in ("back.jpg", "back.png", "back.webp", "back.tif"):
        code, _, err = command("decompress", "turned.akm", name)
        assert (code, "left out EXIF but" in err) == (0, name == "back.tif")
        found, packet = read(Path(name).read_bytes())
        assert found[MAKE] == "Axe"
        assert found.get(ORIENTATION, 1) == 1
        assert packet == xmp(1)
        if name != "back.tif":
            assert found.get_ifd(DIRECTORY)[COLOR_SPACE] == 1
            assert found.get_ifd(DIRECTORY)[NOTE].endswith(b"points here")
        source = decode_image(Path(name).read_bytes())
        assert source.notes == ()  # nothing is turned again
        if name != "back.jpg":
            assert np.array_equal(source.pixels, decoded)
        else:
            assert akm.psnr(source.pixels, decoded) > 35


def test_by_default_metadata_go_and_that_is_said(command, photo):
    for name, options, said in (
        (
            "both",
            {"exif": exif(1), "xmp": xmp()},
            "EXIF and XMP left out; --keep-metadata keeps them",
        ),
        ("exif", {"exif": exif(1)}, "EXIF left out; --keep-metadata keeps them"),
        ("xmp", {"xmp": xmp(1)}, "XMP left out; --keep-metadata keeps them"),
    ):
        picture = saved(Image.fromarray(photo), "WEBP", lossless=True, **options)
        Path(f"{name}.webp").write_bytes(picture)
        code, _, err = command("compress", f"{name}.webp", *FAST)
        assert code == 0
        assert said in err
        pixels = akm.load(f"{name}.webp")
        settings = akm.Settings.regular(256, coder="fixed-length")
        assert Path(f"{name}.akm").read_bytes() == akm.encode(pixels, settings)


def test_an_image_without_metadata_gives_the_same_bytes(command):
    assert command("compress", "cat.png", "a.akm", *FAST)[::2] == (0, "")
    assert command("compress", "cat.png", "b.akm", "--keep-metadata", *FAST)[::2] == (0, "")
    assert Path("a.akm").read_bytes() == Path("b.akm").read_bytes()


def test_what_is_kept_is_told_in_bytes(command, photo):
    Path("a.jpg").write_bytes(
        saved(Image.fromarray(photo), "JPEG", exif=EXIF_PREFIX + exif(), xmp=xmp())
    )
    facts = json.loads(command("compress", "a.jpg", "--keep-metadata", "--json", *FAST)[1])
    sections = {
        each.type: each.bytes for each in container.inspect(Path("a.akm").read_bytes()).ancillary
    }
    assert facts["metadata_bytes"] == sum(sections.values())
    code, out, _ = command("info", "a.akm")
    assert code == 0
    assert out.endswith(f"EXIF: {sections['x']:,} B\nXMP: {sections['m']:,} B\n")
    assert "│ metadata" in out
    assert sections["m"] < len(xmp())  # it is deflated


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(10))
def test_exif_is_changed_in_its_place_and_loses_its_thumbnail(order, orientation):
    written = Metadata(exif(orientation, order)).of_upright().exif
    plain = exif(1, order, thumbnail=b"")
    color_space = struct.pack(f"{order}H", 65535)
    assert written[: len(plain)] == plain.replace(color_space, struct.pack(f"{order}H", 1))
    assert THUMBNAIL[:50] not in written
    assert len(written) <= len(plain) + 2 + 2 * 12 + 4  # the directory of the thumbnail is idle
    assert Metadata(written).of_upright().exif == written


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'<a tiff:Orientation="8" b="8"/>', b'<a tiff:Orientation="1" b="8"/>'),
        (b"<a tiff:Orientation = '6'/>", b"<a tiff:Orientation = '1'/>"),
        (b"<tiff:Orientation> 3 </tiff:Orientation>", b"<tiff:Orientation> 1 </tiff:Orientation>"),
        (
            b'<tiff:Orientation x="y">3</tiff:Orientation>',
            b'<tiff:Orientation x="y">1</tiff:Orientation>',
        ),
        (b'<a tiff:Orientation="6.0" b="8"/>', b'<a tiff:Orientation="1" b="8"/>'),
        (b"<tiff:Orientation>6x </tiff:Orientation>", b"<tiff:Orientation>1 </tiff:Orientation>"),
        (b"<tiff:Orientation> <b/>", b"<tiff:Orientation> <b/>"),
        (b'<a exif:ColorSpace="65535"/>', b'<a exif:ColorSpace="1"/>'),
        (b'<a tiff:Orientations="6"/>', b'<a tiff:Orientations="6"/>'),
        (b"<a>tiff:Orientation 6</a>\0\0", b"<a>tiff:Orientation 6</a>"),
    ],
)
def test_xmp_says_that_the_image_is_upright(before, after):
    assert Metadata(xmp=before).of_upright().xmp == after


def test_an_orientation_of_xmp_alone_is_applied_and_reset(photo):
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", xmp(6))
    source = decode_image(saved(Image.fromarray(photo), "PNG", pnginfo=texts))
    assert np.array_equal(source.pixels, np.rot90(photo, -1))
    assert source.metadata == Metadata(xmp=xmp(1))


def test_png_metadata_behind_the_pixels_and_in_old_profiles_are_found(photo):
    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    plain = encode_image(photo)
    late = plain[:-12] + chunk(b"eXIf", exif(1)) + plain[-12:]
    assert decode_image(late).metadata.names == "EXIF"
    raw = Image.Exif()
    raw[MAKE] = "Axe"
    texts = PngImagePlugin.PngInfo()
    content = raw.tobytes()
    texts.add_text("Raw profile type exif", f"\nexif\n{len(content)}\n{content.hex()}\n")
    found = decode_image(saved(Image.fromarray(photo), "PNG", pnginfo=texts)).metadata
    assert Metadata(found.exif).of_upright() == found
    assert b"Axe" in found.exif


def test_a_tiff_file_gives_the_tags_that_describe_it(photo):
    plain = saved(Image.fromarray(photo), "TIFF", compression="tiff_adobe_deflate")
    assert decode_image(plain).metadata.names == ""
    found = decode_image(saved(Image.fromarray(photo), "TIFF", exif=EXIF_PREFIX + exif(6))).metadata
    read = Image.Exif()
    read.load(EXIF_PREFIX + found.exif)
    assert set(read) == {MAKE, DIRECTORY}
    assert read.get_ifd(DIRECTORY)[NOTE].endswith(b"points here")


def test_exif_that_cannot_be_read_is_ignored_and_said(photo):
    in_header = b"MM\0*\0\0\0\4" + exif(order=">")[8:]
    for wrong in (b"no TIFF at all", b"II*\0\xff\xff\xff\xff", exif()[:15], in_header):
        source = decode_image(saved(Image.fromarray(photo), "WEBP", lossless=True, exif=wrong))
        assert source.metadata.names == ""
        assert source.notes == ("ignored EXIF data that cannot be read",)
        assert np.array_equal(source.pixels, photo)


@pytest.mark.parametrize(("name", "size"), [("exif", 5_000_000), ("xmp", 5_200_000)])
def test_metadata_too_large_for_a_file_are_left_out_and_said(name, size, photo):
    content = {"exif": exif(1, thumbnail=b""), "xmp": b"<x/>"}[name].ljust(size, b".")
    options = {"pnginfo": PngImagePlugin.PngInfo()}
    options["pnginfo"].add_itxt("XML:com.adobe.xmp", content)
    options = {"exif": content} if name == "exif" else options
    source = decode_image(saved(Image.fromarray(photo), "PNG", **options))
    assert source.metadata.names == ""
    assert source.notes == (
        f"left out {name.upper()} of {size:,} B; a file holds at most 4,194,304",
    )
    assert np.array_equal(source.pixels, photo)


def test_damaged_exif_is_upright_or_refused_and_never_costs_an_image(random, photo):
    whole = exif(6)
    written_ones = 0
    for count in range(3000):
        damaged = bytearray(whole[: random.integers(1, len(whole) + 1)])
        for place in random.integers(0, min(120, len(damaged)), random.integers(1, 4)):
            damaged[place] = random.integers(256)
        try:
            written = Metadata(bytes(damaged)).of_upright()
        except ConfigError:
            continue
        assert written.orientation == 1
        assert len(written.exif) <= len(damaged)
        assert written.of_upright() == written
        if count % 10 == 0:
            for extension in (".png", ".webp", ".tif"):
                found = decode_image(encode_image(photo[:7, :9], extension, beside=written))
                assert np.array_equal(found.pixels, photo[:7, :9])
            written_ones += 1
    assert written_ones > 50


GOOD = {"x": to_payload(exif(1)), "m": to_payload(xmp(1))}
BOMB = b"\1" + zlib.compress(bytes(MAX_METADATA_BYTES + 1))


@pytest.mark.parametrize("kind", ["x", "m"])
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0",
        b"\2abc",
        b"\1no stream",
        to_payload(bytes(999))[:-3],
        b"\1" + zlib.compress(b""),
        BOMB,
        to_payload(zlib.compress(bytes(99))),
        to_payload(exif() + bytes(99)) + b"more",
    ],
)
def test_unreadable_metadata_are_noted_and_pixels_decoded(command, data, kind, payload):
    other = "m" if kind == "x" else "x"
    damaged = with_sections(data, [Section(kind, payload), Section(other, GOOD[other])])
    assert np.array_equal(akm.decode(damaged), akm.decode(data))
    Path("a.akm").write_bytes(damaged)
    code, _, err = command("decompress", "a.akm", "a.png")
    assert code == 0
    assert err.startswith(
        f"note: a.png: left out {container.METADATA[kind].upper()} that cannot be read: "
    )
    assert err.count("\n") == 1
    assert np.array_equal(akm.load("a.png"), akm.decode(data))
    kept = decode_image(Path("a.png").read_bytes()).metadata
    assert kept.names == container.METADATA[other].upper()
    assert command("info", "a.akm")[::2] == (0, "")
    with Image.open("a.akm") as picture:
        assert ("exif" in picture.info, "xmp" in picture.info) == (kind == "m", kind == "x")
        picture.load()


def test_every_flipped_bit_of_metadata_is_found_and_costs_no_pixel(data):
    small = Metadata(exif=exif(1, thumbnail=b""), xmp=b"<x/>")
    whole = with_metadata(data, small)
    right = akm.decode(data)
    spared = 0
    for place in range(len(data) - 9, len(whole) - 9):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            with pytest.raises(FormatError):
                container.inspect(bytes(damaged))
            notes: list[str] = []
            try:
                decoded = akm.decode(bytes(damaged))
            except FormatError:
                continue
            assert np.array_equal(decoded, right)
            Reader(bytes(damaged)).metadata(notes)
            assert len(notes) == 1
            spared += 1
    assert spared > 8 * 100


def test_damaged_metadata_are_not_made_whole(data):
    damaged = bytearray(with_metadata(data, Metadata(xmp=b"<x/>")))
    damaged[-15] ^= 1
    with pytest.raises(ChecksumError):
        with_sections(bytes(damaged), [])


def test_metadata_of_a_file_are_replaced_and_removed(data):
    first = with_metadata(data, Metadata(exif(6), xmp(6)))
    assert Reader(first).metadata() == Metadata(exif(6), xmp(6)).of_upright()
    second = with_metadata(first, Metadata(xmp=b"<x/>"))
    assert Reader(second).metadata() == Metadata(xmp=b"<x/>")
    assert with_metadata(second, Metadata()) == data
    for wrong in (Metadata(b"no TIFF"), Metadata(xmp=b"\xff"), Metadata(xmp=b"a\0b")):
        with pytest.raises(ConfigError, match=r"^(EXIF|XMP): expected .*, received"):
            with_metadata(data, wrong)


def test_metadata_are_limited(data):
    most = b"<x>" + b" " * (MAX_METADATA_BYTES - 3)
    file = with_metadata(data, Metadata(xmp=most))
    assert Reader(file).metadata().xmp == most
    notes: list[str] = []
    assert Reader(file, Limits(metadata_bytes=99)).metadata(notes).names == ""
    assert len(notes) == 1
    with pytest.raises(LimitError, match="XMP: expected at most 4,194,304 bytes"):
        with_metadata(data, Metadata(xmp=most + b" "))


def test_what_a_format_cannot_hold_is_said(command, data):
    beside = Metadata(exif(1), b"<x>" + b"y" * 70_000)
    Path("a.akm").write_bytes(with_metadata(data, beside))
    code, _, err = command("decompress", "a.akm", "a.jpg")
    assert (code, err) == (0, "note: a.jpg: left out XMP of 70,003 B; JPEG holds 65,504\n")
    assert decode_image(Path("a.jpg").read_bytes()).metadata.names == "EXIF"
    code, _, err = command("decompress", "a.akm", "a.bmp")
    assert (code, err) == (0, "note: a.bmp: left out EXIF and XMP, which BMP cannot hold\n")
    assert command("decompress", "a.akm", "a.png", "--indexed")[::2] == (0, "")
    assert decode_image(Path("a.png").read_bytes()).metadata == beside.of_upright()


def test_pillow_opens_and_saves_metadata(photo, data):
    given = Image.Exif()
    given.load(EXIF_PREFIX + exif(1))
    for options in (
        {"exif": EXIF_PREFIX + exif(1), "xmp": xmp(1)},
        {"exif": given, "xmp": xmp(1).decode()},
    ):
        file = saved(Image.fromarray(photo), "AKM", k=16, coder="fixed-length", **options)
        with Image.open(io.BytesIO(file)) as picture:
            assert picture.getexif()[MAKE] == "Axe"
            assert picture.getexif().get_ifd(DIRECTORY)[COLOR_SPACE] == 1
            assert picture.info["exif"].startswith(EXIF_PREFIX)
            assert picture.info["xmp"] == xmp(1)
            assert np.array_equal(np.asarray(picture), akm.decode(data))
            again = saved(picture, "AKM", k=16, coder="fixed-length")
    with Image.open(io.BytesIO(again)) as picture:  # as in other formats, what is not given goes
        assert "exif" not in picture.info


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pillow_saves_upright_whatever_the_orientation(photo, orientation):
    turned = Image.fromarray(photo)
    if orientation > 1:
        turned = turned.transpose(BACK[orientation])
    opened = Image.open(io.BytesIO(saved(turned, "WEBP", lossless=True, exif=exif(orientation))))
    for picture, given in (
        (turned, EXIF_PREFIX + exif(orientation)),
        (opened, opened.info["exif"]),
        (opened, opened.getexif()),
        (Image.fromarray(photo), EXIF_PREFIX + exif(1)),
    ):
        file = saved(picture, "AKM", exif=given, k=256, coder="fixed-length")
        assert akm.psnr(akm.decode(file), photo) > 35
        with Image.open(io.BytesIO(file)) as back:
            assert back.getexif().get(ORIENTATION) == 1
