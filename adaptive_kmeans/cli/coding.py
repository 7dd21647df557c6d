"""Commands that code files: `compress`, `decompress`, `info`."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from adaptive_kmeans.cli.console import print_conversions, print_json, print_table
from adaptive_kmeans.cli.options import (
    DEFAULT_K1,
    DEFAULT_K2,
    K1,
    K2,
    AsJson,
    Background,
    BlockSize,
    Coder,
    ColorSpace,
    Correction,
    Detail,
    Effort,
    K,
    Lambda,
    LimitsName,
    Quality,
    Restoration,
    Seed,
    Threshold,
    Tune,
)
from adaptive_kmeans.cli.startup import compiling_apart, without_garbage_collection, without_scipy
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, CorruptError
from adaptive_kmeans.limits import preset

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from adaptive_kmeans.progress import Progress

    Pixels = npt.NDArray[np.uint8]


def compress(
    source: Annotated[str, Argument(metavar="INPUT", help="An image, or - for standard input.")],
    output: Annotated[
        str | None,
        Argument(metavar="OUTPUT.akm", help="By default the input's name with .akm; - for stdout."),
    ] = None,
    quality: Quality = None,
    effort: Effort = Settings.effort,
    tune: Tune = Settings.tune,
    k: K = None,
    k1: K1 = None,
    k2: K2 = None,
    detail: Detail = Settings.detail,
    threshold: Threshold = Settings.threshold,
    block_size: BlockSize = Settings.block_size,
    coder: Coder = Settings.coder,
    color_space: ColorSpace = Settings.color_space,
    seed: Seed = Settings.seed,
    lambda_: Lambda = Settings.price,
    restoration: Restoration = None,
    correction: Correction = None,
    background: Background = None,
    verify: Annotated[
        bool, Option("--verify", help="Decode the file before writing it, and compare.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compress an image into an .akm file, and print its size and quality."""
    from adaptive_kmeans import codec, files, image
    from adaptive_kmeans.progress import progress_bar

    settings = _settings(
        k1,
        k2,
        k,
        detail=detail,
        threshold=threshold,
        block_size=block_size,
        coder=coder,
        color_space=color_space,
        seed=seed,
        price=lambda_,
        quality=quality,
        effort=effort,
        tune=tune,
        restoration=restoration,
        correction=correction,
    )
    target = files.akm_target(source, output)
    picture = image.read_image(source, background)
    print_conversions(source, picture)
    with (
        without_garbage_collection(),
        progress_bar("loading the kernels; the first run compiles them") as progress,
    ):
        # No longer than this: a plug-in may have kernels that multiply matrices.
        with without_scipy():
            import numba.np.arraymath  # noqa: F401
        with compiling_apart(settings.file_coder):
            codec.warm_up_search(settings)
        codec.warm_up_coder(settings.file_coder)
        start = time.perf_counter()
        data, decoded = codec.encode_with_reconstruction(
            picture.pixels, settings, progress=progress
        )
        encode_s = time.perf_counter() - start
        decode_s = None
        if verify:
            _verify(target, data, decoded, progress)
            decode_s = time.perf_counter() - start - encode_s
        facts = {
            "output": target,
            "input_bytes": picture.file_bytes,
            "raw_bytes": picture.pixels.size,
            "ratio_to_input": picture.file_bytes / len(data),
            "image": source,
            **_measurements(picture.pixels, settings, data, decoded),
            "encode_s": encode_s,
            "decode_s": decode_s,
        }
    files.write_bytes(target, data)

    to_stdout = target == files.STANDARD_STREAM
    if as_json:
        print_json(facts, to_stderr=to_stdout)
        return
    typer.echo(
        f"{'stdout' if to_stdout else target}: "
        f"{picture.file_bytes:,} B {picture.file_format} ({picture.pixels.size:,} B raw) → "
        f"{len(data):,} B, {facts['bits_per_pixel']:.3f} bits per pixel, "
        f"{facts['compression_ratio']:.2f}:1 to raw, "
        f"{facts['ratio_to_input']:.2f}:1 to the input, "
        f"{_quality(facts['psnr_db'], facts['ssim'])}, {encode_s + (decode_s or 0.0):.2f} s",
        err=to_stdout,
    )


def _measurements(
    pixels: Pixels, settings: Settings, data: bytes, decoded: Pixels
) -> dict[str, Any]:
    """Return settings, quality and rate of a file by the columns of an experiment's table."""
    from adaptive_kmeans import container, metrics
    from adaptive_kmeans.codec import AdaptiveKMeans

    layout = container.inspect(data)
    return {
        **dict.fromkeys(("detail", "k", "k1", "k2", "threshold")),
        **AdaptiveKMeans(settings).columns,
        "psnr_db": metrics.psnr(pixels, decoded),
        "ssim": metrics.ssim(pixels, decoded),
        "bytes": len(data),
        "bits_per_pixel": metrics.bits_per_pixel(data, pixels.shape),
        "compression_ratio": metrics.compression_ratio(data, pixels.shape),
        "space_saving_percent": metrics.space_saving_percent(data, pixels.shape),
        **{name: getattr(layout, name) for name in container.PARTS},
    }


def _verify(target: str, data: bytes, reconstruction: Pixels, progress: Progress) -> None:
    """Refuse a file that does not decode to the encoder's reconstruction."""
    from adaptive_kmeans import codec

    if not (codec.decode(data, progress=progress) == reconstruction).all():
        expected = "a file that decodes to the encoder's reconstruction"
        raise CorruptError(target, expected, "other pixels")


