"""Pictures of heatmaps: where a network sees each landmark, laid over the face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.plotting.drawing import _check_size, _draw_discs, _scaled
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.validation import check_image, check_integer, check_landmarks, check_number

__all__ = ["draw_heatmaps"]

# RGB of the regions in turn; neighbours on a face differ in hue.
_COLORS = np.array(
    [
        *((60, 200, 255), (255, 170, 40), (140, 255, 90), (255, 90, 200)),
        *((255, 240, 70), (170, 130, 255), (255, 80, 70)),
    ],
    np.float32,
)

# The face below is brought to this range of grey: colours stand out on bright skin then, and a
# dark face is seen.
_DARKEST, _BRIGHTEST = 14.0, 165.0

# Faces with less contrast than this, in grey values, are not stretched to the full range.
_LEAST_CONTRAST = 80.0


def draw_heatmaps(
    image: ArrayLike,
    maps: ArrayLike,
    scheme: LandmarkScheme | str | None = None,
    *,
    points: ArrayLike | None = None,
    landmarks: Sequence[int] | None = None,
    scale: float = 4.0,
) -> NDArray[np.uint8]:
    """Lay heatmaps over the face that they were computed from, in a colour for each region.

    Every map is shown relative to its own peak, so a spread-out one is as bright as a sharp one.

    Parameters
    ----------
    image : array-like
        The crop that the network saw; see `classicface.validation.check_image`.
    maps : array-like, shape (height, width, n_landmarks)
        The heatmaps, at least 0, of any size: they cover the whole crop.
    scheme : LandmarkScheme or str, optional
        Its regions give the colours; by default told from the number of maps. Without regions
        each landmark has the next colour.
    points : array-like, shape (n_landmarks, 2), optional
        Marked with white dots, (x, y) in pixels of the crop; missing ones (NaN) are left out.
    landmarks : sequence of int, optional
        The landmarks to show; by default all.
    scale : float, default 4.0
        Enlarge the crop before drawing, 0.05 to 32.

    Returns
    -------
    ndarray of uint8, shape (height * scale, width * scale, 3)
        RGB.

    Raises
    ------
    InvalidInputError
        Inputs of another shape, maps that are negative or not finite, a scheme with another
        number of points, a picture too large.
    """
    import cv2

    face = check_image(image)
    heat = np.asarray(maps, np.float32)
    if heat.ndim != 3 or heat.size == 0:
        raise InvalidInputError(
            f"the maps have shape {heat.shape}; expected (height, width, n_landmarks)"
        )
    if not np.isfinite(heat).all() or heat.min() < 0:
        raise InvalidInputError("the maps hold values that are negative or not finite")
    n_landmarks = heat.shape[2]
    chosen = get_scheme(n_landmarks if scheme is None else scheme)
    if chosen.n_landmarks != n_landmarks:
        raise InvalidInputError(
            f"scheme {chosen.name} has {chosen.n_landmarks} points; there are {n_landmarks} maps"
        )
    shown = range(n_landmarks) if landmarks is None else landmarks
    shown = [check_integer(i, "landmarks", 0, n_landmarks - 1) for i in shown]
    scale = check_number(scale, "scale", 0.05, 32.0)
    marks = None if points is None else check_landmarks(points, n_landmarks)
    if marks is not None and marks.ndim != 2:
        raise InvalidInputError(f"points have shape {marks.shape}; expected one face")
    height, width = (max(1, round(n * scale)) for n in face.shape)
    _check_size(height, width)
    size = (width, height)
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    below = _evened(cv2.resize(face, size, interpolation=method))[:, :, None]
    left, mixed, total = np.ones_like(below), np.zeros((height, width, 3), np.float32), 1e-6
    for color, of_region in _regions(chosen, shown):
        glow = _glow(heat[:, :, of_region])
        cover = np.clip(cv2.resize(glow, size, interpolation=cv2.INTER_CUBIC), 0, 1)[:, :, None]
        left *= 1 - cover
        mixed += cover * color
        total = total + cover
    picture = np.rint(left * below + (1 - left) * mixed / total).astype(np.uint8)
    if marks is not None:
        _draw_points(picture, _scaled(marks[shown], scale))
    return picture


def _evened(face: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bring a face to the range of grey that colours stand out from."""
    low, high = np.percentile(face, (1, 99))
    middle, half = (low + high) / 2, max(high - low, _LEAST_CONTRAST) / 2
    share = np.clip((face.astype(np.float32) - (middle - half)) / (2 * half), 0, 1)
    evened: NDArray[np.float32] = _DARKEST + (_BRIGHTEST - _DARKEST) * share
    return evened


def _regions(
    scheme: LandmarkScheme, shown: Sequence[int]
) -> list[tuple[NDArray[np.float32], list[int]]]:
    """Return the colours with the landmarks that they are for."""
    of_landmark = {i: k for k, region in enumerate(scheme.regions.values()) for i in region}
    found: dict[int, list[int]] = {}
    for i in shown:
        found.setdefault(of_landmark.get(i, i) % len(_COLORS), []).append(i)
    return [(_COLORS[k], indices) for k, indices in sorted(found.items())]


def _glow(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far landmarks cover what is below them, 0 to 1: the strongest at each place."""
    peaks = np.maximum(heat.max(axis=(0, 1)), np.float32(1e-30))
    glow: NDArray[np.float32] = 0.9 * (heat / peaks).max(axis=2)
    return glow


def _draw_points(picture: NDArray[np.uint8], points: NDArray[np.float64]) -> None:
    radius = max(1.0, 0.0035 * max(picture.shape[:2]))
    present = points[~np.isnan(points[:, 0])]
    for ink, size in (((15, 15, 15), radius + 0.8), ((255, 255, 255), radius)):
        _draw_discs(picture, present, size, ink)
