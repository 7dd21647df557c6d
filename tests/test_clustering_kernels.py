"""Kernels against their naive twins."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from adaptive_kmeans.clustering import _histogram_kernels as histogram_kernels
from adaptive_kmeans.clustering import _swap_kernels as swap_kernels
from adaptive_kmeans.clustering import _wu_kernels as wu_kernels
from adaptive_kmeans.clustering import count_colors, histogram, pixels
from adaptive_kmeans.clustering.color_points import ColorPoints
from adaptive_kmeans.clustering.gray import best_levels
from adaptive_kmeans.clustering.initialization import cut_into_boxes
from adaptive_kmeans.clustering.swaps import swap_clusters
from adaptive_kmeans.threads import Workers
from tests.clustering_images import COMPILED, EXAMPLES, IMAGES, clustered, smooth
from tests.reference_clustering import (
    cluster_sums,
    distinct_colors,
    largest_eigenvalues,
    morton_key,
    nearest,
    ward_costs,
)

pytestmark = pytest.mark.kernels


def points_of(image):
    """Return an image's distinct colors as points in eighths."""
    color_set = count_colors(image).sets[0]
    coordinates = np.ascontiguousarray(color_set.colors.T.astype(np.float32) * 8)
    return ColorPoints(coordinates, color_set.weights, color_set.cubes, Workers(1))


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 5), st.integers(1, 7), st.just(3)),
        elements=st.sampled_from([0, 1, 3, 4, 7, 128, 254, 255]),
    ),
    st.integers(0, 2**32 - 1),
)
def test_histogram_holds_each_regions_distinct_colors(image, seed):
    regions = np.random.default_rng(seed).integers(0, 2, image.shape[:2]).astype(np.uint8)
    counted = count_colors(image, regions, 2)
    for region, color_set in enumerate(counted.sets):
        colors, weights = distinct_colors(image[regions == region])
        assert color_set.colors.tolist() == [list(color) for color in colors]
        assert color_set.weights.tolist() == weights


def test_cubes_count_the_colors_before_each_cube():
    color_set = count_colors(smooth()).sets[0]
    keys = np.array([morton_key(color) for color in color_set.colors])
    expected = np.searchsorted(keys, np.arange(0, 2**24 + 1, 64))
    assert np.array_equal(color_set.cubes, expected)


@pytest.mark.parametrize("threads", [1, 3])
def test_labels_are_mapped_back_to_pixels(monkeypatch, threads):
    monkeypatch.setattr(pixels, "_PARALLEL_BYTES", 1)
    monkeypatch.setattr(pixels, "_CHUNK_PIXELS", 200)
    image = clustered()
    with Workers(threads) as workers:
        counted = count_colors(image, None, 1, workers)
        colors = counted.sets[0].colors
        labels = np.arange(len(colors), dtype=np.uint16)
        assert np.array_equal(colors[counted.map_labels(image, None, labels, workers)], image)


def test_tables_agree_with_bitmaps():
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 3, (300, 3)).astype(np.uint8)
    regions = np.zeros(300, np.uint8)
    counted = count_colors(colors[None])
    bitmap, rank = counted._bitmap, counted._rank
    tables = np.zeros((2, 1 << 24), np.int32)
    spread = histogram._SPREAD
    histogram_kernels.count_in_table(colors[:100], regions[:100], spread, tables[0])
    histogram_kernels.count_in_table(colors[100:], regions[100:], spread, tables[1])
    marks, counts = np.zeros(4, np.uint64), np.zeros(int(rank[4]), np.int32)
    histogram_kernels.list_marks(tables[:, :256], marks)
    assert np.array_equal(marks, bitmap[:4])
    histogram_kernels.list_counts(tables[:, :256], marks, counts)
    assert np.array_equal(counts, counted.sets[0].weights)
    labels = np.arange(len(counts), dtype=np.uint16) + 7
    table, index_map = np.zeros(1 << 24, np.uint16), np.zeros(300, np.uint16)
    histogram_kernels.fill_table(marks, labels, table)
    histogram_kernels.look_up(colors, regions, spread, table, index_map)
    expected = counted.map_labels(colors[None], None, labels)
    assert np.array_equal(index_map, expected[0])


@pytest.mark.parametrize("name", IMAGES)
def test_assignment_stays_exact_while_centroids_move(name):
    points = points_of(IMAGES[name]())
    rng = np.random.default_rng(4)
    colors = points.coordinates.T
    for k in (1, 5, 40) if COMPILED else (5,):
        points.start(k)
        centroids = rng.integers(0, 2041, (k, 3)).astype(np.float32)
        for step in range(12):
            before = points.labels.copy()
            changed = points.assign(centroids)
            assert np.array_equal(points.labels, nearest(colors, centroids))
            assert changed == int((before != points.labels).sum())
            expected = cluster_sums(points.coordinates, points.weights, points.labels, k)
            assert np.array_equal(points.sums, expected)
            moving = rng.random(k) < (1.0, 0.3, 0.05)[step % 3]
            jumps = rng.integers(-90, 91, (k, 3)) * moving[:, None]
            centroids = np.clip(centroids + jumps, 0, 2040).astype(np.float32)
            if step == 6:
                order = rng.permutation(k)
                points.reorder(order)
                centroids = centroids[order]


