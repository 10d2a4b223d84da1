"""Least-squares similarity transforms between sets of landmarks.

A similarity is four numbers (a, b, tx, ty): x' = a x - b y + tx, y' = b x + a y + ty,
with a = s cos(angle) and b = s sin(angle).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["apply_similarity", "compose_similarity", "fit_similarity", "invert_similarity"]

Floats = NDArray[np.floating]


def fit_similarity(source: Floats, target: Floats) -> NDArray[np.float64]:
    """Fit the similarity that takes `source` to `target` with the least squared error.

    The closed form of Umeyama (PAMI 1991) in two dimensions, without reflection.

    Parameters
    ----------
    source, target : ndarray, shape (..., n_landmarks, 2)
        Broadcast against each other. Points that are NaN in either are left out.

    Returns
    -------
    ndarray of float64, shape (..., 4)
        a, b, tx, ty. Where the source points coincide (or fewer than two are
        there) the transform is the translation of the mean; with no common
        point it is the identity.
    """
    source, target = np.broadcast_arrays(
        np.asarray(source, np.float64), np.asarray(target, np.float64)
    )
    present = ~np.isnan(source + target).any(axis=-1, keepdims=True)
    count = np.maximum(present.sum(axis=-2), 1)
    source = np.where(present, source, 0.0)
    target = np.where(present, target, 0.0)
    source_mean = source.sum(axis=-2) / count
    target_mean = target.sum(axis=-2) / count
    p = np.where(present, source - source_mean[..., None, :], 0.0)
    q = np.where(present, target - target_mean[..., None, :], 0.0)
    norm = np.sum(p * p, axis=(-2, -1))
    spread = norm > 1e-12 * np.maximum(1.0, np.sum(source * source, axis=(-2, -1)))
    safe = np.where(spread, norm, 1.0)
    a = np.where(spread, np.sum(p * q, axis=(-2, -1)) / safe, 1.0)
    cross = np.sum(p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0], axis=-1)
    b = np.where(spread, cross / safe, 0.0)
    tx = target_mean[..., 0] - a * source_mean[..., 0] + b * source_mean[..., 1]
    ty = target_mean[..., 1] - b * source_mean[..., 0] - a * source_mean[..., 1]
    return np.stack([a, b, tx, ty], axis=-1)


def apply_similarity(transform: Floats, points: Floats) -> NDArray[np.float64]:
    """Apply similarities to points.

    Parameters
    ----------
    transform : ndarray, shape (..., 4)
    points : ndarray, shape (..., n_landmarks, 2)

    Returns
    -------
    ndarray of float64, shape (..., n_landmarks, 2)
    """
    a, b, tx, ty = np.moveaxis(np.asarray(transform, np.float64)[..., None], -2, 0)
    x, y = points[..., 0], points[..., 1]
    return np.stack([a * x - b * y + tx, b * x + a * y + ty], axis=-1)


def invert_similarity(transform: Floats) -> NDArray[np.float64]:
    """Invert similarities of shape (..., 4); the scale must not be zero."""
    a, b, tx, ty = np.moveaxis(np.asarray(transform, np.float64), -1, 0)
    square = a * a + b * b
    ia, ib = a / square, -b / square
    return np.stack([ia, ib, -(ia * tx - ib * ty), -(ib * tx + ia * ty)], axis=-1)


def compose_similarity(outer: Floats, inner: Floats) -> NDArray[np.float64]:
    """Return the similarity that applies `inner` first, then `outer`; shapes (..., 4)."""
    a, b, tx, ty = np.moveaxis(np.asarray(outer, np.float64), -1, 0)
    c, d, ux, uy = np.moveaxis(np.asarray(inner, np.float64), -1, 0)
    return np.stack(
        [a * c - b * d, a * d + b * c, a * ux - b * uy + tx, b * ux + a * uy + ty], axis=-1
    )
