"""The keys of an experiment's config: images, methods and swept parameters.

.. code-block:: toml

    name = "quickstart"
    question = "What do regions do at the same codebook sizes?"
    images = ["chelsea", "coffee"]      # bundled names, files, folders, globs
    background = "white"                # flattens translucent images; by default alpha is kept
    metrics = ["psnr", "ssim"]          # and "ssim-published", "ciede2000", "ssimulacra2"
    timing = false                      # true measures times, and runs trials one at a time
    repeats = 1                         # of encoding and decoding, for the median of the times

    [figures]
    picture = "chelsea"                 # image to show in figures; by default the first one
    anchor = "regular"                  # method to compare the others with, or several
    draw = ["quality"]                  # figures; all by default
    formats = ["png", "pdf"]            # and "svg"
    others = { kodak = ["elic.json"] }  # curves of others, means over a set: JSON of CompressAI

    [published]                         # numbers of a paper to compare with; optional
    source = "A. Author, Title, 2020"
    image = "chelsea"
    rows = [{ method = "regular", k = 16, psnr_db = 30.5 }]     # k is k1 of two codebooks

    [[methods]]
    method = "regular"
    k = [16, 64]
    restoration = ["none", "auto"]      # filter of the decoder; "none" by default
    correction = "none"                 # coarse correction, "none" or "auto"
    dither = ["none", "diffusion:0.8"]  # and "blue-noise"; "none" by default
    alpha_levels = [16]                 # of translucent images; without loss by default

    [[methods]]
    method = "rate-distortion"          # codewords chosen by distortion and bits
    quality = [50, 75, 90]              # or price = [10, 40], λ, and k, or k1 and k2
    tune = "perceptual"                 # or "psnr"
    effort = [5, 9]                     # restoration and correction are "auto" here

    [[methods]]
    method = "rate-distortion"          # each image at the quality that reaches a target
    target_bpp = [0.5, 1]               # or target_size = ["40 kB"], target_psnr, target_ssim,
                                        # target_ssimulacra2; likewise for baselines by quality

    [[methods]]
    method = "region-adaptive"
    detail = ["eigenvalue", "variance"]
    k1 = [16, 64]
    k2 = 256

    [[methods]]
    method = "baseline"
    codec = ["jpeg", "webp"]            # see `adaptive_kmeans.baselines.image_codecs`
    quality = [50, 75, 90]              # or k, for those that have a palette

Every parameter of a method takes a value or a list; all combinations of the lists are run.

Configs of other kinds have a key ``kind`` and are documented in their modules: see `studies`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from adaptive_kmeans.baselines.checked import Baseline
from adaptive_kmeans.baselines.image_codecs import baselines
from adaptive_kmeans.codec import AdaptiveKMeans, NamedCodec, Settings
from adaptive_kmeans.errors import ConfigError, MissingDependencyError
from adaptive_kmeans.image import parse_color
from adaptive_kmeans.restoration import AUTO, NONE
from adaptive_kmeans.targets import Target, Targeted

Metric = Literal["psnr", "ssim", "ssim-published", "ciede2000", "ssimulacra2"]


def listed(value: object) -> object:
    """Return a single value as a list."""
    return value if isinstance(value, list) else [value]


Drawing = Literal[
    "classification",
    "reconstructions",
    "details",
    "quality",
    "bd_rate",
    "psnr_against_rate",
    "ssim_against_rate",
    "ssimulacra2_against_rate",
    "ciede2000_against_rate",
    "rate_split",
    "time_against_rate",
]
"""The figures; one is left out if no trial has data for it."""

Integers = Annotated[list[int], BeforeValidator(listed), Field(min_length=1)]
Numbers = Annotated[
    list[Annotated[float, Field(strict=False)]], BeforeValidator(listed), Field(min_length=1)
]
Names = Annotated[list[str], BeforeValidator(listed), Field(min_length=1)]


class Strict(BaseModel):
    """A section of a config: unknown keys are refused, and no value is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Skip = Callable[[str, MissingDependencyError], None]
"""Called with the name of a codec whose library is missing, and the error."""


Sizes = Annotated[list[int | str], BeforeValidator(listed), Field(min_length=1)]


