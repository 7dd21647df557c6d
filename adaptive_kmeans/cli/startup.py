"""What makes short commands start faster: most of their time goes into imports."""

from __future__ import annotations

import contextlib
import gc
import subprocess
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
def compiling_apart(coder: str) -> Iterator[None]:
    """Compile the coder's kernels in a process beside what the body compiles.

    That is on the first run on a machine, which says so; Numba compiles in one thread a process.
    """
    from adaptive_kmeans.coding.context_mixing.pixels import code_pixels
    from adaptive_kmeans.kernels import is_compiled
    from adaptive_kmeans.progress import say

    if not coder.startswith("context-mixing") or is_compiled(code_pixels):
        yield
        return
    say("compiling for this machine, which takes half a minute, once")
    code = f"from adaptive_kmeans.codec import warm_up_coder; warm_up_coder({coder!r})"
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        yield
    finally:
        child.wait()


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
