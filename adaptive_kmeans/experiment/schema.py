"""The keys of an experiment's config: images, methods and swept parameters.

``adaptive-kmeans init-config`` writes a config with all keys, their meaning, choices and defaults.
Every parameter of a method takes a value or a list; all combinations of the lists are run.

Configs of other kinds have a key ``kind``, and declare their keys in their modules: see `studies`.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from adaptive_kmeans.baselines.checked import COLUMNS, Baseline
from adaptive_kmeans.baselines.image_codecs import baselines
from adaptive_kmeans.codec import AdaptiveKMeans, NamedCodec, Settings
from adaptive_kmeans.datasets import BUNDLED, REMOTE, TRANSPARENCY_SET
from adaptive_kmeans.detail import measures
from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    ConfigError,
    MissingDependencyError,
    did_you_mean,
)
from adaptive_kmeans.experiment.combinations import Combinations
from adaptive_kmeans.experiment.keys import (
    AlphaLevels,
    BlockSizes,
    Coders,
    ColorSpaces,
    Corrections,
    Details,
    Dithers,
    Inits,
    Integers,
    K1s,
    K2s,
    Ks,
    Names,
    Numbers,
    OneOf,
    Only,
    Restorations,
    Seeds,
    SettingValues,
    Sizes,
    Strict,
    Thresholds,
    Tolerances,
)
from adaptive_kmeans.experiment.rows import METRICS
from adaptive_kmeans.image import parse_color
from adaptive_kmeans.rate_distortion import TUNES
from adaptive_kmeans.restoration import AUTO, NONE
from adaptive_kmeans.specs import Setting, to_text
from adaptive_kmeans.targets import Target, Targeted

DRAWINGS = (
    "classification",
    "reconstructions",
    "details",
    "quality",
    "bd_rate",
    *(f"{name}_against_rate" for name, metric in METRICS.items() if metric.scale is not None),
    "rate_split",
    "time_against_rate",
)
"""The figures; one is left out if no trial has data for it."""

Bytes = Annotated[int, Field(ge=1, le=10**12)]
Drawing = Annotated[str, Only(lambda: DRAWINGS)]
Metric = Annotated[str, Only(lambda: METRICS)]

Skip = Callable[[str, MissingDependencyError], None]
"""Called with the name of a codec whose library is missing, and the error."""


class _Targets(Strict):
    """Targets for which the quality is searched; all of them are run."""

    target_size: Sizes | None = Field(
        None,
        description="Instead of quality: the best file of at most this many bytes.",
        examples=[["40 kB"]],
    )
    target_bpp: Numbers | None = Field(
        None,
        description="Likewise, the best file of at most this rate in bits per pixel.",
        examples=[[0.5, 1.0]],
    )
    target_psnr: Numbers | None = Field(
        None, description="Likewise, the smallest file of at least this PSNR.", examples=[[38.0]]
    )
    target_ssim: Numbers | None = Field(
        None, description="Likewise, of at least this SSIM.", examples=[[0.95]]
    )
    target_ssimulacra2: Numbers | None = Field(
        None, description="Likewise, of at least this SSIMULACRA 2.", examples=[[80.0]]
    )

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
        """Whether any are set."""
        return any(getattr(self, name) is not None for name in _Targets.model_fields)

    def _given(self, *names: str) -> str:
        """Return which of these keys and of the targets are set, for messages."""
        chosen = [
            name for name in (*names, *_Targets.model_fields) if getattr(self, name) is not None
        ]
        return " and ".join(chosen) or "none"


class _OurMethod(Strict):
    """Parameters that all of our methods have."""

    block_size: BlockSizes = Field([Settings.block_size])
    coder: Coders = Field([Settings.coder])
    color_space: ColorSpaces = Field([Settings.color_space])
    seed: Seeds = Field([Settings.seed])
    init: Inits = Field([Settings.init])
    tolerance: Tolerances = Field([Settings.tolerance])
    restoration: Restorations = Field([NONE])
    correction: Corrections = Field([NONE])
    alpha_levels: AlphaLevels | None = None

    def swept(self) -> dict[str, list[Any]]:
        """Return the values of each parameter that has any."""
        return self.model_dump(exclude={"method"}, exclude_none=True)

    def settings(self, **parameters: Any) -> Settings:
        """Return the settings of one combination of parameters."""
        return Settings(**parameters)

    def codecs(self, skip: Skip) -> Sequence[NamedCodec]:
        """Return our codec with all combinations of parameters, and of targets if there are any."""
        return self._combined()

    def check(self) -> None:
        """Check every value on its own: values of different parameters are independent."""
        self._combined().value_by_value()

    def _combined(self) -> Combinations[AdaptiveKMeans]:
        """Return our codec with all combinations of parameters."""
        return Combinations(lambda **one: AdaptiveKMeans(self.settings(**one)), self.swept())


class _PlainMethod(_OurMethod):
    """Parameters that both forms of plain K-means have."""

    dither: Dithers = Field([Settings.dither])


class RegularMethod(_PlainMethod):
    """Regular K-means: one region, one codebook."""

    SAMPLE: ClassVar = {"k": [16, 32, 64, 128]}

    method: Literal["regular"]
    k: Ks

    def settings(self, **parameters: Any) -> Settings:
        """Return the settings of one combination of parameters."""
        return Settings.regular(**parameters)


class RateDistortionMethod(_OurMethod, _Targets):
    """Codewords chosen by rate and distortion: by quality, or with given k at a price per bit."""

    SAMPLE: ClassVar = {"quality": [40, 60, 75, 85]}

    method: Literal["rate-distortion"]
    quality: Numbers | None = Field(
        None, description="0 to 100; sets the price of a bit and the codebook."
    )
    price: Numbers | None = Field(
        None,
        description="Instead of quality: λ, the squared error that a bit is worth; set k, or k1 "
        "and k2, too.",
        examples=[[10.0, 40.0]],
    )
    k: Ks | None = Field(None, examples=[[64]])
    k1: K1s | None = Field(None, examples=[[64]])
    k2: K2s | None = Field(None, examples=[[256]])
    detail: Details = Field([Settings.detail])
    threshold: Thresholds = Field([Settings.threshold])
    detail_power: Numbers = Field(
        [Settings.detail_power],
        description="How much the price depends on a block's detail: a power, -1 to 1.",
    )
    tune: Annotated[Names, OneOf(lambda: TUNES)] = Field(
        [Settings.tune], description="The distortion: what is visible, or the squared error in RGB."
    )
    effort: Integers = Field([Settings.effort], description="1 (fast) to 9 (smallest file).")
    restoration: Restorations = Field([AUTO])
    correction: Corrections = Field([AUTO])

    def swept(self) -> dict[str, list[Any]]:
        """Return the values of each parameter; k becomes k1, without k2."""
        if [self.quality is None, self.price is None, not self.has_targets].count(False) != 1:
            expected = "either quality or price, or a target"
            raise ConfigError("rate-distortion", expected, self._given("quality", "price"))
        if self.k2 is not None and self.k1 is None:
            raise ConfigError("rate-distortion", "k1 as well as k2", "k2 alone")
        if self.k2 is None and self.threshold != [Settings.threshold]:
            expected = "k1 and k2 beside threshold"
            raise ConfigError("rate-distortion", expected, "one codebook")
        named = [name for name in ("k", "k1") if getattr(self, name) is not None]
        if len(named) != (self.price is not None):
            expected = "k, or k1 and k2, beside price, and neither beside quality"
            received = " and ".join(named) or "none"
            raise ConfigError("rate-distortion", expected, received)
        found = super().swept()
        if "k" in found:
            found["k1"] = found.pop("k")
        return {name: values for name, values in found.items() if name not in _Targets.model_fields}

    def codecs(self, skip: Skip) -> Sequence[NamedCodec]:
        """Return our codec with all combinations of parameters and targets."""
        codecs = self._combined()
        if not self.has_targets:
            return codecs
        targets = self.targets(skip)
        return Combinations(
            lambda codec, target: Targeted(codecs[codec], targets[target]),
            {"codec": range(len(codecs)), "target": range(len(targets))},
        )

    def check(self) -> None:
        """Check every value and every target."""
        super().check()
        self.targets(lambda _name, _error: None)


class RegionAdaptiveMethod(_PlainMethod):
    """One codebook for low detail, one for high detail."""

    SAMPLE: ClassVar = {"detail": ["eigenvalue"], "k1": [16, 32, 64], "k2": [128]}

    method: Literal["region-adaptive"]
    detail: Details
    k1: K1s
    k2: K2s
    threshold: Thresholds = Field([Settings.threshold])


def _other_settings() -> str:
    """Return lines with the settings of this package's codecs that are not columns of tables."""
    names: dict[str, list[str]] = {}
    for name in baselines.own:
        settings = baselines.settings(name).values()
        others = ", ".join(map(_summary, (each for each in settings if each.name not in COLUMNS)))
        names.setdefault(others, []).append(name)
    return "".join(f"\n{', '.join(of)}: {others}." for others, of in names.items() if others)


