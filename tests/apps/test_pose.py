import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from classicface.apps.pose import PinholeCamera, head_pose
from classicface.apps.pose.head import head_model
from classicface.data.pts import read_pts
from classicface.data.synthetic import FaceParameters, random_face
from classicface.data.synthetic._head import PIVOT
from classicface.data.synthetic._render import pose_face
from classicface.exceptions import InvalidInputError
from classicface.shape.rotations import angle_deviations, rotation_angles, rotation_matrix
from classicface.shape.schemes import SCHEMES, convert_landmarks

Floats = NDArray[np.float64]


def points_of(face: FaceParameters, scale: float = 15.0) -> Floats:
    return pose_face(face).landmarks * scale + [200.0, 160.0]


def as_98(points: Floats) -> Floats:
    """Return 98 points of which the 68 that the conversion takes are `points`."""
    marks = np.full((98, 2), points.mean())
    places = convert_landmarks(np.arange(196, dtype=np.float32).reshape(98, 2), "wflw98", "ibug68")
    marks[(places[:, 0] / 2).astype(int)] = points
    return marks


@pytest.fixture(scope="module")
def people() -> list[FaceParameters]:
    rng = np.random.default_rng(3)
    return [
        random_face(rng).replace(
            yaw=rng.uniform(-40, 40), pitch=rng.uniform(-25, 25), roll=rng.uniform(-30, 30)
        )
        for _ in range(150)
    ]


def angles(pose: Any) -> Floats:
    return np.array([pose.yaw, pose.pitch, pose.roll])


def true_angles(face: FaceParameters) -> Floats:
    return np.array([face.yaw, face.pitch, face.roll])


# --- the pose ---------------------------------------------------------------------------------


def test_angles_of_people_it_does_not_know(people: list[FaceParameters]) -> None:
    poses = [head_pose(points_of(face), "ibug68") for face in people]
    errors = np.abs([angles(p) - true_angles(f) for p, f in zip(poses, people, strict=True)])
    assert (errors.mean(axis=0) < [1.2, 1.3, 0.4]).all()
    assert (np.percentile(errors, 95, axis=0) < [3.3, 3.3, 1.0]).all()
    assert max(pose.error for pose in poses) < 0.012


def test_a_fixed_head_does_worse(people: list[FaceParameters]) -> None:
    from classicface.apps.pose.fit import fit_pose
    from classicface.apps.pose.head import build_head

    head = head_model()
    still = build_head(head.mean, head.modes[:0])
    both: list[list[float]] = []
    for face in people[:60]:
        points = points_of(face)[17:].astype(np.float32)
        poses = [fit_pose(points, model, "ibug51", np.ones(51)) for model in (head, still)]
        both.append([float(np.abs(angles(p) - true_angles(face))[:2].mean()) for p in poses])
    free, fixed = np.mean(both, axis=0)
    assert fixed > 2 * free


@pytest.mark.parametrize(
    ("name", "value"), [("yaw", 25.0), ("pitch", 15.0), ("roll", 20.0), ("yaw", -25.0)]
)
def test_signs_are_those_of_the_synthetic_faces(name: str, value: float) -> None:
    pose = head_pose(points_of(FaceParameters(**{name: value})), "ibug68")
    assert getattr(pose, name) == pytest.approx(value, abs=2.5)
    face = FaceParameters(**{name: value})
    np.testing.assert_allclose(
        rotation_matrix(face.yaw, face.pitch, face.roll),
        Rotation.from_euler("xyz", [face.pitch, face.yaw, face.roll], degrees=True).as_matrix(),
        atol=1e-12,
    )


def test_a_moved_scaled_and_turned_picture(people: list[FaceParameters]) -> None:
    for face in people[:5]:
        points = points_of(face)
        before = head_pose(points, "ibug68")
        turn = np.radians(10.0)
        spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        after = head_pose(2.5 * points @ spin + [900, -40], "ibug68")
        np.testing.assert_allclose(angles(after), angles(before) + np.array([0, 0, 10]), atol=5e-3)
        assert after.scale == pytest.approx(2.5 * before.scale, rel=1e-4)
        assert after.error == pytest.approx(before.error, rel=1e-2)


def test_the_mirror_image_has_the_mirrored_pose(people: list[FaceParameters]) -> None:
    mirror = list(SCHEMES["ibug68"].mirror)
    for face in people[:5]:
        points = points_of(face)
        pose = head_pose(points, "ibug68")
        other = head_pose(points[mirror] * [-1, 1], "ibug68")
        np.testing.assert_allclose(angles(other), angles(pose) * [-1, 1, -1], atol=5e-3)


