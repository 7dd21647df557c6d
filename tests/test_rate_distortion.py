"""Rate–distortion quantization: fewer bits at equal error, and defined on every image."""

import dataclasses

import numpy as np
import pytest
from PIL import Image, ImageDraw

import adaptive_kmeans as akm
from adaptive_kmeans import codec, container
from adaptive_kmeans.codec import Settings, price_of_quality
from adaptive_kmeans.container import inspect
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.detail import measures
from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.kernels import kernel
from adaptive_kmeans.rate_distortion import RateDistortion, distortion, loop, proxy, search
from adaptive_kmeans.rate_distortion.detail_price import DetailPrice
from adaptive_kmeans.rate_distortion.palette import labels_of, new_palette
from adaptive_kmeans.rate_distortion.plain import LADDER
from adaptive_kmeans.rate_distortion.size import SMALLEST, Slopes
from adaptive_kmeans.restoration import Wiener
from adaptive_kmeans.threads import Workers
from tests import reference_rate_distortion as reference


def quantizer(k=16, price=40.0, **others) -> RateDistortion:
    return Settings.regular(k, price=price, tune="psnr", **others).quantizer()


def choice(image, quantized, price: float) -> search.Choice:
    """Return a choice of codewords at one price for all pixels."""
    with Workers(1) as workers:
        palette = new_palette(quantized.codebooks, 8, workers)
    labels = labels_of(quantized)
    prices = np.full(image.shape[:2], price * search.PRICE_SCALE, dtype=np.int32)
    coordinates, measure = distortion.TUNES["psnr"]
    points = coordinates(quantized.codebooks[0])
    distances = measure(coordinates(image), points, quantized.index_map)
    costs = proxy.learn(labels, palette)
    return search.Choice(image, labels, prices, distances, palette, costs)


EXTREMES = ((0, 1, "psnr"), (0, 9, "perceptual"), (100, 9, "psnr"), (100, 5, "perceptual"))


@pytest.fixture
def cat() -> np.ndarray:
    return np.ascontiguousarray(ImageSource("chelsea").load()[:200, :300])


def test_it_is_better_in_fewer_bytes(cat):
    plain = codec.encode(cat, Settings.regular(64))
    data = codec.encode(cat, Settings.regular(96, price=20.0, tune="psnr"))
    assert len(data) < 0.98 * len(plain)
    assert akm.psnr(cat, akm.decode(data)) > akm.psnr(cat, akm.decode(plain)) + 0.3


def test_a_dearer_bit_makes_a_smaller_file(photo):
    sizes, errors = [], []
    for price in (1.0, 20.0, 200.0, 2000.0):
        quantized = quantizer(price=price)(photo)
        sizes.append(len(container.write(quantized, "context-mixing:fast")))
        errors.append(((quantized.reconstruct().astype(int) - photo) ** 2).sum())
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)


def test_the_greatest_prices_do_not_overflow(random):
    image = np.full((64, 64, 3), 90, np.uint8)
    image[:8, :8] = random.choice([0, 255], (8, 8, 1))
    image[8:] += random.integers(0, 3, (56, 64, 3), dtype=np.uint8)
    small, large = (
        quantizer(price=price, detail_power=1.0, effort=2)(image) for price in (9e4, 1e6)
    )
    assert len(large.codebooks[0]) <= len(small.codebooks[0])


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (2, 2), (20, 13)])
@pytest.mark.parametrize("color", ["one", "two", "noise"])
def test_every_image_can_be_quantized(shape, color, random):
    image = np.full((*shape, 3), 77, np.uint8)
    if color == "two":
        image[::2] = 9
    elif color == "noise":
        image = random.integers(0, 256, image.shape, dtype=np.uint8)
    restored = {"price": 30.0, "restoration": "auto", "correction": "auto"}
    for settings in (
        *(Settings.regular(k, **restored) for k in (1, 2, 40)),
        Settings.published(2, 5, effort=9, tune="psnr", **restored),
        *(Settings(quality=q, effort=e, tune=t) for q, e, t in EXTREMES),
    ):
        data, expected = codec.encode_with_reconstruction(image, settings)
        assert np.array_equal(akm.decode(data), expected)


def test_only_codewords_that_are_used_remain(photo):
    quantized = quantizer(k=200, price=3000.0)(photo)
    assert set(np.unique(quantized.index_map)) == set(range(len(quantized.codebooks[0])))
    assert len(quantized.codebooks[0]) < 200


def test_the_price_rises_with_detail(photo):
    def prices(image, power):
        return DetailPrice(40.0, measures.create("variance"), power)(image)

    assert prices(photo, 0.3).shape == photo.shape[:2]
    assert np.exp(np.log(prices(photo, 0.3)).mean()) == pytest.approx(40.0)
    assert np.allclose(prices(photo, 0.0), 40.0)
    image = photo.copy()
    image[:16, :16] = 100
    assert prices(image, 0.3)[3, 3] < prices(photo, 0.3)[3, 3]


