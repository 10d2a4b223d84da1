"""Missing landmarks: what is known stays, what is missing follows from what is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.exceptions import InvalidInputError
from classicface.shape.missing import complete_landmarks
from classicface.shape.similarity import apply_similarity, fit_similarity

N_LANDMARKS = 12


def gaussian_shapes(n, rng, n_modes=2, deformation=0.15):
    """Draw shapes of a linear model with few modes, under any similarity; (n, N_LANDMARKS, 2)."""
    mean = rng.uniform(-1, 1, (N_LANDMARKS, 2))
    modes = rng.normal(0, deformation, (n_modes, N_LANDMARKS, 2))
    shapes = mean + np.einsum("nm,mij->nij", rng.standard_normal((n, n_modes)), modes)
    angle, scale = rng.uniform(-0.4, 0.4, n), rng.uniform(30, 80, n)
    placed = [scale * np.cos(angle), scale * np.sin(angle), *rng.uniform(50, 150, (2, n))]
    return apply_similarity(np.stack(placed, axis=1), shapes).astype(np.float32)


def with_holes(shapes, share, rng):
    """Take points away, but leave at least four of each face; return them and the mask."""
    missing = rng.random(shapes.shape[:2]) < share
    missing[:, :4] = False
    holed = shapes.copy()
    holed[missing] = np.nan
    return holed, missing


def mean_filled(holed):
    """Fill in the mean shape, laid on the points that are known."""
    mean = np.nanmean(apply_similarity(fit_similarity(holed, holed[0]), holed), axis=0)
    laid = apply_similarity(fit_similarity(mean, holed), mean)
    return np.where(np.isnan(holed), laid, holed)


def test_complete_shapes_are_returned_as_they_are():
    shapes = gaussian_shapes(5, np.random.default_rng(0))
    np.testing.assert_array_equal(complete_landmarks(shapes), shapes)
    assert complete_landmarks(shapes.astype(np.float64)).dtype == np.float32


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 20), share=st.floats(0, 0.6))
def test_known_points_stay_and_none_is_missing(seed, n, share):
    rng = np.random.default_rng(seed)
    shapes = gaussian_shapes(n, rng)
    holed, missing = with_holes(shapes, share, rng)
    holed[0] = shapes[0]
    missing[0] = False
    before = holed.copy()
    filled = complete_landmarks(holed)
    assert filled.dtype == np.float32
    np.testing.assert_array_equal(filled[~missing], shapes[~missing])
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(holed, before)


@pytest.mark.parametrize("seed", range(3))
def test_a_linear_gaussian_relation_is_found(seed):
    rng = np.random.default_rng(seed)
    shapes = gaussian_shapes(200, rng)
    holed, missing = with_holes(shapes, 0.3, rng)
    errors = [
        np.linalg.norm(filled - shapes, axis=2)[missing].mean()
        for filled in (complete_landmarks(holed), mean_filled(holed))
    ]
    assert errors[0] < 0.4 * errors[1]


def test_the_result_moves_with_the_faces():
    rng = np.random.default_rng(3)
    shapes = gaussian_shapes(30, rng)
    holed, _ = with_holes(shapes, 0.3, rng)
    moved = complete_landmarks((holed * 3 + [100, -50]).astype(np.float32))
    np.testing.assert_allclose(moved, complete_landmarks(holed) * 3 + [100, -50], atol=0.05)


def test_one_point_that_is_always_there_and_one_that_rarely_is():
    rng = np.random.default_rng(4)
    shapes = gaussian_shapes(60, rng, deformation=0.02)
    holed = shapes.copy()
    holed[3:, 7] = np.nan
    filled = complete_landmarks(holed)
    assert np.linalg.norm(filled - shapes, axis=2).max() < 15  # of a face of some 100 px


def test_two_known_points_are_enough():
    rng = np.random.default_rng(5)
    shapes = gaussian_shapes(20, rng, deformation=0.0)
    holed = shapes.copy()
    holed[4, 2:] = np.nan
    np.testing.assert_allclose(complete_landmarks(holed), shapes, atol=0.5)


def test_a_face_with_one_point_is_named():
    shapes = gaussian_shapes(6, np.random.default_rng(6))
    shapes[4, 1:] = np.nan
    with pytest.raises(InvalidInputError, match="face 4 has 1 landmarks; expected at least 2"):
        complete_landmarks(shapes)
    shapes[4] = np.nan
    with pytest.raises(InvalidInputError, match="face 4 has 0 landmarks"):
        complete_landmarks(shapes)


def test_a_point_that_is_nowhere_is_named():
    shapes = gaussian_shapes(6, np.random.default_rng(7))
    shapes[:, 3] = np.nan
    with pytest.raises(InvalidInputError, match="landmark 3 is missing in every face"):
        complete_landmarks(shapes)


def test_points_that_coincide_are_no_shape():
    shapes = np.full((4, N_LANDMARKS, 2), 5.0, np.float32)
    shapes[1, 2] = np.nan
    with pytest.raises(InvalidInputError, match="coincide"):
        complete_landmarks(shapes)


@pytest.mark.parametrize("n_landmarks", [3, 5, 98])
def test_any_number_of_points(n_landmarks):
    rng = np.random.default_rng(n_landmarks)
    shapes = rng.uniform(0, 100, (1, n_landmarks, 2)) + rng.normal(0, 1, (40, n_landmarks, 2))
    holed = shapes.astype(np.float32)
    holed[5, 0] = holed[6, 2] = np.nan
    filled = complete_landmarks(holed)
    assert np.linalg.norm(filled - shapes, axis=2).max() < 15
