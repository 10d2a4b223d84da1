"""Painting on a float picture with soft, sub-pixel masks: polygons, strokes and smooth curves."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SHIFT", "blend", "curve", "fill", "polygon_mask", "stroke", "tint"]

Floats = NDArray[np.float64]
Picture = NDArray[np.float32]
#: A window of a picture and how much of each of its pixels is covered, 0 to 1.
Mask = tuple[tuple[slice, slice], NDArray[np.float32]]

#: Fractional bits of the coordinates that OpenCV draws with.
SHIFT = 4


@functools.lru_cache(maxsize=32)
def _curve_matrix(n_points: int, n_samples: int) -> Floats:
    """Return the matrix, (n_samples, n_points), of a Catmull-Rom curve through points."""
    t = np.linspace(0.0, n_points - 1.0, n_samples)
    k = np.minimum(t.astype(int), n_points - 2)
    u = t - k
    weights = np.stack(
        [
            (-u + 2 * u**2 - u**3) / 2,
            (2 - 5 * u**2 + 3 * u**3) / 2,
            (u + 4 * u**2 - 3 * u**3) / 2,
            (-(u**2) + u**3) / 2,
        ]
    )
    matrix = np.zeros((n_samples, n_points + 2))
    for j in range(4):
        np.add.at(matrix, (np.arange(n_samples), k + j), weights[j])
    # The points before the first and after the last continue the line straight on.
    ends = matrix[:, 1:-1].copy()
    ends[:, 0] += 2 * matrix[:, 0]
    ends[:, 1] -= matrix[:, 0]
    ends[:, -1] += 2 * matrix[:, -1]
    ends[:, -2] -= matrix[:, -1]
    return ends


def curve(points: Floats, n_samples: int = 16) -> Floats:
    """Return a smooth curve, shape (n_samples, 2), through points, shape (n, 2)."""
    return _curve_matrix(len(points), n_samples) @ points


def polygon_mask(shape: Sequence[int], polygon: Floats, soft: float = 0.0) -> Mask | None:
    """Return the window and cover of a polygon in a picture, or None where it lies outside.

    Parameters
    ----------
    shape : (height, width, ...)
    polygon : ndarray, shape (n, 2)
    soft : float
        Standard deviation of a blur of the edge, in pixels.
    """
    return _mask(shape, polygon, 1.0 + 3.0 * soft, soft, None)


def _mask(
    shape: Sequence[int], points: Floats, margin: float, soft: float, thickness: int | None
) -> Mask | None:
    low = np.floor(points.min(axis=0) - margin - 1).astype(int)
    high = np.ceil(points.max(axis=0) + margin + 2).astype(int)
    x0, y0 = max(0, low[0]), max(0, low[1])
    x1, y1 = min(shape[1], high[0]), min(shape[0], high[1])
    if x1 <= x0 or y1 <= y0:
        return None
    cover = np.zeros((y1 - y0, x1 - x0), np.uint8)
    fixed = np.round((points - [x0, y0]) * (1 << SHIFT)).astype(np.int32)
    if thickness is None:
        cv2.fillPoly(cover, [fixed], 255, cv2.LINE_AA, SHIFT)
    else:
        cv2.polylines(cover, [fixed], False, 255, thickness, cv2.LINE_AA, SHIFT)
    if soft > 0.2:
        cover = cv2.GaussianBlur(cover, (0, 0), soft)
    return (slice(y0, y1), slice(x0, x1)), cover.astype(np.float32) / np.float32(255)


def blend(picture: Picture, mask: Mask | None, color: object, opacity: float = 1.0) -> None:
    """Lay a colour, or a picture of the window's size, over a picture through a mask."""
    if mask is None:
        return
    window, cover = mask
    region = picture[window]
    region += (np.float32(opacity) * cover)[..., None] * (np.asarray(color, np.float32) - region)


def fill(
    picture: Picture, polygon: Floats, color: object, opacity: float = 1.0, soft: float = 0.0
) -> None:
    """Fill a polygon with a colour."""
    blend(picture, polygon_mask(picture.shape, polygon, soft), color, opacity)


def tint(picture: Picture, mask: Mask | None, ratio: object, opacity: float = 1.0) -> None:
    """Multiply the picture by an RGB ratio through a mask, so that its shading stays."""
    if mask is None:
        return
    window, cover = mask
    change = np.asarray(ratio, np.float32) - np.float32(1)
    picture[window] *= 1 + (np.float32(opacity) * cover)[..., None] * change


def stroke(
    picture: Picture,
    line: Floats,
    width: float,
    ratio: object,
    opacity: float = 1.0,
    soft: float = 0.0,
) -> None:
    """Darken the picture along a line, as `tint`; a line under a pixel wide is fainter instead."""
    thickness = max(1, round(width))
    mask = _mask(picture.shape, line, width + 3.0 * soft, soft, thickness)
    tint(picture, mask, ratio, opacity * min(1.0, width))
