"""Crops of faces, as networks see them, and the steps of resampling behind them; grey or colour."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FaceCut", "Size", "crop_face", "crop_pose", "halve", "halvings", "span", "warp"]

#: The side of a square, or width and height.
Size = int | tuple[int, int]

# The corners of a cut are aligned so that it can be halved this often on the picture's own grid.
_SPARE_HALVINGS = 2

# A thread keeps no more bytes than this for a halved picture.
_MOST_KEPT = 4_000_000


def crop_pose(
    center: tuple[float, float] | NDArray[np.floating],
    side: float,
    size: int,
    margin: float,
    angle: float = 0.0,
) -> NDArray[np.float64]:
    """Return where a face's box lies in a square crop.

    Parameters
    ----------
    center : tuple of float, or ndarray of shape (2,)
        The centre of the landmark box; it lands on the middle of the crop.
    side : float
        The longer side of the landmark box, in pixels; more than 0.
    size : int
        The side of the crop, in pixels.
    margin : float
        What the crop shows beyond the box on each side, in sides of the box.
    angle : float, default 0
        By how much the face is turned in the crop, in radians, from x to y.

    Returns
    -------
    ndarray of float64, shape (4,)
        The similarity from the picture to the crop.
    """
    scale = size / ((1 + 2 * margin) * side)
    a, b = scale * math.cos(angle), scale * math.sin(angle)
    x, y = float(center[0]), float(center[1])
    middle = (size - 1) / 2
    return np.array([a, b, middle - a * x + b * y, middle - b * x - a * y])


def crop_face(
    image: NDArray[np.uint8],
    pose: NDArray[np.floating],
    size: Size,
    border: int | None = None,
) -> NDArray[np.uint8]:
    """Resample a face into a square or a rectangle.

    A face that is larger than in the crop is halved first, each pixel the mean of two by two, so
    that it does not alias; then it is resampled bilinearly. The cost is that of the face, not of
    the picture.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width) or (height, width, channels)
    pose : ndarray, shape (4,)
        The similarity from the picture to the crop; see `crop_pose`.
    size : int or tuple of int
        The side of the crop, or its width and height, in pixels.
    border : int, optional
        What lies beyond the picture, in every channel; by default the picture's border repeated.

    Returns
    -------
    ndarray of uint8, shape (size, size) or (size, size, channels)
    """
    return FaceCut(image).crop(pose, size, border)


@dataclass(frozen=True)
class FaceCut:
    """The surroundings of a face, halved as often as its crops need, to be cropped many times.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, channels)
    level : int, default 0
        How often the picture was halved.
    origin : tuple of int, default (0, 0)
        The first pixel's x and y in the halved picture.
    """

    pixels: NDArray[np.uint8]
    level: int = 0
    origin: tuple[int, int] = (0, 0)

    @classmethod
    def around(
        cls, image: NDArray[np.uint8], pose: NDArray[np.floating], size: int, reach: float = 1.5
    ) -> FaceCut:
        """Cut a face out of a picture.

        The crop at `pose` is, to the bit, that of the picture.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width) or (height, width, channels)
        pose : ndarray, shape (4,)
            The similarity from the picture to the plain crop.
        size : int
            The side of the crop, in pixels.
        reach : float, default 1.5
            How much of the picture is kept: the side of an upright square around the middle of
            the crop, in sides of the crop. Beyond it the border is repeated.
            For a turned crop it is at least 1.5.

        Returns
        -------
        FaceCut
            Its pixels are a view where the face is not halved, else their own.
        """
        to_image = _inverse(pose)
        level = halvings(math.hypot(*to_image[:2]))
        a, b, tx, ty = _halved_similarity(to_image, level)
        middle, half = (size - 1) / 2, reach * math.hypot(a, b) * size / 2
        x = a * middle - b * middle + tx
        y = b * middle + a * middle + ty
        x0, x1 = span((x - half, x + half), max(image.shape[1] >> level, 1))
        y0, y1 = span((y - half, y + half), max(image.shape[0] >> level, 1))
        x0, y0 = (low >> _SPARE_HALVINGS << _SPARE_HALVINGS for low in (x0, y0))
        pixels = image[y0 << level : y1 << level, x0 << level : x1 << level]
        for _ in range(level):
            pixels = halve(pixels)
        return cls(pixels, level, (x0, y0))

    def crop(
        self, pose: NDArray[np.floating], size: Size, border: int | None = None
    ) -> NDArray[np.uint8]:
        """Resample the face into a square or a rectangle, as `crop_face` does.

        Parameters
        ----------
        pose : ndarray, shape (4,)
            The similarity from the picture to the crop.
        size : int or tuple of int
        border : int, optional

        Returns
        -------
        ndarray of uint8, shape (size, size) or (size, size, channels)
        """
        to_image = _inverse(pose)
        x, y = self.origin
        more = max(halvings(math.hypot(*to_image[:2])) - self.level, 0)
        while (x | y) & ((1 << more) - 1):
            more -= 1
        a, b, tx, ty = _halved_similarity(to_image, self.level + more)
        x, y = x >> more, y >> more
        # The corners of the crop in the halved picture, and what they span of it.
        width, height = (size, size) if isinstance(size, int) else size
        right, bottom = width - 1, height - 1
        xs = (tx, tx + a * right, tx - b * bottom, tx + a * right - b * bottom)
        ys = (ty, ty + b * right, ty + a * bottom, ty + b * right + a * bottom)
        height, width = self.pixels.shape[:2]
        x0, x1 = span(xs, x + max(width >> more, 1), x)
        y0, y1 = span(ys, y + max(height >> more, 1), y)
        pixels = self.pixels[
            (y0 - y) << more : (y1 - y) << more, (x0 - x) << more : (x1 - x) << more
        ]
        for i in range(more):
            pixels = halve(pixels, _scratch.room(i, pixels.size // 2))
        return warp(pixels, (a, b, tx - x0, ty - y0), size, border)


class _Scratch(threading.local):
    """Memory of a thread for pictures that are halved on the way to a crop."""

    def __init__(self) -> None:
        self._rooms: dict[int, NDArray[np.uint8]] = {}

    def room(self, which: int, size: int) -> NDArray[np.uint8] | None:
        """Return at least `size` bytes, the same at the next call; None where that is much."""
        if size > _MOST_KEPT:
            return None
        if which not in self._rooms or len(self._rooms[which]) < size:
            self._rooms[which] = np.empty(size, np.uint8)
        return self._rooms[which]


_scratch = _Scratch()


def halve(pixels: NDArray[np.uint8], room: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Halve a picture, each pixel the mean of two by two.

    A line is halved along itself, a single pixel stays. A last row or column without a partner
    is dropped. A pixel's centre keeps its place: p goes to (p + 0.5) / 2 - 0.5.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, channels)
    room : ndarray of uint8, optional
        Bytes in which the result is put, half as many as there are pixels; by default new ones.
    """
    import cv2

    if min(pixels.shape[:2]) == 1:
        if max(pixels.shape[:2]) == 1:
            return pixels
        pixels = np.repeat(pixels, 2, axis=int(np.argmin(pixels.shape[:2])))
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    shape = (height, width, *pixels.shape[2:])
    out = None if room is None else room[: math.prod(shape)].reshape(shape)
    halved = cv2.resize(
        pixels[: 2 * height, : 2 * width], (width, height), out, interpolation=cv2.INTER_AREA
    )
    return np.asarray(halved, np.uint8)


