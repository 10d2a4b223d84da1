"""Normalised mean error with three normalisers; of faces, of points, of regions."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.shape.boxes import landmark_box
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.validation import check_landmarks

__all__ = ["Normalizer", "Scheme", "nme", "nme_per_landmark", "nme_per_region", "normalizer"]

Normalizer = Literal["interocular", "interpupil", "box"]
Scheme = LandmarkScheme | str | None


def normalizer(
    landmarks: ArrayLike, scheme: Scheme = None, kind: Normalizer = "interocular"
) -> NDArray[np.float64]:
    """Return the length in pixels by which the errors of each face are divided.

    Parameters
    ----------
    landmarks : array-like, shape (n, n_landmarks, 2) or (n_landmarks, 2)
        The true landmarks.
    scheme : LandmarkScheme or str, optional
        The meaning of the points; by default told from their number.
    kind : {"interocular", "interpupil", "box"}
        The distance between the outer corners of the eyes (300-W: Sagonas et al., IMAVIS 2016);
        the distance between the pupils, each the mean of its eye's points; or the geometric mean
        sqrt(width * height) of the tight box of the landmarks, for profile faces, of which one
        eye is hidden (Zhu & Ramanan, CVPR 2012, normalise by the face's size).

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN where a point that the normaliser needs is missing.

    Raises
    ------
    InvalidInputError
        The scheme does not say where the eyes are, or a normaliser is zero.
    """
    points = as_faces(landmarks)
    chosen = get_scheme(points.shape[1] if scheme is None else scheme)
    check_landmarks(points, chosen.n_landmarks)
    if kind == "box":
        box = landmark_box(points).astype(np.float64)
        length = np.sqrt(np.prod(box[:, 2:] - box[:, :2], axis=1))
    else:
        left, right = _eyes(points, chosen, kind)
        length = np.linalg.norm(left - right, axis=1)
    if np.any(length == 0):
        raise InvalidInputError(
            f"the {kind} normaliser of face {int(np.argmin(length != 0))} is zero:"
            " its landmarks coincide"
        )
    return length


def _eyes(
    points: NDArray[np.float64], scheme: LandmarkScheme, kind: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the two points, each of shape (n, 2), between which the normaliser measures."""
    corners = scheme.outer_eyes and tuple((corner,) for corner in scheme.outer_eyes)
    ends = {"interocular": corners, "interpupil": scheme.eyes}
    if kind not in ends:
        raise InvalidInputError(f"unknown normaliser {kind!r}; known are {', '.join(ends)}, box")
    chosen = ends[kind]
    if chosen is None:
        working = [*(repr(name) for name, where in ends.items() if where is not None), "'box'"]
        raise InvalidInputError(
            f"scheme {scheme.name} does not say where the eyes are, which the {kind} normaliser"
            f" needs; the normalisers that work with it: {', '.join(working)}"
        )
    return points[:, list(chosen[0])].mean(axis=1), points[:, list(chosen[1])].mean(axis=1)


def as_faces(landmarks: ArrayLike) -> NDArray[np.float64]:
    """Check landmarks and give them the shape (n, n_landmarks, 2)."""
    points = check_landmarks(landmarks).astype(np.float64)
    return points[None] if points.ndim == 2 else points


def _errors(
    predicted: ArrayLike, true: ArrayLike, scheme: Scheme, kind: Normalizer
) -> NDArray[np.float64]:
    """Return the normalised distance of every point, shape (n, n_landmarks); NaN: left out."""
    p, t = as_faces(predicted), as_faces(true)
    if p.shape != t.shape:
        raise InvalidInputError(
            f"predicted landmarks of shape {p.shape} and true ones of shape {t.shape};"
            " expected the same faces and points"
        )
    return distances(p, t) / normalizer(t, scheme, kind)[:, None]


def distances(predicted: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distances of points in pixels: NaN without a truth, else inf if not found."""
    distance = np.linalg.norm(predicted - true, axis=-1)
    lost = np.isnan(predicted[..., 0]) & ~np.isnan(true[..., 0])
    return np.where(lost, np.inf, distance)


def mean_of_present(errors: NDArray[np.float64], axis: int | None) -> NDArray[np.float64]:
    """Return the mean of what is not NaN; NaN where nothing is left."""
    present = ~np.isnan(errors)
    total = np.sum(errors, axis=axis, where=present)
    count = np.sum(present, axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def nme(
    predicted: ArrayLike,
    true: ArrayLike,
    scheme: Scheme = None,
    kind: Normalizer = "interocular",
) -> NDArray[np.float64]:
    """Return the normalised mean error of each face.

    NME = 1 / (K d) * sum over the K annotated points of ||p_k - t_k||, d the normaliser.

    Parameters
    ----------
    predicted, true : array-like, shape (n, n_landmarks, 2) or (n_landmarks, 2)
        The same faces in the same order.
    scheme : LandmarkScheme or str, optional
        The meaning of the points; by default told from their number.
    kind : {"interocular", "interpupil", "box"}
        See `normalizer`.

    Returns
    -------
    ndarray of float64, shape (n,)
        As a fraction. Infinite where an annotated point was not found (NaN in `predicted`); NaN
        where nothing is annotated or the normaliser's points are not.

    Raises
    ------
    InvalidInputError
        Shapes that differ, or a normaliser that the scheme does not have.
    """
    return mean_of_present(_errors(predicted, true, scheme, kind), axis=1)


def nme_per_landmark(
    predicted: ArrayLike,
    true: ArrayLike,
    scheme: Scheme = None,
    kind: Normalizer = "interocular",
) -> NDArray[np.float64]:
    """Return the mean error of each point over all faces, shape (n_landmarks,); see `nme`.

    NaN for a point that is annotated in no face.
    """
    return mean_of_present(_errors(predicted, true, scheme, kind), axis=0)


def nme_per_region(
    predicted: ArrayLike,
    true: ArrayLike,
    scheme: Scheme = None,
    kind: Normalizer = "interocular",
) -> dict[str, float]:
    """Return the mean error over all faces and points of each region of the scheme; see `nme`.

    NaN for a region that is annotated in no face; empty where the scheme has no regions.
    """
    errors = _errors(predicted, true, scheme, kind)
    regions = get_scheme(errors.shape[1] if scheme is None else scheme).regions
    return {
        name: float(mean_of_present(errors[:, list(of)], axis=None)) for name, of in regions.items()
    }
