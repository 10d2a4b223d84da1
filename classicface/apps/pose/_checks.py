"""What points a head is fitted to: neither in one place, nor mirrored, nor of something else."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.apps.pose.head import HeadModel, inner_points
from classicface.exceptions import InvalidInputError
from classicface.shape.schemes import LandmarkScheme

__all__ = ["check_side", "check_spread", "check_weights"]

Floats = NDArray[np.float64]

#: Faces whose points spread over less than this have no pose, in pixels.
MIN_SPREAD = 1.0

#: Points farther from any head than this share of the face's size are none of a face.
MAX_ERROR = 0.25


def check_weights(
    weights: ArrayLike, points: NDArray[np.float32], scheme: LandmarkScheme | str
) -> Floats:
    """Return the weights of the head's points."""
    try:
        array = np.asarray(weights, dtype=np.float32)
    except (TypeError, ValueError):
        raise InvalidInputError(f"weights is {weights!r}; expected one number a landmark") from None
    if array.shape != points.shape[:1] or not ((array >= 0.0) & (array <= 1.0)).all():
        raise InvalidInputError(f"weights must be {len(points)} numbers from 0 to 1")
    trust = inner_points(np.column_stack([array, array]), scheme, "head pose")[0][:, 0]
    if (trust > 0.0).sum() < 8:
        raise InvalidInputError("fewer than 8 points of eyes, brows, nose and mouth have weights")
    return trust.astype(np.float64)


def check_spread(centered: Floats) -> None:
    """Refuse points in one place or on one line."""
    spread = np.sqrt(np.linalg.eigvalsh(centered.T @ centered / len(centered)))
    if spread[1] < MIN_SPREAD:
        raise InvalidInputError(
            f"the landmarks lie within {spread[1]:.2g} px of one place: no head pose"
        )
    if spread[0] < 0.02 * spread[1]:
        raise InvalidInputError("the landmarks lie on a line: no head pose")


def check_side(centered: Floats, head: HeadModel, turn: Floats) -> None:
    """Refuse points that look more like the mirror image of the head than like the head.

    Another order of the points, or a picture that was turned over without renaming them.
    """
    flat = (head.mean @ turn.T)[:, :2] if turn[2, 2] > 0 else head.mean[:, :2]
    source, target = ((points - points.mean(axis=0)) @ [1.0, 1j] for points in (flat, centered))
    # The share of the target that the best similarity explains, without and with a mirror.
    norm = np.vdot(source, source).real * np.vdot(target, target).real
    kept = abs(np.vdot(source, target)) ** 2 / norm
    if abs(source @ target) ** 2 / norm > kept:
        raise InvalidInputError(
            "the landmarks look mirrored: those of the right eye lie where the left one belongs;"
            " a mirrored picture needs LandmarkScheme.mirror"
        )
    if 1.0 - kept > MAX_ERROR:
        raise InvalidInputError("the landmarks look like no face; is their scheme the right one?")
