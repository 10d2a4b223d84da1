"""Annotated faces, and pictures in which they are spoiled, covered, or not there."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from skimage import data as pictures

from classicface import load_dataset
from classicface.data.synthetic import synthetic_faces
from classicface.data.synthetic._scene import background
from classicface.shape.schemes import SCHEMES, convert_landmarks
from classicface.validation import check_image

OUTER_EYE_CORNERS = (19, 28)  # of the inner 49


class Face(NamedTuple):
    """A picture with one annotated face; `person` tells apart who must not be in two splits."""

    image: np.ndarray
    points: np.ndarray  # (68, 2)
    person: str
    source: str
    video: str = ""


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
    """Return the frames of YouTube Faces: Name_VF.jpg is frame F of the person's video V."""
    found = load_dataset(folder / "ytf" / "training_frames_keypoints.csv")
    return [
        Face(image, points, Path(name).stem.rpartition("_")[0], "ytf", Path(name).stem[:-1])
        for image, points, name in zip(found.images, found.landmarks, found.names, strict=True)
    ]


def drawn(count: int, seed: int, per_person: int = 1) -> list[Face]:
    """Return synthetic faces; those of one person count as one video."""
    found = synthetic_faces(
        count, random_state=seed, max_yaw=40.0, occlusion=0.0, faces_per_person=per_person
    )
    faces = zip(found.images, found.landmarks, found.groups, strict=True)
    return [Face(image, points, group, "drawn", group) for image, points, group in faces]


def mirrored(face: Face) -> Face:
    points = face.points[list(SCHEMES["ibug68"].mirror)].copy()
    points[:, 0] = face.image.shape[1] - 1 - points[:, 0]
    return face._replace(image=np.ascontiguousarray(face.image[:, ::-1]), points=points)


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
    """Return pictures without a face (scikit-image's), others for training than for measuring."""
    names = (
        ("coffee", "gravel", "brick", "hubble_deep_field", "page", "moon")
        if training
        else ("rocket", "grass", "text", "coins", "cat")
    )
    return [check_image(getattr(pictures, name)()) for name in names]


def empty_picture(
    faces: list[Face], wild: list[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Return a picture without a face: noise, one grey, a scene, drawn or shuffled."""
    kind = rng.random()
    if kind < 0.07:
        return rng.integers(0, 256, (160, 160)).astype(np.uint8)
    if kind < 0.11:
        blank = np.full((160, 160), rng.integers(256), np.float32)
        blank += rng.uniform(0, 6) * rng.standard_normal(blank.shape)
        return np.clip(blank, 0, 255).astype(np.uint8)
    if kind < 0.16:
        return np.full((160, 160), rng.integers(256), np.uint8)
    if kind < 0.19:  # the line of a picture, as the border of a picture is repeated
        image = faces[rng.integers(len(faces))].image
        line = image[rng.integers(len(image))]
        stripes = np.repeat(line[None], len(line), axis=0)
        return np.ascontiguousarray(np.rot90(stripes, rng.integers(2)))
    if kind < 0.23:
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
