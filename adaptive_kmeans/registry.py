"""One registry for every pluggable family: detail measures, thresholds, coders, and so on.

A family is a `Registry` of classes, most of them frozen dataclasses whose fields are their
settings. A *spec* names a member and, after a colon, the value of its first setting and any others
by name, so that ``"quantile:0.9"`` in a config or on the command line is ``Quantile(0.9)`` in
Python, and ``"avif:60,speed=4"`` is ``Avif(quality=60, speed=4)``.

Other packages add members through entry points, by name:

.. code-block:: toml

    [project.entry-points."adaptive_kmeans.detail"]
    entropy = "my_package:Entropy"

What such a member returns is checked on entry, by a wrapper of its family. `CONTRIBUTING.md` has a
section on writing one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
import traceback
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from adaptive_kmeans import specs
from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    ConfigError,
    MissingDependencyError,
    UnknownNameError,
    one_line,
)

Member = TypeVar("Member")

FAMILIES = {
    "detail": "--detail",
    "thresholds": "--threshold",
    "dithering": "--dither",
    "baselines": "codec of method baseline",
    "metrics": "metrics of a config",
}
"""The families that other packages add to, and where their names are given."""


def group(family: str) -> str:
    """Return the group of entry points of a family."""
    return f"adaptive_kmeans.{family}"


def installed(family: str) -> tuple[str, ...]:
    """Return the names that installed packages add to a family; nothing is imported."""
    return tuple(sorted(entry.name for entry in metadata.entry_points(group=group(family))))


@functools.cache
def version_of(package: str) -> str:
    """Return the name and version of an installed package.

    Examples
    --------
    >>> version_of("no-such-package")
    'no-such-package, not installed'
    """
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package}, not installed"


@contextlib.contextmanager
def blaming(kind: type[AdaptiveKMeansError], what: str, expected: str) -> Iterator[None]:
    """Turn whatever the code of another package raises into a one-line error that names it."""
    try:
        yield
    except (AdaptiveKMeansError, MemoryError):
        raise
    except Exception as error:
        raise kind(what, expected, f"{one_line(error)}{_place(error)}") from error


def _place(error: Exception) -> str:
    """Return the innermost line of another package that led to an error, in parentheses."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package != __package__ and package not in sys.stdlib_module_names:
            place = f" ({Path(frame.f_code.co_filename).name}, line {line})"
    return place


@dataclasses.dataclass(frozen=True)
class _Later:
    """A member that is loaded when it is first used.

    An entry point cannot be recognized by its type: once `importlib_metadata` has been imported, as
    Dask does, the standard library returns that package's entry points.
    """

    load: Callable[[], Any]


