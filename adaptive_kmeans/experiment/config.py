"""Experiment configs: TOML files that name images, methods and swept parameters.

.. code-block:: toml

    name = "quickstart"
    question = "What do regions do at the same codebook sizes?"
    images = ["chelsea", "coffee"]      # bundled names, files, folders, globs
    background = "white"                # for translucent images; optional
    metrics = ["psnr", "ssim"]          # and "ssim-published", "ciede2000", "ssimulacra2"
    timing = false                      # true runs trials one by one, and times count
    repeats = 1                         # of encoding and decoding, for the median of the times

    [figures]
    picture = "chelsea"                 # whose pixels the figures show; the first image by default
    anchor = "regular"                  # the method that others are compared with
    draw = ["quality"]                  # figures; all by default
    formats = ["png", "pdf"]            # of drawings; grids of pictures are PNG files

    [published]                         # numbers of a paper, set beside ours; optional
    source = "A. Author, Title, 2020"
    image = "chelsea"
    rows = [{ method = "regular", k = 16, psnr_db = 30.5 }]     # k is k1 of two codebooks

    [[methods]]
    method = "regular"
    k = [16, 64]

    [[methods]]
    method = "region-adaptive"
    detail = ["eigenvalue", "variance"]
    k1 = [16, 64]
    k2 = 256

    [[methods]]
    method = "baseline"
    codec = ["jpeg", "webp"]            # see `adaptive_kmeans.baselines.image_codecs`
    quality = [50, 75, 90]              # or k, for those that have a palette

Every parameter of a method takes a value or a list; lists are swept, all combinations of them.

A config of the kind "clustering-speed" times engines instead of making files:

.. code-block:: toml

    kind = "clustering-speed"
    name = "clustering_speed"
    images = ["chelsea"]
    k = [16, 256]
    repeats = 5                         # in turns, for the median and the range
    budget_s = 10.0                     # an engine's share of time for an image and k

    [[engines]]
    engine = "adaptive-kmeans:exact"
    threads = [1, 2]

One of the kind "coding-size" sets the files of our coders beside those of lossless peers:

.. code-block:: toml

    kind = "coding-size"
    name = "coding_size"
    images = ["chelsea"]                # translucent ones are skipped, unless background is given
    k = [16, 256]
    coders = ["context-mixing"]
    peers = ["png8-oxipng", "jpeg-xl:9"]
    repeats = 1                         # for the median of the times

And one of the kind "coder-ablation" codes index maps without groups of contexts:

.. code-block:: toml

    kind = "coder-ablation"
    name = "coder_ablation"
    images = ["chelsea"]
    k = [16, 256]

One of the kind "classifiers" compares the blocks that measures of detail pick:

.. code-block:: toml

    kind = "classifiers"
    name = "classifiers"
    images = ["chelsea"]
    detail = ["eigenvalue", "variance"]
    threshold = ["median", "quantile:0.75"]
    block_size = [4, 16]
    k1 = 32                             # codebooks of the whole image, for the
    k2 = 256                            # rate–distortion choice; k1 < k2

And one of the kind "elbow" chooses k at the elbow of each image's distortion:

.. code-block:: toml

    kind = "elbow"
    name = "elbow"
    images = ["chelsea"]
    k = [2, 4, 8, 16, 32, 64, 128, 256]
    coder = "context-mixing"
    color_space = "rgb"
    seed = 0
"""

from __future__ import annotations

import contextlib
import itertools
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
)

from adaptive_kmeans import files
from adaptive_kmeans.baselines.checked import Baseline
from adaptive_kmeans.baselines.clustering import engines
from adaptive_kmeans.baselines.image_codecs import baselines
from adaptive_kmeans.baselines.lossless import peers
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, MissingDependencyError
from adaptive_kmeans.image import parse_color

MAX_CONFIG_BYTES = 2**20

Metric = Literal["psnr", "ssim", "ssim-published", "ciede2000", "ssimulacra2"]


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


Drawing = Literal[
    "classification",
    "reconstructions",
    "details",
    "quality",
    "psnr_against_rate",
    "ssim_against_rate",
    "ssimulacra2_against_rate",
    "ciede2000_against_rate",
    "rate_split",
    "time_against_rate",
]
"""The figures; one that the trials have nothing to show of is left out."""

Integers = Annotated[list[int], BeforeValidator(_listed), Field(min_length=1)]
Names = Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Shared(_Strict):
    """Parameters that every method has."""

    block_size: Integers = [4]
    coder: Names = ["context-mixing"]
    color_space: Names = ["rgb"]
    seed: Integers = [0]


class RegularMethod(_Shared):
    """Regular K-means: one region, one codebook."""

    method: Literal["regular"]
    k: Integers


class RegionAdaptiveMethod(_Shared):
    """One codebook for low detail, one for high detail."""

    method: Literal["region-adaptive"]
    detail: Names
    k1: Integers
    k2: Integers
    threshold: Names = ["median"]


