"""The declared version of the encoder goes with its bytes: stored trials are keyed by it."""

import hashlib

import numpy as np
import pytest

import adaptive_kmeans as akm
from adaptive_kmeans.codec import ENCODER_VERSION, TWO_CODEBOOKS_VERSION
from adaptive_kmeans.datasets import ImageSource

SETTINGS = {
    "plain": akm.Settings.regular(k=12, coder="fixed-length"),
    "published": akm.Settings.published(k1=5, k2=20, detail="variance", coder="deflate"),
    "restored": akm.Settings.regular(k=12, restoration="auto", correction="auto"),
    "dithered": akm.Settings.regular(k=6, coder="fixed-length", dither="diffusion"),
    "quality": akm.Settings(quality=60, effort=3),
    "psnr": akm.Settings(quality=80, effort=6, tune="psnr"),
}
DIGESTS = {
    4: {
        "plain, opaque": "b884e96d6a2fcd3c",
        "plain, translucent": "46bd17d70943e9ac",
        "published, opaque": "97ed872f38dba38f",
        "published, translucent": "12eaaa728a4fb364",
        "restored, opaque": "c193284fc7f977fd",
        "restored, translucent": "f8e8a000df40ae85",
        "dithered, opaque": "0cd1bce4bd9a1e73",
        "dithered, translucent": "d07ea62a9579a0e4",
        "quality, opaque": "a8abbfe673f8ef66",
        "quality, translucent": "9df57a54c9ed0f63",
        "psnr, opaque": "89ff6a257039e130",
        "psnr, translucent": "ba2ee50d4dc022ee",
    }
}
"""The first letters of each file's SHA-256, by version."""
OF_TWO_CODEBOOKS = {
    (4, 2): {"two regions": "289ceced4890f039", "one of them empty": "a006e278f592e11a"}
}


@pytest.fixture(scope="module")
def picture():
    """A detail of a photograph with a gradient of alpha in its upper half."""
    image = ImageSource("coffee").load()[120:184, 200:296]
    alpha = np.full(image.shape[:2], 255, np.uint8)
    alpha[:32] = np.linspace(0, 255, 96).astype(np.uint8)
    return {"opaque": image, "translucent": np.dstack([image, alpha])}


def test_other_bytes_have_another_version(picture):
    made = {
        f"{name}, {kind}": hashlib.sha256(akm.encode(image, settings)).hexdigest()[:16]
        for name, settings in SETTINGS.items()
        for kind, image in picture.items()
    }
    known = DIGESTS.get(ENCODER_VERSION)
    assert made == known, (
        "the encoder's bytes have changed: raise ENCODER_VERSION, and hold these under it"
    )


def test_other_bytes_of_two_codebooks_have_another_version(picture):
    flat = picture["opaque"].copy()
    flat[20:] = 90  # so that all blocks are of high detail
    images = {"two regions": picture["opaque"], "one of them empty": flat}
    settings = akm.Settings.published(k1=5, k2=20)
    made = {
        name: hashlib.sha256(akm.encode(image, settings)).hexdigest()[:16]
        for name, image in images.items()
    }
    assert made == OF_TWO_CODEBOOKS.get((ENCODER_VERSION, TWO_CODEBOOKS_VERSION)), (
        "the bytes of two codebooks have changed: raise TWO_CODEBOOKS_VERSION"
    )
