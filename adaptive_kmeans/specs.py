"""Specs: a name and settings, as written on the command line or in a config.

A spec is ``name``, ``name:value`` or ``name:value,setting=value,…``. Its settings are the fields of
a dataclass; a value without a name is that of the first. Types, choices and ranges are read from
the annotations of the fields:

>>> @dataclasses.dataclass(frozen=True)
... class Codec:
...     quality: Annotated[int, Within(1, 100)] = 75
...     subsampling: Literal["4:2:0", "4:4:4"] = "4:2:0"
>>> {name: setting.expected for name, setting in settings_of(Codec).items()}
{'quality': 'an integer in 1..100', 'subsampling': 'one of 4:2:0, 4:4:4'}
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import reprlib
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from adaptive_kmeans.errors import ConfigError, did_you_mean


class Within(NamedTuple):
    """The smallest and the largest number, in the type of a field."""

    low: float
    high: float

    def __str__(self) -> str:
        """Return the range as messages show it."""
        return f"{to_text(self.low)}..{to_text(self.high)}"


@dataclass(frozen=True)
class Setting:
    """A field of a dataclass as a setting.

    Parameters
    ----------
    name : str
        Name of the field.
    kind : type
        int, float, bool, str or a Literal, which are checked; values of other types are passed on.
    default : object
        `dataclasses.MISSING` without one.
    within : Within or None
        The range of a number.
    takes_none : bool
        Whether it takes None, which is written as ``none``.
    """

    name: str
    kind: Any
    default: Any
    within: Within | None = None
    takes_none: bool = False

    @property
    def expected(self) -> str:
        """What it takes, in words."""
        if self.choices:
            words = f"one of {', '.join(map(to_text, self.choices))}"
        else:
            kinds = {int: "an integer", float: "a number", bool: "true or false", str: "a string"}
            words = kinds.get(self.kind, "a value")
        if self.within is not None:
            words += f" in {self.within}"
        return f"{words}, or none" if self.takes_none else words

    def read(self, text: str, owner: str) -> Any:
        """Return the value that a text stands for.

        Raises
        ------
        ConfigError
            It stands for no value that the setting takes.
        """
        if self.takes_none and text == "none":
            return None
        value: Any = text
        if self.choices or self.kind is bool:
            value = self._by_text.get(text)
        elif self.kind in (int, float):
            with contextlib.suppress(ValueError):
                value = self.kind(text)
        if not self._takes(value):
            raise self._refused(owner, text, text)
        return value

    def check(self, value: Any, owner: str) -> Any:
        """Return a value after checking it; an integer becomes a float where that is the type.

        Raises
        ------
        ConfigError
            The setting does not take it.
        """
        if self.kind is float and type(value) is int:
            with contextlib.suppress(OverflowError):
                value = float(value)
        if self._takes(value):
            return value
        error = self._refused(owner, to_text(value), reprlib.repr(value))
        if isinstance(value, str):
            with contextlib.suppress(ConfigError):
                meant = to_text(self.read(value, owner))
                error.expected += f" (did you mean {meant}, without quotes?)"
        raise error

    def _takes(self, value: Any) -> bool:
        if value is None:
            return self.takes_none
        if self.choices:
            return any(value == each and type(value) is type(each) for each in self.choices)
        if self.kind in (int, float, bool, str) and type(value) is not self.kind:
            return False
        return self.within is None or self.within.low <= value <= self.within.high

    def _refused(self, owner: str, meant: str, received: str) -> ConfigError:
        expected = self.expected + did_you_mean(meant, map(to_text, self.choices))
        return ConfigError(f"{self.name} of {owner}", expected, received)

    @functools.cached_property
    def choices(self) -> tuple[Any, ...]:
        """The values of a Literal."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    @functools.cached_property
    def _by_text(self) -> dict[str, Any]:
        """The values of a Literal or a bool by their texts."""
        return {to_text(each): each for each in self.choices or (True, False)}


