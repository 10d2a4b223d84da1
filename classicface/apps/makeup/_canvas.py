"""The canvas of make-up: a face cut out of its picture at a workable size, and curves over it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.apps.makeup._face import Face
from classicface.apps.makeup._kernels import distance_to_curve, flip_outside, rgb_to_lab, spline
from classicface.shape.parts import FaceParts

__all__ = ["Canvas", "Layer", "Steady", "Window", "open_curve", "ramp", "smooth_loop"]

Floats = NDArray[np.float32]
#: Rows and columns of a part of the canvas.
Window = tuple[slice, slice]
#: Takes the name of a colour statistic and its value in this picture; gives that to be used.
Steady = Callable[[str, NDArray[np.float64] | None], NDArray[np.float64] | None]

#: Masks and colour statistics are worked out on canvases with at most this side; a larger window is
#: scaled down. Masks are soft, so that little is lost, and neither time nor memory grows.
_MAX_SIDE = 640


@dataclass(frozen=True, eq=False)
class Layer:
    """What one kind of make-up does to a window of the canvas.

    Attributes
    ----------
    window : Window
    weights : ndarray of float32, shape (h, w) or (h, w, 7)
        Where the ink lies, 0 to 1; or where `ink` is None, what the kernel `smooth` takes.
    ink : ndarray of float32, shape (9,), or None
        As the kernel `paint` takes it.
    """

    window: Window
    weights: Floats
    ink: Floats | None = None


@dataclass(frozen=True, eq=False)
class Canvas:
    """A window of the picture in which a face, or a part of it, is made up.

    Attributes
    ----------
    face : Face
    points : ndarray of float32, shape (n_landmarks, 2)
        In canvas pixels; NaN where missing.
    unit : float
        That of the face, in canvas pixels.
    lab : ndarray of float32, shape (height, width, 3)
        The picture without make-up.
    origin : tuple of int
        x and y of the window in the picture.
    size : tuple of int
        Width and height of the window in the picture.
    scale : float
        Canvas pixels per pixel of the picture, at most 1.
    steady : callable
        Keeps colour statistics steady over the frames of a video.
    """

    face: Face
    points: Floats
    unit: float
    lab: Floats
    origin: tuple[int, int]
    size: tuple[int, int]
    scale: float
    steady: Steady

    @classmethod
    def cut(
        cls,
        picture: NDArray[np.uint8],
        face: Face,
        box: NDArray[np.floating],
        max_unit: float,
        steady: Steady,
    ) -> Canvas | None:
        """Cut a window, x0 y0 x1 y1 in pixels, out of a picture; None where it misses it.

        It is scaled down where the face's unit is more than `max_unit` pixels.
        """
        height, width = picture.shape[:2]
        x0, y0 = (int(v) for v in np.clip(np.floor(box[:2]), 0, [width, height]))
        x1, y1 = (int(v) for v in np.clip(np.ceil(box[2:]) + 1, 0, [width, height]))
        if x1 - x0 < 2 or y1 - y0 < 2:
            return None
        piece = picture[y0:y1, x0:x1]
        scale = min(1.0, max_unit / face.unit, _MAX_SIDE / max(x1 - x0, y1 - y0))
        if scale < 1.0:
            # Enough pixels to cover the window, and one scale for both axes.
            wide, high = (max(2, math.ceil(side * scale)) for side in (x1 - x0, y1 - y0))
            piece = _shrunk(piece, scale, (wide, high))
        lab = np.empty(piece.shape, np.float32)
        rgb_to_lab(np.ascontiguousarray(piece), lab)
        moved = (face.points - np.array([x0, y0], np.float32) + np.float32(0.5)) * np.float32(scale)
        moved -= np.float32(0.5)
        size = (x1 - x0, y1 - y0)
        return cls(face, moved, face.unit * scale, lab, (x0, y0), size, scale, steady)

    @property
    def parts(self) -> FaceParts:
        """The parts of the face by its scheme."""
        return self.face.parts

    @property
    def whole(self) -> Window:
        """All rows and columns."""
        return slice(0, self.lab.shape[0]), slice(0, self.lab.shape[1])

    def at(self, indices: Sequence[int]) -> Floats | None:
        """Return some points; None where the scheme lacks them or one is missing."""
        points = self.points[list(indices)]
        return None if len(points) == 0 or np.isnan(points).any() else points

    def around(self, points: Floats, margin: float) -> Window | None:
        """Return the window around points, with a margin in units; None where it is outside."""
        pad = margin * self.unit + 2.0
        height, width = self.lab.shape[:2]
        low = np.clip(np.floor(points.min(axis=0) - pad), 0, [width, height]).astype(int)
        high = np.clip(np.ceil(points.max(axis=0) + pad) + 1, 0, [width, height]).astype(int)
        if (high - low).min() < 1:
            return None
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))

    def distance(
        self,
        curve: Floats,
        window: Window,
        reach: float,
        *,
        loop: bool = False,
        widths: Floats | None = None,
    ) -> Floats:
        """Return the distance to a curve in canvas pixels, less its half widths.

        Distances beyond `reach` units are given as that. Where the curve is a loop, they are
        positive inside and negative outside.
        """
        rows, columns = window
        out = np.empty((rows.stop - rows.start, columns.stop - columns.start), np.float32)
        line = np.concatenate([curve, curve[:1]]) if loop else curve
        line = np.ascontiguousarray(line, np.float32)
        half = np.zeros(len(line), np.float32) if widths is None else widths.astype(np.float32)
        corner = np.float32(columns.start), np.float32(rows.start)
        distance_to_curve(line, half, *corner, np.float32(reach * self.unit + 2.0), out)
        if loop:
            flip_outside(line[:-1], *corner, out)
        return out

    def soft(self, share: float) -> float:
        """Return the half width of a soft edge, in pixels: a share of the unit, but visible."""
        return max(0.5, share * self.unit)


def _shrunk(piece: NDArray[np.uint8], scale: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale a picture down by exactly `scale`, whatever its size is then rounded to."""
    import cv2

    wide, high = size
    whole = math.floor(1.0 / scale + 1e-9)
    if whole > 1:  # first to the mean of whole * whole pixels, so that nothing aliases
        piece = piece[: max(1, piece.shape[0] // whole) * whole]
        piece = piece[:, : max(1, piece.shape[1] // whole) * whole]
        rows, columns = (max(1, side // whole) for side in piece.shape[:2])
        piece = cv2.resize(piece, (columns, rows), interpolation=cv2.INTER_AREA)
    rest = scale * whole
    shift = 0.5 / rest - 0.5
    matrix = np.array([[1 / rest, 0.0, shift], [0.0, 1 / rest, shift]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(piece, matrix, (wide, high), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def open_curve(points: Floats, steps: int = 8) -> Floats:
    """Return a smooth curve through points: a centripetal Catmull-Rom spline.

    With knots that are the square roots of the distances apart, the curve neither loops nor
    overshoots between points at uneven distances (Yuksel, Schaefer and Keyser, CAD 2011).

    Parameters
    ----------
    points : ndarray, shape (n, 2), at least two
    steps : int
        Pieces between two points.

    Returns
    -------
    ndarray of float32, shape ((n - 1) * steps + 1, 2)
    """
    out = np.empty(((len(points) - 1) * steps + 1, 2), np.float32)
    spline(np.ascontiguousarray(points, np.float64), steps, out)
    return out


def smooth_loop(points: Floats, steps: int = 5) -> Floats:
    """Return a smooth loop through points whose first and middle one are corners (lids, lips).

    Shape (n * steps, 2); the second half begins at n * steps / 2.
    """
    half = len(points) // 2
    there = open_curve(points[: half + 1], steps)
    back = open_curve(np.concatenate([points[half:], points[:1]]), steps)
    return np.concatenate([there[:-1], back[:-1]])


def ramp(values: Floats, low: float, high: float) -> Floats:
    """Return 0 where values are below `low`, 1 above `high`, and a smooth step between."""
    t = np.clip((values - np.float32(low)) * np.float32(1.0 / (high - low)), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
