"""Every setting of our encoder that reaches a file is a key of the methods that it applies to."""

import dataclasses

import pytest

from adaptive_kmeans.codec import AdaptiveKMeans, Settings
from adaptive_kmeans.experiment.config import check_config
from adaptive_kmeans.experiment.schema import (
    RateDistortionMethod,
    RegionAdaptiveMethod,
    RegularMethod,
)
from tests.test_series import table

NO_KEY = {"codebook"}
"""Given colors come in files, which `compress --codebook` reads."""
BY_OTHER_KEYS = {"k1", "k2", "price", "quality"}
"""What makes the curve; `k` is `k1` of one codebook."""
PLAIN = {"detail_power"}
"""What plain K-means has no use for, beside `Settings.unused`."""


@pytest.mark.parametrize(
    ("method", "settings", "others"),
    [
        (RegularMethod, Settings.regular(4), PLAIN),
        (RegularMethod, Settings.regular(4, init="random"), PLAIN),
        (RegionAdaptiveMethod, Settings.published(4, 8), PLAIN),
        (RateDistortionMethod, Settings(), set()),
        (RateDistortionMethod, Settings.published(4, 8, price=9.0), set()),
    ],
)
def test_every_setting_that_reaches_a_file_is_a_key(method, settings, others):
    fields = {field.name for field in dataclasses.fields(Settings)}
    without = NO_KEY | BY_OTHER_KEYS | others | set(settings.unused)
    assert fields - without <= set(method.model_fields)


def test_every_setting_is_a_key_of_some_method():
    methods = (RegularMethod, RegionAdaptiveMethod, RateDistortionMethod)
    keys = {key for method in methods for key in method.model_fields}
    assert {field.name for field in dataclasses.fields(Settings)} - NO_KEY <= keys


def codecs(**method):
    config = check_config({"name": "a", "images": ["chelsea"], "methods": [method]}, "a.toml")
    return list(config.codecs())


def test_initializations_and_tolerances_are_series_of_their_own():
    swept = codecs(method="regular", k=[8], init=["wu", "random"], tolerance=[1e-3, 0])
    assert list(table([codec.columns for codec in swept])["series"]) == [
        "regular",
        "regular, tolerance 0",
        "regular, random",
        "regular, random, tolerance 0",
    ]
    assert swept[0].columns == AdaptiveKMeans(Settings.regular(8)).columns


def test_specs_that_mean_the_same_are_equal_settings():
    long = Settings.published(
        4, 8, coder="context-mixing:profile=fast", threshold="quantile:share=0.9"
    )
    assert long == Settings.published(4, 8, coder="context-mixing:fast", threshold="quantile:0.9")
    dithered = Settings.regular(4, dither="diffusion:strength=0.5", restoration="wiener:form=8")
    assert (dithered.dither, dithered.restoration) == ("diffusion:0.5", "wiener:8")