def settings_of(member: Any) -> dict[str, Setting]:
    """Return the settings of a dataclass by name; none for other classes."""
    return _settings_of(member)


@functools.cache
def _settings_of(member: Any) -> dict[str, Setting]:
    if not dataclasses.is_dataclass(member):
        return {}
    try:
        hints = get_type_hints(member, include_extras=True)
    except (AttributeError, NameError, TypeError):  # annotations that do not exist at run time
        hints = {}
    return {
        field.name: _setting(field, hints.get(field.name))
        for field in dataclasses.fields(member)
        if field.init
    }


def _setting(field: dataclasses.Field[Any], hint: Any) -> Setting:
    within = None
    if get_origin(hint) is Annotated:
        within = next((each for each in hint.__metadata__ if isinstance(each, Within)), None)
        hint = get_args(hint)[0]
    takes_none = False
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not types.NoneType]
        takes_none = len(kinds) < len(get_args(hint))
        hint = kinds[0] if len(kinds) == 1 else None
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    return Setting(field.name, hint, default, within, takes_none)


def check_settings(member: Any) -> None:
    """Check the fields of an instance by their annotations, as its ``__post_init__`` may.

    Raises
    ------
    ConfigError
        One has the wrong type, or is out of range.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Deflate:
    ...     level: Annotated[int, Within(0, 9)] = 9
    ...     def __post_init__(self) -> None:
    ...         check_settings(self)
    >>> Deflate(12)
    Traceback (most recent call last):
    adaptive_kmeans.errors.ConfigError: level of Deflate: expected an integer in 0..9, received 12
    """
    for name, setting in settings_of(type(member)).items():
        checked = setting.check(getattr(member, name), type(member).__name__)
        object.__setattr__(member, name, checked)


def to_text(value: object) -> str:
    """Return a value as specs write it.

    Examples
    --------
    >>> to_text(True), to_text(None), to_text(0.5), to_text(2.0), to_text("4:2:0")
    ('true', 'none', '0.5', '2', '4:2:0')
    """
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def split(spec: str, settings: Mapping[str, Setting], owner: str) -> dict[str, str]:
    """Return the texts that a spec gives, by the names of the settings.

    Raises
    ------
    ConfigError
        A setting is unknown, has no name, or is given twice.
    """
    _, colon, rest = spec.partition(":")
    if colon and not settings:
        raise ConfigError(owner, "no value after the name", spec)
    texts: dict[str, str] = {}
    for place, part in enumerate(rest.split(",") if colon else ()):
        name, equals, text = part.partition("=")
        if not equals and place:
            raise ConfigError(owner, "setting=value after a comma", part.strip())
        name, text = (name, text) if equals else (next(iter(settings)), part)
        add(texts, name.strip(), text.strip(), settings, owner)
    return texts


def add(
    texts: dict[str, str], name: str, text: str, settings: Mapping[str, Setting], owner: str
) -> None:
    """Add the text of a setting.

    Raises
    ------
    ConfigError
        It is unknown, already given, or contains a comma.
    """
    if name not in settings:
        expected = f"one of its settings {', '.join(settings)}{did_you_mean(name, settings)}"
        raise ConfigError(owner, expected, name)
    if name in texts:
        raise ConfigError(f"{name} of {owner}", "one value", f"{texts[name]} and {text}")
    if "," in text:
        raise ConfigError(f"{name} of {owner}", "a value without a comma", text)
    texts[name] = text


def join(name: str, texts: Mapping[str, str], settings: Mapping[str, Setting], owner: str) -> str:
    """Return the canonical spec: without defaults, except that of the first setting."""
    parts = []
    for place, (key, setting) in enumerate(settings.items()):
        if key not in texts:
            continue
        value = setting.read(texts[key], owner)
        if place == 0:
            parts.append(texts[key])
        elif value != setting.default:
            parts.append(f"{key}={to_text(value)}")
    return ":".join([name, ",".join(parts)]) if parts else name
