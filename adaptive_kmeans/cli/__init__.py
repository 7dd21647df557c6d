"""The command line: its commands and its error handling.

A command is a function whose parameters are its arguments and options. Each has a module of its
own, except those that run experiments, which share `experiments`. `options` holds the options that
commands share, `places` decides where outputs go, `batch` codes many files, and `console` prints.
Heavy imports happen when a command runs, so that --help is fast.

An error is reported as one line on standard error and an exit code; `manual` lists the codes.
"""

from __future__ import annotations

import gc
import io
import logging
import signal
import sys
from typing import Annotated

import typer
from typer import Option

from adaptive_kmeans.cli import experiments
from adaptive_kmeans.cli.codebook import codebook
from adaptive_kmeans.cli.compress import compress
from adaptive_kmeans.cli.console import INTERRUPTED, end
from adaptive_kmeans.cli.decompress import decompress
from adaptive_kmeans.cli.explore import explore
from adaptive_kmeans.cli.export import export
from adaptive_kmeans.cli.info import info
from adaptive_kmeans.cli.init_config import init_config
from adaptive_kmeans.cli.interchange import export_results
from adaptive_kmeans.cli.manual import man
from adaptive_kmeans.cli.plugins import Command
from adaptive_kmeans.errors import AdaptiveKMeansError

# What Pillow logs is in the errors already; worker processes import this module, too.
logging.getLogger("PIL").addHandler(logging.NullHandler())

app = typer.Typer(
    name="adaptive-kmeans",
    help="Region-adaptive K-means image compression: real files, honest experiments.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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


for command in (
    compress,
    decompress,
    info,
    export,
    codebook,
    explore,
    experiments.compare,
    experiments.elbow,
    init_config,
    experiments.run,
    experiments.report,
    experiments.reproduce,
    export_results,
    man,
):
    app.command(cls=Command)(command)


def main() -> None:
    """Run the command line and exit with its code."""
    # Imports allocate hundreds of thousands of objects that stay alive; searching them for garbage
    # takes an eighth of the time of a short command.
    gc.set_threshold(100_000, 50, 100)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # file names may not be encodable
            stream.reconfigure(errors="backslashreplace")
    # SIGTERM is handled like an interrupt: worker processes end, and claims are released.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code = app(prog_name="adaptive-kmeans", standalone_mode=False)
    except AdaptiveKMeansError as error:
        end(str(error), error.exit_code)
    except typer.TyperException as error:
        hint = "" if error.exit_code != 2 else " (--help lists the options)"
        end(f"{error.format_message().rstrip('.')}{hint}", error.exit_code)
    except OSError as error:
        where = "standard output" if error.filename is None else error.filename
        end(f"{where}: expected to be writable, received {error.strerror}", 5)
    except SystemExit as stop:
        sys.exit(5 if stop.code == 1 else stop.code)  # Typer's code for a closed pipe
    except MemoryError:
        end("memory: expected enough for this image, received none", 4)
    except (KeyboardInterrupt, typer.Abort):
        end("interrupted", INTERRUPTED)
    if code == INTERRUPTED:  # Typer turns the exception into an exit code
        end("interrupted", INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)
