"""The repeat of the published code: what it does to pixels, and how near it comes to the paper."""

from pathlib import Path

import numpy as np
import pytest

import adaptive_kmeans as akm
from adaptive_kmeans.baselines.formats import decode_by_pillow
from adaptive_kmeans.baselines.image_codecs import baselines
from adaptive_kmeans.baselines.published_code import PublishedCode
from adaptive_kmeans.experiment.config import read_config
from adaptive_kmeans.image import read_image
from adaptive_kmeans.metrics import jpeg_bytes

REPEATS = [name for name in baselines.names() if name.startswith("published-code")]
SEED = PublishedCode().seed
PUBLISHED = read_config(Path(__file__).parents[1] / "experiments" / "region_study.toml").published


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


@pytest.mark.parametrize("row", PUBLISHED.rows, ids=lambda row: f"{row.method}-{row.k}")
def test_every_published_cell_is_repeated_within_a_tenth_of_a_decibel(shared_images, row):
    image = read_image(shared_images / "study" / "toucan.jpeg").pixels
    codec = baselines.create(f"{PUBLISHED.repeated[row.method]}:{row.k}")
    repeated = codec.quantize(image).reconstruct()
    assert abs(akm.psnr(image, repeated) - row.psnr_db) < 0.1
    assert abs(akm.ssim(image, repeated, "published") - row.ssim_published) < 0.003
    assert abs(jpeg_bytes(image, repeated) - row.jpeg_bytes) < 0.02 * row.jpeg_bytes


def test_the_published_compression_rate_is_that_of_the_input_saved_again(shared_images):
    image = read_image(shared_images / "study" / "toucan.jpeg").pixels
    again = baselines.create("jpeg:75,progressive=false,optimize=false").encode(image)
    assert jpeg_bytes(image, image) == len(again)
    assert len(again) / PUBLISHED.input_bytes == pytest.approx(0.711, abs=0.001)
    assert akm.psnr(image, decode_by_pillow(again)) == pytest.approx(37.09, abs=0.01)
    assert all(len(again) < row.jpeg_bytes for row in PUBLISHED.rows if row.method != "regular")
