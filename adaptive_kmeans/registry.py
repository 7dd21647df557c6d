"""One registry for every pluggable family: detail measures, thresholds, coders, baselines.

A family is a `Registry` of classes, most of them frozen dataclasses whose fields are their
settings. A *spec* names a member and, after a colon, the value of its first setting, so that
``"quantile:0.9"`` in a config or on the command line is ``Quantile(0.9)`` in Python.

Other packages add members through entry points, by name:

.. code-block:: toml

    [project.entry-points."adaptive_kmeans.detail"]
    entropy = "my_package:Entropy"
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import metadata
from typing import Any, Generic, TypeVar, cast, get_type_hints

from adaptive_kmeans.errors import ConfigError, UnknownNameError

Member = TypeVar("Member")


class Registry(Generic[Member]):
    """The members of one family, by name.

    Parameters
    ----------
    family : str
        What a member is, in words, for messages: "detail measure".
    members : mapping of str to type
        The members that this package brings.
    entry_point_group : str, optional
        Group of entry points under which other packages register members. They are loaded when a
        name is asked for that is not in the table, or when all names are listed.

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
    ) -> None:
        self.family = family
        self._members: dict[str, type[Member]] = {}
        self._group = entry_point_group
        self._pending = entry_point_group is not None
        for name, member in members.items():
            self.register(name, member)

    def register(self, name: str, member: type[Member]) -> None:
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
        """All names, sorted; those of entry points included."""
        self._load_entry_points()
        return tuple(sorted(self._members))

    def create(self, spec: str) -> Member:
        """Make the member that a spec names.

        Parameters
        ----------
        spec : str
            ``name`` or ``name:value``, where the value is that of the member's first field.

        Raises
        ------
        UnknownNameError
            No member has this name.
        ConfigError
            The member takes no such value.
        """
        name, colon, text = spec.partition(":")
        if name not in self._members:
            self._load_entry_points()
        if name not in self._members:
            raise UnknownNameError(self.family, name, self._members)
        member = self._members[name]
        if not colon:
            return member()
        fields = dataclasses.fields(cast(Any, member)) if dataclasses.is_dataclass(member) else ()
        if not fields:
            raise ConfigError(f"{self.family} {name}", "no value after the name", spec)
        kind = get_type_hints(member)[fields[0].name]
        try:
            value = kind(text) if kind in (int, float) else text
        except ValueError:
            expected = f"{fields[0].name} as {kind.__name__} after the colon"
            raise ConfigError(f"{self.family} {name}", expected, text) from None
        return member(value)  # type: ignore[call-arg]

    def _load_entry_points(self) -> None:
        if not self._pending or self._group is None:
            return
        self._pending = False
        for entry_point in metadata.entry_points(group=self._group):
            self.register(entry_point.name, entry_point.load())
