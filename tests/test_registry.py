import pickle
from dataclasses import dataclass
from importlib import metadata
from types import SimpleNamespace
from typing import Annotated, Literal

import pytest

from adaptive_kmeans import errors
from adaptive_kmeans.detail import Eigenvalue
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, UnknownNameError
from adaptive_kmeans.registry import Registry
from adaptive_kmeans.specs import Within, check_settings


@dataclass(frozen=True)
class Member:
    size: int = 3


def test_a_duplicate_name_is_refused():
    registry = Registry("thing", {"a": Member})
    with pytest.raises(ConfigError, match="thing 'a'"):
        registry.register("a", Member)


def test_a_spec_sets_the_first_field_by_its_type():
    registry = Registry("thing", {"a": Member})
    assert registry.create("a") == Member(3)
    assert registry.create("a:8") == Member(8)
    with pytest.raises(ConfigError, match="size of thing a: expected an integer, received x"):
        registry.create("a:x")


@dataclass(frozen=True)
class Coder:
    quality: Annotated[int, Within(1, 100)] = 75
    strength: float = 0.5
    exact: bool = False
    mode: Literal["fast", "small"] = "fast"
    depth: int | None = None

    def __post_init__(self):
        check_settings(self)


coders = Registry("coder", {"c": Coder, "plain": object})


@pytest.mark.parametrize(
    ("spec", "settings", "spelling"),
    [
        ("c", {}, "c"),
        ("c:075", {}, "c:075"),
        ("c:quality=60", {"quality": 60}, "c:60"),
        ("c:mode=small,quality=60", {"quality": 60, "mode": "small"}, "c:60,mode=small"),
        ("c:60, exact = true", {"quality": 60, "exact": True}, "c:60,exact=true"),
        ("c:exact=false,strength=0.50", {}, "c"),
        ("c:strength=2", {"strength": 2.0}, "c:strength=2"),
        ("c:depth=3", {"depth": 3}, "c:depth=3"),
        ("c:depth=none", {}, "c"),
        ("plain", {}, "plain"),
    ],
)
def test_a_spec_sets_any_field_and_has_one_spelling(spec, settings, spelling):
    assert coders.spec(spec) == coders.spec(spelling) == spelling
    if spec != "plain":
        assert coders.create(spec) == coders.create(spelling) == Coder(**settings)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("c:60,mod=fast", "coder c: expected one of its settings quality, strength, exact, mode, "
         "depth (did you mean mode?), received mod"),
        ("c:60,4", "coder c: expected setting=value after a comma, received 4"),
        ("c:60,quality=61", "quality of coder c: expected one value, received 60 and 61"),
        ("c:sixty", "quality of coder c: expected an integer in 1..100, received sixty"),
        ("c:", "quality of coder c: expected an integer in 1..100, received nothing"),
        ("c:0", "quality of coder c: expected an integer in 1..100, received 0"),
        ("c:1e999", "quality of coder c: expected an integer in 1..100, received 1e999"),
        ("c:exact=1", "exact of coder c: expected true or false, received 1"),
        ("c:mode=smal", "mode of coder c: expected one of fast, small (did you mean small?), "
         "received smal"),
        ("c:depth=deep", "depth of coder c: expected an integer, or none, received deep"),
        ("plain:3", "coder plain: expected no value after the name, received plain:3"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_one_line(spec, message):
    for use in (coders.create, coders.spec):
        with pytest.raises(ConfigError) as caught:
            use(spec)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "received"),
    [
        ("2", "100 (did you mean 2, without quotes?), received '2'"),
        (2.0, "100, received 2.0"),
        (True, "100, received True"),
        (101, "100, received 101"),
        (None, "100, received None"),
    ],
)
def test_values_are_not_converted(value, received):
    assert coders.spec("c:exact=true", {"quality": 2}) == "c:2,exact=true"
    with pytest.raises(ConfigError) as caught:
        coders.spec("c", {"quality": value})
    assert str(caught.value) == f"quality of coder c: expected an integer in 1..{received}"
    with pytest.raises(ConfigError, match=r"quality of Coder: expected an integer in 1\.\.100"):
        Coder(value)


def test_a_number_that_no_float_holds_is_refused():
    with pytest.raises(ConfigError, match="strength of Coder: expected a number, received 1000"):
        Coder(strength=10**400)


def test_other_packages_add_members_by_entry_point(monkeypatch):
    entry = metadata.EntryPoint(
        "largest", "adaptive_kmeans.detail.eigenvalue:Eigenvalue", "adaptive_kmeans.test"
    )
    monkeypatch.setattr(metadata, "entry_points", lambda group: [entry] if "test" in group else [])
    registry = Registry("measure", {"a": Member}, entry_point_group="adaptive_kmeans.test")
    assert registry.create("largest") == Eigenvalue()
    assert registry.names() == ("a", "largest")


def test_entry_points_of_the_backport_are_loaded(monkeypatch):
    entry = SimpleNamespace(name="b", load=lambda: Member)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [entry])
    registry = Registry("thing", {"a": Member}, entry_point_group="adaptive_kmeans.test")
    assert registry.create("b:8") == Member(8)


@pytest.mark.parametrize(
    "error",
    [
        *(
            kind("what", "this", 3)
            for kind in vars(errors).values()
            if isinstance(kind, type)
            and issubclass(kind, AdaptiveKMeansError)
            and kind is not UnknownNameError
        ),
        UnknownNameError("thing", "b", ["a"]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_keep_their_message_when_pickled(error):
    back = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert "expected" in str(error)
