"""Every kernel of the descriptors against a plain NumPy twin; also with NUMBA_DISABLE_JIT=1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from classicface.image._kernels import (
    AXIS,
    box_across,
    box_down,
    energy,
    normalize,
    split_gradient,
    triangle,
    unit_gradient,
)

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 9)
radii = st.integers(0, 12)  # beyond the picture too
spans = st.sampled_from([(0, 256), (0, 2), (77, 78), (254, 256)])  # all greys, little, constant

DIRECTIONS = np.array([[np.cos(c * np.pi / 4), np.sin(c * np.pi / 4)] for c in range(8)])


def random_pixels(seed, height, width, span=(0, 256)):
    return np.random.default_rng(seed).integers(*span, (height, width), dtype=np.uint8)


def gradient_twin(pixels):
    padded = np.pad(pixels.astype(float), 1, mode="edge")
    return np.stack(
        [padded[1:-1, 2:] - padded[1:-1, :-2], padded[2:, 1:-1] - padded[:-2, 1:-1]], axis=-1
    )


def split_gradient_twin(pixels):
    """Solve for the weights of the two directions that enclose the gradient."""
    out = np.zeros((*pixels.shape, 8))
    gradients = gradient_twin(pixels)
    for place in np.ndindex(pixels.shape):
        angle = np.arctan2(gradients[place][1], gradients[place][0])
        first = int(np.floor(angle / (np.pi / 4) + 1e-9)) % 8
        pair = [first, (first + 1) % 8]
        out[place][pair] += np.linalg.solve(DIRECTIONS[pair].T, gradients[place])
    return out


def box_twin(values, radius, axis):
    reach = [(radius, radius) if i == axis else (0, 0) for i in range(values.ndim)]
    padded = np.pad(values, reach, mode="edge")
    return sliding_window_view(padded, 2 * radius + 1, axis).sum(axis=-1)


def triangle_twin(values, radius):
    for axis in (0, 0, 1, 1):
        values = box_twin(values, radius, axis)
    return values


@given(seed=seeds, height=sides, width=sides, span=spans)
def test_split_gradient(seed, height, width, span):
    pixels = random_pixels(seed, height, width, span)
    out = np.full((height, width, 8), -1, np.int32)
    split_gradient(pixels, out)
    assert (out >= 0).all()
    assert ((out > 0).sum(axis=2) <= 2).all()
    # 181 / 128 is not quite the square root of 2.
    np.testing.assert_allclose(out / AXIS, split_gradient_twin(pixels), atol=0.05)
    np.testing.assert_allclose(out @ DIRECTIONS / AXIS, gradient_twin(pixels), atol=0.05)


@pytest.mark.parametrize("dtype", [np.int32, np.float64])
@given(seed=seeds, height=sides, width=sides, radius=radii)
def test_box_down(dtype, seed, height, width, radius):
    values = np.random.default_rng(seed).integers(-99, 99, (height, width)).astype(dtype)
    out, total = np.empty_like(values), np.full(width, 5, dtype)
    box_down(values, radius, total, out)
    np.testing.assert_array_equal(out, box_twin(values, radius, 0))


@pytest.mark.parametrize("dtype", [np.int32, np.float64])
@given(
    seed=seeds,
    height=sides,
    width=sides,
    channels=st.integers(1, 3),
    radius=radii,
    n_rows=st.integers(1, 10),
)
def test_box_across(dtype, seed, height, width, channels, radius, n_rows):
    values = np.random.default_rng(seed).integers(-99, 99, (height, width, channels)).astype(dtype)
    out, total = np.empty_like(values), np.full((n_rows, channels), 5, dtype)
    box_across(values, radius, total, out)
    np.testing.assert_array_equal(out, box_twin(values, radius, 1))


@pytest.mark.parametrize("dtype", [np.int32, np.float64])
@given(seed=seeds, height=sides, width=sides, channels=st.integers(1, 3), radius=st.integers(0, 5))
def test_triangle(dtype, seed, height, width, channels, radius):
    values = np.random.default_rng(seed).integers(0, 999, (height, width, channels)).astype(dtype)
    expected = triangle_twin(values, radius)
    work, total = np.empty_like(values), np.empty(max(width, 8) * channels, dtype)
    triangle(values, radius, work, total)
    np.testing.assert_array_equal(values, expected)


def test_triangle_is_a_triangle():
    for radius in (1, 2, 5):
        values = np.zeros((51, 51, 1), np.int32)
        values[25, 25] = 1
        triangle(values, radius, np.empty_like(values), np.empty(51, np.int32))
        profile = values.sum(axis=(0, 2)) / (2 * radius + 1) ** 4
        x = np.arange(51) - 25
        assert profile.sum() == pytest.approx(1)
        assert profile @ x**2 == pytest.approx(((2 * radius + 1) ** 2 - 1) / 6)
        assert np.flatnonzero(profile).tolist() == list(range(25 - 2 * radius, 26 + 2 * radius))


def test_the_largest_gradients_fit_into_32_bits():
    """A step from black to white, smoothed by the largest cell, keeps its sign and its size."""
    from classicface.image.descriptors import MAX_CELL

    pixels = np.zeros((40, 40), np.uint8)
    pixels[np.add.outer(np.arange(40), np.arange(40)) % 4 >= 2] = 255
    counts = np.empty((40, 40, 8), np.int32)
    split_gradient(pixels, counts)
    expected = triangle_twin(counts.astype(np.int64), MAX_CELL)
    counts_work, total = np.empty_like(counts), np.empty(40 * 8, np.int32)
    triangle(counts, MAX_CELL, counts_work, total)
    np.testing.assert_array_equal(counts, expected)
    assert 255 * 181 * (2 * MAX_CELL + 1) ** 4 < 2**31


@given(seed=seeds, height=sides, width=sides, channels=st.integers(1, 9))
def test_energy(seed, height, width, channels):
    values = np.random.default_rng(seed).integers(0, 2**30, (height, width, channels), np.int32)
    scale = np.float32(1e-6)
    out = np.empty((height, width, 1))
    energy(values, scale, out)
    expected = np.sum((values * float(scale)) ** 2, axis=2, keepdims=True)
    np.testing.assert_allclose(out, expected, rtol=1e-5)


@given(seed=seeds, height=sides, width=sides, channels=st.integers(1, 9), empty=st.booleans())
def test_normalize(seed, height, width, channels, empty):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 1 if empty else 2**30, (height, width, channels), np.int32)
    squares = rng.uniform(0, 0 if empty else 1e9, (height, width, 1))
    scale, square_scale, floor = np.float32(1e-6), np.float32(1e-3), np.float32(4)
    out = np.full((height, width, channels), np.nan, np.float32)
    normalize(values, scale, squares, square_scale, floor, out)
    norm = np.sqrt(squares * float(square_scale) + 16)
    np.testing.assert_allclose(out, np.sqrt(values * float(scale) / norm), rtol=1e-5)


@given(seed=seeds, height=sides, width=sides, span=spans)
def test_unit_gradient(seed, height, width, span):
    pixels = random_pixels(seed, height, width, span)
    out = np.full((height, width, 2), np.nan, np.float32)
    unit_gradient(pixels, out)
    gradients = gradient_twin(pixels)
    norm = np.linalg.norm(gradients, axis=2, keepdims=True) + 1e-3
    np.testing.assert_allclose(out, gradients / norm, atol=1e-6)
