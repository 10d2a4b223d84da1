"""Prediction: one scale of an active appearance model, and the descent over all scales."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from classicface.aam import _descent, _kernels
from classicface.aam.pattern import Pattern
from classicface.image.descriptors import FeatureBuffers, feature_image
from classicface.image.frame import ReferenceFrame
from classicface.shape.pdm import PointDistributionModel
from classicface.shape.similarity import apply_similarity, fit_similarity, invert_similarity

__all__ = ["ALGORITHMS", "Convergence", "Scale", "fit_face"]

#: Name of an algorithm -> its number in the kernels.
ALGORITHMS = {
    "project-out": _descent.PROJECT_OUT,
    "simultaneous": _descent.SIMULTANEOUS,
    "alternating": _descent.ALTERNATING,
    "wiberg": _descent.WIBERG,
}

# Buffers are kept for as many shapes of scales a thread: several models of some scales.
_MAX_KEPT = 16

_kept = threading.local()


class ScaleArrays(NamedTuple):
    """What `_descent.descend` reads. D = m C values of m samples, k appearances, n directions.

    The pattern's arrays as in `classicface.aam.pattern.Pattern`; template (D,) and basis (k, D),
    float32; mean (L, 2), directions (n, 2 L): how the landmarks in the frame move with each
    parameter, four of a similarity first; prior and limits (n - 4,); descent (n, D) and hessian
    (n, n) of project-out, empty for the others.
    """

    starts: NDArray[np.int32]
    anchors: NDArray[np.int32]
    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]
    neighbours: NDArray[np.int32]
    rates: NDArray[np.float32]
    triangles: NDArray[np.int32]
    gradients: NDArray[np.float64]
    template: NDArray[np.float32]
    basis: NDArray[np.float32]
    mean: NDArray[np.float64]
    directions: NDArray[np.float64]
    prior: NDArray[np.float64]
    limits: NDArray[np.float64]
    descent: NDArray[np.float32]
    hessian: NDArray[np.float64]


class ScaleBuffers(NamedTuple):
    """What `_descent.descend` writes to."""

    shape: NDArray[np.float64]
    b: NDArray[np.float64]
    trace: NDArray[np.float64]
    costs: NDArray[np.float64]
    samples: NDArray[np.float32]
    error: NDArray[np.float32]
    synthetic: NDArray[np.float32]
    gradients: NDArray[np.float32]
    projected: NDArray[np.float64]
    appearance: NDArray[np.float64]
    structure: NDArray[np.float64]
    half: NDArray[np.float64]
    hessian: NDArray[np.float64]
    right: NDArray[np.float64]
    pull: NDArray[np.float64]
    coupling: NDArray[np.float64]
    coupled: NDArray[np.float64]
    steps: NDArray[np.float64]
    moved: NDArray[np.float64]

    @classmethod
    def make(cls, arrays: ScaleArrays, max_iterations: int) -> ScaleBuffers:
        """Return buffers for a scale."""
        n_landmarks, (n, size) = len(arrays.mean), arrays.directions.shape
        k, d, m = len(arrays.basis), len(arrays.template), len(arrays.offsets)
        return cls(
            shape=np.empty((n_landmarks, 2)),
            b=np.empty(n - 4),
            trace=np.empty((max_iterations + 1, n_landmarks, 2)),
            costs=np.empty(max_iterations),
            samples=np.empty((m, d // m), np.float32),
            error=np.empty(d, np.float32),
            synthetic=np.empty(d, np.float32),
            gradients=np.empty((len(arrays.weights), 2, m, d // m), np.float32),
            projected=np.empty(k),
            appearance=np.empty(k),
            structure=np.empty((size, size)),
            half=np.empty((size, n)),
            hessian=np.empty((n, n)),
            right=np.empty(n),
            pull=np.empty(size),
            coupling=np.empty((k, size)),
            coupled=np.empty((k, n)),
            steps=np.empty((n_landmarks, 2)),
            moved=np.empty((n_landmarks, 2)),
        )


@dataclass(frozen=True)
class Convergence:
    """What a fit did at one scale.

    Parameters
    ----------
    face_size : float
        The scale: the face's size in the reference frame, in pixels.
    shapes : ndarray of float32, shape (n_steps + 1, n_landmarks, 2)
        The points in the picture, from the start of the scale to its end.
    costs : ndarray of float64, shape (n_steps,)
        Before each step, the mean squared error that the appearance basis leaves unexplained.
    converged : bool
        Whether the last step moved no point by more than the tolerance.
    """

    face_size: float
    shapes: NDArray[np.float32]
    costs: NDArray[np.float64]
    converged: bool


@dataclass(frozen=True, eq=False)
class Scale:
    """One scale of a fitted model.

    Parameters
    ----------
    face_size : float
    features : str
    cell : int
    frame : ReferenceFrame
    arrays : ScaleArrays
    """

    face_size: float
    features: str
    cell: int
    frame: ReferenceFrame
    arrays: ScaleArrays

    @classmethod
    def build(
        cls,
        frame: ReferenceFrame,
        pattern: Pattern,
        shape_model: PointDistributionModel,
        appearance: tuple[NDArray[np.float32], NDArray[np.float32], float],
        params: dict[str, Any],
        face_size: float,
    ) -> Scale:
        """Compute once what every fit needs: directions, priors, project-out's descent.

        `appearance` is the template (D,), the basis (k, D), not necessarily quite orthonormal,
        and the variance that the basis leaves in each value.
        """
        template, basis, noise = appearance
        with threadpool_limits(1, user_api="blas"):  # sums run in the same order everywhere
            orthonormal = np.linalg.qr(basis.T)[0].T if len(basis) else basis
        directions = np.concatenate(
            [_similarity_directions(shape_model.mean), shape_model.components]
        )
        variances = shape_model.variances
        arrays = ScaleArrays(
            pattern.starts,
            pattern.anchors,
            pattern.weights,
            pattern.offsets,
            pattern.neighbours,
            pattern.rates,
            pattern.triangles,
            pattern.gradients,
            np.ascontiguousarray(template, np.float32),
            np.ascontiguousarray(orthonormal, np.float32),
            frame.landmarks,
            np.ascontiguousarray(directions.reshape(len(directions), -1) * frame.scale),
            params["shape_prior"] * noise / np.maximum(variances, 1e-12),
            params["n_std"] * np.sqrt(variances),
            np.zeros((0, len(template)), np.float32),
            np.zeros((0, 0)),
        )
        if params["algorithm"] == "project-out":
            arrays = arrays._replace(**_project_out(arrays, template, orthonormal))
        return cls(face_size, params["features"], params["cell"], frame, arrays)

    def fit(
        self,
        image: NDArray[np.uint8],
        shape: NDArray[np.floating],
        shape_model: PointDistributionModel,
        params: dict[str, Any],
        trace: list[Convergence] | None = None,
    ) -> tuple[NDArray[np.float64], float]:
        """Fit from a shape in the picture; return the shape found and its cost."""
        pixels, to_image = self.frame.crop(image, fit_similarity(shape_model.mean, shape))
        buffers, feature_buffers = self._buffers(params["max_iterations"])
        features = feature_image(pixels, self.features, self.cell, feature_buffers)
        start = apply_similarity(invert_similarity(to_image), shape)
        arrays = self.arrays
        _descent.to_shape_model(
            start, arrays.mean, arrays.directions, arrays.limits, buffers.b, buffers.shape
        )
        n_steps = _descent.descend(
            arrays,
            buffers,
            features,
            ALGORITHMS[params["algorithm"]],
            params["max_iterations"],
            params["tolerance"],
            trace is not None,
        )
        if trace is not None:
            moved = np.abs(buffers.steps).max() < params["tolerance"]
            shapes = apply_similarity(to_image, buffers.trace[: n_steps + 1]).astype(np.float32)
            costs = buffers.costs[:n_steps].copy()
            trace.append(Convergence(self.face_size, shapes, costs, bool(moved)))
        return apply_similarity(to_image, buffers.shape), float(buffers.costs[n_steps - 1])

    def _buffers(self, max_iterations: int) -> tuple[ScaleBuffers, FeatureBuffers]:
        """Return this thread's buffers for scales of this form; made once, then reused."""
        arrays = self.arrays
        key = (
            *(arrays.template.shape, arrays.basis.shape, arrays.weights.shape),
            *(arrays.directions.shape, max_iterations, self.frame.size, self.features),
        )
        kept: dict[Any, tuple[ScaleBuffers, FeatureBuffers]] = _kept.__dict__
        if key not in kept:
            while len(kept) >= _MAX_KEPT:
                del kept[next(iter(kept))]
            side = (self.frame.size, self.frame.size)
            kept[key] = (
                ScaleBuffers.make(arrays, max_iterations),
                FeatureBuffers.make(side, self.features),
            )
        return kept[key]


