"""What a user of the context-mixing coder can rely on."""

import contextlib
import os
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adaptive_kmeans as akm
from adaptive_kmeans.coding.context_mixing import ContextMixing
from adaptive_kmeans.coding.context_mixing.codeword_tree import build_tree
from adaptive_kmeans.coding.context_mixing.mixer import LIMIT, SQUASH, STRETCH
from adaptive_kmeans.coding.context_mixing.range_coder import (
    code,
    decoder,
    encoder,
    is_canonical_end,
    meter,
    written,
)
from adaptive_kmeans.errors import ConfigError, CorruptError, LimitError
from adaptive_kmeans.luma import luma_order
from tests.clustering_images import COMPILED, EXAMPLES, only_compiled

pytestmark = pytest.mark.kernels

CODER = ContextMixing()


def encode(index_map, regions, codebooks):
    return CODER.index_coder(codebooks).encode(index_map, regions)


def decode(payload, regions, codebooks):
    return CODER.index_coder(codebooks).decode(payload, regions)


SIDE = 40 if COMPILED else 9


def sample(seed, shape, sizes, noise=0.3):
    """A smooth map with noise, its regions and codebooks."""
    rng = np.random.default_rng(seed)
    codebooks = tuple(rng.integers(0, 256, (k, 3), dtype=np.uint8) for k in sizes)
    used = np.flatnonzero(np.array(sizes) > 0)
    blocks = rng.choice(used, (shape[0] // 4 + 1, shape[1] // 4 + 1)).astype(np.uint8)
    regions = np.kron(blocks, np.ones((4, 4), np.uint8))[: shape[0], : shape[1]]
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    wave = rows // 3 + columns // 5 + (rng.random(shape) < noise) * rng.integers(0, 99, shape)
    index_map = (wave % np.maximum(np.array(sizes), 1)[regions]).astype(np.uint16)
    return index_map, np.ascontiguousarray(regions), codebooks


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, SIDE), st.integers(1, SIDE)),
    st.lists(st.sampled_from([0, 1, 2, 3, 5, 16, 33, 256]), min_size=1, max_size=4),
    st.sampled_from([0.0, 0.1, 1.0]),
)
def test_index_maps_come_back(seed, shape, sizes, noise):
    if max(sizes) == 0:
        sizes = [*sizes, 2]
    index_map, regions, codebooks = sample(seed, shape, sizes, noise)
    payload = encode(index_map, regions, codebooks)
    decoded = decode(payload, regions, codebooks)
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, index_map)


@only_compiled
@pytest.mark.parametrize("sizes", [(4096,), (4096, 4095), (2,) * 200])
def test_largest_codebooks_come_back(sizes):
    index_map, regions, codebooks = sample(1, (40, 50), sizes, 1.0)
    payload = encode(index_map, regions, codebooks)
    np.testing.assert_array_equal(decode(payload, regions, codebooks), index_map)


def test_duplicate_codewords_stay_distinct():
    codebook = np.zeros((7, 3), np.uint8)
    index_map = (np.arange(60).reshape(6, 10) % 7).astype(np.uint16)
    regions = np.zeros((6, 10), np.uint8)
    payload = encode(index_map, regions, (codebook,))
    np.testing.assert_array_equal(decode(payload, regions, (codebook,)), index_map)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1), (7, 9)])
def test_one_codeword_costs_nothing(shape):
    regions = np.zeros(shape, np.uint8)
    codebook = np.array([[1, 2, 3]], np.uint8)
    payload = encode(regions.astype(np.uint16), regions, (codebook,))
    assert payload == b""
    assert decode(payload, regions, (codebook,)).shape == shape


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32 - 1), st.tuples(st.integers(1, SIDE), st.integers(1, SIDE)),
       st.integers(1, 256))  # fmt: skip
def test_region_maps_come_back(seed, shape, n_regions):
    rng = np.random.default_rng(seed)
    region_map = rng.integers(0, n_regions, shape, dtype=np.uint8)
    payload = CODER.encode_region_map(region_map, n_regions)
    decoded = CODER.decode_region_map(payload, shape, n_regions)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, region_map)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 300), st.integers(0, 255))
