"""Prediction: how a face is looked at on one level of the pyramid."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.asm import _kernels
from classicface.image.descriptors import FeatureBuffers, feature_image
from classicface.image.frame import ReferenceFrame

__all__ = ["View"]

Floats = NDArray[np.float32]

# Buffers are kept for so many sizes of frames a thread.
_MAX_KEPT = 16

_kept = threading.local()


@dataclass(frozen=True)
class View:
    """How a face is looked at on one level of the pyramid.

    Parameters
    ----------
    frame : ReferenceFrame
    features : str
        The dense descriptor; see `classicface.image.descriptors`.
    cell : int
        The radius of a cell of ``hog``.
    """

    frame: ReferenceFrame
    features: str
    cell: int

    @classmethod
    def build(
        cls, mean: NDArray[np.float64], face_size: float, reach: float, descriptor: str, cell: int
    ) -> View:
        """Return the view in which the mean shape's box has a longer side of `face_size` pixels.

        reach: how far beyond a landmark is looked, in pixels.
        """
        frame = ReferenceFrame.build(mean, face_size, 0.05 + reach / face_size)
        return cls(frame, "intensity" if descriptor == "profile" else descriptor, cell)

    def see(
        self, image: NDArray[np.uint8], shape: NDArray[np.float64], mean: NDArray[np.float64]
    ) -> tuple[Floats, NDArray[np.float64]]:
        """Return the features of a face that is upright and of one size, and its similarity.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width)
        shape : ndarray, shape (L, 2)
            The present shape in the picture.
        mean : ndarray, shape (L, 2)
            The mean of the shape model.

        Returns
        -------
        features : ndarray of float32, shape (size, size, C)
            Overwritten when this thread looks at the next face.
        to_image : ndarray, shape (4,)
            From the frame to the picture.
        """
        pose = np.empty(4)
        _kernels.project(shape, mean, np.empty((0, mean.size)), pose, np.empty(0))
        pixels, to_image = self.frame.crop(image, pose)
        buffers = _buffers(pixels.shape, self.features)
        return feature_image(pixels, self.features, self.cell, buffers), to_image


def _buffers(shape: tuple[int, ...], kind: str) -> FeatureBuffers:
    """Return this thread's buffers for frames of a shape."""
    kept: dict[Any, FeatureBuffers] = _kept.__dict__
    key = f"{kind} {shape}"
    if key not in kept:
        if len(kept) >= _MAX_KEPT:
            kept.clear()
        kept[key] = FeatureBuffers.make(shape, kind)
    return kept[key]
