"""Head pose from the landmarks of one picture: a deformable head fitted to them.

The pose that explains the points depends on whose head it is. So the head is not a fixed one: its
modes (people, expressions) are fitted together with the pose, each held by its spread, by
Levenberg-Marquardt; equations in ``docs/expression.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.apps import _pose_kernels
from classicface.apps.head import HeadModel, head_model, inner_points
from classicface.exceptions import InvalidInputError
from classicface.shape.schemes import LandmarkScheme
from classicface.validation import check_landmarks, check_number

__all__ = ["HeadPose", "PinholeCamera", "head_pose", "rotation_angles", "rotation_matrix"]

Floats = NDArray[np.float64]

#: Standard deviation of a point beside the fitted head: what the modes leave and how surely people
#: and programs place it, in centimetres.
POINT_DEVIATION = 0.15

#: One over the usual distance of a camera from a head, and its standard deviation, in 1/cm.
NEARNESS, NEARNESS_DEVIATION = 0.011, 0.003

#: Faces whose points spread over less than this have no pose, in pixels.
MIN_SPREAD = 1.0

#: Points farther from any head than this share of the face's size are none of a face.
MAX_ERROR = 0.25

MAX_ITERATIONS = 30


@dataclass(frozen=True)
class PinholeCamera:
    """A camera without distortion.

    Parameters
    ----------
    focal : float
        Focal length in pixels: half the picture's width over the tangent of half its angle of view.
    center : tuple of two floats
        The principal point (x, y) in pixels; mostly the middle of the picture.

    Raises
    ------
    InvalidInputError
        A focal length that is not above zero, or a centre that is no point.
    """

    focal: float
    center: tuple[float, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "focal", check_number(self.focal, "focal", 1.0, 1e7))
        if not isinstance(self.center, (tuple, list, np.ndarray)) or len(self.center) != 2:
            raise InvalidInputError(f"center is {self.center!r}; expected (x, y) in pixels")
        x, y = (check_number(value, "center", -1e6, 1e6) for value in self.center)
        object.__setattr__(self, "center", (x, y))


@dataclass(frozen=True, eq=False)
class HeadPose:
    """Where a head looks, and the head that was fitted.

    Attributes
    ----------
    yaw, pitch, roll : float
        In degrees. Positive yaw looks to the right of the picture, positive pitch looks up,
        positive roll turns clockwise in the picture. The head turns by pitch, then yaw, then roll.
    rotation : ndarray, shape (3, 3)
        From head to picture coordinates: x to the right, y down, z towards the camera. Its columns
        are the head's own axes as the picture shows them.
    origin : tuple of two floats
        Where in the picture the point between the eyes is: a place to draw the axes from.
    scale : float
        Pixels a centimetre of a head of usual size, at that head's distance.
    error : float
        Root mean square distance in the picture between the landmarks and the fitted head, as a
        share of the distance between the outer corners of the eyes of the fitted head (its own
        width, so a turned head does not look worse). Above some 0.06 the pose is doubtful.
    deviations : tuple of three floats
        Standard deviations of yaw, pitch and roll in degrees, if people differ and points err as
        the model says: how far one picture leaves the pose open.
    points : ndarray, shape (n_points, 3)
        The points of the fitted head in head coordinates, in centimetres.
    unposed : ndarray, shape (n_points, 2)
        The landmarks as a viewer straight before the face would see them, in head coordinates and
        centimetres: each keeps its own place, only the depth is the fitted head's.
    scheme : str
        What the points are: ``ibug51`` or ``ibug49``.
    """

    yaw: float
    pitch: float
    roll: float
    rotation: Floats
    origin: tuple[float, float]
    scale: float
    error: float
    deviations: tuple[float, float, float]
    points: Floats
    unposed: Floats
    scheme: str


def head_pose(
    landmarks: ArrayLike, scheme: LandmarkScheme | str, *, camera: PinholeCamera | None = None
) -> HeadPose:
    """Estimate where a head looks.

    Parameters
    ----------
    landmarks : array-like, shape (n_landmarks, 2)
        (x, y) in pixels, without missing points. The jaw is not used: the contour of a turned head
        is another line on it.
    scheme : LandmarkScheme or str
        ``ibug68``, ``ibug51``, ``ibug49`` or ``wflw98``.
    camera : PinholeCamera, optional
        Gives angles in the camera's axes, and the perspective that its focal length makes. Without
        it each face is taken as seen along its own line of sight from some 90 cm (60 to 200), so a
        face at the edge of a wide picture that looks along the camera's axis seems turned.

    Returns
    -------
    HeadPose

    Raises
    ------
    InvalidInputError
        Another scheme; missing points; points that lie in one place or on a line, that are
        mirrored, or that are no face.

    Notes
    -----
    A head of 51 points whose 32 modes are held by their standard deviations, as a 3-D morphable
    model (Blanz and Vetter, SIGGRAPH 1999); modes made from hand-shaped synthetic heads and a
    Gaussian process (Luethi et al., PAMI 2018).
    """
    points = check_landmarks(landmarks, allow_missing=False)
    if points.ndim != 2:
        raise InvalidInputError(f"landmarks have shape {points.shape}; expected those of one face")
    inner, name = inner_points(points, scheme, "head pose")
    return fit_pose(inner, head_model(name), name, camera)


def fit_pose(
    inner: NDArray[np.float32], head: HeadModel, name: str, camera: PinholeCamera | None = None
) -> HeadPose:
    """Fit a head to its points (n_points, 2), as `head_pose` does."""
    middle = inner.mean(axis=0, dtype=np.float64)
    centered = inner - middle
    _check_spread(centered)
    turn, unit = _start(centered, head)
    _check_side(centered, head, turn)
    target = centered / unit
    eye = np.zeros(3)
    if camera is not None:
        eye[:2] = (np.array(camera.center) - middle) / unit
        eye[2] = camera.focal / unit
    prior = np.zeros((1 + len(head.modes), 2))
    prior[1:, 1] = 1.0
    prior[0] = NEARNESS, NEARNESS_DEVIATION**-2 if camera is None else 1.0
    nearness = NEARNESS if camera is None else min(1.0 / eye[2], 0.03)
    values = np.zeros(len(prior))
    values[0] = nearness
    place = -(turn @ head.middle)[:2]
    view = np.array([1.0, place[0], place[1], nearness])
    fitted, covariance = np.empty_like(head.mean), np.empty((3, 3))
    weights = np.full(len(target), POINT_DEVIATION**-2)
    steps = _pose_kernels.fit_head(
        target, weights, head.mean, head.modes, eye, prior, MAX_ITERATIONS,
        turn, view, values, fitted, covariance,
    )  # fmt: skip
    if steps < 0 or not np.isfinite(turn).all():
        raise InvalidInputError("no head fits these landmarks; are they points of a face?")
    return _result(target, middle, unit, eye, turn, view, fitted, covariance, name)


def _check_spread(centered: Floats) -> None:
    """Refuse points in one place or on one line."""
    spread = np.sqrt(np.linalg.eigvalsh(centered.T @ centered / len(centered)))
    if spread[1] < MIN_SPREAD:
        raise InvalidInputError(
            f"the landmarks lie within {spread[1]:.2g} px of one place: no head pose"
        )
    if spread[0] < 0.02 * spread[1]:
        raise InvalidInputError("the landmarks lie on a line: no head pose")


def _start(centered: Floats, head: HeadModel) -> tuple[Floats, float]:
    """Return the turn (3, 3) and the scale of the mean head under a scaled orthographic camera."""
    affine = (head.linear @ centered).T
    left, sizes, right = np.linalg.svd(affine, full_matrices=False)
    (a, b, c), (d, e, f) = rows = left @ right
    third = np.array([b * f - c * e, c * d - a * f, a * e - b * d])
    return np.vstack([rows, third]), float(sizes.mean())


def _check_side(centered: Floats, head: HeadModel, turn: Floats) -> None:
    """Refuse points that look more like the mirror image of the head than like the head.

    Another order of the points, or a picture that was turned over without renaming them.
    """
    flat = (head.mean @ turn.T)[:, :2] if turn[2, 2] > 0 else head.mean[:, :2]
    source, target = ((points - points.mean(axis=0)) @ [1.0, 1j] for points in (flat, centered))
    # The share of the target that the best similarity explains, without and with a mirror.
    norm = np.vdot(source, source).real * np.vdot(target, target).real
    kept = abs(np.vdot(source, target)) ** 2 / norm
    if abs(source @ target) ** 2 / norm > kept:
        raise InvalidInputError(
            "the landmarks look mirrored: those of the right eye lie where the left one belongs;"
            " a mirrored picture needs LandmarkScheme.mirror"
        )
    if 1.0 - kept > MAX_ERROR:
        raise InvalidInputError("the landmarks look like no face; is their scheme the right one?")


def _result(
    target: Floats, middle: Floats, unit: float, eye: Floats, turn: Floats, view: Floats,
    head: Floats, covariance: Floats, name: str,
) -> HeadPose:  # fmt: skip
    """Return the pose in degrees and pixels."""
    scale, place, nearness = view[0], view[1:3], view[3]
    turned = head @ turn.T
    center = eye[:2] if eye[2] > 0 else place
    shift = place - center
    near = 1.0 / (1.0 - nearness * turned[:, 2])
    seen = center + (scale * turned[:, :2] + shift) * near[:, None]
    rays = ((target - center) / near[:, None] - shift) / scale
    unposed = np.column_stack([rays, turned[:, 2]]) @ turn
    outer = [get - 17 for get in (36, 45)]
    width = float(np.linalg.norm(head[outer[0]] - head[outer[1]]))
    missed = np.sqrt(((target - seen) ** 2).sum(axis=1).mean()) / (scale * width)
    yaw, pitch, roll = rotation_angles(turn)
    between = turn @ head[10]  # the upper end of the nose's ridge
    origin = center + (scale * between[:2] + shift) / (1.0 - nearness * between[2])
    return HeadPose(
        yaw, pitch, roll, turn, tuple(origin * unit + middle), float(scale * unit), float(missed),
        _deviations(covariance, yaw, roll), head, unposed[:, :2].copy(), name,
    )  # fmt: skip


def rotation_matrix(yaw: float, pitch: float, roll: float) -> Floats:
    """Return the matrix, shape (3, 3), of a pose in degrees; see `HeadPose`."""
    (sin_y, sin_p, sin_r), (cos_y, cos_p, cos_r) = (
        function(np.radians([yaw, pitch, roll])) for function in (np.sin, np.cos)
    )
    pitched = np.array([[1, 0, 0], [0, cos_p, -sin_p], [0, sin_p, cos_p]])
    yawed = np.array([[cos_y, 0, sin_y], [0, 1, 0], [-sin_y, 0, cos_y]])
    rolled = np.array([[cos_r, -sin_r, 0], [sin_r, cos_r, 0], [0, 0, 1]])
    return rolled @ yawed @ pitched


def rotation_angles(rotation: Floats) -> tuple[float, float, float]:
    """Return yaw, pitch and roll in degrees of a rotation (3, 3); see `HeadPose`."""
    yaw = np.arcsin(np.clip(-rotation[2, 0], -1.0, 1.0))
    pitch = np.arctan2(rotation[2, 1], rotation[2, 2])
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    return tuple(np.degrees([yaw, pitch, roll]).tolist())


def _deviations(covariance: Floats, yaw: float, roll: float) -> tuple[float, float, float]:
    """Return the standard deviations of the angles from the covariance of small turns."""
    # The axes that the three angles turn about: the picture's y once rolled, the head's x, and z.
    sin_r, cos_r = np.sin(np.radians(roll)), np.cos(np.radians(roll))
    sin_y, cos_y = np.sin(np.radians(yaw)), max(np.cos(np.radians(yaw)), 0.05)
    along = np.array([cos_r, sin_r, 0.0]) / cos_y
    inverse = np.array([[-sin_r, cos_r, 0.0], along, sin_y * along + [0.0, 0.0, 1.0]])
    variances = np.diag(inverse @ covariance @ inverse.T)
    return tuple(np.degrees(np.sqrt(np.maximum(variances, 0.0))).tolist())
