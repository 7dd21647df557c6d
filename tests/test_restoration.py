"""Restoration: the filter and the correction, against their specification and on hostile files."""

import csv
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest

import adaptive_kmeans as akm
from adaptive_kmeans import codec, container, restoration
from adaptive_kmeans.coding.context_mixing.range_coder import decoder
from adaptive_kmeans.container import Section, inspect
from adaptive_kmeans.errors import ConfigError, CorruptError, LimitError, UnknownNameError
from adaptive_kmeans.limits import Limits
from adaptive_kmeans.restoration import correction, fit, integers, wiener
from adaptive_kmeans.restoration.correction import Correction
from adaptive_kmeans.restoration.default import DEFAULT
from adaptive_kmeans.restoration.price import price_of_bit
from adaptive_kmeans.restoration.wiener import BY_DEFAULT, FORMS, OFF, OWN, Filter, Form
from adaptive_kmeans.threads import Workers
from tests import reference_restoration
from tests.fuzzing import restoration_sections, with_field

RESTORED = {"restoration": "auto", "correction": "auto"}
SHAPES = [(1, 1), (1, 40), (40, 1), (2, 3), (30, 45), (70, 20), (6, 530)]
"""Sizes of images: smaller than the filter's reach, and beyond the seams of its tiles."""


@pytest.fixture
def workers():
    with Workers(1) as pool:
        yield pool


def some_filter(form: Form, random: np.random.Generator, largest: int = 40) -> Filter:
    states = random.integers(0, 3, form.classes)
    states[int(random.integers(form.classes))] = OWN
    shape = (int((states == OWN).sum()), form.inputs, 3)
    differences = random.integers(-largest, largest + 1, shape).astype(np.int32)
    return Filter(form, tuple(map(int, states)), differences)


def as_rows(image: np.ndarray) -> list[list[tuple[int, ...]]]:
    return [[tuple(pixel) for pixel in row] for row in image.tolist()]


