# mypy: disable-error-code="attr-defined,no-untyped-call,call-arg"
"""Numba extensions for the coder's kernels: aligned memory, prefetching and vector operations.

Two loops of the mixer are written as vector operations, since LLVM vectorizes neither on its own;
with the compiler off, the plain loops run.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from adaptive_kmeans.kernels import Int, sources

SOURCES = sources(Path(__file__).parent)
"""An argument of every kernel: see `adaptive_kmeans.kernels.sources`."""

LANES = 32
"""Number of mixer inputs: counters and features, padded with zeros."""
FIRST_WEIGHT = 8192
"""Initial weight of a counter's input, 0.125; that of a feature is 0."""
LARGEST_WEIGHT = 524287

_CACHE_LINE = 64
_WORD = ir.IntType(32)
_VECTOR = ir.VectorType(_WORD, LANES)


def aligned_zeros(words: int) -> NDArray[np.uint32]:
    """Return zeros aligned to a cache line, so that 16 words fit in one line.

    >>> array = aligned_zeros(5)
    >>> len(array), array.ctypes.data % 64
    (5, 0)
    """
    room = np.zeros(words + _CACHE_LINE // 4, dtype=np.uint32)
    start = -room.ctypes.data % _CACHE_LINE // 4
    return room[start : start + words]


def prefetch(array: NDArray[Any], index: Any) -> None:
    """Prefetch an element's cache line; no result depends on it."""


def dot(
    inputs: NDArray[np.int32],
    at: Int,
    weights: NDArray[np.int32],
    start: Int,
    first: NDArray[np.int32],
    row: Int,
) -> Int:
    """Sum ``inputs[at:] * (weights[start:] + first[row]) >> 8`` over the lanes, in 32 bits."""
    total = 0
    for i in range(LANES):
        total += (int(inputs[at + i]) * (int(weights[start + i]) + int(first[row, i]))) >> 8
    return total


def adjust(
    inputs: NDArray[np.int32],
    at: Int,
    weights: NDArray[np.int32],  # OUT
    start: Int,
    first: NDArray[np.int32],
    row: Int,
    step: Int,
) -> None:
    """Add ``(inputs[at:] * step + 8192) >> 14`` to the weights, clamped to the largest weight."""
    for i in range(LANES):
        weight = int(weights[start + i]) + int(first[row, i])
        weight += (int(inputs[at + i]) * int(step) + 8192) >> 14
        weight = min(max(weight, -LARGEST_WEIGHT - 1), LARGEST_WEIGHT)
        weights[start + i] = weight - int(first[row, i])


def claim_line(counters: NDArray[np.uint32], line: Int, check: Int) -> None:
    """Clear a line of 16 words and begin it with `check`, unless it already does."""
    if int(counters[line]) != check:
        counters[line : line + 16] = 0
        counters[line] = check


@functools.cache
def counter_learner(lanes: int) -> Callable[..., None]:
    """Make the function that moves `lanes` counters toward a decision.

    ``values[at:]``, uint32, are the counters, first as read and then as stored; ``rates[at:]``,
    int32, says how fast each moves.
    """

    def learn_all(
        values: NDArray[np.uint32], rates: NDArray[np.int32], at: Int, bit: Int, limit: Int
    ) -> None:
        for i in range(at, at + lanes):
            count, chance = int(values[i]) & 1023, int(values[i]) >> 10
            chance += ((4194303 * int(bit) - chance) * int(rates[i])) >> 16
            values[i] = ((chance << 10) | (count + (count < limit))) ^ (1 << 31)

    @intrinsic
    def vectorized(
        typing_context: Any, values: Any, rates: Any, at: Any, bit: Any, limit: Any
    ) -> Any:
        narrow, wide = ir.VectorType(_WORD, lanes), ir.VectorType(ir.IntType(64), lanes)

        def splat(value: int) -> Any:
            return ir.Constant(narrow, [value] * lanes)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = _place(context, builder, signature.args[0], arguments[0], arguments[2])
            place = builder.bitcast(place, narrow.as_pointer())
            value = builder.load(place)
            rate = _place(context, builder, signature.args[1], arguments[1], arguments[2])
            rate = builder.load(builder.bitcast(rate, narrow.as_pointer()))
            value.align = rate.align = 4
            count = builder.and_(value, splat(1023))
            chance = builder.lshr(value, splat(10))
            is_one = builder.icmp_unsigned("!=", arguments[3], ir.Constant(arguments[3].type, 0))
            target = builder.select(is_one, splat(4194303), splat(0))
            error = builder.sext(builder.sub(target, chance), wide)
            move = builder.mul(error, builder.sext(rate, wide))
            move = builder.trunc(builder.ashr(move, ir.Constant(wide, [16] * lanes)), narrow)
            limits = _everywhere(builder, builder.trunc(arguments[4], _WORD), lanes)
            older = builder.zext(builder.icmp_unsigned("<", count, limits), narrow)
            value = builder.shl(builder.add(chance, move), splat(10))
            value = builder.or_(value, builder.add(count, older))
            stored = builder.store(builder.xor(value, splat(-(1 << 31))), place)
            stored.align = 4
            return context.get_dummy_value()

        word = types.int64
        return types.none(values, rates, word, word, word), generate

    @overload(learn_all, inline="always", strict=False)
    def compiled(values: Any, rates: Any, at: Any, bit: Any, limit: Any) -> Any:
        def learn(values: Any, rates: Any, at: Any, bit: Any, limit: Any) -> None:
            vectorized(values, rates, at, bit, limit)

        return learn

    return learn_all


def _everywhere(builder: Any, value: Any, lanes: int) -> Any:
    """Repeat a word in all lanes."""
    vector = ir.VectorType(_WORD, lanes)
    alone = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _WORD(0))
    return builder.shuffle_vector(
        alone, ir.Constant(vector, ir.Undefined), ir.Constant(vector, [0] * lanes)
    )


