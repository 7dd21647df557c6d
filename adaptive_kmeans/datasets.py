"""Image sets: images bundled with scikit-image or made from them, downloads, files and folders."""

from __future__ import annotations

import dataclasses
import glob
import os
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import files, image, limits
from adaptive_kmeans.alpha import join
from adaptive_kmeans.errors import (
    ConfigError,
    MissingDependencyError,
    ReadError,
    did_you_mean,
    one_line,
    printable,
)
from adaptive_kmeans.progress import progress_bar

Pixels = npt.NDArray[np.uint8]

BUNDLED = {
    "astronaut": "astronaut.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
    "colorwheel": "color.png",
    "page": "page.png",
    "text": "text.png",
}
"""Images in scikit-image's wheel, by name: photographs, a drawing, scanned text. No download."""


@dataclass(frozen=True)
class RemoteSet:
    """A set of images that is downloaded when it is first named.

    Parameters
    ----------
    url : str
        The folder of its files, with a slash at the end.
    checksums : str
        A line per file with its SHA-256 and its name, as `sha256sum` writes them.
    """

    url: str
    checksums: str

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each file by its name."""
        pairs = (line.split() for line in self.checksums.strip().splitlines())
        return {name: sha256 for sha256, name in pairs}


KODAK = RemoteSet(
    "http://r0k.us/graphics/kodak/kodak/",
    """
    a56e27cbf5f843c048b6af1d6e090760e9c92fadba88b7dee0205918a37523bd  kodim01.png
    4f4b74a79237e311d72cad958237b5f7088d8bce1c82305ebefe1a70e3022dfd  kodim02.png
    e25ca1ff2f0c0cb5fdfd5f9b0a0bb21ac4c3de3c84a67f35b09a85d3306249db  kodim03.png
    e3b946107c5d3441c022f678d0c3caf1e224d81b1604ba840a4f88e562de61aa  kodim04.png
    10349e963c5c813d327852f82c1795fa4148d69fedffc4c589bee458e3ac3d53  kodim05.png
    363510303b715d4cbc384e1ce227e466b613a09e1b71ae985882bf8e7fbd9b18  kodim06.png
    b77d3f006f42414bb242222e0482e750c0fb9e5ee8d4bed2f6f11c5605fe54a4  kodim07.png
    ba23983c76b4832ee0e8af0592664756841a16779acd69f792e268fb6d13d6e7  kodim08.png
    6a4361c2fc194feb4edaa9f9a4a0620fb9943e460ac7fdf037fb0f6dd6607a7d  kodim09.png
    9dfb70f5867c29ff9ed6313683f19b3d867849e40fbc0c4c54a4a89df341cf23  kodim10.png
    7936814b58b5387fce2e4e2488b4ec830dadd95fa9520f358ddb30990b50f2b6  kodim11.png
    d78c37c2f04f23761ed2367dd77e2db584ddd4c3950833fecf89f199a8126980  kodim12.png
    bc34a3ce58dea09dce1704c997171602de90cb34d0c8503a988b77f473d39b08  kodim13.png
    55a94550ff18f3246c4074fd32b77b0c74447c26b6ad274d564d999c0450ba6e  kodim14.png
    7538cbb80cb9103606c48b806eae57d56c885c7f90b9b3be70a41160f9cbb683  kodim15.png
    a89c7268ccd4718ba424a99fc4643c572cf692ca6eae887185ceb4e9f11d2e54  kodim16.png
    37afcc89fbdcb76d9518e04b2fc011027e2f4cd14b3b2f83cefd721641a47c5b  kodim17.png
    1a9258c365988961d87a0598725b609139c303ad48a5aad6c503c3b1a87849aa  kodim18.png
    b7450b264b1b0a411390d8931b112c27905a992520fc90569dc4b920aa32bbdc  kodim19.png
    3b46c71e3b92a563820ba32936be8330c586c41f938efd94be938386aae4328a  kodim20.png
    ac958597c82073f6bb65129c68f72b651db5b9efd82e11547d07350214bc268b  kodim21.png
    1cee58eb1f2d9c7ebb254d208a03c783ce6cf2c4d8c2cf45e235dd23b4ce1b29  kodim22.png
    e3111a2fd4da24af15d6459ef9eacfe54106b38e27b4a21821b75c3f5d2d5baf  kodim23.png
    1071c68372cc5a01435c2c225a5cf7d4bb803846ec08bb6b3d6721b156d7cb96  kodim24.png
    """,
)

REMOTE = {"kodak": KODAK}
"""Sets to download, by name: the Kodak true color suite, released for unrestricted use."""

DATA_VARIABLE = "ADAPTIVE_KMEANS_DATA"
"""Environment variable for the download folder, by default in the user's cache."""

