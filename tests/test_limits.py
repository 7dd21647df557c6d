"""Limits: their presets, and what they refuse."""

import numpy as np
import pytest

import adaptive_kmeans as akm
from adaptive_kmeans.errors import ConfigError, LimitError, UnknownNameError
from adaptive_kmeans.limits import DEFAULT, RESTRICTIVE, Limits, check_integer, preset


def test_the_restrictive_preset_is_below_the_default():
    for name in vars(DEFAULT):
        assert getattr(RESTRICTIVE, name) < getattr(DEFAULT, name)
    assert preset("default") is DEFAULT
    assert preset("restrictive") is RESTRICTIVE
    with pytest.raises(UnknownNameError, match="did you mean restrictive"):
        preset("restricted")


def test_a_photograph_is_decoded_under_the_restrictive_preset(photo):
    for coder in ("fixed-length", "deflate", "context-mixing"):
        data = akm.encode(photo, akm.Settings(coder=coder))
        assert np.array_equal(akm.decode(data, limits=RESTRICTIVE), akm.decode(data))


@pytest.mark.parametrize("name", vars(DEFAULT))
def test_a_limit_is_an_integer_that_the_format_can_hold(name):
    assert getattr(Limits(**{name: np.int64(3)}), name) == 3
    for wrong in (0, -1, 2.5, "3", None, True, 2**63):
        with pytest.raises(ConfigError, match=f"limit of {name}: expected an integer in 1"):
            Limits(**{name: wrong})


def test_what_is_at_a_limit_is_allowed():
    allowed = Limits(pixels=12, memory_bytes=2000)
    allowed.check_pixels("image", 4, 3)
    allowed.check("decoding", "memory_bytes", 2000)
    with pytest.raises(LimitError, match=r"^image: expected at most 12 pixels, received 13×1$"):
        allowed.check_pixels("image", 13, 1)
    with pytest.raises(LimitError, match="at most 2,000 bytes of memory, received 2,001"):
        allowed.check("decoding", "memory_bytes", 2001)


def test_integers_are_those_of_python_and_of_numpy():
    for right in (3, np.int8(3), np.uint64(3), np.array(3)):
        assert type(check_integer("n", right, 1, 5)) is int
    for wrong in (0, 6, 3.0, "3", None, True, np.bool_(True), np.float32(3), np.array([3, 4])):
        with pytest.raises(ConfigError, match=r"^n: expected an integer in 1\.\.5, received"):
            check_integer("n", wrong, 1, 5)
