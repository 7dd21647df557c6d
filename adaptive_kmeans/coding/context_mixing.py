"""The context-mixing coder: small files for images with a codebook.

Everything is coded as binary decisions, each with a probability that adapts, by the range coder
of `_range_coder`. All arithmetic is in integers (``>>`` shifts arithmetically, ``/`` rounds down),
so files are the same on every machine.

**Codebook.** One decision, of probability 63/64, says that the codebook is in the order of luma
(299 R + 587 G + 114 B, then R, G, B); its codewords then follow in any order, and are sorted once
decoded. Else they follow in their own order. `_codebook_kernels` codes each as a difference from
the one before. If all that takes 3 k bytes or more, the payload is the 3 k bytes themselves, in
their order; the length tells them apart.

**Region map.** An index map of one region whose codeword i is the gray ``255 i / (n_regions - 1)``.

**Index map.** Pixels in reading order. Codewords of all regions are numbered through, each region's
in its tree order (`_codeword_tree`). A pixel whose region has one codeword costs nothing. Else:

1. *Neighbors* (`_neighborhood_kernels`): 25 earlier pixels, `DOWN` rows up and `ACROSS` columns
   right. Left of the image lies the first pixel of the row above, right of it the last pixel of
   the same row, above it codeword 0. A codeword of another region counts as the nearest one of the
   pixel's region (squared RGB distance, ties to the lowest number); its color is kept. Three
   colors are predicted: median edge (median of W, N, W + N - NW), gradient (W + (NE - NW) / 2),
   and linear (W plus weighted differences of 17 neighbors from W, weights learned by normalized
   least mean squares, from errors within -511..511, and shared by the channels).
2. *Match*: `recall` follows a place that had the same 25 neighbors (by hash) as long as the pixels
   there foretell those here. With m pixels foretold so far its trust is
   ``min(m, 7) + min(m >> 3, 3) + min(m >> 5, 5)``.
3. *Same-decision* (`_same_kernels`): only if W, N, NW and NE are one codeword. Is this pixel, too?
4. *Turns* (`_turn_kernels`): else the codeword is named by turns down its region's tree, from the
   root; after a denied same-decision that codeword is barred.

**A decision** (`_mixing_kernels`) mixes 18 counters and 14 features with three of many weight
sets. Counters lie in one array: lines of hashed contexts (`_context_kernels.fetch`; a line is
cleared when another key's check is found in it), then tables of direct contexts. Memory is asked
for lines before they are needed (`_memory.prefetch`), which changes no byte. With
``depth = bit_length(pixels - 1)``, no line used and all counters new, the sizes are

====================  ==============================================================
same-contexts         11 tables of ``2 ** clip(depth - 3, 8, 18)`` lines of 2 words
turns' contexts       13 tables of ``2 ** clip(depth - 6, 6, 15)`` lines of 16 words
direct contexts       7 + 4 tables of ``2 ** 18`` words, and one of
                      ``2 ** clip(bit_length(256 codewords - 1), 8, 20)``
matches               ``2 ** clip(depth - 3, 8, 20)`` places
====================  ==============================================================

that is 25 MB for 0.4 megapixels and 73 MB at most, beside 4 bytes a pixel for the map, 128 kB a
region for predicted colors, and 4 bytes for each pair of region and codeword (limited to 2 ** 24).

**Ends.** The payload of a map is accepted only if it has exactly the bytes that an encoder would
write for the map that it decodes to: nothing can be appended, and no other payload means the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.blocks import region_counts
from adaptive_kmeans.errors import ConfigError, CorruptError, LimitError, UnsupportedVersionError
from adaptive_kmeans.limits import MAX_CODEWORDS, MAX_REGIONS
from adaptive_kmeans.progress import Progress
from adaptive_kmeans.threads import count_rows

Bytes = npt.NDArray[np.uint8]

PAIRS_LIMIT = 1 << 24
"""Most regions times codewords of all regions."""
TABLES_BYTES = 80 * 2**20
"""Memory of the largest tables."""


@dataclass(frozen=True)
class ContextMixing:
    """Context mixing of binary decisions, after the specification above.

    It has no settings. The kernels are loaded when something is coded, so that files of other
    coders need no compiler.

    Examples
    --------
    >>> codebook = np.array([[0, 0, 0], [255, 255, 255]], dtype=np.uint8)
    >>> coder = ContextMixing().index_coder((codebook,))
    >>> index_map = np.arange(12, dtype=np.uint16).reshape(3, 4) % 2
    >>> regions = np.zeros((3, 4), dtype=np.uint8)
    >>> coder.decode(coder.encode(index_map, regions), regions).tolist()
    [[0, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 1]]
    """

    MODEL: ClassVar[int] = 1

    @property
    def model(self) -> int:
        """Number of the model that payloads follow."""
        return self.MODEL

    @classmethod
    def of_model(cls, model: int) -> Self:
        """Return the coder that decodes payloads of a model."""
        if model != cls.MODEL:
            raise UnsupportedVersionError.newer("model of context-mixing", f"{cls.MODEL}", model)
        return cls()

    def encode_codebook(self, codebook: Bytes) -> bytes:
        """Code a (k, 3) codebook."""
        from adaptive_kmeans.coding import _codebook_model

        return _codebook_model.encode(codebook)

    def decode_codebook(self, payload: bytes, k: int) -> Bytes:
        """Decode a (k, 3) codebook.

        Raises
        ------
        CorruptError
            No codebook of `k` codewords is coded as `payload`.
        """
        from adaptive_kmeans.coding import _codebook_model

        return _codebook_model.decode(payload, k)

    def encode_region_map(self, region_map: Bytes, n_regions: int) -> bytes:
        """Code the (rows, columns) regions of the blocks: an index map of grays."""
        plane = np.zeros(region_map.shape, dtype=np.uint8)
        return self.index_coder((_grays(n_regions),)).encode(region_map.astype(np.uint16), plane)

    def decode_region_map(self, payload: bytes, shape: tuple[int, int], n_regions: int) -> Bytes:
        """Decode the (rows, columns) regions of the blocks.

        Raises
        ------
        CorruptError
            The payload is damaged.
        """
        plane = np.zeros(shape, dtype=np.uint8)
        return self.index_coder((_grays(n_regions),)).decode(payload, plane).astype(np.uint8)

    def index_coder(self, codebooks: tuple[Bytes, ...]) -> ContextMixingIndices:
        """Return what codes the index maps of bands.

        Raises
        ------
        LimitError
            The codebooks are too many or too large.
        """
        return ContextMixingIndices(codebooks, _sizes(codebooks))

    def decoding_memory(self, pixels: int, codewords: tuple[int, ...]) -> int:
        """Estimate the memory of decoding: tables, and what a pixel, region and pair need."""
        if max(codewords) <= 1:
            return 0
        regions = len(codewords)
        pairs = regions * sum(codewords) if regions > 1 else 0
        return TABLES_BYTES + 8 * pixels + (regions << 17) + 4 * pairs


@dataclass(frozen=True, eq=False)
class ContextMixingIndices:
    """Codes index maps.

    Parameters
    ----------
    codebooks : tuple of (k, 3) uint8
    sizes : (regions,) int64
        Their lengths.
    """

    codebooks: tuple[Bytes, ...]
    sizes: npt.NDArray[np.int64]

    def encode(
        self,
        index_map: npt.NDArray[np.uint16],
        pixel_regions: Bytes,
        progress: Progress | None = None,
    ) -> bytes:
        """Code the (h, w) indices of the pixels.

        Raises
        ------
        ConfigError
            The maps differ in shape, or an index lies outside its codebook.
        """
        if index_map.shape != pixel_regions.shape:
            raise ConfigError("pixel regions", f"shape {index_map.shape}", pixel_regions.shape)
        highest = int(pixel_regions.max(initial=0))
        if pixel_regions.size and highest >= len(self.sizes):
            raise ConfigError("pixel regions", f"values below {len(self.sizes)}", highest)
        if bool(np.any(index_map >= self.sizes.astype(np.uint16)[pixel_regions])):
            received = int(index_map.max())
            raise ConfigError("index map", "indices inside the region's codebook", received)
        if not self._anything_to_code(region_counts(pixel_regions) > 0):
            return b""
        from adaptive_kmeans.coding import _index_model

        def code(rows_done: npt.NDArray[np.int64]) -> bytes:
            return _index_model.encode(
                index_map, pixel_regions, self.codebooks, rows_done=rows_done
            )

        return count_rows(code, len(index_map), "coding", progress)

    def decode(
        self, payload: bytes, pixel_regions: Bytes, progress: Progress | None = None
    ) -> npt.NDArray[np.uint16]:
        """Decode the (h, w) indices of the pixels.

        Raises
        ------
        CorruptError
            The payload is damaged, or a pixel lies in a region without codewords.
        """
        n_regions = len(self.sizes)
        used = region_counts(pixel_regions) > 0
        if used[n_regions:].any() or (used[:n_regions] & (self.sizes == 0)).any():
            raise CorruptError("index map", "a codeword for every region with pixels", "none")
        if not self._anything_to_code(used):
            if payload:
                raise CorruptError("index map of one codeword", "0 bytes", len(payload))
            return np.zeros(pixel_regions.shape, dtype=np.uint16)
        from adaptive_kmeans.coding import _index_model

        def code(rows_done: npt.NDArray[np.int64]) -> npt.NDArray[np.uint16]:
            return _index_model.decode(payload, pixel_regions, self.codebooks, rows_done)

        return count_rows(code, len(pixel_regions), "decoding", progress)

    def _anything_to_code(self, used: npt.NDArray[np.bool_]) -> bool:
        """Whether any pixel has more than one codeword to choose from."""
        return bool((used[: len(self.sizes)] & (self.sizes > 1)).any())


def _grays(n_regions: int) -> Bytes:
    levels = np.arange(n_regions) * 255 // max(1, n_regions - 1)
    return np.repeat(levels[:, None], 3, axis=1).astype(np.uint8)


def _sizes(codebooks: tuple[Bytes, ...]) -> npt.NDArray[np.int64]:
    sizes = np.array([len(codebook) for codebook in codebooks], dtype=np.int64)
    largest = int(sizes.max(initial=0))
    if largest > MAX_CODEWORDS:
        raise LimitError("codebook", f"at most {MAX_CODEWORDS} codewords", largest)
    if len(sizes) > MAX_REGIONS:
        raise LimitError("codebooks", f"at most {MAX_REGIONS}", len(sizes))
    pairs = len(sizes) * int(sizes.sum())
    if pairs > PAIRS_LIMIT:
        raise LimitError("codebooks", f"regions × codewords at most {PAIRS_LIMIT}", pairs)
    return sizes