MAX_REASON = 120
"""Most characters of a failed download's message to show."""

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")


@dataclass(frozen=True)
class ImageSource:
    """An image of a set, not yet read.

    Parameters
    ----------
    name : str
        Short name for tables: a bundled image's name, or the file's name without its extension.
    path : Path or None
        The file; None for a bundled image, or one of `TRANSLUCENT`.
    data : bytes or None
        The bytes of an image from standard input, which is not a file.
    """

    name: str
    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)

    @property
    def set_name(self) -> str:
        """The set that the image belongs to: its folder's name, or "bundled".

        Examples
        --------
        >>> ImageSource("chelsea").set_name
        'bundled'
        """
        if self.data is not None:
            return self.name
        if self.path is not None:
            return self.path.resolve().parent.name
        return TRANSPARENCY_SET if self.name in TRANSLUCENT else "bundled"

    @property
    def file(self) -> Path:
        """The file that the image is read from, or made from."""
        return _bundled_file(self.name) if self.path is None else self.path

    def absolute(self) -> ImageSource:
        """Return the image by its absolute path, for processes that run in other folders."""
        return self if self.path is None else dataclasses.replace(self, path=self.path.absolute())

    def load(self, background: str | None = None) -> npt.NDArray[np.uint8]:
        """Read the pixels: (H, W, 3) uint8 sRGB."""
        return self.read(background).pixels

    def read_size(self) -> tuple[int, int]:
        """Return the width and the height, for a file without decoding its pixels."""
        if self.path is None and self.name in TRANSLUCENT:
            height, width = self.load().shape[:2]
            return width, height
        return image.read_size(self.file)

    def read(self, background: str | None = None) -> image.SourceImage:
        """Read the image, with notes on what was converted."""
        if self.data is not None:
            return image.decode_image(self.data, self.name, background)
        if self.path is None and self.name in TRANSLUCENT:
            return _make(self.name, background)
        return image.read_image(self.file, background)


def find_images(specs: Iterable[str]) -> list[ImageSource]:
    """List the images that specs name, in order.

    Parameters
    ----------
    specs : iterable of str
        Each is the name of a bundled or a `TRANSLUCENT` image, the set ``bundled`` or
        ``transparency-set`` of all of them, a file, a folder (all images in it, sorted), a glob,
        ``-`` for standard input, or one of `REMOTE`, which is downloaded unless there is a folder
        of that name.

    Raises
    ------
    ConfigError
        A spec matches no image, or two images have the same name, so that a table could not tell
        them apart.
    ReadError
        A set could not be downloaded, or a file has the wrong checksum.
    MissingDependencyError
        A download needs the extra ``download``.

    Examples
    --------
    >>> find_images(["chelsea"])
    [ImageSource(name='chelsea', path=None)]
    """
    sources = [source for spec in specs for source in _find(spec)]
    named: dict[str, ImageSource] = {}
    for source in sources:
        if source.name in named:
            places = f"{named[source.name].path} and {source.path}"
            received = f"{source.name} twice: {places}"
            raise ConfigError("images", "a different name for each image", received)
        named[source.name] = source
    return sources


