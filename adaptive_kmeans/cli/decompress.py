"""The command `decompress`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from adaptive_kmeans.cli import batch
from adaptive_kmeans.cli.console import named
from adaptive_kmeans.cli.options import Background, LimitsName, Quiet, grouped
from adaptive_kmeans.cli.places import Direction, PlaceOptions, Task, is_akm, plan
from adaptive_kmeans.cli.startup import without_garbage_collection, without_scipy
from adaptive_kmeans.files import STANDARD_STREAM
from adaptive_kmeans.limits import MAX_PALETTE, MAX_QUALITY, preset

if TYPE_CHECKING:
    from adaptive_kmeans.progress import Progress

_EXTENSIONS = ("png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp")


@grouped
def decompress(
    inputs: Annotated[
        list[str],
        Argument(
            metavar="INPUT.akm",
            help="Files, folders of files, or - for standard input. After a single input, the name "
            "of an image, or - for PNG on stdout, names the output: PNG, JPEG, WebP, TIFF or BMP "
            "by its extension; by default it is the input's name with the extension .png.",
        ),
    ],
    places: PlaceOptions,
    to: Annotated[
        str,
        Option(
            metavar="EXT",
            help="Extension, and thus format, of outputs that are not named.",
            autocompletion=lambda: list(_EXTENSIONS),
        ),
    ] = "png",
    indexed: Annotated[
        bool,
        Option(
            "--indexed",
            help="Write the image of the codewords, without restoration. A PNG has a palette, is "
            f"grayscale if all colors are, and RGB if there are more than {MAX_PALETTE}; other "
            "lossless formats hold the same colors.",
        ),
    ] = False,
    quality: Annotated[
        int | None,
        Option(
            min=1,
            max=MAX_QUALITY,
            help="Quality of JPEG (by default 95, with chroma at full resolution) or WebP (by "
            "default lossless); other formats have none.",
        ),
    ] = None,
    background: Background = None,
    limits: LimitsName = "default",
    quiet: Quiet = False,
) -> None:
    """Decompress .akm files into images.

    Given a folder, every .akm file below it is decompressed. Existing outputs are never overwritten
    without --force. A file that fails is reported in one line; the others go on, and the exit code
    is then 6.
    """
    from adaptive_kmeans.progress import progress_bar

    work = Decompression(indexed, quality, background, limits)
    work.check()
    made = plan(inputs, places, _direction(f".{to.removeprefix('.')}", work.check_output))
    output = batch.Output(_line, as_json=False, quiet=quiet)
    if made.is_many:
        batch.run(made, work, output, places.jobs)
        return
    for task in made.tasks:
        with (
            without_garbage_collection(),
            without_scipy(),
            progress_bar("decompressing", hidden=quiet) as progress,
        ):
            done = work(task, progress)
        if task.target != STANDARD_STREAM:
            output.done(done)
        else:
            output.noted(done)
    batch.print_skipped(made, output)


@dataclass(frozen=True)
class Decompression:
    """Decompresses one file; see `batch.Work`."""

    indexed: bool
    quality: int | None
    background: str | None
    limits: str

    def check(self) -> None:
        """Raise an error for an option whose value can never be used."""
        preset(self.limits)
        if self.background is not None:
            from adaptive_kmeans import image

            image.parse_color(self.background)

    def check_output(self, target: str) -> None:
        """Raise `ConfigError` for a name that cannot be an output."""
        from adaptive_kmeans import image

        image.output_format(_extension(target), self.quality, is_indexed=self.indexed)

    def __call__(self, task: Task, progress: Progress | None) -> batch.Done:
        """Decompress a file."""
        from adaptive_kmeans import alpha, codec, container, files, image

        allowed = preset(self.limits)
        with named(task.source):
            data = files.read_bytes(
                task.source, allowed.file_bytes, check_start=container.check_start
            )
            pixels = codec.decode(
                data, restored=not self.indexed, limits=allowed, progress=progress
            )
            notes: list[str] = []
            beside = container.Reader(data, allowed).metadata(notes)
        if progress is not None:
            progress("writing", 0.0)
        if self.background is not None:
            pixels = alpha.flatten(pixels, image.parse_color(self.background))
        with named(task.source):
            encoded = image.encode_image(
                pixels,
                _extension(task.target),
                quality=self.quality,
                is_indexed=self.indexed,
                beside=beside,
                notes=notes,
            )
        files.write_bytes(task.target, encoded, replace=task.replace)
        return batch.Done(
            {
                "output": task.target,
                "width": pixels.shape[1],
                "height": pixels.shape[0],
                "input_bytes": len(data),
                "bytes": len(encoded),
            },
            tuple(f"{task.target}: {note}" for note in notes),
        )


def _line(facts: dict[str, Any]) -> str:
    return f"{facts['output']}: {facts['width']}×{facts['height']} pixels, {facts['bytes']:,} B"


def _extension(target: str) -> str:
    return ".png" if target == STANDARD_STREAM else Path(target).suffix


def _is_output(name: str) -> bool:
    return name == STANDARD_STREAM or Path(name).suffix.lower()[1:] in _EXTENSIONS


def _direction(extension: str, check_output: Callable[[str], None]) -> Direction:
    from adaptive_kmeans.datasets import EXTENSIONS

    return Direction(
        extension=extension,
        is_input=is_akm,
        passed_over=EXTENSIONS,
        is_output=_is_output,
        check_output=check_output,
        check_start=_check_start,
    )


def _check_start(source: str, start: bytes) -> None:
    from adaptive_kmeans.container import check_start

    with named(source):
        check_start(start)
