"""Progress bars for long work, silent if standard error is not a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

Progress = Callable[[str, float], None]
"""Called with the name of a stage and its finished share, 0..1. An exception from it ends the
work."""

PATIENCE_S = 0.5

AT_ONCE = 1_000
"""Items that are listed before a bar moves."""

LOADING = "loading kernels; the first run compiles"
LOADING_S = 5.0
"""Seconds of loading before a log says so."""

LOG_S = 30.0
"""Seconds between lines if standard error is not a terminal."""


def beside(progress: Progress) -> tuple[Progress, Progress]:
    """Return a callback, and a silent one for parallel work, which ends when the first one does.

    A callback that raises ends the work that calls it.

    Examples
    --------
    >>> def stop(stage, share):
    ...     raise InterruptedError(stage)
    >>> leading, silent = beside(stop)
    >>> silent("coding", 0.5)
    >>> try:
    ...     leading("coding", 0.5)
    ... except InterruptedError:
    ...     silent("coding", 0.6)
    Traceback (most recent call last):
    InterruptedError: coding
    """
    ended: list[BaseException] = []

    def leading(stage: str, share: float) -> None:
        try:
            progress(stage, share)
        except BaseException as error:
            ended.append(error)
            raise

    def silent(_: str, __: float) -> None:
        if ended:
            raise ended[0]

    return leading, silent


@contextmanager
def progress_bar(title: str, *, hidden: bool = False) -> Iterator[Progress]:
    """Provide a progress callback; a bar appears once the work has taken half a second.

    Parameters
    ----------
    title : str
        Text of the bar until the first stage is reported.
    hidden : bool
        Whether to show no bar.
    """
    if hidden or sys.stderr is None or not sys.stderr.isatty():
        yield lambda stage, share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.progress import TimeElapsedColumn as Elapsed
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    times = (Elapsed(), TextColumn("left"), Remaining())
    bar = Bar(*columns, *times, console=console, transient=True)
    task = bar.add_task(title, total=1.0)
    timer = threading.Timer(PATIENCE_S, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda stage, share: bar.update(task, description=stage, completed=share)
    finally:
        timer.cancel()
        timer.join()
        if bar.live.is_started:
            bar.stop()


def with_bar(title: str, items: Sequence[Item]) -> Iterator[Item]:
    """Yield items under a progress bar, which appears after half a second."""
    with progress_bar(title) as progress:
        for number, item in enumerate(items):
            if number % AT_ONCE == 0:
                progress(title, number / len(items))
            yield item


class TrialBar:
    """Counts trials that are done or failed, and prints messages about them; see `trial_bar`."""

    def __init__(
        self, total: int, what: str = "trials", *, hidden: bool = False, logs: bool = True
    ) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar
        from rich.progress import TimeElapsedColumn as Elapsed
        from rich.progress import TimeRemainingColumn as Remaining

        self._console = Console(stderr=True)
        words = [TextColumn(word) for word in ("{task.description}", "elapsed", "left")]
        columns = (words[0], BarColumn(), MofNCompleteColumn(), words[1], Elapsed(), words[2])
        self._is_shown = self._console.is_terminal and not hidden
        self.bar = Bar(
            *columns,
            Remaining(),
            console=self._console,
            transient=True,
            disable=not self._is_shown,
            redirect_stdout=False,
        )
        self._task = self.bar.add_task(what, total=total)
        self._what, self._logs = what, logs
        self._total = total
        self._done = self._failed = 0
        self._said = time.monotonic()
        self._loading: threading.Timer | None = None

    def load(self) -> None:
        """Say that kernels are being loaded, possibly compiled, until the next trial ends."""
        self.stop()
        self.bar.update(self._task, description=LOADING)
        if not self._console.is_terminal:
            self._loading = threading.Timer(LOADING_S, self.say, [LOADING])
            self._loading.daemon = True
            self._loading.start()

    def stop(self) -> None:
        """End the message about loading."""
        if self._loading is not None:
            self._loading.cancel()
            self._loading = None

    def count(self, done: int, failed: int) -> None:
        """Set how many trials are done, and how many failed."""
        self._done, self._failed = done, failed
        what = f"{self._what}, {failed} failed" if failed else self._what
        self.bar.update(self._task, completed=done + failed, description=what)
        is_log = self._logs and not self._console.is_terminal
        if is_log and time.monotonic() - self._said > LOG_S:
            self._said = time.monotonic()
            self.say(f"{done + failed} of {self._total} {what}")

    def __call__(self, message: str = "", *, failed: bool = False) -> None:
        """Count one more trial, and print a message if there is one."""
        self.stop()
        self.count(self._done + (not failed), self._failed + failed)
        if message:
            self.say(message)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Hide the bar while something else prints."""
        if self._is_shown:
            self.bar.stop()
        yield
        if self._is_shown:
            self.bar.start()

    def say(self, message: str) -> None:
        """Print a line above the bar."""
        self._console.print(message, markup=False, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """Print a line on standard error, without a bar."""
    TrialBar(0).say(message)


@contextmanager
def trial_bar(
    total: int, what: str = "trials", *, hidden: bool = False, logs: bool = True
) -> Iterator[TrialBar]:
    """Provide a bar that counts trials and estimates the time left; a log gets occasional lines.

    Parameters
    ----------
    total : int
        Number of trials.
    what : str
        What is counted.
    hidden : bool
        Whether there is no bar.
    logs : bool
        Whether a log gets occasional lines.
    """
    bar = TrialBar(total, what, hidden=hidden, logs=logs)
    with bar.bar:
        try:
            yield bar
        finally:
            bar.stop()
