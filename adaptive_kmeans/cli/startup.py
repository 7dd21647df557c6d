"""Faster startup of short commands, which spend most of their time on imports."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
from collections.abc import Iterator
from typing import cast


@contextlib.contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Disable the garbage collector: objects of imports stay alive, so searching them is wasted."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def compiling_apart(coder: str) -> Iterator[None]:
    """Compile the coder's kernels in a second process, in parallel with what the body compiles.

    This happens only on the first run on a machine, which says so. Numba compiles in only one
    thread per process.
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

    Numba imports SciPy's linear algebra, a sixth of the time of a short command, only to check
    whether ``np.convolve`` can use it, and again for kernels that multiply matrices. Our kernels do
    neither.
    """
    name = "scipy.linalg.cython_blas"
    if name in sys.modules:
        yield
        return
    modules = cast(dict[str, object], sys.modules)
    modules[name] = None  # importing it now raises ImportError
    try:
        yield
    finally:
        del modules[name]