class BaselineMethod(_Strict):
    """Other codecs, at their own settings."""

    method: Literal["baseline"]
    codec: Names
    quality: Integers | None = None
    k: Integers | None = None

    def specs(self) -> Iterator[str]:
        """Yield the spec of every codec at every setting."""
        if self.quality is not None and self.k is not None:
            raise ConfigError("methods", "quality or k", "both")
        for name in self.codec:
            swept = self.quality or self.k
            yield from [name] if swept is None else [f"{name}:{value}" for value in swept]


Method = Annotated[
    RegularMethod | RegionAdaptiveMethod | BaselineMethod, Field(discriminator="method")
]


class Figures(_Strict):
    """What figures show, and what series are compared with."""

    picture: str | None = None
    anchor: str = "regular"
    draw: Annotated[list[Drawing], Field(min_length=1)] = list(get_args(Drawing))
    formats: Annotated[list[Literal["png", "pdf", "svg"]], Field(min_length=1)] = ["png", "pdf"]


class PublishedRow(_Strict):
    """What a paper says of one file; `method` is "regular", a detail measure or a baseline."""

    method: str
    k: int
    psnr_db: float | None = None
    ssim: float | None = None
    ssim_published: float | None = None
    bytes: int | None = None


class Published(_Strict):
    """Numbers of a paper on one image."""

    source: str
    image: str
    rows: Annotated[list[PublishedRow], Field(min_length=1)]


class _Experiment(_Strict):
    """What every experiment says."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    question: str = ""
    images: Annotated[list[str], Field(min_length=1)]
    background: str | None = None


class CompressionConfig(_Experiment):
    """Images × methods × parameters, measured on the files that they make."""

    kind: Literal["compression"] = "compression"
    metrics: Annotated[list[Metric], Field(min_length=1)] = ["psnr", "ssim"]
    timing: bool = False
    repeats: Annotated[int, Field(ge=1)] = 1
    figures: Figures = Figures()
    published: Published | None = None
    methods: Annotated[list[Method], Field(min_length=1)]

    def codecs(self) -> Iterator[Settings | str]:
        """Yield our settings for all combinations of parameters, and the specs of baselines."""
        for method in self.methods:
            if isinstance(method, BaselineMethod):
                yield from method.specs()
                continue
            swept = method.model_dump(exclude={"method"})
            for values in itertools.product(*swept.values()):
                parameters = dict(zip(swept, values, strict=True))
                if isinstance(method, RegularMethod):
                    yield Settings.regular(**parameters)
                else:
                    yield Settings(**parameters)


class EngineConfig(_Strict):
    """A clustering engine and the numbers of threads that it is given."""

    engine: str
    threads: Integers = [2]


class ClusteringSpeedConfig(_Experiment):
    """Clustering engines × images × k × threads, timed in turns."""

    kind: Literal["clustering-speed"]
    k: Integers
    engines: Annotated[list[EngineConfig], Field(min_length=1)]
    repeats: Annotated[int, Field(ge=1)] = 3
    budget_s: float = 10.0


class CodingSizeConfig(_Experiment):
    """Coders and lossless peers × images × k: whole files of the same reconstruction."""

    kind: Literal["coding-size"]
    k: Integers
    coders: Names = ["context-mixing"]
    peers: Annotated[list[str], BeforeValidator(_listed)] = []
    repeats: Annotated[int, Field(ge=1)] = 1


class CoderAblationConfig(_Experiment):
    """Groups of contexts × images × k: index maps coded without each group."""

    kind: Literal["coder-ablation"]
    k: Integers


class ClassifiersConfig(_Experiment):
    """Measures of detail × thresholds × block sizes × images: which blocks they pick."""

    kind: Literal["classifiers"]
    detail: Names
    threshold: Names = ["median"]
    block_size: Integers = [2, 4, 8, 16, 32]
    k1: int = 32
    k2: int = 256


class ElbowConfig(_Experiment):
    """Files of regular K-means over k, and the k at the elbow of each image's distortion."""

    kind: Literal["elbow"]
    k: Annotated[list[int], Field(min_length=2)] = [2, 4, 8, 16, 32, 64, 128, 256]
    coder: str = "deflate"
    color_space: str = "rgb"
    seed: int = 0

    def settings(self, k: int) -> Settings:
        """Return the settings of the file with k codewords."""
        return Settings.regular(k, coder=self.coder, color_space=self.color_space, seed=self.seed)


AnyConfig: TypeAlias = (
    CompressionConfig
    | ClusteringSpeedConfig
    | CodingSizeConfig
    | CoderAblationConfig
    | ClassifiersConfig
    | ElbowConfig
)


def _kind(document: dict[str, Any]) -> Any:
    return document.get("kind", "compression")


_Tagged = Annotated[
    Annotated[CompressionConfig, Tag("compression")]
    | Annotated[ClusteringSpeedConfig, Tag("clustering-speed")]
    | Annotated[CodingSizeConfig, Tag("coding-size")]
    | Annotated[CoderAblationConfig, Tag("coder-ablation")]
    | Annotated[ClassifiersConfig, Tag("classifiers")]
    | Annotated[ElbowConfig, Tag("elbow")],
    Discriminator(_kind),
]


