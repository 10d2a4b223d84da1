"""What the descent reads, what it writes to, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Convergence", "ScaleArrays", "ScaleBuffers"]


class ScaleArrays(NamedTuple):
    """What `_descent.descend` reads. D = m C values of m samples, k appearances, n directions.

    The pattern's arrays as in `classicface.aam.pattern.Pattern`; template (D,) and basis (k, D),
    float32; mean (L, 2), directions (n, 2 L): how the landmarks in the frame move with each
    parameter, four of a similarity first; moves (2 L, n), its transpose; prior and limits
    (n - 4,); descent (n, D) and hessian (n, n) of project-out, empty for the others.
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
    moves: NDArray[np.float64]
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
