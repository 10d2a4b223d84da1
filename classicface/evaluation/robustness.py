"""Test faces made harder: moved boxes, turned, blurred, noisy, dark, hidden and small faces."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from classicface.data.dataset import LandmarkDataset
from classicface.evaluation.results import Levels
from classicface.shape.boxes import box_centers_sides, square_boxes

__all__ = ["PERTURBATIONS", "perturbed"]

#: Perturbation -> its levels, from none to strong.
PERTURBATIONS: dict[str, Levels] = {
    "shift": Levels("box shifted", "% of its side", (0, 5, 10, 15, 20)),
    "rotation": Levels("face turned", "degrees", (0, 10, 20, 30, 45)),
    "blur": Levels("blurred", "standard deviation, % of the box's side", (0, 1, 2, 4)),
    "noise": Levels("noisy", "standard deviation, grey levels", (0, 10, 20, 40)),
    "darkness": Levels("dark", "% of the light taken away", (0, 50, 75, 90)),
    "occlusion": Levels("hidden by a square", "side, % of the box's side", (0, 20, 30, 40)),
    "small": Levels("scaled down", "times", (1, 2, 3, 4)),
}

_Face = tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64], float]


def perturbed(
    dataset: LandmarkDataset, perturbation: str, level: float, seed: int
) -> LandmarkDataset:
    """Return the faces at one level of a perturbation; the same seed gives the same faces.

    Parameters
    ----------
    dataset : LandmarkDataset
    perturbation : str
        One of `PERTURBATIONS`.
    level : float
        In the perturbation's unit.
    seed : int
        What is drawn at random (directions, places, noise) does not depend on the level.
    """
    change = _CHANGES[perturbation]
    rng = np.random.default_rng([seed, *perturbation.encode()])
    centers, sides = box_centers_sides(dataset.boxes)
    faces = [
        change(rng, level, (image, points.astype(np.float64), center, float(side)))
        for image, points, center, side in zip(
            dataset.images, dataset.landmarks, centers, sides, strict=True
        )
    ]
    return LandmarkDataset(
        [face[0] for face in faces],
        np.array([face[1] for face in faces], np.float32),
        square_boxes(np.array([face[2] for face in faces]), np.array([face[3] for face in faces])),
        dataset.names,
        dataset.groups,
        dataset.scheme,
    )


def _shift(rng: np.random.Generator, level: float, face: _Face) -> _Face:
    image, points, center, side = face
    angle = rng.uniform(0, 2 * math.pi)
    step = level / 100 * side * np.array([math.cos(angle), math.sin(angle)])
    return image, points, center + step, side


def _rotation(rng: np.random.Generator, level: float, face: _Face) -> _Face:
    """Turn the picture around the box's centre, to either side."""
    import cv2

    image, points, center, side = face
    angle = level * (1 if rng.random() < 0.5 else -1)
    if level == 0:
        return face
    turn = cv2.getRotationMatrix2D(center.tolist(), angle, 1.0)
    size = (image.shape[1], image.shape[0])
    turned = cv2.warpAffine(
        image, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(turned, np.uint8), points @ turn[:, :2].T + turn[:, 2], center, side


def _blur(rng: np.random.Generator, level: float, face: _Face) -> _Face:
    import cv2

    image, points, center, side = face
    if level == 0:
        return face
    blurred = cv2.GaussianBlur(image, (0, 0), level / 100 * side)
    return np.asarray(blurred, np.uint8), points, center, side


def _noise(rng: np.random.Generator, level: float, face: _Face) -> _Face:
    image, points, center, side = face
    drawn = rng.standard_normal(image.shape, np.float32)
    return _to_grey(image + level * drawn), points, center, side


def _darkness(rng: np.random.Generator, level: float, face: _Face) -> _Face:
    image, points, center, side = face
    return _to_grey(image * (1 - level / 100)), points, center, side


def _occlusion(rng: np.random.Generator, level: float, face: _Face) -> _Face:
    """Lay a grey square over a random place of the box, wholly inside it."""
    image, points, center, side = face
    place, covered = rng.random(2), level / 100 * side
    low = center - side / 2 + place * (side - covered)
    x0, y0 = np.maximum(np.rint(low), 0).astype(int).tolist()
    x1, y1 = np.maximum(np.rint(low + covered), 0).astype(int).tolist()
    hidden = image.copy()
    hidden[y0:y1, x0:x1] = 128
    return hidden, points, center, side


def _small(rng: np.random.Generator, level: float, face: _Face) -> _Face:
    """Scale the picture down; pixel centres are whole numbers before and after."""
    import cv2

    image, points, center, side = face
    if level == 1:
        return face
    size = [max(1, round(length / level)) for length in image.shape[1::-1]]
    scale = np.array(size) / image.shape[1::-1]
    smaller = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return (
        np.asarray(smaller, np.uint8),
        (points + 0.5) * scale - 0.5,
        (center + 0.5) * scale - 0.5,
        side * float(scale.mean()),
    )


def _to_grey(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


_CHANGES: dict[str, Callable[[np.random.Generator, float, _Face], _Face]] = {
    "shift": _shift,
    "rotation": _rotation,
    "blur": _blur,
    "noise": _noise,
    "darkness": _darkness,
    "occlusion": _occlusion,
    "small": _small,
}
