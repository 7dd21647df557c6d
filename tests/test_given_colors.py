"""Given and locked codewords: they are in the codebook as they are, whatever the image is."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import adaptive_kmeans as akm
from adaptive_kmeans import codebook_files, container, exports
from adaptive_kmeans.clustering import EXACT, cluster_colors, count_colors
from adaptive_kmeans.clustering.locked import check_colors
from adaptive_kmeans.codec import AdaptiveKMeans
from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.luma import luma_order

FAST = {"coder": "fixed-length"}
BRAND = [[255, 0, 255], [12, 200, 40], [250, 250, 240], [0, 0, 0], [90, 70, 50]]


def distances(colors, codebook):
    gaps = colors[:, None].astype(int) - codebook[None].astype(int)
    return (gaps**2).sum(axis=2)


def error(color_set, codebook):
    return float((distances(color_set.colors, codebook).min(axis=1) * color_set.weights).sum())


@settings(deadline=None)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 8), st.just(3)), elements=st.integers(0, 255)),
    st.integers(0, 12),
    st.booleans(),
)
def test_locked_colors_stay_and_labels_are_nearest(image, colors, more, is_gray):
    if is_gray:
        image = np.ascontiguousarray(np.repeat(image[..., :1], 3, axis=2))
    locked = check_colors(colors)
    color_set = count_colors(image).sets[0]
    for tolerance in (1e-3, EXACT):
        k = len(locked) + more
        result = cluster_colors(color_set, k, locked=locked, tolerance=tolerance)
        codebook = result.centroids
        assert set(locked) <= set(map(tuple, codebook.tolist()))
        assert len(np.unique(codebook, axis=0)) == len(codebook) <= k
        assert np.array_equal(codebook, codebook[luma_order(codebook)])
        nearest = distances(color_set.colors, codebook)
        assert np.array_equal(result.labels, nearest.argmin(axis=1))
        if len(set(locked) | set(map(tuple, color_set.colors.tolist()))) <= k:
            assert nearest.min(axis=1).max() == 0
        elif more:  # all are used that may be, and no empty one could take an error away
            assert len(codebook) == k or nearest.min(axis=1).max() == 0


def reference(color_set, locked, k):
    """Lloyd's algorithm with centroids that stay, from the colors farthest from these."""
    colors, weights = color_set.colors.astype(float), color_set.weights
    centroids = np.array(locked, float)
    while len(centroids) < k:
        gaps = ((colors[:, None] - centroids[None]) ** 2).sum(axis=2).min(axis=1)
        centroids = np.concatenate([centroids, colors[np.argmax(gaps * weights)][None]])
    for _ in range(200):
        labels = ((colors[:, None] - centroids[None]) ** 2).sum(axis=2).argmin(axis=1)
        for i in range(len(locked), k):
            if (labels == i).any():
                centroids[i] = np.average(colors[labels == i], 0, weights[labels == i])
    return np.rint(centroids).astype(np.uint8)


@pytest.mark.parametrize("color_space", ["rgb", "oklab"])
@pytest.mark.parametrize("k", [6, 24, 64])
def test_other_codewords_are_as_good_as_those_of_plain_iterations(photo, k, color_space):
    color_set = count_colors(photo).sets[0]
    locked = check_colors(BRAND)
    found = cluster_colors(color_set, k, locked=locked, color_space=color_space)
    assert found.converged
    assert set(locked) <= set(map(tuple, found.centroids.tolist()))
    if color_space == "rgb":
        assert error(color_set, found.centroids) <= 1.02 * error(
            color_set, reference(color_set, locked, k)
        )
        assert found.distortions[-1] * color_set.weights.sum() * 3 == pytest.approx(
            error(color_set, found.centroids), rel=0.02
        )


