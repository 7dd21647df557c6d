import numpy as np
import pytest

import adaptive_kmeans as akm
from adaptive_kmeans.baselines.image_codecs import baselines
from adaptive_kmeans.errors import ConfigError, MissingDependencyError

LOSSLESS = {"png", "webp-lossless", "jpeg-xl-lossless"}


@pytest.mark.parametrize("name", baselines.names())
@pytest.mark.parametrize("shape", [(37, 50), (1, 1), (16, 301)])
def test_every_baseline_writes_a_file_that_decodes(name, shape, photo):
    image = np.ascontiguousarray(np.resize(photo, (*shape, 3)))
    try:
        codec = baselines.create(name)
    except MissingDependencyError as error:
        pytest.skip(str(error))
    data = codec.encode(image)
    decoded = codec.decode(data)
    assert isinstance(data, bytes)
    assert decoded.shape == image.shape
    assert decoded.dtype == np.uint8
    if name in LOSSLESS:
        assert np.array_equal(decoded, image)
    else:
        assert akm.psnr(image, decoded) > 15
    assert codec.version


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
