"""Every kernel that predicts, against a plain NumPy twin; also with NUMBA_DISABLE_JIT=1."""

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from classicface.cascade._kernels import (
    add_leaves,
    find_leaves,
    move_shape,
    predict_shapes,
    read_pixels,
    rotation_scale,
)

seeds = st.integers(0, 2**32 - 1)
counts = st.integers(1, 6)
depths = st.integers(1, 4)


def random_image(rng, height, width):
    return rng.integers(0, 256, (height, width), dtype=np.uint8)


def pack(a, b, threshold):
    """Pack splits as they are stored in model files: 12, 10 and 10 bits."""
    return (threshold * 2**20 + b * 2**10 + a).astype(np.int32)


def random_splits(rng, n_trees, depth, n_pixels):
    """Return random splits (T, 2**depth - 1, 3) of a, b and threshold."""
    n_splits = (1 << depth) - 1
    pixels = rng.integers(0, n_pixels, (n_trees, n_splits, 2))
    thresholds = rng.integers(-256, 256, (n_trees, n_splits, 1))
    return np.concatenate([pixels, thresholds], axis=2)


def rotation_scale_twin(shape, centered, inverse_norm):
    z, m = (p[:, 0] + 1j * p[:, 1] for p in (shape.astype(float), centered.astype(float)))
    product = np.vdot(m, z) * float(inverse_norm)
    return product.real, product.imag


def places_twin(shape, a, b, reach, anchors, offsets):
    """Return the columns and rows, (2, P) each, before they are cut to whole ones.

    The operations are those of the kernel in the same order: single precision stays single.
    """
    (x, y), (dx, dy) = shape[anchors].T, offsets.T
    half = offsets.dtype.type(0.5)
    x = x + a * dx - b * dy + half
    y = y + b * dx + a * dy + half
    step = reach * np.sqrt(a * a + b * b)
    return np.stack([x - step, x + step]), np.stack([y - step, y + step])


def read_pixels_twin(image, columns, rows):
    columns = np.clip(np.floor(columns).astype(int), 0, image.shape[1] - 1)
    rows = np.clip(np.floor(rows).astype(int), 0, image.shape[0] - 1)
    total = image.astype(int)[rows[:, None], columns[None]].sum(axis=(0, 1))
    return (total + 2) // 4


def find_leaves_twin(pixels, splits, depth):
    found = []
    for tree in splits.tolist():
        node = 0
        for _ in range(depth):
            a, b, threshold = tree[node]
            node = 2 * node + 1 + (int(pixels[a]) - int(pixels[b]) > threshold)
        found.append(node - len(tree))
    return np.array(found)


def move_shape_twin(shape, a, b, directions, total):
    step = (directions.astype(float) @ total).reshape(-1, 2)
    return shape + step @ np.array([[a, b], [-b, a]], float)


def near_a_tie(places):
    """Say whether rounding might take another pixel in single precision."""
    fraction = places % 1.0
    return bool(np.any(np.minimum(fraction, 1 - fraction) < 1e-4))


@given(seed=seeds, n_landmarks=counts)
def test_rotation_scale(seed, n_landmarks):
    rng = np.random.default_rng(seed)
    shape, centered = rng.normal(0, 50, (2, n_landmarks, 2)).astype(np.float32)
    inverse_norm = np.float32(rng.uniform(1e-5, 1e-3))
    expected = rotation_scale_twin(shape, centered, inverse_norm)
    np.testing.assert_allclose(rotation_scale(shape, centered, inverse_norm), expected, atol=1e-2)


@given(
    seed=seeds,
    scale=st.floats(0.1, 100),
    angle=st.floats(-3, 3),
    shift=st.tuples(st.floats(-200, 200), st.floats(-200, 200)),
)
def test_rotation_scale_finds_the_similarity_that_was_applied(seed, scale, angle, shift):
    mean = np.random.default_rng(seed).uniform(-1, 1, (5, 2))
    mean -= mean.mean(axis=0)
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    shape = mean @ np.array([[a, b], [-b, a]]) + shift
    inverse_norm = np.float32(1 / np.sum(mean**2))
    found = rotation_scale(shape.astype(np.float32), mean.astype(np.float32), inverse_norm)
    np.testing.assert_allclose(found, (a, b), atol=1e-3 * (scale + 1))


@given(
    seed=seeds,
    height=counts,
    width=counts,
    n_pixels=counts,
    spread=st.floats(0, 20),
    reach=st.floats(0, 4, width=32),
)
def test_read_pixels(seed, height, width, n_pixels, spread, reach):
    rng = np.random.default_rng(seed)
    image = random_image(rng, height, width)
    shape = rng.uniform(-2, 8, (4, 2)).astype(np.float32)
    a, b = rng.normal(0, 1, 2).astype(np.float32)
    anchors = rng.integers(0, 4, n_pixels).astype(np.int16)
    offsets = rng.normal(0, spread, (n_pixels, 2)).astype(np.float32)
    places = places_twin(shape, a, b, np.float32(reach), anchors, offsets)
    assert places[0].dtype == places[1].dtype == np.float32
    out = np.empty(n_pixels, np.uint8)
    read_pixels(image, shape, a, b, np.float32(reach), anchors, offsets, out)
    np.testing.assert_array_equal(out, read_pixels_twin(image, *places))


