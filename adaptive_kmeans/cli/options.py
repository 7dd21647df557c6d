"""Options that several commands share, in groups.

A group is a frozen dataclass whose fields are options. A command decorated with `grouped` has one
parameter for each group, and the fields of the group as options on the command line. An encoder
option that is not given is None, so that a given option that would have no effect can be refused.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

import typer
from typer import Option

from adaptive_kmeans.codec import DEFAULT_QUALITY, Settings
from adaptive_kmeans.errors import ConfigError
from adaptive_kmeans.limits import MAX_BLOCK_SIZE, MAX_CODEWORDS, PRESETS
from adaptive_kmeans.registry import installed

_CODEWORDS = f"1..{MAX_CODEWORDS}"
DEFAULT_K1, DEFAULT_K2 = 64, 256
"""Codewords of two regions: the default of --k1 or --k2 if only the other one is given."""
K1 = Annotated[
    int | None,
    Option(
        "--k1",
        help=f"Codewords for low-detail blocks, {_CODEWORDS}; by default {DEFAULT_K1}, where there "
        "are two regions. Published method.",
    ),
]
K2 = Annotated[
    int | None,
    Option(
        "--k2",
        help=f"Codewords for high-detail blocks, {_CODEWORDS}; by default {DEFAULT_K2}, where "
        "there are two regions.",
    ),
]
K = Annotated[
    int | None, Option("--k", help="Regular K-means: one region with a codebook of this size.")
]
Background = Annotated[
    str | None,
    Option(
        metavar="COLOR",
        help="Flatten a translucent image over this color; by default alpha is kept.",
    ),
]
AsJson = Annotated[bool, Option("--json", help="Print the numbers as JSON.")]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Print nothing but errors.")]
LimitsName = Annotated[
    str,
    Option(
        "--limits",
        help=f"Limits on what the file may ask for: {' or '.join(PRESETS)}.",
        autocompletion=lambda: list(PRESETS),
    ),
]


def _named(help_text: str, *names: str, family: str | None = None) -> Any:
    """Return an option whose value is one of a few names, which the shell completes.

    Names that installed packages add to a family are completed too.
    """
    return Option(
        help=help_text,
        autocompletion=lambda: [*names, *(() if family is None else installed(family))],
    )


@dataclass(frozen=True)
class KMeansOptions:
    """Options of every K-means clustering."""

    color_space: Annotated[
        str | None,
        _named(
            f"Cluster in rgb, lab, ycbcr, hsv or oklab; by default {Settings.color_space}.",
            *("rgb", "lab", "ycbcr", "hsv", "oklab"),
        ),
    ] = None
    init: Annotated[
        str | None,
        _named(
            f"Initialization of the clustering: wu, k-means++, maximin or random; by default "
            f"{Settings.init}.",
            *("wu", "k-means++", "maximin", "random"),
        ),
    ] = None
    seed: Annotated[
        int | None, Option(help="Seed of --init k-means++ or random; by default 0.")
    ] = None

    @property
    def given(self) -> dict[str, Any]:
        """The options that are given, by the names of the settings that they set."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class ClusterOptions(KMeansOptions):
    """Options of K-means clustering whose result is coded."""

    coder: Annotated[
        str | None,
        _named(
            f"Coder: context-mixing, deflate or fixed-length; by default {Settings.coder}.",
            *("context-mixing", "context-mixing:fast", "deflate", "fixed-length"),
        ),
    ] = None


@dataclass(frozen=True)
class BlockOptions(ClusterOptions):
    """Options for two regions."""

    threshold: Annotated[
        str | None,
        _named(
            f"Detail threshold: median, mean, otsu or quantile:SHARE; by default "
            f"{Settings.threshold}.",
            *("median", "mean", "otsu"),
            family="thresholds",
        ),
    ] = None
    block_size: Annotated[
        int | None,
        Option(
            help=f"Side of a block in pixels, 1..{MAX_BLOCK_SIZE}; by default "
            f"{Settings.block_size}."
        ),
    ] = None