def _summary(setting: Setting) -> str:
    """Return a setting with its default and its allowed values."""
    takes = ", ".join(map(to_text, setting.choices)) or str(setting.within or "")
    default = json.dumps(setting.default)
    return f"{setting.name} = {default} ({takes})" if takes else f"{setting.name} = {default}"


class BaselineMethod(_Targets):
    """Other codecs, with their own settings."""

    SAMPLE: ClassVar = {"codec": ["jpeg"], "quality": [30, 50, 75, 90]}

    method: Literal["baseline"]
    codec: Annotated[Names, OneOf(baselines.names)] = Field(
        description='Codecs. "webp-lossless:6" sets the first setting of a codec, "avif:speed=4" '
        "another one. Most need the extra peers."
    )
    quality: Integers | None = Field(
        None,
        description="1 to 100, for codecs with a quality; by default, each uses its own default.",
    )
    k: Ks | None = Field(
        None,
        description="Instead of quality: number of colors, for codecs with a palette.",
        examples=[[64]],
    )
    settings: dict[str, SettingValues] | None = Field(
        None,
        description="Other settings of these codecs, each a value or a list. Their defaults and "
        f"allowed values:{_other_settings()}",
        examples=[{"subsampling": ["4:2:0", "4:4:4"]}],
    )

    @classmethod
    def inner_keys(cls, section: Mapping[str, Any]) -> list[str]:
        """Return the settings of the codecs that a section names."""
        found: dict[str, None] = {}
        named: Any = section.get("codec")
        for spec in named if isinstance(named, list) else [named]:
            with contextlib.suppress(AdaptiveKMeansError):
                found |= dict.fromkeys(baselines.settings(spec))
        return [f"settings.{key}" for key in found if key not in COLUMNS]

    def codecs(self, skip: Skip) -> Sequence[NamedCodec]:
        """Return every codec with every setting."""
        codecs, skipped = self._made
        for name, error in skipped:
            skip(name, error)
        return codecs

    def check(self) -> None:
        """Check every codec with every setting."""
        self.codecs(lambda _name, _error: None)

    @functools.cached_property
    def _made(self) -> tuple[list[NamedCodec], list[tuple[str, MissingDependencyError]]]:
        """Make the codecs once, and list those whose library is missing."""
        skipped: list[tuple[str, MissingDependencyError]] = []
        codecs = self._codecs(lambda name, error: skipped.append((name, error)))
        return list(dict.fromkeys(codecs)), skipped

    def _codecs(self, skip: Skip) -> Iterator[NamedCodec]:
        if [self.quality is None, self.k is None, not self.has_targets].count(False) > 1:
            expected = "quality or k, or a target"
            raise ConfigError("baseline", expected, self._given("quality", "k"))
        targets = self.targets(skip)
        for spec in self.codec:
            try:
                self._check_keys(spec)
                for codec in map(Baseline.create, self._specs(spec)):
                    if not self.has_targets:
                        yield codec
                        continue
                    codec = Baseline.create(codec.name)  # without its quality
                    yield from (Targeted(codec, target) for target in targets)
            except MissingDependencyError as error:
                skip(spec.partition(":")[0], error)

    def _specs(self, spec: str) -> Sequence[str]:
        """Return the specs of a codec at all combinations of its settings."""
        columns = {key: getattr(self, key) for key in COLUMNS if getattr(self, key) is not None}
        lists = (self.settings or {}) | columns
        return Combinations(lambda **values: baselines.spec(spec, values), lists)

    def _check_keys(self, spec: str) -> None:
        """Refuse a key that is not a setting of a codec."""
        settings, name = baselines.settings(spec), spec.partition(":")[0]
        dials = [key for key in COLUMNS if key in settings]
        if self.has_targets and "quality" not in dials:
            raise ConfigError(f"baseline {name}", "no target, as it has no quality", "one")
        if self.has_targets and "quality" in baselines.split(spec)[1]:
            raise ConfigError(f"baseline {name}", "either a quality or a target", f"both: {spec}")
        for key in COLUMNS:
            if getattr(self, key) is not None and key not in dials:
                expected = " or ".join(dials) or "neither quality nor k"
                raise ConfigError(f"baseline {name}", expected, key)
            if key in (self.settings or {}):
                raise ConfigError("settings", f"no {key}, which is a key of its own", key)