def decompress(
    source: Annotated[str, Argument(metavar="INPUT.akm", help="The file, or - for stdin.")],
    output: Annotated[
        str | None,
        Argument(
            metavar="OUTPUT.png",
            help="PNG, JPEG, WebP, TIFF or BMP by its extension; by default the input's name with "
            ".png; - for PNG on stdout.",
        ),
    ] = None,
    indexed: Annotated[
        bool, Option("--indexed", help="Only the codewords' image, without its restoration.")
    ] = False,
    limits: LimitsName = "default",
) -> None:
    """Decompress an .akm file into an image."""
    from adaptive_kmeans import codec, files, image
    from adaptive_kmeans.progress import progress_bar

    target = files.image_target(source, output)
    extension = ".png" if target == files.STANDARD_STREAM else Path(target).suffix
    image.output_format(extension)
    allowed = preset(limits)
    data = files.read_bytes(source, allowed.file_bytes)
    with (
        _named(source),
        without_garbage_collection(),
        without_scipy(),
        progress_bar("decompressing") as progress,
    ):
        pixels = codec.decode(data, restored=not indexed, limits=allowed, progress=progress)
        progress("writing", 0.0)
        encoded = image.encode_image(pixels, extension)
    files.write_bytes(target, encoded)
    if target != files.STANDARD_STREAM:
        typer.echo(f"{target}: {pixels.shape[1]}×{pixels.shape[0]} pixels, {len(encoded):,} B")


def info(
    source: Annotated[str, Argument(metavar="FILE.akm", help="The file, or - for stdin.")],
    limits: LimitsName = "default",
    as_json: AsJson = False,
) -> None:
    """Print what an .akm file holds, and how its bytes divide up."""
    from adaptive_kmeans import codec, container, files

    allowed = preset(limits)
    data = files.read_bytes(source, allowed.file_bytes)
    with _named(source):
        reader = container.Reader(data, allowed)
        correction, found = codec.read_restoration(reader)
    contents = reader.contents
    if as_json:
        facts = dataclasses.asdict(contents) | {"bytes": contents.file_bytes}
        if found is not None:
            facts |= {"filter": str(found.form), "filter_gain_db": found.gain_db}
        if correction is not None:
            facts |= {
                "correction_block": correction.block,
                "correction_step": correction.step_levels,
                "correction_gain_db": correction.gain_db,
            }
        print_json(facts)
        return
    from rich.table import Table

    pixels = contents.width * contents.height
    codewords = " + ".join(map(str, contents.codewords))
    typer.echo(
        f"{source}: {contents.width}×{contents.height} pixels, {codewords} codewords, "
        f"blocks of {contents.block_size}, coder {contents.coder} (model {contents.model}), "
        f"{contents.bands} band{'s' if contents.bands > 1 else ''}, "
        f"format version {contents.version}; all checksums hold"
    )
    table = Table("part", *(_right(name) for name in ("bytes", "share %", "bits per pixel")))
    for part, size in (
        ("header", contents.header_bytes),
        ("codebooks", contents.codebook_bytes),
        ("region map", contents.region_map_bytes),
        ("indices", contents.index_map_bytes),
        *([("correction", contents.correction_bytes)] if contents.correction_bytes else []),
        *([("filter", contents.filter_bytes)] if contents.filter_bytes else []),
        *([("other", contents.other_bytes)] if contents.other_bytes else []),
        ("file", contents.file_bytes),
    ):
        if part == "file":
            table.add_section()
        share = f"{100 * size / contents.file_bytes:.2f}"
        table.add_row(part, f"{size:,}", share, f"{8 * size / pixels:.4f}")
    print_table(table)
    if correction is not None:
        typer.echo(
            f"correction: blocks of {correction.block}×{correction.block} in steps of "
            f"{correction.step_levels:g} levels, +{correction.gain_db:.2f} dB"
        )
    if found is not None:
        typer.echo(f"filter: {found.form.summary}, +{found.gain_db:.2f} dB")
    for section in contents.ancillary:
        typer.echo(f"ancillary section {section.type}: {section.bytes:,} B, skipped")


def _settings(k1: int | None, k2: int | None, k: int | None, **others: Any) -> Settings:
    """Make the settings, and print a note if they are unusual."""
    if (k1, k2, k) == (None, None, None):
        if others["price"] and others["quality"] is None:
            raise ConfigError("--lambda", "codebooks, --k or --k1 and --k2", "none")
        if others["price"]:
            raise ConfigError("options", "either --quality or --lambda", "both")
        return Settings(**others)
    if others["quality"] is not None:
        raise ConfigError("options", "either --quality, or --k, --k1, --k2", "both")
    if k is not None:
        if k1 is not None or k2 is not None:
            raise ConfigError("options", "either --k or --k1 and --k2", "both")
        return Settings.regular(k, **others)
    k1, k2 = DEFAULT_K1 if k1 is None else k1, DEFAULT_K2 if k2 is None else k2
    settings = Settings.published(k1, k2, **others)
    if k1 >= k2:
        typer.echo(
            f"note: k1 = {k1} is not below k2 = {k2}, as the method intends",
            err=True,
        )
    return settings


@contextlib.contextmanager
def _named(source: str) -> Iterator[None]:
    """Put the file's name in front of errors about its bytes."""
    try:
        yield
    except AdaptiveKMeansError as error:
        error.what = f"{source}: {error.what}"
        raise


def _quality(psnr_db: float, ssim: float) -> str:
    psnr = "lossless" if math.isinf(psnr_db) else f"PSNR {psnr_db:.2f} dB"
    return f"{psnr}, {'too small for SSIM' if math.isnan(ssim) else f'SSIM {ssim:.4f}'}"


def _right(name: str) -> Any:
    from rich.table import Column

    return Column(name, justify="right")