@dataclass(frozen=True)
class EncoderOptions(BlockOptions):
    """Options of the encoder."""

    quality: Annotated[
        float | None,
        Option(
            help="0 to 100, higher is better; sets codebook, choice of codewords and restoration. "
            f"Used by default, at {DEFAULT_QUALITY:g}, unless codebooks are given.",
        ),
    ] = None
    effort: Annotated[
        int | None,
        Option(help=f"1 (fast) to 9 (smallest file); by default {Settings.effort}."),
    ] = None
    tune: Annotated[
        str | None,
        _named(
            "Distortion: perceptual, the default, or psnr for the squared error in RGB.",
            *("perceptual", "psnr"),
        ),
    ] = None
    k: K = None
    k1: K1 = None
    k2: K2 = None
    codebook: Annotated[
        str | None,
        Option(
            metavar="FILE",
            help="Colors from a .json, .csv, .gpl, .css, .npy, .npz or .akm file: each pixel takes "
            "the nearest of exactly these. With a larger --k they are kept, and K-means finds the "
            "others; if a JSON file marks some as locked, only those are kept.",
        ),
    ] = None
    detail: Annotated[
        str | None,
        _named(
            f"Detail measure: eigenvalue, eigenvalue:largest, variance or total-variation; by "
            f"default {Settings.detail}.",
            *("eigenvalue", "eigenvalue:largest", "variance", "total-variation"),
            family="detail",
        ),
    ] = None
    lambda_: Annotated[
        float | None,
        Option(
            "--lambda",
            help="With --k, with --k1 and --k2, or with a complete --codebook: choose codewords by "
            "distortion plus this value times the bits; 0, the default, takes the nearest.",
        ),
    ] = None
    restoration: Annotated[
        str | None,
        _named(
            "Filter for the decoder: none, auto, or wiener:FORM, such as wiener:8+rings; by "
            "default auto when coding by quality, else none.",
            *("none", "auto", "wiener:"),
        ),
    ] = None
    correction: Annotated[
        str | None,
        _named(
            "Coarse correction of the codewords' errors: none or auto; by default auto when coding "
            "by quality, else none.",
            *("none", "auto"),
        ),
    ] = None
    alpha_levels: Annotated[
        int | None,
        Option(
            help="Maximum number of alpha levels of a translucent image, 2..256; by default alpha "
            "is kept without loss.",
        ),
    ] = None

    dither: Annotated[
        str | None,
        _named(
            "With --k, or --k1 and --k2: none, diffusion:STRENGTH or blue-noise:STRENGTH (0 to 1, "
            f"by default 1); by default {Settings.dither}. Makes files larger.",
            *("none", "diffusion", "blue-noise"),
            family="dithering",
        ),
    ] = None

    def settings(self) -> Settings:
        """Return the settings that the options name.

        Raises
        ------
        ConfigError
            They contradict each other, or one would change nothing.
        """
        named = self.given
        if self.codebook is not None:
            for name in ("quality", "k1", "k2"):
                if name in named:
                    raise ConfigError("options", f"either --codebook or --{name}", "both")
            named |= read_codebook(self.codebook, named.pop("k", None))
        k, k1, k2 = (named.pop(name, None) for name in ("k", "k1", "k2"))
        if "lambda_" in named:
            named["price"] = named.pop("lambda_")
        if (k, k1, k2) == (None, None, None):
            if "price" in named:
                if "quality" in named:
                    raise ConfigError("options", "either --quality or --lambda", "both")
                raise ConfigError("--lambda", "codebooks, --k or --k1 and --k2", "none")
            settings = Settings(**named)
        elif "quality" in named:
            raise ConfigError("options", "either --quality, or --k, --k1, --k2", "both")
        elif k is not None:
            if (k1, k2) != (None, None):
                raise ConfigError("options", "either --k or --k1 and --k2", "both")
            settings = Settings.regular(k, **named)
        else:
            k1, k2 = DEFAULT_K1 if k1 is None else k1, DEFAULT_K2 if k2 is None else k2
            settings = Settings.published(k1, k2, **named)
            if k1 >= k2:
                typer.echo(
                    f"note: k1 = {k1} is not below k2 = {k2}, as the method intends", err=True
                )
        refuse_unused(settings, named)
        return settings


def read_codebook(path: str, k: int | None) -> dict[str, Any]:
    """Return the settings for the codewords in a file, with the total number of codewords."""
    from adaptive_kmeans.codebook_files import read

    colors, locked = read(path)
    given = colors[locked] if locked.any() else colors
    k = len(colors) if k is None else k
    if k < len(given):
        raise ConfigError("--k", f"at least the {len(given)} colors of {path}", k)
    return {"codebook": given, "k": k}


def refuse_unused(settings: Settings, named: dict[str, Any]) -> None:
    """Raise `ConfigError` for an option that has no effect at these settings."""
    for name, needed in settings.unused.items():
        if name in named:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(option, needed, "settings that ignore it")


def grouped(function: Callable[..., None]) -> Callable[..., None]:
    """Replace the parameters of a command that are groups by the options of the groups.

    Examples
    --------
    >>> @grouped
    ... def show(name: str, options: ClusterOptions, loud: bool = False) -> None:
    ...     "Print what is given."
    ...     print(name, options.given, loud)
    >>> list(inspect.signature(show).parameters)
    ['name', 'coder', 'color_space', 'init', 'seed', 'loud']
    >>> show(name="cat", seed=3)
    cat {'seed': 3} False
    """
    hints = get_type_hints(function, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    signature: list[inspect.Parameter] = []
    groups: dict[str, type] = {}
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        if not (isinstance(hint, type) and dataclasses.is_dataclass(hint)):
            signature.append(parameter.replace(annotation=hint, kind=keyword))
            continue
        groups[parameter.name] = hint
        types = get_type_hints(hint, include_extras=True)
        signature += [
            inspect.Parameter(
                field.name, keyword, default=field.default, annotation=types[field.name]
            )
            for field in sorted(
                dataclasses.fields(hint), key=lambda field: field.name not in hint.__annotations__
            )
        ]

    @functools.wraps(function)
    def command(**values: Any) -> None:
        made = {}
        for name, group in groups.items():
            names = [field.name for field in dataclasses.fields(group)]
            made[name] = group(**{name: values.pop(name) for name in names if name in values})
        function(**values, **made)

    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in signature}
    return command