@pytest.mark.kernels
@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (9, 14), (40, 3)])
def test_a_filter_written_from_the_specification_agrees(form, shape, random, workers):
    image = random.integers(0, 256, (*shape, 3), dtype=np.uint8)
    image[: shape[0] // 2] //= 16  # quiet classes too
    found = some_filter(form, random)
    expected = reference_restoration.restore_filter(as_rows(image), found.to_bytes())
    found.apply(image, workers)
    assert as_rows(image) == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_seams_of_tiles_do_not_show(shape, random, workers):
    image = (random.integers(0, 64, (*shape, 3)) * 4).astype(np.uint8)
    found = some_filter(Form(8, rings=True), random)
    expected = reference_restoration.restore_filter(as_rows(image), found.to_bytes())
    with Workers(3) as several:
        also = image.copy()
        found.apply(also, several)
    found.apply(image, workers)
    assert as_rows(image) == expected
    assert np.array_equal(also, image)


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_coefficients_do_not_overflow(sign, workers):
    form = Form(1, rings=True)
    differences = (sign * wiener.LARGEST - form.default).astype(np.int32)
    found = Filter(form, (OWN,), differences)
    assert np.array_equal(found.coefficients(), np.full((1, 27, 3), sign * wiener.LARGEST))
    rows, columns = np.mgrid[:40, :40]
    image = np.where((rows + columns) % 2, 255, 0).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    expected = reference_restoration.restore_filter(as_rows(image), found.to_bytes())
    found.apply(image, workers)
    assert as_rows(image) == expected


@pytest.mark.kernels
@pytest.mark.parametrize("block", correction.BLOCKS)
@pytest.mark.parametrize("shape", [(1, 1), (17, 5), (3, 40)])
def test_a_correction_written_from_the_specification_agrees(block, shape, random, workers):
    image = random.integers(0, 256, (*shape, 3), dtype=np.uint8)
    blocks = (-(-shape[0] // block), -(-shape[1] // block), 3)
    values = random.integers(-40, 41, blocks).astype(np.int32)
    found = Correction(block, 9, values)
    expected = reference_restoration.restore_correction(as_rows(image), found.to_bytes())
    found.apply(image, workers)
    assert as_rows(image) == expected


def test_strips_of_a_correction_do_not_show(random, workers):
    image = random.integers(0, 256, (150, 11, 3), dtype=np.uint8)
    values = random.integers(-300, 301, (19, 2, 3)).astype(np.int32)
    found = Correction(8, 13, values)
    expected = reference_restoration.restore_correction(as_rows(image), found.to_bytes())
    with Workers(3) as several:
        also = image.copy()
        found.apply(also, several)
    found.apply(image, workers)
    assert as_rows(image) == expected
    assert np.array_equal(also, image)


@pytest.mark.parametrize("block", correction.BLOCKS)
def test_columns_of_a_correction_do_not_show(block, random, workers, monkeypatch):
    monkeypatch.setattr(correction, "STRIP_WIDTH", 10)
    image = random.integers(0, 256, (20, 75, 3), dtype=np.uint8)
    blocks = (-(-20 // block), -(-75 // block), 3)
    found = Correction(block, 13, random.integers(-300, 301, blocks).astype(np.int32))
    expected = reference_restoration.restore_correction(as_rows(image), found.to_bytes())
    found.apply(image, workers)
    assert as_rows(image) == expected


def test_decoding_stops_within_a_row_that_the_payload_does_not_fill():
    values = np.full((1, 5000, 3), 9, np.int32)
    counters = np.zeros(integers.COUNTERS, dtype=np.uint32)
    integers.code_values(decoder(b"\x55" * 9), values, np.int64(0), counters)
    assert (values[0, -1] == 9).all()


@pytest.mark.kernels
@pytest.mark.parametrize("one_set", [False, True])
@pytest.mark.parametrize("shape", [(0, 4, 3), (1, 1, 1), (5, 7, 3), (8, 18, 3), (3, 2, 4)])
def test_values_come_back(shape, one_set, random):
    for largest in (0, 1, 30, 4095):
        values = random.integers(-largest, largest + 1, shape).astype(np.int32)
        payload = integers.encode(values, one_set=one_set)
        found = integers.decode(payload, shape, "values", one_set=one_set)
        assert np.array_equal(found, values)
        assert reference_restoration.decode_values(payload, *shape, one_set) == values.tolist()
        with pytest.raises(CorruptError, match="values: expected"):
            integers.decode(payload + b"\1", shape, "values", one_set=one_set)


def test_payloads_of_filters_come_back(random):
    for form in FORMS:
        found = dataclasses.replace(some_filter(form, random), gain_db=1.25)
        again = Filter.from_bytes(found.to_bytes())
        assert (again.form, again.states, again.gain_db) == (form, found.states, 1.25)
        assert np.array_equal(again.differences, found.differences)
    off = Filter(Form(3, rings=False), (OFF, BY_DEFAULT, OFF), np.zeros((0, 18, 3), np.int32))
    again = Filter.from_bytes(off.to_bytes())
    assert np.array_equal(again.coefficients()[1], DEFAULT[3, :18])
    assert not again.coefficients()[[0, 2]].any()


DIFFERENCES = (np.arange(54, dtype=np.int32) * 29 % 41 - 20).reshape(1, 18, 3)
GOOD_FILTER = Filter(Form(3, rings=False), (OWN, OFF, OFF), DIFFERENCES)
LARGE_FILTER = Filter(Form(1, rings=False), (OWN,), np.full((1, 18, 3), 700, np.int32))


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "filter: expected at least 4 bytes, received 0"),
        (b"\3\0\1\0", r"form of the filter: expected one of \[0, 4, 1, 5, 2, 6\], received 3"),
        (b"\0\0\0\0", "filter: expected states of 1 classes, not all of them off, received 0000"),
        (b"\0\0\3\0", "filter: expected states of 1 classes, not all of them off, received 0003"),
        (b"\1\0\1\1", "filter: expected states of 3 classes, not all of them off, received 0101"),
        (GOOD_FILTER.to_bytes() + b"\1", "filter: expected the values that it should have"),
        (GOOD_FILTER.to_bytes()[:-3], "filter: expected the values that it should have"),
        (LARGE_FILTER.to_bytes(), r"filter: expected coefficients within ±512, received"),
    ],
)
def test_a_filter_that_cannot_be_right_is_refused_before_decoding(payload, message):
    data = akm.encode(np.zeros((20, 20, 3), np.uint8), akm.Settings.regular(2))
    damaged = container.with_sections(data, [Section("F", payload)])
    with pytest.raises(CorruptError, match=message):
        akm.decode(damaged)
    assert akm.decode(damaged, restored=False).shape == (20, 20, 3)


GOOD_CORRECTION = Correction(8, 3, np.ones((3, 3, 3), np.int32)).to_bytes()


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"\4\1", "correction: expected at least 3 bytes, received 2"),
        (b"\5\1\0", r"correction: expected blocks of \(4, 8, 16\) pixels .* received 5 and 1"),
        (b"\4\0\0", "correction: expected blocks of .* and a step of 1..255, received 4 and 0"),
        (GOOD_CORRECTION + b"\1", "correction: expected the values that it should have"),
        (GOOD_CORRECTION[:-2], "correction: expected the values that it should have"),
        (
            Correction(8, 200, np.full((3, 3, 3), -30, np.int32)).to_bytes(),
            "correction: expected values times the step within ±4095, received 6000",
        ),
    ],
)
def test_a_correction_that_cannot_be_right_is_refused(payload, message):
    data = akm.encode(np.zeros((20, 20, 3), np.uint8), akm.Settings.regular(2))
    with pytest.raises(CorruptError, match=message):
        akm.decode(container.with_sections(data, [Section("B", payload)]))


