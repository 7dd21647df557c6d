"""The command `info`."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer import Argument, Option

from adaptive_kmeans import files
from adaptive_kmeans.cli.console import (
    named,
    print_error,
    print_json,
    print_notes,
    print_table,
    say,
)
from adaptive_kmeans.cli.options import AsJson, LimitsName
from adaptive_kmeans.cli.places import files_below, is_akm
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, TrialsFailedError, counted
from adaptive_kmeans.limits import Limits, preset
from adaptive_kmeans.regions import HIGH_DETAIL, one_sided

if TYPE_CHECKING:
    from adaptive_kmeans.container import Contents, Reader
    from adaptive_kmeans.restoration.correction import Correction
    from adaptive_kmeans.restoration.wiener import Filter


def info(
    sources: Annotated[
        list[str],
        Argument(metavar="FILE.akm", help="Files, folders of files, or - for standard input."),
    ],
    verify: Annotated[
        bool, Option("--verify", help="Read the files completely, and verify all checksums.")
    ] = False,
    limits: LimitsName = "default",
    as_json: AsJson = False,
) -> None:
    """Print what .akm files hold, and how their bytes divide up.

    Unless --verify is given, only the parts of a file that describe it are read, not the coded
    pixels.
    """
    allowed = preset(limits)
    failures: list[AdaptiveKMeansError] = []
    found = _expand(sources, failures)
    if len(sources) == 1 and found == list(sources):
        facts = _read(found[0], allowed, verify)
        if as_json:
            print_json(facts.as_dict())
        else:
            _print(found[0], facts, verify)
        return
    for error in failures:
        print_error(error)
    read = []
    for source in found:
        try:
            read.append((source, _read(source, allowed, verify)))
        except AdaptiveKMeansError as error:
            print_error(error)
            failures.append(error)
    if as_json:
        print_json([{"file": source} | facts.as_dict() for source, facts in read])
    elif read:
        _print_all(read)
    if failures:
        raise typer.Exit(TrialsFailedError.exit_code)


class _Facts(NamedTuple):
    """What a file holds."""

    contents: Contents
    correction: Correction | None
    filter: Filter | None
    shares: tuple[float, ...] | None
    """The percentage of the blocks in each of two regions."""

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers by the names that --json prints; absent parts have no numbers."""
        facts = dataclasses.asdict(self.contents) | {"bytes": self.contents.file_bytes}
        if self.filter is not None:
            facts |= {"filter": str(self.filter.form), "filter_gain_db": self.filter.gain_db}
        if self.correction is not None:
            facts |= {
                "correction_block": self.correction.block,
                "correction_step": self.correction.step_levels,
                "correction_gain_db": self.correction.gain_db,
            }
        if self.shares is not None:
            facts["high_percent"] = self.shares[HIGH_DETAIL]
        return facts


def _expand(sources: Sequence[str], failures: list[AdaptiveKMeansError]) -> list[str]:
    found: list[str] = []
    for source in sources:
        if not source:
            raise ConfigError("input", "a file or a folder", "")
        if source != files.STANDARD_STREAM and files.is_folder(source):
            before = len(failures)
            below = sorted(filter(is_akm, files_below(Path(source), failures)))
            if not below and len(failures) == before:
                raise ConfigError("input", "a folder with .akm files", source)
            found += map(str, below)
        else:
            found.append(source)
    return found


def _read(source: str, limits: Limits, verify: bool) -> _Facts:
    """Read the description of a file; a pipe has to be read completely."""
    from adaptive_kmeans import container

    with named(source):
        if verify or source == files.STANDARD_STREAM or not files.is_regular(source):
            data = files.read_bytes(source, limits.file_bytes, check_start=container.check_start)
            if verify:
                reader = container.Reader(data, limits)
                reader.check()
            else:
                reader = container.Reader.peek(io.BytesIO(data), limits)
            return _facts(reader)
        with files.opened(source) as file:
            return _facts(container.Reader.peek(file, limits))


