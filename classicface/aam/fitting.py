"""Prediction: one scale of an active appearance model, and the descent over all scales."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from classicface.aam import _descent, _kernels
from classicface.aam.arrays import Convergence, ScaleArrays, ScaleBuffers
from classicface.aam.pattern import Pattern
from classicface.image.descriptors import FeatureBuffers, feature_image
from classicface.image.frame import ReferenceFrame
from classicface.shape.pdm import PointDistributionModel
from classicface.shape.procrustes import similarity_basis
from classicface.shape.similarity import (
    apply_similarity,
    compose_similarity,
    fit_similarity,
    invert_similarity,
)

__all__ = ["ALGORITHMS", "Scale", "fit_face", "refine_face", "spread_starts", "steepest_descent"]

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
        mean, components = shape_model.mean, shape_model.components
        rows = np.concatenate([similarity_basis(mean), components.reshape(-1, mean.size)])
        directions = rows * frame.scale
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
            directions,
            np.ascontiguousarray(directions.T),
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
    starts: NDArray[np.floating],
    doubt: float,
    params: dict[str, Any],
    trace: list[Convergence] | None = None,
) -> NDArray[np.float64]:
    """Fit one face from coarse to fine.

    At the coarsest scale the first start is tried; where it ends with a cost above `doubt`, the
    others are tried too, and the end of least cost goes on.

    Parameters
    ----------
    scales : list of Scale
    shape_model : PointDistributionModel
    image : ndarray of uint8, shape (height, width)
    starts : ndarray, shape (n_starts, 4)
        Poses of the mean shape.
    doubt : float
    params : dict
        `AAMFitter`'s.
    trace : list of Convergence, optional
        Receives what happened at each scale.

    Returns
    -------
    ndarray of float64, shape (n_landmarks, 2)
    """
    shape, least = apply_similarity(starts[0], shape_model.mean), np.inf
    coarsest: list[Convergence] = []
    for start in starts:
        steps: list[Convergence] | None = None if trace is None else []
        placed = apply_similarity(start, shape_model.mean)
        found, cost = scales[0].fit(image, placed, shape_model, params, steps)
        if cost < least:
            shape, least, coarsest = found, cost, steps or []
        if least <= doubt:
            break
    if trace is not None:
        trace.extend(coarsest)
    return refine_face(scales[1:], shape_model, image, shape, params, trace)


def refine_face(
    scales: list[Scale],
    shape_model: PointDistributionModel,
    image: NDArray[np.uint8],
    shape: NDArray[np.float64],
    params: dict[str, Any],
    trace: list[Convergence] | None = None,
) -> NDArray[np.float64]:
    """Fit one face from a shape (n_landmarks, 2) in the picture, at each scale in turn."""
    for scale in scales:
        shape, _ = scale.fit(image, shape, shape_model, params, trace)
    return shape


def spread_starts(start: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """Return a start and others around it: turned either way, larger, then shifted.

    Parameters
    ----------
    start : ndarray, shape (4,)
        A similarity to a box of centre 0 and side 1.
    count : int

    Returns
    -------
    ndarray of float64, shape (count, 4)
        Turned by 35 degrees; 1.3 times as large; the shifts, in sides of the box, form a sunflower
        that grows to a fifth of a side.
    """
    order = np.maximum(np.arange(count) - 3, 0)
    radius, direction = 0.2 * np.sqrt(order / max(1, count - 4)), order * np.pi * (3 - np.sqrt(5))
    turn, size = np.zeros(max(count, 4)), np.ones(max(count, 4))
    turn[1:3] = np.deg2rad([35.0, -35.0])
    size[3] = 1.3
    turn, size = turn[:count], size[:count]
    moves = np.column_stack(
        [
            *(size * np.cos(turn), size * np.sin(turn)),
            *(radius * np.cos(direction), radius * np.sin(direction)),
        ]
    )
    return compose_similarity(moves, start)


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