Method = Annotated[
    RegularMethod | RateDistortionMethod | RegionAdaptiveMethod | BaselineMethod,
    Field(discriminator="method"),
]


def by_set(value: object) -> object:
    """Refuse published curves without the image set over which they are means."""
    if not isinstance(value, dict):
        expected = 'the set that they are means over, as in {set} = ["elic.json"]'
        raise PydanticCustomError("by_set", "Expected " + expected, {"set": "others.kodak"})
    return value


class Figures(Strict):
    """Which figures to draw, and what to compare the series with."""

    picture: str | None = Field(
        None,
        description="Image that figures show; by default, the first one.",
        examples=["chelsea"],
    )
    anchor: Names = Field(["regular"], description="Methods to compare the others with.")
    draw: Annotated[list[Drawing], Field(min_length=1)] = Field(
        [*DRAWINGS], description="Figures to draw; those without data are left out."
    )
    formats: Annotated[list[Literal["png", "pdf", "svg"]], Field(min_length=1)] = Field(
        ["png", "pdf"], description="File formats of the figures."
    )
    others: Annotated[dict[str, Names], BeforeValidator(by_set)] = Field(
        {},
        description="Published curves, means over a set of images: files in CompressAI's format.",
        examples=[{"kodak": ["elic.json"]}],
    )