def test_locking_what_kmeans_finds_changes_little(photo):
    color_set = count_colors(photo).sets[0]
    free = cluster_colors(color_set, 32, tolerance=EXACT).centroids
    for count in (5, 31):
        locked = check_colors(free[::-1][:count])
        held = cluster_colors(color_set, 32, locked=locked, tolerance=EXACT).centroids
        assert error(color_set, held) <= 1.01 * error(color_set, free)


def test_given_codewords_are_the_codebook(photo):
    chosen = akm.Settings.with_codebook(BRAND, **FAST)
    assert chosen == akm.Settings.with_codebook(np.array(BRAND, np.uint8)[::-1], **FAST)
    assert hash(chosen) == hash(dataclasses.replace(chosen))
    assert chosen.ks == (5,)
    quantized = container.read(akm.encode(photo, chosen))
    (codebook,) = quantized.codebooks
    assert set(map(tuple, codebook.tolist())) == set(map(tuple, BRAND))
    nearest = distances(photo.reshape(-1, 3), codebook).argmin(axis=1)
    assert np.array_equal(quantized.index_map.reshape(-1), nearest)
    flat = np.full((5, 9, 3), 250, np.uint8)  # an index means the same color in every file
    assert np.array_equal(container.read(akm.encode(flat, chosen)).codebooks[0], codebook)
    hidden = np.zeros((4, 4, 4), np.uint8)
    data = akm.encode(hidden, chosen)
    assert np.array_equal(container.read(data).codebooks[0], codebook)
    assert not akm.decode(data).any()
    glass = np.dstack([photo, photo[..., 0]])
    shown = container.read(akm.encode(glass, chosen))
    assert np.array_equal(shown.index_map[shown.alpha > 0], quantized.index_map[shown.alpha > 0])


def test_4096_colors_are_given(photo, random):
    codes = random.choice(1 << 24, 4096, replace=False)
    colors = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)
    data = akm.encode(photo, akm.Settings.with_codebook(colors, **FAST))
    (codebook,) = container.read(data).codebooks
    assert set(map(tuple, codebook.tolist())) == set(map(tuple, colors.tolist()))
    decoded = akm.decode(data).reshape(-1, 3).astype(int)
    errors = ((decoded - photo.reshape(-1, 3)) ** 2).sum(axis=1)
    for place in range(0, len(errors), 97):
        pixel = photo.reshape(-1, 3)[place].astype(int)
        assert errors[place] == ((colors - pixel) ** 2).sum(axis=1).min()


@pytest.mark.parametrize("coder", ["fixed-length", "context-mixing"])
def test_bits_count_and_given_codewords_stay(photo, coder):
    free = akm.quantize(photo, akm.Settings.regular(24)).codebooks[0]
    colors = np.concatenate([free, BRAND])
    sizes, errors = [], []
    for price in (0, 40):
        chosen = akm.Settings.with_codebook(colors, price=price, tune="psnr", coder=coder)
        data = akm.encode(photo, chosen)
        (codebook,) = container.read(data).codebooks
        assert set(map(tuple, codebook.tolist())) == set(map(tuple, colors.tolist()))
        sizes.append(len(data))
        errors.append(-akm.psnr(photo, akm.decode(data)))
    if coder == "context-mixing":
        assert sizes[1] < sizes[0]
        assert errors[1] > errors[0]


def test_what_can_be_no_codebook_is_refused():
    out_of_range = [[[0, 0, 256]], [[-1, 0, 0]], [[0.5, 0, 0]], [[True, False, True]]]
    shapes = [[], (), [1, 2, 3], [[1, 2]], [[1], [2, 3]], "red", None, np.zeros((4, 4), int)]
    for colors in out_of_range + shapes:
        with pytest.raises(ConfigError, match="codebook"):
            akm.Settings.with_codebook(colors)
        if colors is not shapes[1]:  # the default
            with pytest.raises(ConfigError, match="codebook"):
                akm.Settings(codebook=colors)
    codes = np.arange(4097)
    with pytest.raises(ConfigError, match=r"expected 1\.\.4096 colors"):
        akm.Settings.with_codebook(np.stack([codes >> 8, codes & 255, codes & 1], axis=1))
    for wrong in ({"k": 4}, {"k2": 9, "k": 5}, {"quality": 50}, {"k": 9, "price": 2.0}):
        with pytest.raises(ConfigError):
            akm.Settings.with_codebook(BRAND, **wrong)


