"""Damaged files under right checksums: an error or an image of the declared size, within seconds.

``ADAPTIVE_KMEANS_FUZZ=100000 python -m pytest tests/test_fuzz.py -rP`` decodes that many and prints
what became of them.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fuzzing import fuzz, join, mutate, originals, split

COUNT = int(os.environ.get("ADAPTIVE_KMEANS_FUZZ", "2400"))
SEED = 20240607
SHARDS = 4
CHECKED = max(60, COUNT // 20)
"""Files that are decoded with Numba's bounds checks."""


def test_files_are_split_and_joined():
    for data in originals():
        assert join(split(data)) == data


def test_mutations_change_files():
    random = np.random.default_rng(SEED)
    for data in originals():
        assert {mutate(data, random) for _ in range(20)} - {data}


@pytest.mark.parametrize("shard", range(SHARDS))
def test_damaged_files_are_refused_or_decode_to_the_declared_size(shard):
    outcomes = fuzz(COUNT // SHARDS, SEED + shard)
    sys.stdout.write(f"{outcomes}\n")
    assert outcomes.refused > 0
    assert outcomes.decoded > 0


@pytest.mark.parametrize("kinds", ["FB", "AT"], ids=["restoration", "alpha"])
def test_damaged_optional_sections_are_refused_or_decode_to_the_declared_size(kinds):
    outcomes = fuzz(COUNT // SHARDS, SEED, kinds)
    sys.stdout.write(f"damaged sections {kinds}: {outcomes}\n")
    assert outcomes.refused > 0
    assert outcomes.decoded > 0


@pytest.mark.long
def test_kernels_stay_in_bounds_on_damaged_files(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzzing", str(CHECKED), str(SEED + SHARDS)],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sys.stdout.write(f"with bounds checks: {done.stdout}")
