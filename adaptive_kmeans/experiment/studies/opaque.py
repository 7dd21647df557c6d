"""The images that a study can measure: opaque ones, or all if there is a background color."""

from __future__ import annotations

from collections.abc import Sequence

from adaptive_kmeans.alpha import require_opaque
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import AdaptiveKMeansError, TranslucentError
from adaptive_kmeans.progress import trial_bar


def opaque_images(sources: Sequence[ImageSource], background: str | None) -> list[ImageSource]:
    """Return the images; without a background, translucent ones are skipped and printed."""
    opaque = []
    with trial_bar(len(sources)) as advance:
        for source in sources:
            try:
                require_opaque(source.name, source.load(background))
            except TranslucentError as error:
                advance(f"skipped: {error}")
                continue
            except AdaptiveKMeansError:
                pass  # reported when it is measured
            opaque.append(source)
            advance("")
    return opaque