def test_plain_kmeans_is_kept_where_it_is_better(random):
    page = np.full((60, 90, 3), 255, np.uint8)
    page[10:50:3, 5:80:2] = random.integers(0, 4, (14, 38, 3), dtype=np.uint8) * 60
    for price in (1e-3, 1.0):
        chosen = Settings.regular(64, price=price)
        plain = akm.encode(page, dataclasses.replace(chosen, price=0.0))
        data = akm.encode(page, chosen)

        def cost(data, price=price):
            error = ((akm.decode(data).astype(int) - page) ** 2).sum()
            return error + price * 8 * len(data)

        assert cost(data) <= cost(plain)


@pytest.fixture(scope="module")
def window() -> np.ndarray:
    """A screen: forty ellipses with smooth edges on white; (200, 300, 3)."""
    random = np.random.default_rng(7)
    large = Image.new("RGB", (900, 600), "white")
    pen = ImageDraw.Draw(large)
    for _ in range(40):
        x, y = random.integers(0, (850, 550))
        width, height = random.integers(20, (200, 90))
        color = tuple(int(level) for level in random.integers(0, 256, 3))
        pen.ellipse((x, y, x + width, y + height), fill=color)
    return np.array(large.resize((300, 200), Image.Resampling.BOX))


@pytest.mark.parametrize("quality", [0, 25, 50, 75])
def test_no_size_of_plain_kmeans_is_better_for_a_screen(window, quality):
    """At the price of a bit, with the squared error and the bytes of files."""
    coder = "context-mixing:fast"  # which the sizes are compared with

    def cost(settings: Settings) -> float:
        data = codec.encode(window, settings)
        error = ((akm.decode(data).astype(int) - window) ** 2).sum()
        return error + 8 * price_of_quality(quality) * len(data)

    bare = {"coder": coder, "restoration": "none", "correction": "none"}
    found = cost(Settings(quality=quality, tune="psnr", effort=2, **bare))
    assert found <= min(cost(Settings.regular(k, coder=coder)) for k in LADDER[:13])


def test_a_screen_gets_better_with_quality(window):
    results = []
    for quality in (0, 25, 50, 75, 100):
        settings = Settings(quality=quality, effort=2)
        data, decoded = codec.encode_with_reconstruction(window, settings)
        results.append((len(data), akm.psnr(window, decoded)))
    sizes, psnrs = zip(*results, strict=True)
    assert list(sizes) == sorted(sizes)
    assert list(psnrs) == sorted(psnrs)


def test_a_sweep_never_raises_its_cost(photo):
    """All codewords standing, each pixel's choice can only lower the sum that it is made for."""
    chosen = choice(photo, akm.quantize(photo, Settings.regular(12)), 50)

    def total() -> int:
        colors = chosen.palette.colors[chosen.labels[2:, 2:-2], :3]
        rate = proxy.total_bits(chosen.labels, chosen.palette, chosen.costs)
        return int(256 * ((colors - photo) ** 2).sum() + 50 * rate)

    moved = np.ones((2, *photo.shape[:2]), dtype=np.uint8)
    before = total()
    with Workers(1) as workers:
        for _ in range(3):
            moved[1] = 0
            changes = search.sweep(chosen, moved, workers)
            moved[0] = moved[1]
            after = total()
            assert after <= before
            assert changes == moved[0].sum()
            before = after


def test_the_proxy_is_near_the_bits_of_the_coder(cat):
    quantized = akm.quantize(cat, Settings.regular(32))
    chosen = choice(cat, quantized, 0)
    rate = proxy.total_bits(chosen.labels, chosen.palette, chosen.costs)
    data = container.write(quantized, "context-mixing")
    coded = 8 * container.inspect(data).index_map_bytes
    assert 0.9 < rate / proxy.SCALE / coded < 1.4


@pytest.mark.kernels
def test_the_proxy_and_the_search_agree_with_their_twins(random):
    ramp = np.add.outer(np.arange(9) * 5, np.arange(11) * 9)
    image = (ramp[..., None] + random.integers(0, 60, (9, 11, 3))).astype(np.uint8)
    chosen = choice(image, akm.quantize(image, Settings.regular(7)), 2000)
    labels, palette, costs = chosen.labels, chosen.palette, chosen.costs
    expected = reference.total_bits(labels[2:, 2:-2], palette, costs)
    assert proxy.total_bits(labels, palette, costs) == expected
    after = reference.sweep(image, labels[2:, 2:-2], chosen.prices, palette, costs)
    moved = np.ones((2, *image.shape[:2]), dtype=np.uint8)
    moved[1] = 0
    with Workers(1) as workers:
        assert search.sweep(chosen, moved, workers) > 0
    assert np.array_equal(labels[2:, 2:-2], after)


@kernel
def error_of_change(around, y: int, x: int, now: int, label: int) -> int:
    """Return what a change costs, and make it."""
    seen = distortion.look(around, y, x)
    told = distortion.error_of(around, seen, y, x, now, label)
    distortion.change(around, y, x, now, label)
    return told


