import sys

import numpy as np
import pytest

import adaptive_kmeans as akm
from adaptive_kmeans.baselines.lossless import JpegXLIndex, palette_and_indices, peers
from adaptive_kmeans.errors import ConfigError, MissingDependencyError

SPECS = ["png8-oxipng", "webp-lossless", "jpeg-xl:1", "jpeg-xl-index:1"]
LIBRARIES = {"png8-oxipng": "oxipng", "jpeg-xl": "imagecodecs", "jpeg-xl-index": "imagecodecs"}


def test_all_peers_are_tested():
    assert {spec.partition(":")[0] for spec in SPECS} == set(peers.names())


@pytest.mark.parametrize("k", [1, 2, 5, 16, 256])
@pytest.mark.parametrize("spec", SPECS)
def test_a_peer_decodes_to_the_reconstruction(spec, k, photo):
    pytest.importorskip(LIBRARIES.get(spec.partition(":")[0], "PIL"))
    quantized = akm.quantize(photo, akm.Settings.regular(k))
    peer = peers.create(spec)
    decoded = peer.decode(peer.encode(quantized))
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, quantized.reconstruct())


def test_a_file_of_indices_includes_the_codebook(photo):
    pytest.importorskip("imagecodecs")
    quantized = akm.quantize(photo, akm.Settings.regular(16))
    data = JpegXLIndex(1).encode(quantized)
    palette, _ = palette_and_indices(quantized)
    assert data[: 1 + 48] == b"\x0f" + palette.tobytes()
    assert data[49:51] == b"\xff\x0a"  # the signature of a bare JPEG XL stream


def test_palettes_are_sorted_by_luma(photo):
    quantized = akm.quantize(photo, akm.Settings.regular(32))
    palette, indices = palette_and_indices(quantized)
    luma = palette.astype(int) @ (299, 587, 114)
    assert (np.diff(luma) >= 0).all()
    assert np.array_equal(
        palette[indices], akm.quantize(photo, akm.Settings.regular(32)).reconstruct()
    )


@pytest.mark.parametrize("settings", [akm.Settings(2, 3), akm.Settings.regular(300)])
def test_images_without_a_single_palette_are_refused(settings, photo):
    with pytest.raises(ConfigError, match=r"peer: expected (an image of one|at most 256)"):
        palette_and_indices(akm.quantize(photo, settings))


@pytest.mark.parametrize("spec", ["png8-oxipng:7", "webp-lossless:9", "jpeg-xl:0", "jpeg-xl:x"])
def test_levels_out_of_range_are_refused(spec):
    with pytest.raises(ConfigError):
        peers.create(spec)


@pytest.mark.parametrize("spec", sorted(LIBRARIES))
def test_a_missing_library_names_the_extra(spec, photo, monkeypatch):
    monkeypatch.setitem(sys.modules, LIBRARIES[spec], None)
    with pytest.raises(MissingDependencyError, match=r"adaptive-kmeans\[peers\]"):
        peers.create(spec).encode(akm.quantize(photo, akm.Settings.regular(4)))
