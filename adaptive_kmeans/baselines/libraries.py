"""Libraries that only baselines need."""

from __future__ import annotations

import importlib
from types import ModuleType

from adaptive_kmeans.errors import MissingDependencyError


def library(name: str, package: str) -> ModuleType:
    """Import a library, or raise an error that names its extra.

    Raises
    ------
    MissingDependencyError
        It is not installed.

    Examples
    --------
    >>> library("zlib", "zlib").MAX_WBITS
    15
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        expected = "it to be installed: pip install 'adaptive-kmeans[peers]'"
        raise MissingDependencyError(f"library {package}", expected, str(error)) from error