@pytest.mark.parametrize(
    ("x", "y", "mean"),
    [
        (0, 0, 25),  # 10 + 20 + 30 + 40
        (1, 0, 43),  # 20 + 50 + 40 + 61 = 42.75 * 4
        (-1, 0, 20),  # the border stands for what lies to the left
        (2, 1, 61),
        (9, -9, 50),
    ],
)
def test_a_pixel_is_the_rounded_mean_of_four(x, y, mean):
    """A reach of half a pixel takes a pixel and those to its right and below."""
    image = np.array([[10, 20, 50], [30, 40, 61]], np.uint8)
    shape, offsets = np.array([[x, y]], np.float32), np.zeros((1, 2), np.float32)
    linear = np.float32(0.0), np.float32(2.0), np.float32(0.25)
    out = np.empty(1, np.uint8)
    read_pixels(image, shape, *linear, np.zeros(1, np.int16), offsets, out)
    assert out[0] == mean


@given(seed=seeds, factor=st.integers(2, 5), reach=st.integers(0, 8))
def test_pixels_are_the_same_at_any_resolution(seed, factor, reach):
    """Quarter numbers and a rotation of rational length, so that single precision is exact."""
    rng = np.random.default_rng(seed)
    image = random_image(rng, 7, 9)
    shape = rng.integers(-8, 40, (3, 2)).astype(np.float32) / 4
    a, b = rng.permutation([3, 4]) * rng.choice([-1, 1], 2)
    anchors = rng.integers(0, 3, 6).astype(np.int16)
    offsets = rng.integers(-4, 5, (6, 2)).astype(np.float32) / 4
    small, large = np.empty((2, 6), np.uint8)
    for picture, scale, out in [
        (image, 1, small),
        (image.repeat(factor, axis=0).repeat(factor, axis=1), factor, large),
    ]:
        read_pixels(
            picture,
            (shape + np.float32(0.5)) * np.float32(scale) - np.float32(0.5),
            np.float32(a * scale),
            np.float32(b * scale),
            np.float32(reach / 16),
            anchors,
            offsets,
            out,
        )
    np.testing.assert_array_equal(small, large)


extremes = st.sampled_from([0.0, 1.0, -1.0, 1e9, -1e9, 3e38, -3e38, np.inf, -np.inf, np.nan])


@given(x=extremes, y=extremes, a=extremes, b=extremes, reach=extremes, offset=extremes)
@example(x=np.nan, y=np.nan, a=1.0, b=1.0, reach=0.0, offset=1.0)
@example(x=3.0, y=3.0, a=1.0, b=1.0, reach=np.nan, offset=1.0)
@example(x=3.0, y=3.0, a=1.0, b=1.0, reach=np.inf, offset=1.0)
@example(x=3.0, y=3.0, a=1.0, b=1.0, reach=-1e9, offset=1.0)
def test_read_pixels_never_leaves_the_image(x, y, a, b, reach, offset):
    around = np.zeros((40, 40), np.uint8)
    around[16:24] = 255
    image = around[16:24]  # rows of zeros lie before and after in memory
    shape = np.array([[x, y]], np.float32)
    offsets = np.array([[offset, -offset]], np.float32)
    out = np.zeros(1, np.uint8)
    with np.errstate(all="ignore"):
        linear = np.float32(a), np.float32(b), np.float32(reach)
        read_pixels(image, shape, *linear, np.zeros(1, np.int16), offsets, out)
    assert out[0] == 255


@given(seed=seeds, n_trees=st.integers(1, 9), depth=depths, n_pixels=st.sampled_from([1, 6, 1024]))
def test_find_leaves(seed, n_trees, depth, n_pixels):
    rng = np.random.default_rng(seed)
    pixels = random_image(rng, 1, n_pixels)[0]
    splits = random_splits(rng, n_trees, depth, n_pixels)
    out = np.empty(n_trees, np.uint64)
    find_leaves(pixels, pack(*splits.transpose(2, 0, 1)), depth, out)
    np.testing.assert_array_equal(out, find_leaves_twin(pixels, splits, depth))


def test_a_difference_equal_to_the_threshold_goes_to_the_first_child():
    pixels = np.array([0, 255], np.uint8)
    out = np.empty(1, np.uint64)
    for a, b, threshold, leaf in [
        (0, 1, -255, 0),
        (0, 1, -256, 1),
        (1, 0, 255, 0),
        (1, 0, 254, 1),
        (0, 0, 0, 0),
        (0, 0, -1, 1),
        (1, 0, 2047, 0),
        (0, 1, -2048, 1),
    ]:
        find_leaves(pixels, pack(*np.array([[[[a]], [[b]], [[threshold]]]])[0]), 1, out)
        assert out[0] == leaf


