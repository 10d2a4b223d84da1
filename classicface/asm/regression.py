"""Training: a linear regressor a landmark, and the gain that joins what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["RANGES", "learn_gain", "learn_regressors"]

#: Of each dense descriptor, the values that 8 bits are spread over while training.
RANGES = {"hog": (0.0, 1.0), "igo": (-1.0, 1.0), "intensity": (-4.0, 4.0)}

# Landmarks are never taken to be seen more sharply than this, in pixels of the frame.
_LEAST_NOISE = 0.02

Floats = NDArray[np.float32]


def learn_regressors(
    described: NDArray[np.uint8],
    targets: Floats,
    folds: NDArray[np.intp],
    ridge: float,
    each: Callable[[int, Callable[[int], None]], None],
) -> tuple[Floats, Floats, Floats]:
    """Learn by ridge regression from each landmark's descriptor how far the landmark has to go.

    Every fold of the samples is also predicted by regressors learnt on the others.

    Parameters
    ----------
    described : ndarray of uint8, shape (n, L, D)
    targets : ndarray of float32, shape (n, L, 2)
    folds : ndarray of int, shape (n,)
        Numbers from 0 on. With one fold only, the samples are predicted by what has seen them.
    ridge : float
        Added to the second moments of descriptors in [0, 1].
    each : callable
        each(count, task) calls task(0) ... task(count - 1), in any order.

    Returns
    -------
    weights : ndarray of float32, shape (L, 2, D)
        For descriptors in [0, 1].
    biases : ndarray of float32, shape (L, 2)
    predicted : ndarray of float32, shape (n, L, 2)
    """
    n_samples, n_landmarks, size = described.shape
    members = [np.flatnonzero(folds == fold) for fold in range(int(folds.max()) + 1)]
    penalty = np.full(size + 1, ridge * n_samples)
    penalty[size] = 1e-9 * n_samples
    weights = np.empty((n_landmarks, 2, size), np.float32)
    biases = np.empty((n_landmarks, 2), np.float32)
    predicted = np.empty(targets.shape, np.float32)

    def learn(landmark: int) -> None:
        rows = [_with_one(described[chosen, landmark]) for chosen in members]
        grams = [(a.T @ a).astype(np.float64) for a in rows]
        sums = [
            (a.T @ targets[chosen, landmark]).astype(np.float64)
            for a, chosen in zip(rows, members, strict=True)
        ]
        gram, total = sum(grams) + np.diag(penalty), sum(sums)
        solution = np.linalg.solve(gram, total)
        weights[landmark], biases[landmark] = solution[:size].T, solution[size]
        for a, chosen, own_gram, own_sum in zip(rows, members, grams, sums, strict=True):
            if len(members) > 1:
                solution = np.linalg.solve(gram - own_gram, total - own_sum)
            predicted[chosen, landmark] = a @ solution.astype(np.float32)

    each(n_landmarks, learn)
    return weights, biases, predicted


def _with_one(levels: NDArray[np.uint8]) -> Floats:
    """Return 8-bit descriptors, (n, D), as numbers in [0, 1], and a column of ones."""
    rows = np.empty((len(levels), levels.shape[1] + 1), np.float32)
    np.multiply(levels, np.float32(1 / 255), out=rows[:, :-1])
    rows[:, -1] = 1
    return rows


def learn_gain(
    errors: NDArray[np.float64],
    directions: NDArray[np.float64],
    deviations: NDArray[np.float64],
    correlation: float,
    scale: float,
) -> Floats:
    """Return the matrix from moves and parameters to the most probable step of a shape.

    See the documentation of the ASM: the step d of the greatest posterior, where the landmarks
    move by Q^T d plus noise of covariance S and the parameters are normal, is
    (Q S^-1 Q^T + V)^-1 (Q S^-1 moves - V b), V being the prior's precision.

    Parameters
    ----------
    errors : ndarray, shape (n, 2 L)
        Moves that the landmarks suggested less those that would have been right, in frame pixels.
    directions : ndarray, shape (4 + k, 2 L)
        Q: the similarities of the mean and the components.
    deviations : ndarray, shape (k,)
        Standard deviations of the shape parameters, in units of the shape model.
    correlation : float
        What share of the noise's correlations between landmarks is kept.
    scale : float
        Frame pixels per unit of the shape model.

    Returns
    -------
    ndarray of float32, shape (4 + k, 2 L + k)
    """
    covariance = errors.T @ errors / len(errors)
    landmark = np.arange(len(covariance)) // 2
    covariance *= np.where(landmark[:, None] == landmark, 1.0, correlation)
    floor = _LEAST_NOISE**2 + 1e-3 * np.trace(covariance) / len(covariance)
    covariance[np.diag_indices_from(covariance)] += floor
    weighted = np.linalg.solve(covariance, directions.T).T
    precision = np.concatenate([np.zeros(4), 1 / (deviations * scale) ** 2])
    prior = np.diag(precision)[:, 4:]
    matrix = weighted @ directions.T + np.diag(precision)
    return np.linalg.solve(matrix, np.hstack([weighted, -prior])).astype(np.float32)


def fold_numbers(faces: Iterable[int], n_folds: int) -> NDArray[np.intp]:
    """Return the fold of each sample; all samples of a face are in one."""
    numbers = np.asarray(list(faces), np.intp)
    return numbers % max(1, min(n_folds, int(numbers.max()) + 1))
