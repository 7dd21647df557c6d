"""Contracts that every coder passes."""

import contextlib
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_kmeans.coding import coders
from adaptive_kmeans.coding.fixed_length import index_bits, pack, unpack
from adaptive_kmeans.errors import ConfigError, CorruptError, UnsupportedVersionError
from tests import reference

NAMES = coders.names()
every_coder = pytest.mark.parametrize("coder", [coders.create(name) for name in NAMES], ids=NAMES)


@st.composite
def coded_parts(draw):
    """Regions, codebooks and indices that fit together: empty and single codebooks included."""
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    ks = draw(
        st.lists(st.sampled_from([0, 1, 2, 3, 16, 17, 256, 257, 4096]), min_size=1, max_size=3)
    )
    ks[draw(st.integers(0, len(ks) - 1))] += 1 if max(ks) == 0 else 0
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    used = [region for region, k in enumerate(ks) if k]
    regions = random.choice(np.array(used, dtype=np.uint8), (height, width))
    index_map = random.integers(0, np.array(ks)[regions]).astype(np.uint16)
    codebooks = tuple(random.integers(0, 256, (k, 3), dtype=np.uint8) for k in ks)
    return regions, codebooks, index_map


@every_coder
@given(parts=coded_parts())
@settings(max_examples=60, deadline=None)
def test_what_is_coded_is_decoded(coder, parts):
    regions, codebooks, index_map = parts
    payload = coder.encode_region_map(regions, len(codebooks))
    decoded = coder.decode_region_map(payload, regions.shape, len(codebooks))
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, regions)
    for codebook in codebooks:
        payload = coder.encode_codebook(codebook)
        assert np.array_equal(coder.decode_codebook(payload, len(codebook)), codebook)
    index_coder = coder.index_coder(codebooks)
    decoded = index_coder.decode(index_coder.encode(index_map, regions), regions)
    assert decoded.dtype == np.uint16
    assert np.array_equal(decoded, index_map)


@every_coder
@given(parts=coded_parts(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_wrong_payload_gives_an_error_or_indices_inside_the_codebooks(coder, parts, data):
    regions, codebooks, index_map = parts
    index_coder = coder.index_coder(codebooks)
    payload = bytearray(index_coder.encode(index_map, regions))
    for _ in range(data.draw(st.integers(1, 3))):
        if payload and data.draw(st.booleans()):
            payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
        else:
            payload = bytearray(data.draw(st.binary(max_size=len(payload) + 2)))
    try:
        decoded = index_coder.decode(bytes(payload), regions)
    except CorruptError:
        return
    sizes = np.array([len(codebook) for codebook in codebooks])
    assert decoded.shape == regions.shape
    assert (decoded < sizes[regions]).all()


@every_coder
def test_a_payload_of_another_length_is_refused_or_means_something_else(coder, random):
    codebook = random.integers(0, 256, (16, 3), dtype=np.uint8)
    regions = random.integers(0, 2, (9, 9), dtype=np.uint8)
    index_map = random.integers(0, 16, (9, 9)).astype(np.uint16)
    index_coder = coder.index_coder((codebook, codebook))
    payloads = {
        coder.encode_codebook(codebook): lambda p: coder.decode_codebook(p, 16),
        coder.encode_region_map(regions, 2): lambda p: coder.decode_region_map(p, (9, 9), 2),
        index_coder.encode(index_map, regions): lambda p: index_coder.decode(p, regions),
    }
    for payload, decode in payloads.items():
        right = decode(payload)
        with pytest.raises(CorruptError):
            decode(payload + b"\0")
        for wrong in (payload[:-1], b""):
            # The beginning of an arithmetic code may be the code of something else.
            with contextlib.suppress(CorruptError):
                assert not np.array_equal(decode(wrong), right)


@given(values=st.lists(st.integers(0, 4095), max_size=50), extra=st.integers(0, 3000))
def test_packing_is_bit_by_bit(values, extra):
    k = min(max(values, default=0) + 1 + extra, 4096)
    array = np.array(values, dtype=np.uint16)
    assert pack(array, k) == reference.packed(values, index_bits(k))
    assert unpack(pack(array, k), len(values), k).tolist() == values


def test_an_index_of_k_or_more_and_bits_after_the_end_are_refused():
    with pytest.raises(CorruptError, match="values below 3, received 3"):
        unpack(b"\xc0", 1, 3)
    with pytest.raises(CorruptError, match="zero bits after the last index"):
        unpack(b"\x41", 1, 3)


def test_deflate_levels_have_a_range():
    with pytest.raises(ConfigError, match=r"0\.\.9, received 12"):
        coders.create("deflate:12")


def test_a_deflated_bomb_is_not_inflated():
    coder = coders.create("deflate").index_coder((np.zeros((2, 3), np.uint8),))
    bomb = coder.encode(np.zeros((4000, 4000), np.uint16), np.zeros((4000, 4000), np.uint8))
    with pytest.raises(CorruptError, match="a zlib stream of 4 bytes, received a longer one"):
        coder.decode(bomb, np.zeros((2, 2), np.uint8))


@every_coder
def test_a_file_states_a_model_and_decoders_refuse_unknown_ones(coder):
    assert 1 <= coder.model <= 255
    assert type(coder).of_model(coder.model).model == coder.model
    for model in (0, 99):
        with pytest.raises(UnsupportedVersionError, match=f"{model}: the file was made by a newer"):
            type(coder).of_model(model)


@pytest.mark.parametrize("size", [1, 2**18 - 1, 2**18, 2**18 + 5])
def test_long_index_maps_are_inflated_in_pieces(size):
    coder = coders.create("deflate").index_coder((np.zeros((300, 3), np.uint8),))
    index_map = (np.arange(size, dtype=np.uint32) * 7919 % 300).astype(np.uint16)[None]
    regions = np.zeros((1, size), np.uint8)
    payload = coder.encode(index_map, regions)
    assert np.array_equal(coder.decode(payload, regions), index_map)
    for wrong in (payload + b"!", payload[:-1], b"", zlib.compress(bytes(2 * size - 1))):
        with pytest.raises(CorruptError):
            coder.decode(wrong, regions)
