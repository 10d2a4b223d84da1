"""What is around a synthetic face and what the camera adds: background, things in front, noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from classicface.data.synthetic._paint import SHIFT

__all__ = ["background", "camera", "occlude"]

Picture = NDArray[np.uint8]


def background(height: int, width: int, rng: np.random.Generator) -> Picture:
    """Return a blurred scene of clouds, patches and bars, shape (height, width, 3)."""
    scene = np.empty((height, width, 3), np.float32)
    scene[:] = _muted(rng)
    detail = rng.uniform(0.3, 1.0)
    for cells, amount in ((2, 70.0), (5, 45.0), (16, 28.0 * detail), (48, 16.0 * detail)):
        clouds = rng.uniform(-1.0, 1.0, (cells, cells, 3)).astype(np.float32)
        clouds = 0.85 * clouds.mean(axis=2, keepdims=True) + 0.15 * clouds
        scene += amount * cv2.resize(clouds, (width, height), interpolation=cv2.INTER_LINEAR)
    picture = np.clip(scene, 0, 255).astype(np.uint8)
    size = max(height, width)
    for _ in range(rng.integers(7)):
        color = _muted(rng).tolist()
        x, y = (rng.uniform(-0.1, 1.1, 2) * [width, height] * (1 << SHIFT)).astype(int).tolist()
        if rng.random() < 0.5:
            axes = (rng.uniform(0.02, 0.25, 2) * size * (1 << SHIFT)).astype(int).tolist()
            angle = rng.uniform(0.0, 180.0)
            cv2.ellipse(picture, (x, y), axes, angle, 0, 360, color, -1, cv2.LINE_AA, SHIFT)
        else:
            end = (rng.uniform(-0.2, 1.2, 2) * [width, height] * (1 << SHIFT)).astype(int).tolist()
            thickness = max(1, int(rng.uniform(0.01, 0.12) * size))
            cv2.line(picture, (x, y), end, color, thickness, cv2.LINE_AA, SHIFT)
    blur = rng.uniform(0.0, 0.015) * size
    return cv2.GaussianBlur(picture, (0, 0), blur) if blur > 0.3 else picture


def _muted(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return an RGB colour that is more grey than bright."""
    return np.clip(rng.uniform(15.0, 235.0) + rng.normal(0.0, 22.0, 3), 5.0, 250.0)


def occlude(
    picture: Picture, landmarks: NDArray[np.floating], rng: np.random.Generator, skin: list[float]
) -> None:
    """Put fingers or a bar in front of a part of a face, in place.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
    landmarks : ndarray, shape (68, 2)
        In pixels; tell where the face is and how large.
    rng : numpy.random.Generator
    skin : list of float
        The RGB of the fingers.
    """
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    side = float((high - low).max())
    target = landmarks[rng.integers(68)]
    away = target - (low + high) / 2 + rng.normal(0.0, 0.15 * side, 2)
    angle = np.arctan2(away[1], away[0]) + rng.normal(0.0, 0.3)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    fingers = rng.random() < 0.6
    count = int(rng.integers(2, 5)) if fingers else 1
    width = side * (rng.uniform(0.07, 0.1) if fingers else rng.uniform(0.1, 0.25))
    color = np.array(skin) * rng.uniform(0.75, 1.05) if fingers else _muted(rng)
    for k in range(count):
        start = target + across * width * 1.05 * (k - (count - 1) / 2)
        start = start - along * side * rng.uniform(0.0, 0.1)
        ends = np.stack([start, start + along * 1.2 * side])
        ends = np.round(ends * (1 << SHIFT)).astype(int).tolist()
        for shade, share in ((0.6, 1.0), (1.0, 0.8)):
            tone = np.clip(color * shade, 0, 255).tolist()
            thickness = max(1, int(width * share))
            cv2.line(picture, ends[0], ends[1], tone, thickness, cv2.LINE_AA, SHIFT)


def camera(picture: Picture, rng: np.random.Generator) -> Picture:
    """Return the picture as a middling camera would give it: tone curve, blur, noise."""
    tones = np.linspace(0.0, 1.0, 256) ** rng.uniform(0.8, 1.25)
    contrast, lift = rng.uniform(0.75, 1.1), rng.uniform(-0.06, 0.08)
    tones = np.clip(255.0 * (0.5 + contrast * (tones - 0.5) + lift), 0, 255).astype(np.uint8)
    picture = cv2.LUT(picture, tones)
    height, width = picture.shape[:2]
    blur = rng.uniform(0.0, 0.006) * max(height, width)
    if blur > 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    noise = rng.uniform(0.5, 5.0) * rng.standard_normal((*picture.shape[:2], 1), np.float32)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)
