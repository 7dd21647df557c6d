"""The peak memory of a block of code, on Linux with glibc."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import TracebackType
from typing import Self

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Measures the peak memory of a block of code, beyond what the process held before it.

    Memory that the allocator kept from earlier work is first returned to the system, or the block
    would seem to need none. Only one block can be measured at a time, and other threads count too.

    Examples
    --------
    >>> with PeakMemory() as peak:
    ...     room = b"x" * 50_000_000
    >>> peak.mb is None or 40 < peak.mb < 60
    True
    """

    mb: float | None = None
    """The peak in MB (2²⁰ bytes), set after the block; None on other systems."""

    _before: float | None = None

    def __enter__(self) -> Self:
        try:
            ctypes.CDLL(None).malloc_trim(0)
            _RESET.write_text("5")  # see proc(5): resets the peak to what is resident now
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