class _Targets(Strict):
    """Targets, which quality is found for; all of them are run."""

    target_size: Sizes | None = None
    target_bpp: Numbers | None = None
    target_psnr: Numbers | None = None
    target_ssim: Numbers | None = None
    target_ssimulacra2: Numbers | None = None

    def targets(self, skip: Skip) -> list[Target]:
        """Return the targets, without those whose library is missing."""
        found = []
        for name in _Targets.model_fields:
            for value in getattr(self, name) or ():
                try:
                    found.append(Target(name.removeprefix("target_"), value))
                except MissingDependencyError as error:
                    skip(name, error)
        return found

    @property
    def has_targets(self) -> bool:
        """Whether any are named."""
        return any(getattr(self, name) is not None for name in _Targets.model_fields)


class _OurMethod(Strict):
    """Parameters that both of our methods have."""

    block_size: Integers = [Settings.block_size]
    coder: Names = [Settings.coder]
    color_space: Names = [Settings.color_space]
    seed: Integers = [Settings.seed]
    restoration: Names = [NONE]
    correction: Names = [NONE]
    alpha_levels: Integers | None = None

    def swept(self) -> dict[str, list[Any]]:
        """Return the values of each parameter that has any."""
        return self.model_dump(exclude={"method"}, exclude_none=True)

    def settings(self, **parameters: Any) -> Settings:
        """Return the settings of one combination of parameters."""
        return Settings(**parameters)

    def codecs(self, skip: Skip) -> Iterator[NamedCodec]:
        """Yield our codec with all settings."""
        yield from self._combined()

    def _combined(self) -> Iterator[AdaptiveKMeans]:
        """Yield our codec with all combinations of parameters."""
        swept = self.swept()
        for values in itertools.product(*swept.values()):
            yield AdaptiveKMeans(self.settings(**dict(zip(swept, values, strict=True))))


class _PlainMethod(_OurMethod):
    """Parameters that both forms of plain K-means have."""

    dither: Names = [Settings.dither]


class RegularMethod(_PlainMethod):
    """Regular K-means: one region, one codebook."""

    method: Literal["regular"]
    k: Integers

    def settings(self, **parameters: Any) -> Settings:
        """Return the settings of one combination of parameters."""
        return Settings.regular(**parameters)


class RateDistortionMethod(_OurMethod, _Targets):
    """Codewords chosen by distortion and bits, by quality, or with codebooks at prices of a bit."""

    method: Literal["rate-distortion"]
    quality: Numbers | None = None
    k: Integers | None = None
    k1: Integers | None = None
    k2: Integers | None = None
    price: Numbers | None = None
    detail: Names = [Settings.detail]
    detail_power: Numbers = [Settings.detail_power]
    tune: Names = [Settings.tune]
    effort: Integers = [Settings.effort]
    restoration: Names = [AUTO]
    correction: Names = [AUTO]

    def swept(self) -> dict[str, list[Any]]:
        """Return the values of each parameter; k is k1 without k2."""
        if [self.quality is None, self.price is None, not self.has_targets].count(False) != 1:
            expected = "either quality or price, or a target"
            raise ConfigError("methods: rate-distortion", expected, "none or several")
        if self.k2 is not None and self.k1 is None:
            raise ConfigError("methods: rate-distortion", "k1 as well as k2", "k2 alone")
        named = [name for name in ("k", "k1") if getattr(self, name) is not None]
        if len(named) != (self.price is not None):
            expected = "k, or k1 and k2, beside price, and neither beside quality"
            received = " and ".join(named) or "none"
            raise ConfigError("methods: rate-distortion", expected, received)
        found = super().swept()
        if "k" in found:
            found["k1"] = found.pop("k")
        return {name: values for name, values in found.items() if name not in _Targets.model_fields}

    def codecs(self, skip: Skip) -> Iterator[NamedCodec]:
        """Yield our codec with all combinations of parameters and targets."""
        if not self.has_targets:
            yield from self._combined()
            return
        targets = self.targets(skip)
        yield from (Targeted(codec, target) for codec in self._combined() for target in targets)


class RegionAdaptiveMethod(_PlainMethod):
    """One codebook for low detail, one for high detail."""

    method: Literal["region-adaptive"]
    detail: Names
    k1: Integers
    k2: Integers
    threshold: Names = [Settings.threshold]


