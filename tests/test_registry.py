import pickle
from dataclasses import dataclass
from importlib import metadata
from types import SimpleNamespace

import pytest

from adaptive_kmeans import errors
from adaptive_kmeans.detail import Eigenvalue
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, UnknownNameError
from adaptive_kmeans.registry import Registry


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
    with pytest.raises(ConfigError, match="size as int after the colon, received x"):
        registry.create("a:x")


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
