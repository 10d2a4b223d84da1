"""The regressors of the landmarks, and the gain that joins them: against their definitions."""

import numpy as np
import pytest

from classicface.asm.regression import fold_numbers, learn_gain, learn_regressors
from classicface.shape.pdm import PointDistributionModel
from classicface.shape.procrustes import similarity_basis


def each(count, task):
    for i in range(count):
        task(i)


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    described = rng.integers(0, 256, (60, 3, 4), dtype=np.uint8)
    return described, rng.standard_normal((60, 3, 2)).astype(np.float32), np.arange(60) % 3


def test_regressors_are_scikit_learns_ridge(samples):
    from sklearn.linear_model import Ridge

    described, targets, folds = samples
    weights, biases, predicted = learn_regressors(described, targets, folds, 0.01, each)
    for landmark in range(3):
        x, y = described[:, landmark] / 255, targets[:, landmark]
        ridge = Ridge(alpha=0.01 * len(x)).fit(x, y)
        np.testing.assert_allclose(weights[landmark], ridge.coef_, atol=1e-4)
        np.testing.assert_allclose(biases[landmark], ridge.intercept_, atol=1e-4)
        others = folds != 1
        # The penalty does not shrink with the fold that is left out.
        ridge = Ridge(alpha=0.01 * len(x)).fit(x[others], y[others])
        np.testing.assert_allclose(
            predicted[~others, landmark], ridge.predict(x[~others]), atol=1e-4
        )


def test_with_one_fold_the_samples_are_predicted_by_what_has_seen_them(samples):
    described, targets, folds = samples
    weights, biases, predicted = learn_regressors(described, targets, 0 * folds, 0.01, each)
    expected = np.einsum("nld,lod->nlo", described / 255, weights) + biases
    np.testing.assert_allclose(predicted, expected, atol=1e-4)


def test_folds_keep_a_faces_samples_together():
    assert fold_numbers([0, 0, 1, 1, 2, 2, 3, 3], 3).tolist() == [0, 0, 1, 1, 2, 2, 0, 0]
    assert fold_numbers([0, 0, 1, 1], 8).tolist() == [0, 0, 1, 1]
    assert fold_numbers([0, 0], 8).tolist() == [0, 0]


@pytest.fixture
def shape_model():
    rng = np.random.default_rng(1)
    base = rng.standard_normal((5, 2)) * 20
    return PointDistributionModel.fit(base + rng.standard_normal((30, 5, 2)) * 3, 3)


def test_gain_is_the_maximum_of_the_posterior(shape_model):
    """The gradient of the negative logarithm of the posterior vanishes at the step."""
    rng = np.random.default_rng(2)
    rows = shape_model.components.reshape(3, -1)
    directions = np.concatenate([similarity_basis(shape_model.mean), rows])
    deviations, scale = np.sqrt(shape_model.variances), 50.0
    errors = rng.standard_normal((400, 10)) @ rng.standard_normal((10, 10))
    gain = learn_gain(errors, directions, deviations, 1.0, scale).astype(float)
    covariance = errors.T @ errors / 400
    covariance += np.eye(10) * (0.02**2 + 1e-3 * np.trace(covariance) / 10)
    moves, b = rng.standard_normal(10), deviations * [1, -2, 0.5]
    step = gain @ np.concatenate([moves, b * scale])
    data = directions @ np.linalg.solve(covariance, step @ directions - moves)
    prior = np.concatenate([np.zeros(4), (b * scale + step[4:]) / (deviations * scale) ** 2])
    np.testing.assert_allclose(data + prior, 0, atol=1e-4 * np.abs(prior).max())


def test_without_noise_the_gain_is_the_projection(shape_model):
    rows = shape_model.components.reshape(3, -1)
    directions = np.concatenate([similarity_basis(shape_model.mean), rows])
    gain = learn_gain(np.zeros((9, 10)), directions, np.full(3, 1e6), 0.5, 50.0)
    np.testing.assert_allclose(gain[:, :10], directions, atol=1e-5)
    np.testing.assert_allclose(gain[:, 10:], 0, atol=1e-5)


def test_a_landmark_that_errs_more_counts_less(shape_model):
    directions = similarity_basis(shape_model.mean)
    errors = np.random.default_rng(0).standard_normal((500, 10))
    errors[:, :2] *= 100
    gain = np.abs(learn_gain(errors, directions, np.zeros(0), 0.0, 50.0))
    assert gain[2:4, :2].max() < 1e-3
    assert gain[2, 2::2].min() > 0.1
