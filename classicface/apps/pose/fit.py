"""Head pose from the landmarks of one picture: a deformable head fitted to them.

The pose that explains the points depends on whose head it is. So the head is not a fixed one: its
modes (people, expressions) are fitted together with the pose, each held by its spread, by
Levenberg-Marquardt; equations in ``docs/expression.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.apps.pose import _kernels
from classicface.apps.pose._checks import check_side, check_spread, check_weights
from classicface.apps.pose.head import HeadModel, head_model, inner_points
from classicface.exceptions import InvalidInputError
from classicface.shape.rotations import angle_deviations, rotation_angles
from classicface.shape.schemes import LandmarkScheme
from classicface.validation import check_landmarks, check_number

__all__ = ["HeadPose", "PinholeCamera", "fit_pose", "head_pose"]

Floats = NDArray[np.float64]

#: Standard deviation of a point beside the fitted head: what the modes leave and how surely people
#: and programs place it, in centimetres.
POINT_DEVIATION = 0.15

#: One over the usual distance of a camera from a head, and its standard deviation, in 1/cm.
NEARNESS, NEARNESS_DEVIATION = 0.011, 0.003

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
    deviations : tuple of three floats
        Standard deviations of yaw, pitch and roll in degrees, if people differ and points err as
        the model says: how far one picture leaves the pose open.
    error : float
        Root mean square distance in the picture between the landmarks and the fitted head, as a
        share of the distance between the outer corners of the eyes of the fitted head (its own
        width, so a turned head does not look worse). Above some 0.06 the pose is doubtful.
    scale : float
        Pixels a centimetre of a head of usual size, at that head's distance.
    nearness : float
        One over the distance of the camera from the head, in 1/cm, as far as it could be told.
    place : tuple of two floats
        Where in the picture the point is about which the head turns, in pixels.
    center : tuple of two floats
        The principal point: the camera's, or `place` where the camera is not known.
    points : ndarray, shape (n_points, 3)
        The points of the fitted head in head coordinates: centimetres from the point about which
        the head turns, x to the subject's left, y down, z out of the face.
    scheme : str
        What the points are: ``ibug51`` or ``ibug49``.
    """

    yaw: float
    pitch: float
    roll: float
    rotation: Floats
    deviations: tuple[float, float, float]
    error: float
    scale: float
    nearness: float
    place: tuple[float, float]
    center: tuple[float, float]
    points: Floats
    scheme: str

    @property
    def origin(self) -> tuple[float, float]:
        """Where in the picture the nose begins, between the eyes: a place to draw axes from."""
        x, y = self.project(self.points[27 - 17])
        return float(x), float(y)

    def project(self, points: ArrayLike) -> Floats:
        """Return where points in head coordinates, (..., 3), are in the picture, (..., 2)."""
        turned = np.asarray(points, np.float64) @ self.rotation.T
        center = np.array(self.center)
        flat = self.scale * turned[..., :2] + self.place - center
        return center + flat / (1.0 - self.nearness * turned[..., 2:])

    def unpose(self, points: ArrayLike, depths: ArrayLike) -> Floats:
        """Return points as a viewer straight before the face would see them.

        Parameters
        ----------
        points : array-like, shape (n, 2)
            In the picture.
        depths : array-like, shape (n,)
            How far each lies before the point about which the head turns, in centimetres.

        Returns
        -------
        ndarray, shape (n, 2)
            x and y in head coordinates, in centimetres; NaN where the head is turned so far, by
            some 80 degrees, that the picture does not tell.
        """
        ahead = np.array(points, np.float64) - self.center
        turn, near = self.rotation, self.nearness
        depths = np.asarray(depths, np.float64)
        # (u - c) (1 - w z) = s x + t - c, and x, y, z are linear in the two unknowns.
        across = self.scale * turn[:2, :2] + near * ahead[:, :, None] * turn[2, :2]
        right = ahead * (1.0 - near * depths * turn[2, 2])[:, None]
        right -= self.scale * depths[:, None] * turn[:2, 2] + self.place - np.array(self.center)
        (a, b), (c, d) = across.transpose(1, 2, 0)
        determinant = a * d - b * c
        if turn[2, 2] < 0.17:
            return np.full_like(ahead, np.nan)
        solved = (d * right[:, 0] - b * right[:, 1], a * right[:, 1] - c * right[:, 0])
        return np.column_stack(solved) / determinant[:, None]


def head_pose(
    landmarks: ArrayLike,
    scheme: LandmarkScheme | str,
    *,
    camera: PinholeCamera | None = None,
    weights: ArrayLike | None = None,
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
    weights : array-like, shape (n_landmarks,), optional
        How far to trust each point, 0 (a hidden one, say) to 1; by default all fully.

    Returns
    -------
    HeadPose

    Raises
    ------
    InvalidInputError
        Another scheme; missing points; points that lie in one place or on a line, that are
        mirrored, or that are no face; weights out of range, or with fewer than 8 above 0.

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
    trust = np.ones(len(inner)) if weights is None else check_weights(weights, points, scheme)
    return fit_pose(inner, head_model(name), name, trust, camera)


def fit_pose(
    inner: NDArray[np.float32],
    head: HeadModel,
    name: str,
    trust: Floats,
    camera: PinholeCamera | None = None,
) -> HeadPose:
    """Fit a head to its points (n_points, 2) with weights (n_points,), as `head_pose` does."""
    middle = inner.mean(axis=0, dtype=np.float64)
    centered = inner - middle
    check_spread(centered)
    turn, unit = _start(centered, head)
    check_side(centered, head, turn)
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
    steps = _kernels.fit_head(
        target, trust * POINT_DEVIATION**-2, head.mean, head.modes, eye, prior, MAX_ITERATIONS,
        turn, view, values, fitted, covariance,
    )  # fmt: skip
    if steps < 0 or not np.isfinite(turn).all():
        raise InvalidInputError("no head fits these landmarks; are they points of a face?")
    spot = view[1:3] * unit + middle
    pivot = (float(spot[0]), float(spot[1]))
    seen = (
        pivot,
        pivot if camera is None else camera.center,
        float(view[0] * unit),
        float(view[3]),
    )
    return _result(inner.astype(np.float64), trust, seen, turn, fitted, covariance, name)


def _start(centered: Floats, head: HeadModel) -> tuple[Floats, float]:
    """Return the turn (3, 3) and the scale of the mean head under a scaled orthographic camera."""
    affine = (head.linear @ centered).T
    left, sizes, right = np.linalg.svd(affine, full_matrices=False)
    (a, b, c), (d, e, f) = rows = left @ right
    third = np.array([b * f - c * e, c * d - a * f, a * e - b * d])
    return np.vstack([rows, third]), float(sizes.mean())


def _result(
    inner: Floats,
    trust: Floats,
    view: tuple[tuple[float, float], tuple[float, float], float, float],
    turn: Floats,
    head: Floats,
    covariance: Floats,
    name: str,
) -> HeadPose:
    """Return the pose in degrees and pixels; `view` is place, center, scale and nearness."""
    yaw, pitch, roll = rotation_angles(turn)
    deviations = angle_deviations(covariance, yaw, roll)
    place, center, scale, nearness = view
    pose = HeadPose(
        yaw, pitch, roll, turn, deviations, 0.0, scale, nearness, place, center, head, name
    )
    outer = head[[36 - 17, 45 - 17]]
    width = scale * float(np.linalg.norm(outer[0] - outer[1]))
    square = ((inner - pose.project(head)) ** 2).sum(axis=1)
    return replace(pose, error=float(np.sqrt(trust @ square / trust.sum())) / width)
