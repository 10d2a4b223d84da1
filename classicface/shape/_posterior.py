"""Fitting a point distribution model to points: pose and parameters, solved for together."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.shape._modes import Modes
from classicface.shape.procrustes import (
    as_shapes,
    check_spread,
    mean_poses,
    similarity_directions,
)
from classicface.shape.similarity import apply_similarity, compose_similarity, invert_similarity

__all__ = ["as_vectors", "fit_landmarks"]

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]

_MAX_ITERATIONS = 50
_TOLERANCE = 1e-9  # of pose and parameters, in the frame of the mean
_CHUNK = 256  # shapes solved for at once, to bound the memory
_FLOOR = 1e-12  # least variance of the noise where points are missing, in the frame of the mean


def as_vectors(values: ArrayLike, length: int, name: str) -> Floats:
    """Return values as float64, shape (..., length).

    Raises
    ------
    InvalidInputError
        Another shape, or no numbers.
    """
    array = _as_float(values, name)
    if array.shape[-1:] != (length,):
        raise InvalidInputError(f"{name} has shape {array.shape}; expected (..., {length})")
    return array


def _as_float(values: ArrayLike, name: str) -> Floats:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{name} is not a regular array of numbers: {error}") from None


def fit_landmarks(
    modes: Modes,
    landmarks: ArrayLike,
    noise: float | None = None,
    weights: ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """Return poses, (..., 4), and parameters, (..., k), of the model's shapes nearest to shapes.

    Parameters
    ----------
    modes : Modes
    landmarks : array-like, shape (..., n_landmarks, 2)
        NaN where a point is missing.
    noise : float, optional
        Standard deviation of the points in the picture. None: the parameters are free; but of a
        shape with missing points they are held by the noise of the model itself.
    weights : array-like, broadcast to (..., n_landmarks), optional

    Raises
    ------
    InvalidInputError
        A shape with fewer than two points that count, or all in one place; bad weights.
    """
    points = _as_float(landmarks, "landmarks")
    shape = points.shape
    lead = shape[:-2]
    if 0 in lead:
        return np.zeros((*lead, 4)), np.zeros((*lead, len(modes.rows)))
    shapes = as_shapes(points.reshape(-1, *shape[-2:]), len(modes.mean))
    counts = np.ones(shapes.shape[:2])
    if weights is not None:
        counts = _checked_weights(weights, shape[:-1]).reshape(counts.shape)
    pose, b = _fit(modes, shapes, counts, noise)
    return pose.reshape(*lead, 4), b.reshape(*lead, len(modes.rows))


def _checked_weights(weights: ArrayLike, shape: tuple[int, ...]) -> Floats:
    try:
        array = np.broadcast_to(_as_float(weights, "weights"), shape)
    except ValueError:
        raise InvalidInputError(
            f"weights have shape {np.shape(weights)}; expected one for each of {shape[-1]} points"
        ) from None
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise InvalidInputError("weights must be finite and not negative")
    return array


def _fit(
    modes: Modes, shapes: Floats, weights: Floats, noise: float | None
) -> tuple[Floats, Floats]:
    """Lay the mean on each shape, then solve in the frame of the mean."""
    absent = np.isnan(shapes[..., 0]) | (weights == 0)
    shapes = np.where(absent[..., None], np.nan, shapes)
    weights = np.where(absent, 0.0, weights)
    check_spread(shapes)
    start = mean_poses(shapes, modes.mean)
    points = np.nan_to_num(apply_similarity(invert_similarity(start), shapes))
    points = points.reshape(len(shapes), -1)
    if noise is None:
        variance = np.where(absent.any(axis=1), modes.noise_variance, 0.0)
    else:
        variance = noise**2 / (start[:, 0] ** 2 + start[:, 1] ** 2)
    pose, b = np.empty((len(shapes), 4)), np.empty((len(shapes), len(modes.rows)))
    even = (weights == weights[:, :1]).all(axis=1)
    settled = True
    for i in _chunks(even):
        stiffness = variance[i] / weights[i, 0]
        pose[i], b[i], done = _fit_even(modes, points[i], stiffness[:, None] / modes.variances)
        settled &= done
    for i in _chunks(~even):
        stiffness = np.maximum(variance[i], _FLOOR)
        pose[i], b[i], done = _fit_uneven(
            modes, points[i], weights[i], stiffness[:, None] / modes.variances
        )
        settled &= done
    if not settled:
        logger.warning("a shape is so unlike the shape model that its fit has not settled")
    return compose_similarity(start, pose), b


def _chunks(chosen: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    indices = np.flatnonzero(chosen)
    return [indices[i : i + _CHUNK] for i in range(0, len(indices), _CHUNK)]


def _fit_even(modes: Modes, points: Floats, stiffness: Floats) -> tuple[Floats, Floats, bool]:
    """Solve in turn for the pose and the parameters; for points that all count alike.

    The components are orthogonal to the similarities of the mean, so that the one hardly moves the
    other, and nothing moves the centre. Points are complex numbers here, similarities factors.
    """
    mean, n = modes.mean.ravel(), len(points)
    seen = points.view(np.complex128)
    b = (points - mean) @ modes.rows.T / (1 + stiffness)
    factor = np.ones(n, np.complex128)
    change = np.inf
    for _ in range(_MAX_ITERATIONS):
        old_b, old_factor = b, factor
        shape = (mean + b @ modes.rows).view(np.complex128)
        factor = np.sum(shape.conj() * seen, 1) / np.sum(np.abs(shape) ** 2, 1)
        back = (seen / factor[:, None]).view(np.float64)
        b = (back - mean) @ modes.rows.T / (1 + stiffness / np.abs(factor[:, None]) ** 2)
        change = max(np.abs(factor - old_factor).max(), np.abs(b - old_b).max(initial=0))
        if change < _TOLERANCE:
            break
    zero = np.zeros(n)
    return np.stack([factor.real, factor.imag, zero, zero], 1), b, bool(change < _TOLERANCE)


def _fit_uneven(
    modes: Modes, points: Floats, weights: Floats, stiffness: Floats
) -> tuple[Floats, Floats, bool]:
    """Solve by Gauss-Newton for pose and parameters together; for points that count unequally."""
    k, n = len(modes.rows), len(points)
    heavy = np.repeat(weights, 2, axis=1)[:, None, :]
    quarter = (1j * modes.rows.view(np.complex128)).view(np.float64)  # turned by 90 degrees
    pose, b = np.tile([1.0, 0.0, 0.0, 0.0], (n, 1)), np.zeros((n, k))
    change = np.inf
    for _ in range(_MAX_ITERATIONS):
        # x = A(mean + P b) + t with both A and b unknown, linear about the present A0 and b0:
        # x + A0 P b0 = A(mean + P b0) + t + A0 P b.
        shape = (modes.mean.ravel() + b @ modes.rows).reshape(n, -1, 2)
        turned = pose[:, 0, None, None] * modes.rows + pose[:, 1, None, None] * quarter
        target = points + np.einsum("nk,nkl->nl", b, turned)
        design = np.concatenate([similarity_directions(shape), turned], axis=1)
        weighted = design * heavy
        matrix = weighted @ design.transpose(0, 2, 1)
        matrix[:, range(4, 4 + k), range(4, 4 + k)] += stiffness
        try:
            solution = np.linalg.solve(matrix, weighted @ target[..., None])[..., 0]
        except np.linalg.LinAlgError:
            raise InvalidInputError(
                "the points that count lie in one place of the mean shape; they tell no pose"
            ) from None
        change = np.abs(solution - np.concatenate([pose, b], axis=1)).max()
        pose, b = solution[:, :4], solution[:, 4:]
        if change < _TOLERANCE:
            break
    return pose, b, bool(change < _TOLERANCE)
