"""Transparency: what comes back, what costs nothing, and what counts."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import adaptive_kmeans as akm
from adaptive_kmeans import alpha as alphas
from adaptive_kmeans import container
from adaptive_kmeans.baselines.checked import Baseline
from adaptive_kmeans.clustering import count_colors
from adaptive_kmeans.codec import encode_with_reconstruction
from adaptive_kmeans.container import Section
from adaptive_kmeans.datasets import find_images
from adaptive_kmeans.errors import (
    ConfigError,
    CorruptError,
    FormatError,
    LimitError,
    TranslucentError,
)
from adaptive_kmeans.limits import RESTRICTIVE, Limits
from adaptive_kmeans.rate_distortion import distortion, proxy, search
from adaptive_kmeans.rate_distortion.palette import labels_of, new_palette
from adaptive_kmeans.restoration import squared_error
from adaptive_kmeans.restoration.correction import block_means
from adaptive_kmeans.threads import Workers
from tests import reference_decoder
from tests.fuzzing import join, split

CODERS = ("fixed-length", "deflate", "context-mixing", "context-mixing:fast")
QUICK = akm.Settings(quality=40, effort=2)
SETTINGS = [
    QUICK,
    akm.Settings(quality=60, effort=6, tune="psnr"),
    akm.Settings(quality=40, effort=2, coder="deflate"),
    akm.Settings.regular(12),
    akm.Settings.published(6, 20, restoration="wiener:8", correction="auto"),
]


@pytest.fixture(scope="module")
def glass(photo) -> np.ndarray:
    """A photograph behind a disk with a soft edge: a quarter of it is hidden."""
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]]
    radius = np.hypot(rows - 30, columns - 40)
    return np.dstack([photo, np.clip((38 - radius) * 20, 0, 255).astype(np.uint8)])


@pytest.mark.parametrize("chosen", SETTINGS, ids=str)
def test_alpha_comes_back_bit_for_bit_and_hidden_pixels_are_black(glass, chosen):
    data, reconstruction = encode_with_reconstruction(glass, chosen)
    decoded = akm.decode(data, limits=RESTRICTIVE)
    assert np.array_equal(decoded, reconstruction)
    assert np.array_equal(decoded[..., 3], glass[..., 3])
    assert not decoded[glass[..., 3] == 0].any()
    assert akm.psnr(glass, decoded) > 24


@pytest.mark.parametrize("chosen", SETTINGS, ids=str)
def test_colors_that_nobody_sees_do_not_change_the_file(glass, chosen, random):
    other = glass.copy()
    hidden = glass[..., 3] == 0
    other[hidden, :3] = random.integers(0, 256, (np.count_nonzero(hidden), 3))
    assert akm.encode(other, chosen) == akm.encode(glass, chosen)


@pytest.mark.parametrize("chosen", [QUICK, akm.Settings.published(4, 9)], ids=str)
def test_an_opaque_alpha_channel_is_not_coded(photo, chosen):
    opaque = np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)])
    assert akm.encode(opaque, chosen) == akm.encode(photo, chosen)


@pytest.mark.parametrize("chosen", SETTINGS, ids=str)
def test_an_image_that_nobody_sees_is_a_file(photo, chosen):
    decoded = akm.decode(akm.encode(np.dstack([photo, np.zeros_like(photo[..., 0])]), chosen))
    assert decoded.shape == (*photo.shape[:2], 4)
    assert not decoded.any()


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
        lambda shape: arrays(np.uint8, (*shape, 4), elements=st.sampled_from([0, 1, 90, 254, 255]))
    ),
    st.sampled_from(CODERS),
    st.sampled_from([None, 3]),
)
def test_few_colors_with_any_alpha_are_lossless(image, coder, k2):
    decoded = akm.decode(akm.encode(image, akm.Settings(k1=81, k2=k2, block_size=2, coder=coder)))
    right = image.copy()
    right[image[..., 3] == 0] = 0
    if k2 is None:
        right = right if (image[..., 3] < 255).any() else right[..., :3]
        assert np.array_equal(decoded, right)
    else:
        assert np.array_equal(decoded[..., 3:], right[..., 3 : decoded.shape[2]])


@pytest.mark.parametrize("coder", CODERS)
def test_bands_and_a_decoder_written_from_the_specification_agree(glass, coder):
    quantized = akm.quantize(glass[:33, 20:50], akm.Settings.published(5, 11))
    data = container.write(quantized, coder, band_height=8)
    assert np.array_equal(akm.decode(data), quantized.reconstruct())
    assert np.array_equal(np.array(reference_decoder.decode(data)), quantized.reconstruct())
    again = container.read(data)
    for name in ("alpha", "index_map", "region_map"):
        assert np.array_equal(getattr(again, name), getattr(quantized, name))
    contents = container.inspect(data)
    assert contents.alpha_levels == len(np.unique(quantized.alpha))
    assert contents.file_bytes == len(data)


def test_a_restored_file_and_a_decoder_written_from_the_specification_agree(glass):
    data = akm.encode(glass[10:40, :30], akm.Settings.regular(6, restoration="wiener:8+rings"))
    assert container.inspect(data).filter_bytes
    assert np.array_equal(np.array(reference_decoder.decode(data)), akm.decode(data))


def test_the_same_bytes_at_any_thread_count(glass, monkeypatch):
    files = set()
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        files |= {akm.encode(np.tile(glass, (3, 1, 1)), SETTINGS[1])}
    assert len(files) == 1


def test_a_codebook_is_of_what_is_seen(photo):
    """Two colors for a half that is nearly invisible, and one for a half that is seen."""
    image = np.zeros((20, 40, 4), np.uint8)
    image[:, :20] = (200, 0, 0, 3)
    image[:, 10:20, 1] = 160
    image[:, 20:] = (10, 20, 30, 255)
    image[:, 30:, 2] = 60
    [codebook] = akm.quantize(image, akm.Settings.regular(3)).codebooks
    seen = {(10, 20, 30), (10, 20, 60)}
    assert seen < {tuple(color) for color in codebook.tolist()}


def test_restoration_is_fitted_to_what_is_seen(glass):
    """What is hidden makes a filter no worse: the visible pixels gain."""
    plain = akm.Settings.regular(8)
    restored = akm.Settings.regular(8, restoration="auto", correction="auto")
    before, after = (akm.decode(akm.encode(glass, chosen)) for chosen in (plain, restored))
    assert akm.psnr(glass, after) > akm.psnr(glass, before) + 0.3


def test_opaque_pixels_cost_what_they_cost_without_alpha(photo, random):
    """The distortion of an image with alpha is that of an image without, where alpha is 255."""
    quantized = akm.quantize(photo, akm.Settings.regular(16))
    labels = labels_of(quantized)
    with Workers(1) as workers:
        palette = new_palette(quantized.codebooks, 8, workers)
        found = []
        for alpha in (None, np.full(photo.shape[:2], 255, np.uint8)):
            coordinates, distances = distortion.TUNES["perceptual"]
            targets = coordinates(photo)
            points = coordinates(quantized.codebooks[0])
            chosen = search.Choice(
                photo,
                labels.copy(),
                np.full(photo.shape[:2], 400, np.int32),
                distances(targets, points, labels[2:, 2:-2], alpha),
                palette,
                proxy.learn(labels, palette),
            )
            moved = np.ones((2, *photo.shape[:2]), np.uint8)
            assert search.sweep(chosen, moved, workers) > 100
            found.append(chosen.labels)
    assert np.array_equal(*found)


@pytest.mark.parametrize("tune", ["perceptual", "psnr"])
def test_a_sweep_lowers_the_seen_distortion_plus_bits(glass, tune):
    quantized = akm.quantize(glass, akm.Settings.regular(16))
    colors = np.ascontiguousarray(glass[..., :3])
    labels = labels_of(quantized)
    coordinates, distances = distortion.TUNES[tune]
    points = coordinates(quantized.codebooks[0])
    with Workers(1) as workers:
        palette = new_palette(quantized.codebooks, 8, workers)
        costs = proxy.learn(labels, palette)
        price = 20
        chosen = search.Choice(
            colors,
            labels.copy(),
            np.full(colors.shape[:2], price * search.PRICE_SCALE, np.int32),
            distances(coordinates(colors), points, labels[2:, 2:-2], quantized.alpha),
            palette,
            costs,
        )
        search.sweep(chosen, np.ones((2, *colors.shape[:2]), np.uint8), workers)

    def cost(labels: np.ndarray) -> float:
        """What the image costs, by the definition: no kernel of the search takes part."""
        index_map = np.where(labels[2:, 2:-2] < 0, 0, labels[2:, 2:-2]).astype(np.uint16)
        image = dataclasses.replace(quantized, index_map=index_map)
        bits = proxy.total_bits(labels, palette, costs) / proxy.SCALE
        seen = distortion.total(tune, colors, image.reconstruct_colors(), image.alpha)
        return seen + price * bits

    assert cost(chosen.labels) < 0.98 * cost(labels)
    assert np.array_equal(chosen.labels < 0, labels < 0)


def test_colors_count_by_the_weights_of_their_pixels(random):
    image = random.integers(0, 3, (20, 30, 3), dtype=np.uint8)
    weights = random.integers(0, 257, (20, 30))
    found = count_colors(image, pixel_weights=weights).sets[0]
    for color, weight in zip(found.colors, found.weights, strict=True):
        assert weight == max(1, weights[(image == color).all(axis=2)].sum())
    many = count_colors(image, pixel_weights=weights << 30).sets[0]
    assert 2**27 <= many.weights.sum(dtype=np.int64) < 2**28


def test_a_correction_is_the_mean_of_what_is_seen(random):
    original = np.full((16, 16, 3), 100, np.uint8)
    image = original - np.uint8(8)
    alpha = np.full((16, 16), 255, np.uint8)
    alpha[:, 12:] = 0
    image[:, 12:] = 220
    means = block_means(original, image, 16, alpha)
    assert np.allclose(means[0, 0], [8, 0, 0], atol=1e-3)


def test_the_squared_error_is_weighted_by_what_is_seen(glass, random):
    other = random.integers(0, 256, (*glass.shape[:2], 3), dtype=np.uint8)
    share = (glass[..., 3:].astype(float) / 255) ** 2
    expected = (share * (glass[..., :3].astype(float) - other) ** 2).sum()
    found = squared_error(np.ascontiguousarray(glass[..., :3]), other, glass[..., 3])
    assert found == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("metric", [akm.psnr, akm.ssim, akm.ciede2000])
def test_metrics_with_alpha_are_the_worse_of_black_and_white(glass, metric):
    decoded = akm.decode(akm.encode(glass, akm.Settings.regular(8)))
    decoded[..., 3] &= 0xE0
    values = [
        metric(alphas.flatten(glass, color), alphas.flatten(decoded, color))
        for color in ((0, 0, 0), (255, 255, 255))
    ]
    assert metric(glass, decoded) == (max if metric is akm.ciede2000 else min)(values)
    assert values[0] != values[1]


def test_hidden_pixels_stand_for_their_neighbors():
    colors = np.arange(6 * 5, dtype=np.uint8).reshape(6, 5, 1).repeat(3, axis=2)
    alpha = np.zeros((6, 5), np.uint8)
    alpha[2, [0, 4]] = alpha[4, 2] = 9
    alphas.fill_hidden(colors, alpha)
    assert colors[:, :, 0].tolist() == [
        [10, 10, 10, 14, 14],
        [10, 10, 10, 14, 14],
        [10, 10, 10, 14, 14],
        [10, 10, 10, 14, 14],
        [22, 22, 22, 22, 22],
        [22, 22, 22, 22, 22],
    ]


@pytest.mark.parametrize("count", [2, 3, 8])
def test_fewer_levels_of_alpha_are_a_setting(glass, count):
    lossless = akm.encode(glass, akm.Settings.regular(4))
    data = akm.encode(glass, akm.Settings.regular(4, alpha_levels=count))
    alpha = akm.decode(data)[..., 3]
    assert len(np.unique(alpha)) == container.inspect(data).alpha_levels == count
    assert np.array_equal(alpha[glass[..., 3] == 255], glass[..., 3][glass[..., 3] == 255])
    assert not alpha[glass[..., 3] == 0].any()
    assert len(data) < len(lossless)
    for wrong in (1, 257, 2.5):
        with pytest.raises(ConfigError, match="alpha levels: expected an integer in 2"):
            akm.Settings(alpha_levels=wrong)


def test_a_nearly_opaque_image_keeps_its_alpha_in_a_palette(photo):
    pytest.importorskip("libimagequant")
    gray = np.repeat(photo[..., :1], 3, axis=-1)
    for colors in (photo, gray, photo[:4, :6]):  # small files are smaller without a palette
        image = np.dstack([colors, np.full(colors.shape[:2], 255, dtype=np.uint8)])
        image[3, 5, 3] = 254
        for k in (2, 8, 256):
            _, decoded = Baseline.create(f"libimagequant:{k}").encode_with_reconstruction(image)
            assert decoded.shape == image.shape


def test_baselines_with_alpha_keep_it_and_others_refuse_it(glass):
    pytest.importorskip("libimagequant")
    for spec in ("png", "webp-lossless", "webp:80", "kmeans-webp:8", "libimagequant:64"):
        decoded = Baseline.create(spec).decode(Baseline.create(spec).encode(glass))
        assert decoded.shape == glass.shape
        assert akm.psnr(glass, decoded) > 22
    for spec in ("jpeg", "octree:8", "png8:8", "npz:8"):
        with pytest.raises(
            TranslucentError, match=f"image for baseline {spec}: expected an opaque"
        ):
            Baseline.create(spec).encode(glass)


def test_kmeans_by_webp_is_the_quantized_image(glass):
    decoded = Baseline.create("kmeans-webp:8").decode(
        Baseline.create("kmeans-webp:8").encode(glass)
    )
    seen = glass[..., 3] > 0
    right = akm.quantize(glass, akm.Settings.regular(8)).reconstruct()
    assert np.array_equal(decoded[seen], right[seen])


def test_the_transparency_set_is_made_from_bundled_images():
    sources = find_images(["transparency-set"])
    assert {source.set_name for source in sources} == {"transparency-set"}
    for source in sources:
        image = source.load()
        assert image.shape[2] == 4
        assert len(np.unique(image[..., 3])) > 50
        assert source.load("white").shape[2] == 3
    assert find_images(["disk"])[0].load().shape == (256, 256, 4)


@pytest.mark.parametrize(
    "levels",
    [b"\x05\x05", b"\x07\x05", bytes(32), b"\xff" * 32, b"\x80" + bytes(31), bytes(33)],
    ids=["twice", "falling", "none", "all", "few", "long"],
)
def test_other_levels_of_alpha_are_refused(glass, levels):
    data = akm.encode(glass, akm.Settings.regular(4))
    sections = [Section("A", levels) if s.type == "A" else s for s in split(data)]
    with pytest.raises(CorruptError, match="alpha levels: expected"):
        container.inspect(join(sections))


@pytest.mark.parametrize("kind", "AT")
def test_alpha_levels_and_maps_come_together(glass, kind):
    data = akm.encode(glass, akm.Settings.regular(4))
    with pytest.raises(FormatError, match="expected"):
        akm.decode(join([section for section in split(data) if section.type != kind]))
    with pytest.raises(ConfigError, match="section type"):
        container.with_sections(data, [Section(kind, b"")])


def test_the_memory_of_alpha_is_counted(glass):
    data = akm.encode(glass, akm.Settings.regular(4, coder="fixed-length"))
    opaque = akm.encode(glass[..., :3], akm.Settings.regular(4, coder="fixed-length"))

    def needed(data: bytes) -> int:
        low, high = 1, 2**30
        while low < high:
            middle = (low + high) // 2
            try:
                akm.decode(data, limits=Limits(memory_bytes=middle))
                high = middle
            except LimitError:
                low = middle + 1
        return low

    pixels = glass.shape[0] * glass.shape[1]
    assert needed(data) - needed(opaque) >= 5 * pixels
