"""Commands that run experiments: `compare`, `elbow`, `run`, `report`, `reproduce`."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from adaptive_kmeans.cli.console import (
    INTERRUPTED,
    end,
    print_conversions,
    print_json,
    print_notes,
    print_table,
    raise_failures,
)
from adaptive_kmeans.cli.options import (
    DEFAULT_K1,
    DEFAULT_K2,
    K1,
    K2,
    AsJson,
    Background,
    BlockOptions,
    ClusterOptions,
    K,
    grouped,
    refuse_unused,
)
from adaptive_kmeans.codec import Settings
from adaptive_kmeans.errors import ConfigError, TrialsFailedError, counted
from adaptive_kmeans.regions import one_sided

if TYPE_CHECKING:
    from pandas import DataFrame

FIGURES = (".png", ".pdf", ".svg")

MAX_DIFFERING = 10
"""Maximum number of differing rows to print for an experiment."""

MAX_NAMED = 5
"""Maximum number of images that a note names."""

MAX_PRINTED = 200
"""Maximum number of rows of a table to print; the files have all."""


Jobs = Annotated[
    int | None,
    Option(min=1, help="Trials to run at once, each in a process; by default one per processor."),
]


@grouped
def compare(
    images: Annotated[
        list[str],
        Argument(metavar="IMAGE", help="Images, folders, globs or bundled names; - for stdin."),
    ],
    options: BlockOptions,
    k1: K1 = None,
    k2: K2 = None,
    k: K = None,
    background: Background = None,
    as_json: AsJson = False,
) -> None:
    """Print a table that compares regular K-means and the three detail measures on these images.

    Regular K-means uses the codebook size --k, by default that of --k1.
    """
    from adaptive_kmeans.codec import AdaptiveKMeans
    from adaptive_kmeans.datasets import find_images
    from adaptive_kmeans.detail import measures
    from adaptive_kmeans.experiment import codec_trials, tables
    from adaptive_kmeans.experiment.columns import table_of
    from adaptive_kmeans.experiment.rows import COLUMNS
    from adaptive_kmeans.experiment.runner import run_trials
    from adaptive_kmeans.experiment.series import named

    k1, k2 = DEFAULT_K1 if k1 is None else k1, DEFAULT_K2 if k2 is None else k2
    settings = [Settings.published(k1, k2, detail=name, **options.given) for name in measures.own]
    refuse_unused(settings[0], options.given)
    regular = dataclasses.replace(settings[0], k1=k1 if k is None else k, k2=None)
    settings.insert(0, regular)
    sources = find_images(images)
    for source in sources:
        # Report an unreadable image here, not in each of its trials.
        print_conversions(source.name, source.read(background))
    codecs = map(AdaptiveKMeans, settings)
    outcomes = run_trials(codec_trials.expand(sources, codecs, background=background))
    rows = [row for outcome in outcomes for row in outcome.measured.rows]
    if as_json:
        written = [name for name, column in COLUMNS.items() if column.is_written]
        print_json([{name: row.get(name) for name in written} for row in rows])
    elif rows:
        table = named(table_of(rows, COLUMNS))
        print_table(tables.to_terminal(table, COLUMNS))
        _print_one_sided(table)
    raise_failures([error for outcome in outcomes for error in outcome.measured.errors])


@grouped
def elbow(
    source: Annotated[
        str,
        Argument(metavar="IMAGE", help="An image, the name of a bundled image, or - for stdin."),
    ],
    options: ClusterOptions,
    figure: Annotated[
        str | None,
        Option(
            metavar="FILE", help="The figure; by default IMAGE-elbow.png in the current folder."
        ),
    ] = None,
    psnr: Annotated[
        float | None,
        Option("--psnr", metavar="DB", help="Also find the smallest k that reaches this PSNR."),
    ] = None,
    background: Background = None,
    as_json: AsJson = False,
) -> None:
    """Choose k for an image: distortion, PSNR and bytes of real files against k.

    The elbow says little: it depends on the largest k measured, not on visible quality. To choose k
    by quality, give a PSNR with --psnr.
    """
    from adaptive_kmeans import files
    from adaptive_kmeans.datasets import find_images
    from adaptive_kmeans.experiment import tables
    from adaptive_kmeans.experiment.columns import columns_of
    from adaptive_kmeans.experiment.studies.elbow import (
        ElbowRow,
        draw_elbow,
        elbow_curve,
        smallest_k,
    )

    sources = find_images([source])
    if len(sources) > 1:
        raise ConfigError("arguments", "one image", f"{len(sources)} in {source}")
    shared = Settings.regular(2, **options.given)
    refuse_unused(shared, options.given)
    target = f"{sources[0].name}-elbow.png" if figure is None else figure
    if Path(target).suffix not in FIGURES:
        raise ConfigError("figure", f"one of {', '.join(FIGURES)}", target)
    files.check_target(target)
    curve = elbow_curve(sources[0], shared, background=background)
    wanted = None
    if psnr is not None:
        wanted = smallest_k(curve, sources[0], shared, psnr, background=background)
    figure_file = io.BytesIO()
    draw_elbow(curve).savefig(figure_file, dpi=150, format=Path(target).suffix[1:])
    files.write_bytes(target, figure_file.getvalue())
    if as_json:
        points = curve.table[["k", "mse", "psnr_db", "bytes"]].to_dict("records")
        facts = {"image": sources[0].name, "k": curve.k, "figure": target, "curve": points}
        if psnr is not None:
            facts |= {"psnr_db": psnr, "k_of_psnr": None if wanted is None else wanted["k"]}
        print_json(facts)
        return
    print_table(tables.to_terminal(curve.table, columns_of(ElbowRow)))
    best = curve.table.iloc[-1]
    if wanted is not None:
        typer.echo(
            f"{psnr:g} dB: k = {wanted['k']}, {wanted['psnr_db']:.2f} dB, {wanted['bytes']:,} B"
        )
    elif psnr is not None:
        highest = f"{best['k']}, which gives {best['psnr_db']:.2f} dB"
        typer.echo(f"{psnr:g} dB: reached by no k up to {highest}")
    typer.echo(f"elbow at k = {curve.k} of k up to {best['k']}, which it depends on; {target}")


@dataclass(frozen=True)
class Asked:
    """Options for which experiment to run and where its results go."""

    images: Annotated[
        list[str] | None,
        Option(
            metavar="PATH...",
            help="Files, folders, globs or bundled names to use instead of the config's images.",
        ),
    ] = None
    background: Background = None
    results: Annotated[
        Path, Option(metavar="DIR", help="Parent of the experiment's results folder.")
    ] = Path("results")
    changes: Annotated[
        list[str] | None,
        Option(
            "--set",
            metavar="KEY=VALUE",
            help="Override a key of the config, such as methods.0.k=[16,32].",
        ),
    ] = None
    force: Annotated[
        bool,
        Option(
            "--force",
            "-f",
            help="Replace results of another config, other images or another version.",
        ),
    ] = False

    def given(self, more_images: Sequence[str] | None) -> dict[str, Any]:
        """Return the options as arguments of `run_experiment`; more images extend ``--images``."""
        if more_images and not self.images:
            raise ConfigError("arguments", "one CONFIG.toml", f"also {more_images[0]}")
        chosen = [*(self.images or ()), *(more_images or ())] or None
        return {**vars(self), "images": chosen, "changes": self.changes or ()}


@dataclass(frozen=True)
class Running:
    """Options for how trials are run and stored."""

    jobs: Jobs = None
    scheduler: Annotated[
        str | None,
        Option(metavar="ADDRESS", help="Run the trials on the workers of this Dask scheduler."),
    ] = None
    retry_failed: Annotated[
        bool, Option("--retry-failed", help="Rerun trials that failed in an earlier run.")
    ] = False
    repair: Annotated[
        bool,
        Option("--repair", help="Drop damaged trials from the store and measure them again."),
    ] = False
    keep_files: Annotated[
        bool,
        Option("--keep-files", help="Store the file of every trial, for export-results."),
    ] = False


@grouped
def run(
    config: Annotated[Path, Argument(metavar="CONFIG.toml", help="The config.")],
    asked: Asked,
    running: Running,
    more_images: Annotated[
        list[str] | None, Argument(metavar="PATH", help="More images for --images.")
    ] = None,
    dry_run: Annotated[
        bool,
        Option(
            "--dry-run",
            help="Print the number of trials, their estimated time, and what will fail.",
        ),
    ] = False,
) -> None:
    """Run an experiment (all images × methods × parameters) and write its table and figures.

    Finished trials are stored in the results folder and not run again, so an interrupted or killed
    run resumes where it stopped.
    """
    from adaptive_kmeans.experiment import run_experiment, tables

    given = asked.given(more_images)
    if dry_run:
        from adaptive_kmeans.experiment.estimate import estimate

        jobs, retry_failed = running.jobs, running.retry_failed
        typer.echo(estimate(config, jobs=jobs, retry_failed=retry_failed, **given))
        return
    outcome = _resumable(run_experiment, config, **given, **vars(running))
    table = outcome.table
    if 0 < len(table) <= MAX_PRINTED:
        print_table(tables.to_terminal(table, outcome.columns))
    if "threshold" in table and "high_percent" in table:
        _print_one_sided(table)
    if note := outcome.left_out.removesuffix("."):
        print_notes([note[0].lower() + note[1:]])
    typer.echo(f"{counted(len(table), 'row')} in {outcome.seconds:.1f} s:")
    for path in outcome.paths():
        typer.echo(str(path))
    raise_failures(outcome.failures)


def _resumable(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call a function; on an interrupt, say how to resume and end the command."""
    try:
        return function(*arguments, **options)
    except KeyboardInterrupt:
        end("interrupted; the same command goes on from here", INTERRUPTED)


