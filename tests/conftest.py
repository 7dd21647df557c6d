"""Images for tests: made here, and the shared ones beside the checkout if there are any."""

from pathlib import Path

import numpy as np
import pytest

from adaptive_kmeans.datasets import ImageSource

SHARED = Path(__file__).parents[2] / "shared" / "images"


@pytest.fixture
def shared_images() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared images are not available")
    return SHARED


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A corner of a photograph whose sides are not multiples of the block size: (61, 83, 3)."""
    return np.ascontiguousarray(ImageSource("chelsea").load()[100:161, 120:203])


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)
