"""Files of colors: codebooks in formats that other programs read, and colors that users give.

========= =========================================================================================
`.json`   ``{"codebooks": [["#rrggbb", ...], ...]}``, one list for each region
`.csv`    rows of ``region,index,red,green,blue``, and the share of pixels
`.gpl`    a GIMP palette, which Inkscape and Krita read too
`.css`    custom properties: ``--color-0: #rrggbb;``
`.npy`    an (n, 3) uint8 array
`.npz`    (n, 3) uint8 arrays, ``codebook_0`` and so on; see also `adaptive_kmeans.exports.npz`
`.akm`    read only
========= =========================================================================================

Each of them can be read back. Files from elsewhere may contain less: a JSON file may be a plain
list of colors, and may mark those that clustering is to keep, as ``{"color": "#rrggbb", "locked":
true}``.
"""

from __future__ import annotations

import csv
import io
import json
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import exports, files
from adaptive_kmeans.errors import ConfigError, FormatError
from adaptive_kmeans.limits import DEFAULT, MAX_CODEWORDS, MAX_REGIONS

Colors = npt.NDArray[np.uint8]
Codebooks = Sequence[Colors]
Shares = Sequence[Sequence[float]]

MAX_TEXT_BYTES = 2**22
"""Most bytes of a file of colors; a file that also holds an image may be larger."""


class GivenColors(NamedTuple):
    """The distinct colors of a file, in its order.

    Parameters
    ----------
    colors : (n, 3) uint8
    locked : (n,) bool
        Which of them the file marks as locked.
    """

    colors: Colors
    locked: npt.NDArray[np.bool_]


def write(format_name: str, codebooks: Codebooks, shares: Shares | None = None) -> bytes:
    r"""Return the bytes of a file of colors.

    Parameters
    ----------
    format_name : str
        A key of `WRITABLE`.
    codebooks : sequence of (k, 3) uint8
        One for each region.
    shares : sequence of sequences of float, optional
        The share of pixels that each color has; only CSV stores it.

    Examples
    --------
    >>> write("css", [np.array([[255, 136, 0]], dtype=np.uint8)]).decode()
    ':root {\n  --color-0: #ff8800;\n}\n'
    """
    return WRITABLE[format_name](codebooks, shares)


def read(path: str | Path) -> GivenColors:
    """Read the colors of a file by its extension, those of all regions together.

    Raises
    ------
    ConfigError
        The extension is not one of a file of colors.
    ReadError
        It cannot be read.
    FormatError
        It does not hold 1 to `MAX_CODEWORDS` colors in the format of its extension.
    LimitError
        It is too large.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "brand.json")
    ...     _ = path.write_text('[{"color": "#ff8800", "locked": true}, "white"]')
    ...     colors, locked = read(path)
    >>> colors.tolist(), locked.tolist()
    ([[255, 136, 0], [255, 255, 255]], [True, False])
    """
    name = str(path)
    extension = Path(name).suffix.lower().removeprefix(".")
    if extension not in _READABLE:
        known = ", ".join(f".{one}" for one in _READABLE)
        raise ConfigError("codebook", f"a file that ends in one of {known}", name)
    limit = DEFAULT.file_bytes if extension in _WITH_IMAGE else MAX_TEXT_BYTES
    try:
        data = files.read_bytes(name, limit, check_start=_STARTS.get(extension))
        found = list(_READABLE[extension](data))
    except FormatError as error:
        error.what = f"{name}: {error.what}"
        raise
    colors, places = np.unique(
        np.array([color for color, _ in found], np.uint8).reshape(-1, 3), axis=0, return_index=True
    )
    if not 1 <= len(colors) <= MAX_CODEWORDS:
        raise FormatError(name, f"1..{MAX_CODEWORDS} colors", len(colors))
    marked = {color for color, is_locked in found if is_locked}
    order = np.argsort(places)
    locked = np.array([tuple(color) in marked for color in colors[order].tolist()])
    return GivenColors(colors[order], locked)


_Color = tuple[int, int, int]
_Found = Iterable[tuple[_Color, bool]]
"""Colors of a file, and whether each is locked."""


def _hex(color: Colors) -> str:
    return "#" + bytes(color.tolist()).hex()


def _to_json(codebooks: Codebooks, _: Shares | None) -> bytes:
    texts = [[_hex(color) for color in codebook] for codebook in codebooks]
    return f"{json.dumps({'codebooks': texts}, indent=1)}\n".encode()


