"""The command line: thin commands over the codec, the container and the experiment runner.

An error is one line on standard error and an exit code: 2 bad usage or config, 3 bad input, 4 over
a limit, 5 could not read or write, 6 some trials failed, 130 interrupted. Heavy imports wait until
a command runs, so that help comes at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import math
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, TrialsFailedError

if TYPE_CHECKING:
    from adaptive_kmeans.codec import Settings
    from adaptive_kmeans.experiment.trials import Row
    from adaptive_kmeans.image import SourceImage

app = typer.Typer(
    name="adaptive-kmeans",
    help="Region-adaptive K-means image compression: real files, honest experiments.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

MAX_AKM_BYTES = 2**31
INTERRUPTED = 130
FIGURES = (".png", ".pdf", ".svg")

K1 = Annotated[int | None, Option("--k1", help="Codewords for low-detail blocks, 1..4096.")]
K2 = Annotated[int | None, Option("--k2", help="Codewords for high-detail blocks, 1..4096.")]
K = Annotated[int | None, Option("--k", help="Regular K-means: one region with this codebook.")]
Detail = Annotated[str, Option(help="eigenvalue, eigenvalue:largest, variance or total-variation.")]
Threshold = Annotated[str, Option(help="median, mean, otsu, or quantile:SHARE.")]
BlockSize = Annotated[int, Option(help="Side of a block in pixels, 1..256.")]
Coder = Annotated[str, Option(help="context-mixing, deflate or fixed-length.")]
ColorSpace = Annotated[str, Option(help="Cluster in rgb, lab, ycbcr, hsv or oklab.")]
Seed = Annotated[int, Option(help="Seed of the clustering.")]
Background = Annotated[
    str | None, Option(metavar="COLOR", help="Flatten a translucent image over this color.")
]
AsJson = Annotated[bool, Option("--json", help="Print the numbers as JSON.")]

DEFAULT_K1, DEFAULT_K2 = 64, 256

MOST_DIFFERING = 10
MOST_PRINTED = 200
"""Rows of a table that a terminal shows; more are in the files alone."""


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Region-adaptive K-means image compression: real files, honest experiments."""
    if version:
        import adaptive_kmeans

        typer.echo(f"adaptive-kmeans {adaptive_kmeans.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


@app.command()
def compress(
    source: Annotated[str, Argument(metavar="INPUT", help="An image, or - for standard input.")],
    output: Annotated[
        str | None,
        Argument(metavar="OUTPUT.akm", help="By default the input's name with .akm; - for stdout."),
    ] = None,
    k1: K1 = None,
    k2: K2 = None,
    k: K = None,
    detail: Detail = "eigenvalue",
    threshold: Threshold = "median",
    block_size: BlockSize = 4,
    coder: Coder = "context-mixing",
    color_space: ColorSpace = "rgb",
    seed: Seed = 0,
    background: Background = None,
    as_json: AsJson = False,
) -> None:
    """Compress an image into an .akm file, and measure it on the decoded file."""
    from adaptive_kmeans import files, image
    from adaptive_kmeans.experiment.trials import measure
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
    )
    target = files.akm_target(source, output)
    picture = image.read_image(source, background)
    _say_conversions(source, picture)
    with progress_bar("loading the kernels; the first run compiles them") as progress:
        row, data = measure(source, picture.pixels, settings, progress=progress)
    files.write_bytes(target, data)

    to_stdout = target == files.STANDARD_STREAM
    ratio_to_input = picture.file_bytes / len(data)
    if as_json:
        facts = {"output": target, "input_bytes": picture.file_bytes}
        facts |= {"raw_bytes": picture.pixels.size, "ratio_to_input": ratio_to_input}
        _print_json(facts | dataclasses.asdict(row), to_stderr=to_stdout)
        return
    typer.echo(
        f"{'stdout' if to_stdout else target}: "
        f"{picture.file_bytes:,} B {picture.file_format} ({picture.pixels.size:,} B raw) → "
        f"{len(data):,} B, {row.bits_per_pixel:.3f} bits per pixel, "
        f"{row.compression_ratio:.2f}:1 to raw, {ratio_to_input:.2f}:1 to the input, "
        f"{_quality(row)}, {(row.encode_s or 0.0) + (row.decode_s or 0.0):.2f} s",
        err=to_stdout,
    )


