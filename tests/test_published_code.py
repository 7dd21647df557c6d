"""The repeat of the published code: what it does to pixels, and how near it comes to the paper."""

import numpy as np
import pytest

from adaptive_kmeans.baselines.image_codecs import baselines
from adaptive_kmeans.baselines.published_code import PublishedCode

REPEATS = [name for name in baselines.names() if name.startswith("published-code")]
SEED = PublishedCode().seed


def test_centroids_are_truncated_and_pixels_keep_the_labels_of_kmeans():
    # The means are 10.9 and 29.9, and 20 is nearer to the first; of 10 and 29, to the second.
    levels = np.repeat(np.array([10, 11, 20, 29, 30], np.uint8), [20, 80, 1, 10, 90])
    image = np.repeat(levels[None, :, None], 3, axis=2)
    repeated = PublishedCode(k=2).quantize(image).reconstruct()
    assert repeated[0, :, 0].tolist() == [10] * 101 + [29] * 100


@pytest.mark.parametrize("name", REPEATS)
def test_a_file_decodes_to_the_quantized_pixels_the_same_each_time(name, photo):
    codec = baselines.create(f"{name}:16")
    data = codec.encode(photo)
    assert np.array_equal(codec.decode(data), codec.quantize(photo).reconstruct())
    assert data == codec.encode(photo)
    assert data != type(codec)(16, seed=SEED + 1).encode(photo)
