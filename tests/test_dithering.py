"""Dithering: areas keep their colors, exact ones stay, hidden ones neither give nor take."""

import dataclasses
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import adaptive_kmeans as akm
from adaptive_kmeans.clustering import COLOR_SPACES
from adaptive_kmeans.dithering import BlueNoise, Diffusion, Nearest, ditherings
from adaptive_kmeans.dithering.blue_noise import NEIGHBORS
from adaptive_kmeans.dithering.mask import AREA, SIDE, blue_noise_mask
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError
from adaptive_kmeans.experiment.schema import CompressionConfig
from tests import reference_dithering

SPECS = ("diffusion", "blue-noise")


def block_means(image: np.ndarray, side: int = 16) -> np.ndarray:
    height, width = (length // side for length in image.shape[:2])
    cut = image[: height * side, : width * side].reshape(height, side, width, side, 3)
    return cut.mean(axis=(1, 3))


@pytest.fixture
def ramp() -> np.ndarray:
    """A gray ramp of all levels, (64, 512, 3)."""
    levels = np.arange(512, dtype=np.uint16) // 2
    return np.ascontiguousarray(np.broadcast_to(levels[None, :, None], (64, 512, 3)), np.uint8)


@st.composite
def starts(draw):
    """Small images, with their nearest codewords, of any number of regions and alpha."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    levels = st.sampled_from([0, 1, 60, 64, 128, 129, 200, 255])
    image = draw(arrays(np.uint8, (*shape, 3), elements=levels))
    alpha = draw(st.none() | arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 100, 255])))
    regions = draw(st.integers(1, 2))
    sizes = [draw(st.integers(1, 20)) for _ in range(regions)]
    codebooks = tuple(draw(arrays(np.uint8, (k, 3), elements=levels)) for k in sizes)
    region_of = draw(arrays(np.uint8, shape, elements=st.integers(0, regions - 1)))
    index_map = np.zeros(shape, np.uint16)
    for (y, x), region in np.ndenumerate(region_of):
        if alpha is None or alpha[y, x] > 0:
            errors = codebooks[region].astype(int) - image[y, x]
            index_map[y, x] = (errors**2).sum(axis=1).argmin()
    return Nearest(image, alpha, region_of, codebooks, index_map)


@pytest.mark.kernels
@settings(max_examples=150, deadline=None)
@given(start=starts(), strength=st.integers(1, 256))
def test_diffusion_is_as_defined(start, strength):
    expected = reference_dithering.diffusion(start, strength)
    assert np.array_equal(Diffusion(strength / 256)(start, None), expected)


@pytest.mark.kernels
@settings(max_examples=150, deadline=None)
@given(start=starts(), strength=st.integers(1, 256))
def test_blue_noise_is_as_defined(start, strength):
    mask = blue_noise_mask()
    expected = reference_dithering.blue_noise(start, strength, mask, NEIGHBORS)
    assert np.array_equal(BlueNoise(strength / 256)(start, None), expected)


@pytest.mark.kernels
def test_many_codewords_are_searched_as_defined(random):
    image = random.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    codebook = random.integers(0, 256, (500, 3), dtype=np.uint8)
    nearest = ((image[:, :, None].astype(int) - codebook) ** 2).sum(axis=3).argmin(axis=2)
    regions = np.zeros((6, 9), np.uint8)
    start = Nearest(image, None, regions, (codebook,), nearest.astype(np.uint16))
    assert np.array_equal(Diffusion()(start, None), reference_dithering.diffusion(start, 256))
    expected = reference_dithering.blue_noise(start, 256, blue_noise_mask(), NEIGHBORS)
    assert np.array_equal(BlueNoise()(start, None), expected)


def test_the_mask_is_the_same_everywhere_and_has_no_low_frequencies():
    mask = blue_noise_mask()
    assert np.array_equal(np.sort(mask, axis=None), np.arange(AREA))
    digest = hashlib.sha256(mask.astype("<u2").tobytes()).hexdigest()
    assert digest == "a364d85d01464211220d917063ebbc1f67575d80bd0b7c37be28562be827af0d"
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        spectrum = np.abs(np.fft.fft2((mask < share * AREA) - share)) ** 2
        low = frequency < 0.4 * min(share, 1 - share) ** 0.5  # below the mean distance of points
        # White noise would have the share of `low` itself.
        assert spectrum[low].sum() < 0.1 * low.mean() * spectrum.sum()


@pytest.mark.parametrize("k", [2, 3, 8])
@pytest.mark.parametrize("spec", SPECS)
def test_a_ramp_keeps_its_means(ramp, spec, k):
    plain = akm.quantize(ramp, akm.Settings.regular(k))
    dithered = akm.quantize(ramp, akm.Settings.regular(k, dither=spec))
    means = block_means(ramp)
    off = [abs(block_means(q.reconstruct()) - means).max(axis=2) for q in (plain, dithered)]
    darkest, lightest = (int(level) for level in plain.codebooks[0][[0, -1], 0])
    inside = (means[..., 0] > darkest + 16) & (means[..., 0] < lightest - 16)
    assert inside.sum() > 4 * 10
    assert off[1][inside].max() < 2.5
    assert off[1][inside].mean() < 1 < off[0][inside].mean()
    assert off[1].mean() < off[0].mean()


@pytest.mark.parametrize("chosen", [akm.Settings.regular(16), akm.Settings.published(4, 12)])
@pytest.mark.parametrize("spec", SPECS)
def test_areas_of_a_photograph_are_nearer_than_without(photo, spec, chosen):
    plain = akm.quantize(photo, chosen)
    dithered = akm.quantize(photo, dataclasses.replace(chosen, dither=spec))
    assert all(map(np.array_equal, plain.codebooks, dithered.codebooks))
    assert np.array_equal(plain.region_map, dithered.region_map)
    errors = [
        ((block_means(q.reconstruct(), 8) - block_means(photo, 8)) ** 2).mean()
        for q in (plain, dithered)
    ]
    assert errors[1] < 0.96 * errors[0]


@pytest.mark.parametrize("color_space", COLOR_SPACES)
@pytest.mark.parametrize("spec", SPECS)
def test_strength_0_changes_nothing_and_half_of_it_less_than_all(photo, spec, color_space):
    plain, none, half, whole = (
        akm.quantize(photo, akm.Settings.regular(8, color_space=color_space, dither=chosen))
        for chosen in ("none", f"{spec}:0", f"{spec}:0.5", spec)
    )
    assert np.array_equal(none.index_map, plain.index_map)
    changed = [np.count_nonzero(q.index_map != plain.index_map) for q in (half, whole)]
    assert changed[0] > 0
    if color_space == "rgb":  # others have nearest codewords of their own, errors are those of RGB
        assert changed[0] < changed[1]


@pytest.mark.parametrize("spec", SPECS)
def test_exact_colors_stay_beside_dithered_ones(ramp, spec, random):
    exact = random.choice(np.array([[0, 0, 0], [200, 10, 10], [9, 99, 9]], np.uint8), (64, 40))
    for image in (exact, np.concatenate([exact, np.full((64, 40, 3), 255, np.uint8)], axis=1)):
        data = akm.encode(image, akm.Settings.regular(4, dither=spec, coder="deflate"))
        assert np.array_equal(akm.decode(data), image)
    flat = np.where(np.arange(512)[None, :, None] < 256, ramp[:, :1], ramp)
    plain = akm.quantize(flat, akm.Settings.regular(6))
    dithered = akm.quantize(flat, akm.Settings.regular(6, dither=spec))
    assert np.array_equal(dithered.index_map[:, :256], plain.index_map[:, :256])
    assert not np.array_equal(dithered.index_map, plain.index_map)


@pytest.mark.parametrize("spec", SPECS)
def test_hidden_pixels_neither_give_nor_take(photo, spec):
    alpha = np.full(photo.shape[:2], 255, np.uint8)
    alpha[20:30, 30:60] = 0
    quantized = akm.quantize(np.dstack([photo, alpha]), akm.Settings.regular(6))
    regions = np.zeros(alpha.shape, np.uint8)
    dithering = ditherings.create(spec)
    found = []
    for color in (0, 255):
        image = photo.copy()
        image[alpha == 0] = color
        start = Nearest(image, alpha, regions, quantized.codebooks, quantized.index_map)
        found.append(dithering(start, None))
    assert np.array_equal(*found)
    assert not found[0][alpha == 0].any()
    assert not np.array_equal(found[0], quantized.index_map)


def test_errors_of_what_is_hardly_seen_do_not_disturb_what_is():
    image = np.full((1, 9, 3), 100, np.uint8)
    alpha = np.array([[1, *[255] * 8]], np.uint8)
    image[0, 0] = 20  # an error of 80 levels, of which 7 / 16 would go on
    codebook = np.array([[100, 100, 100], [110, 110, 110], [160, 160, 160]], np.uint8)
    start = Nearest(
        image, alpha, np.zeros((1, 9), np.uint8), (codebook,), np.zeros((1, 9), np.uint16)
    )
    assert not Diffusion()(start, None).any()


@pytest.mark.parametrize("spec", SPECS)
def test_dithering_does_not_depend_on_the_number_of_threads(photo, spec, monkeypatch):
    image, chosen = np.tile(photo, (3, 1, 1)), akm.Settings.published(4, 8, dither=spec)
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        found.append(akm.quantize(image, chosen).index_map)
    assert np.array_equal(*found)


@pytest.mark.parametrize("spec", SPECS)
def test_an_interrupt_ends_dithering(photo, spec):
    def stop(stage: str, _: float) -> None:
        if stage == "dithering":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        akm.encode(photo, akm.Settings.regular(4, dither=spec), progress=stop)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("noise", "expected one of blue-noise, diffusion, none"),
        ("diffusion:1.5", "a strength of 0 to 1"),
        ("blue-noise:-1", "a strength of 0 to 1"),
        ("diffusion:nan", "a strength of 0 to 1"),
        ("none:1", "no value"),
        (None, "a name"),
    ],
)
def test_unknown_ditherings_are_refused(spec, expected):
    with pytest.raises(AdaptiveKMeansError, match=expected):
        akm.Settings.regular(4, dither=spec)


@pytest.mark.parametrize("others", [{"quality": 60}, {"k1": 8, "price": 2.0}, {}])
def test_dithering_is_refused_where_codewords_are_chosen_by_bits(others):
    with pytest.raises(ConfigError, match="dither: expected plain K-means"):
        akm.Settings(**others, dither="diffusion")
    assert "plain K-means" in akm.Settings(**others).unused["dither"]
    assert "dither" not in akm.Settings.regular(4).unused


def test_configs_sweep_dithering_of_plain_kmeans_alone():
    methods = [
        {"method": "regular", "k": 4, "dither": ["none", "diffusion:0.5"]},
        {"method": "region-adaptive", "detail": "variance", "k1": 2, "k2": 4, "dither": SPECS[1]},
    ]
    config = CompressionConfig(name="few", images=["chelsea"], methods=methods)
    plain, *dithered = config.codecs()
    assert [codec.settings.dither for codec in dithered] == ["diffusion:0.5", "blue-noise"]
    assert [codec.columns["dither"] for codec in dithered] == ["diffusion:0.5", "blue-noise"]
    # What was stored before there was dithering is not measured again.
    assert "dither" not in {**plain.columns, **plain.parameters}
    with pytest.raises(ValueError, match="dither"):
        CompressionConfig(
            name="few",
            images=["chelsea"],
            methods=[{"method": "rate-distortion", "quality": 50.0, "dither": "diffusion"}],
        )