@app.command()
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
) -> None:
    """Decompress an .akm file into an image."""
    from adaptive_kmeans import codec, files, image
    from adaptive_kmeans.progress import progress_bar

    target = files.image_target(source, output)
    extension = ".png" if target == files.STANDARD_STREAM else Path(target).suffix
    image.output_format(extension)
    data = files.read_bytes(source, MAX_AKM_BYTES)
    with _named(source), progress_bar("decompressing") as progress:
        pixels = codec.decode(data, progress=progress)
        progress("writing", 0.0)
        encoded = image.encode_image(pixels, extension)
    files.write_bytes(target, encoded)
    if target != files.STANDARD_STREAM:
        typer.echo(f"{target}: {pixels.shape[1]}×{pixels.shape[0]} pixels, {len(encoded):,} B")


@app.command()
def info(
    source: Annotated[str, Argument(metavar="FILE.akm", help="The file, or - for stdin.")],
    as_json: AsJson = False,
) -> None:
    """Say what an .akm file holds, and where its bytes go."""
    from adaptive_kmeans import container, files

    data = files.read_bytes(source, MAX_AKM_BYTES)
    with _named(source):
        layout = container.inspect(data)
    if as_json:
        _print_json(dataclasses.asdict(layout) | {"bytes": layout.file_bytes})
        return
    from rich.table import Table

    pixels = layout.width * layout.height
    codewords = " + ".join(map(str, layout.codewords))
    typer.echo(
        f"{source}: {layout.width}×{layout.height} pixels, {codewords} codewords, "
        f"blocks of {layout.block_size}, coder {layout.coder}, "
        f"{layout.bands} band{'s' if layout.bands > 1 else ''}, format version {layout.version}; "
        "all checksums hold"
    )
    table = Table("part", *(_right(name) for name in ("bytes", "share %", "bits per pixel")))
    for part, size in (
        ("header", layout.header_bytes),
        ("codebooks", layout.codebook_bytes),
        ("region map", layout.region_map_bytes),
        ("indices", layout.index_map_bytes),
        ("file", layout.file_bytes),
    ):
        if part == "file":
            table.add_section()
        share = f"{100 * size / layout.file_bytes:.2f}"
        table.add_row(part, f"{size:,}", share, f"{8 * size / pixels:.4f}")
    _print_table(table)


@app.command()
def compare(
    images: Annotated[list[str], Argument(metavar="IMAGE", help="Images, folders or globs.")],
    k1: K1 = None,
    k2: K2 = None,
    k: K = None,
    threshold: Threshold = "median",
    block_size: BlockSize = 4,
    coder: Coder = "context-mixing",
    color_space: ColorSpace = "rgb",
    seed: Seed = 0,
    background: Background = None,
    as_json: AsJson = False,
) -> None:
    """Print a table of regular K-means and the three measures on these images.

    Regular K-means has the codebook size --k, by default that of --k1.
    """
    from adaptive_kmeans.codec import Settings
    from adaptive_kmeans.datasets import find_images
    from adaptive_kmeans.detail import measures
    from adaptive_kmeans.experiment import tables, trials
    from adaptive_kmeans.experiment.runner import run_trials

    shared: dict[str, Any] = {
        "block_size": block_size,
        "coder": coder,
        "color_space": color_space,
        "seed": seed,
    }
    k1 = DEFAULT_K1 if k1 is None else k1
    k2 = DEFAULT_K2 if k2 is None else k2
    settings = [Settings.regular(k1 if k is None else k, **shared)]
    settings += [
        Settings(k1=k1, k2=k2, detail=name, threshold=threshold, **shared)
        for name in measures.names()
    ]
    sources = find_images(images)
    for source in sources:
        # A wrong image is said at once, and once.
        _say_conversions(source.name, source.read(background))
    outcomes = run_trials(trials.expand(sources, settings, background=background))
    rows = [outcome.row for outcome in outcomes if outcome.row is not None]
    if as_json:
        _print_json([dataclasses.asdict(row) for row in rows])
    elif rows:
        _print_table(tables.to_terminal(rows))
    _raise_failures([outcome.error for outcome in outcomes if outcome.error is not None])


