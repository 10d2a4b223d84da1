"""What landmarks mean, laid over the picture: the regions of a face, the pose of a head."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.image.colors import rgb_copy
from classicface.plotting import _text
from classicface.plotting.drawing import (
    _OUTLINE,
    _SHIFT,
    Color,
    Picture,
    _draw_discs,
    _fixed,
    _segments,
)
from classicface.shape.boxes import box_centers_sides, landmark_box
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.validation import check_choice, check_flag, check_landmarks, check_number

__all__ = ["draw_pose", "draw_regions"]

#: Colours of regions by name, so that they are the same in every scheme; others take turns.
_REGION_COLORS: dict[str, Color] = {
    "jaw": (90, 200, 255),
    "right_brow": (255, 170, 40),
    "left_brow": (150, 255, 90),
    "nose": (255, 100, 200),
    "right_eye": (255, 240, 70),
    "left_eye": (180, 140, 255),
    "mouth": (255, 95, 85),
}

#: Colours of the axes x, y, z of a head.
_AXES: tuple[Color, ...] = ((255, 80, 80), (90, 235, 90), (90, 170, 255))

#: A legend takes at most this share of the picture; where it would need more there is none.
_LEGEND_SHARE = 0.3

#: Filled areas reach at most so many sizes of the picture out of it.
_MAX_REACH = 4

#: Columns of a rotation may be this far from orthonormal.
_ROTATION_TOLERANCE = 0.02


def draw_regions(
    image: ArrayLike,
    landmarks: ArrayLike,
    scheme: LandmarkScheme | str,
    *,
    style: str = "filled",
    opacity: float = 0.45,
    legend: bool = True,
) -> Picture:
    """Draw the regions of faces on a copy of a picture, each in its colour.

    Parameters
    ----------
    image : array-like
        Grey, RGB or RGBA; see `classicface.validation.check_image`.
    landmarks : array-like, shape (n_faces, n_landmarks, 2) or (n_landmarks, 2)
        (x, y) in pixels. Missing points (NaN) are left out.
    scheme : LandmarkScheme or str
        Its regions and lines.
    style : {"filled", "outlined"}
        Filled: what closed lines enclose, between lips too. Open lines are strokes in both.
    opacity : float, default 0.45
        Of the filling, 0 to 1.
    legend : bool, default True
        Name the regions, in the corner where fewest points lie. A picture too small for it has
        none.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.

    Raises
    ------
    InvalidInputError
        A scheme without regions or with another number of points; parameters out of their range.
    """
    chosen = get_scheme(scheme)
    points = check_landmarks(landmarks, chosen.n_landmarks)
    points = points[None] if points.ndim == 2 else points
    check_choice(style, "style", ("filled", "outlined"))
    opacity = check_number(opacity, "opacity", 0.0, 1.0)
    check_flag(legend, "legend")
    if not chosen.regions:
        raise InvalidInputError(f"the scheme {chosen.name} has no regions to draw")
    picture = rgb_copy(image)
    spare = list(_REGION_COLORS.values())
    colors = {
        name: _REGION_COLORS.get(name, spare[i % len(spare)])
        for i, name in enumerate(chosen.regions)
    }
    for face in points.astype(np.float64):
        if np.isnan(face).all():
            continue
        for name, color in colors.items():
            _draw_region(picture, face, chosen, name, color, opacity if style == "filled" else 0.0)
    if legend:
        _draw_legend(picture, points, colors)
    return picture


def _draw_region(
    picture: Picture,
    face: NDArray[np.float64],
    scheme: LandmarkScheme,
    name: str,
    color: Color,
    opacity: float,
) -> None:
    """Fill the closed lines of a region, draw its lines, and as dots its points on none."""
    import cv2

    inside, present = set(scheme.regions[name]), ~np.isnan(face[:, 0])
    lines = [(line, closed) for line, closed in scheme.lines if inside.issuperset(line)]
    whole = [list(line) for line, closed in lines if closed and present[list(line)].all()]
    loops = [_fixed(face[line]) for line in whole]
    if loops and opacity:
        _blend(picture, loops, color, opacity)
    side = float(box_centers_sides(landmark_box(face))[1])
    width = round(float(np.clip(0.008 * side, 1, 24)))
    edge = 2 if side > 110 else 0  # on a small face outlines would hide more than they show
    pairs = _segments(lines)
    strokes = list(_fixed(face[pairs[present[pairs].all(axis=1)]]))
    for ink, thickness in ((_OUTLINE, width + edge), (color, width)):
        cv2.polylines(picture, strokes, False, ink, thickness, cv2.LINE_AA, _SHIFT)
    alone = sorted(inside - {i for line, _ in lines for i in line})
    shown = [i for i in alone if _is_inside(face[i], picture.shape)]
    radius = float(np.clip(0.012 * side, 0.7, 16.0))
    for ink, size in ((_OUTLINE, radius + (1.0 if edge else 0.4)), (color, radius)):
        _draw_discs(picture, face[shown], size, ink)


def _is_inside(point: NDArray[np.float64], shape: tuple[int, ...]) -> bool:
    return bool(np.all((point >= -0.5) & (point <= [shape[1] - 0.5, shape[0] - 0.5])))


def _blend(picture: Picture, loops: list[NDArray[np.int32]], color: Color, opacity: float) -> None:
    """Fill what an odd number of the loops encloses, letting the picture shine through."""
    import cv2

    # OpenCV takes as long as a polygon is high: points far out are drawn in.
    reach = _MAX_REACH * max(picture.shape[:2]) << _SHIFT
    loops = [np.clip(loop, -reach, reach) for loop in loops]
    corners = np.concatenate(loops) / (1 << _SHIFT)
    limits = [picture.shape[1], picture.shape[0]]
    x0, y0 = np.clip(np.floor(corners.min(axis=0)) - 1, 0, limits).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)) + 2, 0, limits).astype(int).tolist()
    part = picture[y0:y1, x0:x1]
    if part.size == 0:
        return
    mask = np.zeros(part.shape[:2], np.uint8)
    offset = np.array([x0, y0], np.int32) << _SHIFT
    cv2.fillPoly(mask, [loop - offset for loop in loops], 255, cv2.LINE_AA, _SHIFT)
    cover = mask[:, :, None] * np.float32(opacity / 255)
    part[:] = np.rint(part * (1 - cover) + np.asarray(color, np.float32) * cover).astype(np.uint8)


def _draw_legend(picture: Picture, points: NDArray[np.float32], colors: dict[str, Color]) -> None:
    height, width = picture.shape[:2]
    size = max(_text.MIN_SIZE, round(0.026 * max(height, width)))
    names = {name.replace("_", " "): color for name, color in colors.items()}
    sizes = [_text.text_size(name, size) for name in names]
    row = sizes[0][1]
    wide, high = max(w for w, _ in sizes) + row, row * len(names)
    if wide > width or high > height or wide * high > _LEGEND_SHARE * width * height:
        return
    corners = [(x, y) for y in (0, height - high) for x in (0, width - wide)]

    def covered(corner: tuple[int, int]) -> int:
        beside = points - corner
        return int(((beside >= 0) & (beside < (wide, high))).all(axis=-1).sum())

    x, y = min(corners, key=covered)
    _text.fill(picture, (x, y), (wide, high), _text.DARK)
    swatch = max(3, round(0.5 * row))
    for i, (name, color) in enumerate(names.items()):
        top = y + i * row
        inset = (row - swatch) // 2
        _text.fill(picture, (x + inset, top + inset), (swatch, swatch), color)
        _text.draw_text(picture, name, (x + row - inset, top), size, ink=_text.LIGHT, paper=None)


def draw_pose(
    image: ArrayLike, rotation: ArrayLike, origin: ArrayLike, length: ArrayLike
) -> Picture:
    """Draw the axes of heads on a copy of a picture: x red, y green, z blue, out of the face.

    Parameters
    ----------
    image : array-like
        Grey, RGB or RGBA; see `classicface.validation.check_image`.
    rotation : array-like, shape (3, 3) or (n, 3, 3)
        From head to picture coordinates: x to the right, y down, z towards the camera; the columns
        are the axes of the head (`classicface.apps.pose.HeadPose.rotation`).
    origin : array-like, shape (2,) or (n, 2)
        Where the axes begin, (x, y) in pixels: the tip of the nose, or the point between the eyes.
    length : float or array-like, shape (n,)
        Of an axis that lies in the plane of the picture, in pixels.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.

    Raises
    ------
    InvalidInputError
        Arrays of other shapes, or a matrix that is no rotation.
    """
    turns = np.asarray(rotation, np.float64)
    if turns.size == 0:
        return rgb_copy(image)
    turns = turns[None] if turns.ndim == 2 else turns
    if turns.ndim != 3 or turns.shape[1:] != (3, 3):
        raise InvalidInputError(f"rotation has shape {turns.shape}; expected (3, 3) or (n, 3, 3)")
    square = np.swapaxes(turns, 1, 2) @ turns
    proper = np.abs(square - np.eye(3)) <= _ROTATION_TOLERANCE  # NaN is not
    if not proper.all() or (np.linalg.det(turns) < 0).any():
        raise InvalidInputError(
            "a matrix is no rotation: its columns are not orthonormal, or it mirrors"
        )
    starts = check_landmarks(np.atleast_2d(np.asarray(origin, np.float32)), allow_missing=False)
    lengths = np.atleast_1d(np.asarray(length, np.float64))
    lengths = np.broadcast_to(lengths, len(turns)) if len(lengths) == 1 else lengths
    if starts.shape != (len(turns), 2) or lengths.shape != (len(turns),):
        raise InvalidInputError(
            f"there are {len(turns)} rotations; origin has shape {starts.shape} and length"
            f" {lengths.shape}"
        )
    for value in lengths.tolist():
        check_number(value, "length", 0.0, 1e5)
    picture = rgb_copy(image)
    for turn, start, reach in zip(turns, starts.astype(np.float64), lengths, strict=True):
        _draw_axes(picture, turn, start, float(reach))
    return picture


def _draw_axes(
    picture: Picture, turn: NDArray[np.float64], start: NDArray[np.float64], reach: float
) -> None:
    """Draw three axes, the farthest first; each dark and then in its colour."""
    import cv2

    width = round(float(np.clip(0.035 * reach, 1, 48)))
    edge = 2 if reach > 12 else 0
    ends = start + reach * turn[:2].T
    for k in np.argsort(turn[2], kind="stable").tolist():
        stroke = _fixed(np.stack([start, ends[k]]))
        tip = ends[k][None]
        radius = (1.1 if k == 2 else 0.8) * width
        for ink, more in ((_OUTLINE, edge), (_AXES[k], 0)):
            cv2.polylines(picture, [stroke], False, ink, width + more, cv2.LINE_AA, _SHIFT)
            _draw_discs(picture, tip, radius + more / 2, ink)
