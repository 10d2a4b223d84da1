"""Vectors of float32 as wide as the machine's registers, for kernels that numba compiles.

LLVM gets explicit vectors instead of loops that it may or may not vectorise. A processor with
narrower registers than `LANES` still computes the same, LLVM splits the vectors. Without
compilation (``NUMBA_DISABLE_JIT``) vectors are NumPy arrays.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

_FEATURES = (config.CPU_FEATURES or get_host_cpu_features().flatten()).split(",")
_WIDE = "+avx512f" in _FEATURES

#: Numbers in a vector.
LANES = 16 if _WIDE else 8 if "+avx" in _FEATURES else 4
#: Pixels that a kernel computes side by side: as many as leave its sums in the registers, of
#: which x86 without AVX-512 has 16, and all others have 32.
ROWS = 8 if _WIDE or "+neon" in _FEATURES else 6

FLOAT = ir.FloatType()
INDEX = ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)
ZERO = ir.Constant(VECTOR, [0.0] * LANES)


class VectorType(types.Type):
    """Numba's type of a vector of `LANES` float32."""

    def __init__(self):
        super().__init__(name="float32_vector")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, VECTOR)


_vector = VectorType()


def compiled_or(twin):
    """Decorate an intrinsic; `twin` does the same in NumPy where compilation is off."""

    def choose(function):
        return twin if config.DISABLE_JIT else intrinsic(function)

    return choose


def data_of(context, builder, array_type, array):
    """Return the pointer to an array's numbers."""
    return context.make_array(array_type)(context, builder, value=array).data


def emit_load(builder, data, position):
    """Read a vector."""
    address = builder.bitcast(builder.gep(data, [position]), VECTOR.as_pointer())
    return builder.load(address, align=4)


def emit_store(builder, data, position, value):
    """Write a vector."""
    address = builder.bitcast(builder.gep(data, [position]), VECTOR.as_pointer())
    builder.store(value, address, align=4)


def emit_store_some(builder, data, position, value, count):
    """Write the first `count` numbers of a vector, one by one."""
    buffer = cgutils.alloca_once(builder, VECTOR)
    builder.store(value, buffer)
    numbers = builder.bitcast(buffer, FLOAT.as_pointer())
    with cgutils.for_range(builder, count) as loop:
        number = builder.load(builder.gep(numbers, [loop.index]))
        builder.store(number, builder.gep(data, [builder.add(position, loop.index)]))


def emit_spread(builder, number):
    """Return a vector of one number repeated."""
    empty = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(empty, number, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, empty, zeros)


def emit_multiply_add(builder, a, b, c):
    """Return a * b + c, rounded once where the processor can."""
    product = builder.fmul(a, b, flags=("contract",))
    return builder.fadd(product, c, flags=("contract",))


def emit_rectify(builder, value, slope):
    """Multiply the values that are not positive with their slopes."""
    positive = builder.fcmp_ordered(">", value, ZERO)
    return builder.select(positive, value, builder.fmul(value, slope))


@compiled_or(lambda memory, position: memory[position : position + LANES].copy())
def load(_context, memory, position):
    """Read a vector at a position of a flat array."""

    def emit(context, builder, signature, arguments):
        data = data_of(context, builder, signature.args[0], arguments[0])
        return emit_load(builder, data, arguments[1])

    return _vector(memory, types.int64), emit


def _store(memory, position, value, count):
    memory[position : position + min(count, LANES)] = value[: max(count, 0)]


@compiled_or(_store)
def store(_context, memory, position, value, count):
    """Write the first `count` numbers of a vector, all of them if it has fewer."""

    def emit(context, builder, signature, arguments):
        data = data_of(context, builder, signature.args[0], arguments[0])
        _, position, value, count = arguments
        with builder.if_else(builder.icmp_signed(">=", count, INDEX(LANES))) as (whole, part):
            with whole:
                emit_store(builder, data, position, value)
            with part:
                emit_store_some(builder, data, position, value, count)
        return context.get_dummy_value()

    return types.void(memory, types.int64, _vector, types.int64), emit


@compiled_or(lambda number: np.full(LANES, number, np.float32))
def spread(_context, number):
    """Return a vector of one number repeated."""

    def emit(context, builder, signature, arguments):
        return emit_spread(builder, arguments[0])

    return _vector(types.float32), emit


@compiled_or(lambda a, b, c: a * b + c)
def multiply_add(_context, a, b, c):
    """Return a * b + c."""

    def emit(context, builder, signature, arguments):
        return emit_multiply_add(builder, *arguments)

    return _vector(_vector, _vector, _vector), emit


@compiled_or(np.add)
def add(_context, a, b):
    """Return a + b."""

    def emit(context, builder, signature, arguments):
        return builder.fadd(*arguments)

    return _vector(_vector, _vector), emit


@compiled_or(np.maximum)
def larger(_context, a, b):
    """Return the larger of two numbers in each lane."""

    def emit(context, builder, signature, arguments):
        a, b = arguments
        return builder.select(builder.fcmp_ordered(">", a, b), a, b)

    return _vector(_vector, _vector), emit


@compiled_or(lambda value, slope: np.where(value > 0, value, value * slope))
def rectify(_context, value, slope):
    """Multiply the values that are not positive with their slopes."""

    def emit(context, builder, signature, arguments):
        return emit_rectify(builder, *arguments)

    return _vector(_vector, _vector), emit
