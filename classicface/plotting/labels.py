"""Boxes, identities and tracks on pictures, with labels that stay readable and in the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.image.colors import rgb_copy
from classicface.plotting import _text
from classicface.plotting.drawing import (
    _COLORS,
    _OUTLINE,
    _SHIFT,
    Color,
    Picture,
    _draw_box,
    _draw_face,
    _fixed,
    _segments,
)
from classicface.shape.boxes import box_centers_sides, landmark_box
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.validation import check_boxes, check_landmarks

__all__ = ["draw_boxes", "draw_tracks", "identity_color"]

Rectangle = tuple[int, int, int, int]  # x, y, width, height

#: A label takes at most this share of the picture's height: it would hide the face that it names.
_LABEL_SHARE = 1 / 3

# Bright, so that dark text is readable on them and their dark outline is seen.
_MORE: tuple[Color, ...] = (
    *((255, 150, 80), (150, 190, 255), (200, 255, 60), (230, 160, 255)),
    *((100, 255, 220), (255, 170, 170)),
)


def identity_color(identity: int) -> tuple[int, int, int]:
    """Return the colour of an identity: the same in every frame; neighbours differ.

    Parameters
    ----------
    identity : int
        Any; ten colours take turns.

    Returns
    -------
    tuple of int
        Red, green, blue.
    """
    palette = _COLORS + _MORE
    return palette[int(identity) % len(palette)]


def draw_boxes(
    image: ArrayLike,
    boxes: ArrayLike,
    labels: Sequence[str] | None = None,
    *,
    ids: Sequence[int] | NDArray[np.integer] | None = None,
) -> Picture:
    """Draw boxes with labels on a copy of a picture.

    A label stands above its box, or where there is no room below, inside or beside it: always in
    the picture, and not over another label as long as there is a place. Its size follows the box,
    within limits that follow the picture. What is longer than the picture is wide is cut. A picture
    of less than about 45 px, of which readable labels would hide most, has none: enlarge it first.

    Parameters
    ----------
    image : array-like
        Grey, RGB or RGBA; see `classicface.validation.check_image`.
    boxes : array-like, shape (n, 4)
        x0, y0, x1, y1.
    labels : sequence of str, optional
        A text for each box, on one line; an empty one is not drawn.
    ids : sequence of int, optional
        Identities, which give the colours (`identity_color`); by default the order does.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.

    Raises
    ------
    InvalidInputError
        Boxes that are none, or another number of labels or ids than of boxes.
    """
    rectangles, picture = check_boxes(boxes), rgb_copy(image)
    colors = _colors(ids, len(rectangles))
    texts = _texts(labels, len(rectangles))
    for box, color in zip(rectangles, colors, strict=True):
        _draw_box(picture, box.reshape(2, 2).astype(np.float64), color, _least(picture))
    _draw_labels(picture, rectangles, texts, colors)
    return picture


def draw_tracks(
    image: ArrayLike,
    landmarks: ArrayLike,
    ids: Sequence[int] | NDArray[np.integer],
    scheme: LandmarkScheme | str | None = None,
    *,
    boxes: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
    trails: Mapping[int, ArrayLike] | None = None,
) -> Picture:
    """Draw tracked faces on a copy of a frame: points, boxes, identities, where they came from.

    Parameters
    ----------
    image : array-like
        Grey, RGB or RGBA; see `classicface.validation.check_image`.
    landmarks : array-like, shape (n_faces, n_landmarks, 2)
        (x, y) in pixels. Missing points (NaN) and those outside the picture are left out.
    ids : sequence of int, length n_faces
        Identities: each keeps its colour (`identity_color`).
    scheme : LandmarkScheme or str, optional
        Draws the lines of the scheme too.
    boxes : array-like, shape (n_faces, 4), optional
        What the labels stand at; by default the boxes of the points. They are drawn if given.
    labels : sequence of str, optional
        By default the identities.
    trails : mapping from int to array-like, shape (m, 2), optional
        For identities, the places where they were, oldest first; drawn thin to thick.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.

    Raises
    ------
    InvalidInputError
        Arrays of other shapes, or numbers of them that differ.
    """
    points = check_landmarks(landmarks)
    points = points[None] if points.ndim == 2 else points
    segments = np.zeros((0, 2), np.int64)
    if scheme is not None:
        chosen = get_scheme(scheme)
        check_landmarks(points, chosen.n_landmarks)
        segments = _segments(chosen.lines)
    colors = _colors(ids, len(points))
    texts = [str(int(i)) for i in ids] if labels is None else _texts(labels, len(points))
    rectangles = None if boxes is None else check_boxes(boxes)
    if rectangles is not None and len(rectangles) != len(points):
        raise InvalidInputError(f"there are {len(rectangles)} boxes for {len(points)} faces")
    picture = rgb_copy(image)
    for identity, places in (trails or {}).items():
        _draw_trail(picture, check_landmarks(places), identity_color(identity))
    for i, (face, color) in enumerate(zip(points, colors, strict=True)):
        if rectangles is not None:
            corners = rectangles[i].reshape(2, 2).astype(np.float64)
            _draw_box(picture, corners, color, _least(picture))
        _draw_face(picture, face.astype(np.float64), segments, color, False)
    seen = np.asarray(~np.isnan(points[..., 0]).all(axis=1))
    if rectangles is None:
        rectangles = np.zeros((len(points), 4), np.float32)
        rectangles[seen] = landmark_box(points[seen])
        texts = [text if seen[i] else "" for i, text in enumerate(texts)]
    _draw_labels(picture, rectangles, texts, colors)
    return picture


def _colors(ids: Sequence[int] | NDArray[np.integer] | None, n: int) -> list[Color]:
    chosen = range(n) if ids is None else ids
    if len(chosen) != n:
        raise InvalidInputError(f"there are {len(chosen)} ids for {n} faces")
    try:
        return [identity_color(i) for i in chosen]
    except (TypeError, ValueError):
        raise InvalidInputError(f"ids are {ids!r}; expected integers") from None


def _texts(labels: Sequence[str] | None, n: int) -> list[str]:
    if labels is None:
        return [""] * n
    if isinstance(labels, str) or len(labels) != n:
        raise InvalidInputError(f"labels are {labels!r}; expected {n} texts, one a face")
    return [str(label) for label in labels]


def _least(picture: Picture) -> float:
    """Return the least width of a line, so that it is seen when a large picture is shown small."""
    return max(1.0, max(picture.shape[:2]) / 1000)


def _draw_trail(picture: Picture, places: NDArray[np.float32], color: Color) -> None:
    import cv2

    if places.ndim != 2:
        raise InvalidInputError(f"a trail has shape {places.shape}; expected (m, 2)")
    places = places[~np.isnan(places[:, 0])]
    steps = _fixed(np.stack([places[:-1], places[1:]], axis=1))
    thickest = max(1.0, 0.006 * max(picture.shape[:2]))
    widths = np.rint(np.linspace(1, thickest, len(steps))).astype(int).tolist()
    for ink, more in ((_OUTLINE, 2), (color, 0)):
        for step, width in zip(steps, widths, strict=True):
            cv2.polylines(picture, [step], False, ink, width + more, cv2.LINE_AA, _SHIFT)


def _draw_labels(
    picture: Picture, boxes: NDArray[np.float32], texts: list[str], colors: list[Color]
) -> None:
    """Write labels at boxes: large faces choose their places first."""
    if not any(texts):
        return
    taken: list[Rectangle] = []
    sides = box_centers_sides(boxes)[1]
    for i in np.argsort(-sides, kind="stable").tolist():
        size = _text.usual_size(picture.shape, float(sides[i]))
        text = _text.fit_text(texts[i], size, picture.shape[1])
        width, height = _text.text_size(text, size)
        if not text or height > _LABEL_SHARE * picture.shape[0]:
            continue
        x, y = _place(boxes[i], (width, height), picture.shape, taken)
        taken.append((x, y, width, height))
        _text.draw_text(picture, text, (x, y), size, paper=colors[i])


def _place(
    box: NDArray[np.float32],
    size: tuple[int, int],
    shape: tuple[int, ...],
    taken: list[Rectangle],
) -> tuple[int, int]:
    """Return the upper left corner of a label: the first free of some places, in the picture."""
    width, height = size
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    high = (max(0, shape[1] - width), max(0, shape[0] - height))
    above, below, gap = y0 - height - 2, y1 + 3, 2
    beside = [(x1 + gap + 1, y0), (x0 - width - gap, y0)]
    ranked = [
        (min(max(x, 0), high[0]), y)  # along its side of the box a label may slide
        for y in (above, below)
        for x in (x0, x1 - width)
        if 0 <= y <= high[1]
    ]
    ranked += [(x, min(max(y, 0), high[1])) for x, y in beside if 0 <= x <= high[0]]
    ranked.append((min(max(x0, 0), high[0]), min(max(y0, 0), high[1])))
    free = [(x, y) for x, y in ranked if not any(_meet((x, y, width, height), t) for t in taken)]
    return free[0] if free else ranked[0]


def _meet(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
