"""EXIF and XMP: the metadata of an image file, adapted to the pixels that are kept.

Pixels are kept upright and in sRGB, so metadata that still said otherwise would turn the image
twice. `Metadata.of_upright` therefore sets the orientation to 1 and the color space to sRGB, in
place: other fields, and maker notes, which contain offsets, stay where they are. Sizes in pixels
stay as the camera wrote them. The EXIF thumbnail is removed: it is often larger than everything
else, is not turned, and may show what was cropped. The extended XMP of a JPEG and all other
metadata, such as IPTC and comments, are not read.

A TIFF file has tags instead of an EXIF block. Those that describe the picture, not those that say
how its pixels are stored, are read as EXIF, along with the EXIF and GPS directories. Of EXIF, a
TIFF file that is written gets these tags, but not the directories, which Pillow cannot put into
compressed files.
"""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from adaptive_kmeans.errors import ConfigError, CorruptError
from adaptive_kmeans.limits import MAX_METADATA_BYTES

if TYPE_CHECKING:
    from PIL.Image import Exif, Image

EXIF_PREFIX = b"Exif\0\0"
"""What JPEG, and therefore Pillow, puts before EXIF."""
XMP_TAG = 700
DESCRIBING = (
    *(270, 271, 272, 305, 306, 315, 316),  # description, make, model, software, date, artist, host
    *(33432, 18246, 18249, 40091, 40092, 40093, 40094, 40095),  # copyright, ratings, Windows' texts
)
"""Tags of a TIFF file that describe the picture."""
DIRECTORIES = (34665, 34853)
"""Tags of the EXIF and GPS directories."""
JPEG_MOST = {"exif": 65_533, "xmp": 65_504}
"""Most bytes of each that a JPEG file holds, including the EXIF prefix."""

_ORIENTATION, _COLOR_SPACE, _EXIF_DIRECTORY = 0x0112, 0xA001, 0x8769
_UPRIGHT, _SRGB = 1, 1
_THUMBNAILS = ((0x0201, 0x0202), (0x0111, 0x0117))
"""Tags of the offset and the size of a thumbnail, as JPEG and as samples."""
_INTEGERS = {(1, 1): "B", (3, 1): "H", (4, 1): "I"}
"""`struct` formats of single-integer fields, by type and count."""
_ENTRY = 12
_XMP_FIELD = rb"""(%s\s*=\s*["']|<%s(?:\s[^<>]*)?>)(\s*)[^\s"'<](?:[^"'<]*[^\s"'<])?"""
_STORED, _DEFLATED = 0, 1


@dataclass(frozen=True)
class Metadata:
    r"""EXIF and XMP of an image; empty where it has none.

    Parameters
    ----------
    exif : bytes
        A TIFF structure, as the EXIF standard (CIPA DC-008) defines it, without ``Exif\0\0``.
    xmp : bytes
        A packet in UTF-8.

    Examples
    --------
    >>> Metadata(xmp=b"<x/>").names
    'XMP'
    >>> Metadata(xmp=b'<a tiff:Orientation="6"/>').of_upright().xmp
    b'<a tiff:Orientation="1"/>'
    """

    exif: bytes = b""
    xmp: bytes = b""

    @property
    def names(self) -> str:
        """Which of them are present, in words; empty if none is."""
        return " and ".join(name.upper() for name in UPRIGHT if getattr(self, name))

    def of_upright(self) -> Metadata:
        """Return the metadata adapted to upright sRGB pixels, without a thumbnail.

        Raises
        ------
        ConfigError
            They cannot be read.
        """
        return Metadata(**{name: make(getattr(self, name)) for name, make in UPRIGHT.items()})

    @property
    def orientation(self) -> int:
        """The orientation in the EXIF, 1 if it has none.

        Raises
        ------
        ConfigError
            The EXIF cannot be read.
        """
        return _orientation(self.exif) or _UPRIGHT


NO_METADATA = Metadata()


def find(image: Image, notes: list[str]) -> Metadata:
    """Find the metadata of a Pillow image, adapted to an upright one.

    Parameters
    ----------
    image : PIL.Image.Image
        Loaded, since some files have metadata after their pixels; but a TIFF file not yet, since
        its tags are read from the open file.
    notes : list of str
        Receives a line for anything left out because it cannot be read or is too large.
    """
    found = {}
    for name, read in (("exif", _found_exif), ("xmp", _found_xmp)):
        try:
            content = UPRIGHT[name](read(image))
        except Exception:  # Pillow raises nearly anything
            notes.append(f"ignored {name.upper()} data that cannot be read")
            continue
        if len(content) > MAX_METADATA_BYTES:
            held = f"a file holds at most {MAX_METADATA_BYTES:,}"
            notes.append(f"left out {name.upper()} of {len(content):,} B; {held}")
        else:
            found[name] = content
    return Metadata(**found)


