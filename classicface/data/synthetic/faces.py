"""draw_face draws one face on a picture; synthetic_faces makes a whole data set of them."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.data.dataset import LandmarkDataset
from classicface.data.synthetic._render import PosedFace, pose_face, render_face
from classicface.data.synthetic._scene import background, camera, occlude
from classicface.data.synthetic._shading import skin_color
from classicface.data.synthetic.parameters import FaceParameters, random_face
from classicface.exceptions import InvalidInputError
from classicface.shape.boxes import box_centers_sides, landmark_box, square_boxes
from classicface.validation import check_integer, check_number, check_random_state

__all__ = ["draw_face", "synthetic_faces"]

Floats = NDArray[np.float64]

#: A mean face seen from the front has a landmark box of about this many centimetres.
FACE_CENTIMETRES = 14.5

#: No more pixels than this are drawn in one call: 4 gigapixels, some 4 GB of grey pictures.
MAX_SET_PIXELS = 1 << 32

# What stays the same in all pictures of a person.
_PERSON = (
    *("identity", "skin", "hair_color", "iris_color", "clothes", "hair_volume", "hairline"),
    *("long_hair", "brow_density", "lip_color", "beard", "glasses", "texture"),
)


def draw_face(
    parameters: FaceParameters | None = None,
    *,
    size: int = 160,
    canvas: NDArray[np.uint8] | None = None,
    center: ArrayLike | None = None,
    face_size: float | None = None,
    random_state: int | np.random.Generator | None = 0,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Draw one face with exact landmarks.

    Parameters
    ----------
    parameters : FaceParameters, optional
        How the face looks; by default a mean face from the front.
    size : int, default 160
        Width and height of the picture, 16 to 2048; ignored when there is a canvas.
    canvas : ndarray of uint8, shape (height, width, 3), optional
        An RGB picture to draw on; it is copied. Draw several faces by passing each result on.
        By default a random background.
    center : (x, y), optional
        Where the point about which the head turns is drawn (between the ears, at the height of the
        nose), so that a face stays in place when only its pose changes. By default the middle.
    face_size : float, optional
        The longer side, in pixels, that the landmark box of a mean face from the front would have.
        At most 2048; by default 45 % of the shorter side of the picture.
    random_state : int, numpy.random.Generator or None, default 0
        For the background.

    Returns
    -------
    picture : ndarray of uint8, shape (height, width, 3)
        RGB.
    landmarks : ndarray of float32, shape (68, 2)
        (x, y) in pixels in the order of the iBUG scheme. Points 0 to 16 lie on the visible edge of
        the cheek and the jaw. Points that are hidden or outside the picture are given too.

    Raises
    ------
    InvalidInputError
        A parameter out of its range, or a canvas that is no RGB picture.
    """
    face = FaceParameters() if parameters is None else parameters
    if not isinstance(face, FaceParameters):
        raise InvalidInputError(f"parameters is {face!r}; expected FaceParameters")
    if canvas is None:
        size = check_integer(size, "size", 16, 2048)
        picture = background(size, size, check_random_state(random_state))
    else:
        picture = _check_canvas(canvas).copy()
    height, width = picture.shape[:2]
    if face_size is None:
        face_size = min(2048.0, max(4.0, 0.45 * min(height, width)))
    face_size = check_number(face_size, "face_size", 4.0, 2048.0)
    place = _check_place([(width - 1) / 2, (height - 1) / 2] if center is None else center)
    posed = pose_face(face)
    scale = face_size / FACE_CENTIMETRES
    render_face(picture, face, posed, scale, place)
    return picture, (posed.landmarks * scale + place).astype(np.float32)


