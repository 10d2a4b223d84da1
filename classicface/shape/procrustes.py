"""Generalised Procrustes analysis: shapes freed of position, size and rotation, and their mean."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.shape.similarity import apply_similarity, fit_similarity, invert_similarity
from classicface.validation import check_integer, check_landmarks, check_number

__all__ = [
    "ProcrustesResult",
    "as_shapes",
    "check_spread",
    "mean_poses",
    "procrustes_analysis",
    "similarity_basis",
    "similarity_directions",
]

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]

#: The mean is first found with least-squares scales, which always settles, and refined from there.
_SETTLED = 1e-3

#: A shape whose points spread by less than this, relative to its coordinates, is a single point.
_SPREAD = 1e-6


@dataclass(frozen=True, eq=False)
class ProcrustesResult:
    """What `procrustes_analysis` found.

    Attributes
    ----------
    mean : ndarray of float64, shape (n_landmarks, 2)
        Centred at the origin, the sum of its squares is 1.
    aligned : ndarray of float64, shape (n, n_landmarks, 2)
        The shapes in the frame of the mean; NaN where a point is missing.
    poses : ndarray of float64, shape (n, 4)
        The similarities (see `classicface.shape.similarity`) that take the aligned shapes back to
        where they were.
    n_iterations : int
    converged : bool
        Whether the mean moved by less than the tolerance in the last iteration.
    change : float
        How far it moved then: the root of the sum of squares, of a mean of size 1.
    """

    mean: Floats
    aligned: Floats
    poses: Floats
    n_iterations: int
    converged: bool
    change: float


def procrustes_analysis(
    landmarks: ArrayLike,
    *,
    tolerance: float = 1e-8,
    max_iterations: int = 100,
    tangent: bool = True,
) -> ProcrustesResult:
    """Align shapes to their mean by similarities (Gower, Psychometrika 1975).

    In turn, every shape is laid on the mean and the mean taken of the shapes so laid, until it
    stays where it is. The mean has size 1 and is turned as the shapes are on the average, so that
    upright faces stay upright.

    Parameters
    ----------
    landmarks : array-like, shape (n, n_landmarks, 2)
        At least one shape of at least two points. NaN marks a missing point: a shape is laid by
        the points that it has, the mean of a point is over the shapes that have it.
    tolerance : float, default 1e-8
        The analysis ends when the mean moves by less.
    max_iterations : int, default 100
        Where it has not ended by then, a warning is logged and ``converged`` is False.
    tangent : bool, default True
        Scale each shape so that it lies in the tangent plane of the mean, ``x . mean = 1`` (Cootes
        et al., CVIU 1995): what is left of it is then free of all similarity, to the first order
        and exactly. False takes the scale of the least squared distance, as Gower does.

    Returns
    -------
    ProcrustesResult

    Raises
    ------
    InvalidInputError
        No shape, fewer than two points, points that all coincide, a point that no shape has.
    """
    shapes = as_shapes(landmarks)
    tolerance = check_number(tolerance, "tolerance", 0.0, 1.0)
    max_iterations = check_integer(max_iterations, "max_iterations", 1)
    check_spread(shapes)
    nowhere = np.isnan(shapes[..., 0]).all(axis=0)
    if nowhere.any():
        raise InvalidInputError(f"landmark {int(nowhere.argmax())} is missing in every shape")
    mean, n_iterations, change, converged = _find_mean(shapes, tolerance, max_iterations, tangent)
    if not converged:
        logger.warning(
            "the Procrustes analysis has not converged in %d iterations: the mean still moves by"
            " %.2g; are the landmarks in the same order in every shape?",
            n_iterations,
            change,
        )
    mean = _upright(mean, shapes)
    poses = _poses(shapes, mean, tangent)
    aligned = apply_similarity(invert_similarity(poses), shapes)
    return ProcrustesResult(mean, aligned, poses, n_iterations, converged, change)


def as_shapes(landmarks: ArrayLike, n_landmarks: int | None = None) -> Floats:
    """Return several shapes as float64, (n, n_landmarks, 2), after `check_landmarks`.

    Raises
    ------
    InvalidInputError
        No shape at all, or what `check_landmarks` refuses.
    """
    checked = check_landmarks(landmarks, n_landmarks)
    if checked.ndim != 3 or len(checked) == 0:
        raise InvalidInputError(
            f"landmarks have shape {checked.shape}; expected (n, n_landmarks, 2) with at least"
            " one shape"
        )
    return np.array(landmarks, np.float64)


def check_spread(shapes: Floats) -> None:
    """Refuse shapes, (n, n_landmarks, 2), with fewer than two points or all in one place.

    Raises
    ------
    InvalidInputError
        Names the first at fault.
    """
    counts = (~np.isnan(shapes[..., 0])).sum(axis=1)
    if counts.min(initial=2) < 2:
        i = int(counts.argmin())
        raise InvalidInputError(f"shape {i} has {counts[i]} points; expected at least 2")
    centers = np.nanmean(shapes, axis=1, keepdims=True)
    size = np.nansum((shapes - centers) ** 2, axis=(1, 2))
    single = size <= _SPREAD**2 * np.nansum(shapes**2, axis=(1, 2))
    if single.any():
        raise InvalidInputError(f"the points of shape {int(single.argmax())} coincide")


def similarity_directions(shapes: Floats) -> Floats:
    """Return where each number of a similarity (a, b, tx, ty) moves the points of shapes.

    Parameters
    ----------
    shapes : ndarray, shape (..., n_landmarks, 2)

    Returns
    -------
    ndarray of float64, shape (..., 4, 2 * n_landmarks)
    """
    x, y = shapes[..., 0], shapes[..., 1]
    one, zero = np.ones_like(x), np.zeros_like(x)
    pairs = [(x, y), (-y, x), (one, zero), (zero, one)]
    rows = np.stack([np.stack(pair, axis=-1) for pair in pairs], axis=-3)
    return rows.reshape(*rows.shape[:-2], -1)


def similarity_basis(mean: Floats) -> Floats:
    """Return an orthonormal basis, (4, 2 n_landmarks), of how similarities move a centred shape."""
    rows = similarity_directions(mean)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def mean_poses(shapes: Floats, mean: Floats) -> Floats:
    """Return the similarities that take the mean to shapes with the least squares.

    The inverse takes a shape into the tangent plane of the mean: its scale is that at which
    ``x . mean = mean . mean``, its rotation the same as if the shape were laid on the mean.

    Parameters
    ----------
    shapes : ndarray, shape (n, n_landmarks, 2)
        NaN where a point is missing; see `check_spread`.
    mean : ndarray, shape (n_landmarks, 2)

    Returns
    -------
    ndarray of float64, shape (n, 4)

    Raises
    ------
    InvalidInputError
        A shape so unlike the mean that no rotation brings them nearer.
    """
    poses = fit_similarity(mean, shapes)
    centred = shapes - np.nanmean(shapes, axis=1, keepdims=True)
    size = np.sqrt(np.nansum(centred**2, axis=(1, 2)))
    unlike = ~(np.hypot(poses[:, 0], poses[:, 1]) > 1e-6 * size)
    if unlike.any():
        raise InvalidInputError(
            f"shape {int(unlike.argmax())} cannot be laid on the mean shape: no rotation brings"
            " them nearer; are its points in the right order?"
        )
    return poses


def _normalised(shape: Floats) -> Floats:
    """Return shapes with their present points centred at the origin and of size 1."""
    centred = shape - np.nanmean(shape, axis=-2, keepdims=True)
    return centred / np.sqrt(np.nansum(centred**2, axis=(-2, -1), keepdims=True))


def _find_mean(
    shapes: Floats, tolerance: float, max_iterations: int, tangent: bool
) -> tuple[Floats, int, float, bool]:
    """Return the mean, the iterations, how far it moved in the last, whether it has settled."""
    shapes = _normalised(shapes)
    mean = _first_mean(shapes)
    refine = False
    change = np.inf
    for n_iterations in range(1, max_iterations + 1):
        inverse = invert_similarity(_poses(shapes, mean, refine))
        moved = _normalised(np.nanmean(apply_similarity(inverse, shapes), axis=0))
        change = float(np.linalg.norm(moved - mean))
        mean = moved
        if tangent and not refine:
            refine = change < _SETTLED
        elif change <= tolerance:
            return mean, n_iterations, change, True
    return mean, max_iterations, change, False


def _first_mean(shapes: Floats) -> Floats:
    """Return the most complete shape, with what it lacks from others that are laid on it."""
    mean = shapes[int((~np.isnan(shapes[..., 0])).sum(axis=1).argmax())]
    while np.isnan(mean).any():
        laid = apply_similarity(fit_similarity(shapes, mean), shapes)
        common = ~np.isnan(shapes + mean)[..., 0]
        laid[common.sum(axis=1) < 2] = np.nan
        gaps = np.isnan(mean[:, 0]) & ~np.isnan(laid[..., 0]).all(axis=0)
        if not gaps.any():
            raise InvalidInputError(
                "the shapes fall into groups that have fewer than two points in common;"
                " they cannot be laid on each other"
            )
        mean = mean.copy()
        mean[gaps] = np.nanmean(laid[:, gaps], axis=0)
    return _normalised(mean)


def _poses(shapes: Floats, mean: Floats, tangent: bool) -> Floats:
    """Return the similarities, (n, 4), that take the mean to the shapes."""
    poses = mean_poses(shapes, mean)
    return poses if tangent else invert_similarity(fit_similarity(shapes, mean))


def _upright(mean: Floats, shapes: Floats) -> Floats:
    """Turn the mean as the shapes are turned on the average (as the first, if there is none)."""
    a, b = fit_similarity(mean, shapes)[:, :2].T
    turns = (a + 1j * b) / np.hypot(a, b)
    turn = turns.mean()
    turn = turn if abs(turn) > 1e-6 else turns[0]
    turn /= abs(turn)
    return apply_similarity(np.array([turn.real, turn.imag, 0.0, 0.0]), mean)
