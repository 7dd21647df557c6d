"""Where the outputs of `compress` and `decompress` go, decided before anything is written.

Inputs are files, folders with everything below them, or standard input. Each has one output: beside
the input, in the output folder, or under a given name. Two inputs with the same output, an output
that is an input, and existing outputs are refused here, so that no file is lost by mistake.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NamedTuple

from typer import Option

from adaptive_kmeans import files
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, ReadError


@dataclass(frozen=True)
class PlaceOptions:
    """Options of commands that code any number of files."""

    output: Annotated[
        str | None,
        Option("--output", "-o", metavar="FILE", help="Output of a single input; - for stdout."),
    ] = None
    output_dir: Annotated[
        str | None,
        Option(
            metavar="DIR",
            help="Folder for the outputs, which mirrors the tree below an input folder; by default "
            "each output is beside its input.",
        ),
    ] = None
    jobs: Annotated[
        int | None,
        Option(
            min=1, help="Files to code at once, each in a process; by default one per processor."
        ),
    ] = None
    force: Annotated[bool, Option("--force", "-f", help="Overwrite existing outputs.")] = False
    skip_existing: Annotated[
        bool, Option("--skip-existing", help="Skip inputs whose output exists.")
    ] = False


@dataclass(frozen=True)
class Direction:
    """How a command treats inputs and outputs.

    Parameters
    ----------
    extension : str
        Extension of an output that is not named.
    is_input : callable
        Whether a file in a folder is an input.
    passed_over : tuple of str
        Extensions of files in folders to skip silently, such as earlier outputs.
    is_output : callable
        Whether a name can only be an output.
    check_output : callable
        Raises `ConfigError` for a name that cannot be an output.
    check_start : callable
        Takes the name and the first bytes of a file; raises an error if it cannot be an input.
    """

    extension: str
    is_input: Callable[[Path], bool]
    passed_over: tuple[str, ...]
    is_output: Callable[[str], bool]
    check_output: Callable[[str], None]
    check_start: Callable[[str, bytes], None]


class Task(NamedTuple):
    """An input, its output, and whether an existing output may be replaced."""

    source: str
    target: str
    replace: bool


@dataclass
class Plan:
    """What to do with each input.

    Parameters
    ----------
    tasks : list of Task
    skipped : list of (str, str)
        Inputs to skip, and why.
    failures : list of AdaptiveKMeansError
        Why others cannot be coded.
    is_many : bool
        Whether more than one file was requested: a failure then does not end the command.
    """

    tasks: list[Task] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    failures: list[AdaptiveKMeansError] = field(default_factory=list)
    is_many: bool = False


class Input(NamedTuple):
    """A file to read, and its path relative to the given folder."""

    source: str
    relative: Path


def plan(arguments: Sequence[str], places: PlaceOptions, direction: Direction) -> Plan:
    """Decide where each output goes, and create the folders needed.

    Raises
    ------
    ConfigError
        Options contradict each other, or outputs conflict; nothing has been written.
    """
    if places.force and places.skip_existing:
        raise ConfigError("options", "either --force or --skip-existing", "both")
    arguments, output = _split(arguments, places, direction)
    if output is not None and places.output_dir is not None:
        raise ConfigError("options", "one output, or --output-dir", "both")
    made = Plan(is_many=len(arguments) > 1 or any(map(files.is_folder, arguments)))
    inputs = find_inputs(arguments, direction, made)
    if output is not None and made.is_many:
        raise ConfigError("output", "--output-dir for several inputs", output)
    if made.is_many and any(found.source == files.STANDARD_STREAM for found in inputs):
        raise ConfigError("inputs", "standard input alone", "others too")
    wanted = [(found.source, _target(found, output, places, direction)) for found in inputs]
    _refuse_conflicts(wanted, direction)
    _settle(wanted, places, made)
    return made


def find_inputs(arguments: Sequence[str], direction: Direction, made: Plan) -> list[Input]:
    """Return the files that arguments name, each once; note skips and failures in the plan."""
    if "" in arguments:
        raise ConfigError("input", "a file or a folder", "")
    return list(dict.fromkeys(_expand(arguments, direction, made)))


def _split(
    arguments: Sequence[str], places: PlaceOptions, direction: Direction
) -> tuple[list[str], str | None]:
    """Separate the inputs from an output that follows a single input."""
    if "" in arguments:
        raise ConfigError("input", "a file or a folder", "")
    if places.output is not None or len(arguments) != 2:
        return list(arguments), places.output
    source, second = arguments
    exists = os.path.lexists(second)
    is_special = files.is_special(second)
    if not (direction.is_output(second) or is_special or not exists):
        return list(arguments), None
    if exists and places.force and not is_special:
        # As in `compress --force *`, where the second name may not be meant as an output.
        raise ConfigError("output", "-o before an output that exists", second)
    return [source], second


def _expand(arguments: Sequence[str], direction: Direction, made: Plan) -> Iterator[Input]:
    for argument in arguments:
        if argument == files.STANDARD_STREAM or not files.is_folder(argument):
            yield Input(argument, Path(Path(argument).name))
        else:
            yield from _walk(Path(argument), direction, made)


def _walk(folder: Path, direction: Direction, made: Plan) -> Iterator[Input]:
    """Yield the inputs below a folder."""
    for path in files_below(folder, made.failures):
        if direction.is_input(path):
            yield Input(_named(path), path.relative_to(folder))
        elif path.suffix.lower() not in direction.passed_over:
            made.skipped.append((str(path), "neither an image nor an .akm file"))


def _named(path: Path) -> str:
    """Return the name of a file, which is never that of standard input."""
    return f".{os.sep}{path}" if str(path) == files.STANDARD_STREAM else str(path)


def files_below(folder: Path, failures: list[AdaptiveKMeansError]) -> Iterator[Path]:
    """Yield the files below a folder, skipping hidden files and folders.

    Parameters
    ----------
    folder : Path
    failures : list of AdaptiveKMeansError
        Receives an error for each folder that cannot be read.
    """

    def fail(error: OSError) -> None:
        name = str(error.filename)
        failures.append(ReadError(name, "a folder that can be read", files.reason(error)))

    for place, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if not name.startswith(".") and files.is_regular(path):
                yield path


def is_akm(path: Path) -> bool:
    """Whether a file in a folder is an .akm file, by its extension."""
    return path.suffix.lower() == ".akm"


def _target(found: Input, output: str | None, places: PlaceOptions, direction: Direction) -> str:
    if output is not None:
        target = output
    elif places.output_dir is not None:
        if found.source == files.STANDARD_STREAM:
            raise ConfigError("output", "a name by -o for standard input", "--output-dir")
        target = str(Path(places.output_dir, found.relative.with_suffix(direction.extension)))
    elif found.source == files.STANDARD_STREAM:
        target = found.source
    else:
        target = str(Path(found.source).with_suffix(direction.extension))
    direction.check_output(target)
    return target


def _refuse_conflicts(wanted: Sequence[tuple[str, str]], direction: Direction) -> None:
    """Refuse an output shared by two inputs, and one that is an input."""
    sources = {os.path.realpath(source): source for source, _ in wanted}
    taken: dict[str, str] = {}
    for source, target in wanted:
        if target == files.STANDARD_STREAM:
            continue
        real = os.path.realpath(target)
        if real in sources and not files.is_special(target):
            if real == os.path.realpath(source):  # often because it is not an input at all
                with files.opened(source) as file:
                    direction.check_start(source, file.read(files.START_BYTES))
            raise ConfigError("output", "another file than the input", target)
        if real in taken:
            received = f"{target} for {taken[real]} and {source}"
            raise ConfigError("outputs", "a different one for each input", received)
        taken[real] = source


def _settle(wanted: Sequence[tuple[str, str]], places: PlaceOptions, made: Plan) -> None:
    """Handle outputs that exist, and then those that cannot be written."""
    free, existing = [], []
    for source, target in wanted:
        with _failing(made):
            if not files.is_taken(target):
                free.append((source, target))
            elif places.skip_existing:
                made.skipped.append((source, f"{target} exists"))
            else:
                free.append((source, target))
                existing.append(target)
    if existing and not places.force:
        others = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        received = f"{existing[0]}{others}, which exist{'' if others else 's'}"
        raise ConfigError("output", "a new name, --force or --skip-existing", received)
    for source, target in free:
        with _failing(made):
            if places.output_dir is not None:
                files.make_folder(Path(target).parent)
            files.check_target(target)
            made.tasks.append(Task(source, target, replace=places.force))


class _failing:  # noqa: N801  # used like a function
    """Record an error as a failure of the plan, or let it end a command for a single file."""

    def __init__(self, made: Plan) -> None:
        self._made = made

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> bool:
        if self._made.is_many and isinstance(error, AdaptiveKMeansError):
            self._made.failures.append(error)
            return True
        return False
