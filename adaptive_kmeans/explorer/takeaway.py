"""What to take away: the exact command, a config that repeats the points tried, and files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from adaptive_kmeans import codebook_files, exports, files
from adaptive_kmeans.codec import AdaptiveKMeans, Settings
from adaptive_kmeans.errors import ConfigError, OutputError, UnknownNameError
from adaptive_kmeans.explorer.images import BACKGROUND, Chosen
from adaptive_kmeans.explorer.picture import EncodedFile
from adaptive_kmeans.explorer.state import ExplorerState
from adaptive_kmeans.image import encode_image

OF_FILE = ("akm", "png", "index-map", "codebook", "npz")
"""Those that come from the setting's file, and wait for it."""
WHAT = ("command", "config", *OF_FILE)
MAX_QUERY = 4096
"""Largest number of characters in an address's query."""


@dataclass(frozen=True)
class Point:
    """A setting that was tried, and its file.

    Parameters
    ----------
    image, spec : str
        Name of the image, and its name in a config.
    background : str or None
        Color over which the image was flattened.
    settings : Settings
    bytes : int
    bits_per_pixel, psnr_db, ssim : float
    """

    image: str
    spec: str
    background: str | None
    settings: Settings
    bytes: int
    bits_per_pixel: float
    psnr_db: float
    ssim: float

    @classmethod
    def of(cls, state: ExplorerState, chosen: Chosen, file: EncodedFile) -> Point:
        """Return the point of a file."""
        return cls(
            chosen.offer.name,
            chosen.offer.spec,
            chosen.background,
            state.settings(),
            len(file.data),
            8 * len(file.data) / file.quantized.index_map.size,
            file.psnr_db,
            file.ssim,
        )

    @property
    def facts(self) -> dict[str, Any]:
        """What messages say about it."""
        keys = ("image", "bytes", "bits_per_pixel", "psnr_db", "ssim")
        label = AdaptiveKMeans(self.settings).label
        return {"label": label, **{key: getattr(self, key) for key in keys}}


@dataclass(frozen=True)
class Taken:
    """A thing to take away: a file name, its content, and the text to copy if it is text."""

    name: str
    data: bytes
    text: str | None = None


def check_what(what: object) -> str:
    """Return one of `WHAT`.

    Raises
    ------
    ConfigError, UnknownNameError
        It is not one of them.
    """
    if not isinstance(what, str):
        raise ConfigError("what to take", "a name", type(what).__name__)
    if what not in WHAT:
        raise UnknownNameError("what to take", what[:60], WHAT)
    return what


def take(
    what: str,
    state: ExplorerState,
    chosen: Chosen,
    file: EncodedFile | None,
    points: Sequence[Point],
) -> Taken:
    """Return one of `WHAT`.

    Parameters
    ----------
    what : str
    state : ExplorerState
    chosen : Chosen
        The image that the state names.
    file : EncodedFile or None
        The state's file, which those of `OF_FILE` need.
    points : sequence of Point
        The points tried, for a config.
    """
    name = chosen.offer.name
    stem = f"{name}-reduced" if chosen.is_reduced else name
    if what == "command":
        text = command(chosen.offer.path, f"{name}.akm", state.settings(), chosen.background)
        return Taken(f"{name}.txt", f"{text}\n".encode(), text)
    if what == "config":
        own = [point for point in points if point.image == name]
        text = config(own or [_untried(state, chosen)])
        return Taken(f"{name}-explored.toml", text.encode(), text)
    if file is None:
        raise ConfigError(what, "a file that is encoded", "one that is pending")
    if what == "akm":
        return Taken(f"{stem}.akm", file.data)
    if what == "png":
        return Taken(f"{stem}-decoded.png", encode_image(file.reconstruction))
    if what == "index-map":
        return Taken(f"{stem}-indices.png", exports.index_map_png(file.quantized))
    if what == "codebook":
        shares = exports.shares(file.quantized)
        data = codebook_files.write("csv", file.quantized.codebooks, shares)
        return Taken(f"{stem}-codebook.csv", data, data.decode())
    return Taken(f"{stem}.npz", exports.npz(file.quantized))


def _untried(state: ExplorerState, chosen: Chosen) -> Point:
    offer = chosen.offer
    return Point(offer.name, offer.spec, chosen.background, state.settings(), 0, 0.0, 0.0, 0.0)


OPTIONS = {
    "quality": "--quality",
    "effort": "--effort",
    "tune": "--tune",
    "k1": "--k1",
    "k2": "--k2",
    "detail": "--detail",
    "threshold": "--threshold",
    "block_size": "--block-size",
    "color_space": "--color-space",
    "seed": "--seed",
    "restoration": "--restoration",
    "correction": "--correction",
    "dither": "--dither",
}
"""Options of `compress` by the settings that they set."""