def _check_canvas(canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
    array = np.asarray(canvas)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise InvalidInputError(
            f"canvas has shape {array.shape} and dtype {array.dtype}; expected an RGB picture,"
            " (height, width, 3) of uint8"
        )
    return array


def _check_place(center: ArrayLike) -> Floats:
    try:
        x, y = np.asarray(center).tolist()
    except (TypeError, ValueError):
        raise InvalidInputError(f"center is {center!r}; expected (x, y)") from None
    return np.array([check_number(value, "center", -1e5, 1e5) for value in (x, y)])


def synthetic_faces(
    n: int,
    *,
    random_state: int | np.random.Generator | None = 0,
    size: int = 160,
    margin: float = 0.6,
    max_yaw: float = 30.0,
    max_pitch: float = 15.0,
    max_roll: float = 20.0,
    expression: float = 1.0,
    occlusion: float = 0.08,
    faces_per_person: int = 1,
    box_jitter: float = 0.0,
) -> LandmarkDataset:
    """Draw a data set of random faces: people, poses, expressions, light, background, noise.

    Parameters
    ----------
    n : int
        How many faces. The first faces of a larger set are those of a smaller one.
    random_state : int, numpy.random.Generator or None, default 0
    size : int, default 160
        Width and height of the pictures, 32 to 2048.
    margin : float, default 0.6
        What is around the landmark box, in its longer sides, 0.1 to 3; size and place vary by a few
        percent of the side.
    max_yaw, max_pitch, max_roll, expression : float
        See `random_face`.
    occlusion : float, default 0.08
        The share of the faces with fingers or a bar in front.
    faces_per_person : int, default 1
        Pictures of one person, one after the other; they share a group.
    box_jitter : float, default 0.0
        Standard deviation by which the boxes are shifted, in sides, and scaled, as those of a
        detector would be; 0 gives the tight boxes of the landmarks. At most 0.3.

    Returns
    -------
    LandmarkDataset
        Grey pictures with the 68 points of the iBUG scheme.

    Raises
    ------
    InvalidInputError
        A parameter out of its range, or more pixels than `MAX_SET_PIXELS`.
    """
    n = check_integer(n, "n", 1)
    size = check_integer(size, "size", 32, 2048)
    if n * size * size > MAX_SET_PIXELS:
        raise InvalidInputError(
            f"{n} pictures of {size} x {size} pixels; at most {MAX_SET_PIXELS // size**2} of that"
            " size can be drawn at once"
        )
    margin = check_number(margin, "margin", 0.1, 3.0)
    occlusion = check_number(occlusion, "occlusion", 0.0, 1.0)
    faces_per_person = check_integer(faces_per_person, "faces_per_person", 1)
    box_jitter = check_number(box_jitter, "box_jitter", 0.0, 0.3)
    ranges = {"max_yaw": max_yaw, "max_pitch": max_pitch, "max_roll": max_roll}
    root = int(check_random_state(random_state).integers(2**62))
    images, landmarks, boxes, groups = [], [], [], []
    for i in range(n):
        person = i // faces_per_person
        rng = np.random.default_rng([root, i])
        face = random_face(rng, expression=expression, **ranges)
        if i % faces_per_person == 0:
            first = face
        face = dataclasses.replace(face, **{name: getattr(first, name) for name in _PERSON})
        image, points = _photograph(face, size, margin, occlusion, rng)
        images.append(image)
        landmarks.append(points)
        boxes.append(_jittered(landmark_box(points), box_jitter, rng))
        groups.append(f"person{person:05d}")
    names = [f"face{i:05d}" for i in range(n)]
    return LandmarkDataset(images, np.stack(landmarks), np.stack(boxes), names, groups, "ibug68")


def _photograph(
    face: FaceParameters, size: int, margin: float, occlusion: float, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return a grey picture with a face about its middle, and the landmarks."""
    posed = pose_face(face)
    scale, place = _frame(posed, size, margin, rng)
    picture = background(size, size, rng)
    render_face(picture, face, posed, scale, place)
    points = posed.landmarks * scale + place
    if rng.random() < occlusion:
        occlude(picture, points, rng, (skin_color(face.skin) * face.brightness).tolist())
    grey = cv2.cvtColor(camera(picture, rng), cv2.COLOR_RGB2GRAY)
    return grey, points.astype(np.float32)


def _frame(
    posed: PosedFace, size: int, margin: float, rng: np.random.Generator
) -> tuple[float, Floats]:
    """Return pixels a centimetre and the place of the pivot that put the face in the middle."""
    low, high = posed.landmarks.min(axis=0), posed.landmarks.max(axis=0)
    side = size / (1.0 + 2.0 * margin) * math.exp(rng.uniform(-0.05, 0.05))
    scale = side / float((high - low).max())
    shift = rng.uniform(-0.04, 0.04, 2) * side
    return scale, (size - 1) / 2 + shift - scale * (low + high) / 2


def _jittered(
    box: NDArray[np.float32], jitter: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    if jitter == 0.0:
        return box
    center, side = box_centers_sides(box)
    shift = np.clip(rng.normal(0.0, jitter, 2), -3 * jitter, 3 * jitter) * side
    return square_boxes(center + shift, side * np.exp(np.clip(rng.normal(0.0, jitter), -0.5, 0.5)))
