"""The peak of the memory that a piece of work takes, where the system says: Linux, with glibc."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import TracebackType
from typing import Self

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Measures what a block of code needs at its peak beyond what the process held before it.

    What the allocator holds back of earlier work is given to the system first: else the next work
    would seem to need nothing. Only one such block counts at a time, and other threads count too.

    Examples
    --------
    >>> with PeakMemory() as peak:
    ...     room = b"x" * 50_000_000
    >>> peak.mb is None or 40 < peak.mb < 60
    True
    """

    mb: float | None = None
    """The peak in MB of 2²⁰ bytes, after the block; None where the system does not say."""

    _before: float | None = None

    def __enter__(self) -> Self:
        try:
            ctypes.CDLL(None).malloc_trim(0)
            _RESET.write_text("5")  # see proc(5): the peak becomes what is resident now
            self._before = _resident("VmRSS")
        except (OSError, AttributeError, TypeError, KeyError):
            pass  # another system
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            self.mb = max(0.0, _resident("VmHWM") - self._before)


def _resident(field: str) -> float:
    lines = (line.partition(":") for line in _STATUS.read_text().splitlines())
    values = {name: value for name, _, value in lines}
    return int(values[field].split()[0]) / 1024
