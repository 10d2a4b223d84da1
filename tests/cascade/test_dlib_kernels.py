"""The kernels of dlib's style, against plain NumPy twins; also with NUMBA_DISABLE_JIT=1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.cascade._dlib_kernels import (
    add_exact_leaves,
    predict_compressed,
    predict_exact,
    read_single_pixels,
)
from classicface.cascade._kernels import find_leaves
from classicface.cascade.dlib_forest import repack_splits
from classicface.cascade.forest import kernel_mean

seeds = st.integers(0, 2**32 - 1)
counts = st.integers(1, 6)


def read_single_pixels_twin(image, left, top, side, shape, a, b, anchors, offsets):
    turn = np.array([[a, -b], [b, a]])
    places = (shape[anchors].astype(float) + offsets.astype(float) @ turn.T) * side + [left, top]
    values = []
    for x, y in np.floor(places + 0.5).astype(int).tolist():
        inside = 0 <= x < image.shape[1] and 0 <= y < image.shape[0]
        values.append(image[y, x] if inside else 0)
    return np.array(values)


def find_leaves_twin(pixels, splits, depth):
    """Walk down trees of splits (T, n, 3)."""
    found = []
    for tree in splits.tolist():
        node = 0
        for _ in range(depth):
            a, b, threshold = tree[node]
            node = 2 * node + 1 + (int(pixels[a]) - int(pixels[b]) > threshold)
        found.append(node - len(tree))
    return np.array(found)


def random_cascade(rng, n_trees, depth, n_landmarks, n_pixels):
    """Return the parts of a cascade of two stages; its numbers are exact in single precision."""
    n_splits = (1 << depth) - 1
    splits = np.concatenate(
        [
            rng.integers(0, n_pixels, (2, n_trees, n_splits, 2)),
            rng.integers(-200, 200, (2, n_trees, n_splits, 1)),
        ],
        axis=3,
    )
    a, b, threshold = np.moveaxis(splits, 3, 0)
    return {
        "mean_shape": rng.integers(0, 64, (n_landmarks, 2)).astype(np.float32) / 64,
        "anchors": rng.integers(0, n_landmarks, (2, n_pixels)).astype(np.int16),
        "offsets": rng.integers(-8, 9, (2, n_pixels, 2)).astype(np.float32) / 32,
        "packed": threshold * 2**32 + b * 2**16 + a,
        "splits": splits,
    }


def predict_twin(image, frame, parts, leaves, depth):
    """Run the cascade on real leaves (S, T, 2**depth, 2 L) as dlib's sources do."""
    mean = parts["mean_shape"].astype(float)
    shape = parts["mean_shape"].copy()
    m = (mean - mean.mean(axis=0)) @ [1, 1j]
    for stage in range(2):
        similarity = np.vdot(m, shape.astype(float) @ [1, 1j]) / np.sum(np.abs(m) ** 2)
        a, b = np.float32(similarity.real), np.float32(similarity.imag)
        anchors, offsets = parts["anchors"][stage], parts["offsets"][stage]
        pixels = read_single_pixels_twin(image, *frame, shape, a, b, anchors, offsets)
        found = find_leaves_twin(pixels, parts["splits"][stage], depth)
        for tree, leaf in enumerate(found):
            shape += leaves[stage, tree, leaf].reshape(-1, 2)
    return shape


@given(seed=seeds, height=counts, width=counts, n_pixels=st.integers(1, 20))
def test_read_single_pixels(seed, height, width, n_pixels):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width), dtype=np.uint8)
    shape = rng.integers(-8, 24, (3, 2)).astype(np.float32) / 8
    a, b = rng.integers(-8, 9, 2).astype(np.float32) / 4
    anchors = rng.integers(0, 3, n_pixels).astype(np.int16)
    offsets = rng.integers(-8, 9, (n_pixels, 2)).astype(np.float32) / 8
    frame = (*(rng.integers(-16, 17, 2) / 4), float(rng.integers(1, 9)))
    out = np.empty(n_pixels, np.uint8)
    read_single_pixels(image, *frame, shape, a, b, anchors, offsets, out)
    expected = read_single_pixels_twin(image, *frame, shape, a, b, anchors, offsets)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30, -0.501, 2.5, 2.4])
