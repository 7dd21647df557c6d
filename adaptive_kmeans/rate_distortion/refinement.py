"""The refinement of one image: a map of codewords, which every step changes in place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from adaptive_kmeans import restoration
from adaptive_kmeans.alpha import weights
from adaptive_kmeans.clustering.locked import places_of
from adaptive_kmeans.luma import luma_order
from adaptive_kmeans.progress import Progress
from adaptive_kmeans.quantize import Quantized, with_hidden_codebook
from adaptive_kmeans.rate_distortion import distortion, loop, proxy, search, static
from adaptive_kmeans.rate_distortion.palette import (
    Palette,
    first_codewords,
    labels_of,
    new_palette,
)
from adaptive_kmeans.threads import Workers, count_rows

if TYPE_CHECKING:
    from adaptive_kmeans.rate_distortion.effort import Effort

Image = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
_Value = TypeVar("_Value", bound=np.generic)

PASS_STEPS = 8
"""Approximate time of a live pass, in sweeps."""


class Refinement:
    """A quantized image whose codewords are chosen again.

    Parameters
    ----------
    image : (H, W, 3) uint8
        Its colors.
    start : Quantized
        Regions, codebooks and codewords to begin with.
    prices : (H, W) float64
        Squared error that a bit is worth.
    tune : str
        Name of the distortion, one of `distortion.TUNES`.
    coder : str
        Spec of the coder whose bits count.
    is_restored : bool
        Whether the decoder will correct and filter the image.
    workers : Workers
    is_given : bool
        Whether codewords stay as they are, used or not.
    """

    def __init__(
        self,
        image: Image,
        start: Quantized,
        prices: npt.NDArray[np.float64],
        tune: str,
        coder: str,
        is_restored: bool,
        workers: Workers,
        is_given: bool = False,
    ) -> None:
        self._image = image
        self._start = start
        self._prices = (prices * search.PRICE_SCALE).astype(np.float32)
        self._price = float(prices.mean())
        self._tune = tune
        self._is_restored = is_restored
        self._is_given = is_given
        self._coordinates, self._distortion = distortion.TUNES[tune]
        self._targets = self._coordinates(image)
        self._coder, _, self._profile = coder.partition(":")
        self._workers = workers
        self._codebooks = start.codebooks
        self._labels = labels_of(start)
        self._hidden = start.alpha == 0 if start.has_hidden else None
        self._moved = np.ones((2, *image.shape[:2]), dtype=np.uint8)

    @property
    def _inner(self) -> Labels:
        return self._labels[2:, 2:-2]

    def _visible(self, plane: npt.NDArray[_Value]) -> npt.NDArray[_Value]:
        """Return the values of a plane, (h, w), at the pixels that are not hidden: (n,)."""
        return plane.reshape(-1) if self._hidden is None else plane[~self._hidden]

    def run(self, effort: Effort, progress: Progress | None) -> Quantized:
        """Run the sweeps and passes of an effort."""
        passes = effort.passes if self._coder == "context-mixing" else 0
        steps = len(effort.shares) + PASS_STEPS * passes
        done, last = 0, 0.0

        def report(_: str, share: float) -> None:
            if progress is not None:
                progress("choosing codewords", share)

        for share in effort.shares:
            report("", done / steps)
            if share != last:
                self._moved[0] = 1
            waiting = None if progress is None else partial(report, "", done / steps)
            self.sweep(share, effort.candidates, waiting)
            done, last = done + 1, share
        for _ in range(passes):
            before = done

            def report_part(stage: str, share: float, before: int = before) -> None:
                report(stage, (before + PASS_STEPS * share) / steps)

            self.live_pass(effort.candidates, None if progress is None else report_part)
            done += PASS_STEPS
        report("", 1.0)
        return self.quantized()

    def sweep(
        self, share: float, candidates: int, waiting: Callable[[], None] | None = None
    ) -> None:
        """Choose each pixel's codeword once by the proxy, at a fraction of the price."""
        self._moved[1] = 0
        search.sweep(self._choice(share, candidates), self._moved, self._workers, waiting)
        self._moved[0] = self._moved[1]
        self._center()

    def live_pass(self, candidates: int, progress: Progress | None) -> None:
        """Choose each pixel's codeword once by the coder's live model, in a closed loop if any.

        In a closed loop, codewords then stay where they are: otherwise, the filter would have to be
        fitted again.
        """
        from adaptive_kmeans.rate_distortion import live

        codebooks = with_hidden_codebook(self._codebooks, self._start.has_hidden)
        codewords, codebooks = live.number_codewords(codebooks, self._inner)
        self._codebooks = codebooks[: len(self._codebooks)]
        choice = self._choice(1.0, candidates)
        closed = self._closed(choice) if self._is_restored and self._tune == "psnr" else None
        if closed is not None:
            choice = choice._replace(distortion=closed)
        regions = self._start.pixel_regions
        profile = self._profile or "strongest"

        def choose(rows_done: npt.NDArray[np.int64]) -> None:
            live.choose(profile, codewords, choice, regions, rows_done)

        count_rows(choose, len(regions), "choosing codewords", progress)
        if closed is None:
            self._center()

    def quantized(self) -> Quantized:
        """Return the image with the codewords that it uses, each once, in the order of luma.

        Given ones are all kept.
        """
        counts = np.bincount(self._visible(self._inner), minlength=sum(map(len, self._codebooks)))
        used = counts > 0
        numbers = np.zeros(len(used), dtype=np.uint16)
        kept = []
        firsts = first_codewords(self._codebooks)
        for first, codebook, given in zip(
            firsts, self._codebooks, self._start.codebooks, strict=True
        ):
            own = used[first : first + len(codebook)]
            colors = np.unique(codebook[own], axis=0)
            colors = given if self._is_given else colors[luma_order(colors)]
            numbers[first : first + len(codebook)][own] = places_of(codebook[own], colors)
            kept.append(colors)
        index_map = numbers[self._inner]
        if self._hidden is not None:
            index_map[self._hidden] = 0
        start = self._start
        return Quantized(start.grid, start.region_map, tuple(kept), index_map, start.alpha)

    def _choice(self, share: float, candidates: int) -> search.Choice:
        palette = new_palette(self._codebooks, candidates, self._workers)
        points = self._coordinates(np.concatenate(self._codebooks))
        return search.Choice(
            self._image,
            self._labels,
            np.minimum(np.rint(self._prices * share), search.LARGEST_PRICE).astype(np.int32),
            self._distortion(self._targets, points, self._inner, self._start.alpha),
            palette,
            self._costs(palette),
        )

    def _closed(self, choice: search.Choice) -> loop.Loop | None:
        """Return the errors that correction and filter leave; None if there is no filter.

        With alpha there is no such loop: the visible errors of the codewords count.
        """
        image = self._image
        if self._start.alpha is not None:
            return None
        corrected = choice.palette.colors[self._inner, :3].astype(np.uint8)
        correction = restoration.fit_correction(image, corrected, self._price, self._workers)
        if correction is not None:
            correction.apply(corrected, self._workers)
        filters = restoration.create(restoration.AUTO)
        found = filters.fit(image, corrected, self._price, self._workers)
        if found is None:
            return None
        restored = corrected.copy()
        found.apply(restored, self._workers)
        points = choice.palette.colors[:, :3]
        return loop.close(image, corrected, restored, found, points)

    def _costs(self, palette: Palette) -> proxy.Costs:
        return static.LEARNERS.get(self._coder, proxy.learn)(self._labels, palette)

    def _center(self) -> None:
        """Move the codewords to the means of their pixels; those without pixels stay."""
        if self._is_given:
            return
        flat = self._visible(self._inner)
        centers = np.concatenate(self._codebooks)
        alpha = self._start.alpha
        shown = None if alpha is None else self._visible(weights(alpha))
        counts = np.bincount(flat, weights=shown, minlength=len(centers))
        used = counts > 0
        for c in range(3):
            levels = self._visible(self._image[:, :, c])
            mass = levels if shown is None else levels * shown
            sums = np.bincount(flat, weights=mass, minlength=len(centers))
            centers[used, c] = np.rint(sums[used] / counts[used])
        self._codebooks = tuple(np.split(centers, first_codewords(self._codebooks)[1:]))
