"""Boxes (x0, y0, x1, y1) and the maps from a detector's box to a landmark box.

A *landmark box* is the tight box of a face's landmarks. Every technique starts from one, and
uses of it the centre and the side (the longer of the two). Each detector draws its boxes
elsewhere, so a `BoxMap` takes the detector's box to the landmark box that it implies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.shape.similarity import fit_similarity
from classicface.validation import check_boxes

__all__ = [
    "IDENTITY",
    "BoxMap",
    "box_centers_sides",
    "iou",
    "landmark_box",
    "mean_start",
    "square_boxes",
    "sunflower",
]


def landmark_box(landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the tight box of landmarks; missing (NaN) points are left out.

    Parameters
    ----------
    landmarks : ndarray, shape (..., n_landmarks, 2)

    Returns
    -------
    ndarray of float32, shape (..., 4)
        NaN where a face has no point at all.
    """
    present = ~np.isnan(landmarks)
    low = np.min(landmarks, axis=-2, where=present, initial=np.inf)
    high = np.max(landmarks, axis=-2, where=present, initial=-np.inf)
    box = np.concatenate([low, high], axis=-1)
    return np.where(np.isinf(box), np.nan, box).astype(np.float32)


def box_centers_sides(
    boxes: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centres, shape (..., 2), and the longer sides, shape (...,), of boxes."""
    boxes = np.asarray(boxes, np.float64)
    low, high = boxes[..., :2], boxes[..., 2:]
    return (low + high) / 2, (high - low).max(axis=-1)


def square_boxes(centers: NDArray[np.floating], sides: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the square boxes of centres, shape (..., 2), and sides, shape (...,)."""
    half = np.asarray(sides)[..., None] / 2
    return np.concatenate([centers - half, centers + half], axis=-1).astype(np.float32)


def mean_start(
    mean: NDArray[np.floating], landmarks: NDArray[np.floating], boxes: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return how a mean shape lies in a box on the average of some faces.

    Parameters
    ----------
    mean : ndarray, shape (n_landmarks, 2)
    landmarks : ndarray, shape (n, n_landmarks, 2)
        None is missing.
    boxes : ndarray, shape (n, 4)

    Returns
    -------
    ndarray of float64, shape (4,)
        The similarity that takes the mean shape to a box of centre 0 and side 1.
    """
    centers, sides = box_centers_sides(boxes)
    relative = (landmarks - centers[:, None]) / sides[:, None, None]
    return fit_similarity(mean, relative.mean(axis=0))


def sunflower(count: int) -> NDArray[np.float64]:
    """Return starts around a box as shifts (in sides) and scales, shape (count, 3).

    The first is the box itself; the others lie on a sunflower that grows with their number.
    """
    order = np.arange(count)
    radius = 0.06 * np.sqrt(order / 8)
    angle = order * np.pi * (3 - np.sqrt(5))
    scale = 1 + 0.05 * np.sin(order * 2.4)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), scale])


def iou(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Return the intersection over union of every box in `a` with every box in `b`.

    Parameters
    ----------
    a : array-like, shape (n, 4)
    b : array-like, shape (m, 4)

    Returns
    -------
    ndarray of float64, shape (n, m)
    """
    p = np.asarray(a, np.float64).reshape(-1, 1, 4)
    q = np.asarray(b, np.float64).reshape(1, -1, 4)
    overlap = np.minimum(p[..., 2:], q[..., 2:]) - np.maximum(p[..., :2], q[..., :2])
    intersection = np.prod(np.maximum(overlap, 0), axis=-1)
    areas = np.prod(p[..., 2:] - p[..., :2], axis=-1) + np.prod(q[..., 2:] - q[..., :2], axis=-1)
    return intersection / np.maximum(areas - intersection, 1e-12)


@dataclass(frozen=True)
class BoxMap:
    """The shift and scale from a detector's box to a landmark box.

    Parameters
    ----------
    shift_x, shift_y : float
        How far the landmark box's centre lies from the detector box's centre,
        in sides of the detector's box.
    scale : float
        The landmark box's side over the detector box's side.
    spread : tuple of float
        Standard deviations of the three over the faces that they were measured on.
    """

    shift_x: float = 0.0
    shift_y: float = 0.0
    scale: float = 1.0
    spread: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def apply(self, boxes: ArrayLike) -> NDArray[np.float32]:
        """Take detector boxes, shape (n, 4), to square landmark boxes, shape (n, 4)."""
        centers, sides = box_centers_sides(check_boxes(boxes))
        shift = np.array([self.shift_x, self.shift_y])
        return square_boxes(centers + shift * sides[:, None], sides * self.scale)

    def invert(self, boxes: ArrayLike) -> NDArray[np.float32]:
        """Take landmark boxes, shape (n, 4), to the square boxes that the detector would draw."""
        centers, sides = box_centers_sides(check_boxes(boxes))
        sides = sides / self.scale
        shift = np.array([self.shift_x, self.shift_y])
        return square_boxes(centers - shift * sides[:, None], sides)

    @classmethod
    def fit(cls, boxes: ArrayLike, landmark_boxes: ArrayLike) -> BoxMap:
        """Measure the map from pairs of boxes of the same faces, by the median.

        Parameters
        ----------
        boxes : array-like, shape (n, 4)
            The detector's boxes.
        landmark_boxes : array-like, shape (n, 4)
            The tight boxes of the landmarks of the same faces.

        Raises
        ------
        InvalidInputError
            No pair, or not one landmark box for each detector box.
        """
        detected, wanted = check_boxes(boxes), check_boxes(landmark_boxes)
        if len(detected) != len(wanted) or len(detected) == 0:
            raise InvalidInputError(
                f"{len(detected)} detector boxes and {len(wanted)} landmark boxes;"
                " expected at least one pair, one of each a face"
            )
        centers, sides = box_centers_sides(detected)
        target_centers, target_sides = box_centers_sides(wanted)
        relation = np.column_stack(
            [(target_centers - centers) / sides[:, None], target_sides / sides]
        )
        shift_x, shift_y, scale = np.median(relation, axis=0).tolist()
        spread_x, spread_y, spread_scale = relation.std(axis=0).tolist()
        return cls(shift_x, shift_y, scale, (spread_x, spread_y, spread_scale))


#: For boxes that already are landmark boxes.
IDENTITY = BoxMap()
