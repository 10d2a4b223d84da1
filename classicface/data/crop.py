"""Cutting a face out of a picture, small enough to keep thousands in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError

__all__ = ["crop_face"]


def crop_face(
    image: NDArray[np.uint8],
    landmarks: NDArray[np.floating],
    box: NDArray[np.floating],
    margin: float,
    max_side: int,
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], tuple[float, float, float]]:
    """Cut a picture around a face, and scale it down when it is still large.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
    landmarks : ndarray, shape (n_landmarks, 2)
        At least one not NaN.
    box : ndarray, shape (4,)
        The landmark box.
    margin : float
        What is kept on each side, in longer sides of the box around landmarks and box.
    max_side : int
        The longer side that the result may have.

    Returns
    -------
    image : ndarray of uint8
        The picture itself where nothing was to be cut.
    landmarks : ndarray of float32, shape (n_landmarks, 2)
    box : ndarray of float32, shape (4,)
    origin : tuple of float
        x, y, scale: original = cut / scale + (x, y).

    Raises
    ------
    InvalidInputError
        The face lies outside the picture.
    """
    corners = np.vstack([landmarks, np.reshape(box, (2, 2))]).astype(np.float64)
    low, high = np.nanmin(corners, axis=0), np.nanmax(corners, axis=0)
    reach = margin * (high - low).max()
    size = np.array(image.shape[1::-1])
    # One pixel more, lest a picture already cut by this rule lose its rim to rounding.
    first = np.clip(np.floor(low - reach).astype(np.int64) - 1, 0, size)
    last = np.clip(np.ceil(high + reach).astype(np.int64) + 2, 0, size)
    points = landmarks[~np.isnan(landmarks).any(axis=1)]
    inside = ((points > -0.5) & (points < size - 0.5)).all(axis=1)
    if (first >= last).any() or not inside.any():
        raise InvalidInputError(f"the whole face lies outside the picture of {size[0]} x {size[1]}")
    cut = image[first[1] : last[1], first[0] : last[0]]
    scale = min(1.0, max_side / max(cut.shape))
    if scale < 1.0:
        import cv2

        # fx and fy, not a size: the scale stays the same in x and y, whatever the rounding.
        cut = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    else:
        cut = image if cut.shape == image.shape else cut.copy()
    # Pixel centres are whole numbers, so scaling moves the first centre by half a pixel.
    origin = first - 0.5 + 0.5 / scale
    landmarks = ((landmarks - origin) * scale).astype(np.float32)
    box = ((box - np.tile(origin, 2)) * scale).astype(np.float32)
    return cut, landmarks, box, (float(origin[0]), float(origin[1]), float(scale))