def warp(
    pixels: NDArray[np.uint8],
    to_pixels: tuple[float, float, float, float],
    size: Size,
    border: int | None = None,
) -> NDArray[np.uint8]:
    """Resample a square or a rectangle bilinearly.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, channels)
        No side is longer than 32000.
    to_pixels : tuple of float
        The similarity from the square to the picture.
    size : int or tuple of int
        The side of the square, or width and height, in pixels.
    border : int, optional
        What lies beyond the picture, in every channel; by default its border is repeated.
    """
    import cv2

    a, b, tx, ty = to_pixels
    warped = cv2.warpAffine(
        pixels,
        np.array([[a, -b, tx], [b, a, ty]]),
        (size, size) if isinstance(size, int) else size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE if border is None else cv2.BORDER_CONSTANT,
        borderValue=(border or 0,) * 4,
    )
    return np.asarray(warped, np.uint8)


def span(corners: tuple[float, ...], end: int, start: int = 0) -> tuple[int, int]:
    """Return the pixels from the least to the largest of coordinates, with two to spare.

    They lie from `start` to before `end`; there is at least one of them.
    """
    low = min(max(math.floor(min(corners)) - 2, start), end - 1)
    return low, min(max(math.ceil(max(corners)) + 3, low + 1), end)


def _inverse(pose: NDArray[np.floating]) -> tuple[float, float, float, float]:
    """Invert one similarity; for one, plain numbers are quicker than arrays."""
    a, b, tx, ty = pose.tolist()
    square = a * a + b * b
    a, b = a / square, -b / square
    return a, b, -(a * tx - b * ty), -(b * tx + a * ty)


def halvings(scale: float) -> int:
    """Return how often a picture is halved before it is read every `scale` pixels."""
    return max(math.frexp(scale)[1] - 1, 0)


def _halved_similarity(
    to_image: tuple[float, float, float, float], level: int
) -> tuple[float, float, float, float]:
    """Take a similarity into a picture to one into the picture halved `level` times."""
    a, b, tx, ty = to_image
    share = 0.5**level
    return a * share, b * share, (tx + 0.5) * share - 0.5, (ty + 0.5) * share - 0.5
