"""Faces: what was found in one picture or one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.shape.boxes import box_centers_sides
from classicface.shape.schemes import LandmarkScheme

__all__ = ["Faces"]


@dataclass(frozen=True, eq=False)
class Faces:
    """The faces of one picture, one a row.

    Attributes
    ----------
    boxes : ndarray of float32, shape (n, 4)
        The landmark boxes from which the points were found.
    landmarks : ndarray of float32, shape (n, n_landmarks, 2)
        (x, y) in pixels of the picture; smoothed over time where a tracker gave them.
    scores : ndarray of float32, shape (n,)
        The detector's score of each face, comparable within one detector only; NaN where the box
        was given, or came from the frame before.
    fits : ndarray of float32, shape (n,)
        How surely the points lie on a face, 0 to 1; NaN for a scheme that cannot be judged. See
        `classicface.landmarker.verifier.FaceVerifier`.
    ids : ndarray of int64, shape (n,)
        The identity of each face: the same number is the same face in every frame of a tracker;
        in a single picture they count from 0.
    measured : ndarray of float32, shape (n, n_landmarks, 2)
        The points before smoothing.
    scheme : LandmarkScheme
        The meaning of the points.
    """

    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    scores: NDArray[np.float32]
    fits: NDArray[np.float32]
    ids: NDArray[np.int64]
    measured: NDArray[np.float32]
    scheme: LandmarkScheme

    def __len__(self) -> int:
        return len(self.boxes)

    def select(
        self, rows: NDArray[np.integer] | NDArray[np.bool_] | Sequence[int] | slice
    ) -> Faces:
        """Return some of the faces: indices in any order, a mask, or a slice."""
        chosen = np.arange(len(self))[rows if len(self) else slice(0)]
        return Faces(
            self.boxes[chosen],
            self.landmarks[chosen],
            self.scores[chosen],
            self.fits[chosen],
            self.ids[chosen],
            self.measured[chosen],
            self.scheme,
        )

    def largest(self) -> Faces:
        """Return the face with the largest box alone; no face where there is none."""
        if len(self) < 2:
            return self
        return self.select([int(np.argmax(box_centers_sides(self.boxes)[1]))])