@app.command()
def elbow(
    source: Annotated[str, Argument(metavar="IMAGE", help="An image, or a bundled one's name.")],
    figure: Annotated[
        str | None,
        Option(metavar="FILE", help="Where the figure goes; by default IMAGE-elbow.png, here."),
    ] = None,
    coder: Coder = "context-mixing",
    color_space: ColorSpace = "rgb",
    seed: Seed = 0,
    background: Background = None,
    as_json: AsJson = False,
) -> None:
    """Choose k for an image: distortion, PSNR and bytes of real files against k."""
    from adaptive_kmeans import files
    from adaptive_kmeans.codec import Settings
    from adaptive_kmeans.datasets import find_images
    from adaptive_kmeans.experiment import tables
    from adaptive_kmeans.experiment.elbow import draw_elbow, elbow_curve

    sources = find_images([source])
    if len(sources) > 1:
        raise ConfigError("arguments", "one image", f"{len(sources)} in {source}")
    shared = Settings.regular(2, coder=coder, color_space=color_space, seed=seed)
    target = f"{sources[0].name}-elbow.png" if figure is None else figure
    if Path(target).suffix not in FIGURES:
        raise ConfigError("figure", f"one of {', '.join(FIGURES)}", target)
    curve = elbow_curve(sources[0], shared, background=background)
    with files.replacing(target) as part:
        draw_elbow(curve).savefig(part, dpi=150, format=Path(target).suffix[1:])
    if as_json:
        rows = zip(curve.rows, curve.distortions, strict=True)
        points = [
            {"k": row.k, "mse": mse, "psnr_db": row.psnr_db, "bytes": row.bytes}
            for row, mse in rows
        ]
        _print_json({"image": sources[0].name, "k": curve.k, "figure": target, "curve": points})
        return
    _print_table(tables.to_terminal(curve.rows))
    typer.echo(f"elbow at k = {curve.k}; {target}")


@app.command()
def run(
    config: Annotated[Path, Argument(metavar="CONFIG.toml", help="The experiment.")],
    more_images: Annotated[
        list[str] | None, Argument(metavar="PATH", help="More of what --images takes.")
    ] = None,
    images: Annotated[
        list[str] | None,
        Option(
            metavar="PATH...",
            help="Measure these images, folders, globs or bundled names instead of the config's.",
        ),
    ] = None,
    results: Annotated[
        Path, Option(metavar="DIR", help="Where the experiment's folder of results goes.")
    ] = Path("results"),
    jobs: Annotated[
        int | None,
        Option(min=1, help="Trials run at once, each in a process; by default one a processor."),
    ] = None,
    scheduler: Annotated[
        str | None,
        Option(metavar="ADDRESS", help="Run the trials on the workers of this Dask scheduler."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="Change the config, as in methods.0.k=[16,32]."),
    ] = None,
    retry_failed: Annotated[
        bool, Option("--retry-failed", help="Run trials again that failed in an earlier run.")
    ] = False,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Say how many trials there are and how long they may take.")
    ] = False,
) -> None:
    """Run an experiment: every image × method × parameter, into a table and figures.

    What is finished is kept in the folder of results and not run again, so that a run which was
    ended, however rudely, goes on where it was.
    """
    from adaptive_kmeans.experiment import run_experiment, tables

    if more_images and not images:
        raise ConfigError("arguments", "one CONFIG.toml", f"also {more_images[0]}")
    chosen = [*(images or []), *(more_images or [])] or None
    if dry_run:
        from adaptive_kmeans.experiment.estimate import estimate

        typer.echo(
            estimate(
                config,
                images=chosen,
                results=results,
                jobs=jobs,
                changes=changes or [],
                retry_failed=retry_failed,
            )
        )
        return
    outcome = run_experiment(
        config,
        images=chosen,
        results=results,
        jobs=jobs,
        scheduler=scheduler,
        changes=changes or [],
        retry_failed=retry_failed,
    )
    if 0 < len(outcome.rows) <= MOST_PRINTED:
        _print_table(tables.to_terminal(outcome.rows))
    typer.echo(f"{len(outcome.rows)} trials in {outcome.seconds:.1f} s:")
    for path in outcome.paths():
        typer.echo(str(path))
    _raise_failures(outcome.failures)


@app.command()
def report(
    folder: Annotated[
        Path, Argument(metavar="RESULTS", help="A folder of results, or the folder of several.")
    ],
) -> None:
    """Make tables, figures and a page to read in a browser again, from the stored trials alone."""
    from adaptive_kmeans.experiment.report import write_report

    for path in write_report(folder):
        typer.echo(str(path))