def test_read_single_pixels_never_leaves_the_image(value):
    image = np.full((2, 3), 7, np.uint8)
    shape = np.array([[value, 0], [0, value]], np.float32)
    anchors = np.array([0, 1], np.int16)
    out = np.full(2, 9, np.uint8)
    with np.errstate(all="ignore"):
        read_single_pixels(
            image, 0.0, 0.0, 1.0, shape, np.float32(1), np.float32(0), anchors,
            np.zeros((2, 2), np.float32), out,
        )  # fmt: skip
    assert out.tolist() == [7 if value == 2.4 else 0, 0]


@given(seed=seeds, n_trees=st.integers(1, 20), width=st.integers(1, 9))
def test_add_exact_leaves_in_dlibs_order(seed, n_trees, width):
    rng = np.random.default_rng(seed)
    leaves = rng.normal(0, 1, (n_trees, 4, width)).astype(np.float32)
    found = rng.integers(0, 4, n_trees).astype(np.uint64)
    shape = rng.normal(0, 1, width).astype(np.float32)
    expected = shape.copy()
    for tree, leaf in enumerate(found.tolist()):
        expected += leaves[tree, leaf]
    add_exact_leaves(leaves, found, shape)
    np.testing.assert_array_equal(shape, expected)


@given(seed=seeds, n_trees=st.integers(1, 9), depth=st.integers(1, 4))
def test_find_leaves_in_splits_of_both_widths(seed, n_trees, depth):
    rng = np.random.default_rng(seed)
    parts = random_cascade(rng, n_trees, depth, 2, 30)
    pixels = rng.integers(0, 256, 30, dtype=np.uint8)
    expected = find_leaves_twin(pixels, parts["splits"][0], depth)
    narrow = repack_splits(parts["packed"][0], wide=False)
    assert np.array_equal(repack_splits(narrow, wide=True), parts["packed"][0])
    for splits in (parts["packed"][0], narrow):
        out = np.empty(n_trees, np.uint64)
        find_leaves(pixels, splits, depth, out)
        np.testing.assert_array_equal(out, expected)


def test_pixels_beyond_ten_bits():
    pixels = np.zeros(1 << 16, np.uint8)
    pixels[65535] = 200
    splits = np.array([[(5 << 32) + (1024 << 16) + 65535]])
    out = np.empty(1, np.uint64)
    find_leaves(pixels, splits, 1, out)
    assert out[0] == 1


@settings(max_examples=30)
@given(
    seed=seeds, n_trees=st.integers(1, 9), depth=st.integers(1, 3), n_landmarks=st.integers(2, 4)
)
def test_predict(seed, n_trees, depth, n_landmarks):
    rng = np.random.default_rng(seed)
    parts = random_cascade(rng, n_trees, depth, n_landmarks, 6)
    image = rng.integers(0, 256, (20, 24), dtype=np.uint8)
    # Places a quarter of a pixel off, so that no rounding decides which pixel is read.
    frames = np.array([[2.27, 1.31, 12.7], [-5.21, -3.33, 20.9]])
    codes = rng.integers(-127, 128, (2, n_trees, 1 << depth, 16)).astype(np.int8)
    directions = rng.normal(0, 3e-4, (2, 2 * n_landmarks, 16)).astype(np.float32)
    leaves = np.einsum("stlk,snk->stln", codes.astype(np.float32), directions)
    mean = parts["mean_shape"]
    common = (
        image, frames, mean, *kernel_mean(mean.astype(float)),
        parts["anchors"], parts["offsets"], parts["packed"],
    )  # fmt: skip
    exact = predict_exact(*common, leaves, depth)
    steps = np.ascontiguousarray(directions.transpose(0, 2, 1))
    compressed = predict_compressed(*common, codes, depth, steps)
    for n, frame in enumerate(frames.tolist()):
        expected = predict_twin(image, frame, parts, leaves, depth)
        np.testing.assert_allclose(exact[n], expected, atol=1e-6)
        np.testing.assert_allclose(compressed[n], expected, atol=1e-4)
