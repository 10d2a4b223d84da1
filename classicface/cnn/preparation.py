"""What a network's training starts from: the faces it may learn from, their mean shape, a name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError
from classicface.image.crop import crop_pose
from classicface.shape.boxes import box_centers_sides, landmark_box
from classicface.shape.missing import complete_landmarks
from classicface.shape.similarity import apply_similarity

__all__ = ["mean_in_crop", "split_faces", "training_digest"]


def split_faces(
    n: int, share: float, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the faces to learn from and those to validate on; at least one of the former.

    Parameters
    ----------
    n : int
    share : float
        Of the faces to validate on.
    rng : numpy.random.Generator
    """
    order = rng.permutation(n)
    n_held_out = min(round(share * n), n - 1)
    return np.sort(order[n_held_out:]), np.sort(order[:n_held_out])


def mean_in_crop(
    landmarks: NDArray[np.float32], input_size: int, margin: float
) -> NDArray[np.float32]:
    """Return the mean shape of faces, as large in a crop as its box should be.

    Parameters
    ----------
    landmarks : ndarray of float32, shape (n, n_landmarks, 2)
    input_size : int
        Side of the crop.
    margin : float
        Of the crop, in sides of the box.

    Returns
    -------
    ndarray of float32, shape (n_landmarks, 2)
        In crop pixels.

    Raises
    ------
    InvalidInputError
        All landmarks of a face coincide.
    """
    complete = complete_landmarks(landmarks)
    centers, sides = box_centers_sides(landmark_box(complete))
    if sides.min() <= 0:
        raise InvalidInputError(
            f"the landmarks of face {int(sides.argmin())} coincide; no shape to learn"
        )
    mean = ((complete - centers[:, None]) / sides[:, None, None]).mean(axis=0)
    (center,), (side,) = box_centers_sides(landmark_box(mean[None]))
    pose = crop_pose(center, float(side), input_size, margin)
    return apply_similarity(pose, mean).astype(np.float32)


def training_digest(params: Mapping[str, Any], arrays: list[NDArray[Any]]) -> str:
    """Return what tells a training from others.

    Parameters
    ----------
    params : mapping
        What shapes the model, the seed included.
    arrays : list of ndarray
        The data.
    """
    digest = hashlib.sha256(json.dumps(dict(params), sort_keys=True).encode())
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()
