"""Filling in missing landmarks from the ones that are there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError
from classicface.shape.similarity import apply_similarity, fit_similarity, invert_similarity

__all__ = ["complete_landmarks"]

_N_ITERATIONS = 10
_NOISE = 1e-3  # share of the total variance taken for noise in each coordinate


def complete_landmarks(landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
    """Replace missing (NaN) points by what the other points of the face make most likely.

    Shapes are aligned to their mean by similarities; mean and covariance are estimated by
    expectation-maximisation with the conditional mean of a Gaussian (Little and Rubin, Statistical
    Analysis with Missing Data, section 11.2), with a small ridge.

    Parameters
    ----------
    landmarks : ndarray, shape (n, n_landmarks, 2)

    Returns
    -------
    ndarray of float32, shape (n, n_landmarks, 2)
        Points that are there are returned unchanged.

    Raises
    ------
    InvalidInputError
        A face has fewer than two points, or a point is missing in every face.
    """
    missing = np.isnan(landmarks).any(axis=2)
    if not missing.any():
        return np.asarray(landmarks, np.float32)
    counts = (~missing).sum(axis=1)
    if counts.min() < 2:
        raise InvalidInputError(
            f"face {int(counts.argmin())} has {counts.min()} landmarks; expected at least 2"
        )
    if missing.all(axis=0).any():
        point = int(missing.all(axis=0).argmax())
        raise InvalidInputError(f"landmark {point} is missing in every face")

    reference = _reference(landmarks, missing)
    to_reference = fit_similarity(landmarks, reference)
    aligned = apply_similarity(to_reference, landmarks)
    absent = np.repeat(missing, 2, axis=1)
    vectors = aligned.reshape(len(landmarks), -1)
    vectors = np.where(absent, np.nanmean(vectors, axis=0), vectors)
    for _ in range(_N_ITERATIONS):
        mean = vectors.mean(axis=0)
        centered = vectors - mean
        covariance = centered.T @ centered / len(vectors)
        covariance[np.diag_indices_from(covariance)] += _NOISE * np.trace(covariance) + 1e-12
        for i in np.flatnonzero(missing.any(axis=1)):
            gone, there = absent[i], ~absent[i]
            weights = np.linalg.solve(covariance[np.ix_(there, there)], centered[i, there])
            vectors[i, gone] = mean[gone] + covariance[np.ix_(gone, there)] @ weights
    filled = apply_similarity(invert_similarity(to_reference), vectors.reshape(landmarks.shape))
    return np.where(missing[..., None], filled, landmarks).astype(np.float32)


def _reference(landmarks: NDArray[np.floating], missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return a mean shape of unit size from incomplete shapes."""
    reference = np.array(landmarks[int((~missing).sum(axis=1).argmax())], np.float64)
    for _ in range(5):
        aligned = apply_similarity(fit_similarity(landmarks, reference), landmarks)
        known = ~np.isnan(aligned).all(axis=(0, 2))
        reference = np.full_like(reference, np.nan)
        reference[known] = np.nanmean(aligned[:, known], axis=0)
        reference -= np.nanmean(reference, axis=0)
        size = np.sqrt(np.nansum(reference**2))
        if size < 1e-12:
            raise InvalidInputError("the landmarks of the faces coincide; no shape to learn")
        reference /= size
    return reference
