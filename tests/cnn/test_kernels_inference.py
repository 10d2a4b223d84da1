"""The compiled kernels of prediction, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from classicface.cnn import _inference_tiles as tiles
from classicface.cnn import _inference_vectors as vectors
from classicface.cnn._inference import N_FIELDS, Code, Field, run_program

LANES, ROWS = vectors.LANES, vectors.ROWS

# Kernels work only within compiled functions.


@njit
def copy_with(operation, memory, position, target, count):
    value = vectors.load(memory, position)
    if operation == 0:
        value = vectors.add(value, vectors.spread(np.float32(2)))
    elif operation == 1:
        value = vectors.larger(value, vectors.spread(np.float32(0.5)))
    elif operation == 2:
        value = vectors.rectify(value, vectors.spread(np.float32(0.25)))
    elif operation == 3:
        value = vectors.multiply_add(value, value, vectors.spread(np.float32(1)))
    vectors.store(memory, target, value, count)


@pytest.mark.parametrize("count", [-3, 0, 1, LANES - 1, LANES, LANES + 5])
@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (0, lambda x: x + 2),
        (1, lambda x: np.maximum(x, np.float32(0.5))),
        (2, lambda x: np.where(x > 0, x, x * np.float32(0.25))),
        (3, lambda x: x * x + 1),
        (4, lambda x: x),
    ],
)
def test_vectors(operation, expected, count):
    rng = np.random.default_rng(count + 10)
    memory = rng.standard_normal(5 * LANES, np.float32)
    before = memory.copy()
    copy_with(operation, memory, 3, 3 * LANES + 1, count)
    written = min(max(count, 0), LANES)
    result = expected(before[3 : 3 + LANES])[:written]
    np.testing.assert_allclose(memory[3 * LANES + 1 :][:written], result, rtol=1e-6)
    memory[3 * LANES + 1 :][:written] = before[3 * LANES + 1 :][:written]
    np.testing.assert_array_equal(memory, before)  # nothing else is touched


@njit
def run_tile(kind, memory, weights, table, tile):
    if kind == 0:
        tiles.convolve_two(memory, weights, table, tile)
    elif kind == 1:
        tiles.convolve_one(memory, weights, table, tile)
    elif kind == 2:
        tiles.project_eight(memory, weights, table, tile)
    elif kind == 3:
        tiles.project_two(memory, weights, table, tile)
    elif kind == 4:
        tiles.project_one(memory, weights, table, tile)
    else:
        tiles.filter_depthwise(memory, weights, table, tile)


# Of each kind: rows, panels, vectors of a panel, depthwise.
SHAPES = [
    (ROWS, 1, 2, False),
    (ROWS, 1, 1, False),
    (1, 4, 2, False),
    (1, 1, 2, False),
    (1, 1, 1, False),
    (ROWS, 1, 1, True),
]


@pytest.mark.parametrize("kind", range(6))
@settings(max_examples=15, deadline=None)
@given(
    n_slabs=st.integers(1, 4),
    depth=st.integers(1, 9),
    share=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_tiles(kind, n_slabs, depth, share, seed):
    """A tile with pixels and slabs at random places, against a matrix product."""
    rows, panels, per_panel, depthwise = SHAPES[kind]
    rng = np.random.default_rng(seed)
    width = panels * per_panel * LANES
    channels = 1 + int(share * (width - 1))
    memory = rng.standard_normal(2000 + rows * width, np.float32)
    table = rng.integers(0, 800, 2 * rows + n_slabs).astype(np.int32)
    table[rows : 2 * rows] = rng.permutation(rows) * width
    numbers = 1 if depthwise else depth
    matrix = rng.standard_normal((n_slabs * numbers, width), np.float32)
    bias, slope = rng.standard_normal((2, width), np.float32)
    packed = matrix.reshape(n_slabs * numbers, panels, -1).transpose(1, 0, 2)
    weights = np.concatenate([packed.ravel(), bias, slope])
    tile = tiles.Tile(
        pixels_in=0,
        base_in=7,
        slabs=2 * rows,
        n_slabs=n_slabs,
        depth=LANES if depthwise else depth,
        panel=packed[0].size,
        weight=0,
        bias=packed.size,
        slope=packed.size + width,
        pixels_out=rows,
        base_out=1900,
        channels=channels,
    )
    expected = memory.copy()
    for row in range(rows):
        starts = 7 + table[row] + table[2 * rows :]
        if depthwise:
            total = sum(memory[s : s + LANES] * matrix[i] for i, s in enumerate(starts)) + bias
        else:
            total = np.concatenate([memory[s : s + depth] for s in starts]) @ matrix + bias
        total = np.where(total > 0, total, total * slope)
        out = 1900 + table[rows + row]
        expected[out : out + channels] = total[:channels]
    run_tile(kind, memory, weights, table, tuple(tile))
    np.testing.assert_allclose(memory, expected, rtol=1e-4, atol=1e-4)


def test_rows_of_a_tile_do_not_depend_on_each_other():
    """The sums of a pixel are bit for bit the same in each row of a tile, and of each kind."""
    rng = np.random.default_rng(0)
    depth, width = 300, 2 * LANES
    memory = rng.standard_normal(depth + (ROWS + 1) * width, np.float32)
    weights = rng.standard_normal(depth * width + 2 * width, np.float32)
    table = np.concatenate([np.zeros(ROWS), np.arange(ROWS) * width, [0]]).astype(np.int32)
    where = depth * width
    tile = (0, 0, 2 * ROWS, 1, depth, 0, 0, where, where + width, ROWS, depth, width)
    run_tile(0, memory, weights, table, tile)
    rows = memory[depth : depth + ROWS * width].reshape(ROWS, width).copy()
    np.testing.assert_array_equal(rows, np.repeat(rows[:1], ROWS, axis=0))
    run_tile(3, memory, weights, table, tile)
    np.testing.assert_array_equal(memory[depth : depth + width], rows[0])


def test_program_by_hand():
    """One addition of a map to itself, for groups of two out of five faces."""
    row = np.zeros((1, N_FIELDS), np.int64)
    operands = {
        "CODE": Code.ADD,
        "PIXELS": 3,
        "CHANNELS": 2,
        "INPUT_STEP": 12,
        "SECOND_STEP": 12,
        "OUTPUT": 6,
        "OUTPUT_STEP": 12,
    }
    for name, value in operands.items():
        row[0, Field[name]] = value
    table = np.array([0, 2, 4, 12, 14, 16], np.int32)
    weights = np.zeros(LANES, np.float32)
    memory = np.zeros(24 + LANES, np.float32)
    faces = np.arange(-9, 21, dtype=np.float32).reshape(5, 6)
    ends = np.array([[0, 12, 1, 6, 6], [6, 12, 1, 6, 6], [2, 0, 0, 0, 0]])
    for n_single in (0, 1):
        out = np.empty((5, 6), np.float32)
        run_program(ends, row, table, weights, memory, faces, out, n_single)
        np.testing.assert_array_equal(out, np.maximum(2 * faces, 0))
