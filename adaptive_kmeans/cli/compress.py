"""The command `compress`."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from adaptive_kmeans import files
from adaptive_kmeans.cli import batch, targets
from adaptive_kmeans.cli.console import named, print_json
from adaptive_kmeans.cli.options import AsJson, Background, EncoderOptions, Quiet, grouped
from adaptive_kmeans.cli.places import Direction, PlaceOptions, Task, is_akm, plan
from adaptive_kmeans.cli.startup import compiling_apart, without_garbage_collection, without_scipy
from adaptive_kmeans.cli.targets import TargetOptions
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.errors import ConfigError, CorruptError, LargerError
from adaptive_kmeans.regions import HIGH_DETAIL, one_sided

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from adaptive_kmeans.image import SourceImage
    from adaptive_kmeans.progress import Progress
    from adaptive_kmeans.targets import Target

    Pixels = npt.NDArray[np.uint8]


@grouped
def compress(
    inputs: Annotated[
        list[str],
        Argument(
            metavar="INPUT",
            help="Images, folders of images, or - for standard input. After a single input, a name "
            "ending in .akm, or - for stdout, names the output; by default it is the input's name "
            "with the extension .akm.",
        ),
    ],
    encoder: EncoderOptions,
    target: TargetOptions,
    places: PlaceOptions,
    background: Background = None,
    keep_metadata: Annotated[
        bool,
        Option(
            "--keep-metadata",
            help="Keep EXIF (without its thumbnail) and XMP; by default they are left out.",
        ),
    ] = False,
    verify: Annotated[
        bool, Option("--verify", help="Decode the file before writing it, and compare.")
    ] = False,
    skip_if_larger: Annotated[
        bool,
        Option(
            "--skip-if-larger",
            help=f"Do not write a file that is not smaller than its input; exit code "
            f"{LargerError.exit_code}.",
        ),
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compress images into .akm files, and print their size and quality.

    Given a folder, every image below it is compressed. Existing outputs are never overwritten
    without --force. A file that fails is reported in one line; the others go on, and the exit code
    is then 6.
    """
    wanted = target.target(encoder)
    is_told = as_json or not quiet
    work = Compression(
        encoder.settings(), wanted, background, verify, skip_if_larger, keep_metadata, is_told
    )
    made = plan(inputs, places, DIRECTION)
    output = batch.Output(_line, as_json, quiet)
    if made.is_many or (as_json and made.skipped):
        if made.tasks:
            with without_garbage_collection():
                _load_kernels(work.settings)
        batch.run(made, work, output, places.jobs)
        return
    for task in made.tasks:
        from adaptive_kmeans.progress import progress_bar

        to_stdout = task.target == files.STANDARD_STREAM
        with (
            without_garbage_collection(),
            progress_bar("loading the kernels; the first run compiles them", hidden=quiet) as told,
        ):
            done = work(task, told)
        output.done(done, to_stderr=to_stdout)
        if as_json:
            print_json(done.facts, to_stderr=to_stdout)
    batch.print_skipped(made, output)


@dataclass(frozen=True)
class Compression:
    """Compresses one image at given settings, or to a target; see `batch.Work`."""

    settings: Settings
    target: Target | None
    background: str | None
    verify: bool
    skip_if_larger: bool
    keep_metadata: bool
    is_told: bool
    """Whether to compute numbers that take time, such as the cost of dithering, for printing."""

    def __call__(self, task: Task, progress: Progress | None) -> batch.Done:
        """Compress an image."""
        from adaptive_kmeans import image, metrics

        picture = image.read_image(task.source, self.background)
        _load_kernels(self.settings)
        start = time.perf_counter()
        with named(task.source):
            data, decoded, settings, found = self._encode(picture, progress)
        times = {"encode_s": time.perf_counter() - start}
        if self.verify:
            start = time.perf_counter()
            _verify(task.target, data, decoded, progress)
            times["decode_s"] = time.perf_counter() - start
        notes = [f"{task.source}: {note}" for note in picture.notes]
        if picture.metadata.names and not self.keep_metadata:
            left_out = f"{picture.metadata.names} left out; --keep-metadata keeps them"
            notes.append(f"{task.source}: {left_out}")
        if len(data) >= picture.file_bytes:
            if self.skip_if_larger:
                expected = f"fewer bytes than the input's {picture.file_bytes:,} to be written"
                raise LargerError(task.target, expected, f"{len(data):,}")
            larger = f"{len(data):,} B, not smaller than the input's {picture.file_bytes:,} B"
            notes.append(f"{_shown(task.target)}: {larger}")
        cost = {}
        if self.settings.is_dithered and self.is_told:
            undithered = _undithered_bytes(picture.pixels, self.settings, progress)
            cost = {"undithered_bytes": undithered}
            added = len(data) - undithered
            notes.append(
                f"{_shown(task.target)}: dithering adds {added:,} B "
                f"({100 * added / undithered:.0f} %) to the {undithered:,} B without it"
            )
        measured = _measurements(picture.pixels, settings, data, decoded)
        said = one_sided(measured.get("high_percent"), settings.threshold)
        if said:
            notes.append(f"{_shown(task.target)}: {said}")
        facts = {
            "output": task.target,
            "input_format": picture.file_format,
            "input_bytes": picture.file_bytes,
            "raw_bytes": metrics.raw_bytes(picture.pixels.shape),
            "ratio_to_input": picture.file_bytes / len(data),
            "image": task.source,
            **measured,
            **cost,
            **found,
            **times,
        }
        files.write_bytes(task.target, data, replace=task.replace)
        return batch.Done(facts, tuple(notes))

    def _encode(
        self, picture: SourceImage, progress: Progress | None
    ) -> tuple[bytes, Pixels, Settings, dict[str, Any]]:
        """Return the file, its decoded pixels, its settings, and the numbers of a search."""
        kept = picture.metadata if self.keep_metadata and picture.metadata.names else None
        if self.target is None:
            from adaptive_kmeans import codec, container

            data, decoded = codec.encode_with_reconstruction(
                picture.pixels, self.settings, progress=progress
            )
            if kept is not None:
                data = container.with_metadata(data, kept)
            return data, decoded, self.settings, {}
        from adaptive_kmeans.targets import encode_to

        found = encode_to(
            picture.pixels, self.target, self.settings, metadata=kept, progress=progress
        )
        settings = dataclasses.replace(self.settings, quality=found.quality, price=0.0)
        return found.data, found.decoded, settings, targets.facts(self.target, found)


