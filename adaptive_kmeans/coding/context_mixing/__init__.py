"""`context-mixing`: small files for palette images, specified here and in the modules' docstrings.

Everything is coded as binary decisions, each with an adaptive probability, by the range coder of
`range_coder`. All arithmetic is in integers (``>>`` shifts arithmetically, ``/`` rounds down), so
files are identical on every machine. The model number says which profile of `contexts` a file
follows: 1 for the strongest, 2 for `context-mixing:fast`.

**Codebook.** See `codebook`.

**Region map.** An index map of one region whose codeword i is the gray ``255 i / (n_regions - 1)``.

**Index map.** Empty if no pixel's region has two or more codewords. Otherwise, pixels are coded in
raster order; a pixel whose region has a single codeword costs nothing and trains nothing. Codewords
are identified by their numbers in `codeword_tree`. For each pixel:

1. `neighborhood` reads 25 earlier pixels and predicts three colors; `match` looks for an earlier
   position with the same surroundings. `contexts` lists what decisions see of these, and `pixels`
   says how each quantity is computed.
2. If W, N, NW and NE are one codeword (of the pixel's region, see `neighborhood`), the *run flag*
   says whether this pixel has it, too.
3. Unless the run flag is 1, *branches* lead down the tree of its region from the root: 1 is right,
   0 is left. After a run flag of 0, that codeword is excluded: a branch is not coded where one side
   holds nothing else.
4. Once the pixel is coded, everything learns: the counters and weights of its decisions, in order
   (`mixer`), then the linear prediction and the match model. A codeword's price is therefore the
   sum of its decisions' prices, whatever other prices are queried first.

**Canonical payloads.** A payload is accepted only if it has exactly the bytes that an encoder would
write for what it decodes to: nothing can be appended, and no two payloads decode to the same map.

**Sizes.** Tables grow with ``depth = bit_length(pixels - 1)`` of the band; see `contexts` and
`match`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.blocks import RUN, region_counts
from adaptive_kmeans.errors import (
    ConfigError,
    CorruptError,
    LimitError,
    UnknownNameError,
    UnsupportedVersionError,
)
from adaptive_kmeans.limits import MAX_CODEWORDS, MAX_REGIONS
from adaptive_kmeans.progress import Progress
from adaptive_kmeans.threads import count_rows

if TYPE_CHECKING:
    from adaptive_kmeans.coding.context_mixing.codeword_tree import Codewords
    from adaptive_kmeans.coding.context_mixing.contexts import Model

Bytes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.uint16]

NUMBERS = {"strongest": 1, "fast": 2}
"""Model numbers of the profiles, by name."""

PAIRS_LIMIT = 1 << 24
"""Largest product of the number of regions and the number of codewords in all regions."""


@dataclass(frozen=True)
class ContextMixing:
    """Context mixing of binary decisions, as specified above.

    The kernels are loaded on first use, so that files of other coders need no compiler.

    Parameters
    ----------
    profile : str
        ``strongest``, or ``fast``, which takes 60 % of the time for files a few percent larger.

    Examples
    --------
    >>> codebook = np.array([[0, 0, 0], [255, 255, 255]], dtype=np.uint8)
    >>> coder = ContextMixing().index_coder((codebook,))
    >>> index_map = np.arange(12, dtype=np.uint16).reshape(3, 4) % 2
    >>> regions = np.zeros((3, 4), dtype=np.uint8)
    >>> coder.decode(coder.encode(index_map, regions), regions).tolist()
    [[0, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 1]]
    """

    profile: str = "strongest"

    def __post_init__(self) -> None:
        if self.profile not in NUMBERS:
            raise UnknownNameError("profile of context-mixing", self.profile, NUMBERS)

    @property
    def model(self) -> int:
        """Number of the model that payloads follow."""
        return NUMBERS[self.profile]

    @classmethod
    def of_model(cls, model: int) -> Self:
        """Return the coder that decodes payloads of a model."""
        for profile, number in NUMBERS.items():
            if number == model:
                return cls(profile)
        known = ", ".join(map(str, NUMBERS.values()))
        raise UnsupportedVersionError.newer("model of context-mixing", f"one of {known}", model)

    def encode_codebook(self, codebook: Bytes) -> bytes:
        """Code a (k, 3) codebook."""
        from adaptive_kmeans.coding.context_mixing import codebook as codebooks

        return codebooks.encode(codebook)

    def decode_codebook(self, payload: bytes, k: int) -> Bytes:
        """Decode a (k, 3) codebook.

        Raises
        ------
        CorruptError
            `payload` does not code a codebook of `k` codewords.
        """
        from adaptive_kmeans.coding.context_mixing import codebook as codebooks

        return codebooks.decode(payload, k)

    def encode_region_map(self, region_map: Bytes, n_regions: int) -> bytes:
        """Code the (rows, columns) regions of the blocks, as an index map of grays."""
        plane = np.zeros(region_map.shape, dtype=np.uint8)
        return _region_coder(self.profile, n_regions).encode(region_map.astype(np.uint16), plane)

    def decode_region_map(self, payload: bytes, shape: tuple[int, int], n_regions: int) -> Bytes:
        """Decode the (rows, columns) regions of the blocks.

        Raises
        ------
        CorruptError
            The payload is damaged.
        """
        plane = np.zeros(shape, dtype=np.uint8)
        return _region_coder(self.profile, n_regions).decode(payload, plane).astype(np.uint8)

    def index_coder(self, codebooks: tuple[Bytes, ...]) -> ContextMixingIndices:
        """Return the coder of the bands' index maps.

        Raises
        ------
        LimitError
            There are too many codebooks, or they are too large.
        """
        return ContextMixingIndices(_kind(self.profile), codebooks)

    def decoding_memory(self, shape: tuple[int, int], codewords: tuple[int, ...]) -> int:
        """Estimate the memory of decoding: tables, plus what pixels, regions and pairs take."""
        if max(codewords) <= 1:
            return 0
        from adaptive_kmeans.coding.context_mixing.contexts import map_bytes, table_bytes

        regions = len(codewords)
        pairs = regions * sum(codewords) if regions > 1 else 0
        tables = table_bytes(_kind(self.profile), shape[0] * shape[1], sum(codewords))
        return tables + map_bytes(*shape) + (regions << 17) + 4 * pairs


class ContextMixingIndices:
    """Codes index maps.

    Parameters
    ----------
    kind : type
        Class of the models that code the bands.
    codebooks : tuple of (k, 3) uint8

    Raises
    ------
    LimitError
        There are too many codebooks, or they are too large.
    """

    def __init__(self, kind: type[Model], codebooks: tuple[Bytes, ...]) -> None:
        self._kind = kind
        self._codebooks = codebooks
        self._sizes = _sizes(codebooks)

    def encode(
        self, index_map: Indices, pixel_regions: Bytes, progress: Progress | None = None
    ) -> bytes:
        """Code the (h, w) indices of the pixels.

        Raises
        ------
        ConfigError
            The maps differ in shape, or an index lies outside its codebook.
        """
        if not self._has_choice(self._used(index_map, pixel_regions)):
            return b""
        from adaptive_kmeans.coding.context_mixing import pixels

        codes = self._numbers(index_map, pixel_regions)

        def code(rows_done: npt.NDArray[np.int64]) -> bytes:
            return pixels.encode(self._kind, self._codewords, codes, pixel_regions, rows_done)

        return count_rows(code, len(index_map), "coding", progress)

    def decode(
        self, payload: bytes, pixel_regions: Bytes, progress: Progress | None = None
    ) -> Indices:
        """Decode the (h, w) indices of the pixels.

        Raises
        ------
        CorruptError
            The payload is damaged, or a pixel lies in a region without codewords.
        """
        regions = len(self._sizes)
        used = region_counts(pixel_regions) > 0
        if used[regions:].any() or (used[:regions] & (self._sizes == 0)).any():
            raise CorruptError("index map", "a codeword for every region with pixels", "none")
        if not self._has_choice(used):
            if payload:
                raise CorruptError("index map of one codeword", "0 bytes", len(payload))
            return np.zeros(pixel_regions.shape, dtype=np.uint16)
        from adaptive_kmeans.coding.context_mixing import pixels

        def code(rows_done: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
            return pixels.decode(self._kind, self._codewords, payload, pixel_regions, rows_done)

        codes = count_rows(code, len(pixel_regions), "decoding", progress)
        return _look_up(self._order.astype(np.uint16), codes)

    def costs(self, index_map: Indices, pixel_regions: Bytes) -> npt.NDArray[np.float64]:
        """Return the cost of each pixel in bits, (h, w); the sum is the size of the payload.

        Each cost is the price that the model quotes for the pixel's codeword before it learns from
        it.

        Raises
        ------
        ConfigError
            As in `encode`.

        Examples
        --------
        >>> codebook = np.array([[0, 0, 0], [255, 255, 255]], dtype=np.uint8)
        >>> coder = ContextMixing().index_coder((codebook,))
        >>> index_map = np.arange(256, dtype=np.uint16).reshape(16, 16) // 5 % 2
        >>> regions = np.zeros((16, 16), dtype=np.uint8)
        >>> bits = coder.costs(index_map, regions).sum()
        >>> bool(abs(bits - 8 * len(coder.encode(index_map, regions))) <= 8)
        True
        """
        if not self._has_choice(self._used(index_map, pixel_regions)):
            return np.zeros(pixel_regions.shape)
        from adaptive_kmeans.coding.context_mixing import pixels

        codes = self._numbers(index_map, pixel_regions)
        return pixels.costs(self._kind, self._codewords, codes, pixel_regions)

    def _used(self, index_map: Indices, pixel_regions: Bytes) -> npt.NDArray[np.bool_]:
        """Check that the maps fit together, and return which regions have pixels: (256,)."""
        if index_map.shape != pixel_regions.shape:
            raise ConfigError("pixel regions", f"shape {index_map.shape}", pixel_regions.shape)
        highest = int(pixel_regions.max(initial=0))
        if pixel_regions.size and highest >= len(self._sizes):
            raise ConfigError("pixel regions", f"values below {len(self._sizes)}", highest)
        if bool(np.any(index_map >= self._sizes.astype(np.uint16)[pixel_regions])):
            received = int(index_map.max())
            raise ConfigError("index map", "indices inside the region's codebook", received)
        return region_counts(pixel_regions) > 0

    def _has_choice(self, used: npt.NDArray[np.bool_]) -> bool:
        """Whether any pixel has more than one codeword to choose from."""
        return bool((used[: len(self._sizes)] & (self._sizes > 1)).any())

    @functools.cached_property
    def _numbered(self) -> tuple[Codewords, npt.NDArray[np.int64]]:
        from adaptive_kmeans.coding.context_mixing.codeword_tree import number_codewords

        return number_codewords(self._codebooks)

    @property
    def _codewords(self) -> Codewords:
        return self._numbered[0]

    @property
    def _order(self) -> npt.NDArray[np.int64]:
        """Index of each codeword in its own codebook."""
        return self._numbered[1]

    def _numbers(self, index_map: Indices, pixel_regions: Bytes) -> npt.NDArray[np.int32]:
        """Return the numbers of all pixels' codewords: (h, w)."""
        starts = np.cumsum([0, *self._sizes[:-1]])
        ranks = np.empty(len(self._order), dtype=np.int32)
        ranks[np.repeat(starts, self._sizes) + self._order] = np.arange(len(self._order))
        codes = np.empty(index_map.shape, dtype=np.int32)
        for row, (indices, regions) in enumerate(zip(index_map, pixel_regions, strict=True)):
            codes[row] = ranks[starts[regions] + indices]
        return codes


@functools.lru_cache(maxsize=4)
def _region_coder(profile: str, n_regions: int) -> ContextMixingIndices:
    """Return the coder of region maps, whose codewords are grays; bands share it."""
    levels = np.arange(n_regions) * 255 // max(1, n_regions - 1)
    codebook = np.repeat(levels[:, None], 3, axis=1).astype(np.uint8)
    return ContextMixingIndices(_kind(profile), (codebook,))


def _kind(profile: str) -> type[Model]:
    from adaptive_kmeans.coding.context_mixing.contexts import MODELS

    return MODELS[profile]


def _look_up(values: Indices, places: npt.NDArray[np.int32]) -> Indices:
    """Return ``values[places]``, computed in runs to avoid a large temporary array of places."""
    found = np.empty(places.shape, dtype=np.uint16)
    rows = max(1, RUN // max(1, places.shape[1]))
    for top in range(0, len(places), rows):
        found[top : top + rows] = values[places[top : top + rows]]
    return found


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
