"""Every kernel that predicts, against a plain NumPy twin; also with NUMBA_DISABLE_JIT=1."""

import numpy as np
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


def random_splits(rng, n_trees, depth, n_pixels):
    n_splits = (1 << depth) - 1
    pixels = rng.integers(0, n_pixels, (n_trees, n_splits, 2))
    thresholds = rng.integers(-256, 256, (n_trees, n_splits, 1))
    return np.concatenate([pixels, thresholds], axis=2).astype(np.int16)


def rotation_scale_twin(shape, centered, inverse_norm):
    z, m = (p[:, 0] + 1j * p[:, 1] for p in (shape.astype(float), centered.astype(float)))
    product = np.vdot(m, z) * float(inverse_norm)
    return product.real, product.imag


def pixel_places_twin(shape, a, b, anchors, offsets):
    rotation = np.array([[a, -b], [b, a]], float)
    return shape.astype(float)[anchors] + offsets.astype(float) @ rotation.T


def read_pixels_twin(image, places):
    x, y = np.floor(places.T + 0.5).astype(int)
    return image[np.clip(y, 0, image.shape[0] - 1), np.clip(x, 0, image.shape[1] - 1)]


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
    fraction = (places + 0.5) % 1.0
    return bool(np.any(np.minimum(fraction, 1 - fraction) < 1e-3))


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


@given(seed=seeds, height=counts, width=counts, n_pixels=counts, spread=st.floats(0, 20))
def test_read_pixels(seed, height, width, n_pixels, spread):
    rng = np.random.default_rng(seed)
    image = random_image(rng, height, width)
    shape = rng.uniform(-2, 8, (4, 2)).astype(np.float32)
    a, b = rng.normal(0, 1, 2).astype(np.float32)
    anchors = rng.integers(0, 4, n_pixels).astype(np.int16)
    offsets = rng.normal(0, spread, (n_pixels, 2)).astype(np.float32)
    places = pixel_places_twin(shape, a, b, anchors, offsets)
    assume(not near_a_tie(places))
    out = np.empty(n_pixels, np.uint8)
    read_pixels(image, shape, a, b, anchors, offsets, out)
    np.testing.assert_array_equal(out, read_pixels_twin(image, places))


extremes = st.sampled_from([0.0, 1.0, -1.0, 1e9, -1e9, 3e38, -3e38, np.inf, -np.inf, np.nan])


@given(x=extremes, y=extremes, a=extremes, b=extremes, offset=extremes)
@example(x=np.nan, y=np.nan, a=1.0, b=1.0, offset=1.0)
def test_read_pixels_never_leaves_the_image(x, y, a, b, offset):
    around = np.zeros((40, 40), np.uint8)
    around[16:24] = 255
    image = around[16:24]  # rows of zeros lie before and after in memory
    shape = np.array([[x, y]], np.float32)
    offsets = np.array([[offset, -offset]], np.float32)
    out = np.zeros(1, np.uint8)
    with np.errstate(all="ignore"):
        read_pixels(image, shape, np.float32(a), np.float32(b), np.zeros(1, np.int16), offsets, out)
    assert out[0] == 255


@given(seed=seeds, n_trees=counts, depth=depths, n_pixels=counts)
def test_find_leaves(seed, n_trees, depth, n_pixels):
    rng = np.random.default_rng(seed)
    pixels = random_image(rng, 1, n_pixels)[0]
    splits = random_splits(rng, n_trees, depth, n_pixels)
    out = np.empty(n_trees, np.uint64)
    find_leaves(pixels, splits, depth, out)
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
    ]:
        find_leaves(pixels, np.array([[[a, b, threshold]]], np.int16), 1, out)
        assert out[0] == leaf


@given(seed=seeds, n_trees=counts, depth=depths, n_dims=counts)
def test_add_leaves(seed, n_trees, depth, n_dims):
    rng = np.random.default_rng(seed)
    leaves = rng.integers(-128, 128, (n_trees, 1 << depth, n_dims)).astype(np.int8)
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
    move_shape(shape, a, b, directions, total)
    np.testing.assert_allclose(shape, expected, rtol=1e-4, atol=1e-2)


def predict_twin(image, shapes, centered, inverse_norm, stages, depth):
    """Return the shapes after all stages, and all places where pixels were read."""
    shapes = shapes.astype(float)
    read = []
    for anchors, offsets, splits, leaves, directions in stages:
        for n in range(len(shapes)):
            a, b = rotation_scale_twin(shapes[n], centered, inverse_norm)
            places = pixel_places_twin(shapes[n], a, b, anchors, offsets)
            found = find_leaves_twin(read_pixels_twin(image, places), splits, depth)
            total = leaves.astype(int)[np.arange(len(found)), found].sum(axis=0)
            shapes[n] = move_shape_twin(shapes[n], a, b, directions, total)
            read.append(places)
    return shapes, np.concatenate(read)


@settings(max_examples=50)
@given(
    seed=seeds, n_stages=st.integers(1, 3), n_trees=counts, depth=depths, n_starts=st.integers(1, 3)
)
def test_predict_shapes(seed, n_stages, n_trees, depth, n_starts):
    rng = np.random.default_rng(seed)
    n_landmarks, n_pixels, n_dims = 4, 6, 3
    image = random_image(rng, 30, 40)
    mean = rng.uniform(-0.5, 0.5, (n_landmarks, 2))
    centered = (mean - mean.mean(axis=0)).astype(np.float32)
    inverse_norm = np.float32(1 / np.sum(centered**2))
    shapes = (mean * 20 + [20, 15] + rng.normal(0, 2, (n_starts, 1, 2))).astype(np.float32)
    anchors = rng.integers(0, n_landmarks, (n_stages, n_pixels)).astype(np.int16)
    offsets = rng.normal(0, 0.2, (n_stages, n_pixels, 2)).astype(np.float32)
    splits = np.stack([random_splits(rng, n_trees, depth, n_pixels) for _ in range(n_stages)])
    leaves = rng.integers(-127, 128, (n_stages, n_trees, 1 << depth, n_dims)).astype(np.int8)
    directions = rng.normal(0, 1e-4, (n_stages, 2 * n_landmarks, n_dims)).astype(np.float32)
    stages = list(zip(anchors, offsets, splits, leaves, directions, strict=True))
    expected, read = predict_twin(image, shapes, centered, inverse_norm, stages, depth)
    assume(not near_a_tie(read))
    predict_shapes(
        image,
        shapes,
        centered,
        inverse_norm,
        anchors,
        offsets,
        splits,
        leaves,
        directions,
        depth,
    )
    np.testing.assert_allclose(shapes, expected, atol=1e-3)
