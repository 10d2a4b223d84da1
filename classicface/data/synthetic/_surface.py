"""The mean head of the synthetic faces: a surface in centimetres, and where its landmarks lie.

x runs to the right of the picture, y down, z towards the camera; the origin is midway between the
eyes on the axis through the ears. The outer corners of the eyes are 9 cm apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

__all__ = ["head_surface", "inner_landmarks", "jaw_lines", "lathe", "smoothstep"]

Floats = NDArray[np.float64]

# Rings of the head from the crown to below the chin. Columns: height, half width, depth in front
# of the ears, depth behind them, and how much higher the ring runs at the side than in front.
_RINGS = np.array(
    [
        [-11.9, 0.2, 0.2, 0.2, 0.0],
        [-11.6, 2.6, 3.0, 3.2, 0.0],
        [-10.6, 4.9, 5.6, 6.2, 0.0],
        [-8.6, 6.7, 7.8, 8.6, 0.0],
        [-6.4, 7.4, 8.9, 9.5, 0.0],
        [-4.0, 7.6, 9.4, 9.8, 0.0],
        [-2.0, 7.6, 9.55, 9.8, 0.0],
        [0.0, 7.55, 9.3, 9.5, 0.0],
        [2.0, 7.5, 9.35, 9.0, 0.1],
        [4.0, 7.35, 9.45, 8.2, 0.4],
        [6.0, 7.15, 9.5, 7.2, 1.0],
        [7.5, 6.95, 9.5, 6.4, 1.7],
        [9.0, 6.7, 9.1, 5.6, 2.8],
        [10.3, 6.45, 8.75, 5.0, 4.1],
        [11.2, 6.2, 8.3, 4.6, 5.1],
        [11.7, 5.95, 7.6, 4.4, 5.7],
        [11.85, 5.4, 6.6, 4.2, 5.8],
        [11.7, 4.6, 5.2, 4.0, 5.6],
        [11.3, 3.6, 3.6, 3.8, 5.4],
    ]
)

# Hills and hollows of the face along z. Columns: |x|, y, height, width along x, width along y.
_BUMPS = np.array(
    [
        [0.0, -0.2, -0.25, 1.1, 1.0],  # nasion
        [2.9, -1.7, 0.35, 2.0, 0.7],  # brow ridge
        [3.1, 0.0, -0.95, 1.5, 1.0],  # eye socket
        [3.05, 0.0, 0.45, 0.95, 0.6],  # eye ball under the lids
        [4.7, 2.7, 0.45, 1.5, 1.4],  # cheek bone
        [1.3, 4.65, 0.75, 0.48, 0.5],  # wing of the nose
        [0.0, 4.2, 0.55, 0.65, 0.55],  # tip of the nose
        [0.0, 6.4, 0.15, 1.6, 1.0],  # upper jaw
        [0.0, 6.95, 0.45, 1.7, 0.38],  # upper lip
        [0.0, 7.47, -0.3, 2.0, 0.16],  # between the lips
        [0.0, 8.05, 0.45, 1.4, 0.4],  # lower lip
        [0.0, 9.1, -0.45, 1.4, 0.5],  # fold under the lip
        [0.0, 10.5, 0.55, 1.2, 0.8],  # chin
        [5.9, -2.6, -0.2, 1.0, 1.8],  # temple
    ]
)

# The ridge of the nose: height over the face by y.
_NOSE_Y = np.array([-1.4, -0.4, 0.4, 1.5, 2.8, 3.8, 4.3, 4.7, 5.1, 5.5, 6.0])
_NOSE_Z = np.array([0.0, 0.2, 0.5, 1.0, 1.55, 1.9, 1.95, 1.7, 0.95, 0.3, 0.0])

# Points 17 to 67 of the 68, one side: index, index in the mirror, x, y.
_INNER = np.array(
    [
        [17, 26, -5.35, -1.5],
        [18, 25, -4.55, -2.3],
        [19, 24, -3.5, -2.6],
        [20, 23, -2.4, -2.45],
        [21, 22, -1.3, -2.1],
        [27, 27, 0.0, -0.1],
        [28, 28, 0.0, 1.35],
        [29, 29, 0.0, 2.75],
        [30, 30, 0.0, 4.15],
        [31, 35, -1.5, 4.95],
        [32, 34, -0.8, 5.2],
        [33, 33, 0.0, 5.4],
        [36, 45, -4.5, 0.02],
        [37, 44, -3.65, -0.52],
        [38, 43, -2.6, -0.5],
        [39, 42, -1.65, 0.15],
        [40, 47, -2.6, 0.42],
        [41, 46, -3.6, 0.45],
        [48, 54, -2.55, 7.42],
        [49, 53, -1.6, 6.95],
        [50, 52, -0.6, 6.68],
        [51, 51, 0.0, 6.82],
        [57, 57, 0.0, 8.5],
        [58, 56, -0.75, 8.42],
        [59, 55, -1.65, 8.1],
        [60, 64, -2.25, 7.44],
        [61, 63, -0.8, 7.4],
        [62, 62, 0.0, 7.42],
        [66, 66, 0.0, 7.52],
        [67, 65, -0.8, 7.52],
    ]
)

# Each jaw point slides along a line on the surface, from (angle, ring) to (angle, ring), as the
# visible contour does; it stops where the line lies farthest along the given direction.
_JAW = np.array(
    [
        # angle, ring, angle, ring, direction x, direction y
        [-40, 7.1, -86, 7.1, -1.0, 0.0],
        [-40, 8.1, -86, 8.2, -1.0, 0.0],
        [-40, 9.3, -85, 9.55, -1.0, 0.1],
        [-40, 10.8, -82, 11.6, -1.0, 0.25],
        [-42, 11.9, -74, 14.6, -0.85, 0.5],
        [-36, 12.6, -56, 16.3, -0.7, 0.72],
        [-25, 13.0, -37, 16.6, -0.45, 0.9],
        [-12, 13.0, -17, 16.7, -0.2, 1.0],
        [0, 13.0, 0, 16.8, 0.0, 1.0],
    ],
    dtype=float,
)

#: Samples along each jaw line.
JAW_SAMPLES = 25


def smoothstep(values: Floats, low: float, high: float) -> Floats:
    """Return the smooth step from 0 at `low` to 1 at `high`."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def lathe(angles: Floats, rings: Floats, table: Floats) -> Floats:
    """Return points of a turned surface.

    Parameters
    ----------
    angles, rings : ndarray, same shape
        The angle about the vertical axis in radians (0 is in front) and the row of `table`,
        between rows by monotone cubic interpolation.
    table : ndarray, shape (n_rings, 5)
        Height, half width, depth in front, depth behind, lift at the side.

    Returns
    -------
    ndarray, shape (..., 3)
    """
    y, width, front, back, lift = np.moveaxis(
        PchipInterpolator(np.arange(len(table)), table)(rings), -1, 0
    )
    cosine = np.cos(angles)
    x = width * np.sin(angles)
    y = y - lift * (1.0 - np.maximum(cosine, 0.0)) ** 1.0
    return np.stack([x, y, np.where(cosine > 0, front, back) * cosine], axis=-1)


