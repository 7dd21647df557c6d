"""pmephin's published table on its own test image, where that image is at hand."""

import pytest

import adaptive_kmeans as akm
from adaptive_kmeans.image import read_image

PUBLISHED = {
    ("regular", 32): (30.472, 0.94107),
    ("regular", 64): (32.669, 0.96291),
    ("regular", 128): (34.653, 0.97517),
    ("eigenvalue", 32): (35.633, 0.97830),
    ("eigenvalue", 64): (36.628, 0.98330),
    ("eigenvalue", 128): (37.242, 0.98575),
    ("variance", 32): (35.402, 0.97668),
    ("variance", 64): (36.461, 0.98270),
    ("variance", 128): (37.109, 0.98495),
}


@pytest.mark.parametrize(("method", "k1"), PUBLISHED)
def test_quality_is_at_or_above_every_published_cell(shared_images, method, k1):
    image = read_image(shared_images / "study" / "toucan.jpeg").pixels
    regular = akm.Settings.regular(k1)
    settings = regular if method == "regular" else akm.Settings(k1=k1, detail=method)
    decoded = akm.decode(akm.encode(image, settings))
    psnr_db, ssim = PUBLISHED[method, k1]
    assert akm.psnr(image, decoded) >= psnr_db
    assert akm.ssim(image, decoded, "published") >= ssim
