"""Prediction: the parts of an active shape model, and the search from coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.asm import _kernels
from classicface.asm.view import View
from classicface.image.descriptors import FEATURES
from classicface.shape.boxes import box_centers_sides, sunflower
from classicface.shape.pdm import PointDistributionModel
from classicface.shape.procrustes import similarity_basis
from classicface.shape.similarity import apply_similarity, compose_similarity

__all__ = [
    "CONSTRAINTS",
    "DESCRIPTORS",
    "MAX_STARTS",
    "Constraint",
    "Model",
    "PatchSearch",
    "ProfileSearch",
]

#: What may be looked at around a landmark: a profile along its normal, or a patch of features.
DESCRIPTORS = ("profile", *FEATURES)

#: How the shape model holds the landmarks together.
CONSTRAINTS = ("posterior", "box", "ellipsoid")

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PatchSearch:
    """Where to go by the features around each landmark: one linear regressor a landmark.

    Parameters
    ----------
    offsets : ndarray of float32, shape (P, 2)
        Where features are read, from the landmark on, in frame pixels.
    weights : ndarray of float16, shape (L, 2, P C)
    biases : ndarray of float32, shape (L, 2)
    """

    offsets: Floats
    weights: NDArray[np.float16]
    biases: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "_weights", self.weights.astype(np.float32))

    def moves(self, features: Floats, points: Floats) -> Floats:
        """Return the move of each landmark, shape (L, 2), in frame pixels."""
        out = np.empty(points.shape, np.float32)
        weights: Floats = self._weights  # type: ignore[attr-defined]
        _kernels.regress(features, points, self.offsets, weights, self.biases, out)
        return out


@dataclass(frozen=True)
class ProfileSearch:
    """Where to go by the grey profile along each landmark's normal: Mahalanobis distances.

    Parameters
    ----------
    neighbours : ndarray of int32, shape (L, 2)
        The landmarks whose line a normal stands on.
    means : ndarray of float32, shape (L, n)
    inverses : ndarray of float32, shape (L, n, n)
        Of the profiles' covariances.
    reach : int
        Pixels searched to each side.
    """

    neighbours: NDArray[np.int32]
    means: Floats
    inverses: Floats
    reach: int

    def moves(self, features: Floats, points: Floats) -> Floats:
        """Return the move of each landmark, shape (L, 2), in frame pixels."""
        out = np.empty(points.shape, np.float32)
        _kernels.search_profiles(
            features, points, self.neighbours, self.means, self.inverses, self.reach, out
        )
        return out


class Constraint:
    """The shape model as the kernels need it.

    Parameters
    ----------
    shape_model : PointDistributionModel
    kind : {"posterior", "box", "ellipsoid"}
    n_std : float
    """

    def __init__(self, shape_model: PointDistributionModel, kind: str, n_std: float) -> None:
        mean = shape_model.mean
        rows = shape_model.components.reshape(-1, mean.size)
        self.mean = np.ascontiguousarray(mean)
        self.directions = np.ascontiguousarray(np.concatenate([similarity_basis(mean), rows]))
        self.deviations = np.sqrt(shape_model.variances)
        self.n_std = float(n_std)
        self.radius = 0.0
        if kind == "ellipsoid":
            outside = shape_model.limit(1e6 * self.deviations, n_std, "ellipsoid")
            self.radius = max(float(shape_model.plausibility(outside)), 1e-9)

    def advance(
        self, points: NDArray[np.float64], moves: Floats, scale: float, gain: NDArray[np.float64]
    ) -> None:
        """Move points, shape (L, 2), in place.

        Parameters
        ----------
        points : ndarray of float64, shape (L, 2)
        moves : ndarray of float32, shape (L, 2)
        scale : float
            Pixels per unit of the shape model.
        gain : ndarray of float64, shape (4 + k, 2 L + k) or (0, 0)
        """
        _kernels.advance(
            *(points, moves, scale, self.mean, self.directions, gain, self.deviations),
            *(self.n_std, self.radius, points),
        )


@dataclass(frozen=True)
class Model:
    """A trained active shape model.

    Parameters
    ----------
    constraint : Constraint
    start : ndarray of float64, shape (4,)
        The similarity that takes the mean shape to a box of centre 0 and side 1.
    views : tuple of View
        One a level, coarse to fine.
    searches : tuple of tuple of PatchSearch or ProfileSearch
        Of each level, one an iteration.
    gains : ndarray of float64, shape (n_levels, n_iterations, 4 + k, 2 L + k)
        From moves and parameters to the step of the greatest posterior; (..., 0, 0) for none.
    """

    constraint: Constraint
    start: NDArray[np.float64]
    views: tuple[View, ...]
    searches: tuple[tuple[PatchSearch | ProfileSearch, ...], ...]
    gains: NDArray[np.float64]

    def starts(self, boxes: Floats, count: int) -> NDArray[np.float64]:
        """Return the mean shape in each of some boxes and in others around it.

        Parameters
        ----------
        boxes : ndarray of float32, shape (n, 4)
        count : int
            Starts a box, the box itself first.

        Returns
        -------
        ndarray of float64, shape (n, count, L, 2)
        """
        centers, sides = box_centers_sides(boxes)
        spread = _START_SPREAD[:count]
        places = centers[:, None] + spread[:, :2] * sides[:, None, None]
        scales = sides[:, None] * spread[:, 2]
        to_image = np.stack([scales, 0 * scales, places[..., 0], places[..., 1]], axis=-1)
        return apply_similarity(compose_similarity(to_image, self.start), self.constraint.mean)

    def refine(
        self,
        image: NDArray[np.uint8],
        shape: NDArray[np.float64],
        levels: range,
        trace: list[NDArray[np.float64]] | None = None,
    ) -> NDArray[np.float64]:
        """Search on some levels, from a shape (L, 2) in the picture on; each step goes to `trace`.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width)
        shape : ndarray of float64, shape (L, 2)
        levels : range
        trace : list, optional

        Returns
        -------
        ndarray of float64, shape (L, 2)
        """
        for level in levels:
            view = self.views[level]
            features, to_image = view.see(image, shape, self.constraint.mean)
            points = np.empty(shape.shape)
            _kernels.transform(to_image, shape, True, points)
            for search, gain in zip(self.searches[level], self.gains[level], strict=True):
                moves = search.moves(features, points.astype(np.float32))
                self.constraint.advance(points, moves, view.frame.scale, gain)
                if trace is not None:
                    trace.append(apply_similarity(to_image, points))
            shape = np.empty(points.shape)
            _kernels.transform(to_image, points, False, shape)
        return shape

    def find(self, image: NDArray[np.uint8], starts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Find a face from several starts.

        The coarsest level is searched from each start; the finer ones once, from the median of
        what it found.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width)
        starts : ndarray of float64, shape (n, L, 2)

        Returns
        -------
        ndarray of float64, shape (L, 2)
        """
        coarse = [self.refine(image, start, range(1)) for start in starts]
        shape = coarse[0] if len(coarse) == 1 else np.median(coarse, axis=0)
        return self.refine(image, shape, range(1, len(self.views)))


#: The most starts on the coarsest level.
MAX_STARTS = 25

_START_SPREAD = sunflower(MAX_STARTS)
