"""Measures of a face's expression: eyes, brows and mouth as numbers, whatever way the head looks.

The landmarks are seen straight on first, through the head that was fitted to them
(`classicface.apps.pose`), and then measured against the distance between the outer corners of the
eyes. They say what a face does, not what a person feels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.apps.pose.fit import HeadPose, head_pose
from classicface.apps.pose.head import inner_points
from classicface.apps.ratios import opening, ratio
from classicface.exceptions import InvalidInputError
from classicface.shape.schemes import SCHEMES, LandmarkScheme
from classicface.validation import check_landmarks

__all__ = ["MEASURES", "Expression", "frontal_points", "measure_expression", "measures_of"]

Floats = NDArray[np.float64]

#: What each measure is; but for the openness of the eyes, lengths are shares of the distance
#: between the outer corners of the eyes.
MEASURES = {
    "right_eye_openness": "mean distance of the lids over the distance of the eye's corners",
    "left_eye_openness": "mean distance of the lids over the distance of the eye's corners",
    "mouth_openness": "mean distance of the inner edges of the lips",
    "mouth_width": "distance of the corners of the mouth",
    "smile": "how far the corners of the mouth are up, and half of how far out, from a resting lip",
    "jaw_drop": "distance of the lower edge of the lower lip from the base of the nose",
    "right_brow_raise": "mean height of the brow over the line through the eyes' corners",
    "left_brow_raise": "mean height of the brow over the line through the eyes' corners",
    "brow_furrow": "how much nearer the inner ends of the brows are than in a usual face",
    "asymmetry": "root mean square distance of the points from those of the mirrored face",
}

#: Width of a resting mouth and distance of resting brows, as shares, where 0 is put.
REST_WIDTH, REST_GAP = 0.58, 0.28

#: How far the corners of a resting mouth follow its lower lip: they are judged from there.
CORNERS_FOLLOW = 1.0 / 3.0

_EYES = (SCHEMES["ibug68"].regions["right_eye"], SCHEMES["ibug68"].regions["left_eye"])
_BROWS = (SCHEMES["ibug68"].regions["right_brow"], SCHEMES["ibug68"].regions["left_brow"])
_MIRROR = np.array(SCHEMES["ibug51"].mirror)


@dataclass(frozen=True)
class Expression:
    """Measures of one face; `MEASURES` says what each is.

    Attributes
    ----------
    right_eye_openness, left_eye_openness : float
        Ratio, about 0.3 for an open eye and 0 to 0.1 for a shut one; sides are the subject's.
    mouth_openness, mouth_width, smile, jaw_drop, right_brow_raise, left_brow_raise : float
    brow_furrow, asymmetry : float
        Shares of the distance between the outer corners of the eyes.
    relative : bool
        Whether each is the difference from a neutral face of the same person.
    """

    right_eye_openness: float
    left_eye_openness: float
    mouth_openness: float
    mouth_width: float
    smile: float
    jaw_drop: float
    right_brow_raise: float
    left_brow_raise: float
    brow_furrow: float
    asymmetry: float
    relative: bool = False

    def as_array(self) -> Floats:
        """Return the measures, shape (10,), in the order of `MEASURES`."""
        return np.array([getattr(self, name) for name in MEASURES], dtype=np.float64)


def measure_expression(
    landmarks: ArrayLike,
    scheme: LandmarkScheme | str,
    neutral: ArrayLike | None = None,
    *,
    pose: HeadPose | None = None,
) -> Expression:
    """Measure the expression of a face.

    Parameters
    ----------
    landmarks : array-like, shape (n_landmarks, 2)
        (x, y) in pixels, without missing points.
    scheme : LandmarkScheme or str
        ``ibug68``, ``ibug51``, ``ibug49`` or ``wflw98``: all measures are there for each of them.
    neutral : array-like, shape (n_landmarks, 2), optional
        The same person at rest, in whatever pose and size. The measures become the differences from
        it, which is what tells a small smile from a wide mouth.
    pose : HeadPose, optional
        That of `landmarks`, where it is known already.

    Returns
    -------
    Expression

    Raises
    ------
    InvalidInputError
        As `classicface.apps.pose.head_pose` does, or a head turned away by some 80 degrees.

    Notes
    -----
    Exactly the same for a face that is moved, turned in the picture or scaled. How much of each
    is left in a turned head, and how far causes leak into each other: ``docs/expression.md``.
    """
    measured = measures_of(_seen_straight_on(landmarks, scheme, pose))
    if neutral is not None:
        measured = measured - measures_of(_seen_straight_on(neutral, scheme, None))
    named = dict(zip(MEASURES, measured.tolist(), strict=True))
    return Expression(**named, relative=neutral is not None)


def frontal_points(
    landmarks: ArrayLike, scheme: LandmarkScheme | str, pose: HeadPose | None = None
) -> Floats:
    """Return eyes, brows, nose and mouth as seen straight on.

    Parameters
    ----------
    landmarks, scheme, pose
        As in `measure_expression`.

    Returns
    -------
    ndarray, shape (51, 2)
        Points 17 to 67 of ``ibug68``, their mean at (0, 0), in distances between the outer corners
        of the eyes. NaN for the inner corners of the mouth where a scheme lacks them.

    Raises
    ------
    InvalidInputError
        As `measure_expression` does.
    """
    points = _seen_straight_on(landmarks, scheme, pose)
    return points - np.nanmean(points, axis=0)


def _seen_straight_on(
    landmarks: ArrayLike, scheme: LandmarkScheme | str, pose: HeadPose | None
) -> Floats:
    """Return the inner points, (51, 2), in distances of the outer corners of the eyes."""
    points = check_landmarks(landmarks, allow_missing=False)
    if points.ndim != 2:
        raise InvalidInputError(f"landmarks have shape {points.shape}; expected those of one face")
    inner, name = inner_points(points, scheme, "expression")
    if pose is None:
        pose = head_pose(points, scheme)
    elif pose.scheme != name:
        raise InvalidInputError(f"the pose is that of {pose.scheme}; the points are {name}")
    frontal = pose.unpose(inner, pose.points[:, 2])
    size = float(np.hypot(*(frontal[45 - 17] - frontal[36 - 17])))
    if not size > 0.0:
        raise InvalidInputError(
            f"the head is turned away by {pose.yaw:.0f} degrees of yaw and {pose.pitch:.0f} of"
            " pitch: its expression is not seen"
        )
    if name == "ibug49":
        frontal = np.insert(frontal, [43, 46], np.nan, axis=0)  # points 60 and 64
    return frontal / size


def measures_of(points: Floats) -> Floats:
    """Return the measures, in the order of `MEASURES`, of upright points seen straight on.

    Parameters
    ----------
    points : ndarray, shape (51, 2)
        Points 17 to 67 of ``ibug68``, in distances between the outer corners of the eyes.
    """

    def at(*indices: int) -> Floats:
        return points[[index - 17 for index in indices]].mean(axis=0)

    eyes = [ratio(*opening(points, tuple(i - 17 for i in loop))) for loop in _EYES]
    lips = [np.hypot(*(at(upper) - at(lower))) for upper, lower in ((61, 67), (62, 66), (63, 65))]
    width = np.hypot(*(at(54) - at(48)))
    resting = at(62) + CORNERS_FOLLOW * (at(66) - at(62))
    up = resting[1] - at(48, 54)[1]
    line = at(36, 39, 42, 45)[1]
    brows = [line - at(*brow)[1] for brow in _BROWS]
    gap = np.hypot(*(at(22) - at(21)))
    return np.array(
        [
            *eyes,
            np.mean(lips),
            width,
            up + 0.5 * (width - REST_WIDTH),
            (at(57) - at(33))[1],
            *brows,
            REST_GAP - gap,
            _asymmetry(points),
        ]
    )


def _asymmetry(points: Floats) -> float:
    """Return the distance of points (51, 2) from their mirror image, best laid over them."""
    there = ~np.isnan(points[:, 0])
    mirrored = points[_MIRROR][there] * [-1.0, 1.0]
    kept = points[there]
    a, b = ((each - each.mean(axis=0)) @ [1.0, 1j] for each in (kept, mirrored))
    # The best turn of the one to the other; their sizes are equal.
    product = np.vdot(b, a)
    square = np.abs(a - b * product / abs(product)) ** 2
    return float(np.sqrt(square.mean()))
