"""Where the labels of points stand, so that they cover neither each other nor what is drawn."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["place_labels"]

Floats = NDArray[np.float64]

#: How far a label may stand from its point, in pixels.
_GAPS = (7.0, 13.0, 22.0, 34.0, 50.0, 70.0)
_ROUNDS = 6

# What a pixel of distance costs, what overlapping area costs: things drawn, labels, outside.
_FAR, _COVERED, _CLASHING, _OUTSIDE = 1.0, 1.0, 6.0, 30.0


def place_labels(
    anchors: Floats, sizes: Floats, obstacles: Floats, frame: tuple[float, float, float, float]
) -> Floats:
    """Place the labels one after the other, then again with the others where they are.

    Parameters
    ----------
    anchors : ndarray, shape (n, 2)
        The points, in pixels.
    sizes : ndarray, shape (n, 2)
        Width and height of the labels.
    obstacles : ndarray, shape (m, 4)
        Boxes x0, y0, x1, y1 that should stay free.
    frame : tuple of float
        The box in which the labels stand.

    Returns
    -------
    ndarray, shape (n, 4)
        The boxes of the labels.
    """
    choices = [_candidates(anchor, size) for anchor, size in zip(anchors, sizes, strict=True)]
    fixed = [
        _FAR * distance + _COVERED * _overlap(boxes, obstacles) + _OUTSIDE * _outside(boxes, frame)
        for boxes, distance in choices
    ]
    placed = np.full((len(anchors), 4), np.nan)
    for _ in range(_ROUNDS):
        before = placed.copy()
        for i, (boxes, _distance) in enumerate(choices):
            others = np.delete(placed, i, axis=0)
            others = others[~np.isnan(others[:, 0])]
            cost = fixed[i] + _CLASHING * _overlap(boxes, others)
            placed[i] = boxes[np.argmin(cost)]
        if np.array_equal(before, placed):
            break
    return placed


def _candidates(anchor: Floats, size: Floats) -> tuple[Floats, Floats]:
    """Return the boxes that a label may take, and how far each is from the point."""
    angles = np.deg2rad([0, 180, 90, 270, 45, 315, 135, 225, 20, 340, 160, 200])
    boxes, distances = [], []
    for gap in _GAPS:
        for angle in angles.tolist():
            direction = np.array([math.cos(angle), math.sin(angle)])
            reach = np.clip(direction * 1.5, -1, 1)
            center = anchor + reach * size / 2 + direction * gap
            boxes.append([*(center - size / 2), *(center + size / 2)])
            distances.append(gap)
    return np.array(boxes), np.array(distances)


def _overlap(boxes: Floats, others: Floats) -> Floats:
    """Return the area that each box shares with all the others."""
    if len(others) == 0:
        return np.zeros(len(boxes))
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.prod(np.maximum(high - low, 0), axis=2).sum(axis=1)


def _outside(boxes: Floats, frame: tuple[float, float, float, float]) -> Floats:
    """Return by how many pixels each box leaves the frame."""
    low, high = np.array(frame[:2]), np.array(frame[2:])
    return (np.maximum(low - boxes[:, :2], 0) + np.maximum(boxes[:, 2:] - high, 0)).sum(axis=1)
