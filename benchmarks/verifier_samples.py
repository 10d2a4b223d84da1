"""Faces, what is no face, and points on both: what the face verifier is trained and measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from skimage import data as pictures

from classicface import LandmarkPredictor, PointDistributionModel, load_dataset
from classicface.data.synthetic import synthetic_faces
from classicface.data.synthetic._scene import background
from classicface.shape.boxes import box_centers_sides, landmark_box, square_boxes
from classicface.shape.schemes import SCHEMES, convert_landmarks
from classicface.shape.similarity import apply_similarity, fit_similarity
from classicface.validation import check_image

INNER = list(range(17, 60)) + list(range(61, 64)) + list(range(65, 68))
OUTER_EYE_CORNERS = (19, 28)  # of the inner 49


class Face(NamedTuple):
    """A picture with one annotated face; `person` tells apart who must not be in two splits."""

    image: np.ndarray
    points: np.ndarray  # (68, 2)
    person: str
    source: str


class Sample(NamedTuple):
    """Points to judge: in which picture, how far off (NaN: on no face), what share is visible."""

    image: np.ndarray
    points: np.ndarray  # (49, 2)
    error: float
    visible: float
    kind: str


def inner(points: np.ndarray) -> np.ndarray:
    return convert_landmarks(points, "ibug68", "ibug49")


def eye_distance(points49: np.ndarray) -> float:
    left, right = OUTER_EYE_CORNERS
    return float(np.linalg.norm(points49[left] - points49[right]))


def error(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean error of the inner points, over the distance of the outer eye corners."""
    distances = np.linalg.norm(predicted - truth, axis=1)
    return float(distances.mean()) / max(eye_distance(truth), 1e-6)


def helen(folder: Path, part: str) -> list[Face]:
    """Return the faces of HELEN; each picture is a person."""
    found = load_dataset(folder / "300w" / "helen" / part)
    return [
        Face(image, points, name, "helen")
        for image, points, name in zip(found.images, found.landmarks, found.names, strict=True)
    ]


def youtube(folder: Path) -> list[Face]:
    """Return the frames of YouTube Faces."""
    found = load_dataset(folder / "ytf" / "training_frames_keypoints.csv")
    return [
        Face(image, points, Path(name).stem.rpartition("_")[0], "ytf")
        for image, points, name in zip(found.images, found.landmarks, found.names, strict=True)
    ]


def drawn(count: int, seed: int) -> list[Face]:
    """Return synthetic faces."""
    found = synthetic_faces(count, random_state=seed, margin=0.6, occlusion=0.0)
    return [
        Face(image, points, f"drawn{seed}-{i}", "drawn")
        for i, (image, points) in enumerate(zip(found.images, found.landmarks, strict=True))
    ]


def mirrored(face: Face) -> Face:
    points = face.points[list(SCHEMES["ibug68"].mirror)].copy()
    points[:, 0] = face.image.shape[1] - 1 - points[:, 0]
    return face._replace(image=np.ascontiguousarray(face.image[:, ::-1]), points=points)


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


