"""The inner kernels of prediction: a tile of pixels by channels, its sums kept in registers.

A tile is convolved where it lies: for every pixel of the output a table holds the position of
the numbers that it reads in the input, and for every row of the filter (a *slab*) a table holds
the distance from there, so that no patches are gathered first and a padded, strided or
transposed convolution is the same loop as a matrix product.

Weights lie in *panels* of `vectors * LANES` output channels, (depth of all slabs, channels).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils

from classicface.cnn._inference_vectors import (
    INDEX,
    LANES,
    ROWS,
    VECTOR,
    compiled_or,
    data_of,
    emit_load,
    emit_multiply_add,
    emit_rectify,
    emit_spread,
    emit_store,
    emit_store_some,
)


class Tile(NamedTuple):
    """Where a tile lies; all are positions in the flat arrays of memory, weights and table."""

    pixels_in: int  # in the table: where each pixel reads, from `base_in`
    base_in: int
    slabs: int  # in the table: where each slab begins, from its pixel
    n_slabs: int
    depth: int  # numbers of a slab; of a depthwise filter: weights from one slab to the next
    panel: int  # weights from one panel to the next
    weight: int
    bias: int
    slope: int
    pixels_out: int
    base_out: int
    channels: int  # how many are left to write


class _Emitter:
    """Emits the code of one kind of tile: `rows` pixels by `panels * vectors` vectors."""

    def __init__(self, builder, memory, weights, table, tile, rows, panels, vectors):
        self.builder = builder
        self.memory, self.weights, self.table = memory, weights, table
        self.tile = Tile(*tile)
        self.rows, self.panels, self.vectors = rows, panels, vectors
        self.columns = range(panels * vectors)
        self.sums = [[cgutils.alloca_once(builder, VECTOR) for _ in self.columns] for _ in rows]

    def offset(self, position, index):
        entry = self.builder.gep(self.table, [self.builder.add(position, index)])
        return self.builder.sext(self.builder.load(entry), INDEX)

    def begin(self):
        """Start the sums with the biases, and return the addresses that the pixels read."""
        builder, tile = self.builder, self.tile
        for column in self.columns:
            bias = emit_load(builder, self.weights, builder.add(tile.bias, INDEX(column * LANES)))
            for row in self.rows:
                builder.store(bias, self.sums[row][column])
        return [
            builder.gep(
                self.memory, [builder.add(tile.base_in, self.offset(tile.pixels_in, INDEX(row)))]
            )
            for row in self.rows
        ]

    def accumulate(self, row, column, a, b):
        total = self.sums[row][column]
        value = emit_multiply_add(self.builder, a, b, self.builder.load(total))
        self.builder.store(value, total)

    def convolve(self, sources):
        """Add the products of all inputs with the weights of this tile's channels."""
        builder, tile = self.builder, self.tile
        width = INDEX(self.vectors * LANES)
        starts = [
            builder.add(tile.weight, builder.mul(tile.panel, INDEX(panel)))
            for panel in range(self.panels)
        ]
        with cgutils.for_range(builder, tile.n_slabs) as slab:
            offset = self.offset(tile.slabs, slab.index)
            done = builder.mul(slab.index, tile.depth)
            with cgutils.for_range(builder, tile.depth) as step:
                weight = builder.mul(builder.add(done, step.index), width)
                factors = [
                    emit_load(
                        builder,
                        self.weights,
                        builder.add(builder.add(start, weight), INDEX(vector * LANES)),
                    )
                    for start in starts
                    for vector in range(self.vectors)
                ]
                place = builder.add(offset, step.index)
                for row in self.rows:
                    number = builder.load(builder.gep(sources[row], [place]))
                    spread = emit_spread(builder, number)
                    for column in self.columns:
                        self.accumulate(row, column, spread, factors[column])

    def convolve_depthwise(self, sources):
        """Add the products of one vector of channels with its own weights."""
        builder, tile = self.builder, self.tile
        with cgutils.for_range(builder, tile.n_slabs) as slab:
            offset = self.offset(tile.slabs, slab.index)
            start = builder.add(tile.weight, builder.mul(slab.index, tile.depth))
            weight = emit_load(builder, self.weights, start)
            for row in self.rows:
                value = emit_load(builder, sources[row], offset)
                self.accumulate(row, 0, value, weight)

    def finish(self):
        """Rectify the sums and write them."""
        builder, tile = self.builder, self.tile
        values = {}
        for column in self.columns:
            start = builder.add(tile.slope, INDEX(column * LANES))
            slope = emit_load(builder, self.weights, start)
            for row in self.rows:
                total = builder.load(self.sums[row][column])
                values[row, column] = emit_rectify(builder, total, slope)
        targets = [
            builder.add(tile.base_out, self.offset(tile.pixels_out, INDEX(row)))
            for row in self.rows
        ]
        for column in self.columns:
            shift = INDEX(column * LANES)
            left = builder.sub(tile.channels, shift)
            with builder.if_else(builder.icmp_signed(">=", left, INDEX(LANES))) as (whole, part):
                with whole:
                    for row in self.rows:
                        place = builder.add(targets[row], shift)
                        emit_store(builder, self.memory, place, values[row, column])
                with part:
                    for row in self.rows:
                        place = builder.add(targets[row], shift)
                        emit_store_some(builder, self.memory, place, values[row, column], left)


