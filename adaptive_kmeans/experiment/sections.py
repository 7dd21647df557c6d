"""The sections and keys of configs, as their models declare them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from adaptive_kmeans.experiment.keys import OneOf, Strict


def sections(annotation: Any) -> list[type[Strict]]:
    """Return the models of the sections that a key takes; none for a key with a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return [annotation]
    return [model for each in get_args(annotation) for model in sections(each)]


def is_list(field: FieldInfo) -> bool:
    """Whether a key takes a list."""
    return any(get_origin(each) is list for each in _parts(field.annotation))


def choices(field: FieldInfo) -> list[str]:
    """Return the names that a key takes; none if it takes other values than names.

    Examples
    --------
    >>> from adaptive_kmeans.experiment.schema import Figures, RegularMethod
    >>> choices(Figures.model_fields["formats"]), choices(RegularMethod.model_fields["k"])
    (['png', 'pdf', 'svg'], [])
    """
    for each in (*field.metadata, *_parts(field.annotation)):
        if isinstance(each, OneOf):
            return list(each.names())
        if get_origin(each) is Literal:
            return list(get_args(each))
    return []


def description(field: FieldInfo) -> str:
    """Return what a key means; "" if its type does not say."""
    parts = (field, *(each for each in _parts(field.annotation) if isinstance(each, FieldInfo)))
    return next((each.description for each in parts if each.description), "")


def examples(field: FieldInfo) -> list[Any]:
    """Return example values of a key."""
    parts = (field, *(each for each in _parts(field.annotation) if isinstance(each, FieldInfo)))
    return next((each.examples for each in parts if each.examples), [])


def tag(model: type[Strict]) -> tuple[str, str] | None:
    """Return the key and value that tell a section apart from others in its list, if any.

    Examples
    --------
    >>> from adaptive_kmeans.experiment.schema import RegularMethod
    >>> tag(RegularMethod)
    ('method', 'regular')
    """
    for name, field in model.model_fields.items():
        if get_origin(field.annotation) is Literal and field.is_required():
            return name, get_args(field.annotation)[0]
    return None


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield the parts of a type, and its annotations."""
    yield annotation
    if get_origin(annotation) is Annotated:
        yield from annotation.__metadata__
    if get_origin(annotation) is not Literal:
        for each in get_args(annotation):
            yield from _parts(each)