def fit_face(
    scales: list[Scale],
    shape_model: PointDistributionModel,
    image: NDArray[np.uint8],
    start: NDArray[np.floating],
    params: dict[str, Any],
    trace: list[Convergence] | None = None,
) -> tuple[NDArray[np.float64], float]:
    """Fit one face from coarse to fine, from a pose of the mean shape.

    Returns
    -------
    shape : ndarray of float64, shape (n_landmarks, 2)
    cost : float
        The unexplained mean squared error before the last step at the finest scale.
    """
    shape, cost = apply_similarity(start, shape_model.mean), np.inf
    for scale in scales:
        shape, cost = scale.fit(image, shape, shape_model, params, trace)
    return shape, cost


def _similarity_directions(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how scale, rotation and the two shifts move a mean of unit size, (4, L, 2).

    They are orthonormal (Matthews and Baker 2004, section 4.2.1).
    """
    shift = np.full(len(mean), 1 / np.sqrt(len(mean)))
    zero = np.zeros(len(mean))
    return np.stack(
        [
            mean,
            np.column_stack([-mean[:, 1], mean[:, 0]]),
            np.column_stack([shift, zero]),
            np.column_stack([zero, shift]),
        ]
    )


def _project_out(
    arrays: ScaleArrays, template: NDArray[np.float32], basis: NDArray[np.float32]
) -> dict[str, NDArray[Any]]:
    """Precompute project-out's descent directions and Hessian (Matthews and Baker 2004)."""
    jacobian = steepest_descent(arrays, template)
    with threadpool_limits(1, user_api="blas"):
        descent = jacobian - (jacobian @ basis.T) @ basis
        hessian = descent.astype(np.float64) @ jacobian.T.astype(np.float64)
    return {"descent": np.ascontiguousarray(descent), "hessian": hessian}


def steepest_descent(arrays: ScaleArrays, appearance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the Jacobian of an appearance by the parameters at the reference shape, (n, D)."""
    m, v = len(arrays.offsets), len(arrays.weights)
    values = np.ascontiguousarray(appearance).reshape(m, -1)
    gradients = np.empty((v, 2, *values.shape), np.float32)
    _kernels.anchored_gradients(values, arrays.neighbours, arrays.rates, arrays.weights, gradients)
    segment = np.repeat(np.arange(len(arrays.anchors)), np.diff(arrays.starts))
    moves = arrays.directions.reshape(len(arrays.directions), -1, 2).astype(np.float32)
    jacobian = np.zeros((len(moves), *values.shape), np.float32)
    for i in range(v):
        move = moves[:, arrays.anchors[segment, i]]
        jacobian += move[:, :, :1] * gradients[i, 0] + move[:, :, 1:] * gradients[i, 1]
    return jacobian.reshape(len(moves), -1)