@app.command()
def reproduce(
    names: Annotated[
        list[str] | None,
        Argument(metavar="[NAME]...", help="Committed experiments; all by default."),
    ] = None,
    images: Annotated[
        list[str] | None,
        Option(metavar="PATH", help="A folder, glob or file of images; may be given again."),
    ] = None,
    results: Annotated[Path, Option(metavar="DIR", help="The folder of committed results.")] = Path(
        "results"
    ),
) -> None:
    """Run committed experiments again, and say which of their numbers are confirmed.

    Images that are not bundled are looked for by name where --images says. Our bytes must be equal,
    PSNR within 0.001 dB, SSIM within 0.00001, shares of blocks within 0.1 %, numbers of other
    libraries within 1 %; times are not compared.
    """
    from adaptive_kmeans.experiment import reproduction

    differing = 0
    say = partial(typer.echo, err=True)
    for found in reproduction.reproduce(results, images or [], names or [], say):
        typer.echo(str(found))
        for line in found.differing[:MOST_DIFFERING]:
            typer.echo(f"  {line}")
        differing += len(found.differing)
    if differing:
        raise TrialsFailedError(f"{differing} differ from what is committed")


def main() -> None:
    """Run the command line and exit with its code."""
    # Importing and loading kernels makes objects by the hundred thousand that all stay: looking
    # through them for garbage takes an eighth of the time of a short command.
    gc.set_threshold(100_000, 50, 100)
    # A polite end is like an interrupt: processes that run trials end, claims are given up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = app(prog_name="adaptive-kmeans", standalone_mode=False)
    except AdaptiveKMeansError as error:
        _fail(str(error), error.exit_code)
    except typer.TyperException as error:
        hint = "" if error.exit_code != 2 else " (--help lists the options)"
        _fail(f"{error.format_message().rstrip('.')}{hint}", error.exit_code)
    except OSError as error:
        _fail(f"standard output: expected to be writable, received {error.strerror}", 5)
    except SystemExit as stop:
        sys.exit(5 if stop.code == 1 else stop.code)  # Typer's code for a pipe that was closed
    except MemoryError:
        _fail("memory: expected enough for this image, received none", 4)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted", INTERRUPTED)
    if code == INTERRUPTED:  # Typer turns the exception into the code
        _fail("interrupted", INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


def _raise_failures(failures: list[AdaptiveKMeansError]) -> None:
    """Say how many trials failed, once the others are printed."""
    if failures:
        raise TrialsFailedError(f"{len(failures)} trials failed, the first with: {failures[0]}")


def _fail(message: str, code: int) -> None:
    typer.echo(f"adaptive-kmeans: {' '.join(message.split())}", err=True)
    sys.exit(code)


def _settings(k1: int | None, k2: int | None, k: int | None, **others: Any) -> Settings:
    """Make the settings, and say what is unusual about them."""
    from adaptive_kmeans.codec import Settings

    if k is not None:
        if k1 is not None or k2 is not None:
            raise ConfigError("options", "either --k or --k1 and --k2", "both")
        return Settings.regular(k, **others)
    settings = Settings(
        k1=DEFAULT_K1 if k1 is None else k1, k2=DEFAULT_K2 if k2 is None else k2, **others
    )
    if settings.ks[0] >= settings.ks[1]:
        typer.echo(
            f"note: k1 = {settings.k1} is not below k2 = {settings.k2}, as the method means it",
            err=True,
        )
    return settings


def _say_conversions(source: str, picture: SourceImage) -> None:
    for note in picture.notes:
        typer.echo(f"note: {source}: {note}", err=True)


@contextlib.contextmanager
def _named(source: str) -> Iterator[None]:
    """Put the file's name before an error about its bytes."""
    try:
        yield
    except AdaptiveKMeansError as error:
        error.what = f"{source}: {error.what}"
        raise


def _quality(row: Row) -> str:
    psnr_db, ssim = row.psnr_db or 0.0, row.ssim or 0.0
    psnr = "lossless" if math.isinf(psnr_db) else f"PSNR {psnr_db:.2f} dB"
    return f"{psnr}, {'too small for SSIM' if math.isnan(ssim) else f'SSIM {ssim:.4f}'}"


def _print_json(facts: Any, *, to_stderr: bool = False) -> None:
    # JSON has no infinity and no NaN; null stands for a value that is not a finite number.
    finite = json.loads(json.dumps(facts), parse_constant=lambda _: None)
    typer.echo(json.dumps(finite, indent=2, ensure_ascii=False), err=to_stderr)


def _right(name: str) -> Any:
    from rich.table import Column

    return Column(name, justify="right")


def _print_table(table: Any) -> None:
    from rich.console import Console

    console = Console()
    # A pipe or a file has no width of its own: what is printed there is not to be cut.
    console.print(table, width=None if console.is_terminal else 200)