class Registry(Generic[Member]):
    """The members of one family, by name.

    Parameters
    ----------
    family : str
        What a member is, in words, for messages: "detail measure".
    members : mapping of str to type
        The members of this package.
    entry_point_group : str, optional
        Group of entry points under which other packages register members. They are searched when
        a name is not in the table, or to list all names; each is loaded when it is first used.
    check : callable, optional
        Takes the name of another package's member in messages, and the member; returns a member
        that does the same and checks what it returns.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Quantile:
    ...     q: float = 0.75
    >>> thresholds = Registry("threshold", {"quantile": Quantile})
    >>> thresholds.create("quantile:0.9")
    Quantile(q=0.9)
    """

    def __init__(
        self,
        family: str,
        members: Mapping[str, type[Member]],
        entry_point_group: str | None = None,
        check: Callable[[str, Member], Member] | None = None,
    ) -> None:
        self.family = family
        self._check = check
        self.own = tuple(members)
        """Names of the members of this package."""
        self._members: dict[str, type[Member] | _Later] = {}
        self._packages: dict[str, str] = {}
        self._group = entry_point_group
        self._pending = entry_point_group is not None
        for name, member in members.items():
            self.register(name, member)

    def register(self, name: str, member: type[Member] | _Later) -> None:
        """Add a member.

        Raises
        ------
        ConfigError
            The name is taken.
        """
        if name in self._members:
            raise ConfigError(f"{self.family} {name!r}", "a name that is not taken", "a second one")
        self._members[name] = member

    def names(self) -> tuple[str, ...]:
        """All names, sorted, including those of entry points."""
        self._find_entry_points()
        return tuple(sorted(self._members))

    def create(self, spec: str) -> Member:
        """Make the member that a spec names.

        Parameters
        ----------
        spec : str
            ``name``, ``name:value`` where the value is that of the member's first field, or
            ``name:value,setting=value``, for any of its fields.

        Raises
        ------
        UnknownNameError
            No member has this name.
        ConfigError
            The member has no such setting, does not take its value, or cannot be made.
        MissingDependencyError
            It needs a library that is not installed.
        """
        name, texts = self.split(spec)
        member, settings = self._member(name), self.settings(name)
        values = {key: settings[key].read(text, self._owner(name)) for key, text in texts.items()}
        with self._making(name):
            made = member(**values)
        if self._check is None or name in self.own:
            return made
        return self._check(f"{self.family} {spec}", made)

    def settings(self, spec: str) -> dict[str, specs.Setting]:
        """Return the settings of the member that a spec names, by name and in order.

        Raises
        ------
        UnknownNameError
            No member has this name.
        """
        if not isinstance(spec, str):
            raise ConfigError(self.family, "a name", repr(spec))
        return specs.settings_of(self._member(spec.partition(":")[0]))

    def split(self, spec: str) -> tuple[str, dict[str, str]]:
        """Return the name in a spec, and the settings that it gives, as text by name.

        Raises
        ------
        UnknownNameError
            No member has this name.
        ConfigError
            A setting is unknown or is given twice.
        """
        settings, name = self.settings(spec), spec.partition(":")[0]
        return name, specs.split(spec, settings, self._owner(name))

    def spec(
        self,
        spec: str,
        values: Mapping[str, object] = types.MappingProxyType({}),
        without: Iterable[str] = (),
    ) -> str:
        """Return the canonical spec: the first setting as given, others unless at their default.

        Parameters
        ----------
        spec : str
            The spec.
        values : mapping, optional
            Settings to add, by name.
        without : iterable of str, optional
            Settings of the spec to leave out.

        Raises
        ------
        UnknownNameError
            No member has this name.
        ConfigError
            A setting is unknown, is given twice, or does not take its value.

        Examples
        --------
        >>> from adaptive_kmeans.baselines.image_codecs import baselines
        >>> baselines.spec("webp:method=6,quality=60"), baselines.spec("webp:60", {"method": 4})
        ('webp:60', 'webp:60,method=4')
        """
        name, texts = self.split(spec)
        settings, owner = self.settings(name), self._owner(name)
        texts = {key: text for key, text in texts.items() if key not in without}
        for key, value in values.items():
            checked = settings[key].check(value, owner) if key in settings else value
            specs.add(texts, key, specs.to_text(checked), settings, owner)
        return specs.join(name, texts, settings, owner)

    def package(self, spec: str) -> str:
        """Return the name of the package that adds a member, "" for one of our own."""
        name = spec.partition(":")[0]
        if name not in self.own:
            self._find_entry_points()
        return self._packages.get(name, "")

    def _owner(self, name: str) -> str:
        """Return what a member is called in messages."""
        return f"{self.family} {name}"

    def _member(self, name: str) -> type[Member]:
        if name not in self._members:
            self._find_entry_points()
        if name not in self._members:
            raise UnknownNameError(self.family, name, self._members)
        member = self._members[name]
        if isinstance(member, _Later):
            with self._making(name):
                member = self._members[name] = cast(type[Member], member.load())
        return member

    @contextlib.contextmanager
    def _making(self, name: str) -> Iterator[None]:
        """Turn whatever another package raises while its member is made into a one-line error."""
        what = self._owner(name)
        try:
            yield
        except AdaptiveKMeansError:
            raise
        except ImportError as error:
            expected = "what it imports to be installed"
            raise MissingDependencyError(what, expected, one_line(error)) from error
        except Exception as error:
            raise ConfigError(what, "one that can be made", one_line(error)) from error

    def _find_entry_points(self) -> None:
        if not self._pending or self._group is None:
            return
        self._pending = False
        for entry_point in metadata.entry_points(group=self._group):
            package = getattr(getattr(entry_point, "dist", None), "name", None)
            self._packages[entry_point.name] = package or ""
            self.register(entry_point.name, _Later(entry_point.load))
