"""Contracts that every codec passes, ours and the baselines."""

import json
import pickle

import numpy as np
import pytest

import adaptive_kmeans as akm
from adaptive_kmeans.baselines.checked import Baseline
from adaptive_kmeans.baselines.image_codecs import baselines
from adaptive_kmeans.codec import AdaptiveKMeans, NamedCodec, Settings
from adaptive_kmeans.errors import ConfigError, MissingDependencyError
from adaptive_kmeans.experiment.rows import COLUMNS

LOSSLESS = {"png", "webp-lossless", "jpeg-xl-lossless"}
OURS = {
    "regular": AdaptiveKMeans(Settings.regular(k=16)),
    "region-adaptive": AdaptiveKMeans(Settings(k1=16, k2=64)),
}


@pytest.fixture(params=[*OURS, *baselines.names()])
def codec(request) -> NamedCodec:
    if request.param in OURS:
        return OURS[request.param]
    try:
        return Baseline.create(request.param)
    except MissingDependencyError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("shape", [(37, 50), (1, 1), (16, 301)])
def test_every_codec_writes_a_file_that_decodes(codec, shape, photo):
    image = np.ascontiguousarray(np.resize(photo, (*shape, 3)))
    data = codec.encode(image)
    decoded = codec.decode(data)
    assert isinstance(data, bytes)
    assert decoded.shape == image.shape
    assert decoded.dtype == np.uint8
    if codec.columns["method"] in LOSSLESS:
        assert np.array_equal(decoded, image)
    else:
        assert akm.psnr(image, decoded) > 15


def test_every_codec_names_its_version_and_settings(codec):
    assert codec.version
    assert isinstance(codec.version, str)
    assert "\n" not in codec.label
    assert set(codec.columns) <= set(COLUMNS)
    assert None not in codec.columns.values()
    assert json.loads(json.dumps(codec.parameters)) == codec.parameters


def test_codecs_can_be_dictionary_keys_and_sent_to_other_processes(codec):
    again = pickle.loads(pickle.dumps(codec))  # noqa: S301
    assert again == codec
    assert hash(again) == hash(codec)
    assert again.parameters == codec.parameters


@pytest.mark.parametrize("name", ["png8", "npz", "k-compress"])
def test_formats_with_our_codebook_decode_to_its_reconstruction(name, photo):
    if name == "png8":
        pytest.importorskip("oxipng")
    codec = baselines.create(f"{name}:16")
    right = akm.quantize(photo, akm.Settings.regular(16)).reconstruct()
    assert np.array_equal(codec.decode(codec.encode(photo)), right)


def test_a_setting_out_of_range_is_refused():
    for spec in ("jpeg:0", "webp:101", "npz:1", "k-compress:17"):
        with pytest.raises(ConfigError, match=r"expected an integer in \d+\.\.\d+"):
            baselines.create(spec)
