"""The sums over windows and their tiles, against NumPy; also with NUMBA_DISABLE_JIT=1."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from classicface.cnn import _training_tiles as tiles
from classicface.cnn._inference_vectors import LANES, ROWS
from classicface.cnn.windows import Windows

# Tiles work only within compiled functions.


@njit
def run_tile(kind, first, second, table, last, tile):
    if kind == 2:
        tiles.convolve_two(first, second, table, last, tile)
    else:
        tiles.convolve_one(first, second, table, last, tile)


@njit
def run_outer(kind, first, second, table, last, tile):
    if kind == 2:
        tiles.outer_two(first, second, table, last, tile)
    else:
        tiles.outer_one(first, second, table, last, tile)


@pytest.mark.parametrize("vectors", [1, 2])
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 4), st.integers(1, 9), st.floats(0, 1), st.integers(0, 1000))
def test_tiles_of_convolutions(vectors, n_slabs, depth, share, seed):
    """Pixels and slabs at random places; nothing but the channels asked for is written."""
    rng = np.random.default_rng(seed)
    width = vectors * LANES
    channels = 1 + int(share * (width - 1))
    source = rng.standard_normal(1000, np.float32)
    target = rng.standard_normal(5 + ROWS * width, np.float32)
    table = rng.integers(0, 450, 2 * ROWS + n_slabs).astype(np.int32)
    table[ROWS : 2 * ROWS] = rng.permutation(ROWS) * width
    matrix = rng.standard_normal((n_slabs * depth + 1, width), np.float32)
    tile = tiles.Tile(
        pixels_in=0,
        base_in=7,
        slabs=2 * ROWS,
        n_slabs=n_slabs,
        depth=depth,
        weight=0,
        bias=n_slabs * depth * width,
        pixels_out=ROWS,
        base_out=5,
        channels=channels,
    )
    expected = target.copy()
    for row in range(ROWS):
        places = 7 + table[row] + table[2 * ROWS :, None] + np.arange(depth)
        total = source[places.ravel()] @ matrix[:-1] + matrix[-1]
        expected[5 + table[ROWS + row] :][:channels] = total[:channels]
    run_tile(vectors, source, matrix.ravel(), table, target, tuple(tile))
    np.testing.assert_allclose(target, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("vectors", [1, 2])
@pytest.mark.parametrize("n_pixels", [0, 1, 30])
def test_tiles_of_gradients(vectors, n_pixels):
    """Sums are added to what the totals hold; other totals stay."""
    rng = np.random.default_rng(n_pixels)
    width = vectors * LANES
    source = rng.standard_normal(500, np.float32)
    gradient = rng.standard_normal((n_pixels + 1, width + 3), np.float32)
    table = rng.integers(0, 400, n_pixels + 2).astype(np.int32)
    totals = rng.standard_normal((ROWS + 2, width + 5), np.float32)
    tile = tiles.Outer(
        pixels_in=2,
        base_in=9,
        base_out=2,
        step=width + 3,
        n_pixels=n_pixels,
        total=width + 5 + 4,
        width=width + 5,
    )
    numbers = source[9 + table[2:, None] + np.arange(ROWS)]
    expected = totals.copy()
    expected[1:-1, 4:-1] += numbers.T @ gradient[:n_pixels, 2 : 2 + width]
    run_outer(vectors, source, gradient.ravel(), table, totals.reshape(-1), tuple(tile))
    np.testing.assert_allclose(totals, expected, rtol=1e-4, atol=1e-4)


def matrix_of(windows, c):
    """Return which numbers of a large map each window holds: (pixels, k * k * c, numbers)."""
    height, width = windows.large
    k, stride, pad = windows.kernel, windows.stride, windows.pad
    numbers = np.arange(1, height * width * c + 1).reshape(height, width, c)
    far = k + stride * max(windows.small)
    padded = np.pad(numbers, ((pad, far), (pad, far), (0, 0)))
    found = np.zeros((*windows.small, k * k * c, numbers.size))
    for i in range(windows.small[0]):
        for j in range(windows.small[1]):
            window = padded[i * stride : i * stride + k, j * stride : j * stride + k].ravel()
            inside = np.flatnonzero(window)
            found[i, j, inside, window[inside] - 1] = 1
    return found.reshape(-1, k * k * c, numbers.size)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 4),
    size=st.tuples(st.integers(2, 6), st.integers(2, 6)),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    channels=st.tuples(
        st.sampled_from([1, 3, 8, 12, LANES]),
        st.sampled_from([1, 5, LANES, LANES + 3, 2 * LANES, 4 * LANES + 1]),
    ),
    seed=st.integers(0, 1000),
)
def test_windows(n, size, kernel, stride, channels, seed):
    """The three sums are products with one matrix: it, its transpose, and the outer product."""
    pad = (kernel - 1) // 2
    small = tuple((side + 2 * pad - kernel) // stride + 1 for side in size)
    windows = Windows(size, small, kernel, stride, pad)
    rng = np.random.default_rng(seed)
    c, s = channels
    large = rng.standard_normal((n, *size, c), np.float32)
    pixels = rng.standard_normal((n, *small, s), np.float32)
    weight = rng.standard_normal((kernel, kernel, c, s), np.float32)
    bias, other = rng.standard_normal(s, np.float32), rng.standard_normal(c, np.float32)
    held = matrix_of(windows, c)
    rows = (held @ large.reshape(n, 1, -1, 1))[..., 0]
    matrix, flat = weight.reshape(-1, s), pixels.reshape(n, -1, s)

    out = np.full_like(pixels, np.nan)
    windows.gather(large, weight, bias, out)
    np.testing.assert_allclose(out.reshape(n, -1, s), rows @ matrix + bias, atol=2e-3)
    out = np.full_like(large, np.nan)
    windows.scatter(pixels, weight, other, out)
    back = np.einsum("pwl,npw->nl", held, flat @ matrix.T, optimize=True)
    np.testing.assert_allclose(out, back.reshape(out.shape) + other, atol=2e-3)
    found = windows.correlate(large, pixels)
    expected = np.einsum("npw,nps->ws", rows, flat, optimize=True)
    np.testing.assert_allclose(found.reshape(-1, s), expected, atol=2e-3)


def test_maps_are_counted_once():
    """13 maps are read in groups that do not divide them."""
    windows = Windows((10, 10), (10, 10), 3, 1, 1)
    ones = np.ones((13, 10, 10, 3), np.float32)
    found = windows.correlate(ones, ones)
    expected = 13 * np.outer([9, 10, 9], [9, 10, 9])[:, :, None, None]
    np.testing.assert_array_equal(found, np.broadcast_to(expected, (3, 3, 3, 3)))


def test_a_map_does_not_depend_on_the_others():
    """Each map of a batch gives the same bits as alone, wherever it lies in a group."""
    windows = Windows((5, 6), (3, 3), 3, 2, 1)
    rng = np.random.default_rng(0)
    large = rng.standard_normal((30, 5, 6, 4), np.float32)
    small = rng.standard_normal((30, 3, 3, 20), np.float32)
    weight = rng.standard_normal((3, 3, 4, 20), np.float32)
    together = np.empty_like(small), np.empty_like(large)
    windows.gather(large, weight, None, together[0])
    windows.scatter(small, weight, None, together[1])
    for i in range(30):
        alone = np.empty_like(small[:1]), np.empty_like(large[:1])
        windows.gather(large[i : i + 1], weight, None, alone[0])
        windows.scatter(small[i : i + 1], weight, None, alone[1])
        np.testing.assert_array_equal(alone[0][0], together[0][i])
        np.testing.assert_array_equal(alone[1][0], together[1][i])
