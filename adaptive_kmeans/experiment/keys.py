"""The types of keys that several config sections share: their allowed values and meanings.

A key's type holds its description, its choices and an example, from which messages and the configs
of ``init-config`` are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from adaptive_kmeans.clustering import COLOR_SPACES, INITIALIZATIONS
from adaptive_kmeans.coding import coders
from adaptive_kmeans.detail import measures
from adaptive_kmeans.dithering import ditherings
from adaptive_kmeans.limits import MAX_BLOCK_SIZE, MAX_CODEWORDS
from adaptive_kmeans.regions import thresholds
from adaptive_kmeans.restoration import AUTO, CORRECTIONS, restorations


@dataclass(frozen=True)
class OneOf:
    """Annotates the type of a key with the names that it accepts, such as those of a registry."""

    names: Callable[[], Iterable[str]]


@dataclass(frozen=True)
class Only(OneOf):
    """Annotates the type of a key with the only names that it accepts, known before it is used."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Refuse other names, as a `Literal` does."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        known = list(self.names())
        if value not in known:
            names = {"expected": ", ".join(known)}
            raise PydanticCustomError("literal_error", "Expected one of {expected}", names)
        return value


class Strict(BaseModel):
    """A section of a config: unknown keys are refused, and no value is converted.

    `SAMPLE` has values for a first config: those of keys without a default, and of others that a
    first config should set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    SAMPLE: ClassVar[dict[str, Any]] = {}

    @classmethod
    def inner_keys(cls, section: Mapping[str, Any]) -> list[str]:
        """Return the dotted keys that a section's own tables accept, given its other keys."""
        return []


def listed(value: object) -> object:
    """Return a single value as a list."""
    return value if isinstance(value, list) else [value]


Integers = Annotated[list[int], BeforeValidator(listed), Field(min_length=1)]
Numbers = Annotated[
    list[Annotated[float, Field(strict=False)]], BeforeValidator(listed), Field(min_length=1)
]
Names = Annotated[list[str], BeforeValidator(listed), Field(min_length=1)]
Sizes = Annotated[list[int | str], BeforeValidator(listed), Field(min_length=1)]


def _of_setting(value: object) -> object:
    """Refuse a value that no setting of a codec accepts."""
    if not isinstance(value, bool | int | float | str):
        raise PydanticCustomError("setting", "Expected a value, or a list of values")
    return value


SettingValues = Annotated[
    list[Annotated[Any, BeforeValidator(_of_setting)]],
    BeforeValidator(listed),
    Field(min_length=1),
]

_K = f"Codewords, 1 to {MAX_CODEWORDS}"
Ks = Annotated[Integers, Field(description=f"{_K}.")]
K1s = Annotated[Integers, Field(description=f"{_K}, for low-detail blocks.")]
K2s = Annotated[Integers, Field(description=f"{_K}, for high-detail blocks.")]
BlockSizes = Annotated[
    Integers, Field(description=f"Side of a block in pixels, 1 to {MAX_BLOCK_SIZE}.")
]
Seeds = Annotated[Integers, Field(description="Seed of the clustering.")]
Inits = Annotated[
    Names, Field(description="Initialization of the centroids."), OneOf(lambda: INITIALIZATIONS)
]
Tolerances = Annotated[
    Numbers,
    Field(
        description="Clustering stops when the distortion falls by less than this fraction of "
        "itself; with 0, when no label changes."
    ),
]
AlphaLevels = Annotated[
    Integers,
    Field(
        description="Maximum number of alpha levels of a translucent image, 2 to 256; by default, "
        "alpha is kept without loss.",
        examples=[[16]],
    ),
]
_CODER = (
    Field(description='Coder of the indices; "context-mixing:fast" takes 60 % of the time.'),
    OneOf(coders.names),
)
Coder = Annotated[str, *_CODER]
Coders = Annotated[Names, *_CODER]
_COLOR_SPACE = (Field(description="Color space of the clustering."), OneOf(lambda: COLOR_SPACES))
ColorSpace = Annotated[str, *_COLOR_SPACE]
ColorSpaces = Annotated[Names, *_COLOR_SPACE]
Details = Annotated[Names, Field(description="Measure of a block's detail."), OneOf(measures.names)]
Thresholds = Annotated[
    Names,
    Field(
        description="Threshold of detail at or above which a block is in the high-detail region; "
        '"quantile:0.75" puts a quarter of the blocks there.'
    ),
    OneOf(thresholds.names),
]
Dithers = Annotated[
    Names,
    Field(description='Dithering; "diffusion:0.8" sets a strength between 0 and 1.'),
    OneOf(ditherings.names),
]
Restorations = Annotated[
    Names,
    Field(
        description='Filter of the decoder; "auto" uses it if it is worth its bytes, "wiener:8" '
        "names its form."
    ),
    OneOf(lambda: (AUTO, *restorations.names())),
]
Corrections = Annotated[
    Names,
    Field(
        description='Coarse correction of the codewords\' errors; "auto" if it is worth its bytes.'
    ),
    OneOf(lambda: CORRECTIONS),
]