def _from_json(data: bytes) -> _Found:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError("content", "JSON", "something else") from error
    if isinstance(document, dict):
        lists = document.get("codebooks")
        if not isinstance(lists, list) or not all(isinstance(one, list) for one in lists):
            expected = 'a list of colors, or {"codebooks": [colors, ...]}'
            raise FormatError("content", expected, "an object without")
        document = [color for one in lists for color in one]
    if not isinstance(document, list):
        raise FormatError("content", "a list of colors", type(document).__name__)
    for place, entry in enumerate(document):
        is_locked: Any = False
        if isinstance(entry, dict):
            is_locked = entry.get("locked", False)
            entry = entry.get("color")
        if not isinstance(is_locked, bool):
            raise FormatError(f"locked of color {place}", "true or false", _brief(is_locked))
        yield _color(entry, place), is_locked


def _color(value: object, place: int) -> _Color:
    """Return the color that a text, or a list of three levels, stands for."""
    if isinstance(value, str):
        found = _parse(value)
        if found is not None:
            return found
    elif isinstance(value, list) and len(value) == 3:
        levels = [level for level in value if type(level) is int and 0 <= level <= 255]
        if len(levels) == 3:
            return levels[0], levels[1], levels[2]
    expected = "#rrggbb, a name of CSS, or three levels of 0..255"
    raise FormatError(f"color {place}", expected, _brief(value))


def _parse(text: str) -> _Color | None:
    from adaptive_kmeans.image import parse_color

    try:
        return parse_color(text)
    except ConfigError:
        return None


def _brief(value: object) -> str:
    """Return a brief description of a value of unknown size."""
    if isinstance(value, list | dict):
        return f"{type(value).__name__} of {len(value)}"
    return value[:40] if isinstance(value, str) else type(value).__name__


def _to_csv(codebooks: Codebooks, shares: Shares | None) -> bytes:
    lines = ["region,index,red,green,blue" + ("" if shares is None else ",share")]
    for region, codebook in enumerate(codebooks):
        for index, color in enumerate(codebook.tolist()):
            share = "" if shares is None else f",{shares[region][index]:.6f}"
            lines.append(",".join(map(str, (region, index, *color))) + share)
    return ("\n".join(lines) + "\n").encode()


def _from_csv(data: bytes) -> _Found:
    rows = csv.DictReader(io.StringIO(_text(data)))
    try:
        names = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
        if not {"red", "green", "blue"} <= set(names):
            expected = "a first line with the columns red, green and blue"
            raise FormatError("content", expected, "another one")
        for row in rows:
            levels = [row[names[channel]] for channel in ("red", "green", "blue")]
            yield _levels(levels, rows.line_num), False
    except csv.Error as error:
        raise FormatError("content", "comma-separated values", str(error)) from error


def _levels(texts: Sequence[str | None], line: int) -> _Color:
    """Return the color that three numbers on a line stand for."""
    levels = [text.strip() for text in texts if text is not None]
    if len(levels) == 3 and all(re.fullmatch("[0-9]{1,3}", level) for level in levels):
        red, green, blue = map(int, levels)
        if max(red, green, blue) <= 255:
            return red, green, blue
    shown = " ".join(levels)
    raise FormatError(f"line {line}", "three levels of 0..255", _brief(shown) or "none")


_GIMP = "GIMP Palette"


def _to_gpl(codebooks: Codebooks, _: Shares | None) -> bytes:
    lines = [_GIMP, "Name: adaptive-kmeans", "Columns: 16", "#"]
    for region, codebook in enumerate(codebooks):
        prefix = f"region {region}, " if len(codebooks) > 1 else ""
        for index, (red, green, blue) in enumerate(codebook.tolist()):
            lines.append(f"{red:3} {green:3} {blue:3}\t{prefix}{index}")
    return ("\n".join(lines) + "\n").encode()


def _from_gpl(data: bytes) -> _Found:
    lines = _text(data).splitlines()
    if not lines or lines[0].strip() != _GIMP:
        raise FormatError("first line", _GIMP, _brief(lines[0].strip()) if lines else "none")
    for number, line in enumerate(lines[1:], 2):
        words = line.split(maxsplit=3)
        if words and not words[0].startswith("#") and not words[0].endswith(":"):
            yield _levels(words[:3], number), False


