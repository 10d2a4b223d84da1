"""A face as the verifier sees it: aligned to a mean shape, described at its points, its shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.image.crop import crop_face
from classicface.landmarker import _verifier_kernels as kernels

__all__ = ["SCHEME", "Description", "FaceDescriber"]

#: The landmarks that are described: the brows, the nose, the eyes and the mouth.
SCHEME = "ibug49"

#: A face of which fewer points than this are there is not described.
LEAST_POINTS = 25

# The radius of a cell of the descriptors, in crop pixels.
_CELL = 1

# Gradients weaker than this, in grey levels, are noise.
_FLOOR = 8.0

# Shape parameters are held within this many standard deviations where the network reads them.
_MOST_DEVIATIONS = 5.0

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Description:
    """What `FaceDescriber.describe` finds of one face.

    Attributes
    ----------
    features : ndarray of float32, shape (n_features,)
    pixels : ndarray of uint8, shape (size, size)
        The aligned crop.
    plausibility : float
        See `FaceChecks`.
    """

    features: Floats
    pixels: NDArray[np.uint8]
    plausibility: float


@dataclass(frozen=True, eq=False)
class FaceDescriber:
    """Aligns faces and describes them.

    Parameters
    ----------
    size : int
        The side of the crop, in pixels.
    mean : ndarray of float32, shape (49, 2)
        The mean shape, in pixels of the crop.
    grid : ndarray of float32, shape (G, 2)
        Points of the crop that are described beside the landmarks.
    offsets : ndarray of float32, shape (P, 2)
        Where, around a point, histograms are taken.
    components : ndarray of float32, shape (k, 49, 2)
        Orthonormal directions in which shapes vary about the mean.
    variances : ndarray of float32, shape (k,)
        Along the components, in squared crop pixels.
    noise_variance : float
        In every other direction, in squared crop pixels.
    """

    size: int
    mean: Floats
    grid: Floats
    offsets: Floats
    components: Floats
    variances: Floats
    noise_variance: float

    @property
    def n_features(self) -> int:
        """The number of features of a face."""
        described = (len(self.mean) + len(self.grid)) * 8 * len(self.offsets)
        return described + len(self.variances)

    def describe(self, grey: NDArray[np.uint8], points: Floats) -> Description | None:
        """Describe one face.

        Parameters
        ----------
        grey : ndarray of uint8, shape (height, width)
        points : ndarray of float32, shape (49, 2)

        Returns
        -------
        Description or None
            None where more than half of the points are missing, or where they lie on one another
            or are torn apart, so that they are no shape.
        """
        pose = np.empty(4)
        aligned = np.empty_like(self.mean)
        if kernels.align(points, self.mean, pose, aligned) < LEAST_POINTS:
            return None
        size, n_points = self.size, len(self.mean)
        pixels = crop_face(grey, pose, size)
        maps, work = np.empty((2, size, size, 8), np.int32)
        kernels.gradient_maps(pixels, _CELL, work, np.empty(8 * max(size, 8), np.int32), maps)
        features = np.empty(self.n_features, np.float32)
        described = features[: -len(self.variances)].reshape(-1, 8 * len(self.offsets))
        floor = np.float32(_FLOOR * 128 * (2 * _CELL + 1) ** 4)
        kernels.describe(maps, aligned, self.offsets, floor, described[:n_points])
        kernels.describe(maps, self.grid, self.offsets, floor, described[n_points:])
        rest = aligned - self.mean
        rows = self.components.reshape(len(self.variances), -1)
        b = rows @ rest.ravel()
        inside = float(b @ (b / self.variances))
        outside = max(float(np.vdot(rest, rest) - b @ b), 0.0) / self.noise_variance
        plausibility = ((inside + outside) / (rest.size - 4)) ** 0.5
        np.clip(
            b / np.sqrt(self.variances),
            -_MOST_DEVIATIONS,
            _MOST_DEVIATIONS,
            out=features[-len(self.variances) :],
        )
        return Description(features, pixels, plausibility)