def test_codebooks_come_back_in_any_order(seed, k, width):
    rng = np.random.default_rng(seed)
    codebook = rng.integers(0, width + 1, (k, 3), dtype=np.uint8)
    for order in (np.arange(k), luma_order(codebook)):
        payload = CODER.encode_codebook(codebook[order])
        assert len(payload) <= 3 * k
        np.testing.assert_array_equal(CODER.decode_codebook(payload, k), codebook[order])


def test_a_sorted_codebook_costs_less_than_one_whose_order_means_something():
    steps = np.random.default_rng(0).integers(-9, 10, (256, 3)).cumsum(axis=0)
    codebook = np.clip(128 + steps, 0, 255).astype(np.uint8)
    codebook = codebook[luma_order(codebook)]
    swapped = codebook[[1, 0, *range(2, 256)]]
    assert len(CODER.encode_codebook(codebook)) < 0.9 * len(CODER.encode_codebook(swapped))


@only_compiled
def test_regions_are_context():
    index_map, regions, codebooks = sample(3, (96, 96), (4, 64), 0.1)
    aware = encode(index_map, regions, codebooks)
    joint = np.where(regions == 0, index_map, index_map + 4).astype(np.uint16)
    blind = encode(joint, np.zeros_like(regions), (np.concatenate(codebooks),))
    assert len(aware) < len(blind)


@only_compiled
def test_what_is_accepted_is_what_an_encoder_writes():
    index_map, regions, codebooks = sample(5, (20, 24), (6, 40))
    payload = encode(index_map, regions, codebooks)
    accepted = 0
    for damaged in [*(payload[:n] for n in range(len(payload))), payload + b"\0", payload + b"x"]:
        try:
            decoded = decode(damaged, regions, codebooks)
        except CorruptError:
            continue
        accepted += 1
        assert not np.array_equal(decoded, index_map)
        assert encode(decoded, regions, codebooks) == damaged
    assert accepted < 9


@only_compiled
@settings(max_examples=4 * EXAMPLES, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([(1,), (2,), (5, 0), (3, 300)]))
def test_any_bytes_decode_in_range_or_are_refused(payload, sizes):
    _, regions, codebooks = sample(2, (13, 17), sizes)
    try:
        decoded = decode(payload, regions, codebooks)
    except CorruptError:
        return
    assert decoded.shape == regions.shape
    assert np.all(decoded < np.array(sizes)[regions])


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 40))
def test_any_bytes_are_a_codebook_or_refused(payload, k):
    with contextlib.suppress(CorruptError):
        assert CODER.decode_codebook(payload, k).shape == (k, 3)


@only_compiled
def test_decoding_ends_with_the_payload_however_large_the_image():
    index_map, _, codebooks = sample(4, (20, 20), (16,))
    payload = encode(index_map, np.zeros((20, 20), np.uint8), codebooks)
    start = time.process_time()
    with pytest.raises(CorruptError):
        decode(payload, np.zeros((4000, 5000), np.uint8), codebooks)
    assert time.process_time() - start < 10  # a minute, if all pixels were decoded


def test_wrong_arguments_are_refused():
    regions = np.zeros((4, 4), np.uint8)
    two = np.array([[0, 0, 0], [9, 9, 9]], np.uint8)
    none = np.zeros((0, 3), np.uint8)
    with pytest.raises(ConfigError, match="index map"):
        encode(np.full((4, 4), 2, np.uint16), regions, (two,))
    with pytest.raises(ConfigError, match="pixel regions"):
        encode(np.zeros((4, 5), np.uint16), regions, (two,))
    with pytest.raises(ConfigError, match="pixel regions"):
        encode(np.zeros((4, 4), np.uint16), regions + 1, (two,))
    with pytest.raises(CorruptError, match="codeword"):
        decode(b"", regions, (none,))
    with pytest.raises(CorruptError, match="codeword"):
        decode(b"", regions + 1, (two,))
    with pytest.raises(LimitError, match="4097"):
        decode(b"", regions, (np.zeros((4097, 3), np.uint8),))
    with pytest.raises(LimitError, match="codebooks"):
        decode(b"", regions, (two,) * 257)


