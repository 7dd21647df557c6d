"""A first config of each kind: all keys, their meanings, allowed values and defaults.

Everything is derived from the config models. Keys without a default, and those of a section's
`SAMPLE`, are set, so that the config runs as is; the others are commented out.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from adaptive_kmeans.experiment.keys import Strict
from adaptive_kmeans.experiment.kinds import KINDS
from adaptive_kmeans.experiment.schema import Experiment
from adaptive_kmeans.experiment.sections import (
    choices,
    description,
    examples,
    is_list,
    sections,
    tag,
)

WIDTH = 92

_HOW_TO_READ = (
    "A line that starts with # and a key is optional, and shows the default, or an example of what "
    "is not set by default; remove the # to set it. Most keys of methods take a value or a list, "
    "and all combinations of the lists are run. A key of several sections is explained in the "
    "first."
)


def first_config(kind: str, name: str | None = None) -> str:
    """Return a commented config that runs as is.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    name : str, optional
        Name of the experiment.

    Examples
    --------
    >>> import tomllib
    >>> tomllib.loads(first_config("elbow", "mine"))
    {'kind': 'elbow', 'name': 'mine', 'images': ['chelsea', 'coffee']}
    """
    model = KINDS[kind].config
    given: dict[str, Any] = {"kind": kind} if kind != "compression" else {}
    if name is not None:
        given["name"] = name
    lines = [*_comment(_first_line(model)), "#", *_comment(_HOW_TO_READ), ""]
    return "\n".join([*lines, *_section(model, given, "", set())]) + "\n"


def _section(
    model: type[Strict], given: Mapping[str, Any], path: str, seen: set[str], mark: str = ""
) -> Iterator[str]:
    """Yield the lines of a section and its subsections; `mark` comments all of them out."""
    sample = {**_sample(model), **given}
    fields = sorted(model.model_fields.items(), key=lambda item: _rank(item[0], item[1], sample))
    plain = [item for item in fields if not sections(item[1].annotation)]
    for name, field in plain:
        said = _explanation(name, field, sample)
        if said not in seen:
            seen.add(said)
            yield from _comment(said)
        value = sample[name] if name in sample else _optional_value(field)
        optional = "" if name in sample else "#"
        no_default = "  # an example" if optional and _default(field) is None else ""
        yield f"{mark or optional}{name} = {_toml(value)}{no_default}"
    for name, field in fields:
        for inner, given in _inner(name, field, sample):
            place = f"{path}{name}"
            header = f"[[{place}]]" if is_list(field) else f"[{place}]"
            inner_mark = mark or (
                "#" if _default(field) is None and not field.is_required() else ""
            )
            yield ""
            yield from _comment(_first_line(inner))
            yield f"{inner_mark}{header}"
            yield from _section(inner, given, f"{place}.", seen, inner_mark)


def _inner(
    name: str, field: FieldInfo, sample: Mapping[str, Any]
) -> Iterator[tuple[type[Strict], Mapping[str, Any]]]:
    """Yield the sections of a key, each with its values in the sample."""
    for inner in sections(field.annotation):
        tagged = tag(inner)
        for given in sample.get(name, [{}]):
            yield inner, {**given, **dict([tagged] if tagged else [])}


def _sample(model: type[Strict]) -> dict[str, Any]:
    bases = [base for base in reversed(model.__mro__) if issubclass(base, Strict)]
    return {name: value for base in bases for name, value in base.SAMPLE.items()}


def _rank(name: str, field: FieldInfo, sample: Mapping[str, Any]) -> int:
    """Rank keys: first the one that names the section, then those that are set, then the others."""
    if name in ("kind", "method", "engine"):
        return 0
    return 1 if name in sample else 2


def _explanation(name: str, field: FieldInfo, sample: Mapping[str, Any]) -> str:
    if name == "kind":
        field, known = Experiment.model_fields[name], list(KINDS)
    else:
        known = choices(field)
    parts = [description(field)]
    if len(known) > 1:
        parts.append(f"{'Any' if is_list(field) else 'One'} of {', '.join(map(str, known))}.")
    default = _default(field)
    if name in sample and default not in (None, "", sample[name]):
        parts.append(f"Default: {_toml(default)}.")
    return " ".join(part for part in parts if part)


def _optional_value(field: FieldInfo) -> Any:
    default = _default(field)
    return examples(field)[0] if default is None else default


def _default(field: FieldInfo) -> Any:
    return None if field.is_required() else field.default


def _first_line(model: type[Strict]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _comment(text: str) -> list[str]:
    return [
        f"# {line}"
        for paragraph in text.splitlines()
        for line in textwrap.wrap(paragraph, WIDTH, break_on_hyphens=False)
    ]


def _toml(value: Any) -> str:
    """Write a value in one line of TOML."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict) and value:
        return f"{{ {', '.join(f'{key} = {_toml(each)}' for key, each in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)  # the same for strings, numbers and booleans