def spoiled(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a picture as a bad camera gives it: dark, flat, blurred, noisy, coarse, compressed."""
    image = image.astype(np.float32)
    choice = rng.integers(6)
    if choice == 0:
        image = image * rng.uniform(0.2, 0.7) + rng.uniform(0, 60)
    elif choice == 1:
        image = 255 * (image / 255) ** rng.uniform(0.4, 2.5)
    elif choice == 2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.01, 0.03) * min(image.shape) / 2)
    elif choice == 3:
        image = image + rng.uniform(3, 20) * rng.standard_normal(image.shape, np.float32)
    elif choice == 4:
        small = max(int(min(image.shape) * rng.uniform(0.2, 0.5)), 48)
        size = (
            small * image.shape[1] // min(image.shape),
            small * image.shape[0] // min(image.shape),
        )
        image = cv2.resize(cv2.resize(image, size, interpolation=cv2.INTER_AREA), image.shape[::-1])
    image = np.clip(image + 0.5, 0, 255).astype(np.uint8)
    if choice == 5:
        _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(8, 40))])
        image = cv2.imdecode(code, cv2.IMREAD_GRAYSCALE)
    return image


def shuffled(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a picture whose tiles changed places: natural texture without a face."""
    tile = int(min(image.shape) * rng.uniform(0.1, 0.24))
    rows, columns = image.shape[0] // tile, image.shape[1] // tile
    tiles = [
        image[r * tile : (r + 1) * tile, c * tile : (c + 1) * tile]
        for r in range(rows)
        for c in range(columns)
    ]
    order = rng.permutation(len(tiles))
    out = np.empty((rows * tile, columns * tile), np.uint8)
    for place, which in enumerate(order):
        r, c = divmod(place, columns)
        part = tiles[which]
        if rng.random() < 0.5:
            part = part[::-1]
        out[r * tile : (r + 1) * tile, c * tile : (c + 1) * tile] = part
    return out


def scenes(training: bool) -> list[np.ndarray]:
    """Return pictures without a face (scikit-image's), others for training than for testing."""
    names = (
        ("coffee", "gravel", "brick", "hubble_deep_field", "page", "moon", "immunohistochemistry")
        if training
        else ("rocket", "grass", "text", "retina", "coins", "cat")
    )
    return [check_image(getattr(pictures, name)()) for name in names]


def empty_picture(
    faces: list[Face], wild: list[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Return a picture without a face: noise, one grey, a scene, drawn or shuffled."""
    kind = rng.random()
    if kind < 0.08:
        return rng.integers(0, 256, (160, 160)).astype(np.uint8)
    if kind < 0.14:
        blank = np.full((160, 160), rng.integers(256), np.float32)
        blank += rng.uniform(0, 6) * rng.standard_normal(blank.shape)
        return np.clip(blank, 0, 255).astype(np.uint8)
    if kind < 0.2:
        noise = cv2.GaussianBlur(rng.random((160, 160), np.float32), (0, 0), rng.uniform(1, 12))
        return np.clip(255 * (noise - noise.min()) / np.ptp(noise), 0, 255).astype(np.uint8)
    if kind < 0.35:
        return check_image(background(160, 160, rng))
    if kind < 0.6:
        scene = wild[rng.integers(len(wild))]
        side = int(min(scene.shape) * rng.uniform(0.25, 0.9))
        y, x = (int(rng.integers(n - side + 1)) for n in scene.shape)
        return np.ascontiguousarray(scene[y : y + side, x : x + side])
    return shuffled(faces[rng.integers(len(faces))].image, rng)


def behind_a_rectangle(face: Face, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Return the picture with a rectangle before the face, and the share of points still seen."""
    image, points = face.image.copy(), inner(face.points)
    low, high = points.min(axis=0), points.max(axis=0)
    half = float((high - low).max()) * rng.uniform(0.15, 0.8, 2)
    center = rng.uniform(low, high)
    x0, y0 = np.maximum(center - half, 0).astype(int)
    x1, y1 = (center + half).astype(int) + 1
    part = image[y0:y1, x0:x1]
    part[:] = rng.integers(256)
    if rng.random() < 0.5:
        noise = rng.standard_normal(part.shape) * rng.uniform(2, 40)
        part[:] = np.clip(part + noise, 0, 255).astype(np.uint8)
    hidden = ((points >= (x0, y0)) & (points < (x1, y1))).all(axis=1)
    return image, 1 - float(hidden.mean())


def behind_a_face(
    face: Face, donor: Face, rng: np.random.Generator
) -> tuple[np.ndarray, float, np.ndarray]:
    """Return the picture with a donor's face before the face, and where the donor's points are.

    Between them, the share of the face's points that are still seen.
    """
    points = inner(face.points)
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max())
    middle, size = donor.points.mean(axis=0), float(np.ptp(donor.points, axis=0).max())
    scale = side / size * rng.uniform(1.1, 2.0)
    shift = rng.uniform(low, high) + rng.normal(0, 0.1 * side, 2) - scale * middle
    shape = face.image.shape[::-1]
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    pasted = cv2.warpAffine(donor.image, matrix, shape)
    hull = donor.points + 0.25 * (donor.points - middle)
    hull[:, 1] -= 0.15 * size * (hull[:, 1] < middle[1])  # the forehead
    outline = cv2.convexHull((hull * scale + shift).astype(np.float32)).astype(np.int32)
    mask = cv2.fillConvexPoly(np.zeros(face.image.shape, np.uint8), outline, 1)
    columns, rows = np.clip(np.rint(points), 0, np.subtract(shape, 1)).astype(int).T
    seen = 1 - float(mask[rows, columns].mean())
    return np.where(mask > 0, pasted, face.image), seen, inner(donor.points) * scale + shift


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
            off, off_others = error(points, truth), error(points, others)
            if seen < 0.5 and off_others < off:
                yield Sample(image, points, off_others, 1.0, "other face")
            else:
                yield Sample(image, points, off, seen, "other face")

    def _empty(self, face: Face, name: str) -> Iterator[Sample]:
        image = empty_picture(self.faces, self.wild, self.rng)
        height, width = image.shape
        side = min(height, width) * self.rng.uniform(0.25, 0.7)
        center = self.rng.uniform([side / 2] * 2, [width - side / 2, height - side / 2])
        box = square_boxes(center[None], np.array([side]))
        found = predict(self.predictors[name], image, box)
        yield Sample(image, found, np.nan, 0.0, "no face")

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
