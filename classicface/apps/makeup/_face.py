"""What make-up needs to know of a face beforehand: its size, its axes, which lid is which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.shape.parts import FaceParts
from classicface.shape.schemes import Indices

__all__ = ["SIDES", "Face"]

Floats = NDArray[np.float32]

SIDES = ("right", "left")


@dataclass(frozen=True, eq=False)
class Face:
    """The points of one face and what they say.

    Attributes
    ----------
    points : ndarray of float32, shape (n_landmarks, 2)
        In pixels of the picture; NaN where missing.
    parts : FaceParts
    unit : float
        The size of the face in pixels: the greater of the distance between the eyes and that from
        them to the mouth; some 0.35 of a landmark box with the jaw. A head that turns keeps one of
        the two.
    beside, down : ndarray, shape (2,)
        Directions of length 1 in the picture: from the right eye to the left one, and downward.
    lids : dict of str to tuple of int
        The upper lid of the right and the left eye, from the inner corner to the outer; empty where
        a point is missing.
    """

    points: Floats
    parts: FaceParts
    unit: float
    beside: Floats
    down: Floats
    lids: dict[str, Indices]

    @classmethod
    def of(cls, points: Floats, parts: FaceParts) -> Face | None:
        """Look at a face; None where it is smaller than a pixel, or all its points are missing."""
        eyes = {side: _present(points, getattr(parts, f"{side}_eye")) for side in SIDES}
        mouth = _present(points, parts.outer_lips)
        unit = _unit(eyes, mouth)
        if unit < 1.0:
            return None
        beside = np.array([1.0, 0.0], np.float32)
        if all(len(eye) for eye in eyes.values()):
            step = eyes["left"].mean(axis=0) - eyes["right"].mean(axis=0)
            length = float(np.hypot(*step))
            beside = (step / length).astype(np.float32) if length > 1e-3 else beside
        down = np.array([-beside[1], beside[0]], np.float32)
        lids = {
            side: _upper_lid(points, getattr(parts, f"{side}_eye"), outward, down)
            for side, outward in (("right", -beside), ("left", beside))
        }
        return cls(points, parts, unit, beside, down, lids)


def _present(points: Floats, indices: Sequence[int]) -> NDArray[np.float64]:
    found = points[list(indices)].astype(np.float64)
    return found[~np.isnan(found[:, 0])]


def _unit(eyes: dict[str, NDArray[np.float64]], mouth: NDArray[np.float64]) -> float:
    if all(len(eye) for eye in eyes.values()):
        right, left = (eyes[side].mean(axis=0) for side in SIDES)
        apart = float(np.hypot(*(right - left)))
        if len(mouth) == 0:
            return apart
        return max(apart, float(np.hypot(*(0.5 * (right + left) - mouth.mean(axis=0)))))
    # One eye or the mouth alone: from its width, as they are on a mean face.
    widths = [(mouth, 1.2), *((eye, 2.2) for eye in eyes.values())]
    return max((k * float(np.hypot(*np.ptp(p, axis=0))) for p, k in widths if len(p)), default=0.0)


def _upper_lid(points: Floats, eye: Indices, outward: Floats, down: Floats) -> Indices:
    """Return the upper half of a loop of lids.

    Such a loop begins in one corner; which way it runs, and which corner is the inner one, differ
    between schemes.
    """
    if not eye or np.isnan(points[list(eye)]).any():
        return ()
    half = len(eye) // 2
    upper, lower = eye[: half + 1], (eye[0], *eye[:half:-1], eye[half])
    height = points[list(upper)].mean(axis=0) - points[list(lower)].mean(axis=0)
    if float(height @ down) > 0:
        upper = lower
    across = points[upper[-1]] - points[upper[0]]
    return upper if float(across @ outward) > 0 else upper[::-1]
