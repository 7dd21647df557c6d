"""Image sets: the pictures bundled with scikit-image, a file, a folder, or a glob."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import image
from adaptive_kmeans.errors import ConfigError

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

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")


@dataclass(frozen=True)
class ImageSource:
    """An image that a set names, not yet read.

    Parameters
    ----------
    name : str
        Short name for tables: a bundled image's name, or the file's name without its extension.
    path : Path or None
        The file; None for a bundled image.
    """

    name: str
    path: Path | None = None

    @property
    def set_name(self) -> str:
        """The set that the image belongs to: its folder's name, or "bundled".

        Examples
        --------
        >>> ImageSource("chelsea").set_name
        'bundled'
        """
        return "bundled" if self.path is None else self.path.resolve().parent.name

    def load(self, background: str | None = None) -> npt.NDArray[np.uint8]:
        """Read the pixels: (H, W, 3) uint8 sRGB."""
        return self.read(background).pixels

    def read(self, background: str | None = None) -> image.SourceImage:
        """Read the image, with notes on what was converted."""
        path = self.path if self.path is not None else _bundled_file(self.name)
        return image.read_image(path, background)


def find_images(specs: Iterable[str]) -> list[ImageSource]:
    """List the images that specs name, in order.

    Parameters
    ----------
    specs : iterable of str
        Each one the name of a bundled image, the set ``bundled``, a file, a folder (all images in
        it, sorted), or a glob.

    Raises
    ------
    ConfigError
        A spec names no image, or two images have the same name, so that a table could not tell
        them apart.

    Examples
    --------
    >>> find_images(["chelsea"])
    [ImageSource(name='chelsea', path=None)]
    """
    sources = [source for spec in specs for source in _find(spec)]
    named: dict[str, ImageSource] = {}
    for source in sources:
        if source.name in named:
            files = f"{named[source.name].path} and {source.path}"
            received = f"{source.name} twice: {files}"
            raise ConfigError("images", "a different name for each image", received)
        named[source.name] = source
    return sources


def _find(spec: str) -> Iterator[ImageSource]:
    if spec == "bundled":
        yield from (ImageSource(name) for name in BUNDLED)
        return
    if spec in BUNDLED:
        yield ImageSource(spec)
        return
    path = Path(spec)
    if not spec:
        found = []
    elif path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in EXTENSIONS)
    elif path.exists():
        found = [path]
    else:
        anchor = Path(path.anchor)
        try:
            found = sorted(anchor.glob(str(path.relative_to(anchor))))
        except (ValueError, NotImplementedError) as error:
            raise ConfigError("images", "a glob", f"{spec} ({error})") from error
    if not found:
        bundled = ", ".join(BUNDLED)
        expected = f"an image file, a folder or glob of images, or one of {bundled}"
        raise ConfigError("images", expected, spec or "nothing")
    yield from (ImageSource(file.stem, file) for file in found)


def _bundled_file(name: str) -> Path:
    import skimage

    return Path(skimage.__file__).parent / "data" / BUNDLED[name]