def test_schemes(people: list[FaceParameters]) -> None:
    points = points_of(people[0])
    whole = angles(head_pose(points, "ibug68"))
    np.testing.assert_allclose(angles(head_pose(points[17:], "ibug51")), whole, atol=1e-9)
    np.testing.assert_allclose(angles(head_pose(as_98(points), "wflw98")), whole, atol=1e-9)
    pose = head_pose(np.delete(points[17:], [43, 47], axis=0), "ibug49")
    np.testing.assert_allclose(angles(pose), whole, atol=1.0)
    assert pose.scheme == "ibug49" and pose.points.shape == (49, 3)


@pytest.mark.parametrize("scheme", ["dlib5", "lfpw29", "points68"])
def test_schemes_whose_points_lie_elsewhere_are_refused(scheme: str) -> None:
    n = {"dlib5": 5, "lfpw29": 29, "points68": 68}[scheme]
    with pytest.raises(InvalidInputError, match=rf"those of {scheme} it does not know"):
        head_pose(np.random.default_rng(0).uniform(0, 100, (n, 2)), scheme)


def test_points_that_have_no_pose() -> None:
    points = points_of(FaceParameters(yaw=10))
    with pytest.raises(InvalidInputError, match=r"within .* px of one place"):
        head_pose(np.full((68, 2), 7.0), "ibug68")
    with pytest.raises(InvalidInputError, match="on a line"):
        head_pose(np.column_stack([np.arange(68.0), np.arange(68.0)]), "ibug68")
    with pytest.raises(InvalidInputError, match="NaN"):
        head_pose(np.where(np.arange(68)[:, None] == 30, np.nan, points), "ibug68")
    with pytest.raises(InvalidInputError, match="look mirrored"):
        head_pose(points * [-1, 1], "ibug68")
    with pytest.raises(InvalidInputError, match=r"look like no face|look mirrored"):
        head_pose(np.random.default_rng(1).uniform(0, 100, (68, 2)), "ibug68")
    with pytest.raises(InvalidInputError, match="expected those of one face"):
        head_pose(points[None], "ibug68")
    with pytest.raises(InvalidInputError, match="expected 68"):
        head_pose(points[1:], "ibug68")


def test_an_upside_down_face_is_no_mirrored_one() -> None:
    pose = head_pose(points_of(FaceParameters(roll=180.0, yaw=20.0)), "ibug68")
    assert abs(abs(pose.roll) - 180.0) < 1.5
    assert pose.yaw == pytest.approx(20.0, abs=3.0)


def test_a_known_camera_gives_true_angles_beside_its_axis() -> None:
    rng = np.random.default_rng(0)
    with_camera, without = [], []
    for _ in range(30):
        face = random_face(rng)
        true = rng.uniform(-25, 25, 3)
        head = pose_face(face).inner - PIVOT
        distance = rng.uniform(50, 150)
        shift = rng.uniform(-0.5, 0.5, 2) * distance
        seen = head @ rotation_matrix(*true).T + [*shift, 0.0]
        picture = [640, 360] + 1000 * seen[:, :2] / (distance - seen[:, 2:])
        camera = PinholeCamera(1000.0, (640.0, 360.0))
        pose = head_pose(picture, "ibug51", camera=camera)
        with_camera.append(angles(pose) - true)
        without.append(angles(head_pose(picture, "ibug51")) - true)
        assert pose.center == (640.0, 360.0)
        assert 1.0 / pose.nearness == pytest.approx(distance, rel=0.15)
    assert (np.abs(with_camera).mean(axis=0) < [1.5, 2.0, 0.6]).all()
    assert np.abs(without).mean() > 4 * np.abs(with_camera).mean()


@pytest.mark.parametrize(
    ("focal", "center"), [(0.0, (1, 1)), (np.nan, (1, 1)), (500.0, (1, 1, 1)), (500.0, ("a", 1))]
)
def test_cameras_that_are_none(focal: Any, center: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"focal|center"):
        PinholeCamera(focal, center)


def test_hidden_points_may_lie_anywhere(people: list[FaceParameters]) -> None:
    points = points_of(people[1])
    weights = np.ones(68)
    hidden = list(SCHEMES["ibug68"].regions["mouth"])
    weights[hidden] = 0.0
    clean = head_pose(points, "ibug68", weights=weights)
    moved = points.copy()
    moved[hidden] += np.random.default_rng(0).normal(0, 8, (20, 2))
    again = head_pose(moved, "ibug68", weights=weights)
    np.testing.assert_allclose(angles(again), angles(clean), atol=0.1)
    whole = head_pose(points, "ibug68")
    assert all(np.array(clean.deviations) > whole.deviations)


