"""Pictures whose colours are kept: checked, as RGB or grey bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.validation import MAX_PIXELS, check_image

__all__ = ["check_colors", "rgb_copy"]


def check_colors(image: ArrayLike) -> NDArray[np.uint8]:
    """Check a picture and keep its colours.

    Returns
    -------
    ndarray of uint8, shape (height, width) or (height, width, 3)
        Grey stays grey, RGB stays RGB, of RGBA the alpha is left out.

    Raises
    ------
    InvalidInputError
        As `classicface.validation.check_image`.
    """
    try:
        array = np.asarray(image)
    except (TypeError, ValueError):
        return check_image(image)  # which says what is wrong
    if array.ndim != 3 or array.shape[2] not in (3, 4):
        return check_image(array)
    if array.dtype != np.uint8:
        return np.stack([check_image(array[:, :, k]) for k in range(3)], axis=-1)
    if array.size == 0 or array.shape[0] * array.shape[1] > MAX_PIXELS:
        return check_image(array)  # which refuses it
    return np.ascontiguousarray(array[:, :, :3])


def rgb_copy(image: ArrayLike) -> NDArray[np.uint8]:
    """Return an RGB copy of any picture that `classicface.validation.check_image` takes.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3), C-contiguous
        Never the input itself; of RGBA the alpha is left out.

    Raises
    ------
    InvalidInputError
        As `classicface.validation.check_image`.
    """
    import cv2

    picture = check_colors(image)
    if picture.ndim == 2:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)
    return np.array(picture, order="C")
