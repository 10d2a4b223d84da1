"""Every kernel of the active shape models against a NumPy twin; also with NUMBA_DISABLE_JIT=1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.asm import _kernels
from classicface.shape.procrustes import similarity_basis
from classicface.shape.similarity import (
    apply_similarity,
    compose_similarity,
    fit_similarity,
    invert_similarity,
)

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25)


def random_features(rng, channels=None):
    height, width = rng.integers(2, 12, 2)
    return rng.random((height, width, channels or rng.integers(1, 9)), np.float32)


def random_points(rng, features, n):
    """Return points inside the picture and beyond it."""
    height, width = features.shape[:2]
    return ((rng.random((n, 2)) * 2 - 0.5) * (width, height)).astype(np.float32)


def read_twin(features, points):
    """Read bilinearly at points (..., 2); beyond the picture its border."""
    height, width = features.shape[:2]
    x = np.clip(points[..., 0].astype(float), 0, width - 1)
    y = np.clip(points[..., 1].astype(float), 0, height - 1)
    column, row = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
    fx, fy = (x - column)[..., None], (y - row)[..., None]
    top = (1 - fx) * features[row, column] + fx * features[row, column + 1]
    bottom = (1 - fx) * features[row + 1, column] + fx * features[row + 1, column + 1]
    return (1 - fy) * top + fy * bottom


def normals_twin(points, neighbours):
    along = points[neighbours[:, 1]].astype(float) - points[neighbours[:, 0]]
    length = np.linalg.norm(along, axis=1)
    turned = np.column_stack([-along[:, 1], along[:, 0]]) / np.maximum(length, 1e-12)[:, None]
    turned[length < 1e-6] = 1, 0
    return turned


def lines_twin(features, points, normals, n):
    """Return the differences of grey values, (L, n), along each normal."""
    along = np.arange(n + 1) - n // 2 - 0.5
    places = points[:, None].astype(float) + along[:, None] * normals[:, None]
    return np.diff(read_twin(features, places)[..., 0], axis=1)


def random_model(rng, n_landmarks, k):
    """Return mean, directions (4 + k, 2 L) and deviations of a random shape model."""
    mean = rng.standard_normal((n_landmarks, 2))
    mean -= mean.mean(axis=0)
    mean /= np.linalg.norm(mean)
    basis = similarity_basis(mean)
    rows = rng.standard_normal((k, 2 * n_landmarks))
    rows -= rows @ basis.T @ basis
    rows = np.linalg.qr(rows.T)[0].T if k else rows
    return mean, np.ascontiguousarray(np.concatenate([basis, rows])), rng.uniform(0.02, 0.1, k)


def project_twin(points, mean, components):
    pose = fit_similarity(mean, points)
    aligned = apply_similarity(invert_similarity(pose), points)
    return pose, components @ (aligned - mean).ravel()


@few
@given(seeds)
def test_describe(seed):
    rng = np.random.default_rng(seed)
    features = random_features(rng)
    points, offsets = random_points(rng, features, 4), random_points(rng, features, 5)
    out = np.empty((4, 5 * features.shape[2]), np.uint8)
    low, step = np.float32(0.1), np.float32(0.8 / 255)
    _kernels.describe(features, points, offsets, low, step, out)
    values = read_twin(features, points[:, None] + offsets).reshape(4, -1)
    assert np.abs(out - np.clip((values - low) / step, 0, 255)).max() <= 0.51


@few
@given(seeds)
def test_regress(seed):
    rng = np.random.default_rng(seed)
    features = random_features(rng)
    points, offsets = random_points(rng, features, 4), random_points(rng, features, 5)
    weights = rng.standard_normal((4, 2, 5 * features.shape[2])).astype(np.float32)
    biases = rng.standard_normal((4, 2)).astype(np.float32)
    out = np.empty((4, 2), np.float32)
    _kernels.regress(features, points, offsets, weights, biases, out)
    values = read_twin(features, points[:, None] + offsets).reshape(4, -1)
    expected = np.einsum("lod,ld->lo", weights.astype(float), values) + biases
    np.testing.assert_allclose(out, expected, atol=1e-4)


@few
@given(seeds)
def test_read_profiles(seed):
    rng = np.random.default_rng(seed)
    features = random_features(rng, 1)
    points = random_points(rng, features, 4)
    neighbours = rng.integers(0, 4, (4, 2), dtype=np.int32)
    out = np.empty((4, 5), np.float32)
    _kernels.read_profiles(features, points, neighbours, out)
    lines = lines_twin(features, points, normals_twin(points, neighbours), 5)
    expected = lines / (np.abs(lines).sum(axis=1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(out, expected, atol=2e-3)


@few
@given(seeds)
def test_search_profiles(seed):
    rng = np.random.default_rng(seed)
    features = random_features(rng, 1)
    points = random_points(rng, features, 4)
    neighbours = rng.integers(0, 4, (4, 2), dtype=np.int32)
    n, reach = 5, 3
    means = rng.standard_normal((4, n)).astype(np.float32)
    roots = rng.standard_normal((4, n, n))
    inverses = (roots @ roots.transpose(0, 2, 1)).astype(np.float32)
    out = np.empty((4, 2), np.float32)
    _kernels.search_profiles(features, points, neighbours, means, inverses, reach, out)
    normals = normals_twin(points, neighbours)
    lines = lines_twin(features, points, normals, n + 2 * reach)
    windows = np.lib.stride_tricks.sliding_window_view(lines, n, axis=1)
    profiles = windows / (np.abs(windows).sum(axis=2, keepdims=True) + 1e-6)
    apart = profiles - means[:, None]
    distances = np.einsum("lsi,lij,lsj->ls", apart, inverses.astype(float), apart)
    moves = np.sum(out * normals, axis=1)
    chosen = np.rint(moves).astype(int)
    np.testing.assert_allclose(out, chosen[:, None] * normals, atol=1e-3)
    best = distances[np.arange(4), chosen + reach]
    assert (best <= distances.min(axis=1) * 1.01 + 1e-3).all()


def test_profiles_find_an_edge_that_has_moved():
    """A profile across an edge, learnt on the edge and met three pixels beside it."""
    features = np.zeros((21, 41, 1), np.float32)
    features[:, 20:] = 1
    neighbours = np.array([[0, 1], [0, 1]], np.int32)
    points = np.array([[19.5, 5], [19.5, 15]], np.float32)
    means = np.empty((2, 5), np.float32)
    _kernels.read_profiles(features, points, neighbours, means)
    inverses = np.tile(np.eye(5, dtype=np.float32), (2, 1, 1))
    for shift in (-3, 0, 3):
        out = np.empty((2, 2), np.float32)
        moved = points + np.array([shift, 0], np.float32)
        _kernels.search_profiles(features, moved, neighbours, means, inverses, 4, out)
        np.testing.assert_allclose(out, [[-shift, 0], [-shift, 0]], atol=1e-5)


def test_of_profiles_alike_the_nearest_is_taken():
    features = np.zeros((9, 9, 1), np.float32)
    points = np.array([[4, 2], [4, 6]], np.float32)
    neighbours = np.array([[0, 1], [0, 1]], np.int32)
    out = np.full((2, 2), 9, np.float32)
    means, inverses = np.zeros((2, 3), np.float32), np.zeros((2, 3, 3), np.float32)
    _kernels.search_profiles(features, points, neighbours, means, inverses, 3, out)
    assert (out == 0).all()


@few
@given(seeds, st.integers(0, 3))
def test_project(seed, k):
    rng = np.random.default_rng(seed)
    mean, directions, _ = random_model(rng, 6, k)
    points = rng.standard_normal((6, 2)) * 30 + 50
    pose, b = np.empty(4), np.empty(k)
    assert _kernels.project(points, mean, directions[4:], pose, b)
    expected_pose, expected_b = project_twin(points, mean, directions[4:])
    np.testing.assert_allclose(pose, expected_pose, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(b, expected_b, rtol=1e-8, atol=1e-8)


def test_points_in_one_place_have_no_parameters():
    mean, directions, _ = random_model(np.random.default_rng(0), 6, 2)
    pose, b = np.empty(4), np.ones(2)
    assert not _kernels.project(np.full((6, 2), 7.0), mean, directions[4:], pose, b)
    assert (b == 0).all()


@few
@given(seeds)
def test_transform_is_a_similarity_and_its_inverse(seed):
    rng = np.random.default_rng(seed)
    similarity, points = rng.uniform(0.5, 2, 4), rng.standard_normal((5, 2))
    there, back = np.empty((5, 2)), np.empty((5, 2))
    _kernels.transform(similarity, points, False, there)
    _kernels.transform(similarity, there, True, back)
    np.testing.assert_allclose(there, apply_similarity(similarity, points), rtol=1e-12)
    np.testing.assert_allclose(back, points, rtol=1e-9, atol=1e-12)


@few
@given(seeds, st.integers(0, 3), st.booleans(), st.sampled_from([0.0, 1.5]))
def test_advance(seed, k, joined, radius):
    rng = np.random.default_rng(seed)
    mean, directions, deviations = random_model(rng, 6, k)
    scale, n_std = 40.0, 1.2
    tilt = np.array([1.1, 0.2, 60.0, 50.0])
    points = apply_similarity(compose_similarity(tilt, np.array([scale, 0, 0, 0])), mean)
    moves = rng.standard_normal((6, 2)).astype(np.float32)
    gain = rng.standard_normal((4 + k, 12 + k)) * 0.3 if joined else np.zeros((0, 0))
    out = points.copy()
    _kernels.advance(out, moves, scale, mean, directions, gain, deviations, n_std, radius, out)
    step = moves.astype(float)
    if joined:
        b = project_twin(points, mean, directions[4:])[1]
        step = (gain @ np.concatenate([step.ravel(), b * scale]) @ directions).reshape(6, 2)
    pose, b = project_twin(points + step, mean, directions[4:])
    if radius:
        b = b / max(1.0, np.linalg.norm(b / deviations) / radius)
    else:
        b = np.clip(b, -n_std * deviations, n_std * deviations)
    expected = apply_similarity(pose, mean + (b @ directions[4:]).reshape(6, 2))
    np.testing.assert_allclose(out, expected, rtol=1e-7, atol=1e-7)


def test_moves_onto_one_point_leave_the_shape_as_it_is():
    mean, directions, deviations = random_model(np.random.default_rng(0), 6, 2)
    points = np.rint(mean * 40) + 50
    moves = (50 - points).astype(np.float32)
    out, gain = points.copy(), np.zeros((0, 0))
    _kernels.advance(out, moves, 40.0, mean, directions, gain, deviations, 3.0, 0.0, out)
    np.testing.assert_array_equal(out, points)


@pytest.mark.parametrize("size", [2, 3])
def test_the_least_picture(size):
    features = np.arange(size * size, dtype=np.float32).reshape(size, size, 1)
    points = np.array([[-5, -5], [99, 99]], np.float32)
    out = np.empty((2, 2), np.float32)
    weights, biases = np.ones((2, 2, 1), np.float32), np.zeros((2, 2), np.float32)
    _kernels.regress(features, points, np.zeros((1, 2), np.float32), weights, biases, out)
    np.testing.assert_allclose(out[:, 0], [0, size * size - 1])
