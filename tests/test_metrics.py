import math
import sys

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from ssimulacra2 import compute_ssimulacra2

import adaptive_kmeans as akm
from adaptive_kmeans.errors import ConfigError, ImageError, MissingDependencyError

pytestmark = pytest.mark.kernels


@pytest.fixture
def noisy(photo, random):
    noise = random.integers(-9, 10, photo.shape)
    return np.clip(photo + noise, 0, 255).astype(np.uint8)


def test_psnr_matches_scikit_image(photo, noisy):
    assert akm.psnr(photo, noisy) == pytest.approx(peak_signal_noise_ratio(photo, noisy), abs=1e-9)
    mse = ((photo.astype(float) - noisy) ** 2).mean()
    assert akm.psnr(photo, noisy) == pytest.approx(10 * math.log10(255**2 / mse), abs=1e-9)


def test_ssim_matches_scikit_image(photo, noisy):
    standard = structural_similarity(
        photo,
        noisy,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    assert akm.ssim(photo, noisy) == pytest.approx(standard, abs=1e-6)
    published = structural_similarity(photo, noisy, win_size=3)
    assert akm.ssim(photo, noisy, "published") == pytest.approx(published, abs=1e-6)
    assert published != pytest.approx(standard, abs=1e-3)


def test_equal_images(photo):
    assert akm.psnr(photo, photo.copy()) == math.inf
    assert akm.ssim(photo, photo.copy()) == pytest.approx(1)


def test_an_image_smaller_than_the_window_has_no_ssim():
    small = np.zeros((10, 40, 3), np.uint8)
    assert math.isnan(akm.ssim(small, small))
    assert akm.ssim(small, small, "published") == pytest.approx(1)
    assert math.isnan(akm.ssim(small[:2], small[:2], "published"))


def test_rate_counts_bytes_of_a_file():
    assert akm.bits_per_pixel(b"\0" * 30, (4, 5, 3)) == 12


def test_images_must_match():
    image = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ImageError, match="decoded image: expected the shape"):
        akm.psnr(image, image[:2])
    with pytest.raises(ImageError, match="uint8 array, received"):
        akm.ssim(image, image.astype(float))
    with pytest.raises(ConfigError, match="one of gaussian, published, received box"):
        akm.ssim(image, image, "box")


@pytest.mark.parametrize("metric", [akm.psnr, akm.ssim, akm.ciede2000, akm.ssimulacra2])
def test_other_types_than_images_are_refused(metric):
    image = np.zeros((16, 16, 3), np.uint8)
    for wrong in (None, [1], image[0], image[:0], image[..., :2]):
        with pytest.raises(ImageError, match="decoded image: expected"):
            metric(image, wrong)
        with pytest.raises(ImageError, match="original image: expected"):
            metric(wrong, image)


def test_rates_and_curves_of_other_types_are_refused():
    for data, shape in ((None, (2, 2)), (b"x", 3), (b"x", (3,)), (b"x", (0, 3)), (b"x", "ab")):
        with pytest.raises(ConfigError):
            akm.bits_per_pixel(data, shape)
    with pytest.raises(ConfigError) as caught:
        akm.bits_per_pixel(b"x", np.zeros((9, 9, 3)))
    assert len(str(caught.value)) < 80
    curve = [(1.0, 30.0), (2.0, 33.0), (3.0, 35.0)]
    for wrong in (None, 3, [1, 2], [(0.0, 30.0), *curve], [("a", 1)] * 3):
        for measure in (akm.bd_rate, akm.bd_psnr):
            with pytest.raises(ConfigError, match=r"curve: expected a sequence of \(rate above 0"):
                measure(curve, wrong)


def test_ssimulacra2_matches_the_package(photo, noisy, tmp_path):
    Image.fromarray(photo).save(tmp_path / "a.png")
    Image.fromarray(noisy).save(tmp_path / "b.png")
    score = akm.ssimulacra2(photo, noisy)
    assert score == compute_ssimulacra2(tmp_path / "a.png", tmp_path / "b.png")
    assert score < akm.ssimulacra2(photo, photo) == pytest.approx(100)
    assert math.isnan(akm.ssimulacra2(photo[:7], photo[:7]))


def test_a_missing_library_of_a_metric_is_named(photo, monkeypatch):
    monkeypatch.setitem(sys.modules, "ssimulacra2", None)
    with pytest.raises(MissingDependencyError, match=r"adaptive-kmeans\[metrics\]"):
        akm.ssimulacra2(photo, photo)
