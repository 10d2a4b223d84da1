"""Yaw, pitch and roll of a head, and the rotation that they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["angle_deviations", "rotation_angles", "rotation_matrix"]

Floats = NDArray[np.float64]


def rotation_matrix(yaw: float, pitch: float, roll: float) -> Floats:
    """Return the matrix, shape (3, 3), that turns a head by angles in degrees.

    First pitch (positive looks up), then yaw (positive looks to the right of the picture), then
    roll (positive turns clockwise in the picture); x to the right, y down, z towards the camera.
    """
    (sin_y, sin_p, sin_r), (cos_y, cos_p, cos_r) = (
        function(np.radians([yaw, pitch, roll])) for function in (np.sin, np.cos)
    )
    pitched = np.array([[1, 0, 0], [0, cos_p, -sin_p], [0, sin_p, cos_p]])
    yawed = np.array([[cos_y, 0, sin_y], [0, 1, 0], [-sin_y, 0, cos_y]])
    rolled = np.array([[cos_r, -sin_r, 0], [sin_r, cos_r, 0], [0, 0, 1]])
    return rolled @ yawed @ pitched


def rotation_angles(rotation: Floats) -> tuple[float, float, float]:
    """Return yaw, pitch and roll in degrees of a rotation (3, 3), as `rotation_matrix` takes them.

    At 90 degrees of yaw the other two are one angle; pitch and roll are then not told apart.
    """
    yaw = np.arcsin(np.clip(-rotation[2, 0], -1.0, 1.0))
    pitch = np.arctan2(rotation[2, 1], rotation[2, 2])
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    return tuple(np.degrees([yaw, pitch, roll]).tolist())


def angle_deviations(covariance: Floats, yaw: float, roll: float) -> tuple[float, float, float]:
    """Return the standard deviations of yaw, pitch and roll in degrees.

    Parameters
    ----------
    covariance : ndarray, shape (3, 3)
        Of small turns about x, y and z of the picture, in radians.
    yaw, roll : float
        Where the head looks, in degrees.
    """
    # The angles turn about y of the picture once rolled, about x of the head, and about z.
    sin_r, cos_r = np.sin(np.radians(roll)), np.cos(np.radians(roll))
    sin_y, cos_y = np.sin(np.radians(yaw)), max(np.cos(np.radians(yaw)), 0.05)
    along = np.array([cos_r, sin_r, 0.0]) / cos_y
    inverse = np.array([[-sin_r, cos_r, 0.0], along, sin_y * along + [0.0, 0.0, 1.0]])
    variances = np.diag(inverse @ covariance @ inverse.T)
    return tuple(np.degrees(np.sqrt(np.maximum(variances, 0.0))).tolist())
