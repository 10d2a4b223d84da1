"""Faces over time for bench_jitter.py: still ones under noise, moving ones, blinks and lips.

Still faces: one picture again and again with fresh sensor noise, followed by a model from the box
of its last points. Moving faces: the same pictures moved under the camera. Blinks, lips, turning
heads: exact points of synthetic faces, with the trembling added that was measured on still ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from classicface import LandmarkPredictor
from classicface.data.synthetic import FaceParameters, blink_lids, draw_face, random_face
from classicface.image.io import list_images, read_image
from classicface.shape.boxes import box_centers_sides, landmark_box

SIDE = 150.0  # of a face, in pixels
CANVAS = 360
NOISES = (2, 5, 10)  # grey levels
RATES = (15, 30, 60)  # frames a second
LOST = 0.02  # of a face: a still one whose points drift farther was lost, which no filter mends
BLINKS = (0.7, 1.3, 1.9)

Way = Callable[[float], tuple[float, float, float, float]]  # x and y in faces, degrees, scale


class Sequence(NamedTuple):
    """Points over time; `true` is what a filter without lag would give."""

    kind: str
    times: np.ndarray
    points: np.ndarray
    true: np.ndarray


def ramp(t: float) -> float:
    """Return the way of a face that rests, goes for a second, and rests."""
    return float(np.clip(t - 0.7, 0, 1))


def wave(t: float, frequency: float) -> float:
    return float(np.sin(2 * np.pi * frequency * t))


MOTIONS: dict[str, Way] = {
    "0.1 faces/s": lambda t: (0.1 * ramp(t), 0, 0, 1),
    "0.25 faces/s": lambda t: (0.25 * ramp(t), 0, 0, 1),
    "0.5 faces/s": lambda t: (0.5 * ramp(t), 0, 0, 1),
    "1 face/s": lambda t: (ramp(t), 0, 0, 1),
    "swaying, 0.5 Hz": lambda t: (0.2 * wave(t, 0.5), 0.05 * wave(t, 0.5), 0, 1),
    "swaying, 1 Hz": lambda t: (0.15 * wave(t, 1), 0.05 * wave(t, 1), 0, 1),
    "swaying, 2 Hz": lambda t: (0.08 * wave(t, 2), 0.03 * wave(t, 2), 0, 1),
    "coming nearer": lambda t: (0, 0, 0, 1 + 0.4 * ramp(t)),
    "rolling": lambda t: (0, 0, 20 * wave(t, 0.5), 1),
}

ACTS: dict[str, Callable[[FaceParameters, float], FaceParameters]] = {
    "turning": lambda face, t: face.replace(yaw=25 * wave(t, 0.5)),
    "nodding": lambda face, t: face.replace(pitch=12 * wave(t, 1)),
    "blink": lambda face, t: face.replace(eyes_closed=(blink_lids(t, BLINKS),) * 2),
    "mouth": lambda face, t: face.replace(mouth_open=0.5 - 0.5 * float(np.cos(4 * np.pi * t))),
}


def read_pictures(data: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return pictures around faces of about the same size, with their points: synthetic last.

    The settings of `OneEuroFilter` were chosen on other faces.
    """
    found = []
    for folder, start, step in (("300w/helen/testset", 14, 28), ("photos", 6, 1)):
        for path in list_images(data / folder)[start::step] if (data / folder).is_dir() else []:
            points = np.loadtxt(path.with_suffix(".pts"), skiprows=3, comments="}") - 1
            found.append((read_image(path), points))
    for seed in range(20, 28):
        picture, landmarks = draw_face(random_face(seed), size=CANVAS, face_size=SIDE)
        found.append((cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), landmarks.astype(np.float64)))
    return [(moved(*pair, (0, 0, 0, 1))) for pair in found]


def moved(
    picture: np.ndarray, points: np.ndarray, place: tuple[float, float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Move a face to a place of the canvas, scaled to the usual size."""
    (center,), (side,) = box_centers_sides(landmark_box(points[None].astype(np.float32)))
    x, y, roll, scale = place
    middle = (float(center[0]), float(center[1]))
    warp = cv2.getRotationMatrix2D(middle, roll, scale * SIDE / side)
    warp[:, 2] += np.array([CANVAS / 2 + (x - 0.3) * SIDE, CANVAS / 2 + y * SIDE]) - center
    shrunk = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    seen = cv2.warpAffine(
        picture, warp, (CANVAS, CANVAS), flags=shrunk, borderMode=cv2.BORDER_REPLICATE
    )
    return seen, points @ warp[:, :2].T + warp[:, 2]


def follow(model: LandmarkPredictor, frames: Iterator[np.ndarray], first: np.ndarray) -> np.ndarray:
    found, box = [], landmark_box(first[None].astype(np.float32))
    for frame in frames:
        points = model.predict(frame, box)
        box = landmark_box(points)
        found.append(points[0])
    return np.array(found, np.float64)


def noisy(picture: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    grain = sigma * rng.standard_normal(picture.shape, np.float32)
    return np.clip(picture + grain + 0.5, 0, 255).astype(np.uint8)


def face_size(points: np.ndarray) -> float:
    return float(np.ptp(points[0], axis=0).max())


def drift(points: np.ndarray) -> float:
    """Return how far points are from their mean over time, RMS, in sizes of the face."""
    apart = points - points.mean(axis=0)
    return float(np.sqrt((apart**2).sum(axis=-1).mean())) / face_size(points)


def record(
    model: LandmarkPredictor, pictures: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[dict[int, list[np.ndarray]], dict[int, list[Sequence]]]:
    """Return still faces by noise and moving ones by frame rate."""
    rng = np.random.default_rng(0)
    still: dict[int, list[np.ndarray]] = {}
    for sigma in NOISES:
        followed = [
            follow(model, (noisy(picture, sigma, rng) for _ in range(105)), points)
            for picture, points in pictures
        ]
        still[sigma] = [points for points in followed if drift(points) < LOST]
        print(
            f"noise {sigma}: {len(still[sigma])} of {len(followed)} still faces were kept in view"
        )
    moving: dict[int, list[Sequence]] = {rate: [] for rate in RATES}
    for rate in RATES:
        times = np.arange(int(2.5 * rate)) / rate
        for kind, way in MOTIONS.items():
            for picture, points in pictures[::5]:
                places = [way(t) for t in times]
                frames = (noisy(moved(picture, points, at)[0], 5, rng) for at in places)
                found = follow(model, frames, moved(picture, points, places[0])[1])
                moving[rate].append(Sequence(kind, times, found, found))
        for seed in (5, 9):
            person = random_face(seed, expression=0).replace(yaw=0, pitch=0, roll=0)
            for kind, act in ACTS.items():
                exact = np.array([draw_face(act(person, t), size=64)[1] for t in times], float)
                exact *= SIDE / face_size(exact)
                for tremble in still[5][seed % 8 :: 8]:
                    shake = np.resize(tremble - tremble.mean(axis=0), exact.shape)
                    shake *= face_size(exact) / face_size(tremble)
                    moving[rate].append(Sequence(kind, times, exact + shake, exact))
    return still, moving