def _to_css(codebooks: Codebooks, _: Shares | None) -> bytes:
    lines = [":root {"]
    for region, codebook in enumerate(codebooks):
        prefix = f"region-{region}-" if len(codebooks) > 1 else ""
        for index, color in enumerate(codebook):
            lines.append(f"  --{prefix}color-{index}: {_hex(color)};")
    return ("\n".join([*lines, "}"]) + "\n").encode()


def _from_css(data: bytes) -> _Found:
    """Yield the custom properties that are colors; others, such as lengths, are skipped."""
    text = re.sub(r"/\*.*?(\*/|\Z)", " ", _text(data), flags=re.DOTALL)
    for declaration in re.split("[;{}]", text):
        name, _, value = declaration.partition(":")
        color = _parse(value.strip()) if name.strip().startswith("--") else None
        if color is not None:
            yield color, False


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError("content", "text in UTF-8", "other bytes") from error


def _to_npy(codebooks: Codebooks, _: Shares | None) -> bytes:
    file = io.BytesIO()
    np.save(file, np.concatenate(codebooks), allow_pickle=False)
    return file.getvalue()


def _from_npy(data: bytes) -> _Found:
    for red, green, blue in _array(data, "array").tolist():
        yield (red, green, blue), False


def _array(data: bytes, what: str) -> Colors:
    """Return the (n, 3) uint8 array of an .npy file whose header is not trusted."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else None
        shape, is_fortran, dtype = (header or np.lib.format.read_array_header_2_0)(file)
    except Exception as error:  # whatever NumPy's header parser raises
        raise FormatError(what, "an array of NumPy", "something else") from error
    expected = f"an (n, 3) uint8 array with n in 1..{MAX_CODEWORDS}"
    if dtype != np.uint8 or len(shape) != 2 or shape[1] != 3 or shape[0] > MAX_CODEWORDS:
        raise FormatError(what, expected, f"{shape} {dtype}")
    levels = data[file.tell() :]
    if len(levels) != 3 * shape[0]:
        raise FormatError(what, f"{3 * shape[0]} levels", len(levels))
    return np.frombuffer(levels, np.uint8).reshape(shape, order="F" if is_fortran else "C")


_MAX_ARRAY_BYTES = 3 * MAX_CODEWORDS + 4096
"""Most bytes of a codebook as an .npy file."""


def _to_npz(codebooks: Codebooks, _: Shares | None) -> bytes:
    return exports.npz_of_codebooks(codebooks)


_BAD_ARCHIVE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(OSError, EOFError, ValueError, NotImplementedError, RuntimeError),
)
"""What a damaged archive may raise."""


def _from_npz(data: bytes) -> _Found:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for region in range(MAX_REGIONS):
                name = exports.name_of_codebook(region)
                if f"{name}.npy" not in archive.namelist():
                    break
                with archive.open(f"{name}.npy") as member:
                    array = member.read(_MAX_ARRAY_BYTES + 1)
                if len(array) > _MAX_ARRAY_BYTES:
                    raise FormatError(name, f"at most {MAX_CODEWORDS} colors", "more")
                for red, green, blue in _array(array, name).tolist():
                    yield (red, green, blue), False
            if region == 0:
                raise FormatError("content", "an array named codebook_0", "none")
    except FormatError:
        raise
    except _BAD_ARCHIVE as error:
        raise FormatError("content", "a whole .npz file of NumPy", "something else") from error


def _from_akm(data: bytes) -> _Found:
    from adaptive_kmeans import container

    for codebook in container.Reader(data).codebooks:
        for red, green, blue in codebook.tolist():
            yield (red, green, blue), False


def _check_akm(start: bytes) -> None:
    from adaptive_kmeans import container

    container.check_start(start)


WRITABLE: dict[str, Callable[[Codebooks, Shares | None], bytes]] = {
    "json": _to_json,
    "csv": _to_csv,
    "gpl": _to_gpl,
    "css": _to_css,
    "npy": _to_npy,
    "npz": _to_npz,
}
"""The writer of each format."""

_READABLE: dict[str, Callable[[bytes], _Found]] = {
    "json": _from_json,
    "csv": _from_csv,
    "gpl": _from_gpl,
    "css": _from_css,
    "npy": _from_npy,
    "npz": _from_npz,
    "akm": _from_akm,
}
_WITH_IMAGE = ("npz", "akm")
"""Formats that also hold an image."""
_STARTS = {"akm": _check_akm}