def test_a_correction_over_the_memory_limit_is_refused_before_decoding(monkeypatch):
    data = akm.encode(np.zeros((20, 20, 3), np.uint8), akm.Settings.regular(2))
    data = container.with_sections(data, [Section("B", GOOD_CORRECTION)])
    for field, value in (("width", 2**27), ("height", 1), ("band height", 4)):
        data = with_field(data, field, value)
    monkeypatch.setattr(integers, "decode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(LimitError, match="decoding: expected at most"):
        akm.decode(data)
    reader = container.Reader.peek(io.BytesIO(data), Limits(memory_bytes=10**8))
    with pytest.raises(LimitError, match=r"correction: expected at most .* received 201,326,592"):
        codec.read_restoration(reader)


def test_a_file_has_one_filter_and_one_correction(random):
    data = akm.encode(np.zeros((20, 20, 3), np.uint8), akm.Settings.regular(2))
    sections = restoration_sections((20, 20), random)
    for section in sections:
        with pytest.raises(ConfigError, match=r"sections: expected one .* received several"):
            container.with_sections(data, [section, section])
    whole = container.with_sections(data, sections)
    assert container.with_sections(data, sections[::-1]) == whole
    assert container.Reader(whole).payloads("F") == [sections[0].payload]


@pytest.mark.parametrize("coder", ["context-mixing", "context-mixing:fast", "deflate"])
@pytest.mark.parametrize("k2", [None, 30])
def test_a_restored_file_decodes_to_what_the_encoder_says(coder, k2, photo):
    settings = akm.Settings(k1=8, k2=k2, coder=coder, **RESTORED)
    data, expected = codec.encode_with_reconstruction(photo, settings)
    contents = inspect(data)
    assert contents.filter_bytes or contents.correction_bytes
    assert np.array_equal(akm.decode(data), expected)
    plain = dataclasses.replace(settings, restoration="none", correction="none")
    without, indexed = codec.encode_with_reconstruction(photo, plain)
    assert np.array_equal(akm.decode(data, restored=False), indexed)
    assert akm.psnr(photo, expected) > akm.psnr(photo, indexed) + 0.5
    sizes = contents.filter_bytes, contents.correction_bytes
    assert len(data) - len(without) == sum(9 + size for size in sizes if size)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 1), (3, 3), (20, 11)])
