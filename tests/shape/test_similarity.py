import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.shape.similarity import (
    apply_similarity,
    compose_similarity,
    fit_similarity,
    invert_similarity,
)

seeds = st.integers(0, 2**32 - 1)


@st.composite
def similarities(draw):
    scale = draw(st.floats(0.01, 100))
    angle = draw(st.floats(-4, 4))
    shift = draw(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)))
    return np.array([scale * np.cos(angle), scale * np.sin(angle), *shift])


def points_of(seed, n=9):
    return np.random.default_rng(seed).normal(0, 50, (n, 2))


@given(similarities(), seeds)
def test_recovers_the_similarity(transform, seed):
    points = points_of(seed)
    fitted = fit_similarity(points, apply_similarity(transform, points))
    np.testing.assert_allclose(fitted, transform, rtol=1e-6, atol=1e-6)


@given(similarities(), seeds)
def test_inverse_leads_back(transform, seed):
    points = points_of(seed)
    there = apply_similarity(transform, points)
    np.testing.assert_allclose(
        apply_similarity(invert_similarity(transform), there), points, atol=1e-5
    )


@given(similarities(), similarities(), seeds)
def test_composition_applies_inner_first(outer, inner, seed):
    points = points_of(seed)
    np.testing.assert_allclose(
        apply_similarity(compose_similarity(outer, inner), points),
        apply_similarity(outer, apply_similarity(inner, points)),
        rtol=1e-9,
        atol=1e-6,
    )


@given(similarities(), seeds, st.sets(st.integers(0, 8), max_size=6))
def test_missing_points_are_left_out(transform, seed, missing):
    points = points_of(seed)
    target = apply_similarity(transform, points)
    target[list(missing)] = np.nan
    np.testing.assert_allclose(fit_similarity(points, target), transform, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        fit_similarity(target, points), invert_similarity(transform), rtol=1e-5, atol=1e-5
    )


@given(seeds)
def test_no_other_similarity_is_nearer(seed):
    rng = np.random.default_rng(seed)
    source, target = rng.normal(0, 20, (2, 7, 2))
    best = fit_similarity(source, target)
    error = np.sum((apply_similarity(best, source) - target) ** 2)
    for step in rng.normal(0, 0.05, (5, 4)):
        assert np.sum((apply_similarity(best + step, source) - target) ** 2) >= error - 1e-9


def test_degenerate_sources():
    target = np.array([[3.0, 4.0], [5.0, 6.0]])
    np.testing.assert_allclose(fit_similarity(np.ones((2, 2)), target), [1, 0, 3, 4])
    nothing = np.full((2, 2), np.nan)
    np.testing.assert_array_equal(fit_similarity(nothing, target), [1, 0, 0, 0])
    one = np.array([[1.0, 1.0], [np.nan, np.nan]])
    np.testing.assert_allclose(fit_similarity(one, target), [1, 0, 2, 3])


def test_broadcasts_over_faces():
    faces = np.random.default_rng(0).normal(0, 30, (4, 6, 2))
    fitted = fit_similarity(faces, faces[0])
    assert fitted.shape == (4, 4)
    np.testing.assert_allclose(fitted[0], [1, 0, 0, 0], atol=1e-12)
    for face, transform in zip(faces, fitted, strict=True):
        np.testing.assert_allclose(fit_similarity(face, faces[0]), transform, atol=1e-12)
    assert apply_similarity(fitted, faces).shape == faces.shape
    assert invert_similarity(fitted).shape == compose_similarity(fitted, fitted[0]).shape == (4, 4)


def test_does_not_reflect():
    points = points_of(3)
    fitted = fit_similarity(points, points * [-1, 1])
    a, b = fitted[:2]
    assert np.hypot(a, b) < 0.999
    assert apply_similarity(fitted, points) != pytest.approx(points * [-1, 1])