def read_config(path: Path, changes: Sequence[str] = ()) -> AnyConfig:
    """Read and validate a config file.

    Parameters
    ----------
    path : Path
        The TOML file.
    changes : sequence of str
        ``key=value`` that replace what the file says: a dotted key, with the number of an element
        of a list from 0 on, and a TOML value, such as ``methods.0.k=[16, 32]``. A value that is no
        TOML is taken as a string.

    Raises
    ------
    ReadError
        The file cannot be read.
    ConfigError
        It is no TOML, or has an unknown key or a value out of range; the message names the key.
    """
    try:
        text = files.read_bytes(path, MAX_CONFIG_BYTES).decode("utf-8-sig")
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        if isinstance(error, AdaptiveKMeansError):
            raise
        raise ConfigError(str(path), "TOML", error) from error
    for change in changes:
        _change(document, change)
    return check_config(document, str(path))


def _change(document: dict[str, Any], change: str) -> None:
    """Set one key of a parsed config."""
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise ConfigError("--set", "key=value", change)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        value = text
    *parents, last = key.strip().split(".")
    place: Any = document
    try:
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
        place[int(last) if isinstance(place, list) else last] = value
    except (ValueError, IndexError, TypeError, AttributeError):
        raise ConfigError("--set", "a key that the config can have", key) from None


def check_config(document: dict[str, Any], source: str) -> AnyConfig:
    """Validate a parsed config; see `read_config`."""
    try:
        config: AnyConfig = TypeAdapter(_Tagged).validate_python(document)
        if config.background is not None:
            parse_color(config.background)
        if isinstance(config, CompressionConfig):
            _check_methods(config)
        elif isinstance(config, ClusteringSpeedConfig):
            for contestant in config.engines:
                engines.create(contestant.engine)
        elif isinstance(config, ClassifiersConfig):
            _check_classifiers(config)
        elif isinstance(config, ElbowConfig):
            for k in config.k:
                config.settings(k)
            _check_once("k", config.k)
        else:
            _check_coding(config)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_first_problem(error)}") from None
    except AdaptiveKMeansError as error:
        error.what = f"{source}: {error.what}"
        raise
    return config


def _check_methods(config: CompressionConfig) -> None:
    """Make what every method asks for; a baseline whose library is missing is skipped when run."""
    for method in config.methods:
        if isinstance(method, BaselineMethod):
            for name in method.codec:
                with contextlib.suppress(MissingDependencyError):
                    _check_setting(method, name)
    for codec in config.codecs():
        if isinstance(codec, str):
            with contextlib.suppress(MissingDependencyError):
                Baseline.create(codec)


def _check_setting(method: BaselineMethod, name: str) -> None:
    """Refuse a key that is not the setting of a codec."""
    setting = baselines.setting(name)
    for key in ("quality", "k"):
        if getattr(method, key) is not None and key != setting:
            expected = setting if setting in ("quality", "k") else "neither quality nor k"
            raise ConfigError(f"methods: baseline {name}", expected, key)


def _check_coding(config: CodingSizeConfig | CoderAblationConfig) -> None:
    for k in config.k:
        Settings.regular(k)
    if isinstance(config, CodingSizeConfig):
        for coder in config.coders:
            Settings.regular(2, coder=coder)
        for peer in config.peers:
            peers.create(peer)
        _check_once("coders and peers", [*config.coders, *config.peers])


def _check_classifiers(config: ClassifiersConfig) -> None:
    swept = itertools.product(config.detail, config.threshold, config.block_size)
    for detail, threshold, block_size in swept:
        Settings(config.k1, config.k2, detail, threshold, block_size)
    if config.k1 >= config.k2:
        raise ConfigError("k1", f"fewer codewords than k2 = {config.k2}", config.k1)
    for key in ("detail", "threshold", "block_size"):
        _check_once(key, getattr(config, key))


def _check_once(what: str, values: Sequence[object]) -> None:
    if len(set(values)) < len(values):
        raise ConfigError(what, "each once", ", ".join(map(str, values)))


def _first_problem(error: ValidationError) -> str:
    """Say the first problem in one line: the key, what is wrong, what was received."""
    problem = error.errors(include_url=False)[0]
    path = [str(part) for part in problem["loc"][1:]]
    if problem["type"].startswith("union_tag"):  # a kind or a method, which are told by their name
        key = problem["ctx"]["discriminator"].strip("_'()")
        path.append(key)
        known = problem["ctx"].get("expected_tags", "").replace("'", "")
        if known:
            received = problem["input"][key]
            return f"{'.'.join(path)}: expected one of {known}, received {received!r}"
        return f"missing key {'.'.join(path)}"
    where = ".".join(path) or "config"
    if problem["type"] == "extra_forbidden":
        return f"unknown key {where}"
    if problem["type"] == "missing":
        return f"missing key {where}"
    message = problem["msg"]
    return f"{where}: {message[0].lower()}{message[1:]}, received {problem['input']!r}"
