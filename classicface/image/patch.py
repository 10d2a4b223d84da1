"""Face patches: the part of a picture around a face, brought to one size of face."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError

__all__ = ["FacePatch", "face_patch"]


@dataclass(frozen=True)
class FacePatch:
    """A patch and where it lies.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width)
    scale : ndarray, shape (2,)
        Patch pixels per picture pixel, along x and y.
    offset : ndarray, shape (2,)
        A picture point p lies at ``p * scale + offset`` in the patch.
    """

    pixels: NDArray[np.uint8]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]

    def from_image(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Take points, shape (..., 2), from the picture to the patch."""
        return (points * self.scale + self.offset).astype(np.float32)

    def to_image(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Take points, shape (..., 2), from the patch to the picture."""
        return ((points - self.offset) / self.scale).astype(np.float32)


def face_patch(
    image: NDArray[np.uint8],
    center: NDArray[np.floating],
    side: float,
    face_size: int,
    margin: float,
) -> FacePatch:
    """Cut out the surroundings of a face and scale them so that its side has `face_size` pixels.

    The picture is halved by area averaging until it is less than twice too large, then scaled
    bilinearly, so large faces do not alias and the cost does not grow with the scale. Where the
    surroundings reach beyond the picture, the patch ends with the picture.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
    center : ndarray, shape (2,)
        The centre of the landmark box; it need not lie inside the picture.
    side : float
        The longer side of the landmark box, in pixels.
    face_size : int
        The side in the patch, in pixels.
    margin : float
        What is kept on each side of the box, in sides of the box.

    Returns
    -------
    FacePatch

    Raises
    ------
    InvalidInputError
        The side is less than one pixel.
    """
    import cv2

    if side < 1:
        raise InvalidInputError(f"the face's box has a side of {side:g} px; expected at least 1")
    half = side * (0.5 + margin)
    x0, x1 = _span(float(center[0]), half, image.shape[1])
    y0, y1 = _span(float(center[1]), half, image.shape[0])
    pixels = image[y0:y1, x0:x1]
    shrink = 1.0
    while side * shrink >= 2 * face_size and min(pixels.shape) >= 2:
        height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
        pixels = cv2.resize(
            pixels[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA
        )
        shrink /= 2
    ratio = face_size / (side * shrink)
    width = max(1, round(pixels.shape[1] * ratio))
    height = max(1, round(pixels.shape[0] * ratio))
    scale = np.array([width / pixels.shape[1], height / pixels.shape[0]]) * shrink
    pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    # A pixel's centre keeps its place: (p - low + 0.5) * scale - 0.5.
    return FacePatch(pixels, scale, np.array([0.5 - x0, 0.5 - y0]) * scale - 0.5)


def _span(center: float, half: float, size: int) -> tuple[int, int]:
    """Return the pixels within `half` of the centre along one axis; at least one of them."""
    low = min(max(math.floor(center - half), 0), size - 1)
    return low, min(max(math.ceil(center + half), low + 1), size)
