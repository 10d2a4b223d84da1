"""Sampling patterns: samples lie where they should, and know their neighbours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.aam.pattern import holistic_pattern, patch_pattern
from classicface.exceptions import InvalidInputError
from classicface.image.frame import ReferenceFrame

spacings = st.sampled_from([0.5, 1.0, 2.5, 4.0])


def frame_of(seed, face_size=40.0, n=9):
    return ReferenceFrame.build(np.random.default_rng(seed).uniform(-1, 1, (n, 2)), face_size)


def places(pattern, landmarks):
    """Return the samples of a shape, (m, 2)."""
    segment = np.repeat(np.arange(len(pattern.anchors)), np.diff(pattern.starts))
    corners = landmarks[pattern.anchors[segment]]
    return np.einsum("vm,mvd->md", pattern.weights, corners) + pattern.offsets


def check_form(pattern, n_landmarks):
    m, v = pattern.n_samples, len(pattern.weights)
    assert pattern.starts[0] == 0
    assert pattern.starts[-1] == m
    assert (np.diff(pattern.starts) > 0).all()
    assert pattern.anchors.shape == (len(pattern.starts) - 1, v)
    assert pattern.weights.shape == (v, m)
    assert pattern.offsets.shape == (m, 2)
    assert pattern.neighbours.shape == (4, m)
    assert pattern.rates.shape == (2, m)
    for name in ("starts", "anchors", "neighbours", "triangles"):
        assert getattr(pattern, name).dtype == np.int32
        assert getattr(pattern, name).flags.c_contiguous
    for name in ("weights", "offsets", "rates"):
        assert getattr(pattern, name).dtype == np.float32
        assert getattr(pattern, name).flags.c_contiguous
    assert pattern.anchors.min() >= 0
    assert pattern.anchors.max() < n_landmarks
    np.testing.assert_allclose(pattern.weights.sum(axis=0), 1, atol=1e-5)


def check_neighbours(pattern, landmarks, spacing):
    found = places(pattern, landmarks)
    itself = np.arange(pattern.n_samples)
    moves = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]]) * spacing
    for side, opposite in ((0, 1), (1, 0), (2, 3), (3, 2)):
        other = pattern.neighbours[side]
        has = other != itself
        np.testing.assert_array_equal(pattern.neighbours[opposite][other[has]], itself[has])
        move = found[other[has]] - found[has] - moves[side]
        np.testing.assert_allclose(move, 0, atol=1e-3)
    for axis in range(2):
        first, second = pattern.neighbours[2 * axis : 2 * axis + 2]
        distance = (found[second] - found[first])[:, axis]
        steps = (first != itself).astype(int) + (second != itself)
        np.testing.assert_allclose(distance, steps * spacing, atol=1e-3)
        alone = steps == 0
        np.testing.assert_allclose(pattern.rates[axis][~alone] * distance[~alone], 1, atol=1e-3)
        assert not pattern.rates[axis][alone].any()


@given(n=st.integers(1, 8), side=st.integers(2, 6), spacing=spacings)
def test_patches(n, side, spacing):
    pattern = patch_pattern(n, side, spacing)
    check_form(pattern, n)
    assert pattern.n_samples == n * side * side
    assert len(pattern.triangles) == len(pattern.gradients) == 0
    landmarks = 100 * np.column_stack([np.arange(n), np.arange(n)])
    found = places(pattern, landmarks).reshape(n, side * side, 2)
    np.testing.assert_allclose(found.mean(axis=1), landmarks, atol=1e-4)
    np.testing.assert_allclose(np.ptp(found, axis=1), spacing * (side - 1))
    check_neighbours(pattern, landmarks, spacing)


@given(seed=st.integers(0, 10**6), spacing=spacings)
def test_holistic(seed, spacing):
    frame = frame_of(seed)
    pattern = holistic_pattern(frame, spacing)
    check_form(pattern, 9)
    assert (pattern.weights >= -1e-6).all()
    assert not pattern.offsets.any()
    check_neighbours(pattern, frame.landmarks, spacing)
    assert pattern.triangles.shape[1:] == (3,)
    assert pattern.gradients.shape == (len(pattern.triangles), 3, 2)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_the_samples_of_a_face_are_a_grid_over_its_hull(seed):
    from scipy.spatial import ConvexHull, Delaunay

    frame = frame_of(seed)
    pattern = holistic_pattern(frame, 1.0)
    found = places(pattern, frame.landmarks)
    low = frame.landmarks.min(axis=0)
    cells = (found - low - 0.5) / 1.0
    np.testing.assert_allclose(cells, np.rint(cells), atol=1e-3)
    assert len(np.unique(np.rint(cells), axis=0)) == pattern.n_samples
    assert (Delaunay(frame.landmarks).find_simplex(found, tol=1e-3) >= 0).all()
    hull = ConvexHull(frame.landmarks)
    assert abs(pattern.n_samples - hull.volume) <= hull.area + 4  # one sample a pixel


@given(seed=st.integers(0, 10**6), matrix=st.lists(st.floats(-2, 2), min_size=4, max_size=4))
def test_samples_follow_an_affine_map_of_the_landmarks(seed, matrix):
    frame = frame_of(seed)
    pattern = holistic_pattern(frame, 2.5)
    affine = np.reshape(matrix, (2, 2))
    moved = places(pattern, frame.landmarks @ affine + [3, 7])
    np.testing.assert_allclose(moved, places(pattern, frame.landmarks) @ affine + [3, 7], atol=1e-3)


@pytest.mark.parametrize("points", [2, 3, 5])
def test_no_area_no_holistic_pattern(points):
    mean = np.outer(np.linspace(-1, 1, points), [0.6, 0.8])
    with pytest.raises(InvalidInputError, match="line"):
        holistic_pattern(ReferenceFrame.build(mean, 40), 2.0)


def test_a_face_too_thin_for_the_grid_is_refused():
    mean = np.array([[-1, 0], [1, 0], [0, 1e-4]])
    with pytest.raises(InvalidInputError, match="too thin for a mesh; use parts=True"):
        holistic_pattern(ReferenceFrame.build(mean, 40), 8.0)
