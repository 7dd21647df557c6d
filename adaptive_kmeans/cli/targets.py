"""Options of `compress` for a target size or quality of the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from adaptive_kmeans.cli.options import EncoderOptions
from adaptive_kmeans.errors import ConfigError, UnreachableError

if TYPE_CHECKING:
    from adaptive_kmeans.targets import Found, Target

_NONE = f"exit code {UnreachableError.exit_code} if there is none."


@dataclass(frozen=True)
class TargetOptions:
    """Options for a target, for which the quality is searched."""

    target_size: Annotated[
        str | None,
        Option(
            metavar="SIZE",
            help="Find the best file of at most this size, such as 50kB, in bytes, kB (1000), KiB "
            f"(1024), MB or MiB; {_NONE}",
        ),
    ] = None
    target_bpp: Annotated[
        float | None,
        Option(help=f"Find the best file of at most this rate in bits per pixel; {_NONE}"),
    ] = None
    target_psnr: Annotated[
        float | None,
        Option(help=f"Find the smallest file of at least this PSNR in dB; {_NONE}"),
    ] = None
    target_ssim: Annotated[
        float | None, Option(help=f"Find the smallest file of at least this SSIM; {_NONE}")
    ] = None
    target_ssimulacra2: Annotated[
        float | None,
        Option(
            help="Find the smallest file of at least this SSIMULACRA 2 (needs the extra metrics); "
            f"{_NONE}",
        ),
    ] = None

    def target(self, encoder: EncoderOptions) -> Target | None:
        """Return the target, if there is one.

        Raises
        ------
        ConfigError
            There are several targets, the value is invalid, or the encoder options already fix
            the quality.
        MissingDependencyError
            Its library is not installed.
        """
        given = {name: value for name, value in vars(self).items() if value is not None}
        if not given:
            return None
        if len(given) > 1:
            raise ConfigError("options", "one target", " and ".join(map(_spelled, given)))
        ((name, value),) = given.items()
        for fixed in ("quality", "k", "k1", "k2", "codebook"):
            if getattr(encoder, fixed) is not None:
                received = f"{_spelled(name)} and --{fixed}"
                raise ConfigError("options", f"either a target or --{fixed}", received)
        from adaptive_kmeans.targets import Target

        return Target(name.removeprefix("target_"), value)


def facts(target: Target, found: Found) -> dict[str, Any]:
    """Return the numbers of a search, for JSON and for its line."""
    return {
        "target": target.kind,
        "target_value": target.value,
        "reached": found.reached,
        "tries": found.tries,
        "quality": found.quality,
    }


def line(numbers: dict[str, Any]) -> str:
    """Return the part of a file's line about its target, "" if there was none.

    Examples
    --------
    >>> line({"target": "psnr", "target_value": 38.0, "reached": 38.071, "tries": 4, "quality": 70})
    'target PSNR of 38.00 dB: 38.07 dB at quality 70 after 4 tries, '
    """
    if "tries" not in numbers:
        return ""
    from adaptive_kmeans.targets import Target

    target = Target(numbers["target"], numbers["target_value"])
    count = "1 try" if numbers["tries"] == 1 else f"{numbers['tries']} tries"
    reached = f"{target.say(numbers['reached'])} at quality {numbers['quality']:g}"
    return f"target {target}: {reached} after {count}, "


def _spelled(name: str) -> str:
    return f"--{name.replace('_', '-')}"
