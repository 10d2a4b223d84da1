"""Tiles of the training convolutions: small sums that stay in registers.

A tile of a convolution is `ROWS` pixels by one or two vectors of output channels, one of a
gradient to the weights `ROWS` input channels by as many vectors. A table lists where the pixels
of a few maps lie, so that strides, borders and the gaps of a transposed convolution need no copy
of the windows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils

from classicface.cnn._inference_vectors import (
    FLOAT,
    INDEX,
    LANES,
    ROWS,
    VECTOR,
    ZERO,
    compiled_or,
    data_of,
    emit_load,
    emit_multiply_add,
    emit_spread,
    emit_store,
)


class Tile(NamedTuple):
    """Where a tile of a convolution lies; all are positions in the flat arrays."""

    pixels_in: int  # in the table: where each pixel reads, from `base_in`
    base_in: int
    slabs: int  # in the table: where each slab begins, from its pixel
    n_slabs: int
    depth: int  # numbers of a slab
    weight: int
    bias: int
    pixels_out: int
    base_out: int
    channels: int  # how many are left to write


class Outer(NamedTuple):
    """Where a tile of a gradient to the weights lies."""

    pixels_in: int  # in the table: where each pixel reads, from `base_in`
    base_in: int
    base_out: int  # where the first pixel of the gradient to the output lies
    step: int  # from there to the next pixel
    n_pixels: int
    total: int
    width: int  # numbers of a row of the totals


class _Emitter:
    """Emits a tile: sums of `ROWS` rows by some vectors, in registers."""

    def __init__(self, builder, fields, vectors):
        self.builder, self.tile, self.columns = builder, fields, range(vectors)
        self.sums = [
            [cgutils.alloca_once(builder, VECTOR) for _ in self.columns] for _ in range(ROWS)
        ]

    def entry(self, table, position):
        """Return a position that the table lists."""
        entry = self.builder.load(self.builder.gep(table, [position]))
        return self.builder.sext(entry, INDEX)

    def vectors(self, data, start):
        """Read the vectors that begin at a position."""
        shifts = [INDEX(column * LANES) for column in self.columns]
        return [emit_load(self.builder, data, self.builder.add(start, s)) for s in shifts]

    def accumulate(self, row, number, factors):
        """Add the product of a number and the factors to the sums of a row."""
        spread = emit_spread(self.builder, number)
        for total, factor in zip(self.sums[row], factors, strict=True):
            value = emit_multiply_add(self.builder, spread, factor, self.builder.load(total))
            self.builder.store(value, total)

    def convolve(self, source, weights, table, target):
        """Emit a tile of a convolution."""
        builder, tile = self.builder, self.tile
        biases = self.vectors(weights, tile.bias)
        sources = []
        for row, sums in enumerate(self.sums):
            for bias, total in zip(biases, sums, strict=True):
                builder.store(bias, total)
            offset = self.entry(table, builder.add(tile.pixels_in, INDEX(row)))
            sources.append(builder.gep(source, [builder.add(tile.base_in, offset)]))
        width = INDEX(len(self.columns) * LANES)
        with cgutils.for_range(builder, tile.n_slabs) as slab:
            offset = self.entry(table, builder.add(tile.slabs, slab.index))
            done = builder.mul(slab.index, tile.depth)
            with cgutils.for_range(builder, tile.depth) as step:
                weight = builder.mul(builder.add(done, step.index), width)
                factors = self.vectors(weights, builder.add(tile.weight, weight))
                place = builder.add(offset, step.index)
                for row, address in enumerate(sources):
                    self.accumulate(row, builder.load(builder.gep(address, [place])), factors)
        targets = [
            builder.add(tile.base_out, self.entry(table, builder.add(tile.pixels_out, INDEX(row))))
            for row in range(ROWS)
        ]
        for column in self.columns:
            self.write(column, target, targets)

    def write(self, column, target, starts):
        """Write a vector of each row, as far as there are channels."""
        builder, shift = self.builder, INDEX(column * LANES)
        left = builder.sub(self.tile.channels, shift)
        places = [builder.add(start, shift) for start in starts]
        values = [builder.load(row[column]) for row in self.sums]
        with builder.if_else(builder.icmp_signed(">=", left, INDEX(LANES))) as (whole, part):
            with whole:
                for place, value in zip(places, values, strict=True):
                    emit_store(builder, target, place, value)
            with part:
                copies = [cgutils.alloca_once_value(builder, value) for value in values]
                with cgutils.for_range(builder, left) as loop:
                    for place, copy in zip(places, copies, strict=True):
                        numbers = builder.bitcast(copy, FLOAT.as_pointer())
                        number = builder.load(builder.gep(numbers, [loop.index]))
                        at = builder.gep(target, [builder.add(place, loop.index)])
                        builder.store(number, at)

    def outer(self, source, gradient, table, totals):
        """Emit a tile of a gradient to the weights, which is added to the totals."""
        builder, tile = self.builder, self.tile
        for total in (total for sums in self.sums for total in sums):
            builder.store(ZERO, total)
        with cgutils.for_range(builder, tile.n_pixels) as pixel:
            offset = self.entry(table, builder.add(tile.pixels_in, pixel.index))
            start = builder.add(tile.base_in, offset)
            along = builder.mul(pixel.index, tile.step)
            factors = self.vectors(gradient, builder.add(tile.base_out, along))
            for row in range(ROWS):
                number = builder.load(builder.gep(source, [builder.add(start, INDEX(row))]))
                self.accumulate(row, number, factors)
        for row, sums in enumerate(self.sums):
            start = builder.add(tile.total, builder.mul(tile.width, INDEX(row)))
            for column, total in enumerate(sums):
                place = builder.add(start, INDEX(column * LANES))
                value = builder.fadd(emit_load(builder, totals, place), builder.load(total))
                emit_store(builder, totals, place, value)


def _make(fields, emit_tile, twin, vectors):
    """Return an intrinsic of four flat arrays and a tuple of positions."""

    @compiled_or(twin(vectors * LANES))
    def tile_kernel(_context, first, second, table, last, tile):
        def emit(context, builder, signature, arguments):
            data = [
                data_of(context, builder, array_type, array)
                for array_type, array in zip(signature.args[:4], arguments[:4], strict=True)
            ]
            positions = cgutils.unpack_tuple(builder, arguments[4], len(fields._fields))
            emit_tile(_Emitter(builder, fields(*positions), vectors), *data)
            return context.get_dummy_value()

        where = types.UniTuple(types.int64, len(fields._fields))
        return types.void(first, second, table, last, where), emit

    return tile_kernel


def _convolve_twin(width):
    def run(source, weights, table, target, tile):
        t = Tile(*tile)
        for row in range(ROWS):
            total = weights[t.bias : t.bias + width].copy()
            for slab in range(t.n_slabs):
                begin = t.base_in + table[t.pixels_in + row] + table[t.slabs + slab]
                first = t.weight + slab * t.depth * width
                factors = weights[first : first + t.depth * width].reshape(-1, width)
                total += source[begin : begin + t.depth] @ factors
            place = t.base_out + table[t.pixels_out + row]
            left = min(t.channels, width)
            target[place : place + left] = total[:left]

    return run


def _outer_twin(width):
    def run(source, gradient, table, totals, tile):
        t = Outer(*tile)
        pixels = np.arange(t.n_pixels)[:, None]
        numbers = source[t.base_in + table[t.pixels_in + pixels] + np.arange(ROWS)]
        factors = gradient[t.base_out + pixels * t.step + np.arange(width)]
        rows = t.total + np.arange(ROWS)[:, None] * t.width + np.arange(width)
        totals[rows] += numbers.T @ factors

    return run


convolve_two = _make(Tile, _Emitter.convolve, _convolve_twin, 2)
convolve_one = _make(Tile, _Emitter.convolve, _convolve_twin, 1)
outer_two = _make(Outer, _Emitter.outer, _outer_twin, 2)
outer_one = _make(Outer, _Emitter.outer, _outer_twin, 1)