def from_standard_input() -> ImageSource:
    """Read all of standard input, which can be read only once, as an image named ``stdin``."""
    data = files.read_bytes(files.STANDARD_STREAM, limits.DEFAULT.file_bytes)
    return ImageSource("stdin", data=data)


def _find(spec: str) -> Iterator[ImageSource]:
    if spec == files.STANDARD_STREAM:
        yield from_standard_input()
        return
    if spec == "bundled":
        yield from (ImageSource(name) for name in BUNDLED)
        return
    if spec == TRANSPARENCY_SET:
        yield from (ImageSource(name) for name in TRANSLUCENT)
        return
    if spec in BUNDLED or spec in TRANSLUCENT:
        yield ImageSource(spec)
        return
    path = Path(spec)
    if not spec:
        found = []
    elif path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in EXTENSIONS)
    elif path.exists():
        found = [path]
    elif spec in REMOTE:
        found = _download(spec, REMOTE[spec])
    else:
        anchor = Path(path.anchor)
        try:
            found = sorted(anchor.glob(str(path.relative_to(anchor))))
        except (ValueError, NotImplementedError) as error:
            raise ConfigError("images", "a glob", f"{spec} ({error})") from error
    if not found:
        bundled = ", ".join(BUNDLED)
        sets = ", ".join([TRANSPARENCY_SET, *REMOTE])
        expected = f"an image file, a folder or glob of images, or one of {bundled}, {sets}"
        expected += did_you_mean(spec, [*BUNDLED, *TRANSLUCENT, TRANSPARENCY_SET, *REMOTE])
        received = f"{spec}, a folder without images" if path.is_dir() else spec
        if path.suffix and not path.is_dir() and not glob.has_magic(spec):
            received += ", which does not exist"
        raise ConfigError("images", expected, received if spec else "nothing")
    yield from (ImageSource(printable(file.stem), file) for file in found)


def _download(name: str, remote: RemoteSet) -> list[Path]:
    """Download missing files, and verify the checksums of all, including earlier downloads."""
    try:
        import pooch
    except ImportError as error:
        expected = f"pip install 'adaptive-kmeans[download]', or a folder {name} with the images"
        raise MissingDependencyError(f"download of {name}", expected, str(error)) from error
    pooch.get_logger().setLevel("ERROR")
    folder = Path(os.environ.get(DATA_VARIABLE) or pooch.os_cache("adaptive-kmeans")) / name
    store = pooch.create(folder, remote.url, registry=remote.hashes(), retry_if_failed=2)
    found = []
    with progress_bar(f"downloading {name}") as progress:
        for i, file in enumerate(store.registry):
            progress(f"downloading {file}", i / len(store.registry))
            try:
                found.append(Path(store.fetch(file)))
            except Exception as error:  # from requests, its parts, or the file system
                expected = f"a download from {remote.url}, or a folder {name} with the images"
                received = textwrap.shorten(one_line(error), MAX_REASON, placeholder=" …")
                raise ReadError(f"{name}, {file}", expected, received) from error
    return found


def _bundled_file(name: str) -> Path:
    import skimage

    name = TRANSLUCENT[name].of if name in TRANSLUCENT else name
    return Path(skimage.__file__).parent / "data" / BUNDLED[name]


def _make(name: str, background: str | None) -> image.SourceImage:
    """Make one of `TRANSLUCENT`."""
    made = TRANSLUCENT[name]
    source = image.read_image(_bundled_file(made.of))
    pixels = made.by(source.pixels)
    encoded = image.encode_image(pixels)
    return image.decode_image(encoded, name, background)


def _disk(pixels: Pixels) -> Pixels:
    """Cut out a round portrait with a smooth edge."""
    part = pixels[0:256, 96:352]
    rows, columns = np.mgrid[:256, :256]
    radius = np.sqrt((rows - 127.5) ** 2 + (columns - 127.5) ** 2)
    return join(part, _levels((126.5 - radius) * 255))


