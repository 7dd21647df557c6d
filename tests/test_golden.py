"""Files of format version 2, once written, decode to the same pixels for good."""

import hashlib

import numpy as np
import pytest

import adaptive_kmeans as akm
from adaptive_kmeans.container import CODER_NUMBERS, read
from tests import reference_decoder
from tests.make_golden import FOLDER, golden_path, made_images

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


def test_every_settled_coder_has_a_file_of_every_image():
    expected = {golden_path(name, coder) for name in PIXELS for coder in CODERS}
    assert set(FOLDER.iterdir()) == expected
    assert {coder.partition(":")[0] for coder in CODERS} == set(CODER_NUMBERS)


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("name", PIXELS)
def test_a_golden_file_decodes_to_the_same_pixels(name, coder):
    pixels = akm.decode(golden_path(name, coder).read_bytes())
    found = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    assert found == PIXELS[name]


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
@pytest.mark.parametrize("k2", [None, 40])
def test_a_decoder_written_from_the_specification_agrees_on_a_photograph(coder, k2, photo):
    data = akm.encode(photo[:30, :40], akm.Settings(k1=24, k2=k2, coder=coder))
    assert np.array_equal(np.array(reference_decoder.decode(data)), akm.decode(data))