def _twin(rows, panels, vectors, depthwise):
    """Return the same tile in NumPy."""
    width = vectors * LANES

    def run(memory, weights, table, tile):
        t = Tile(*tile)
        for row in range(rows):
            source = t.base_in + table[t.pixels_in + row]
            target = t.base_out + table[t.pixels_out + row]
            for panel in range(panels):
                start = t.weight + panel * t.panel
                total = weights[t.bias + panel * width :][:width].copy()
                for slab in range(t.n_slabs):
                    begin = source + table[t.slabs + slab]
                    if depthwise:
                        values = memory[begin : begin + LANES]
                        total += values * weights[start + slab * t.depth :][:LANES]
                    else:
                        first = start + slab * t.depth * width
                        factors = weights[first : first + t.depth * width].reshape(-1, width)
                        total += memory[begin : begin + t.depth] @ factors
                total = np.where(
                    total > 0, total, total * weights[t.slope + panel * width :][:width]
                )
                left = min(max(t.channels - panel * width, 0), width)
                memory[target + panel * width :][:left] = total[:left]

    return run


def _make(n_rows, panels, vectors, *, depthwise=False):
    @compiled_or(_twin(n_rows, panels, vectors, depthwise))
    def tile_kernel(_context, memory, weights, table, tile):
        def emit(context, builder, signature, arguments):
            data = [
                data_of(context, builder, array_type, array)
                for array_type, array in zip(signature.args[:3], arguments[:3], strict=True)
            ]
            fields = cgutils.unpack_tuple(builder, arguments[3], len(Tile._fields))
            rows = range(n_rows)
            emitter = _Emitter(builder, *data, fields, rows, panels, vectors)
            sources = emitter.begin()
            if depthwise:
                emitter.convolve_depthwise(sources)
            else:
                emitter.convolve(sources)
            emitter.finish()
            return context.get_dummy_value()

        where = types.UniTuple(types.int64, len(Tile._fields))
        return types.void(memory, weights, table, where), emit

    return tile_kernel


#: Of a convolution: `ROWS` pixels by two vectors of channels, and by one.
convolve_two = _make(ROWS, 1, 2)
convolve_one = _make(ROWS, 1, 1)
#: Of a layer with a single pixel: eight vectors, two vectors, and one.
project_eight = _make(1, 4, 2)
project_two = _make(1, 1, 2)
project_one = _make(1, 1, 1)
#: Of a depthwise convolution.
filter_depthwise = _make(ROWS, 1, 1, depthwise=True)
