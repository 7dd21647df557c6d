"""A Pillow plug-in: importing this module lets Pillow open and save `.akm` files.

scikit-image and imageio read images through Pillow, so they can read these files too.

Opening reads only sizes and metadata; the pixels are decoded when they are first needed. Saving
takes the settings of `adaptive_kmeans.Settings` as keywords, and `k` for regular K-means; other
keywords are ignored, as Pillow's own plug-ins do.

`exif` and `xmp` are in `info`, and are saved if they are passed to `save`, as for JPEG. Images are
saved upright, by the orientation in the EXIF passed, or else in their own.

Examples
--------
>>> import io
>>> from PIL import Image
>>> import adaptive_kmeans.pillow
>>> file = io.BytesIO()
>>> Image.new("RGB", (40, 30), "orange").save(file, "AKM", quality=80)
>>> with Image.open(file) as picture:
...     picture.format, picture.mode, picture.size, picture.getpixel((0, 0))
('AKM', 'RGB', (40, 30), (255, 165, 0))
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from typing import IO, Any

from PIL import Image, ImageFile

from adaptive_kmeans import container
from adaptive_kmeans.codec import Settings, decode, encode
from adaptive_kmeans.container import METADATA
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, one_line
from adaptive_kmeans.image import read_pillow
from adaptive_kmeans.metadata import EXIF_PREFIX, Metadata

FORMAT, EXTENSION, MIME = "AKM", ".akm", "image/x-akm"
_SETTINGS = tuple(field.name for field in dataclasses.fields(Settings))


class AkmImageFile(ImageFile.ImageFile):
    """An `.akm` file as a Pillow image."""

    format = FORMAT
    format_description = "Adaptive K-means"
    _is_coded = False  # as in copies, which Pillow makes of loaded pixels alone

    def _open(self) -> None:
        try:
            outline = container.outline(self._file)
        except AdaptiveKMeansError as error:
            raise SyntaxError(str(error)) from error  # Pillow then tries other formats
        self._size = outline.width, outline.height
        self._mode = "RGBA" if outline.has_alpha else "RGB"
        self._is_coded = True
        with contextlib.suppress(AdaptiveKMeansError):  # damage is reported on loading
            beside = container.Reader.peek(self._file).metadata()  # type: ignore[arg-type]
            if beside.exif:
                self.info["exif"] = EXIF_PREFIX + beside.exif
            if beside.xmp:
                self.info["xmp"] = beside.xmp

    def verify(self) -> None:
        """Raise `OSError` unless the file is whole and all its checksums hold; close it."""
        data = self._read()
        super().verify()
        with _OSErrors():
            container.inspect(data)

    def load(self) -> Any:
        """Decode the pixels, unless they already are.

        Raises
        ------
        OSError
            The file is damaged, or asks for more than `adaptive_kmeans.limits` allow.
        """
        if self._is_coded and self.fp is not None:
            with _OSErrors():
                pixels = decode(self._read())
            if self._exclusive_fp:
                self._file.close()
            self.fp = io.BytesIO(pixels.tobytes())
            self._mode = "RGBA" if pixels.shape[2] == 4 else "RGB"
            self.tile = [ImageFile._Tile("raw", (0, 0, *self.size), 0, self.mode)]
            self._is_coded = False
        return super().load()

    def load_seek(self, pos: int) -> None:
        """Do nothing: the pixels are in memory."""

    @property
    def _file(self) -> IO[bytes]:
        if self.fp is None:
            raise ValueError("operation on a closed image")
        return self.fp

    def _read(self) -> bytes:
        self._file.seek(0)
        return self._file.read()


class _OSErrors:
    """Turns errors of the package into those that users of Pillow expect."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, AdaptiveKMeansError):
            raise OSError(str(error)) from error


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(container.SIGNATURE)


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    options = getattr(image, "encoderinfo", {})
    chosen = {name: options[name] for name in _SETTINGS if name in options}
    settings = Settings.regular(options["k"], **chosen) if "k" in options else Settings(**chosen)
    given = {
        name: _as_bytes(name, options[name]) for name in METADATA.values() if options.get(name)
    }
    beside = Metadata(**given)
    beside.of_upright()  # raises errors before the time of encoding is spent
    pixels = read_pillow(image, orientation=beside.orientation if beside.exif else None)
    file.write(container.with_metadata(encode(pixels, settings), beside))


def _as_bytes(name: str, given: object) -> bytes:
    if isinstance(given, Image.Exif):
        try:
            return given.tobytes()
        except Exception as error:  # Pillow raises whatever the values lead to
            raise ConfigError(name, "values that EXIF holds", one_line(error)) from error
    if isinstance(given, str):
        return given.encode()
    if not isinstance(given, bytes | bytearray | memoryview):
        raise ConfigError(name, "bytes", type(given).__name__)
    return bytes(given)


Image.register_open(FORMAT, AkmImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, EXTENSION)
Image.register_mime(FORMAT, MIME)
