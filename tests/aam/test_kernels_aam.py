"""Every kernel of the appearance against a plain NumPy twin; also with NUMBA_DISABLE_JIT=1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.aam._kernels import (
    anchored_gradients,
    coefficients,
    gather,
    sample,
    structure,
    synthesize,
    times_directions,
    to_parameters,
)

seeds = st.integers(0, 2**32 - 1)
counts = st.integers(1, 5)


def random_pattern(rng, n_landmarks, v, n_segments):
    """Return starts, anchors, weights and offsets of a random pattern; a segment may be empty."""
    starts = np.concatenate([[0], np.cumsum(rng.integers(0, 4, n_segments))]).astype(np.int32)
    starts[-1] += starts[-1] == 0
    m = starts[-1]
    anchors = rng.integers(0, n_landmarks, (n_segments, v)).astype(np.int32)
    weights = rng.dirichlet(np.ones(v), m).T.astype(np.float32)
    offsets = rng.normal(0, 3, (m, 2)).astype(np.float32)
    return starts, anchors, np.ascontiguousarray(weights), offsets


def segments_of(starts):
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts))


def places_twin(shape, starts, anchors, weights, offsets):
    corners = shape[anchors[segments_of(starts)]]
    return offsets.astype(float) + np.einsum("vm,mvd->md", weights.astype(float), corners)


def bilinear_twin(features, places):
    height, width, _ = features.shape
    x = np.clip(places[:, 0], 0, width - 1)
    y = np.clip(places[:, 1], 0, height - 1)
    rows = np.maximum(0, 1 - np.abs(y[:, None] - np.arange(height)))
    columns = np.maximum(0, 1 - np.abs(x[:, None] - np.arange(width)))
    return np.einsum("mh,mw,hwc->mc", rows, columns, features.astype(float))


def jacobian_twin(gradients, starts, anchors, n_landmarks):
    """Return the Jacobian (D, 2 L) of the appearance by the coordinates of the landmarks."""
    v, _, size = gradients.shape
    n_channels = size // starts[-1]
    jacobian = np.zeros((size, 2 * n_landmarks))
    segment = np.repeat(segments_of(starts), n_channels)
    for corner in range(v):
        for d in range(2):
            columns = 2 * anchors[segment, corner] + d
            np.add.at(jacobian, (np.arange(size), columns), gradients[corner, d])
    return jacobian


@given(
    seed=seeds,
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    channels=counts,
    v=st.sampled_from([1, 3]),
    spread=st.sampled_from([0.0, 3.0, 50.0, 1e7]),
)
def test_sample(seed, height, width, channels, v, spread):
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 1, (height, width, channels)).astype(np.float32)
    shape = rng.uniform(0, 6, (4, 2)) + spread * rng.normal(0, 1, (4, 2))
    pattern = random_pattern(rng, 4, v, 3)
    out = np.full((pattern[0][-1], channels), np.nan, np.float32)
    sample(features, shape, *pattern, out)
    expected = bilinear_twin(features, places_twin(shape, *pattern))
    np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("x", "y", "value"),
    [
        *[(0, 0, 1), (1, 0, 2), (0, 1, 3), (1, 1, 4), (0.5, 0.5, 2.5), (0.25, 0, 1.25)],
        *[(-9, -9, 1), (9, -9, 2), (-9, 9, 3), (1e300, 1e300, 4), (-1e300, 0.5, 2)],
    ],
)
def test_sample_by_hand(x, y, value):
    features = np.array([[[1.0], [2.0]], [[3.0], [4.0]]], np.float32)
    out = np.empty((1, 1), np.float32)
    starts, anchors = np.array([0, 1], np.int32), np.zeros((1, 1), np.int32)
    weights, offsets = np.ones((1, 1), np.float32), np.zeros((1, 2), np.float32)
    sample(features, np.array([[x, y]], float), starts, anchors, weights, offsets, out)
    assert out[0, 0] == pytest.approx(value)


@given(seed=seeds, k=st.integers(0, 9), size=st.integers(1, 30))
def test_coefficients(seed, k, size):
    rng = np.random.default_rng(seed)
    basis = rng.normal(0, 1, (k, size)).astype(np.float32)
    values = rng.normal(0, 1, size).astype(np.float32)
    out = np.full(k, np.nan)
    coefficients(basis, values, out)
    np.testing.assert_allclose(out, basis.astype(float) @ values, atol=1e-4)


@given(seed=seeds, k=st.integers(0, 9), size=st.integers(1, 30))
def test_synthesize(seed, k, size):
    rng = np.random.default_rng(seed)
    basis = rng.normal(0, 1, (k, size)).astype(np.float32)
    template, weights = rng.normal(0, 1, size).astype(np.float32), rng.normal(0, 1, k)
    out = np.full(size, np.nan, np.float32)
    synthesize(template, basis, weights, out)
    np.testing.assert_allclose(out, template + weights @ basis.astype(float), atol=1e-4)


@given(seed=seeds, m=counts, channels=counts, v=st.sampled_from([1, 3]))
def test_anchored_gradients(seed, m, channels, v):
    rng = np.random.default_rng(seed)
    template = rng.normal(0, 1, (m, channels)).astype(np.float32)
    neighbours = rng.integers(0, m, (4, m)).astype(np.int32)
    rates, weights = (rng.uniform(0, 1, (n, m)).astype(np.float32) for n in (2, v))
    out = np.full((v, 2, m, channels), np.nan, np.float32)
    anchored_gradients(template, neighbours, rates, weights, out)
    left, right, above, below = template[neighbours].astype(float)
    slopes = np.stack([right - left, below - above]) * rates[..., None]
    np.testing.assert_allclose(out, slopes * weights[:, None, :, None], atol=1e-5)


@given(seed=seeds, n_landmarks=counts, v=st.sampled_from([1, 3]), channels=counts)
def test_gather_and_structure(seed, n_landmarks, v, channels):
    rng = np.random.default_rng(seed)
    starts, anchors, _, _ = random_pattern(rng, n_landmarks, v, 3)
    anchors = np.stack([rng.permutation(max(n_landmarks, v))[:v] for _ in range(3)])
    anchors = anchors.astype(np.int32)
    n_landmarks = max(n_landmarks, v)
    size = starts[-1] * channels
    gradients = rng.normal(0, 1, (v, 2, size)).astype(np.float32)
    values = rng.normal(0, 1, size).astype(np.float32)
    jacobian = jacobian_twin(gradients, starts, anchors, n_landmarks)
    pull = np.full(2 * n_landmarks, np.nan)
    gather(gradients, starts, anchors, values, pull)
    np.testing.assert_allclose(pull, jacobian.T @ values, atol=1e-4)
    products = np.full((2 * n_landmarks, 2 * n_landmarks), np.nan)
    structure(gradients, starts, anchors, products)
    np.testing.assert_allclose(products, jacobian.T @ jacobian, atol=1e-4)
    np.testing.assert_array_equal(products, products.T)


@given(seed=seeds, n=st.integers(1, 6), n_landmarks=counts, share=st.floats(0, 1))
def test_to_parameters(seed, n, n_landmarks, share):
    rng = np.random.default_rng(seed)
    size = 2 * n_landmarks
    directions = rng.normal(0, 1, (n, size))
    matrix = rng.normal(0, 1, (size, size)) * (rng.random((size, size)) < share)
    matrix = matrix + matrix.T
    work, out = np.full((size, n), np.nan), np.full((n, n), np.nan)
    to_parameters(np.ascontiguousarray(directions.T), matrix, work, out)
    np.testing.assert_allclose(out, directions @ matrix @ directions.T, atol=1e-9)
    np.testing.assert_array_equal(out, out.T)


@given(seed=seeds, k=st.integers(0, 5), n=st.integers(1, 6), size=st.integers(1, 10))
def test_times_directions(seed, k, n, size):
    rng = np.random.default_rng(seed)
    vectors, directions = rng.normal(0, 1, (k, size)), rng.normal(0, 1, (n, size))
    out = np.full((k, n), np.nan)
    times_directions(vectors, directions, out)
    np.testing.assert_allclose(out, vectors @ directions.T, atol=1e-9)
