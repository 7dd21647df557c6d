"""The kinds of experiments, by the key ``kind`` of a config.

``compression``, the default, measures codecs on images; the others are the modules of `studies`.
Whatever the kind, a config is expanded into trials, which go through one store, and their outcomes
become one table, figures and a page.
"""

from __future__ import annotations

import importlib
import pkgutil

from adaptive_kmeans.experiment import compression, studies
from adaptive_kmeans.experiment.kind import Kind

_MODULES = [
    importlib.import_module(f"{studies.__name__}.{module.name}")
    for module in pkgutil.iter_modules(studies.__path__)
]
KINDS: dict[str, Kind] = {
    module.KIND.name: module.KIND for module in (compression, *_MODULES) if hasattr(module, "KIND")
}
