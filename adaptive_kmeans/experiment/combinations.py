"""All combinations of lists of values, each made on demand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

Made = TypeVar("Made")


class Combinations(Sequence[Made], Generic[Made]):
    """The results of a function for all combinations of values; the last list varies fastest.

    Parameters
    ----------
    make : callable
        Takes one value of each list, by name.
    lists : mapping of str to sequence
        Values by name; duplicates count once.

    Examples
    --------
    >>> pairs = Combinations(lambda a, b: f"{a}{b}", {"a": [1, 2, 1], "b": range(10**6)})
    >>> len(pairs), pairs[0], pairs[-1]
    (2000000, '10', '2999999')
    """

    def __init__(self, make: Callable[..., Made], lists: Mapping[str, Sequence[Any]]) -> None:
        self._make = make
        self._lists = {name: list(dict.fromkeys(values)) for name, values in lists.items()}

    def __len__(self) -> int:
        return math.prod(map(len, self._lists.values()))

    @overload
    def __getitem__(self, index: int) -> Made: ...
    @overload
    def __getitem__(self, index: slice) -> list[Made]: ...
    def __getitem__(self, index: int | slice) -> Made | list[Made]:
        """Make the combination at an index."""
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        left = range(len(self))[index]
        chosen = {}
        for name, values in reversed(self._lists.items()):
            left, digit = divmod(left, len(values))
            chosen[name] = values[digit]
        return self._make(**{name: chosen[name] for name in self._lists})

    def value_by_value(self) -> list[Made]:
        """Make one for each value of each list, with the first values of the other lists."""
        first = {name: values[0] for name, values in self._lists.items()}
        made = [
            self._make(**{**first, name: value})
            for name, values in self._lists.items()
            for value in values[1:]
        ]
        return [self._make(**first), *made]