@pytest.mark.parametrize(
    "weights", [np.ones(67), np.full(68, 2.0), np.full(68, np.nan), np.zeros(68), "heavy"]
)
def test_weights_that_are_none(weights: Any) -> None:
    with pytest.raises(InvalidInputError, match="weights"):
        head_pose(points_of(FaceParameters()), "ibug68", weights=weights)


def test_unpose_undoes_project(people: list[FaceParameters]) -> None:
    for face in people[:5]:
        for camera in (None, PinholeCamera(900.0, (100.0, 80.0))):
            pose = head_pose(points_of(face), "ibug68", camera=camera)
            seen = pose.project(pose.points)
            back = pose.unpose(seen, pose.points[:, 2])
            np.testing.assert_allclose(back, pose.points[:, :2], atol=1e-9)
            np.testing.assert_allclose(pose.origin, seen[10])


def test_the_same_points_give_the_same_pose_and_stay_as_they_were() -> None:
    points = points_of(FaceParameters(yaw=12.0)).astype(np.float32)
    kept = points.copy()
    first, second = head_pose(points, "ibug68"), head_pose(points, "ibug68")
    assert (first.rotation == second.rotation).all()
    assert (points == kept).all()


def test_real_faces_without_true_angles(data_dir: Path) -> None:
    files = sorted((data_dir / "300w" / "helen" / "testset").glob("*.pts"))[::4]
    faces = [read_pts(path) for path in files]
    mirror = list(SCHEMES["ibug68"].mirror)
    poses = [head_pose(points, "ibug68") for points in faces]
    other = [head_pose(points[mirror] * [-1, 1], "ibug68") for points in faces]
    found, turned = np.array([angles(p) for p in poses]), np.array([angles(p) for p in other])
    np.testing.assert_allclose(turned, found * [-1, 1, -1], atol=5e-3)
    assert abs(found[:, 1].mean()) < 4.0
    assert np.percentile([pose.error for pose in poses], 95) < 0.04


# --- the head ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def maker(root: Path) -> Any:
    spec = importlib.util.spec_from_file_location(
        "make_head_model", root / "benchmarks" / "make_head_model.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_what_the_script_makes(maker: Any) -> None:
    mean, modes, share = maker.head_table()
    head = head_model()
    assert share > 0.99
    np.testing.assert_allclose(head.mean, mean, atol=0.0011)
    # The sign and order of a mode may go the other way on another machine; their sum may not.
    ours, theirs = (each.reshape(len(each), -1) for each in (head.modes, modes))
    np.testing.assert_allclose(ours.T @ ours, theirs.T @ theirs, atol=0.004)


def test_the_head_is_symmetric() -> None:
    head, mirror = head_model(), list(SCHEMES["ibug51"].mirror)
    np.testing.assert_allclose(head.mean[mirror] * [-1, 1, 1], head.mean, atol=0.0021)
    flipped = head.modes[:, mirror] * [-1, 1, 1]
    shares = np.einsum("kia,kia->k", flipped, head.modes) / (head.modes**2).sum(axis=(1, 2))
    np.testing.assert_allclose(np.abs(shares), 1.0, atol=0.02)


# --- rotations --------------------------------------------------------------------------------


@given(st.floats(-85, 85), st.floats(-85, 85), st.floats(-179, 179))
def test_angles_come_back(yaw: float, pitch: float, roll: float) -> None:
    back = rotation_angles(rotation_matrix(yaw, pitch, roll))
    np.testing.assert_allclose(back, (yaw, pitch, roll), atol=1e-9)


def test_deviations_by_small_turns() -> None:
    rng = np.random.default_rng(0)
    yaw, pitch, roll = 30.0, -20.0, 50.0
    turn = rotation_matrix(yaw, pitch, roll)
    half = rng.normal(0, 0.01, (3, 3))
    step = 1e-6
    by_turn = np.array(
        [
            np.subtract(
                rotation_angles(Rotation.from_rotvec(step * axis).as_matrix() @ turn),
                rotation_angles(Rotation.from_rotvec(-step * axis).as_matrix() @ turn),
            )
            / (2 * step)
            for axis in np.eye(3)
        ]
    ).T
    expected = np.sqrt(np.diag(by_turn @ half @ half.T @ by_turn.T))
    np.testing.assert_allclose(angle_deviations(half @ half.T, yaw, roll), expected, rtol=1e-5)
