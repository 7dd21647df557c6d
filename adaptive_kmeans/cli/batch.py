"""Coding many files, one at a time or in parallel, with a line for each and totals at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import typer

from adaptive_kmeans import files
from adaptive_kmeans.cli.console import print_error, print_json, print_notes, print_table, say
from adaptive_kmeans.cli.places import Plan, Task
from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    LimitError,
    NotWrittenError,
    TrialsFailedError,
    one_line,
)
from adaptive_kmeans.progress import Progress, TrialBar, trial_bar
from adaptive_kmeans.threads import thread_count


class Done(NamedTuple):
    """A file that was written: its numbers, and notes for the user."""

    facts: dict[str, Any]
    notes: tuple[str, ...] = ()


Work = Callable[[Task, Progress | None], Done]
"""Codes a file. Worker processes unpickle it, so it is an instance of a module-level class."""


@dataclass(frozen=True)
class Output:
    """What a command prints.

    Parameters
    ----------
    line : callable
        Takes the numbers of a file; returns its line.
    as_json, quiet : bool
    """

    line: Callable[[dict[str, Any]], str]
    as_json: bool
    quiet: bool

    def done(self, done: Done, *, to_stderr: bool = False) -> None:
        """Print the notes and the line of a file."""
        self.noted(done)
        if not self.as_json and not self.quiet:
            say(self.line(done.facts), err=to_stderr)

    def noted(self, done: Done) -> None:
        """Print the notes of a file."""
        if not self.quiet:
            print_notes(done.notes)


def run(plan: Plan, work: Work, output: Output, jobs: int | None) -> None:
    """Carry out a plan, print the outcome, and exit with an error code if any task failed."""
    start = time.perf_counter()
    print_skipped(plan, output)
    for error in plan.failures:
        print_error(error)
    written: dict[Task, Done] = {}
    failures: list[AdaptiveKMeansError] = []
    with trial_bar(len(plan.tasks), "files", hidden=output.quiet, logs=False) as bar:
        for task, outcome in _outcomes(plan.tasks, work, jobs, bar):
            with bar.aside():
                if isinstance(outcome, Done):
                    written[task] = outcome
                    output.done(outcome)
                else:
                    failures.append(outcome)
                    print_error(outcome)
            bar(failed=not isinstance(outcome, Done))
    unwritten = [error for error in failures if isinstance(error, NotWrittenError)]
    counts = {
        "written": len(written),
        "skipped": len(plan.skipped) + len(unwritten),
        "failed": len(plan.failures) + len(failures) - len(unwritten),
    }
    facts = [written[task].facts for task in plan.tasks if task in written]
    sums = {name: sum(each[name] for each in facts) for name in ("input_bytes", "bytes")}
    totals = counts | sums | {"seconds": time.perf_counter() - start}
    if output.as_json:
        errors = [str(error) for error in (*plan.failures, *failures)]
        print_json({"files": facts, "errors": errors, "totals": totals})
    elif not output.quiet:
        _print_totals(totals)
    if counts["failed"]:
        raise typer.Exit(TrialsFailedError.exit_code)
    if unwritten:
        raise typer.Exit(max(error.exit_code for error in unwritten))


def print_skipped(plan: Plan, output: Output) -> None:
    """Print the skipped inputs, and why they were skipped."""
    for source, why in () if output.quiet else plan.skipped:
        say(f"{source}: skipped, {why}", err=True)


def _print_totals(totals: dict[str, Any]) -> None:
    from rich.table import Column, Table

    cells = {
        "written": f"{totals['written']:,}",
        "skipped": f"{totals['skipped']:,}",
        "failed": f"{totals['failed']:,}",
        "input bytes": f"{totals['input_bytes']:,}",
        "output bytes": f"{totals['bytes']:,}",
        "seconds": f"{totals['seconds']:.1f}",
    }
    table = Table(*(Column(name, justify="right") for name in cells))
    table.add_row(*cells.values())
    print_table(table)


def _outcomes(
    tasks: list[Task], work: Work, jobs: int | None, bar: TrialBar
) -> Iterator[tuple[Task, Done | AdaptiveKMeansError]]:
    """Yield each task with its outcome, in the order of completion."""
    jobs = min(thread_count() if jobs is None else jobs, len(tasks))
    if jobs <= 1:
        yield from ((task, _attempt(work, task)) for task in tasks)
        return
    from adaptive_kmeans.pools import Died, run_calls
    from adaptive_kmeans.processes import Processes

    place = Processes(jobs, max(1, thread_count() // jobs))
    try:
        calls = ((work, task) for task in tasks)
        for (_, task), outcome in run_calls(_attempt, calls, place, bar.say):
            if isinstance(outcome, Died):
                outcome = TrialsFailedError(f"{task.source}: {outcome}")
            yield task, outcome
    except BaseException:
        # The processes were killed, perhaps while writing.
        for folder in {Path(task.target).parent for task in tasks}:
            files.remove_leftovers(folder)
        raise


def _attempt(work: Work, task: Task) -> Done | AdaptiveKMeansError:
    """Code a file; return an error instead of raising it, so that the other files go on."""
    try:
        return work(task, None)
    except AdaptiveKMeansError as error:
        return error
    except MemoryError:
        return LimitError("memory", f"enough for {task.source}", "none left")
    except Exception as error:
        return TrialsFailedError(f"{task.source}: {one_line(error)}")