def _icon(pixels: Pixels) -> Pixels:
    """Make a small icon with round corners above its shadow."""
    small = _shrink(pixels, -(-max(pixels.shape[:2]) // 96))[:96, :96]
    return _over_shadow(small, corner=20, blur=3, drop=4)


def _window(pixels: Pixels) -> Pixels:
    """Make a window with round corners above its shadow."""
    return _over_shadow(pixels, corner=10, blur=9, drop=12)


def _fade(pixels: Pixels) -> Pixels:
    """Let a photograph fade from left to right."""
    height, width = pixels.shape[:2]
    ramp = np.arange(width) * 340 // (width - 1) - 40
    return join(pixels, _levels(np.broadcast_to(ramp, (height, width))))


def _vignette(pixels: Pixels) -> Pixels:
    """Let a photograph fade to its corners."""
    height, width = pixels.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    radius = ((rows - height / 2) / height) ** 2 + ((columns - width / 2) / width) ** 2
    return join(pixels, _levels((0.25 - radius) * 2000))


def _lettering(pixels: Pixels) -> Pixels:
    """Make text of a single color, with the letter shapes in its alpha."""
    darkness = 255 - pixels[..., 1].astype(np.int64)
    ink = np.zeros_like(pixels)
    ink[...] = 32, 48, 96
    return join(ink, _levels((darkness - 96) * 2))


def _glow(pixels: Pixels) -> Pixels:
    """Keep the bright parts of a photograph."""
    return join(pixels, _levels(pixels.max(axis=2).astype(np.int64) * 3 - 260))


def _shrink(pixels: Pixels, factor: int) -> Pixels:
    """Average squares of pixels."""
    height, width = (side // factor * factor for side in pixels.shape[:2])
    squares = pixels[:height, :width].astype(np.int64)
    sums = squares.reshape(height // factor, factor, width // factor, factor, 3).sum(axis=(1, 3))
    found: Pixels = ((sums + factor**2 // 2) // factor**2).astype(np.uint8)
    return found


def _over_shadow(pixels: Pixels, corner: int, blur: int, drop: int) -> Pixels:
    """Cut round corners, and put the picture above its blurred shadow, `drop` pixels lower."""
    height, width = pixels.shape[:2]
    margin = 3 * blur + drop
    rows, columns = np.mgrid[:height, :width]
    down = np.maximum(corner - rows, rows - (height - 1 - corner)).clip(0)
    across = np.maximum(corner - columns, columns - (width - 1 - corner)).clip(0)
    shape = _levels((corner + 0.5 - np.sqrt(down**2 + across**2)) * 255)
    top = np.pad(shape, margin).astype(np.int64)
    shadow = np.pad(shape, ((margin + drop, margin - drop), (margin, margin))).astype(np.int64) // 2
    for axis in (0, 1) * 3:
        rolled = [np.roll(shadow, step, axis) for step in range(-blur, blur + 1)]
        shadow = (np.sum(rolled, axis=0) + blur) // (2 * blur + 1)
    alpha = top + (shadow * (255 - top) + 127) // 255
    wide = np.pad(pixels, ((margin, margin), (margin, margin), (0, 0))).astype(np.int64)
    colors = (wide * top[..., None] + alpha[..., None] // 2) // np.maximum(alpha, 1)[..., None]
    return join(_levels(colors), _levels(alpha))


def _levels(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    found: npt.NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return found


class Made(NamedTuple):
    """An image made from a bundled one."""

    of: str
    by: Callable[[Pixels], Pixels]


TRANSPARENCY_SET = "transparency-set"
TRANSLUCENT = {
    "disk": Made("astronaut", _disk),
    "icon": Made("colorwheel", _icon),
    "icon-photo": Made("coffee", _icon),
    "window": Made("page", _window),
    "window-photo": Made("chelsea", _window),
    "fade": Made("chelsea", _fade),
    "vignette": Made("coffee", _vignette),
    "lettering": Made("text", _lettering),
    "glow": Made("rocket", _glow),
}
"""Images with alpha, by name: cut-outs, icons and windows with shadows, gradients, text."""
