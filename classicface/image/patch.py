"""Face patches: pictures in which a face is not too large."""

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
    pixels : ndarray of uint8, shape (height, width), C-contiguous
    scale : float
        Patch pixels per picture pixel: 1, 1/2, 1/4, ...
    offset : tuple of float
        A picture point p lies at ``p * scale + offset`` in the patch.
    """

    pixels: NDArray[np.uint8]
    scale: float
    offset: tuple[float, float]

    def from_image(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Take points, shape (..., 2), from the picture to the patch."""
        return np.asarray(points * self.scale + self.offset, np.float32)

    def to_image(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Take points, shape (..., 2), from the patch to the picture."""
        return np.asarray((points - self.offset) / self.scale, np.float32)


def face_patch(
    image: NDArray[np.uint8],
    center: tuple[float, float],
    side: float,
    largest: float,
    margin: float,
    *,
    crop: bool = False,
) -> FacePatch:
    """Bring a face to less than a largest size, by halving its surroundings where it is larger.

    Each halving averages two by two pixels, so large faces do not alias. A face that is small
    enough costs nothing: the patch is the picture itself. Where the surroundings reach beyond
    the picture, a patch that is cut out ends with the picture.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width), C-contiguous
    center : tuple of float
        The centre of the landmark box; it need not lie inside the picture.
    side : float
        The longer side of the landmark box, in pixels.
    largest : float
        The side of the box in the patch is less than this, in pixels.
    margin : float
        What is kept on each side of the box where it is cut out, in sides of the box.
    crop : bool, default False
        Whether the surroundings of a small face are cut out too.

    Returns
    -------
    FacePatch

    Raises
    ------
    InvalidInputError
        The side is less than one pixel.
    """
    if side < 1:
        raise InvalidInputError(f"the face's box has a side of {side:g} px; expected at least 1")
    if side < largest and not crop:
        return FacePatch(image, 1.0, (0.0, 0.0))
    import cv2

    half = side * (0.5 + margin)
    x0, x1 = _span(center[0], half, image.shape[1])
    y0, y1 = _span(center[1], half, image.shape[0])
    pixels = image[y0:y1, x0:x1]
    scale = 1.0
    while side * scale >= largest:
        height, width = pixels.shape
        if min(height, width) < 2:
            break
        size = (width // 2, height // 2)
        pixels = cv2.resize(
            pixels[: 2 * size[1], : 2 * size[0]], size, interpolation=cv2.INTER_AREA
        )
        scale /= 2
    # A pixel's centre keeps its place: (p - x0 + 0.5) * scale - 0.5.
    offset = ((0.5 - x0) * scale - 0.5, (0.5 - y0) * scale - 0.5)
    return FacePatch(np.ascontiguousarray(pixels), scale, offset)


def _span(center: float, half: float, size: int) -> tuple[int, int]:
    """Return the pixels within `half` of the centre along one axis; at least one of them."""
    low = min(max(math.floor(center - half), 0), size - 1)
    return low, min(max(math.ceil(center + half), low + 1), size)
