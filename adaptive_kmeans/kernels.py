"""Decorators of kernels that allocate nothing and own nothing.

They are compiled without reference counting (``_nrt=False``): counting references to the arrays of
a model took a quarter of the coder's time, and more of the search's.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Int = Any
"""An integer in a kernel: int or np.int64, as Numba types it."""

_UNCOUNTED: dict[str, Any] = {"nogil": True, "_nrt": False}
_INLINED: dict[str, Any] = {
    **_UNCOUNTED,
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}

kernel: Any = njit(cache=True, **_UNCOUNTED)
"""Decorates kernels that Python calls."""
inlined: Any = njit(cache=True, **_INLINED)
"""Decorates functions that only kernels call; their machine code is inlined."""
leaf: Any = njit(inline="always", **_UNCOUNTED)
"""Decorates functions of a few lines, inlined before compilation, which compiles faster."""


def is_compiled(function: Any) -> bool:
    """Return whether a kernel has been compiled on this machine, by this or an earlier process.

    The cache may be from older sources; the kernel is then compiled again when it is called.
    """
    cache = getattr(function, "_cache", None)  # none with the compiler off
    if cache is None:
        return True
    index = f"{cache._impl.filename_base}*.nbi"
    return any(Path(cache.cache_path).glob(index))


def sources(folder: Path) -> npt.NDArray[np.void]:
    """Return an argument for all kernels of a folder, whose type identifies its sources.

    Numba looks up a compiled kernel by the types of its arguments and the date of its own file, but
    not by the files of the functions that it calls: a change in these alone would go unnoticed.
    """
    files = sorted(folder.glob("*.py"))
    checksum = zlib.crc32(b"".join(file.read_bytes() for file in files))
    return np.zeros(0, dtype=[(f"crc_{checksum:08x}", np.uint8)])
