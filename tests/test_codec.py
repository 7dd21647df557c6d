import inspect
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import adaptive_kmeans as akm
from adaptive_kmeans import container
from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.clustering import cluster_regions
from adaptive_kmeans.coding import coders
from adaptive_kmeans.detail import measures
from adaptive_kmeans.errors import ConfigError, ImageError, LimitError, UnknownNameError
from adaptive_kmeans.quantize import Quantized

CODERS = coders.names()
shapes = st.tuples(st.integers(1, 23), st.integers(1, 23), st.just(3))
colors = st.one_of(st.integers(0, 255), st.sampled_from([0, 255]))
images = st.one_of(
    arrays(np.uint8, shapes, elements=colors),
    arrays(np.uint8, shapes, elements=st.integers(0, 255), fill=st.just(77)),
    st.builds(lambda shape, value: np.full(shape, value, np.uint8), shapes, st.integers(0, 255)),
)
ks = st.one_of(st.integers(1, 9), st.sampled_from([16, 256, 4096]))


@given(
    image=images,
    k1=ks,
    k2=st.one_of(st.none(), ks),
    detail=st.sampled_from(measures.names()),
    threshold=st.sampled_from(["median", "mean", "otsu", "quantile:0.9"]),
    block_size=st.integers(1, 30),
    coder=st.sampled_from(CODERS),
)
@settings(max_examples=150, deadline=None)
def test_decoding_gives_what_was_quantized(image, k1, k2, detail, threshold, block_size, coder):
    chosen = akm.Settings(k1, k2, detail, threshold, block_size, coder)
    quantized = akm.quantize(image, chosen)
    assert np.array_equal(akm.decode(akm.encode(image, chosen)), quantized.reconstruct())
    for codebook, k in zip(quantized.codebooks, chosen.ks, strict=True):
        assert len(codebook) <= k
        assert len(np.unique(codebook, axis=0)) == len(codebook)


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("k2", [None, 24])
def test_a_photograph_survives_and_every_pixel_takes_its_closest_codeword(photo, coder, k2):
    chosen = akm.Settings(k1=12, k2=k2, coder=coder)
    quantized = akm.quantize(photo, chosen)
    decoded = akm.decode(akm.encode(photo, chosen))
    assert np.array_equal(decoded, quantized.reconstruct())
    assert [len(codebook) for codebook in quantized.codebooks] == list(chosen.ks)
    for region, codebook in enumerate(quantized.codebooks):
        members = quantized.pixel_regions == region
        distances = ((photo[members][:, None].astype(int) - codebook) ** 2).sum(axis=-1)
        assert np.array_equal(quantized.index_map[members], distances.argmin(axis=1))


@pytest.mark.parametrize("coder", CODERS)
def test_no_more_colors_than_codewords_is_lossless(coder, random):
    palette = random.integers(0, 256, (20, 3), dtype=np.uint8)
    image = palette[random.integers(0, 20, (30, 34))]
    for chosen in (akm.Settings.regular(20, coder=coder), akm.Settings(20, 200, coder=coder)):
        assert np.array_equal(akm.decode(akm.encode(image, chosen)), image)