def _print_one_sided(table: DataFrame) -> None:
    """Print the images in which one region has nearly all blocks."""
    from adaptive_kmeans.experiment.columns import rows_of

    said: dict[str, list[str]] = {}
    for row in rows_of(table[table["high_percent"].notna()]):
        note = one_sided(row.high_percent, row.threshold)
        if note and row.image not in said.setdefault(note, []):
            said[note].append(row.image)
    for note, images in said.items():
        more = f" and {len(images) - MAX_NAMED} more" if len(images) > MAX_NAMED else ""
        print_notes([f"{', '.join(images[:MAX_NAMED])}{more}: {note}"])


def report(
    folder: Annotated[
        Path, Argument(metavar="RESULTS", help="A folder of results, or the parent of several.")
    ],
) -> None:
    """Rewrite tables, figures and report.html from the stored trials alone.

    The page is one self-contained file. It opens with the question and the answer in numbers, and
    shows the figures, any two pictures side by side with a zoom, how the bits divide up, a table of
    trials that can be sorted and filtered, the settings and the environment.
    """
    from adaptive_kmeans.experiment.report import write_report

    write_report(folder, lambda path: typer.echo(str(path)))


def reproduce(
    names: Annotated[
        list[str] | None,
        Argument(metavar="NAME", help="Committed experiments; all by default."),
    ] = None,
    images: Annotated[
        list[str] | None,
        Option(metavar="PATH", help="A folder, glob or file of images; may be repeated."),
    ] = None,
    results: Annotated[Path, Option(metavar="DIR", help="The folder of committed results.")] = Path(
        "results"
    ),
    jobs: Jobs = None,
) -> None:
    """Rerun committed experiments and compare their numbers.

    Images that are not bundled are looked up by name in --images. The bytes of our files must be
    equal, and PSNR must agree within 0.001 dB, SSIM within 0.00001, shares of blocks within 0.1 %,
    and numbers of other libraries within 1 %. Times are not compared.
    """
    from adaptive_kmeans.experiment import reproduction

    differing = confirmed = missing = 0
    say = partial(typer.echo, err=True)
    for each in reproduction.reproduce(results, images or [], names or [], say, jobs):
        typer.echo(str(each))
        for line in each.differing[:MAX_DIFFERING]:
            typer.echo(f"  {line}")
        differing += len(each.differing)
        confirmed += each.confirmed
        missing += each.missing
    if missing:
        say("note: give the images of these rows with --images PATH")
    if differing:
        found = counted(differing, "row differs", "rows differ")
        raise TrialsFailedError(f"{found} from what is committed")
    if not confirmed:
        raise TrialsFailedError("nothing was confirmed")
