"""A progress bar on anything over a second, silent where standard error is no terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, float], None]
"""Called with the name of a stage and the finished share of it, 0..1."""

PATIENCE_S = 0.5


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """Give a callback for stage and share; a bar appears once the work has taken half a second.

    Parameters
    ----------
    title : str
        What the bar says until the first stage is reported.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda stage, share: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    bar = Bar(*columns, TimeElapsedColumn(), console=console, transient=True)
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


@contextmanager
def trial_bar(total: int) -> Iterator[Callable[[str], None]]:
    """Give a callback for each finished trial: a bar counts them and estimates the time left.

    Parameters
    ----------
    total : int
        Number of trials.

    Yields
    ------
    callable
        Called with what there is to say, which is printed at once, or with "".
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.progress import TimeElapsedColumn as Elapsed
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    text = [TextColumn(word) for word in ("trials", "elapsed", "left")]
    columns = (text[0], BarColumn(), MofNCompleteColumn(), text[1], Elapsed(), text[2], Remaining())
    bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("trials", total=total)

    def advance(message: str) -> None:
        bar.advance(task)
        if message:
            console.print(message, markup=False, highlight=False, soft_wrap=True)

    with bar:
        yield advance