def test_the_size_of_a_fixed_length_file_is_arithmetic(photo):
    height, width = photo.shape[:2]
    data = akm.encode(photo, akm.Settings.regular(16, coder="fixed-length"))
    contents = container.inspect(data)
    assert contents.index_map_bytes == -(-height * width * 4 // 8)
    assert contents.codebook_bytes == 16 * 3
    assert contents.region_map_bytes == 0
    assert contents.header_bytes == len(data) - height * width // 2 - 1 - 48 == 60

    chosen = akm.Settings(k1=5, k2=33, coder="fixed-length", block_size=4)
    contents = container.inspect(akm.encode(photo, chosen))
    counts = np.bincount(akm.quantize(photo, chosen).pixel_regions.ravel())
    assert contents.index_map_bytes == -(-counts[0] * 3 // 8) - (-counts[1] * 6 // 8)
    assert contents.codebook_bytes == (5 + 33) * 3
    assert contents.region_map_bytes == -(-(16 * 21) // 8)
    assert contents.header_bytes == 80


def test_sixteen_colors_without_regions_are_about_six_to_one(random):
    image = random.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    data = akm.encode(image, akm.Settings.regular(16, coder="fixed-length"))
    assert image.size / len(data) == pytest.approx(6, rel=0.01)


def test_a_flat_image_has_an_empty_region():
    image = np.full((9, 9, 3), 50, dtype=np.uint8)
    settings = akm.Settings.published(8, 16)
    quantized = akm.quantize(image, settings)
    assert [len(codebook) for codebook in quantized.codebooks] == [0, 1]
    for chosen in (settings, akm.Settings()):
        assert np.array_equal(akm.decode(akm.encode(image, chosen)), image)


def test_large_images_have_bands(random):
    image = np.zeros((3100, 2100, 3), dtype=np.uint8)
    image[::7, ::5] = 255
    data = akm.encode(image, akm.Settings(k1=2, k2=4, detail="variance"))
    assert container.inspect(data).bands == 2
    assert np.array_equal(akm.decode(data), image)


def test_regular_kmeans_is_the_region_adaptive_method_with_one_region(photo):
    quantized = akm.quantize(photo, akm.Settings.regular(8))
    assert len(quantized.codebooks) == 1
    assert not quantized.region_map.any()


def test_the_same_settings_give_the_same_bytes_at_any_thread_count(photo, tmp_path):
    np.save(tmp_path / "image.npy", photo)
    code = (
        "import sys, numpy as np, adaptive_kmeans as akm;"
        "sys.stdout.buffer.write(akm.encode(np.load('image.npy'), akm.Settings(k1=16, k2=40)))"
    )
    files = []
    for threads in ("1", "2", "4"):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads}
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, check=True, capture_output=True
        )
        files.append(done.stdout)
    assert files[0] == files[1] == files[2] == akm.encode(photo, akm.Settings(k1=16, k2=40))


def test_progress_is_told_by_stage(photo):
    told = []
    data = akm.encode(photo, progress=lambda stage, share: told.append((stage, share)))
    akm.decode(data, progress=lambda stage, share: told.append((stage, share)))
    assert [stage for stage, share in told if share == 1.0] == [
        "clustering",
        "choosing codewords",
        "coding",
        "decoding",
    ]
    assert all(0 <= share <= 1 for _, share in told)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"k1": 0, "k2": 9}, ConfigError, r"k1: expected an integer in 1\.\.4096, received 0"),
        (
            {"k1": 9, "k2": 4097},
            ConfigError,
            r"k2: expected an integer in 1\.\.4096, received 4097",
        ),
        ({"k1": 2.5}, ConfigError, "received 2.5"),
        ({"k1": True}, ConfigError, "received True"),
        ({"block_size": 257}, ConfigError, r"block size: expected an integer in 1\.\.256"),
        ({"seed": -1}, ConfigError, "seed"),
        ({"detail": "eigenvalu"}, UnknownNameError, "did you mean eigenvalue"),
        ({"threshold": "medium"}, UnknownNameError, "did you mean median"),
        (
            {"coder": "zip"},
            UnknownNameError,
            "coder: expected one of context-mixing, deflate",
        ),
        ({"color_space": "xyz"}, UnknownNameError, "color space: expected one of .*rgb"),
        ({"init": "kmeans++"}, UnknownNameError, r"did you mean k-means\+\+"),
        ({"tolerance": 1}, ConfigError, "tolerance: expected a number from 0 to below 1"),
        ({"tolerance": "0.1"}, ConfigError, "tolerance"),
        ({"tolerance": float("nan")}, ConfigError, "received nan"),
        ({"k1": "16"}, ConfigError, "k: expected an integer"),
        ({"k1": np.float64(16)}, ConfigError, "k: expected an integer"),
        ({"k2": 9}, ConfigError, "k1: expected as well as k2, received none"),
        ({"effort": 0}, ConfigError, r"effort: expected an integer in 1\.\.9, received 0"),
        ({"effort": 10}, ConfigError, r"effort: expected an integer in 1\.\.9, received 10"),
        ({"tune": "ssim"}, UnknownNameError, "tune: expected one of perceptual, psnr"),
        ({"k1": 9, "k2": [1]}, ConfigError, "k2: expected an integer"),
        ({"detail": None}, ConfigError, "detail measure: expected a name, received None"),
        ({"threshold": 3}, ConfigError, "threshold: expected a name"),
        ({"coder": b"deflate"}, ConfigError, "coder: expected a name"),
        ({"color_space": []}, ConfigError, "color space: expected a name"),
    ],
)
def test_wrong_settings_are_refused_at_once(wrong, error, message):
    with pytest.raises(error, match=message):
        akm.Settings(**wrong)


