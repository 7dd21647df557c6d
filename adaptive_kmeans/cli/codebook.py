"""The command `codebook`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from adaptive_kmeans import codebook_files, files
from adaptive_kmeans.cli.compress import DIRECTION
from adaptive_kmeans.cli.console import print_error, print_json, print_notes, say
from adaptive_kmeans.cli.options import (
    AsJson,
    Background,
    KMeansOptions,
    Quiet,
    grouped,
    read_codebook,
    refuse_unused,
)
from adaptive_kmeans.cli.places import Plan, find_inputs
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    ConfigError,
    TrialsFailedError,
    UnknownNameError,
)


@grouped
def codebook(
    inputs: Annotated[list[str], Argument(metavar="IMAGE", help="Images, or folders of images.")],
    options: KMeansOptions,
    output: Annotated[
        str,
        Option(
            "--output",
            "-o",
            metavar="OUT",
            help="The file of colors; its extension sets the format: "
            f"{', '.join(codebook_files.WRITABLE)}; - for stdout.",
        ),
    ],
    k: Annotated[int, Option("--k", help="Number of colors.")],
    locked: Annotated[
        str | None,
        Option("--codebook", metavar="FILE", help="Colors to keep; K-means finds the others."),
    ] = None,
    per_image: Annotated[
        bool,
        Option("--per-image", help="Weight all images equally; by default all pixels."),
    ] = False,
    background: Background = None,
    format_name: Annotated[
        str | None,
        Option(
            "--format",
            metavar="NAME",
            help="Format of standard output; by default json.",
            autocompletion=lambda: list(codebook_files.WRITABLE),
        ),
    ] = None,
    force: Annotated[bool, Option("--force", "-f", help="Overwrite an existing output.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Find one codebook for many images, such as sprites or frames, to use in compress --codebook.

    An image that cannot be read is reported and left out of the codebook; the exit code is then 6.
    """
    from adaptive_kmeans.clustering.joint import JointColors
    from adaptive_kmeans.image import read_image
    from adaptive_kmeans.progress import trial_bar

    settings = _settings(options, k, locked)
    name = _format(output, format_name)
    if files.is_taken(output) and not force:
        raise ConfigError("output", "a new name, or --force", f"{output}, which exists")
    made = Plan()
    found = find_inputs(inputs, DIRECTION, made)
    if not found and not made.failures:
        raise ConfigError("inputs", "images, or folders with some", ", ".join(inputs))
    files.check_target(output)
    colors = JointColors(per_image=per_image)
    failures, read, pixels = list(made.failures), 0, 0
    for error in failures:
        print_error(error)
    with trial_bar(len(found), "images", hidden=quiet, logs=False) as bar:
        for source, _ in found:
            try:
                picture = read_image(source, background)
                colors.add(picture.pixels)
            except AdaptiveKMeansError as error:
                failures.append(error)
                with bar.aside():
                    print_error(error)
                bar(failed=True)
                continue
            read, pixels = read + 1, pixels + picture.pixels.shape[0] * picture.pixels.shape[1]
            with bar.aside():
                print_notes(() if quiet else (f"{source}: {note}" for note in picture.notes))
            bar(failed=False)
    if not read:
        raise failures[0]
    shared = colors.cluster(
        k,
        init=settings.init,
        tolerance=settings.tolerance,
        color_space=settings.color_space,
        seed=settings.seed,
        locked=settings.codebook,
    )
    data = codebook_files.write(name, [shared.colors], [shared.shares.tolist()])
    files.write_bytes(output, data, replace=force)
    facts = {
        "output": output,
        "images": read,
        "pixels": pixels,
        "k": len(shared.colors),
        "given_colors": len(settings.codebook),
        "psnr_db": shared.psnr_db,
        "bytes": len(data),
        "errors": [str(error) for error in failures],
    }
    to_stderr = output == files.STANDARD_STREAM
    if as_json:
        print_json(facts, to_stderr=to_stderr)
    elif not quiet:
        say(_line(facts), err=to_stderr)
    if failures:
        raise typer.Exit(TrialsFailedError.exit_code)


def _settings(options: KMeansOptions, k: int, locked: str | None) -> Settings:
    """Check the options and return them as settings."""
    given: dict[str, Any] = {"k": k} if locked is None else read_codebook(locked, k)
    settings = Settings(k1=given.pop("k"), **given, **options.given)
    if settings.is_given:
        raise ConfigError("--k", f"more than the {k} colors of {locked}", k)
    refuse_unused(settings, options.given)
    return settings


def _format(output: str, format_name: str | None) -> str:
    name = "json" if format_name is None else format_name
    if output != files.STANDARD_STREAM:
        if format_name is not None:
            raise ConfigError("--format", "- as the output", output)
        name = Path(output).suffix.lower().removeprefix(".")
        if name not in codebook_files.WRITABLE:
            known = ", ".join(f".{one}" for one in codebook_files.WRITABLE)
            raise ConfigError("output", f"a name that ends in one of {known}", output)
    if name not in codebook_files.WRITABLE:
        raise UnknownNameError("format", name, codebook_files.WRITABLE)
    return name


def _line(facts: dict[str, Any]) -> str:
    where = "stdout" if facts["output"] == files.STANDARD_STREAM else facts["output"]
    images = f"{facts['images']} image{'' if facts['images'] == 1 else 's'}"
    given = f", {facts['given_colors']} of them given" if facts["given_colors"] else ""
    quality = f"PSNR {facts['psnr_db']:.2f} dB" if facts["psnr_db"] < float("inf") else "lossless"
    return (
        f"{where}: {facts['k']} colors{given}, of {images} with {facts['pixels']:,} pixels; "
        f"{quality} where each pixel takes the nearest"
    )
