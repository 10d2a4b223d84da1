"""The reference frame: an upright picture in which every face has one size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.image.crop import halve, warp
from classicface.image.crop import span as _span

__all__ = ["ReferenceFrame"]

# OpenCV resamples no picture with a longer side.
_MAX_SIDE = 32_000


@dataclass(frozen=True)
class ReferenceFrame:
    """A square picture around the mean shape.

    Parameters
    ----------
    landmarks : ndarray of float64, shape (n_landmarks, 2)
        The mean shape in frame pixels.
    size : int
        The side of the frame in pixels.
    scale : float
        Frame pixels per unit of the shape model.
    origin : tuple of float
        A point p of the shape model lies at ``scale * p + origin``.
    """

    landmarks: NDArray[np.float64]
    size: int
    scale: float
    origin: tuple[float, float]

    @classmethod
    def build(
        cls, mean: NDArray[np.floating], face_size: float, margin: float = 0.3
    ) -> ReferenceFrame:
        """Lay a frame around a mean shape.

        Parameters
        ----------
        mean : ndarray, shape (n_landmarks, 2)
            The mean of a shape model.
        face_size : float
            The longer side of the mean shape's box, in frame pixels.
        margin : float, default 0.3
            What the frame shows beyond that box on each side, in face sizes.
        """
        low, high = mean.min(axis=0), mean.max(axis=0)
        scale = face_size / float((high - low).max())
        size = math.ceil(face_size * (1 + 2 * margin))
        origin = (size - 1) / 2 - scale * (low + high) / 2
        return cls(
            scale * np.asarray(mean, np.float64) + origin,
            size,
            scale,
            (float(origin[0]), float(origin[1])),
        )

    def crop(
        self, image: NDArray[np.uint8], pose: NDArray[np.floating]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Resample a face into the frame.

        A face that is larger than in the frame is halved first, each pixel the mean of two by two,
        so that it does not alias; then it is resampled bilinearly. Beyond the picture its border
        is repeated.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width)
        pose : ndarray, shape (4,)
            The similarity from the shape model to the picture.

        Returns
        -------
        pixels : ndarray of uint8, shape (size, size)
        to_image : ndarray of float64, shape (4,)
            The similarity from the frame to the picture.
        """
        x, y = self.origin
        a, b, tx, ty = np.asarray(pose, np.float64).tolist()
        a, b = a / self.scale, b / self.scale
        tx, ty = tx - a * x + b * y, ty - b * x - a * y
        to_image = np.array([a, b, tx, ty])
        pixels, scale = image, math.hypot(a, b)
        if scale >= 2 or max(image.shape) > _MAX_SIDE:
            pixels, tx, ty = self._surroundings(image, (a, b, tx, ty))
            while scale >= 2 and max(pixels.shape) >= 2:
                pixels = halve(pixels)
                # A pixel's centre keeps its place: p -> (p + 0.5) / 2 - 0.5.
                a, b, tx, ty = a / 2, b / 2, tx / 2 - 0.25, ty / 2 - 0.25
                scale /= 2
        return warp(pixels, (a, b, tx, ty), self.size), to_image

    def _surroundings(
        self, image: NDArray[np.uint8], to_image: tuple[float, float, float, float]
    ) -> tuple[NDArray[np.uint8], float, float]:
        """Return the part of the picture that the frame shows, and the translation within it."""
        a, b, tx, ty = to_image
        last = self.size - 1
        xs = (tx, tx + a * last, tx - b * last, tx + (a - b) * last)
        ys = (ty, ty + b * last, ty + a * last, ty + (a + b) * last)
        x0, x1 = _span(xs, image.shape[1])
        y0, y1 = _span(ys, image.shape[0])
        return image[y0:y1, x0:x1], tx - x0, ty - y0
