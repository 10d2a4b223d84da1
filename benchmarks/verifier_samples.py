"""Points on faces and on what is no face: what the face verifier is trained and measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from verifier_faces import (
    Face,
    behind_a_face,
    behind_a_rectangle,
    empty_picture,
    error,
    eye_distance,
    inner,
    mirrored,
    spoiled,
)

from classicface import LandmarkPredictor, PointDistributionModel
from classicface.shape.boxes import box_centers_sides, landmark_box, square_boxes
from classicface.shape.similarity import apply_similarity, fit_similarity


class Sample(NamedTuple):
    """Points to judge: in which picture, how far off (NaN: on no face), what share is visible."""

    image: np.ndarray
    points: np.ndarray  # (49, 2)
    error: float
    visible: float
    kind: str


def jittered_box(
    points: np.ndarray, shift: float, scale: float, rng: np.random.Generator
) -> np.ndarray:
    """Return a landmark box, shifted by a normal share of its side and scaled."""
    center, side = box_centers_sides(landmark_box(points[None]))
    center = center + rng.normal(0, shift, 2) * side
    return square_boxes(center, side * np.exp(rng.normal(0, scale)))


def far_box(points: np.ndarray, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a box beside the face: shifted by a third to 1.2 sides, or of another size."""
    center, side = box_centers_sides(landmark_box(points[None]))
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 1.2)
    if rng.random() < 0.3:
        reach *= 0.3
        side = side * rng.choice([0.4, 0.5, 0.6, 1.7, 2.0, 2.5])
    center = center + reach * side * np.array([np.cos(angle), np.sin(angle)])
    center = np.clip(center, 0, [image.shape[1] - 1, image.shape[0] - 1])
    return square_boxes(center, side)


def predict(predictor: LandmarkPredictor, image: np.ndarray, box: np.ndarray) -> np.ndarray:
    return inner(predictor.predict(image, box)[0])


