"""The error hierarchy: every error of the package, its message form and its exit code.

An error derives from `AdaptiveKMeansError` and from the built-in that fits, so that both
``except AdaptiveKMeansError`` and ``except ValueError`` do what their reader expects. All messages
have one form: what was wrong, what was expected, what was received.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, ClassVar, Self


def one_line(error: BaseException) -> str:
    r"""Describe an error raised by other code in one line.

    Examples
    --------
    >>> one_line(ZeroDivisionError("a defect\nand more"))
    'ZeroDivisionError: a defect and more'
    """
    return " ".join(f"{type(error).__name__}: {error}".split())


def printable(text: object) -> str:
    r"""Return a text, such as a file name, as one line of printable characters.

    File names may contain line breaks, and bytes that stand for no character.

    Examples
    --------
    >>> printable("a\nb\udcff.png")
    'a\\nb\\xff.png'
    """
    return "".join(c if c.isprintable() else _escaped(c) for c in str(text))


def _escaped(character: str) -> str:
    undecoded = "\udc80" <= character <= "\udcff"
    byte = character.encode("utf-8", "surrogateescape" if undecoded else "surrogatepass")
    return f"\\x{byte[0]:02x}" if undecoded else character.encode("unicode_escape").decode()


def counted(count: int, what: str, several: str = "") -> str:
    """Return a count with its noun in the singular or plural, which by default ends in s.

    Examples
    --------
    >>> counted(1, "trial"), counted(2000, "trial"), counted(2, "row differs", "rows differ")
    ('1 trial', '2,000 trials', '2 rows differ')
    """
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the closest known name as a question in parentheses; "" if none is close.

    Examples
    --------
    >>> did_you_mean("methds", ["images", "methods"]), did_you_mean("speed", ["images", "methods"])
    (' (did you mean methods?)', '')
    """
    meant = closest(name, known)
    return "" if meant is None else f" (did you mean {meant}?)"


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the closest known name; None if none is close."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)


class AdaptiveKMeansError(Exception):
    """Base of all errors of this package.

    Parameters
    ----------
    what : str
        What was wrong: a parameter, a file, a field.
    expected : str, optional
        What is valid.
    received : object, optional
        What was received instead.

    Examples
    --------
    >>> str(ConfigError("block size", "an integer in 1..256", 300))
    'block size: expected an integer in 1..256, received 300'
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, expected: str = "", received: object = None) -> None:
        super().__init__(what, expected, received)
        self.what = what
        self.expected = expected
        self.received = received

    def __str__(self) -> str:
        parts = [f"expected {self.expected}"] if self.expected else []
        if self.received is not None:
            parts.append(f"received {'nothing' if self.received == '' else self.received}")
        return printable(f"{self.what}: {', '.join(parts)}" if parts else self.what)

    def __reduce__(self) -> tuple[Any, ...]:
        # OSError rewrites its arguments, and a worker process hands errors back by pickle.
        return type(self), (self.what, self.expected, self.received)


class ConfigError(AdaptiveKMeansError, ValueError):
    """A setting, an argument or a config file that cannot be used."""

    exit_code = 2


class UnknownNameError(AdaptiveKMeansError, LookupError):
    """A name that no member of a pluggable family has.

    Parameters
    ----------
    family : str
        The family that was searched, such as "detail measure".
    name : str
        The name that was received.
    known : iterable of str
        The valid names.

    Examples
    --------
    >>> str(UnknownNameError("coder", "deflat", ["fixed-length", "deflate"]))
    'coder: expected one of deflate, fixed-length (did you mean deflate?), received deflat'
    """

    exit_code = 2

    def __init__(self, family: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        expected = f"one of {', '.join(known)}" if known else "nothing: none is registered"
        super().__init__(family, expected + did_you_mean(name, known), name)
        self._arguments = (family, name, known)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._arguments


class MissingDependencyError(AdaptiveKMeansError, ImportError):
    """An optional library that is not installed; the message names its extra."""

    exit_code = 2


class ImageError(AdaptiveKMeansError, ValueError):
    """An image that cannot be used: not an image, damaged, empty, animated or translucent."""

    exit_code = 3


class TranslucentError(ImageError):
    """A translucent image without a background color to flatten it over."""


class FormatError(AdaptiveKMeansError, ValueError):
    """Bytes that are not a whole, undamaged file of this format."""

    exit_code = 3


class BadMagicError(FormatError):
    """The bytes do not start with this format's signature."""


class UnsupportedVersionError(FormatError):
    """The file needs a version of the format, a coder or a model that this release lacks."""

    @classmethod
    def newer(cls, what: str, expected: str, received: object) -> Self:
        """Return the error for a number that only a newer version can have written.

        Examples
        --------
        >>> str(UnsupportedVersionError.newer("format version", "2", 3))
        'format version: expected 2, received 3: the file was made by a newer version'
        """
        return cls(what, expected, f"{received}: the file was made by a newer version")


class TruncatedError(FormatError):
    """The file ends before its content does."""


class ChecksumError(FormatError):
    """A section's CRC-32 differs from the stored one: the file is damaged."""


class CorruptError(FormatError):
    """The checksums match, but a field or a payload is invalid."""


class LimitError(AdaptiveKMeansError, ValueError):
    """An image or a file exceeds a stated limit."""

    exit_code = 4


class ReadError(AdaptiveKMeansError, OSError):
    """A file could not be read."""

    exit_code = 5


class OutputError(AdaptiveKMeansError, OSError):
    """A file could not be written; an existing one is kept."""

    exit_code = 5


class DamagedError(ReadError):
    """A store of trials is damaged."""


class TrialsFailedError(AdaptiveKMeansError, RuntimeError):
    """Some trials of an experiment, or some of many files, failed; the others are done."""

    exit_code = 6


class PluginError(TrialsFailedError):
    """A member that another package adds to a family failed, or returned something invalid."""


class NotWrittenError(AdaptiveKMeansError, ValueError):
    """A file that is not written because it would not be as the options ask."""

    exit_code = 98  # as pngquant's


class LargerError(NotWrittenError):
    """A file would not be smaller than its input, and so was not written."""


class UnreachableError(NotWrittenError):
    """No quality gives a file as small, or as good, as its target."""

    exit_code = 99