def _splat(value: int) -> Any:
    return ir.Constant(_VECTOR, [value] * LANES)


def _place(context: Any, builder: Any, kind: Any, array: Any, *index: Any) -> Any:
    """Return the pointer to an element of a C-ordered array."""
    view = context.make_array(kind)(context, builder, array)
    offset = index[0]
    if len(index) > 1:
        offset = builder.add(builder.mul(offset, ir.Constant(offset.type, LANES)), index[1])
    return builder.gep(view.data, [offset])


def _load(builder: Any, place: Any) -> Any:
    vector = builder.load(builder.bitcast(place, _VECTOR.as_pointer()))
    vector.align = 4
    return vector


def _weight(context: Any, builder: Any, kinds: Any, values: Any) -> tuple[Any, Any, Any, Any]:
    """Return the inputs, the location of the weights, their initial values, and the weights."""
    zero = ir.Constant(ir.IntType(64), 0)
    inputs = _load(builder, _place(context, builder, kinds[0], values[0], values[1]))
    place = _place(context, builder, kinds[2], values[2], values[3])
    first = _load(builder, _place(context, builder, kinds[4], values[4], values[5], zero))
    return inputs, place, first, builder.add(_load(builder, place), first)


@intrinsic
def _dot(
    typing_context: Any, inputs: Any, at: Any, weights: Any, start: Any, first: Any, row: Any
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        inputs, _, _, weight = _weight(context, builder, signature.args, values)
        terms = builder.ashr(builder.mul(inputs, weight), _splat(8))
        kind = ir.FunctionType(_WORD, [_VECTOR])
        name = f"llvm.vector.reduce.add.v{LANES}i32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [terms])

    word = types.int64
    return types.int32(inputs, word, weights, word, first, word), generate


@intrinsic
def _adjust(
    typing_context: Any,
    inputs: Any,
    at: Any,
    weights: Any,
    start: Any,
    first: Any,
    row: Any,
    step: Any,
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        inputs, place, first, weight = _weight(context, builder, signature.args, values)
        step = _everywhere(builder, values[6], LANES)
        change = builder.add(builder.mul(inputs, step), _splat(8192))
        weight = builder.add(weight, builder.ashr(change, _splat(14)))
        low, high = _splat(-LARGEST_WEIGHT - 1), _splat(LARGEST_WEIGHT)
        weight = builder.select(builder.icmp_signed("<", weight, low), low, weight)
        weight = builder.select(builder.icmp_signed(">", weight, high), high, weight)
        stored = builder.store(
            builder.sub(weight, first), builder.bitcast(place, _VECTOR.as_pointer())
        )
        stored.align = 4
        return context.get_dummy_value()

    word = types.int64
    return types.none(inputs, word, weights, word, first, word, types.int32), generate


@intrinsic
def _claim_line(typing_context: Any, counters: Any, line: Any, check: Any) -> Any:
    vector = ir.VectorType(_WORD, 16)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _place(context, builder, signature.args[0], values[0], values[1])
        place = builder.bitcast(place, vector.as_pointer())
        words = builder.load(place)
        words.align = 4
        is_own = builder.icmp_unsigned("==", builder.extract_element(words, _WORD(0)), values[2])
        words = builder.select(is_own, words, ir.Constant(vector, [0] * 16))
        words = builder.insert_element(words, values[2], _WORD(0))
        stored = builder.store(words, place)
        stored.align = 4
        return context.get_dummy_value()

    return types.none(counters, types.int64, types.uint32), generate


@intrinsic
def _prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _place(context, builder, signature.args[0], values[0], values[1])
        kinds = [cgutils.voidptr_t, _WORD, _WORD, _WORD]
        kind = ir.FunctionType(ir.VoidType(), kinds)
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, keep, data_cache = _WORD(0), _WORD(3), _WORD(1)
        pointer = builder.bitcast(place, cgutils.voidptr_t)
        builder.call(function, [pointer, read, keep, data_cache])
        return context.get_dummy_value()

    return types.none(array, index), generate


@overload(prefetch, inline="always", strict=False)
def _compiled_prefetch(array: Any, index: Any) -> Any:
    return lambda array, index: _prefetch(array, index)


@overload(dot, inline="always", strict=False)
def _compiled_dot(inputs: Any, at: Any, weights: Any, start: Any, first: Any, row: Any) -> Any:
    def compiled(inputs: Any, at: Any, weights: Any, start: Any, first: Any, row: Any) -> Any:
        return _dot(inputs, at, weights, start, first, row)

    return compiled


@overload(adjust, inline="always", strict=False)
def _compiled_adjust(
    inputs: Any, at: Any, weights: Any, start: Any, first: Any, row: Any, step: Any
) -> Any:
    def compiled(
        inputs: Any, at: Any, weights: Any, start: Any, first: Any, row: Any, step: Any
    ) -> None:
        _adjust(inputs, at, weights, start, first, row, step)

    return compiled


@overload(claim_line, inline="always", strict=False)
def _compiled_claim_line(counters: Any, line: Any, check: Any) -> Any:
    def compiled(counters: Any, line: Any, check: Any) -> None:
        _claim_line(counters, line, np.uint32(check))

    return compiled
