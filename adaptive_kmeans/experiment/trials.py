"""Trials: measurements of one image each, independent of other trials.

A trial has a key, a hash of everything that its numbers depend on. The store keeps its outcome
under this key: rows of a table, and possibly data for figures.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.codec import VERSIONS
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    LimitError,
    TrialsFailedError,
    one_line,
)
from adaptive_kmeans.registry import version_of

Pixels = npt.NDArray[np.uint8]
Result = TypeVar("Result")

UNREADABLE = "unreadable"
"""Prefix of the hash of an image that cannot be read."""


class Measurement(NamedTuple):
    """The result of a trial.

    Parameters
    ----------
    rows : sequence of dict
        Rows of the table: values that JSON can hold, by the names of columns.
    data : bytes
        Further data for figures, such as the file; empty if there are none.
    errors : sequence of AdaptiveKMeansError
        Why some of the rows are missing.
    """

    rows: Sequence[Mapping[str, Any]]
    data: bytes = b""
    errors: Sequence[AdaptiveKMeansError] = ()


class Trial(Protocol):
    """A measurement of one image."""

    @property
    def image(self) -> ImageSource:
        """The image."""
        ...

    @property
    def background(self) -> str | None:
        """Color over which a translucent image is flattened; None keeps its alpha."""
        ...

    @property
    def summary(self) -> str:
        """The image and what is measured in a few words."""
        ...

    def key(self, image_hash: str) -> str:
        """Return a hash of everything that the trial's numbers depend on."""
        ...

    def measure(self) -> Measurement:
        """Measure the image."""
        ...


@dataclass(frozen=True)
class StudyTrial:
    """A trial of a study: a function that is called with an image.

    Parameters
    ----------
    study : str
        The kind of the study.
    version : int
        Raised when its numbers change.
    image : ImageSource
    background : str or None
        Color over which a translucent image is flattened.
    function : callable
        A module-level function, so that other processes can import it. It takes the image, the
        background and the arguments, and returns a `Measurement`.
    arguments : mapping
        Further arguments, which JSON can hold.
    packages : tuple of str
        Other packages on whose versions the numbers depend.
    """

    study: str
    version: int
    image: ImageSource
    background: str | None
    function: Callable[..., Measurement]
    arguments: Mapping[str, Any]
    packages: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The image and the arguments that are numbers or names."""
        named = [
            f"{name} {value}"
            for name, value in self.arguments.items()
            if isinstance(value, int | float | str)
        ]
        return ", ".join([self.image.name, *named])

    def key(self, image_hash: str) -> str:
        """Return a hash of everything that the trial's numbers depend on."""
        depends = {
            "study": [self.study, self.version],
            **VERSIONS,
            "image": image_hash,
            "arguments": dict(self.arguments),
            "packages": [version_of(package) for package in self.packages],
        }
        return hash_of(depends)

    def measure(self) -> Measurement:
        """Call the function."""
        return self.function(self.image, self.background, **self.arguments)


@dataclass(frozen=True)
class Outcome:
    """The result of a trial, and its total time in seconds."""

    trial: Trial
    measured: Measurement
    seconds: float = 0.0

    @property
    def errors(self) -> list[str]:
        """The errors of the trial, each in one line."""
        return [" ".join(str(error).split()) for error in self.measured.errors]


def run_trial(trial: Trial, key: str | None = None) -> Outcome:
    """Run a trial; an error becomes part of the outcome.

    One that does not have its key, because an image's file has changed since the key was made, or
    because another machine has other versions of what it depends on, is an error too.
    """
    start = time.perf_counter()
    try:
        measured = trial.measure()
        seconds = time.perf_counter() - start
        if key is not None and trial.key(_hash(trial.image, trial.background)) != key:
            expected = "the pixels and the software that the run started with"
            received = "others; --retry-failed measures it again"
            raise TrialsFailedError(trial.summary, expected, received)
        return Outcome(trial, measured, seconds)
    except AdaptiveKMeansError as error:
        failure = error
    except MemoryError:
        failure = LimitError("memory", f"enough for {trial.summary}", "none left")
    except Exception as error:
        failure = TrialsFailedError(f"{trial.summary}: {one_line(error)}")
    return Outcome(trial, Measurement([], errors=[failure]), time.perf_counter() - start)


def hash_of(depends: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a mapping that JSON can hold."""
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


def pixel_hash(pixels: Pixels) -> str:
    """Return the SHA-256 of an image's size and pixels, whatever its file format."""
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def hash_images(sources: Iterable[ImageSource], background: str | None) -> dict[str, str]:
    """Return the hash of each image's pixels by its name, or `UNREADABLE` and why."""
    return {source.name: _hash(source, background) for source in sources}


def _hash(source: ImageSource, background: str | None) -> str:
    try:
        return pixel_hash(load(source, background))
    except AdaptiveKMeansError as error:
        return f"{UNREADABLE}: {error}"  # its trials will report it


def cached(maxsize: int) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Cache a function of an image, a background and further arguments until the file changes."""

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @functools.lru_cache(maxsize)
        def stamped(_: Any, image: ImageSource, *arguments: Any) -> Result:
            return function(image, *arguments)

        @functools.wraps(function)
        def call(image: ImageSource, *arguments: Any) -> Result:
            return stamped(_stamp(image), image, *arguments)

        return call

    return decorate


def _stamp(image: ImageSource) -> tuple[int, int] | None:
    """Return the time and the size of an image's file; None without one."""
    if image.path is not None:
        with contextlib.suppress(OSError):  # loading will report it
            status = image.path.stat()
            return status.st_mtime_ns, status.st_size
    return None


@cached(1)  # trials come image by image
def load(image: ImageSource, background: str | None) -> Pixels:
    """Load an image; the last one is cached."""
    return image.load(background)
