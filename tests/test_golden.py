"""Files of format version 2, once written, decode to the same pixels for good."""

import hashlib

import numpy as np
import pytest

import adaptive_kmeans as akm
from adaptive_kmeans.container import CODER_NUMBERS, Reader, read
from tests import reference_decoder
from tests.make_golden import (
    FOLDER,
    METADATA,
    golden_path,
    made_images,
    restorations,
    with_alpha,
)

CODERS = ("fixed-length", "deflate", "context-mixing", "context-mixing:fast")
"""Coders whose payloads are settled. `python -m tests.make_golden CODER` writes another's files."""

PIXELS = {
    "pixel": "7e059d3e1bafa285b8e1f99c743f6c9d8c674a9ed0c460fc121e35aaf45feb80",
    "ramp": "7a12fe1f9af2b414b953bcab5600dd24c2349d6ecd839a4a55ed469d1ad0e77c",
    "tiles": "ff52496c9877fbeed87438bd095047a87617d2720d3bc823e7192b8667f0f219",
    "regions": "b3b81cad3f745e87f868070672b490c0a75ac2df9dc6f2b2f79b02d45321b91b",
    "bands": "03f7933d69571f865d0aa034bd781cf0de3c9d4e6a67fa41e98d18d63effbba2",
    "unused-region": "34879008687bf1ca34c1a5168a01aeab95c0730fa54c104ebadafaf76cbb331f",
}
"""SHA-256 of the size and the pixels of each image. None of these is ever changed."""

RESTORED = {
    "filter-1": "c5c6036f7e8cdd1d3108ef3a7b2946200e48f657127c1ad654888943d187f7fc",
    "filter-1+rings": "6281367fcfef6afc49702c5faa6700f8a10b2674866c54f7f691126c6fe458c7",
    "filter-3": "c0cf65a9045e4bb6b09f0358f543b46de39b958f8354e2c70d4c1912ab003156",
    "filter-3+rings": "36cf06ec4738860539ecba6b6ccfedf5f47a6205f10261bb03b2c55402141fc9",
    "filter-8": "b1515bab2847d408e96737dcc1bcfab3c8cfc809950bc8cc7bddf257996fa295",
    "filter-8+rings": "d4d9bbf2a9ff1c04d5f458407970c34d6c46a4ad382fd4e065a010f1e02f35eb",
    "correction-4": "7fe4f509cb93477dc3468ce8aee0abd8d90f19776b46353d72e14c7653ad3005",
    "correction-8": "14525f03d306eb563de688a8c31caa40612ab2b18ffd6228ed7abe395cd9790b",
    "correction-16": "73192c2a3743775defa1443bf190f84c951854f8c1f70b110babeffc8bdfe641",
    "both": "f7adbd8e39e3ce5913a395050cf039e2c71411ffdc488d3fdee918f991c395fd",
}
"""The same of the image "regions" with every form of the filter, and every correction."""

BY_QUALITY = "abd519727a83ed701444c860f06395ec47e9da06a638b726871bada4a5dfdbb1"
"""The same of the waves of `by_quality`, encoded at quality 30."""


WITH_ALPHA = "6f1f2ad6bcc05ee208b2825a71100d5226dc9d22d7b23fa00b7004b920b7cdf3"
"""The same of the image of `with_alpha`, whatever the coder."""


def test_every_settled_coder_has_a_file_of_every_image():
    expected = {golden_path(name, coder) for name in PIXELS for coder in CODERS}
    expected.add(golden_path("quality", "context-mixing"))
    expected.add(golden_path("metadata", "fixed-length"))
    expected |= {golden_path("restored", name) for name in RESTORED}
    expected |= {golden_path("alpha", coder) for coder in CODERS}
    assert set(RESTORED) == set(restorations())
    assert set(FOLDER.iterdir()) == expected
    assert {coder.partition(":")[0] for coder in CODERS} == set(CODER_NUMBERS)


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("name", PIXELS)
def test_a_golden_file_decodes_to_the_same_pixels(name, coder):
    pixels = akm.decode(golden_path(name, coder).read_bytes())
    found = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    assert found == PIXELS[name]


@pytest.mark.parametrize("name", RESTORED)
def test_a_restored_golden_file_decodes_to_the_same_pixels(name):
    data = golden_path("restored", name).read_bytes()
    pixels = akm.decode(data)
    found = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    assert found == RESTORED[name]
    assert np.array_equal(np.array(reference_decoder.decode(data)), pixels)


def test_a_golden_file_by_quality_decodes_to_the_same_pixels():
    data = golden_path("quality", "context-mixing").read_bytes()
    pixels = akm.decode(data)
    found = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    assert found == BY_QUALITY
    assert np.array_equal(np.array(reference_decoder.decode(data)), pixels)


@pytest.mark.parametrize("coder", CODERS)
def test_a_golden_file_with_alpha_decodes_to_the_same_pixels(coder):
    data = golden_path("alpha", coder).read_bytes()
    pixels = akm.decode(data)
    found = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    assert found == WITH_ALPHA
    assert np.array_equal(np.array(reference_decoder.decode(data)), pixels)
    assert np.array_equal(read(data).alpha, with_alpha()[0].alpha)


def test_a_golden_file_with_metadata_decodes_to_the_same_pixels_and_metadata():
    data = golden_path("metadata", "fixed-length").read_bytes()
    pixels = akm.decode(data)
    found = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    assert found == PIXELS["ramp"]
    assert np.array_equal(np.array(reference_decoder.decode(data)), pixels)
    assert Reader(data).metadata() == METADATA
    assert [section.payload[0] for section in Reader(data).ancillary()] == [0, 1]


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("name", PIXELS)
def test_a_golden_file_holds_the_same_parts(name, coder):
    right, _ = made_images()[name]
    quantized = read(golden_path(name, coder).read_bytes())
    assert np.array_equal(quantized.index_map, right.index_map)
    assert np.array_equal(quantized.region_map, right.region_map)
    assert all(map(np.array_equal, quantized.codebooks, right.codebooks))


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("name", PIXELS)
def test_a_decoder_written_from_the_specification_agrees(name, coder):
    data = golden_path(name, coder).read_bytes()
    assert np.array_equal(np.array(reference_decoder.decode(data)), akm.decode(data))


@pytest.mark.parametrize("coder", ["context-mixing", "context-mixing:fast"])
def test_a_region_without_pixels_costs_no_more_than_its_sections(coder, photo):
    """Most blocks are flat, so the median is 0 and all are of high detail."""
    image = np.full_like(photo[:40, :60], 90)
    image[:12] = photo[:12, :60]
    one = akm.encode(image, akm.Settings.regular(24, coder=coder))
    two = akm.encode(image, akm.Settings(k1=8, k2=24, coder=coder))
    assert Reader(two).contents.codewords == (0, 24)
    assert Reader(two).contents.index_map_bytes <= Reader(one).contents.index_map_bytes + 2
    assert np.array_equal(np.array(reference_decoder.decode(two)), akm.decode(two))


@pytest.mark.parametrize("coder", ["context-mixing", "context-mixing:fast"])
@pytest.mark.parametrize("k2", [None, 40])
def test_a_decoder_written_from_the_specification_agrees_on_a_photograph(coder, k2, photo):
    data = akm.encode(photo[:30, :40], akm.Settings(k1=24, k2=k2, coder=coder))
    assert np.array_equal(np.array(reference_decoder.decode(data)), akm.decode(data))