def _found_exif(image: Image) -> bytes:
    if image.format == "TIFF":
        return _describing(image.getexif()).tobytes()
    raw = image.info.get("exif")
    if raw is None and "Raw profile type exif" in image.info:  # as ImageMagick writes PNG
        raw = image.getexif().tobytes()
    return bytes(raw or b"")


def _found_xmp(image: Image) -> bytes:
    raw = image.info.get("xmp", b"")
    return raw.encode() if isinstance(raw, str) else bytes(raw)


def _describing(exif: Exif) -> Exif:
    """Return the part that describes the picture, not how a TIFF file stores it."""
    kept = _chosen(exif, DESCRIBING)
    for tag in DIRECTORIES:
        if tag in exif:
            kept[tag] = exif.get_ifd(tag)
    return kept


def _chosen(exif: Exif, tags: Iterable[int]) -> Exif:
    from PIL.Image import Exif

    kept = Exif()
    kept.endian = exif.endian
    for tag in tags:
        if tag in exif:
            kept[tag] = exif[tag]
    return kept


def options_of_file(metadata: Metadata, file_format: str, notes: list[str]) -> dict[str, Any]:
    """Return the options with which Pillow writes metadata into a file.

    Parameters
    ----------
    metadata : Metadata
    file_format : str
        Pillow's name of the format.
    notes : list of str
        Receives a line for anything left out because the format cannot hold it.
    """
    if not metadata.names:
        return {}
    exif = EXIF_PREFIX + metadata.exif if metadata.exif else b""
    if file_format == "PNG":
        from PIL.PngImagePlugin import PngInfo

        texts = PngInfo()
        if metadata.xmp:
            texts.add_itxt("XML:com.adobe.xmp", metadata.xmp)
        return {"exif": exif, "pnginfo": texts} if exif else {"pnginfo": texts}
    if file_format == "WEBP":
        return {"exif": exif, "xmp": metadata.xmp}
    if file_format == "JPEG":
        options = {"exif": exif, "xmp": metadata.xmp}
        for name, most in JPEG_MOST.items():
            if len(options[name]) > most:
                size = len(options.pop(name))
                notes.append(f"left out {name.upper()} of {size:,} B; JPEG holds {most:,}")
        return options
    if file_format == "TIFF":
        read = _pillow_exif(metadata.exif)
        tags = _chosen(read, DESCRIBING)
        if metadata.xmp:
            tags[XMP_TAG] = metadata.xmp
        if any(tag in read for tag in DIRECTORIES):
            notes.append("left out EXIF but its main tags; PNG, JPEG and WebP hold all of it")
        return {"tiffinfo": tags}
    notes.append(f"left out {metadata.names}, which {file_format} cannot hold")
    return {}


def _pillow_exif(exif: bytes) -> Exif:
    """Return EXIF as Pillow reads it; nothing for no bytes."""
    from PIL.Image import Exif

    read = Exif()
    if exif:
        read.load(EXIF_PREFIX + exif.removeprefix(EXIF_PREFIX))
    return read


def _orientation(exif: bytes) -> int:
    """Return the orientation in the EXIF, as Pillow reads it; 0 if there are no fields at all.

    Pillow warns about damaged fields and leaves them out.

    Raises
    ------
    ConfigError
        Pillow cannot read it.
    """
    with _exif_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = _pillow_exif(exif)
        return int(read.get(_ORIENTATION, _UPRIGHT)) if len(read) else 0


@contextmanager
def _exif_errors() -> Iterator[None]:
    """Turn what indices, structures and Pillow raise for damaged EXIF into our error."""
    try:
        yield
    except Exception as error:
        raise ConfigError("EXIF", "a TIFF structure", "other bytes") from error


def _upright_xmp(xmp: bytes) -> bytes:
    xmp = xmp.rstrip(b"\0")
    try:
        text = xmp.decode()
    except UnicodeDecodeError as error:
        raise ConfigError("XMP", "text in UTF-8", "other bytes") from error
    if "\0" in text:
        raise ConfigError("XMP", "text without NUL", "one with it")
    for name, value in ((b"tiff:Orientation", _UPRIGHT), (b"exif:ColorSpace", _SRGB)):
        xmp = re.sub(_XMP_FIELD % (name, name), rb"\g<1>\g<2>%d" % value, xmp)
    return xmp


def _upright_exif(exif: bytes) -> bytes:
    while exif.startswith(EXIF_PREFIX):
        exif = exif.removeprefix(EXIF_PREFIX)
    if not exif:
        return b""
    with _exif_errors():
        written = _written_upright(exif)
        is_settled = _written_upright(written) == written
    if not is_settled:
        raise ConfigError("EXIF", "directories apart from each other", "some that overlap")
    orientation = _orientation(written)
    if orientation not in (0, _UPRIGHT):
        raise ConfigError("EXIF", "an orientation that can be set to 1", orientation)
    return written if orientation else b""