class PublishedRow(Strict):
    """A paper's numbers for one file."""

    SAMPLE: ClassVar = {"method": "regular", "k": 16}

    method: str = Field(description='"regular", a detail measure, or a baseline.')
    k: int = Field(description="Codewords; with two codebooks, k1.")
    psnr_db: float | None = Field(None, description="PSNR in dB.", examples=[30.5])
    ssim: float | None = Field(None, description="SSIM.", examples=[0.85])
    ssim_published: float | None = Field(
        None, description='SSIM as the metric "ssim-published" computes it.', examples=[0.8]
    )
    bytes: Bytes | None = Field(None, description="Bytes of the file.", examples=[40000])
    jpeg_bytes: Bytes | None = Field(
        None, description="Bytes of the result as a JPEG.", examples=[20000]
    )


class Published(Strict):
    """A paper's numbers for one image, to compare with those that are measured."""

    SAMPLE: ClassVar = {"source": "A. Author, Title, 2020", "image": "chelsea"}

    source: str = Field(description="The paper.")
    image: str = Field(description="Name of the image.")
    input_bytes: Bytes | None = Field(
        None,
        description="Bytes of the image's own file; tables give jpeg_bytes as a percentage of it.",
        examples=[30000],
    )
    repeated: dict[str, str] = Field(
        {},
        description="Baselines that repeat the paper's code, by the methods they correspond to, "
        'such as {regular = "published-code"}. They appear in tables, not in figures.',
    )
    rows: Annotated[list[PublishedRow], Field(min_length=1)]

    def check(self) -> None:
        """Check the names of methods."""
        known = ("regular", "rate-distortion", *measures.names(), *baselines.names())
        for name in (*self.repeated, *(row.method for row in self.rows)):
            if name.partition(":")[0] not in known:
                near = did_you_mean(name, known)
                raise ConfigError("published", f"a method, one of {', '.join(known)}{near}", name)
        for name in self.repeated.values():
            method = baselines.spec(name, without=COLUMNS)  # as tables have it
            if name != method:
                raise ConfigError("published.repeated", f"a method as in tables, {method}", name)


