"""Drawing landmarks on pictures, and sheets of pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.image.colors import rgb_copy
from classicface.shape.boxes import box_centers_sides, landmark_box
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.validation import (
    MAX_PIXELS,
    check_boxes,
    check_integer,
    check_landmarks,
    check_number,
)

__all__ = ["draw_landmarks", "grid"]

Picture = NDArray[np.uint8]
Color = tuple[int, int, int]

# RGB of the faces in turn: bright, so that they stand out from their dark outline and from skin.
_COLORS: tuple[Color, ...] = ((90, 255, 90), (255, 220, 40), (80, 210, 255), (255, 130, 220))
_OUTLINE: Color = (15, 15, 15)

_SHIFT = 4  # fractional bits of the coordinates that OpenCV draws with
_ANGLES = np.linspace(0.0, 2 * np.pi, 24, endpoint=False)
_CIRCLE = np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)])


def draw_landmarks(
    image: ArrayLike,
    landmarks: ArrayLike,
    scheme: LandmarkScheme | str | None = None,
    *,
    boxes: ArrayLike | None = None,
    indices: bool = False,
    scale: float = 1.0,
) -> Picture:
    """Draw the landmarks of faces on a copy of a picture.

    Parameters
    ----------
    image : array-like
        Grey, RGB or RGBA; see `classicface.validation.check_image`.
    landmarks : array-like, shape (n_faces, n_landmarks, 2) or (n_landmarks, 2)
        (x, y) in pixels. Missing points (NaN) and those outside the picture are left out. The size
        of the marks grows with the face.
    scheme : LandmarkScheme or str, optional
        Draws the lines of the scheme too.
    boxes : array-like, shape (n, 4), optional
        Drawn as rectangles.
    indices : bool, default False
        Write the index beside each point.
    scale : float, default 1.0
        Enlarge the picture before drawing, 0.05 to 32; 4 makes the points of a small face readable.

    Returns
    -------
    ndarray of uint8, shape (height * scale, width * scale, 3)
        RGB.

    Raises
    ------
    InvalidInputError
        Inputs of another shape, a scheme with another number of points, a picture too large.
    """
    points = check_landmarks(landmarks)
    points = points[None] if points.ndim == 2 else points
    lines: Sequence[tuple[tuple[int, ...], bool]] = ()
    if scheme is not None:
        chosen = get_scheme(scheme)
        check_landmarks(points, chosen.n_landmarks)
        lines = chosen.lines
    scale = check_number(scale, "scale", 0.05, 32.0)
    picture = _resized(rgb_copy(image), scale)
    if boxes is not None:
        for i, box in enumerate(_scaled(check_boxes(boxes).reshape(-1, 2, 2), scale)):
            _draw_box(picture, box, _COLORS[i % len(_COLORS)])
    segments = _segments(lines)
    for i, face in enumerate(_scaled(points, scale)):
        _draw_face(picture, face, segments, _COLORS[i % len(_COLORS)], indices)
    return picture


def _resized(picture: Picture, scale: float) -> Picture:
    if scale == 1.0:
        return picture
    import cv2

    height, width = (max(1, round(n * scale)) for n in picture.shape[:2])
    _check_size(height, width)
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return cv2.resize(picture, (width, height), interpolation=method)


def _check_size(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise InvalidInputError(
            f"the drawing would have {height * width / 1e6:.0f} megapixels; at most"
            f" {MAX_PIXELS // 10**6} are drawn"
        )


def _scaled(points: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """Take points to the resized picture; pixel centres are whole numbers in both."""
    return (points.astype(np.float64) + 0.5) * scale - 0.5


def _fixed(values: ArrayLike) -> NDArray[np.int32]:
    """Return coordinates in the fixed point that OpenCV takes."""
    return np.round(np.asarray(values) * (1 << _SHIFT)).astype(np.int32)


def _segments(lines: Sequence[tuple[tuple[int, ...], bool]]) -> NDArray[np.int64]:
    """Return the two ends of every stroke of a scheme's lines, shape (n, 2)."""
    pairs = [
        pair
        for line, closed in lines
        for pair in zip(line, line[1:] + line[:1] if closed else line[1:], strict=False)
    ]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _draw_box(
    picture: Picture, corners: NDArray[np.float64], color: Color, least: float = 1.0
) -> None:
    """Draw a rectangle with lines of at least so many pixels."""
    import cv2

    side = float((corners[1] - corners[0]).max())
    width = round(max(least, 0.006 * side))
    for ink, thickness in ((_OUTLINE, width + 2), (color, width)):
        low, high = _fixed(corners).tolist()
        cv2.rectangle(picture, low, high, ink, thickness, cv2.LINE_AA, _SHIFT)