def test_distortion_is_the_error_against_the_means():
    points = points_of(smooth())
    points.start(6).assign(points.coordinates.T[::400][:6].copy())
    error = (points.coordinates.T - points.means()[points.labels]) / 8
    expected = (error**2).sum(axis=1) @ points.weights / points.total_weight / 3
    assert points.distortion() == pytest.approx(expected, rel=1e-9)


def test_averages_of_cubes_keep_weight_and_mean():
    points = points_of(smooth())
    coarse = points.coarser()
    assert coarse.total_weight == points.total_weight
    assert coarse.weights.size == len(np.unique(points.coordinates.astype(int) // 32, axis=1).T)
    means = [p.coordinates @ p.weights / p.total_weight for p in (points, coarse)]
    assert np.allclose(*means, atol=0.5)


def test_swaps_know_the_clusters_moments():
    points = points_of(clustered())
    k = 7
    points.start(k).assign(points.coordinates.T[::120][:k].copy())
    costs, partners = np.empty(k), np.empty(k, np.int64)
    swap_kernels.cost_of_merging(points.sums, costs, partners)
    assert np.allclose(costs, ward_costs(points.sums))
    assert (partners != np.arange(k)).all()
    spreads, axes = np.empty(k), np.empty((k, 3))
    swap_kernels.spread_of_clusters(points.sums, points.scatter(), spreads, axes)
    expected = largest_eigenvalues(points.coordinates, points.weights, points.labels, k)
    assert np.allclose(spreads, expected, rtol=0.05)
    assert (spreads <= expected * (1 + 1e-9)).all()
    assert np.allclose((axes**2).sum(axis=1), 1.0)


def test_a_swap_frees_a_double_centroid_for_a_cluster_without_one():
    image = np.array([[[10, 10, 10], [12, 10, 10], [200, 0, 0], [200, 60, 0]] * 3], np.uint8)
    points = points_of(image)
    centroids = np.array([[10, 10, 10], [12, 10, 10], [200, 30, 0]], np.float32) * 8
    points.start(3).assign(centroids)
    swapped = swap_clusters(points, 1, 0.5)
    points.assign(np.rint(swapped).astype(np.float32))
    means = sorted((points.means() / 8).round(1).tolist())
    assert means == [[11.0, 10.0, 10.0], [200.0, 0.0, 0.0], [200.0, 60.0, 0.0]]


def test_wu_cuts_the_worst_box_at_the_best_place():
    coordinates = np.array([[0, 8, 800, 1600], [0, 0, 0, 0], [0, 0, 0, 0]], np.float32)
    weights = np.array([1, 1, 5, 1], np.int32)
    centroids, count = cut_into_boxes(coordinates, weights, 3)
    assert count == 3
    assert sorted(centroids[:, 0].tolist()) == [4.0, 800.0, 1600.0]
    _, count = cut_into_boxes(coordinates, weights, 4)
    assert count == 3


def test_moments_are_cumulated_along_all_axes():
    rng = np.random.default_rng(1)
    coordinates = rng.integers(0, 2041, (3, 60)).astype(np.float32)
    weights = rng.integers(1, 5, 60).astype(np.int32)
    moments = np.zeros((33, 33, 33, 5), np.int64)
    wu_kernels.bin_moments(coordinates, weights, moments)
    expected = moments.cumsum(axis=0).cumsum(axis=1).cumsum(axis=2)
    wu_kernels.cumulate(moments)
    assert np.array_equal(moments, expected)
    assert moments[-1, -1, -1, 0] == weights.sum()


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sets(st.integers(0, 255), min_size=1, max_size=7), st.integers(0, 2**32 - 1), st.data())
def test_gray_levels_are_cut_at_their_optimum(levels, seed, data):
    values = np.array(sorted(levels), np.uint8)
    weights = np.random.default_rng(seed).integers(1, 9, len(values)).astype(np.int32)
    k = data.draw(st.integers(1, len(values)))
    best = np.inf
    for cuts in combinations(range(1, len(values)), k - 1):
        error = 0.0
        for run in np.split(np.arange(len(values)), cuts):
            mean = np.average(values[run], weights=weights[run])
            error += float((weights[run] * (values[run] - mean) ** 2).sum())
        best = min(best, error)
    centroids = best_levels(values, weights, k)
    nearest_levels = centroids[nearest(values[:, None], centroids[:, None])]
    assert (weights * (values - nearest_levels) ** 2).sum() == pytest.approx(best, abs=1e-6)