def head_surface(angles: Floats, rings: Floats) -> Floats:
    """Return points of the mean head, shape (..., 3), for angles in radians and rings 0 to 18."""
    points = lathe(angles, rings, _RINGS)
    x, y = points[..., 0], points[..., 1]
    height = np.zeros_like(x)
    for center_x, center_y, size, width, tall in _BUMPS:
        for side in (-1.0, 1.0) if center_x else (1.0,):
            across = (x - side * center_x) / width
            height += size * np.exp(-0.5 * (across**2 + ((y - center_y) / tall) ** 2))
    ridge = PchipInterpolator(_NOSE_Y, _NOSE_Z)(np.clip(y, _NOSE_Y[0], _NOSE_Y[-1]))
    half = 0.55 + 0.12 * np.clip(y, 0.0, 4.5)
    height += ridge * np.exp(-0.5 * (x / half) ** 2)
    front = smoothstep(np.cos(angles), 0.0, 0.5) * (rings < 15.5)
    points[..., 2] += height * front
    return points


def inner_landmarks() -> Floats:
    """Place points 17 to 67 on the mean surface; shape (51, 3), symmetric."""
    x, y = _INNER[:, 2:].T
    rings = np.linspace(0.0, 14.0, 1401)
    heights, widths, _, _, lifts = PchipInterpolator(np.arange(len(_RINGS)), _RINGS)(rings).T
    # The height of a ring changes little with the angle, so taking turns finds both.
    angle, ring = np.zeros_like(x), np.zeros_like(x)
    for _ in range(30):
        ring = np.interp(y + np.interp(ring, rings, lifts) * (1.0 - np.cos(angle)), heights, rings)
        angle = np.arcsin(x / np.interp(ring, rings, widths))
    places = np.column_stack([x, y, head_surface(angle, ring)[:, 2]])
    landmarks = np.empty((51, 3))
    landmarks[_INNER[:, 0].astype(int) - 17] = places
    landmarks[_INNER[:, 1].astype(int) - 17] = places * [-1.0, 1.0, 1.0]
    landmarks[[10, 11, 12, 13, 16, 34, 40, 45, 49], 0] = 0.0
    return landmarks


def jaw_lines() -> tuple[Floats, Floats]:
    """Return the lines of the jaw points, (17, JAW_SAMPLES, 3), and their directions, (17, 2)."""
    t = np.linspace(0.0, 1.0, JAW_SAMPLES)
    angles = np.radians(_JAW[:, :1] + (_JAW[:, 2:3] - _JAW[:, :1]) * t)
    rings = _JAW[:, 1:2] + (_JAW[:, 3:4] - _JAW[:, 1:2]) * t
    half = head_surface(angles, rings)
    lines = np.concatenate([half, half[7::-1] * [-1, 1, 1]])
    normals = np.concatenate([_JAW[:, 4:], _JAW[7::-1, 4:] * [-1, 1]])
    return lines, normals / np.linalg.norm(normals, axis=1, keepdims=True)
