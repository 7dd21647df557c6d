"""The command `export`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from typer import Argument, Option

from adaptive_kmeans import codebook_files, files
from adaptive_kmeans.cli.console import named, print_json, print_notes, say
from adaptive_kmeans.cli.options import AsJson, LimitsName, Quiet
from adaptive_kmeans.errors import ConfigError, UnknownNameError
from adaptive_kmeans.limits import preset

if TYPE_CHECKING:
    from adaptive_kmeans.quantize import Quantized

FORMATS = ("png", *codebook_files.WRITABLE)


def export(
    source: Annotated[str, Argument(metavar="FILE.akm", help="The file, or - for standard input.")],
    outputs: Annotated[
        list[str] | None,
        Option(
            "--output",
            "-o",
            metavar="OUT",
            help=f"An output; its extension sets the format: {', '.join(FORMATS)}. May be "
            "repeated; - with a --format is stdout.",
        ),
    ] = None,
    formats: Annotated[
        list[str] | None,
        Option(
            "--format",
            metavar="NAME",
            help="A format to write beside FILE.akm; may be repeated; by default png and json.",
            autocompletion=lambda: list(FORMATS),
        ),
    ] = None,
    force: Annotated[bool, Option("--force", "-f", help="Overwrite existing outputs.")] = False,
    limits: LimitsName = "default",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Export the index map and the colors of an .akm file for other programs.

    png is the index map, with 8 bits if no codebook has more than 256 codewords, else with 16. Two
    regions add OUT-regions.png, the region of each pixel, and transparency adds OUT-alpha.png.
    json, csv, gpl (GIMP), css and npy hold the colors of each region, in the order of the indices.
    npz holds everything as NumPy arrays.
    """
    from adaptive_kmeans import container

    wanted = _wanted(source, outputs or [], formats or [])
    _check(source, wanted, force)
    allowed = preset(limits)
    with named(source):
        data = files.read_bytes(source, allowed.file_bytes, check_start=container.check_start)
        quantized = container.read(data, limits=allowed)
        contents = container.inspect(data)
    made = list(_make(quantized, wanted))
    _check(source, [(one.target, "") for one in made], force)
    for one in made:
        files.write_bytes(one.target, one.data, replace=force)
    to_stderr = any(one.target == files.STANDARD_STREAM for one in made)
    if (contents.filter_bytes or contents.correction_bytes) and not quiet:
        print_notes([f"{source}: its filter and correction are not exported, only the codewords"])
    if as_json:
        print_json([one.facts for one in made], to_stderr=to_stderr)
    elif not quiet:
        for one in made:
            where = "stdout" if one.target == files.STANDARD_STREAM else one.target
            say(f"{where}: {one.what}, {len(one.data):,} B", err=to_stderr)


class _Export(NamedTuple):
    """A file to write, and what it is."""

    target: str
    what: str
    data: bytes

    @property
    def facts(self) -> dict[str, Any]:
        return {"output": self.target, "what": self.what, "bytes": len(self.data)}


def _wanted(source: str, outputs: Sequence[str], formats: Sequence[str]) -> list[tuple[str, str]]:
    """Return the names of the outputs with their formats."""
    for name in formats:
        if name not in FORMATS:
            raise UnknownNameError("format", name, FORMATS)
    if outputs == [files.STANDARD_STREAM]:
        if len(formats) != 1:
            raise ConfigError("output", "one --format for standard output", len(formats))
        return [(files.STANDARD_STREAM, formats[0])]
    if outputs:
        if formats:
            raise ConfigError("options", "named outputs or --format", "both")
        return [(target, _format_of(target)) for target in outputs]
    if source == files.STANDARD_STREAM:
        raise ConfigError("output", "a name by -o for standard input", "none")
    stem = Path(source).with_suffix("")
    names = {"png": f"{stem}-indices.png", "npz": f"{stem}.npz"}
    return [
        (names.get(name, f"{stem}-codebook.{name}"), name)
        for name in dict.fromkeys(formats or ("png", "json"))
    ]


def _format_of(target: str) -> str:
    extension = Path(target).suffix.lower().removeprefix(".")
    if extension not in FORMATS:
        expected = f"a name that ends in one of {', '.join(f'.{name}' for name in FORMATS)}"
        raise ConfigError("output", expected, target)
    return extension


def _check(source: str, wanted: Sequence[tuple[str, str]], force: bool) -> None:
    """Raise an error if outputs coincide, equal the input, exist, or cannot be written."""
    taken = {os.path.realpath(source)}
    for target, _ in wanted:
        if target == files.STANDARD_STREAM:
            continue
        place = os.path.realpath(target)
        if place in taken and not files.is_special(target):
            raise ConfigError("output", "another file than the input and other outputs", target)
        taken.add(place)
        if not force and files.is_taken(target):
            raise ConfigError("output", "a new name, or --force", f"{target}, which exists")
        files.check_target(target)


def _make(quantized: Quantized, wanted: Sequence[tuple[str, str]]) -> Iterator[_Export]:
    from adaptive_kmeans import exports

    colors = " + ".join(str(len(codebook)) for codebook in quantized.codebooks)
    size = f"{quantized.grid.width}×{quantized.grid.height}"
    for target, name in wanted:
        if name == "npz":
            yield _Export(
                target, f"arrays of {size} pixels, {colors} colors", exports.npz(quantized)
            )
        elif name == "png":
            yield from _maps(quantized, target, size)
        else:
            shares = exports.shares(quantized)
            data = codebook_files.write(name, quantized.codebooks, shares)
            yield _Export(target, f"{colors} colors", data)


def _maps(quantized: Quantized, target: str, size: str) -> Iterator[_Export]:
    from adaptive_kmeans import exports

    deep = max(map(len, quantized.codebooks)) > 256
    bits = 16 if deep else 8
    beside = []
    if len(quantized.codebooks) > 1:
        beside.append(("regions", "region map", exports.region_map_png(quantized)))
    if quantized.alpha is not None:
        beside.append(("alpha", "alpha", exports.alpha_png(quantized.alpha)))
    if beside and target == files.STANDARD_STREAM:
        raise ConfigError("output", f"a name, for {1 + len(beside)} maps", "standard output")
    yield _Export(target, f"index map of {size}, {bits} bits", exports.index_map_png(quantized))
    path = Path(target)
    for suffix, what, data in beside:
        yield _Export(str(path.with_name(f"{path.stem}-{suffix}{path.suffix}")), what, data)