UPRIGHT = {"exif": _upright_exif, "xmp": _upright_xmp}
"""Adapts each field of `Metadata` to an upright sRGB image, or raises `ConfigError`."""


def _written_upright(exif: bytes) -> bytes:
    """Return EXIF with the fields set that the pixels determine, and without its thumbnail."""
    tiff = _Tiff(exif)
    fields = list(tiff.fields(tiff.first))
    for field in fields:
        if field.tag == _ORIENTATION:
            tiff.set_integer(field, _UPRIGHT)
        elif field.tag == _EXIF_DIRECTORY:
            with suppress(struct.error, KeyError):  # the rest is useful without it
                for inner in tiff.fields(tiff.integer(field)):
                    if inner.tag == _COLOR_SPACE:
                        tiff.set_integer(inner, _SRGB)
    tiff.drop_thumbnail(behind=tiff.first + 2 + _ENTRY * len(fields))
    return bytes(tiff.data)


class _Field(NamedTuple):
    """A field of a directory: its tag, type, number of values, and where they are if they fit."""

    tag: int
    kind: int
    values: int
    place: int


class _Tiff:
    """A TIFF structure whose single-integer fields can be set in place.

    Anything that does not fit raises `struct.error` or `KeyError`.
    """

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self._order = {b"II*\0": "<", b"MM\0*": ">"}[data[:4]]
        (self.first,) = self._read("I", 4)

    def fields(self, place: int) -> Iterator[_Field]:
        """Yield the fields of the directory at an offset."""
        (count,) = self._read("H", place)
        for entry in range(place + 2, place + 2 + _ENTRY * count, _ENTRY):
            tag, kind, values = self._read("HHI", entry)
            yield _Field(tag, kind, values, entry + 8)

    def integer(self, field: _Field) -> int:
        """Return the integer of a field."""
        return int(self._read(_INTEGERS[field.kind, field.values], field.place)[0])

    def set_integer(self, field: _Field, value: int) -> None:
        """Set the integer of a field."""
        form = _INTEGERS[field.kind, field.values]
        struct.pack_into(self._order + form, self.data, field.place, value)

    def drop_thumbnail(self, behind: int) -> None:
        """Drop the second directory and its image, which in most files is all that follows.

        Parameters
        ----------
        behind : int
            The offset of the end of the first directory, where the offset of the second is stored.
        """
        with suppress(struct.error, KeyError):  # what cannot be read is at least not referred to
            (second,) = self._read("I", behind)
            struct.pack_into(self._order + "I", self.data, behind, 0)
            fields = {field.tag: field for field in self.fields(second)} if second else {}
            for start_tag, size_tag in _THUMBNAILS:
                if start_tag in fields and size_tag in fields:
                    start, size = self.integer(fields[start_tag]), self.integer(fields[size_tag])
                    self._blank(max(start, behind + 4), start + size)

    def _blank(self, start: int, end: int) -> None:
        """Set bytes to zero; drop them if nothing follows."""
        end = min(end, len(self.data))
        self.data[start:end] = bytes(max(0, end - start))
        if not any(self.data[start:]):
            del self.data[start:]

    def _read(self, form: str, place: int) -> tuple[Any, ...]:
        return struct.unpack_from(self._order + form, self.data, place)


def to_payload(content: bytes) -> bytes:
    r"""Return the payload of a section, as `adaptive_kmeans.container` specifies it.

    Examples
    --------
    >>> to_payload(b"abc"), len(to_payload(bytes(1000)))
    (b'\x00abc', 18)
    """
    deflated = zlib.compress(content, 9)
    if len(deflated) < len(content):
        return bytes([_DEFLATED]) + deflated
    return bytes([_STORED]) + content


def from_payload(payload: bytes, most_bytes: int) -> bytes:
    """Return the content of a section's payload, which may have at most `most_bytes`.

    Raises
    ------
    CorruptError
        There is no such content.
    """
    form, content = payload[:1], payload[1:]
    if form == bytes([_DEFLATED]):
        stream = zlib.decompressobj()
        try:
            content = stream.decompress(content, most_bytes + 1)
        except zlib.error as error:
            raise CorruptError("metadata", "a zlib stream", "other bytes") from error
        if len(content) <= most_bytes and (not stream.eof or stream.unused_data):
            raise CorruptError("metadata", "a whole zlib stream", "a part, or more")
    elif form != bytes([_STORED]):
        raise CorruptError("metadata", "form 0 or 1", form.hex())
    if not 1 <= len(content) <= most_bytes:
        raise CorruptError("metadata", f"1..{most_bytes:,} bytes", f"{len(content):,}")
    return content
