"""RefiningPredictor: what a technique keeps that can start from given points in place of a box."""

from __future__ import annotations

import abc

import numpy as np
from numpy.typing import NDArray

from classicface.predictor import LandmarkPredictor, Progress
from classicface.shape.schemes import LandmarkScheme

__all__ = ["RefiningPredictor"]


class RefiningPredictor(LandmarkPredictor):
    """Base of the predictors that may come second in a `classicface.chain.ChainFitter`."""

    @abc.abstractmethod
    def _fit_from(
        self,
        images: list[NDArray[np.uint8]],
        landmarks: NDArray[np.float32],
        boxes: NDArray[np.float32],
        scheme: LandmarkScheme,
        progress: Progress,
        starts: NDArray[np.float32],
    ) -> None:
        """Train as `_fit` does, from finite starts, shape (n, n_starts, n_landmarks, 2)."""

    @abc.abstractmethod
    def _refine(self, image: NDArray[np.uint8], starts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict as `_predict` does, from finite starts, shape (n_faces, n_landmarks, 2)."""