@pytest.mark.parametrize("color", ["one", "noise"])
def test_small_and_flat_images_are_legal(shape, color, random):
    image = np.full((*shape, 3), 77, np.uint8)
    if color == "noise":
        image = random.integers(0, 256, image.shape, dtype=np.uint8)
    for form in ("auto", "wiener", "wiener:1", "wiener:3+rings"):
        settings = akm.Settings.regular(k=3, restoration=form, correction="auto")
        data, expected = codec.encode_with_reconstruction(image, settings)
        assert np.array_equal(akm.decode(data), expected)


def test_lossless_files_are_not_restored(random):
    image = random.integers(0, 2, (30, 30, 3), dtype=np.uint8) * 255
    data = akm.encode(image, akm.Settings.regular(k=8, **RESTORED))
    assert data == akm.encode(image, akm.Settings.regular(k=8))


def test_files_with_few_colors_keep_them(random):
    """A page of text on white at half its colors: what is lost is not what a filter gives back."""
    page = np.full((90, 120, 3), 255, np.uint8)
    page[10:80:6, 5:110:3] = random.integers(0, 40, (12, 35, 3), dtype=np.uint8)
    data = akm.encode(page, akm.Settings.regular(k=64, **RESTORED))
    assert inspect(data).filter_bytes == 0


def test_a_form_that_is_asked_for_is_used(photo):
    for form in FORMS:
        settings = akm.Settings.regular(k=16, restoration=f"wiener:{form}")
        data = akm.encode(photo, settings)
        _, found = codec.read_restoration(container.Reader(data))
        assert found is not None
        assert found.form == form
        gain = akm.psnr(photo, akm.decode(data)) - akm.psnr(photo, akm.decode(data, restored=False))
        assert found.gain_db == pytest.approx(gain, abs=0.03)


def test_the_predicted_error_of_a_filter_is_its_error(photo, workers):
    image = akm.quantize(photo, akm.Settings.regular(k=16)).reconstruct()
    total = fit.sums(photo, image, workers)
    for form in FORMS:
        found, predicted = fit.fit(total, form, price=50.0)
        restored = image.copy()
        found.apply(restored, workers)
        # rounding to levels adds a twelfth of a level squared
        rounding = image.size / 12
        assert restoration.squared_error(photo, restored) == pytest.approx(
            predicted + rounding, rel=0.01
        )


def test_sums_do_not_depend_on_threads(photo):
    large = np.tile(photo, (2, 8, 1))
    image = akm.quantize(large, akm.Settings.regular(k=16)).reconstruct()
    with Workers(1) as one, Workers(3) as three:
        assert np.array_equal(fit.sums(large, image, one), fit.sums(large, image, three))


def test_a_dearer_bit_makes_a_smaller_filter(photo, workers):
    image = akm.quantize(photo, akm.Settings.regular(k=16)).reconstruct()
    total = fit.sums(photo, image, workers)
    sizes = []
    for price in (0.0, 100.0, 1000.0, 1e9):
        found, _ = fit.fit(total, Form(8, rings=True), price)
        sizes.append(len(found.to_bytes()) if found is not None else 0)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 2


def test_a_bit_is_worth_more_on_few_colors(photo):
    quantized = akm.quantize(photo, akm.Settings.regular(k=16))
    cheap = price_of_bit(1000.0, quantized, 9000.0)
    assert price_of_bit(1000.0, quantized, 900.0) == pytest.approx(10 * cheap)
    assert price_of_bit(0, quantized, 9000.0) == 0.0
    one = akm.quantize(photo, akm.Settings.regular(k=1))
    assert price_of_bit(1000.0, one, 0.0) == 0.0


def test_the_default_coefficients_are_those_of_the_results():
    path = Path(__file__).parents[1] / "results" / "filter_training" / "table.csv"
    rows = csv.DictReader(path.read_text().splitlines())
    trained = np.array([int(row["coefficient"]) for row in rows]).reshape(8, 27, 3)
    assert np.array_equal(trained, DEFAULT)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"restoration": "weiner"}, UnknownNameError, "did you mean|wiener"),
        ({"restoration": "wiener:5"}, UnknownNameError, "form of the filter"),
        ({"restoration": 8}, ConfigError, "restoration: expected a name, received 8"),
        ({"correction": "yes"}, UnknownNameError, "correction"),
    ],
)
def test_other_settings_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        akm.Settings(**settings)
