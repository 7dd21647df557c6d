"""Codebooks and labels of images: exact, distinct, deterministic."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from adaptive_kmeans.clustering import (
    COLOR_SPACES,
    EXACT,
    INITIALIZATIONS,
    RegionColors,
    cluster_colors,
    cluster_regions,
    color_kmeans,
    color_points,
    count_colors,
    pixels,
    to_space,
)
from adaptive_kmeans.errors import ConfigError, UnknownNameError
from tests.clustering_images import (
    EXAMPLES,
    IMAGES,
    clustered,
    flat,
    only_compiled,
    smooth,
    two_colors,
    uniform,
)
from tests.reference_clustering import mean_squared_error, nearest

pytestmark = pytest.mark.kernels


TOLERANCES = {"default": color_kmeans.DEFAULT_TOLERANCE, "exact": EXACT}


def check_contract(image, codebook, labels, k):
    """Check what holds for every codebook in rgb."""
    distinct = np.unique(image.reshape(-1, 3), axis=0)
    assert codebook.dtype == np.uint8
    assert labels.dtype == np.uint16
    assert codebook.shape == (min(k, len(distinct)), 3)
    assert len(np.unique(codebook, axis=0)) == len(codebook)
    luma = codebook.astype(np.int64) @ [299, 587, 114]
    assert (np.diff(luma) >= 0).all()
    assert np.array_equal(labels.ravel(), nearest(image.reshape(-1, 3), codebook))
    assert len(np.unique(labels)) == len(codebook)
    if len(distinct) <= k:
        assert np.array_equal(codebook[labels], image.reshape(*labels.shape, 3))


@only_compiled
@pytest.mark.parametrize("mode", TOLERANCES)
@pytest.mark.parametrize("k", [1, 2, 3, 16, 70])
@pytest.mark.parametrize("name", IMAGES)
def test_labels_equal_brute_force(name, k, mode):
    image = IMAGES[name]()
    (codebook,), index_map = cluster_regions(image, None, (k,), tolerance=TOLERANCES[mode])
    check_contract(image, codebook, index_map, k)


@only_compiled
@pytest.mark.parametrize("init", INITIALIZATIONS)
def test_every_initialization_ends_in_a_full_codebook(init):
    image = clustered()
    (codebook,), index_map = cluster_regions(image, None, (40,), init=init, seed=3)
    check_contract(image, codebook, index_map, 40)


@only_compiled
def test_coarse_stage_keeps_the_contract(monkeypatch):
    monkeypatch.setattr(color_kmeans, "_COARSE_FROM", 1)
    for mode in TOLERANCES.values():
        image = smooth()
        (codebook,), index_map = cluster_regions(image, None, (20,), tolerance=mode)
        check_contract(image, codebook, index_map, 20)


@only_compiled
def test_most_codewords():
    image = uniform(80, 80)
    (codebook,), index_map = cluster_regions(image, None, (4096,))
    check_contract(image, codebook, index_map, 4096)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    image=hnp.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 9), st.just(3))),
    k=st.integers(1, 12),
)
def test_any_small_image(image, k):
    (codebook,), index_map = cluster_regions(image, None, (k,))
    check_contract(image, codebook, index_map, k)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_crowded_colors_leave_no_codeword_double(k, seed):
    rng = np.random.default_rng(seed)
    image = (100 + rng.integers(0, 4, (7, 11, 3))).astype(np.uint8)
    (codebook,), index_map = cluster_regions(image, None, (k,), tolerance=EXACT)
    check_contract(image, codebook, index_map, k)


@only_compiled
def test_regions_are_clustered_apart():
    image, regions = smooth(), np.zeros((48, 64), np.uint8)
    regions[10:30, 5:50] = 1
    codebooks, index_map = cluster_regions(image, regions, (5, 30))
    for region, k in enumerate((5, 30)):
        inside = image[regions == region][None]
        check_contract(inside, codebooks[region], index_map[regions == region][None], k)
        (alone,), _ = cluster_regions(inside, None, (k,))
        assert np.array_equal(alone, codebooks[region])


def test_empty_region_has_an_empty_codebook():
    codebooks, index_map = cluster_regions(flat(), np.ones((9, 7), np.uint8), (4, 4))
    assert codebooks[0].shape == (0, 3)
    assert codebooks[0].dtype == np.uint8
    assert codebooks[1].tolist() == [[12, 200, 3]]
    assert not index_map.any()


@only_compiled
@pytest.mark.parametrize("color_space", COLOR_SPACES)
def test_color_spaces_label_by_their_own_distance(color_space):
    image = smooth(24, 32)
    (codebook,), index_map = cluster_regions(image, None, (16,), color_space=color_space)
    assert codebook.shape == (16, 3)
    points = np.rint(to_space(image.reshape(-1, 3), color_space) * 8)
    words = np.rint(to_space(codebook, color_space) * 8)
    assert np.array_equal(index_map.ravel(), nearest(points, words))


def test_colors_that_a_space_cannot_tell_apart_share_a_codeword(monkeypatch):
    monkeypatch.setitem(COLOR_SPACES, "hsv", lambda colors: np.zeros((len(colors), 3)))
    (codebook,), index_map = cluster_regions(uniform(8, 8), None, (5,), color_space="hsv")
    assert len(codebook) == 1
    assert not index_map.any()


@only_compiled
@pytest.mark.parametrize("mode", TOLERANCES)
def test_threads_do_not_change_the_result(monkeypatch, mode):
    monkeypatch.setattr(color_points, "_PARALLEL_COLORS", 1)
    monkeypatch.setattr(pixels, "_PARALLEL_BYTES", 1)
    image = smooth(64, 80)
    results = []
    for threads in ("1", "2", "4"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        results.append(cluster_regions(image, None, (24,), tolerance=TOLERANCES[mode]))
    for codebooks, index_map in results[1:]:
        assert np.array_equal(codebooks[0], results[0][0][0])
        assert np.array_equal(index_map, results[0][1])


DIGESTS = {
    "default": "b5a8835e69891759",
    "exact": "11967fad9ab14837",
}


@only_compiled
@pytest.mark.parametrize("mode", TOLERANCES)
def test_same_bytes_on_every_machine(mode):
    (codebook,), index_map = cluster_regions(smooth(), None, (32,), tolerance=TOLERANCES[mode])
    payload = codebook.tobytes() + index_map.astype("<u2").tobytes()
    assert hashlib.sha256(payload).hexdigest()[:16] == DIGESTS[mode]


def test_read_only_and_strided_images_give_the_same():
    image = smooth()
    regions = (np.indices((48, 64)).sum(axis=0) // 40 % 2).astype(np.uint8)
    wide = np.zeros((48, 128, 4), np.uint8)
    wide[:, ::2, :3] = image
    wide.flags.writeable = False
    expected = cluster_regions(image, regions, (6, 9))
    found = cluster_regions(wide[:, ::2, :3], np.asfortranarray(regions), (6, 9))
    assert np.array_equal(expected[1], found[1])


@only_compiled
def test_gray_images_come_close_to_the_optimum():
    kmeans1d = pytest.importorskip("kmeans1d")
    rng = np.random.default_rng(5)
    levels = np.clip(rng.normal(90, 40, 4000).round(), 0, 255).astype(np.uint8)
    image = np.repeat(levels.reshape(50, 80, 1), 3, axis=2)
    for k in (2, 5, 16, 60):
        optimum = kmeans1d.cluster(levels.astype(float), k)
        centers = np.array(optimum.centroids)
        best = float(((levels - centers[optimum.clusters]) ** 2).mean())
        result = cluster_colors(count_colors(image).sets[0], k, tolerance=EXACT)
        (codebook,), index_map = cluster_regions(image, None, (k,), tolerance=EXACT)
        words = np.unique(np.rint(centers).astype(np.uint8)).repeat(3).reshape(-1, 3)
        rounded = words[nearest(image.reshape(-1, 3), words)].reshape(image.shape)
        best_rounded = float(((image.astype(float) - rounded) ** 2).mean())
        assert result.distortions[-1] <= 1.01 * best
        assert mean_squared_error(image, codebook, index_map) <= 1.01 * best_rounded


@only_compiled
def test_exact_mode_stops_when_no_label_changes():
    result = cluster_colors(count_colors(smooth()).sets[0], 24, tolerance=EXACT)
    assert result.converged
    assert result.stopped == "no label changed"
    tail = np.diff(result.distortions[-5:])
    assert (tail <= 1e-9).all()


def test_progress_reports_every_iteration():
    seen = []
    cluster_regions(smooth(), None, (8,), progress=lambda *report: seen.append(report))
    result = cluster_colors(count_colors(smooth()).sets[0], 8)
    assert [report[1] for report in seen] == list(range(1, result.iterations + 1))
    assert tuple(report[2] for report in seen) == result.distortions
    assert {report[0] for report in seen} == {0}


@only_compiled
def test_max_iterations_is_kept_and_said():
    result = cluster_colors(count_colors(smooth()).sets[0], 24, tolerance=EXACT, max_iterations=4)
    assert result.iterations == 4
    assert not result.converged
    check_contract(smooth(), *_labeled(result), 24)


def _labeled(result):
    image, color_set = smooth(), count_colors(smooth()).sets[0]
    place = {tuple(color): i for i, color in enumerate(color_set.colors.tolist())}
    index = [place[tuple(pixel)] for pixel in image.reshape(-1, 3).tolist()]
    return result.centroids, result.labels[index].reshape(image.shape[:2])


@pytest.mark.parametrize(
    "change",
    [
        {"ks": (0,)},
        {"ks": (4097,)},
        {"ks": ()},
        {"ks": (2, 2)},
        {"tolerance": -1.0},
        {"tolerance": float("nan")},
        {"max_iterations": 0},
        {"image": np.zeros((3, 3), np.uint8)},
        {"image": np.zeros((3, 3, 4), np.uint8)},
        {"image": np.zeros((3, 3, 3), np.int32)},
        {"image": np.zeros((0, 3, 3), np.uint8)},
        {"pixel_regions": np.zeros((9, 8), np.uint8)},
        {"pixel_regions": np.full((10, 11), 1, np.uint8)},
    ],
)
def test_bad_parameters_are_refused(change):
    arguments = {"image": two_colors(), "pixel_regions": None, "ks": (2,)} | change
    with pytest.raises(ConfigError, match=r"expected .* received"):
        cluster_regions(**arguments)


@pytest.mark.parametrize("change", [{"init": "kmeans"}, {"color_space": "xyz"}])
def test_unknown_names_are_refused(change):
    with pytest.raises(UnknownNameError):
        cluster_regions(two_colors(), None, (2,), **change)


def test_regions_that_are_clustered_again_have_the_codebooks_of_the_first_time(photo):
    regions = (photo[:, :, 0] > 100).astype(np.uint8)
    colors = RegionColors(photo, regions, 2)
    for ks, others in [
        ((4, 9), {}), ((5, 9), {}), ((5, 9), {}), ((5, 8), {"evenness": 0.6}), ((5, 8), {}),
        ((5, 8), {"color_space": "lab"}), ((5, 8), {"init": "random", "seed": 1}),
        ((5, 8), {"init": "random", "seed": 2}),
    ]:  # fmt: skip
        again = colors.cluster(ks, **others)
        first = cluster_regions(photo, regions, ks, **others)
        assert np.array_equal(again[1], first[1])
        for one, other in zip(again[0], first[0], strict=True):
            assert np.array_equal(one, other)
