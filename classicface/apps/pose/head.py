"""A head in three dimensions that can be fitted to the points of a face: 51 points and modes.

Head coordinates are in centimetres from the point about which the head turns: x to the right of the
picture (the subject's left), y down, z out of the face.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError
from classicface.shape.schemes import LandmarkScheme, convert_landmarks, get_scheme

__all__ = ["POSE_SCHEMES", "HeadModel", "build_head", "head_model", "inner_points"]

Floats = NDArray[np.float64]

#: Schemes that hold the points of the head model.
POSE_SCHEMES = ("ibug68", "ibug51", "ibug49", "wflw98")


@dataclass(frozen=True, eq=False)
class HeadModel:
    """A mean head and how heads differ and move.

    Attributes
    ----------
    mean : ndarray, shape (n_points, 3)
    modes : ndarray, shape (n_modes, n_points, 3)
        Each one standard deviation of the mode.
    middle : ndarray, shape (3,)
        The mean of the mean's points.
    linear : ndarray, shape (3, n_points)
        The least-squares map from centred points to the affine camera that sees the mean head.
    """

    mean: Floats
    modes: Floats
    middle: Floats
    linear: Floats


def build_head(mean: Floats, modes: Floats) -> HeadModel:
    """Return the model for a mean (n, 3) and modes (m, n, 3)."""
    middle = mean.mean(axis=0)
    centered = mean - middle
    return HeadModel(
        np.ascontiguousarray(mean),
        np.ascontiguousarray(modes),
        middle,
        np.linalg.solve(centered.T @ centered, centered.T),
    )


@functools.lru_cache(maxsize=4)
def head_model(scheme: str = "ibug51") -> HeadModel:
    """Return the head with the points of ``ibug51`` or of ``ibug49``."""
    from classicface.apps.pose._table import N_MODES, NUMBERS

    table = np.array(NUMBERS.split(), dtype=np.float64).reshape(1 + N_MODES, 51, 3) / 1000
    if scheme == "ibug49":
        table = np.delete(table, [60 - 17, 64 - 17], axis=1)
    return build_head(table[0], table[1:])


def inner_points(
    landmarks: NDArray[np.float32], scheme: LandmarkScheme | str, purpose: str
) -> tuple[NDArray[np.float32], str]:
    """Take landmarks to the points of the head model.

    Parameters
    ----------
    landmarks : ndarray of float32, shape (..., n_landmarks, 2)
    scheme : LandmarkScheme or str
    purpose : str
        What they are needed for, as the message puts it.

    Returns
    -------
    ndarray of float32, shape (..., n_points, 2)
    str
        ``ibug51``, or ``ibug49`` where the scheme has no more.

    Raises
    ------
    InvalidInputError
        The scheme is not one of `POSE_SCHEMES`.
    """
    chosen = get_scheme(scheme)
    if chosen.name not in POSE_SCHEMES or get_scheme(chosen.name) != chosen:
        raise InvalidInputError(
            f"{purpose} knows where the points of {', '.join(POSE_SCHEMES)} lie on a head;"
            f" those of {chosen.name} it does not know"
        )
    target = "ibug49" if chosen.name == "ibug49" else "ibug51"
    return convert_landmarks(landmarks, chosen, target), target
