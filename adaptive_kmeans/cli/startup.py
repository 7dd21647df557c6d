"""What makes short commands start faster: most of their time goes into imports."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator
from typing import cast


@contextlib.contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Turn the garbage collector off: what imports allocate stays, so searching it is wasted."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def without_scipy() -> Iterator[None]:
    """Let Numba load without SciPy.

    It imports SciPy's linear algebra, a sixth of the time of a short command, only to see whether
    ``np.convolve`` may use it, and imports it again for kernels that multiply matrices. None of
    ours does either.
    """
    name = "scipy.linalg.cython_blas"
    if name in sys.modules:
        yield
        return
    modules = cast(dict[str, object], sys.modules)
    modules[name] = None  # an import of it now raises ImportError
    try:
        yield
    finally:
        del modules[name]