@pytest.mark.kernels
def test_the_closed_loop_knows_what_a_change_does(photo):
    """Its change of the squared error is that of the filter without rings, rounding aside."""
    image = photo[:40, :40]
    rough = image // 24 * 24 + 12
    with Workers(1) as workers:
        found = Wiener("3").fit(image, rough, 1.0, workers)
        restored = rough.copy()
        found.apply(restored, workers)
    colors = np.array([[0, 0, 0], [9, -4, 2]], dtype=np.int32)
    around = loop.close(image, rough, restored, found, colors)
    before = (around.errors.astype(np.float64) ** 2).sum() / 65536
    told = error_of_change(around, 20, 20, 0, 1) / 256
    after = (around.errors.astype(np.float64) ** 2).sum() / 65536
    level = image[20, 20].astype(int)
    plain = ((colors[1] - level) ** 2).sum() - (level**2).sum()
    share = loop.BLEND / 256
    assert told == pytest.approx(share * (after - before) + (1 - share) * plain, abs=8)


def test_more_effort_makes_better_files(cat):
    costs = []
    for effort in (1, 5, 7):
        settings = Settings(quality=60, tune="psnr", effort=effort)
        data, decoded = codec.encode_with_reconstruction(cat, settings)
        assert np.array_equal(akm.decode(data), decoded)
        error = ((decoded.astype(int) - cat) ** 2).sum()
        costs.append(error + settings.price * 8 * len(data))
    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize("coder", ["deflate", "fixed-length"])
def test_other_coders_have_costs_of_their_own(cat, coder):
    plain = akm.encode(cat, Settings.regular(64, coder=coder))
    chosen = akm.encode(cat, Settings.regular(64, coder=coder, price=20.0, tune="psnr"))
    if coder == "fixed-length":  # all codewords cost the same
        assert np.array_equal(akm.decode(chosen), akm.decode(plain))
    else:
        assert len(chosen) < 0.9 * len(plain)


def test_two_codebooks_can_be_chosen_from(cat):
    quantized = akm.quantize(cat, Settings(k1=8, k2=64, price=30.0))
    published = akm.quantize(cat, Settings(k1=8, k2=64))
    assert np.array_equal(quantized.region_map, published.region_map)
    assert len(quantized.codebooks[0]) <= 8
    chosen, plain = (container.write(q, "context-mixing") for q in (quantized, published))
    assert len(chosen) < 0.9 * len(plain)


def test_the_result_does_not_depend_on_the_threads(cat, monkeypatch):
    encoded = []
    for count in ("1", "2", "4"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", count)
        encoded.append(akm.encode(cat, Settings(quality=40)))
    assert encoded[0] == encoded[1] == encoded[2]


def test_quality_is_one_dial(cat):
    sizes, scores, codewords = [], [], []
    for quality in (20, 40, 60, 80):
        settings = Settings(quality=quality, coder="context-mixing:fast")
        data, expected = codec.encode_with_reconstruction(cat, settings)
        assert np.array_equal(akm.decode(data), expected)
        sizes.append(len(data))
        scores.append(akm.psnr(cat, expected))
        codewords.append(inspect(data).codewords[0])
    assert sizes == sorted(set(sizes))
    assert scores == sorted(set(scores))
    assert codewords == sorted(codewords)


def test_quality_decides_what_else_is_needed():
    settings = Settings(quality=75)
    assert (settings.restoration, settings.correction) == ("auto", "auto")
    assert settings.price == price_of_quality(75.0)
    assert settings.is_regular
    assert dataclasses.replace(settings, coder="deflate").quality == 75
    plain = Settings(quality=75, restoration="none", correction="none")
    assert (plain.restoration, plain.correction) == ("none", "none")
    assert Settings().quality == codec.DEFAULT_QUALITY
    assert Settings(k1=8).restoration == "none"


def test_a_dearer_bit_asks_for_fewer_codewords(cat):
    sizes = [Slopes(cat).codewords(price) for price in (2.0, 20.0, 200.0, 1e6)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == SMALLEST
    flat = np.full((9, 9, 3), 7, np.uint8)
    assert Slopes(flat).codewords(10.0) >= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k1": 4, "k2": None, "price": -1.0}, r"price: expected a number in 0\.\.1e\+06"),
        ({"k1": 4, "k2": None, "price": float("nan")}, "price: expected a number"),
        ({"k1": 4, "k2": None, "price": "x"}, "price: expected a number"),
        ({"quality": 101}, r"quality: expected a number in 0\.\.100, received 101"),
        ({"quality": "x"}, r"quality: expected a number in 0\.\.100"),
        ({"quality": 50, "k1": 3}, "settings: expected either quality, or codebooks and price"),
        ({"quality": 50, "price": 3.0}, "settings: expected either quality, or codebooks and"),
        ({"k1": 4, "k2": None, "detail_power": 2.0}, r"detail power: expected a number in -1\.\.1"),
    ],
)
def test_other_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Settings(**settings)