def test_range_coder_and_meter_agree_with_the_entropy():
    rng = np.random.default_rng(0)
    chances = rng.integers(1, 65536, 20000)
    bits = (rng.integers(0, 65536, 20000) < chances).astype(np.int64)
    sink, cost = encoder(10000), meter()
    for bit, chance in zip(bits, chances, strict=True):
        code(sink, bit, chance)
        code(cost, bit, chance)
    payload = written(sink)
    share = np.where(bits == 1, chances, 65536 - chances) / 65536
    entropy = -np.log2(share).sum()
    assert 8 * len(payload) < entropy * 1.0005 + 16
    assert abs(cost.cost[0] / 65536 - entropy) < 1
    source = decoder(payload)
    assert [code(source, 0, chance) for chance in chances] == bits.tolist()
    assert is_canonical_end(source)


@only_compiled
@pytest.mark.parametrize("profile", ["strongest", "fast"])
@pytest.mark.parametrize("sizes", [(16,), (256,), (5, 120)])
def test_prices_asked_for_add_up_to_the_payload(profile, sizes):
    index_map, regions, codebooks = sample(7, (150, 170), sizes, 0.2)
    coder = ContextMixing(profile).index_coder(codebooks)
    costs = coder.costs(index_map, regions)
    assert costs.min() >= 0
    assert abs(costs.sum() / 8 - len(coder.encode(index_map, regions))) <= 1


@only_compiled
@pytest.mark.parametrize("profile", ["strongest", "fast"])
def test_prices_of_photographs_and_screens_add_up(profile, shared_images):
    for name, settings_ in (
        ("kodak/kodim23.png", akm.Settings.regular(64)),
        ("kodak/kodim05.png", akm.Settings(k1=16, k2=64)),
        ("screens/graph.png", akm.Settings.regular(32)),
    ):
        quantized = akm.quantize(akm.load(shared_images / name), settings_)
        coder = ContextMixing(profile).index_coder(quantized.codebooks)
        maps = quantized.index_map, quantized.pixel_regions
        assert abs(coder.costs(*maps).sum() / 8 - len(coder.encode(*maps))) <= 1


def test_tables_are_logistic():
    x = np.arange(-LIMIT, LIMIT + 1)
    exact = 65536 / (1 + np.exp(-x / 256))
    assert np.max(np.abs(SQUASH - exact)) <= 1.0
    assert SQUASH.min() > 0
    assert SQUASH.max() < 65536
    p = (np.arange(4096) + 0.5) / 4096
    assert np.max(np.abs(STRETCH - 256 * np.log(p / (1 - p)))[8:-8]) < 3


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 300), st.integers(0, 255))
def test_tree_holds_every_codeword_once(seed, k, width):
    codebook = np.random.default_rng(seed).integers(0, width + 1, (k, 3), dtype=np.uint8)
    tree = build_tree(codebook)
    assert sorted(tree.order.tolist()) == list(range(k))
    leaves, pending = [], [(0, k, tree.root)]
    while pending:
        lo, hi, node = pending.pop()
        if hi - lo == 1:
            leaves.append(lo)
            continue
        assert lo < node < hi
        pending += [(lo, node, tree.left[node]), (node, hi, tree.right[node])]
    assert sorted(leaves) == list(range(k))


def golden():
    """Checksum of the payloads of a few small maps."""
    total = 0
    for seed, sizes in enumerate([(2,), (16,), (3, 70), (1, 0, 9)]):
        index_map, regions, codebooks = sample(seed, (11, 13), sizes)
        payload = encode(index_map, regions, codebooks)
        np.testing.assert_array_equal(decode(payload, regions, codebooks), index_map)
        total = zlib.crc32(payload + CODER.encode_codebook(codebooks[0]), total)
    return total


@only_compiled
def test_same_bytes_with_the_compiler_off():
    code = "from tests import test_context_mixing as t; print(t.golden())"
    environment = {
        **os.environ,
        "NUMBA_DISABLE_JIT": "1",
        "PYTHONWARNINGS": "error::RuntimeWarning",
    }
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(run.stdout) == golden()


def test_the_memory_of_thin_maps_has_their_margins():
    square, tall, wide = (
        CODER.decoding_memory(shape, (2,)) for shape in ((1024, 1024), (2**20, 1), (1, 2**20))
    )
    assert tall > square + 30 * 2**20
    assert wide > square + 10 * 2**20
