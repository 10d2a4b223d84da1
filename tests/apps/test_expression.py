import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from classicface.apps.expression.measures import (
    MEASURES,
    Expression,
    frontal_points,
    measure_expression,
    measures_of,
)
from classicface.apps.pose import head_pose
from classicface.apps.ratios import eye_aspect_ratios
from classicface.data.synthetic import FaceParameters, random_face
from classicface.data.synthetic._render import pose_face
from classicface.exceptions import InvalidInputError
from classicface.shape.schemes import SCHEMES, convert_landmarks

Floats = NDArray[np.float64]

REST = FaceParameters()


def points_of(face: FaceParameters) -> Floats:
    return pose_face(face).landmarks * 15.0 + [200.0, 160.0]


def measured(face: FaceParameters, **options: object) -> Expression:
    return measure_expression(points_of(face), "ibug68", **options)  # type: ignore[arg-type]


# What is done to a face at rest, and the measures that must grow or shrink by at least so much.
CAUSES = [
    ({"eyes_closed": (1.0, 0.0)}, {"right_eye_openness": -0.15}, ("left_eye_openness",)),
    ({"eyes_closed": (0.0, 1.0)}, {"left_eye_openness": -0.15}, ("right_eye_openness",)),
    ({"mouth_open": 0.6}, {"mouth_openness": 0.1, "jaw_drop": 0.1}, ("right_brow_raise",)),
    ({"smile": 0.9}, {"smile": 0.1, "mouth_width": 0.08}, ("mouth_openness",)),
    ({"smile": -0.9}, {"smile": -0.1, "mouth_width": -0.08}, ("mouth_openness",)),
    ({"pucker": 1.0}, {"mouth_width": -0.06}, ("mouth_openness",)),
    ({"brow_raise": 0.9}, {"right_brow_raise": 0.04, "left_brow_raise": 0.04}, ("smile",)),
]


@pytest.mark.parametrize(("cause", "moved", "still"), CAUSES)
@pytest.mark.parametrize("yaw", [0.0, 25.0])
def test_each_cause_moves_its_measures_and_no_others(
    cause: dict[str, object], moved: dict[str, float], still: tuple[str, ...], yaw: float
) -> None:
    change = measured(REST.replace(yaw=yaw, **cause), neutral=points_of(REST))
    assert change.relative
    for name, least in moved.items():
        value = getattr(change, name)
        assert value * np.sign(least) > abs(least), (name, value)
    for name in still:
        assert abs(getattr(change, name)) < 0.02, name


def test_a_measure_keeps_its_size_as_the_head_turns() -> None:
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(30):
        face = random_face(rng, expression=0).replace(roll=0.0, yaw=0.0, pitch=0.0)
        done = face.replace(mouth_open=0.6, smile=0.6)
        rest = points_of(face)
        front, turned = (measured(done.replace(yaw=yaw), neutral=rest) for yaw in (0.0, 30.0))
        shares.append([turned.mouth_openness / front.mouth_openness, turned.smile / front.smile])
    np.testing.assert_allclose(np.mean(shares, axis=0), 1.0, atol=0.06)
    assert (np.std(shares, axis=0) < 0.12).all()


@settings(max_examples=25)
@given(st.floats(0.3, 4.0), st.floats(-170, 170), st.floats(-500, 500), st.floats(-500, 500))
def test_nothing_changes_with_place_size_and_turn(
    scale: float, degrees: float, x: float, y: float
) -> None:
    points = points_of(REST.replace(yaw=15.0, smile=0.5, mouth_open=0.2))
    angle = np.radians(degrees)
    spin = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = scale * points @ spin + [x, y]
    one, other = (measure_expression(p, "ibug68").as_array() for p in (points, moved))
    np.testing.assert_allclose(other, one, atol=5e-4)


def test_sides_are_the_subjects_and_a_mirror_swaps_them() -> None:
    points = points_of(REST.replace(eyes_closed=(0.9, 0.0), yaw=10.0))
    mirrored = points[list(SCHEMES["ibug68"].mirror)] * [-1, 1]
    one, other = (measure_expression(p, "ibug68") for p in (points, mirrored))
    assert one.right_eye_openness < 0.5 * one.left_eye_openness
    assert other.left_eye_openness == pytest.approx(one.right_eye_openness, abs=5e-4)
    assert other.smile == pytest.approx(one.smile, abs=5e-4)
    assert other.asymmetry == pytest.approx(one.asymmetry, abs=5e-4)


def test_asymmetry_is_of_the_face_and_not_of_its_pose() -> None:
    even, turned = measured(REST), measured(REST.replace(yaw=25.0))
    crooked = points_of(REST)
    crooked[[48, 49, 59, 60]] += [0.0, 12.0]
    assert even.asymmetry < 0.002
    assert turned.asymmetry < 0.01
    assert measure_expression(crooked, "ibug68").asymmetry > 0.015


def test_furrowed_brows_come_together() -> None:
    points = points_of(REST)
    points[21] += [6.0, 4.0]
    points[22] += [-6.0, 4.0]
    change = measure_expression(points, "ibug68", points_of(REST))
    assert 0.06 < change.brow_furrow < 0.12
    assert change.right_brow_raise < 0.0


def test_seen_straight_on_the_openness_is_the_aspect_ratio() -> None:
    face = REST.replace(distance=10_000.0)
    found = measured(face)
    ratios = eye_aspect_ratios(points_of(face), "ibug68")
    np.testing.assert_allclose(
        [found.right_eye_openness, found.left_eye_openness], ratios, rtol=0.04
    )


def test_schemes_hold_all_measures() -> None:
    points = points_of(REST.replace(smile=0.7, yaw=20.0)).astype(np.float32)
    whole = measure_expression(points, "ibug68").as_array()
    for name in ("ibug51", "ibug49"):
        fewer = convert_landmarks(points, "ibug68", name)
        found = measure_expression(fewer, name).as_array()
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, whole, atol=0.01)
    assert np.isnan(frontal_points(fewer, "ibug49")).sum() == 4
    assert list(MEASURES) == [n for n in Expression.__dataclass_fields__ if n != "relative"]


def test_a_pose_that_is_known_is_used() -> None:
    points = points_of(REST.replace(smile=0.7, yaw=20.0))
    pose = head_pose(points, "ibug68")
    alone, given_pose = (measured(REST.replace(smile=0.7, yaw=20.0), pose=p) for p in (None, pose))
    assert alone == given_pose
    inner = frontal_points(points, "ibug68", pose)
    np.testing.assert_allclose(measures_of(inner), alone.as_array(), atol=1e-12)
    np.testing.assert_allclose(inner.mean(axis=0), 0.0, atol=1e-9)


def test_what_cannot_be_measured() -> None:
    points = points_of(REST)
    with pytest.raises(InvalidInputError, match="expression knows where the points of ibug68"):
        measure_expression(points[:29], "lfpw29")
    with pytest.raises(InvalidInputError, match="expected those of one face"):
        measure_expression(points[None], "ibug68")
    with pytest.raises(InvalidInputError, match="NaN"):
        measure_expression(np.full((68, 2), np.nan), "ibug68")
    with pytest.raises(InvalidInputError, match="one place"):
        measure_expression(points, "ibug68", np.zeros((68, 2)))
    inner = convert_landmarks(points, "ibug68", "ibug49")
    with pytest.raises(InvalidInputError, match="the pose is that of ibug51; the points are"):
        measure_expression(inner, "ibug49", pose=head_pose(points, "ibug68"))
