"""Region-adaptive K-means image compression: a codec with real files, and an experiment runner.

Names are loaded when they are first used, so that importing the package stays light.

Examples
--------
>>> import numpy as np
>>> import adaptive_kmeans as akm
>>> image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
>>> data = akm.encode(image, akm.Settings(k1=16, k2=64, coder="fixed-length"))
>>> decoded = akm.decode(data)
>>> decoded.shape
(32, 32, 3)
"""

import sys as _sys
from types import ModuleType as _ModuleType

import lazy_loader as _lazy


class _Package(_ModuleType):
    """A package whose name `quantize` is always the function, not the module of the same name.

    Otherwise the first import of the submodule would bind the name to the module.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name == "quantize" and isinstance(value, _ModuleType)):
            super().__setattr__(name, value)


_sys.modules[__name__].__class__ = _Package

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
