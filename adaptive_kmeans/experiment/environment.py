"""What the numbers of a run depend on besides its code: config, images, libraries, machine."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from collections.abc import Sequence
from typing import Any

from adaptive_kmeans.codec import VERSIONS
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import AdaptiveKMeansError
from adaptive_kmeans.experiment.schema import Experiment
from adaptive_kmeans.experiment.trials import pixel_hash

LIBRARIES = (
    "adaptive-kmeans",
    "numpy",
    "numba",
    "pillow",
    "scikit-image",
    "scikit-learn",
    "opencv-python-headless",
    "faiss-cpu",
    "imagecodecs",
    "libimagequant",
    "pyoxipng",
    "scipy",
    "bjontegaard",
    "ssimulacra2",
)


def libraries() -> dict[str, str]:
    """Return the versions of those of `LIBRARIES` that are installed."""
    found = {}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def resolved(config: Experiment, sources: Sequence[ImageSource]) -> str:
    """Return the config as TOML, with all defaults filled in and images by name."""
    import tomli_w

    document = config.model_dump(exclude_none=True)
    document["images"] = [source.name for source in sources]
    return tomli_w.dumps(document)


def environment(sources: Sequence[ImageSource], background: str | None) -> dict[str, Any]:
    """Return what the numbers depend on besides the config, as JSON can hold it.

    Parameters
    ----------
    sources : sequence of ImageSource
        The images; unreadable ones are left out.
    background : str or None
        Color for translucent images.
    """
    images = {}
    for source in sources:
        with contextlib.suppress(AdaptiveKMeansError):
            picture = source.read(background)
            height, width = picture.pixels.shape[:2]
            images[source.name] = {
                "width": width,
                "height": height,
                "sha256": pixel_hash(picture.pixels),
                "converted": list(picture.notes),
            }
    return {
        **VERSIONS,
        "images": images,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "libraries": libraries(),
    }