@given(seed=seeds, n_trees=st.integers(1, 9), depth=depths, n_dims=counts)
def test_add_leaves(seed, n_trees, depth, n_dims):
    rng = np.random.default_rng(seed)
    low = rng.choice([-128, 127])  # all at one end, or all over the range
    leaves = rng.integers(low, 128, (n_trees, 1 << depth, n_dims)).astype(np.int8)
    found = rng.integers(0, 1 << depth, n_trees).astype(np.uint64)
    total = np.full(n_dims, 12345, np.int32)
    add_leaves(leaves, found, total)
    expected = leaves.astype(int)[np.arange(n_trees), found.astype(int)].sum(axis=0)
    np.testing.assert_array_equal(total, expected)


@given(seed=seeds, n_landmarks=counts, n_dims=counts)
def test_move_shape(seed, n_landmarks, n_dims):
    rng = np.random.default_rng(seed)
    shape = rng.normal(0, 50, (n_landmarks, 2)).astype(np.float32)
    a, b = rng.normal(0, 50, 2).astype(np.float32)
    directions = rng.normal(0, 1e-3, (2 * n_landmarks, n_dims)).astype(np.float32)
    total = rng.integers(-2000, 2000, n_dims).astype(np.int32)
    expected = move_shape_twin(shape, a, b, directions, total)
    steps, step = np.ascontiguousarray(directions.T), np.full(2 * n_landmarks, 9, np.float32)
    move_shape(shape, a, b, steps, total, step)
    np.testing.assert_allclose(shape, expected, rtol=1e-4, atol=1e-2)


def starts_twin(x, y, side, spread, mean):
    """Return the mean shape (n, L, 2) in boxes around that with its centre at (x, y)."""
    return np.stack([(mean * factor + [dx, dy]) * side + [x, y] for dx, dy, factor in spread])


def predict_twin(image, shapes, centered, inverse_norm, reach, stages, depth):
    """Return the shapes after all stages, and all columns and rows where pixels were read."""
    shapes = shapes.copy()
    read = []
    for anchors, offsets, splits, leaves, directions in stages:
        for n in range(len(shapes)):
            a, b = rotation_scale_twin(shapes[n], centered, inverse_norm)
            places = places_twin(shapes[n], a, b, reach, anchors, offsets.astype(float))
            found = find_leaves_twin(read_pixels_twin(image, *places), splits, depth)
            total = leaves.astype(int)[np.arange(len(found)), found].sum(axis=0)
            shapes[n] = move_shape_twin(shapes[n], a, b, directions, total)
            read += places
    return shapes, np.concatenate(read)


@settings(max_examples=50)
@given(
    seed=seeds, n_stages=st.integers(1, 3), n_trees=counts, depth=depths, n_starts=st.integers(1, 3)
)
def test_predict_shapes(seed, n_stages, n_trees, depth, n_starts):
    rng = np.random.default_rng(seed)
    n_landmarks, n_pixels, n_dims = 4, 6, 3
    image = random_image(rng, 30, 40)
    mean = rng.uniform(-0.5, 0.5, (n_landmarks, 2)).astype(np.float32)
    centered = (mean - mean.mean(axis=0)).astype(np.float32)
    inverse_norm = np.float32(1 / np.sum(centered**2))
    x, y, side = rng.uniform([15, 10, 10], [25, 20, 25]).astype(np.float32)
    spread = rng.normal([0, 0, 1], 0.1, (n_starts, 3)).astype(np.float32)
    starts = starts_twin(*(part.astype(float) for part in (x, y, side, spread, mean)))
    anchors = rng.integers(0, n_landmarks, (n_stages, n_pixels)).astype(np.int16)
    offsets = rng.normal(0, 0.2, (n_stages, n_pixels, 2)).astype(np.float32)
    splits = np.stack([random_splits(rng, n_trees, depth, n_pixels) for _ in range(n_stages)])
    leaves = rng.integers(-127, 128, (n_stages, n_trees, 1 << depth, n_dims)).astype(np.int8)
    directions = rng.normal(0, 1e-4, (n_stages, 2 * n_landmarks, n_dims)).astype(np.float32)
    reach = np.float32(rng.uniform(0, 0.1))
    stages = list(zip(anchors, offsets, splits, leaves, directions, strict=True))
    expected, read = predict_twin(
        image, starts, centered, inverse_norm, float(reach), stages, depth
    )
    assume(not near_a_tie(read))
    shapes = predict_shapes(
        image,
        x,
        y,
        side,
        spread,
        mean,
        centered,
        inverse_norm,
        reach,
        anchors,
        offsets,
        pack(*splits.transpose(3, 0, 1, 2)),
        leaves,
        np.ascontiguousarray(directions.transpose(0, 2, 1)),
        depth,
    )
    assert shapes.dtype == np.float32
    np.testing.assert_allclose(shapes, expected, atol=1e-3)