def _facts(reader: Reader) -> _Facts:
    from adaptive_kmeans import codec

    contents = reader.contents
    shares = reader.region_shares() if len(contents.codewords) == 2 else None
    return _Facts(contents, *codec.read_restoration(reader), shares)


def _size(contents: Contents) -> str:
    return f"{contents.width}×{contents.height}"


def _codewords(contents: Contents) -> str:
    return " + ".join(map(str, contents.codewords))


def _alpha(contents: Contents) -> str:
    """Return the number of alpha levels in words, if there are any."""
    levels = contents.alpha_levels
    return f"{counted(levels, 'level')} of alpha, " if levels else ""


def _print(source: str, facts: _Facts, verified: bool) -> None:
    from rich.table import Table

    from adaptive_kmeans.container import METADATA

    contents = facts.contents
    pixels = contents.width * contents.height
    metadata_bytes = sum(each.bytes for each in contents.ancillary if each.type in METADATA)
    other_bytes = contents.other_bytes - metadata_bytes
    say(
        f"{source}: {_size(contents)} pixels, {_codewords(contents)} codewords, "
        f"{_alpha(contents)}blocks of {contents.block_size}, "
        f"coder {contents.coder} (model {contents.model}), "
        f"{counted(contents.bands, 'band')}, "
        f"format version {contents.version}{'; all checksums hold' if verified else ''}"
    )
    table = Table("part", *(_right(name) for name in ("bytes", "share %", "bits per pixel")))
    for part, size in (
        ("header", contents.header_bytes),
        ("codebooks", contents.codebook_bytes),
        ("region map", contents.region_map_bytes),
        ("indices", contents.index_map_bytes),
        *([("correction", contents.correction_bytes)] if contents.correction_bytes else []),
        *([("filter", contents.filter_bytes)] if contents.filter_bytes else []),
        *([("alpha", contents.alpha_bytes)] if contents.alpha_levels else []),
        *([("metadata", metadata_bytes)] if metadata_bytes else []),
        *([("other", other_bytes)] if other_bytes else []),
        ("file", contents.file_bytes),
    ):
        if part == "file":
            table.add_section()
        share = f"{100 * size / contents.file_bytes:.2f}"
        table.add_row(part, f"{size:,}", share, f"{8 * size / pixels:.4f}")
    print_table(table)
    if facts.shares is not None:
        low, high = facts.shares
        typer.echo(f"regions: {low:.1f} % of the blocks low detail, {high:.1f} % high detail")
        said = one_sided(high, Settings.threshold)
        if said:
            print_notes([f"{source}: {said}"])
    if facts.correction is not None:
        correction = facts.correction
        typer.echo(
            f"correction: blocks of {correction.block}×{correction.block} in steps of "
            f"{correction.step_levels:g} levels, +{correction.gain_db:.2f} dB"
        )
    if facts.filter is not None:
        typer.echo(f"filter: {facts.filter.form.summary}, +{facts.filter.gain_db:.2f} dB")
    for section in contents.ancillary:
        if section.type in METADATA:
            typer.echo(f"{METADATA[section.type].upper()}: {section.bytes:,} B")
        else:
            typer.echo(f"ancillary section {section.type}: {section.bytes:,} B, skipped")


def _print_all(read: Sequence[tuple[str, _Facts]]) -> None:
    """Print a row for each file."""
    from rich.markup import escape
    from rich.table import Table

    from adaptive_kmeans.errors import printable

    numbers = ("bytes", "pixels", "codewords", "bpp")
    table = Table("file", *map(_right, numbers), "coder")
    for source, (contents, *_) in read:
        rate = 8 * contents.file_bytes / (contents.width * contents.height)
        cells = f"{contents.file_bytes:,}", _size(contents), _codewords(contents), f"{rate:.4f}"
        table.add_row(escape(printable(source)), *cells, contents.coder)
    print_table(table)


def _right(name: str) -> Any:
    from rich.table import Column

    return Column(name, justify="right")