@functools.cache
def _load_kernels(settings: Settings) -> None:
    """Load the kernels, compiling them first on a new machine."""
    from adaptive_kmeans import codec

    # Only for this import: a plug-in may have kernels that multiply matrices.
    with without_scipy():
        import numba.np.arraymath  # noqa: F401
    with compiling_apart(settings.file_coder):
        codec.warm_up_search(settings)
    codec.warm_up_coder(settings.file_coder)


def _measurements(
    pixels: Pixels, settings: Settings, data: bytes, decoded: Pixels
) -> dict[str, Any]:
    """Return settings, quality and rate of a file, keyed by the columns of experiment tables."""
    from adaptive_kmeans import container, metrics
    from adaptive_kmeans.codec import AdaptiveKMeans

    reader = container.Reader(data)
    shares = reader.region_shares() if len(reader.contents.codewords) == 2 else ()
    return {
        **AdaptiveKMeans(settings).columns,
        **({"high_percent": shares[HIGH_DETAIL]} if shares else {}),
        **({"given_colors": len(settings.codebook)} if settings.codebook else {}),
        "psnr_db": metrics.psnr(pixels, decoded),
        "ssim": metrics.ssim(pixels, decoded),
        "bytes": len(data),
        "bits_per_pixel": metrics.bits_per_pixel(data, pixels.shape),
        "compression_ratio": metrics.compression_ratio(data, pixels.shape),
        "space_saving_percent": metrics.space_saving_percent(data, pixels.shape),
        **{name: getattr(reader.contents, name) for name in container.PARTS},
        **({"metadata_bytes": reader.contents.other_bytes} if reader.contents.other_bytes else {}),
    }


def _undithered_bytes(pixels: Pixels, settings: Settings, progress: Progress | None) -> int:
    """Return the size of the file with the same codebooks but without dithering."""
    from adaptive_kmeans import codec

    def waiting(_: str, share: float) -> None:
        if progress is not None:
            progress("coding without dithering, to compare", share)

    undithered = dataclasses.replace(settings, dither=Settings.dither)
    return len(codec.encode(pixels, undithered, progress=waiting))


def _verify(target: str, data: bytes, reconstruction: Pixels, progress: Progress | None) -> None:
    """Raise `CorruptError` unless a file decodes to the encoder's reconstruction."""
    from adaptive_kmeans import codec

    if not (codec.decode(data, progress=progress) == reconstruction).all():
        expected = "a file that decodes to the encoder's reconstruction"
        raise CorruptError(target, expected, "other pixels")


def _line(facts: dict[str, Any]) -> str:
    """Return the line to print for a file; every number is labeled."""
    psnr_db, ssim = facts["psnr_db"], facts["ssim"]
    quality = "lossless" if math.isinf(psnr_db) else f"PSNR {psnr_db:.2f} dB"
    times = f"encoded in {facts['encode_s']:.2f} s"
    if "decode_s" in facts:
        times += f", verified in {facts['decode_s']:.2f} s"
    return (
        f"{_shown(facts['output'])}: "
        f"{facts['input_format']} of {facts['input_bytes']:,} B (raw {facts['raw_bytes']:,} B) → "
        f"{facts['bytes']:,} B, {facts['bits_per_pixel']:.3f} bits per pixel, "
        f"{facts['compression_ratio']:.2f}:1 to raw, "
        f"{facts['ratio_to_input']:.2f}:1 to the input, "
        f"{quality}, {'too small for SSIM' if math.isnan(ssim) else f'SSIM {ssim:.4f}'}, "
        f"{targets.line(facts)}{times}"
    )


def _shown(target: str) -> str:
    return "stdout" if target == files.STANDARD_STREAM else target


def _is_image(path: Path) -> bool:
    """Whether a file in a folder is an image, by its extension or its first bytes."""
    from adaptive_kmeans.datasets import EXTENSIONS
    from adaptive_kmeans.image import is_image

    if is_akm(path):
        return False
    if path.suffix.lower() in EXTENSIONS:
        return True
    try:
        with path.open("rb") as file:
            return is_image(file.read(files.START_BYTES))
    except OSError:  # reading it will report the error
        return True


def _check_output(target: str) -> None:
    special = target == files.STANDARD_STREAM or files.is_special(target)
    if not special and Path(os.path.realpath(target)).suffix.lower() != ".akm":
        raise ConfigError("output", "a name that ends in .akm, or -", target)


def _check_start(source: str, start: bytes) -> None:
    from adaptive_kmeans.image import check_start

    check_start(source, start)


DIRECTION = Direction(
    extension=".akm",
    is_input=_is_image,
    passed_over=(".akm",),
    is_output=lambda name: name == files.STANDARD_STREAM or name.lower().endswith(".akm"),
    check_output=_check_output,
    check_start=_check_start,
)