def command(path: str, output: str, settings: Settings, background: str | None = None) -> str:
    """Return the command line that writes the file of the settings, byte for byte.

    Examples
    --------
    >>> command("a cat.png", "cat.akm", Settings.regular(16, color_space="lab"))
    "adaptive-kmeans compress 'a cat.png' cat.akm --k 16 --color-space lab"
    """
    words = ["adaptive-kmeans", "compress", *map(_as_file, (path, output))]
    for name, value in _differing(settings).items():
        if name in settings.unused:
            continue
        option = "--k" if name == "k1" and settings.is_regular else OPTIONS[name]
        words += [option, _spell(value)]
    if background is not None:
        words += ["--background", background]
    return shlex.join(words)


def _as_file(path: str) -> str:
    return f"./{path}" if path.startswith("-") else path


def _differing(settings: Settings) -> dict[str, Any]:
    """Return the settings that must be given explicitly, in the order of `OPTIONS`."""
    dials = {name: getattr(settings, name) for name in ("quality", "k1", "k2")}
    dials = {name: value for name, value in dials.items() if value is not None}
    default = Settings(**dials)
    found = {}
    for name in OPTIONS:
        value = getattr(settings, name)
        if name in dials or value != getattr(default, name):
            found[name] = value
    return found


def _spell(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def config(points: Iterable[Point]) -> str:
    """Return a config for `run` that repeats points of one image.

    Examples
    --------
    >>> def point(k):
    ...     return Point("chelsea", "chelsea", None, Settings.regular(k), 0, 0.0, 0.0, 0.0)
    >>> print(config([point(8), point(16)]), end="")
    name = "chelsea_explored"
    question = "The points that were tried in the explorer."
    images = [
        "chelsea",
    ]
    <BLANKLINE>
    [[methods]]
    method = "regular"
    k = [
        8,
        16,
    ]
    """
    import tomli_w

    points = list(points)
    first = points[0]
    name = re.sub("[^a-z0-9_]+", "_", f"{first.image.lower()}_explored").strip("_")
    document: dict[str, Any] = {
        "name": name,
        "question": "The points that were tried in the explorer.",
        "images": [first.spec],
    }
    if first.background is not None:
        document["background"] = BACKGROUND
    methods: dict[str, dict[str, Any]] = {}
    for settings in dict.fromkeys(point.settings for point in points):
        method, dial = _method(settings)
        if dial is None:
            methods.setdefault(repr(method), method)
            continue
        rest = {key: value for key, value in method.items() if key != dial}
        swept = methods.setdefault(repr(rest), {"method": rest["method"], dial: [], **rest})
        swept[dial].append(method[dial])
    document["methods"] = list(methods.values())
    return tomli_w.dumps(document)


def _method(settings: Settings) -> tuple[dict[str, Any], str | None]:
    """Return a config's section for settings, and its key that may have several values."""
    method = {"method": "regular"}
    dial: str | None = "k"
    differing = _differing(settings)
    if settings.quality is not None:
        method, dial = {"method": "rate-distortion"}, "quality"
        differing.pop("threshold", None)
    elif settings.is_regular:
        differing = {"k": differing.pop("k1"), **differing}
    else:
        method, dial = {"method": "region-adaptive"}, None
        differing = {"detail": settings.detail, **differing}
    return method | differing, dial


def save(taken: Taken, folder: Path, name: object = None) -> Path:
    """Write what was taken into a folder, completely or not at all, never over a file.

    Parameters
    ----------
    taken : Taken
    folder : Path
    name : str, optional
        The file's name; by default that of what was taken, with a number if that exists.

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        The name is not that of a file in the folder.
    OutputError
        The file exists, or cannot be written.
    """
    if name is None or name == "":
        pure = PurePath(taken.name)
        for number in range(1, 1000):
            chosen = pure.name if number == 1 else f"{pure.stem}-{number}{pure.suffix}"
            if not (folder / chosen).exists():
                return _write_new(folder / chosen, taken.data)
        raise OutputError(taken.name, "a name that is not taken", "a thousand of them")
    if (
        not isinstance(name, str)
        or name != PurePath(name).name
        or name in (".", "..")
        or "\0" in name
    ):
        raise ConfigError("path", "the name of a file in the working directory", repr(name)[:80])
    return _write_new(folder / name, taken.data)


def _write_new(path: Path, data: bytes) -> Path:
    files.write_bytes(path, data, replace=False)
    return path