def test_one_codebook_size_is_called_k():
    with pytest.raises(ConfigError, match=r"^k: expected an integer in 1\.\.4096, received 9999"):
        akm.Settings.regular(9999)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((4, 4, 3), np.float64),
        np.zeros((0, 4, 3), np.uint8),
        [[1, 2, 3]],
    ],
    ids=["gray", "five channels", "float", "empty", "list"],
)
def test_other_arrays_are_refused(wrong):
    with pytest.raises(ImageError, match="image: expected"):
        akm.encode(wrong)


def test_an_image_over_the_limit_is_refused_before_any_work():
    large = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (2**14, 2**14, 3))
    for call in (akm.quantize, akm.encode):
        with pytest.raises(LimitError, match="at most 134,217,728 pixels, received 16384×16384"):
            call(large)


def test_integers_and_numbers_of_numpy_are_taken(photo):
    chosen = akm.Settings(
        k1=np.int64(6),
        k2=np.uint16(12),
        block_size=np.int8(4),
        seed=np.uint32(1),
        tolerance=np.float32(0.25),
    )
    plain = akm.Settings(6, 12, block_size=4, seed=1, tolerance=0.25)
    assert chosen == plain
    assert [type(n) for n in (chosen.k1, chosen.k2, chosen.block_size, chosen.seed)] == [int] * 4
    assert type(chosen.tolerance) is float
    assert akm.encode(photo, chosen) == akm.encode(photo, plain)


def test_initialization_and_exact_mode_are_settings(photo):
    def error(**others):
        image = akm.quantize(photo, akm.Settings.regular(24, **others)).reconstruct()
        return ((image.astype(int) - photo) ** 2).mean()

    assert error(tolerance=0.0) <= error() <= error(tolerance=0.5)
    assert len({error(init=name) for name in ("wu", "maximin", "random")}) == 3


def test_defaults_of_settings_are_those_of_the_clustering():
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(cluster_regions).parameters.items()
    }
    for name in ("init", "tolerance", "color_space", "seed"):
        assert getattr(akm.Settings, name) == defaults[name]


@pytest.mark.parametrize("wrong", ["settings", 3, {}, akm.Settings])
def test_other_settings_are_refused(photo, wrong):
    for call in (akm.quantize, akm.encode):
        with pytest.raises(ConfigError, match="settings: expected a Settings, received"):
            call(photo, wrong)


@pytest.mark.parametrize("wrong", ["restrictive", None, 3])
def test_other_limits_are_refused(photo, wrong):
    data = akm.encode(photo, akm.Settings(6, 12, coder="deflate"))
    with pytest.raises(ConfigError, match="limits: expected a Limits, received"):
        akm.decode(data, limits=wrong)


def test_views_and_read_only_arrays_are_taken(photo):
    turned = photo[::-1, ::2].transpose(1, 0, 2)
    turned.flags.writeable = False
    chosen = akm.Settings.regular(8)
    assert akm.encode(turned, chosen) == akm.encode(np.ascontiguousarray(turned), chosen)


def test_parts_that_do_not_fit_make_no_quantized_image():
    grid, codebooks = BlockGrid(2, 2, 2), (np.zeros((2, 3), np.uint8),)
    regions, indices = np.zeros((1, 1), np.uint8), np.zeros((2, 2), np.uint16)
    Quantized(grid, regions, codebooks, indices)
    for wrong in (
        (grid, np.zeros((2, 2), np.uint8), codebooks, indices),
        (grid, regions, codebooks, indices.astype(np.int64)),
        (grid, regions, (), indices),
        (grid, regions + np.uint8(1), codebooks, indices),
        (grid, regions, codebooks, indices + np.uint16(2)),
        (grid, regions, (np.zeros((4097, 3), np.uint8),), indices),
        (grid, regions, [np.zeros((2, 3), np.uint8)], indices),
        (grid, regions, ([[1, 2, 3]],), indices),
        (grid, [[0]], codebooks, indices),
        (None, regions, codebooks, indices),
    ):
        with pytest.raises(ConfigError):
            Quantized(*wrong)