def _draw_face(
    picture: Picture,
    points: NDArray[np.float64],
    segments: NDArray[np.int64],
    color: Color,
    indices: bool,
) -> None:
    """Draw lines, then points over them, then numbers; dark first, so that all have an outline."""
    import cv2

    present = ~np.isnan(points[:, 0])
    if not present.any():
        return
    side = float(box_centers_sides(landmark_box(points))[1])
    radius = float(np.clip(0.009 * side, 0.6, 14.0))
    width = max(1, round(0.5 * radius))
    # On a small face the outlines would hide more than they show.
    edge, rim = (2, max(0.7, 0.35 * radius)) if side > 110 else (0, 0.5)
    ends = _fixed(points[segments[present[segments].all(axis=1)]])
    for ink, thickness in ((_OUTLINE, width + edge), (color, width)):
        cv2.polylines(picture, list(ends), False, ink, thickness, cv2.LINE_AA, _SHIFT)
    height, wide = picture.shape[:2]
    inside = (points >= -0.5) & (points <= [wide - 0.5, height - 0.5])  # NaN is not
    shown = np.flatnonzero(inside.all(axis=1)).tolist()
    for ink, size in ((_OUTLINE, radius + rim), (color, radius)):
        _draw_discs(picture, points[shown], size, ink)
    if indices:
        font, size = cv2.FONT_HERSHEY_SIMPLEX, float(np.clip(side / 900, 0.28, 1.5))
        for i in shown:
            place = np.round(points[i] + [1.5 * radius, -radius]).astype(int).tolist()
            for ink, thickness in ((_OUTLINE, 3), ((255, 255, 255), 1)):
                cv2.putText(picture, str(i), place, font, size, ink, thickness, cv2.LINE_AA)


def _draw_discs(
    picture: Picture, centers: NDArray[np.float64], radius: float, color: Color
) -> None:
    """Fill discs; as polygons, because OpenCV makes small circles square."""
    import cv2

    for outline in _fixed(centers[:, None] + radius * _CIRCLE):
        cv2.fillConvexPoly(picture, outline, color, cv2.LINE_AA, _SHIFT)


def grid(images: Sequence[ArrayLike], n_columns: int = 8, *, gap: int = 4) -> Picture:
    """Put pictures side by side, row by row, each in the middle of a cell.

    Parameters
    ----------
    images : sequence of array-like
        Grey, RGB or RGBA, of any sizes; the largest set the size of the cells.
    n_columns : int, default 8
    gap : int, default 4
        White pixels between the cells.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)

    Raises
    ------
    InvalidInputError
        No picture, or a sheet with more than 200 megapixels.
    """
    n_columns = check_integer(n_columns, "n_columns", 1)
    gap = check_integer(gap, "gap", 0, 1000)
    if len(images) == 0:
        raise InvalidInputError("there is no picture to put on the sheet")
    shapes = [_shape(image) for image in images]
    n_columns = min(n_columns, len(shapes))
    n_rows = -(-len(shapes) // n_columns)
    cell_height, cell_width = (max(sizes) for sizes in zip(*shapes, strict=True))
    height = n_rows * (cell_height + gap) - gap
    width = n_columns * (cell_width + gap) - gap
    _check_size(height, width)
    sheet = np.full((height, width, 3), 255, np.uint8)
    for i, (image, (rows, columns)) in enumerate(zip(images, shapes, strict=True)):
        row, column = divmod(i, n_columns)
        y = row * (cell_height + gap) + (cell_height - rows) // 2
        x = column * (cell_width + gap) + (cell_width - columns) // 2
        sheet[y : y + rows, x : x + columns] = rgb_copy(image)
    return sheet


def _shape(image: ArrayLike) -> tuple[int, int]:
    shape = np.shape(image)
    if len(shape) not in (2, 3):
        raise InvalidInputError(f"image has shape {shape}; expected (height, width, ...)")
    return shape[0], shape[1]
