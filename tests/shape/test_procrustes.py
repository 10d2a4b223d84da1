"""Generalised Procrustes analysis: what similarities cannot change, and what is refused."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import procrustes as procrustes_of_two

import classicface
from classicface.exceptions import InvalidInputError
from classicface.shape.procrustes import procrustes_analysis, similarity_basis
from classicface.shape.similarity import apply_similarity, fit_similarity

seeds = st.integers(0, 2**32 - 1)


def deformed_shapes(rng, n, n_landmarks, deformation=0.1):
    """Draw shapes of size about 1 around a random mean, all upright; (n, n_landmarks, 2)."""
    mean = rng.standard_normal((n_landmarks, 2))
    mean -= mean.mean(axis=0)
    mean /= np.linalg.norm(mean)
    noise = rng.standard_normal((n, n_landmarks, 2)) / np.sqrt(2 * n_landmarks)
    return mean + deformation * noise


def random_similarities(rng, n, turn=np.pi):
    """Draw similarities, (n, 4), that turn by at most `turn`."""
    angle, scale = rng.uniform(-turn, turn, n), rng.uniform(5, 500, n)
    shift = rng.uniform(-1000, 1000, (2, n))
    return np.stack([scale * np.cos(angle), scale * np.sin(angle), *shift], axis=1)


def turned_alike(result, other):
    """Return the aligned shapes of `other`, turned so that its mean lies on that of `result`."""
    return apply_similarity(fit_similarity(other.mean, result.mean), other.aligned)


def test_it_is_public():
    assert classicface.procrustes_analysis is procrustes_analysis


@settings(max_examples=50)
@given(seed=seeds, n=st.integers(1, 12), n_landmarks=st.integers(2, 20), tangent=st.booleans())
def test_similarities_of_the_inputs_change_nothing(seed, n, n_landmarks, tangent):
    rng = np.random.default_rng(seed)
    shapes = deformed_shapes(rng, n, n_landmarks)
    moved = apply_similarity(random_similarities(rng, n), shapes)
    result = procrustes_analysis(shapes, tangent=tangent)
    other = procrustes_analysis(moved, tangent=tangent)
    assert result.converged
    assert other.converged
    np.testing.assert_allclose(turned_alike(result, other), result.aligned, atol=1e-6)


@settings(max_examples=50)
@given(seed=seeds, n=st.integers(1, 12), n_landmarks=st.integers(2, 20), share=st.floats(0, 0.4))
def test_the_frame_and_the_poses(seed, n, n_landmarks, share):
    rng = np.random.default_rng(seed)
    shapes = deformed_shapes(rng, n, n_landmarks)
    missing = rng.random((n, n_landmarks)) < share
    missing[:, :2] = False
    missing[0] = False
    shapes[missing] = np.nan
    moved = apply_similarity(random_similarities(rng, n), shapes)
    before = moved.copy()
    result = procrustes_analysis(moved)
    np.testing.assert_array_equal(moved, before)
    np.testing.assert_allclose(result.mean.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.sum(result.mean**2), 1)
    np.testing.assert_array_equal(np.isnan(result.aligned).all(axis=2), missing)
    again = apply_similarity(result.poses, result.aligned)
    np.testing.assert_allclose(again, moved, atol=1e-8)
    if result.converged:
        mean = np.nanmean(result.aligned, axis=0)
        mean -= mean.mean(axis=0)
        np.testing.assert_allclose(mean / np.linalg.norm(mean), result.mean, atol=1e-7)


def test_what_is_left_in_the_tangent_plane_holds_no_similarity():
    rng = np.random.default_rng(0)
    shapes = apply_similarity(random_similarities(rng, 30), deformed_shapes(rng, 30, 15))
    result = procrustes_analysis(shapes)
    left = (result.aligned - result.mean).reshape(30, -1)
    np.testing.assert_allclose(left @ similarity_basis(result.mean).T, 0, atol=1e-12)
    np.testing.assert_allclose(np.sum(result.aligned * result.mean, axis=(1, 2)), 1)
    np.testing.assert_allclose(result.aligned.mean(axis=0), result.mean, atol=1e-7)


def test_without_the_tangent_plane_the_distance_is_least():
    rng = np.random.default_rng(1)
    shapes = apply_similarity(random_similarities(rng, 8), deformed_shapes(rng, 8, 10))
    result = procrustes_analysis(shapes, tangent=False)
    least = np.sum((result.aligned - result.mean) ** 2, axis=(1, 2))
    assert (least <= np.sum((procrustes_analysis(shapes).aligned - result.mean) ** 2)).all()
    for step in 1e-4 * np.concatenate([np.eye(4), -np.eye(4)]):
        nudged = apply_similarity(np.array([1.0, 0, 0, 0]) + step, result.aligned)
        assert (np.sum((nudged - result.mean) ** 2, axis=(1, 2)) > least).all()


@settings(max_examples=30)
@given(seed=seeds, n_landmarks=st.integers(3, 20))
def test_two_shapes_against_scipy(seed, n_landmarks):
    rng = np.random.default_rng(seed)
    angle = np.arange(n_landmarks) * 2 * np.pi / n_landmarks  # a ring: its mirror image is far off
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    shapes = ring + 0.2 * rng.standard_normal((2, n_landmarks, 2)).clip(-2, 2)
    disparity = procrustes_of_two(*shapes)[2]
    result = procrustes_analysis(shapes, tangent=False)
    # The mean lies half-way: the angle between the shapes is twice that to the mean.
    for left in np.sum((result.aligned - result.mean) ** 2, axis=(1, 2)):
        np.testing.assert_allclose(1 - (1 - 2 * left) ** 2, disparity, atol=1e-7)


def test_upright_shapes_stay_upright():
    rng = np.random.default_rng(2)
    shapes = deformed_shapes(rng, 40, 12, deformation=0.05)
    tilted = apply_similarity(random_similarities(rng, 40, turn=0.5), shapes)
    for angle in (0.0, 1.0, 3.0):
        turn = np.array([np.cos(angle), np.sin(angle), 0.0, 0.0])
        result = procrustes_analysis(apply_similarity(turn, tilted))
        assert abs(np.angle(np.mean(np.exp(1j * np.arctan2(*result.poses[:, 1::-1].T))))) < 1e-9
        a, b = fit_similarity(shapes.mean(axis=0), result.mean)[:2]
        assert abs(np.angle((a + 1j * b) * np.exp(-1j * angle))) < 0.2


def test_opposite_shapes_are_turned_as_the_first():
    shape = deformed_shapes(np.random.default_rng(3), 1, 6)[0]
    result = procrustes_analysis([shape, -shape])
    np.testing.assert_allclose(result.mean, shape - shape.mean(axis=0), atol=0.3)
    np.testing.assert_allclose(result.aligned[1], result.mean, atol=1e-12)


def test_missing_points_of_equal_shapes_cost_nothing():
    rng = np.random.default_rng(4)
    shape = deformed_shapes(rng, 1, 9)
    copies = apply_similarity(random_similarities(rng, 20, turn=0.1), np.repeat(shape, 20, axis=0))
    whole = procrustes_analysis(copies)
    missing = rng.random((20, 9)) < 0.4
    missing[:, :2] = False
    holed = np.where(missing[..., None], np.nan, copies)
    result = procrustes_analysis(holed)
    assert result.converged
    np.testing.assert_allclose(result.mean, whole.mean, atol=1e-9)
    np.testing.assert_allclose(result.poses, whole.poses, rtol=1e-6, atol=1e-6)


def test_a_point_that_only_some_shapes_have_is_placed_by_them():
    rng = np.random.default_rng(5)
    shape = deformed_shapes(rng, 1, 8)[0]
    a, b = shape.copy(), shape.copy()
    a[6:] = np.nan
    b[:3] = np.nan
    result = procrustes_analysis([a, 7 * b + 3])
    np.testing.assert_allclose(turned_and_sized(shape, result.mean), result.mean, atol=1e-8)


def turned_and_sized(shape, mean):
    return apply_similarity(fit_similarity(shape, mean), shape)


def test_an_unsettled_analysis_says_so(caplog):
    shapes = deformed_shapes(np.random.default_rng(6), 5, 6)
    with caplog.at_level(logging.WARNING):
        result = procrustes_analysis(shapes, max_iterations=2)
    assert not result.converged
    assert result.n_iterations == 2
    assert result.change > 1e-8
    assert "has not converged in 2 iterations" in caplog.text
    caplog.clear()
    result = procrustes_analysis(shapes)
    assert result.converged
    assert result.change <= 1e-8
    assert caplog.text == ""


def test_one_shape_equal_shapes_collinear_points():
    shape = np.array([[10.0, 10], [20, 10], [15, 30]])
    for given_shapes in ([shape], [shape] * 4):
        result = procrustes_analysis(given_shapes)
        assert result.converged
        expected = (shape - shape.mean(axis=0)) / np.linalg.norm(shape - shape.mean(axis=0))
        np.testing.assert_allclose(result.mean, expected)
    line = np.array([[0.0, 0], [1, 1], [3, 3]])
    result = procrustes_analysis([line, 5 * line, line + 9])
    assert result.converged
    np.testing.assert_allclose(np.linalg.matrix_rank(result.mean), 1)
    pair = procrustes_analysis([[[0, 0], [1, 0]], [[5, 5], [5, 9]]])
    np.testing.assert_allclose(pair.aligned[0], pair.aligned[1], atol=1e-12)


NAN = [np.nan, np.nan]


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([[[3, 3]], [[4, 4]]], "has 1 points; expected at least 2"),
        ([[[3, 3], NAN], [[4, 4], [5, 5]]], "shape 0 has 1 points"),
        ([[[0, 0], [1, 1]], [[7, 7], [7, 7]]], "the points of shape 1 coincide"),
        ([[[0, 0], [0, 0]]], "coincide"),
        ([[[0, 0], [1, 1], NAN], [[0, 0], [1, 2], NAN]], "landmark 2 is missing in every shape"),
        (
            [[[0, 0], [1, 1], NAN, NAN], [NAN, NAN, [0, 0], [1, 2]]],
            "fewer than two points in common",
        ),
        ([[-1, 0], [0, 1], [1, 0]], "at least one shape"),
        (np.zeros((0, 4, 2)), "at least one shape"),
        (np.zeros((2, 4, 3)), "expected"),
        ([[[0, 0], [1, np.inf]]], "reach beyond"),
        ([[[-1, 0], [0, 0], [1, 0]], [[1, 0], [-2, 0], [1, 0]]], "cannot be laid on the mean"),
        ("faces", "regular array"),
    ],
)
def test_what_cannot_be_aligned_is_refused(shapes, message):
    with pytest.raises(InvalidInputError, match=message):
        procrustes_analysis(shapes)


@pytest.mark.parametrize("bad", [{"tolerance": -1}, {"max_iterations": 0}, {"tolerance": "x"}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(InvalidInputError):
        procrustes_analysis(np.eye(2)[None], **bad)
