"""What is wrong with a config, in one line: the key, its allowed values, and a suggestion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from adaptive_kmeans.errors import closest, counted, did_you_mean
from adaptive_kmeans.experiment.keys import Strict
from adaptive_kmeans.experiment.sections import description, sections, tag

_TYPES = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "string_type": "a string",
    "list_type": "a list",
    "model_type": "a section",
    "dict_type": "a section",
    "model_attributes_type": "a section",
}


def first_problem(error: ValidationError, model: type[Strict], document: Mapping[str, Any]) -> str:
    """Describe the first problem in one line.

    Parameters
    ----------
    error : ValidationError
        The error that the model raised.
    model : type
        The model of the config.
    document : mapping
        The config.
    """
    problem, *others = error.errors(include_url=False)
    if problem["type"] == "missing":  # because another key was meant, or another method
        section = problem["loc"][:-1]
        unknown = [each for each in others if each["type"] == "extra_forbidden"]
        problem = next((each for each in unknown if each["loc"][:-1] == section), problem)
    kind, received = problem["type"], problem["input"]
    place, path = _follow(model, problem["loc"])
    where = ".".join(path) or "config"
    if kind.startswith("union_tag"):  # the name of a method
        key = problem["ctx"]["discriminator"].strip("_'()")
        where = f"{where}.{key}"
        if "expected_tags" not in problem["ctx"]:
            return f"missing key {where}"
        known = problem["ctx"]["expected_tags"].replace("'", "").split(", ")
        return _expected(where, f"one of {', '.join(known)}", received[key], known)
    if kind == "extra_forbidden":
        return f"unknown key {where}{_instead(path, place, model, document)}"
    if kind == "missing":
        return f"missing key {where}"
    if kind == "literal_error":
        known = problem["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return _expected(where, f"one of {', '.join(known)}", received, known)
    if kind == "list_type" and isinstance(received, dict):
        return _expected(where, f"a list of sections, each under [[{where}]]", "one section")
    if kind in _TYPES:
        return _expected(where, f"{_TYPES[kind]}{_meant(kind, received)}", received)
    if kind == "too_short":
        fewest = counted(problem["ctx"]["min_length"], "value")
        return _expected(where, f"at least {fewest}", received)
    if kind == "greater_than_equal":
        return _expected(where, f"at least {problem['ctx']['ge']}", received)
    if kind == "less_than_equal":
        return _expected(where, f"at most {problem['ctx']['le']}", received)
    if kind == "greater_than":
        return _expected(where, f"more than {problem['ctx']['gt']:g}", received)
    if kind == "string_pattern_mismatch":
        meaning = description(place.model_fields[path[-1]])
        return _expected(where, meaning.rpartition(": ")[2].rstrip("."), received)
    message = problem["msg"]
    return f"{where}: {message[0].lower()}{message[1:]}, received {received!r}"


def _expected(where: str, expected: str, received: Any, known: Sequence[str] = ()) -> str:
    return (
        f"{where}: expected {expected}{did_you_mean(str(received), known)}, received {received!r}"
    )


def _follow(model: type[Strict], steps: Sequence[int | str]) -> tuple[type[Strict], list[str]]:
    """Return the section that a location is in, and the location as parts of a dotted key."""
    path: list[str] = []
    inner = [model]
    for step in steps:
        tags = {tag(each): each for each in inner if len(inner) > 1}
        chosen = next((each for key, each in tags.items() if key and key[1] == step), None)
        if chosen is not None:  # selects one of several sections by the value of its tag
            model, inner = chosen, [chosen]
            continue
        path.append(str(step))
        if isinstance(step, str):
            model = inner[0] if inner else model
            field = model.model_fields.get(step)
            inner = [] if field is None else sections(field.annotation)
    return model, path


def _instead(
    path: Sequence[str], place: type[Strict], model: type[Strict], document: Mapping[str, Any]
) -> str:
    """Suggest which key was meant: the closest one, or the sections that accept this one."""
    *parents, key = path
    section: Any = document
    for step in parents:
        section = section[int(step) if isinstance(section, list) else step]
    inner = {dotted.rpartition(".")[2]: dotted for dotted in place.inner_keys(section)}
    meant = closest(key, [*inner, *place.model_fields])
    if meant is not None:
        return f" (did you mean {inner.get(meant, meant)}?)"
    homes = _homes(key, model, document)
    if homes:
        return f"; {' or '.join(homes)} can have it"
    own = tag(place)
    name = "the config" if place is model else f"{own[0]} {own[1]}" if own else place.__name__
    return f"; {name} has {', '.join(each for each in place.model_fields)}"


def _homes(key: str, model: type[Strict], document: Mapping[str, Any]) -> list[str]:
    """List the places that accept a key; sections of the given config by their numbers."""
    found = [key] if key in model.model_fields else []
    for name, field in model.model_fields.items():
        for inner in sections(field.annotation):
            if key not in inner.model_fields:
                continue
            own, present = tag(inner), document.get(name)
            if own is None:
                found.append(f"{name}.{key}")
                continue
            items = present if isinstance(present, list) else []
            numbers = [i for i, item in enumerate(items) if _has(item, *own)]
            found += [f"{name}.{i}.{key} ({own[1]})" for i in numbers] or [f"a {own[0]} {own[1]}"]
    return found


def _has(item: Any, key: str, value: str) -> bool:
    return isinstance(item, dict) and item.get(key) == value


def _meant(kind: str, received: Any) -> str:
    """Return in parentheses the value that was meant, if it was clearly written as a wrong type."""
    if isinstance(received, str) and kind != "string_type":
        text = received.strip().lower()
        numeric = text.lstrip("-").replace(".", "", 1).isdigit()
        if (kind == "bool_type" and text in ("true", "false")) or (
            kind != "bool_type" and numeric and not (kind.startswith("int") and "." in text)
        ):
            return f" (did you mean {text}, without quotes?)"
    if kind == "string_type" and isinstance(received, int | float):
        return f' (did you mean "{str(received).lower()}", in quotes?)'
    if kind == "int_from_float" or (kind == "int_type" and isinstance(received, float)):
        return f" (did you mean {received:.0f}?)" if received == int(received) else ""
    return ""
