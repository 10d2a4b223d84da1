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

# Gradients weaker than this are noise: 8 grey levels, summed by the triangles.
_FLOOR = np.float32(8.0 * 81)

# Shape parameters are held within this many standard deviations where the network reads them.
_MOST_DEVIATIONS = np.float32(5.0)

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Description:
    """What `FaceDescriber.describe` finds of one face.

    Attributes
    ----------
    features : ndarray of float32, shape (n_features,)
    plausibility : float
        See `FaceChecks`.
    """

    features: Floats
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
    offsets: Floats
    components: Floats
    variances: Floats
    noise_variance: float

    def __post_init__(self) -> None:
        for name in ("mean", "offsets", "components", "variances"):
            getattr(self, name).setflags(write=False)

    @property
    def n_features(self) -> int:
        """The number of features of a face."""
        return 8 * len(self.mean) * len(self.offsets) + len(self.variances)

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
        pixels = crop_face(grey, pose, self.size)
        features = np.empty(self.n_features, np.float32)
        plausibility = kernels.describe_face(
            pixels,
            aligned,
            self.mean,
            self.offsets,
            _FLOOR,
            self.components,
            self.variances,
            np.float32(self.noise_variance),
            _MOST_DEVIATIONS,
            features,
        )
        return Description(features, plausibility)