def test_stored_trials_without_a_codebook_keep_their_parameters():
    codec = AdaptiveKMeans(akm.Settings.with_codebook(BRAND, k=9))
    assert codec.parameters["codebook"] == akm.Settings.with_codebook(BRAND).codebook
    assert "codebook" not in AdaptiveKMeans(akm.Settings.regular(9)).parameters
    assert codec.label == "5 given colors, k = 9 4×4 context-mixing"
    assert codec.columns["k"] == 9


def test_any_format_of_a_codebook_gives_the_same_bytes(command, photo):
    chosen = akm.Settings.regular(12, **FAST)
    quantized = akm.quantize(photo[:30], chosen)
    for name in codebook_files.WRITABLE:
        Path(f"brand.{name}").write_bytes(codebook_files.write(name, quantized.codebooks))
    Path("image.npz").write_bytes(exports.npz(quantized))
    Path("brand.akm").write_bytes(akm.encode(photo[:30], chosen))
    expected = akm.encode(photo, akm.Settings.with_codebook(quantized.codebooks[0], **FAST))
    names = [f"brand.{name}" for name in codebook_files.WRITABLE]
    for name in (*names, "image.npz", "brand.akm"):
        words = ("--codebook", name, "--coder", "fixed-length", "--force", "--json")
        code, out, err = command("compress", "cat.png", *words)
        assert (code, err) == (0, "")
        assert Path("cat.akm").read_bytes() == expected
    facts = json.loads(out)
    assert (facts["method"], facts["k"], facts["given_colors"]) == ("regular", 12, 12)


def test_a_larger_k_or_marks_lock_colors(command):
    def colors_of(*words):
        code, _, err = command("compress", "cat.png", "--force", "--coder", "fixed-length", *words)
        assert (code, err) == (0, "")
        (codebook,) = container.read(Path("cat.akm").read_bytes()).codebooks
        return set(map(tuple, codebook.tolist()))

    brand = set(map(tuple, BRAND))
    Path("brand.json").write_text(json.dumps(BRAND))
    found = colors_of("--codebook", "brand.json", "--k", "16")
    assert (len(found), brand - found) == (16, set())
    assert colors_of("--codebook", "brand.json") == brand
    marked = [{"color": color, "locked": color == BRAND[0]} for color in BRAND]
    Path("marked.json").write_text(json.dumps(marked))
    found = colors_of("--codebook", "marked.json")
    assert len(found) == 5
    assert found & brand == {tuple(BRAND[0])}
    assert len(colors_of("--codebook", "marked.json", "--k", "8")) == 8


def test_contradictions_and_bad_files_are_one_line(command):
    Path("brand.json").write_text(json.dumps(BRAND))
    Path("bad.json").write_text("{}")
    for words, code, part in (
        (("--codebook", "brand.json", "--quality", "50"), 2, "either --codebook or --quality"),
        (("--codebook", "brand.json", "--k2", "50"), 2, "either --codebook or --k2"),
        (("--codebook", "brand.json", "--k", "4"), 2, "at least the 5 colors of brand.json"),
        (("--codebook", "brand.json", "--init", "random"), 2, "codewords to find"),
        (("--codebook", "brand.json", "--k", "9", "--lambda", "3"), 2, "given whole"),
        (("--codebook", "cat.png"), 2, "ends in one of .json"),
        (("--codebook", "none.json"), 5, "none.json"),
        (("--codebook", "bad.json"), 3, "bad.json: content: expected"),
    ):
        found, out, err = command("compress", "cat.png", *words)
        assert (found, out, err.count("\n")) == (code, "", 1), words
        assert part in err
        assert not Path("cat.akm").exists()