class Experiment(Strict):
    """The keys of every experiment, whatever its kind."""

    SAMPLE: ClassVar = {"name": "my_experiment", "images": ["chelsea", "coffee"]}

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")] = Field(
        description="Name of the folder of results: letters a to z, digits and underscores."
    )
    question: str = Field(
        "", description="The question that the experiment answers; it opens the page."
    )
    images: Annotated[list[str], Field(min_length=1)] = Field(
        description=f"Files, folders, globs, bundled images ({', '.join(BUNDLED)}, or all as "
        f'"bundled", and "{TRANSPARENCY_SET}"), or a set to download ({", ".join(REMOTE)}).'
    )
    background: str | None = Field(
        None,
        description="Color over which translucent images are flattened; by default, alpha is kept.",
        examples=["white"],
    )
    kind: str = Field(description="Kind of experiment.")

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

    SAMPLE: ClassVar = {"question": "What do regions gain, and what a choice by rate?"}

    kind: Literal["compression"] = "compression"
    metrics: Annotated[list[Metric], Field(min_length=1)] = Field(
        ["psnr", "ssim"], description="Quality metrics; ssimulacra2 needs the extra metrics."
    )
    timing: bool = Field(
        False, description="Whether to measure times; trials then run one at a time."
    )
    repeats: Annotated[int, Field(ge=1)] = Field(
        1, description="With timing: how many times each file is coded; times are medians."
    )
    figures: Figures = Figures.model_validate({})
    published: Published | None = None
    methods: Annotated[list[Method], Field(min_length=1)]

    def codecs(self) -> Iterator[NamedCodec]:
        """Yield the codecs of all methods, except those whose library is missing."""
        for codecs in self.codecs_by_method():
            yield from codecs

    def codecs_by_method(
        self, skip: Skip = lambda _name, _error: None
    ) -> list[Sequence[NamedCodec]]:
        """Return the codecs of each method, except those whose library is missing.

        Parameters
        ----------
        skip : callable, optional
            Called with the name of each codec that is left out, and the error.
        """
        return [method.codecs(skip) for method in self.methods]

    def check(self) -> None:
        """Check the settings of all codecs."""
        super().check()
        for number, method in enumerate(self.methods):
            try:
                method.check()
            except AdaptiveKMeansError as error:
                error.what = f"methods.{number}: {error.what}"
                raise
        if self.published is not None:
            self.published.check()


def check_once(what: str, values: Sequence[object]) -> None:
    """Refuse duplicate values."""
    if len(set(values)) < len(values):
        raise ConfigError(what, "each once", ", ".join(map(str, values)))
