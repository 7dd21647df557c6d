"""The command `export-results`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from adaptive_kmeans.errors import ConfigError, counted


def export_results(
    results: Annotated[
        Path, Argument(metavar="RESULTS", help="A folder of results, with or without its store.")
    ],
    compressai: Annotated[
        Path | None,
        Option(
            "--compressai",
            metavar="DIR",
            help="Write mean curves in CompressAI's JSON format, which its plotting script reads.",
        ),
    ] = None,
    codec_compare: Annotated[
        Path | None,
        Option(
            "--codec-compare",
            metavar="DIR",
            help="Write Codec-Compare batches, with a row for each file, and batches.json.",
        ),
    ] = None,
    save_reconstructions: Annotated[
        Path | None,
        Option(
            "--save-reconstructions",
            metavar="DIR",
            help="Write originals and reconstructions as PNG, after `run --keep-files`; batches "
            "then refer to them.",
        ),
    ] = None,
    force: Annotated[bool, Option("--force", "-f", help="Overwrite existing files.")] = False,
) -> None:
    """Write the results of an experiment in the formats of CompressAI and Codec-Compare."""
    wanted = (compressai, codec_compare, save_reconstructions)
    if wanted == (None, None, None):
        expected = "--compressai DIR, --codec-compare DIR or --save-reconstructions DIR"
        raise ConfigError("options", expected, "none")
    from adaptive_kmeans.experiment.interchange import exporting

    written = exporting.export_results(
        results,
        to_compressai=compressai,
        to_codec_compare=codec_compare,
        pictures=save_reconstructions,
        force=force,
    )
    for folder in wanted:
        if folder is not None:
            count = sum(path.is_relative_to(folder) for path in written)
            typer.echo(f"{folder}: {counted(count, 'file')}")