class BaselineMethod(_Targets):
    """Other codecs, with their own settings."""

    method: Literal["baseline"]
    codec: Names
    quality: Integers | None = None
    k: Integers | None = None

    def codecs(self, skip: Skip) -> Iterator[NamedCodec]:
        """Yield every codec with every setting."""
        if [self.quality is None, self.k is None, not self.has_targets].count(False) > 1:
            raise ConfigError("methods", "quality or k, or a target", "several")
        swept, targets = self.quality or self.k, self.targets(skip)
        for spec in self.codec:
            name = spec.partition(":")[0]
            try:
                self._check_setting(spec)
                if self.has_targets:
                    codec = Baseline.create(name)
                    yield from (Targeted(codec, target) for target in targets)
                    continue
                for full in [spec] if swept is None else [f"{spec}:{value}" for value in swept]:
                    yield Baseline.create(full)
            except MissingDependencyError as error:
                skip(name, error)

    def _check_setting(self, name: str) -> None:
        """Refuse a key that is not the setting of a codec."""
        setting = baselines.setting(name)
        if self.has_targets and setting != "quality":
            raise ConfigError(f"methods: baseline {name}", "no target, as it has no quality", "one")
        for key in ("quality", "k"):
            if getattr(self, key) is not None and key != setting:
                expected = setting if setting in ("quality", "k") else "neither quality nor k"
                raise ConfigError(f"methods: baseline {name}", expected, key)


Method = Annotated[
    RegularMethod | RateDistortionMethod | RegionAdaptiveMethod | BaselineMethod,
    Field(discriminator="method"),
]


def by_set(value: object) -> object:
    """Refuse files of others without the set over which their numbers are means."""
    if not isinstance(value, dict):
        expected = 'the set that they are means over, as in {set} = ["elic.json"]'
        raise PydanticCustomError("by_set", "Expected " + expected, {"set": "others.kodak"})
    return value


class Figures(Strict):
    """Which figures to draw, and what to compare the series with."""

    picture: str | None = None
    anchor: Names = ["regular"]
    draw: Annotated[list[Drawing], Field(min_length=1)] = list(get_args(Drawing))
    formats: Annotated[list[Literal["png", "pdf", "svg"]], Field(min_length=1)] = ["png", "pdf"]
    others: Annotated[dict[str, Names], BeforeValidator(by_set)] = {}


class PublishedRow(Strict):
    """A paper's numbers for one file; `method` is "regular", a detail measure or a baseline."""

    method: str
    k: int
    psnr_db: float | None = None
    ssim: float | None = None
    ssim_published: float | None = None
    bytes: int | None = None


class Published(Strict):
    """A paper's numbers for one image."""

    source: str
    image: str
    rows: Annotated[list[PublishedRow], Field(min_length=1)]


class Experiment(Strict):
    """The keys of every experiment, whatever its kind."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    question: str = ""
    images: Annotated[list[str], Field(min_length=1)]
    background: str | None = None
    kind: str

    def check(self) -> None:
        """Check values beyond their types.

        Raises
        ------
        AdaptiveKMeansError
            A value cannot be used.
        """
        if self.background is not None:
            parse_color(self.background)


class CompressionConfig(Experiment):
    """Images × methods × parameters, measured on the files that they write."""

    kind: Literal["compression"] = "compression"
    metrics: Annotated[list[Metric], Field(min_length=1)] = ["psnr", "ssim"]
    timing: bool = False
    repeats: Annotated[int, Field(ge=1)] = 1
    figures: Figures = Figures()
    published: Published | None = None
    methods: Annotated[list[Method], Field(min_length=1)]

    def codecs(self, skip: Skip = lambda _name, _error: None) -> Iterator[NamedCodec]:
        """Yield the codecs of all methods, except those whose library is missing.

        Parameters
        ----------
        skip : callable, optional
            Called with the name of each codec that is left out, and the error.
        """
        for method in self.methods:
            yield from method.codecs(skip)

    def check(self) -> None:
        """Check the settings of all codecs."""
        super().check()
        for _ in self.codecs():
            pass


def check_once(what: str, values: Sequence[object]) -> None:
    """Refuse duplicate values."""
    if len(set(values)) < len(values):
        raise ConfigError(what, "each once", ", ".join(map(str, values)))
