# mypy: disable-error-code="attr-defined,no-untyped-call,call-arg"
"""Memory for the kernels: arrays aligned to cache lines, and early loads."""

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

CACHE_LINE = 64


def aligned_zeros(words: int) -> NDArray[np.uint32]:
    """Return zeros that begin at a cache line, so that 16 of them need only one.

    >>> array = aligned_zeros(5)
    >>> len(array), array.ctypes.data % CACHE_LINE
    (5, 0)
    """
    room = np.zeros(words + CACHE_LINE // 4, dtype=np.uint32)
    start = -room.ctypes.data % CACHE_LINE // 4
    return room[start : start + words]


def prefetch(array: NDArray[Any], index: Any) -> None:
    """Ask for an element's cache line before it is needed. Nothing depends on it."""


@intrinsic
def _prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.gep(data, [arguments[1]])
        pointer = cgutils.voidptr_t
        integer = cgutils.int32_t
        call = cgutils.ir.FunctionType(cgutils.ir.VoidType(), [pointer, integer, integer, integer])
        function = cgutils.get_or_insert_function(builder.module, call, "llvm.prefetch.p0")
        read, keep, data_cache = integer(0), integer(3), integer(1)
        builder.call(function, [builder.bitcast(place, pointer), read, keep, data_cache])
        return context.get_dummy_value()

    return types.none(array, index), generate


@overload(prefetch, inline="always")
def _compiled_prefetch(array: Any, index: Any) -> Any:
    def compiled(array: Any, index: Any) -> None:
        _prefetch(array, index)

    return compiled
