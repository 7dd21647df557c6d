"""A progress bar on anything over a second, silent where standard error is no terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from adaptive_kmeans.quantize import Progress

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
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    bar = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
    task = bar.add_task(title, total=1.0)
    timer = threading.Timer(PATIENCE_S, bar.start)
    timer.daemon = True
    if console.is_terminal:
        timer.start()
    try:
        yield lambda stage, share: bar.update(task, description=stage, completed=share)
    finally:
        timer.cancel()
        if timer.ident is not None:
            timer.join()
        bar.stop()
