"""The images that a study can measure: those that are opaque, or have a background."""

from __future__ import annotations

from collections.abc import Sequence

from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import AdaptiveKMeansError, TranslucentError
from adaptive_kmeans.progress import trial_bar


def opaque_images(sources: Sequence[ImageSource], background: str | None) -> list[ImageSource]:
    """Leave out images that are translucent where no background is given, and print which."""
    opaque = []
    with trial_bar(len(sources)) as advance:
        for source in sources:
            try:
                source.read(background)
            except TranslucentError as error:
                advance(f"skipped: {error}")
                continue
            except AdaptiveKMeansError:
                pass  # one of the failures, once it is measured
            opaque.append(source)
            advance("")
    return opaque