class Sampler:
    """Makes samples of faces; `model` varies their shapes, the predictors place points."""

    def __init__(
        self,
        faces: list[Face],
        predictors: dict[str, LandmarkPredictor],
        model: PointDistributionModel,
        wild: list[np.ndarray],
        rng: np.random.Generator,
    ) -> None:
        self.faces = faces
        self.predictors = predictors
        self.model = model
        self.wild = wild
        self.rng = rng

    def _near(self, face: Face, name: str) -> Iterator[Sample]:
        truth = inner(face.points)
        image = spoiled(face.image, self.rng) if self.rng.random() < 0.3 else face.image
        box = jittered_box(face.points, 0.08, 0.12, self.rng)
        found = predict(self.predictors[name], image, box)
        yield Sample(image, found, error(found, truth), 1.0, "near")

    def _far(self, face: Face, name: str) -> Iterator[Sample]:
        box = far_box(face.points, face.image, self.rng)
        found = predict(self.predictors[name], face.image, box)
        yield Sample(face.image, found, error(found, inner(face.points)), 1.0, "far box")

    def _moved(self, face: Face, name: str) -> Iterator[Sample]:
        """Move the true points: as a whole, by modes of shape, one by one."""
        truth = inner(face.points)
        size = eye_distance(truth)
        for _ in range(3):
            amount = self.rng.exponential(0.6)
            points = truth.copy()
            ways = self.rng.random(3) < (0.7, 0.6, 0.3)
            if ways[1]:
                pose, b = self.model.to_parameters(truth)
                deviation = np.sqrt(self.model.variances)
                moved = b + amount * self.rng.standard_normal(len(b)) * deviation
                points = self.model.to_landmarks(moved, pose)
            if ways[0]:
                points = self._turned(points, amount * size)
            if ways[2]:
                points = points + self.rng.normal(0, 0.06 * amount * size, points.shape)
            points = np.asarray(points, np.float32)
            yield Sample(face.image, points, error(points, truth), 1.0, "moved")

    def _turned(self, points: np.ndarray, amount: float) -> np.ndarray:
        middle = points.mean(axis=0)
        angle, scale = self.rng.normal(0, 0.15), np.exp(self.rng.normal(0, 0.1))
        a, b = scale * np.cos(angle), scale * np.sin(angle)
        turned = apply_similarity(np.array([a, b, 0, 0]), points - middle) + middle
        return turned + self.rng.normal(0, 0.15, 2) * amount

    def _alien(self, face: Face, name: str) -> Iterator[Sample]:
        """Put a shape at random near the face."""
        truth = inner(face.points)
        shape = self.model.sample(1, self.rng, 2.5)[0]
        pose = fit_similarity(shape, truth)
        placed = apply_similarity(pose, shape)
        points = self._turned(placed, self.rng.uniform(0, 4) * eye_distance(truth))
        points = np.asarray(points, np.float32)
        yield Sample(face.image, points, error(points, truth), 1.0, "shape at random")

    def _rotated(self, face: Face, name: str) -> Iterator[Sample]:
        """Turn the picture by a quarter or a half: upright points do not lie on the face."""
        k = int(self.rng.integers(1, 4))
        image = np.ascontiguousarray(np.rot90(face.image, k))
        truth = inner(face.points)
        for turn in range(k):  # np.rot90 turns anticlockwise: (x, y) goes to (y, width - 1 - x)
            width = face.image.shape[1 - turn % 2]
            truth = np.stack([truth[:, 1], width - 1 - truth[:, 0]], axis=1)
        box = jittered_box(truth, 0.08, 0.12, self.rng)
        center, side = box_centers_sides(box)
        found = predict(self.predictors[name], image, square_boxes(center, 1.2 * side))
        yield Sample(image, found, error(found, truth), 1.0, "turned")

    def _half(self, face: Face, name: str) -> Iterator[Sample]:
        """Cut the picture through the face."""
        truth = inner(face.points)
        (x, y), side = self.rng.uniform(truth.min(axis=0), truth.max(axis=0)), self.rng.integers(4)
        image = face.image
        x, y = int(x) + 1, int(y) + 1
        if side == 0:
            image = image[:, :x]
        elif side == 1:
            image = image[:, x:]
            truth = truth - (x, 0)
        elif side == 2:
            image = image[:y]
        else:
            image = image[y:]
            truth = truth - (0, y)
        image = np.ascontiguousarray(image)
        if min(image.shape) < 16:
            return
        seen = ((truth >= 0) & (truth < image.shape[::-1])).all(axis=1).mean()
        box = jittered_box(truth, 0.05, 0.08, self.rng)
        if not (
            box[0, 0] < image.shape[1] and box[0, 1] < image.shape[0] and (box[0, 2:] > 0).all()
        ):
            return
        found = predict(self.predictors[name], image, box)
        yield Sample(image, found, error(found, truth), float(seen), "half")

    def _rectangle(self, face: Face, name: str) -> Iterator[Sample]:
        truth = inner(face.points)
        image, seen = behind_a_rectangle(face, self.rng)
        box = jittered_box(face.points, 0.05, 0.08, self.rng)
        found = predict(self.predictors[name], image, box)
        yield Sample(image, found, error(found, truth), seen, "rectangle")
        if self.rng.random() < 0.5:  # a tracker's points, that stayed
            yield Sample(image, truth, 0.0, seen, "rectangle")

    def _other(self, face: Face, name: str) -> Iterator[Sample]:
        """Put another face before the face; points that lie on that one lie on a face."""
        truth = inner(face.points)
        donor = self.faces[self.rng.integers(len(self.faces))]
        image, seen, others = behind_a_face(face, donor, self.rng)
        box = jittered_box(face.points, 0.05, 0.08, self.rng)
        found = [predict(self.predictors[name], image, box), truth]
        for points in found[: 1 + int(self.rng.random() < 0.5)]:
            if seen < 0.5:
                yield Sample(image, points, error(points, others), 1.0, "other face")
            else:
                yield Sample(image, points, error(points, truth), seen, "other face")

    def _empty(self, face: Face, name: str) -> Iterator[Sample]:
        image = empty_picture(self.faces, self.wild, self.rng)
        height, width = image.shape
        side = min(height, width) * self.rng.uniform(0.25, 0.7)
        center = self.rng.uniform([side / 2] * 2, [width - side / 2, height - side / 2])
        box = square_boxes(center[None], np.array([side]))
        found = predict(self.predictors[name], image, box)
        yield Sample(image, found, np.nan, 0.0, "no face")
        if self.rng.random() < 0.5:  # a face's own points, on nothing
            truth = inner(face.points)
            low, high = truth.min(axis=0), truth.max(axis=0)
            placed = (truth - low) * (0.6 * side / (high - low).max()) + box[0, :2] + 0.2 * side
            yield Sample(image, placed.astype(np.float32), np.nan, 0.0, "no face")

    def samples(self, plan: dict[str, dict[str, float]]) -> Iterator[Sample]:
        """Yield samples; `plan` says how many a face of each kind and predictor, on average."""
        ways: dict[str, Callable[[Face, str], Iterator[Sample]]] = {
            "near": self._near,
            "far": self._far,
            "moved": self._moved,
            "alien": self._alien,
            "rotated": self._rotated,
            "half": self._half,
            "rectangle": self._rectangle,
            "other": self._other,
            "empty": self._empty,
        }
        for face in self.faces:
            shown = mirrored(face) if self.rng.random() < 0.5 else face
            for kind, amounts in plan.items():
                for name, amount in amounts.items():
                    for _ in range(int(amount + self.rng.random())):
                        yield from ways[kind](shown, name)
