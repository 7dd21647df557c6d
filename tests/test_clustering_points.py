"""The classic steps for points in any dimension, color spaces and the elbow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_kmeans.clustering import (
    COLOR_SPACES,
    INITIALIZATIONS,
    assign_points,
    compute_centroids,
    elbow,
    initialize,
    kmeans,
    to_space,
)
from adaptive_kmeans.errors import ConfigError, UnknownNameError
from tests.clustering_images import EXAMPLES
from tests.reference_clustering import nearest

pytestmark = pytest.mark.kernels


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_points_go_to_their_closest_centroid(n, d, k, seed):
    rng = np.random.default_rng(seed)
    points, centroids = rng.normal(size=(n, d)), rng.normal(size=(k, d))
    labels, distances = assign_points(points, centroids)
    assert np.array_equal(labels, nearest(points, centroids))
    assert np.allclose(distances, ((points - centroids[labels]) ** 2).sum(axis=1))


def test_centroids_are_weighted_means():
    rng = np.random.default_rng(0)
    points, labels, weights = rng.random((50, 4)), rng.integers(0, 3, 50), rng.random(50)
    centroids, totals = compute_centroids(points, labels, 4, weights)
    for k in range(3):
        expected = np.average(points[labels == k], axis=0, weights=weights[labels == k])
        assert np.allclose(centroids[k], expected)
    assert np.isnan(centroids[3]).all()
    assert totals[3] == 0.0


@pytest.mark.parametrize("init", INITIALIZATIONS)
def test_initializations_are_seeded_and_distinct(init):
    points = np.random.default_rng(1).integers(0, 256, (200, 3)).astype(float)
    first, again = (initialize(points, 20, init, seed=5) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (20, 3)
    assert len(np.unique(first, axis=0)) == 20


def test_wu_is_topped_up_where_its_bins_are_too_coarse():
    points = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3)
    centroids = initialize(points, 10, "wu")
    assert len(np.unique(centroids, axis=0)) == 10


@pytest.mark.parametrize("init", ["k-means++", "maximin"])
def test_spread_initializations_reach_every_cluster(init):
    clusters = np.arange(6.0)[:, None] * 100 + np.random.default_rng(2).random((6, 30))
    centroids = initialize(clusters.reshape(-1, 1), 6, init)
    assert sorted((centroids.ravel() // 100).tolist()) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("init", ["k-means++", "maximin", "random"])
def test_kmeans_ends_at_a_fixed_point(init):
    points = np.random.default_rng(3).normal(size=(300, 5))
    result = kmeans(points, 8, init=init)
    assert result.converged
    assert np.array_equal(result.labels, nearest(points, result.centroids))
    means, _ = compute_centroids(points, result.labels, 8)
    assert np.allclose(means, result.centroids)
    assert (np.diff(result.distortions) <= 1e-12).all()


def test_an_empty_cluster_moves_to_the_farthest_point():
    start = np.array([[0.0], [1.0], [500.0]])
    result = kmeans([[0.0], [1.0], [2.0], [9.0]], 3, init=start)
    assert len(np.unique(result.labels)) == 3
    assert result.labels[3] not in result.labels[:3]


def test_weights_count_as_repeated_points():
    points = np.random.default_rng(4).random((30, 2))
    weights = np.random.default_rng(5).integers(1, 4, 30)
    start = points[:4]
    weighted = kmeans(points, 4, init=start, weights=weights)
    repeated = kmeans(points.repeat(weights, axis=0), 4, init=start)
    assert np.allclose(weighted.centroids, repeated.centroids)
    assert weighted.distortions == pytest.approx(repeated.distortions)


def test_tolerance_and_iterations_stop_early():
    points = np.random.default_rng(6).random((500, 2))
    assert "tolerance" in kmeans(points, 20, tolerance=0.05).stopped
    result = kmeans(points, 20, max_iterations=2)
    assert result.iterations == 2
    assert not result.converged


@pytest.mark.parametrize("name", COLOR_SPACES)
def test_color_spaces_fit_the_range(name):
    levels = np.array([0, 1, 64, 128, 200, 255], np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    points = to_space(colors, name)
    assert points.shape == colors.shape
    assert points.min() >= 0.0
    assert points.max() <= 255.0
    assert len(np.unique(points.round(6), axis=0)) == len(colors)


def test_lightness_runs_from_black_to_white():
    ends = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)
    assert to_space(ends, "oklab")[:, 0] == pytest.approx([0.0, 255.0], abs=1e-4)
    assert to_space(ends, "lab")[:, 0] == pytest.approx([0.0, 125.0], abs=1e-4)
    assert to_space(ends, "ycbcr")[:, 0] == pytest.approx([0.0, 255.0])


def test_oklab_of_red_is_as_published():
    red = to_space(np.array([[255, 0, 0]], np.uint8), "oklab")[0] / 255 - [0.0, 0.25, 0.35]
    assert red == pytest.approx([0.6279554, 0.2248631, 0.1258463], abs=2e-4)


def test_hue_is_an_angle():
    nearly = to_space(np.array([[255, 0, 1], [255, 1, 0]], np.uint8), "hsv")
    assert np.abs(nearly[0] - nearly[1]).max() < 2.0


def test_elbow_is_farthest_below_the_chord():
    ks = [2, 4, 8, 16, 32, 64]
    assert elbow(ks, [100, 50, 20, 15, 12, 10]) == 8
    assert elbow(ks, [100, 50, 25, 12.5, 6.25, 3.125], log_k=True) in (8, 16)
    assert elbow(ks, [5, 5, 5, 5, 5, 5]) == 2
    assert elbow([3, 9], [2, 1]) == 3


@pytest.mark.parametrize(
    "call",
    [
        lambda: assign_points([[1.0, 2.0]], [[1.0]]),
        lambda: assign_points([[np.nan]], [[1.0]]),
        lambda: assign_points([1.0], [[1.0]]),
        lambda: compute_centroids([[1.0]], np.array([3]), 2),
        lambda: initialize([[1.0]], 2),
        lambda: initialize([[1.0, 2.0]], 1, "wu"),
        lambda: kmeans([[1.0]], 0),
        lambda: kmeans([[1.0]], 1, weights=[-1.0]),
        lambda: kmeans([[1.0]], 1, weights=[0.0]),
        lambda: kmeans([[1.0]], 1, init=np.zeros((2, 1))),
        lambda: kmeans([[1.0]], 1, tolerance=2.0),
        lambda: elbow([1], [1]),
        lambda: elbow([2, 1], [2, 1]),
        lambda: elbow([1, 2], [2, np.inf]),
    ],
)
def test_bad_parameters_are_refused(call):
    with pytest.raises(ConfigError, match=r"expected .* received"):
        call()


def test_unknown_names_are_refused():
    with pytest.raises(UnknownNameError):
        initialize([[1.0]], 1, "best")
    with pytest.raises(UnknownNameError):
        to_space(np.zeros((1, 3), np.uint8), "xyz")
