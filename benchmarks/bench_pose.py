"""How far head pose is off: synthetic faces with known angles, and real ones without.

Four ways to the angles in one run: the deformable head of classicface; the same fit with the mean
head alone; OpenCV's solvePnP with that mean head and the same assumed camera; and, to tell what is
the person's part, the fit with the person's own head, which nobody has. Three kinds of points: the
true ones, those of an ERT trained on other synthetic faces, and those of the bundled ert68, which
has learnt real faces only.

The modes of the head were made from the people who are tested here, so a second table leaves modes
out of the model that the tested people still have.

    python benchmarks/bench_pose.py [--faces 1200] [--train 1500] [--data FOLDER]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from bench_ert_vs_dlib import DATA
from make_head_model import head_table
from numpy.typing import NDArray

from classicface import ERTFitter, load, load_dataset
from classicface.apps.pose import rotation_angles
from classicface.apps.pose.fit import NEARNESS, fit_pose, head_pose
from classicface.apps.pose.head import HeadModel, build_head, head_model
from classicface.data.synthetic import FaceParameters, draw_face, random_face, synthetic_faces
from classicface.data.synthetic._head import PIVOT
from classicface.data.synthetic._render import pose_face
from classicface.shape.boxes import landmark_box
from classicface.shape.schemes import get_scheme

Points = NDArray[np.float32]
Estimate = Callable[[Points, FaceParameters], tuple[float, float, float]]


def people(n: int, seed: int) -> list[FaceParameters]:
    """Return random people with expressions, yaw to 40 degrees, pitch to 25, roll to 30."""
    rng = np.random.default_rng(seed)
    return [
        random_face(rng).replace(
            yaw=rng.uniform(-40, 40), pitch=rng.uniform(-25, 25), roll=rng.uniform(-30, 30)
        )
        for _ in range(n)
    ]


def by_head(head: HeadModel) -> Estimate:
    def estimate(points: Points, face: FaceParameters) -> tuple[float, float, float]:
        pose = fit_pose(points, head, "ibug51", np.ones(51))
        return pose.yaw, pose.pitch, pose.roll

    return estimate


def by_own_head(points: Points, face: FaceParameters) -> tuple[float, float, float]:
    """Fit the very head that was drawn, which leaves the errors of the points alone."""
    own = build_head(pose_face(face).inner - PIVOT, np.zeros((0, 51, 3)))
    return by_head(own)(points, face)


def by_opencv(points: Points, face: FaceParameters) -> tuple[float, float, float]:
    """Solve for the mean head, its camera as ours: a face seen straight on from some 90 cm."""
    mean = head_model().mean
    middle = points.mean(axis=0)
    # The focal length only sets the unit of a picture that the face is the middle of.
    scale = float(
        np.linalg.norm(points - middle) / np.linalg.norm((mean - mean.mean(axis=0))[:, :2])
    )
    focal = scale / NEARNESS
    matrix = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
    _, turn, _ = cv2.solvePnP(
        mean * [1, 1, -1], points.astype(np.float64), matrix, None, flags=cv2.SOLVEPNP_SQPNP
    )
    _, turn, _ = cv2.solvePnP(
        mean * [1, 1, -1], points.astype(np.float64), matrix, None,
        turn, _, True, flags=cv2.SOLVEPNP_ITERATIVE,
    )  # fmt: skip
    flip = np.diag([1.0, 1.0, -1.0])
    return rotation_angles(flip @ cv2.Rodrigues(turn)[0] @ flip)


def measure(
    faces: list[FaceParameters], points: list[Points], estimate: Estimate
) -> tuple[NDArray[np.float64], float]:
    """Return the errors in degrees, (n, 3), and the milliseconds a face."""
    inner = [np.ascontiguousarray(each[-51:], np.float32) for each in points]
    estimate(inner[0], faces[0])
    start = time.process_time()
    found = np.array([estimate(p, face) for p, face in zip(inner, faces, strict=True)])
    passed = (time.process_time() - start) / len(faces) * 1000
    return found - [[face.yaw, face.pitch, face.roll] for face in faces], passed


def row(name: str, errors: NDArray[np.float64], passed: float) -> None:
    size = np.abs(errors)
    cells = [
        f"{size[:, i].mean():.2f} / {np.percentile(size[:, i], 95):.1f} / {size[:, i].max():.1f}"
        for i in range(3)
    ]
    within = 100 * (size.max(axis=1) <= 3.0).mean()
    print(f"| {name} | {' | '.join(cells)} | {within:.0f} % | {passed:.2f} |", flush=True)


def head_rows(title: str) -> None:
    print(f"\n{title}\n\n| | yaw | pitch | roll | all three within 3° | ms a face |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")


def by_angle(faces: list[FaceParameters], kinds: dict[str, NDArray[np.float64]]) -> None:
    """Print the errors of yaw and pitch by how far the head is turned."""
    yaw = np.abs([face.yaw for face in faces])
    print("\nBy yaw: mean / 95th percentile of the error of yaw, then of pitch (deformable head)\n")
    print("| points | 0 to 10° | 10 to 20° | 20 to 30° | 30 to 40° |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, errors in kinds.items():
        cells = []
        for low in (0, 10, 20, 30):
            size = np.abs(errors[(yaw >= low) & (yaw < low + 10)])
            high = np.percentile(size, 95, axis=0)
            cells.append(
                f"{size[:, 0].mean():.2f} / {high[0]:.1f}, {size[:, 1].mean():.2f} / {high[1]:.1f}"
            )
        print(f"| {name} | {' | '.join(cells)} |")


def drawn(faces: list[FaceParameters], seed: int) -> tuple[list[Any], list[Points]]:
    """Return pictures of the faces, 160 px, and their true points."""
    rng = np.random.default_rng(seed)
    pairs = [draw_face(face, size=160, random_state=rng) for face in faces]
    return [picture for picture, _ in pairs], [points for _, points in pairs]


def boxes_of(points: list[Points], seed: int) -> NDArray[np.float32]:
    """Return landmark boxes that are off as those of a detector: 5 % of the side."""
    rng = np.random.default_rng(seed)
    boxes = landmark_box(np.stack(points))
    side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)
    return (boxes + np.tile(rng.normal(0, 0.05, (len(boxes), 2)) * side, 2)).astype(np.float32)


def left_out(faces: list[FaceParameters], points: list[Points]) -> None:
    """Measure models that do not know all that the tested people differ in."""
    half = list(range(0, 16, 2))
    for name, modes, free in (
        ("all modes", None, True),
        ("half of the identity modes left out", half, True),
        ("all identity modes left out", [], True),
        ("the shaped modes alone", None, False),
        ("half of the shaped modes alone", half, False),
    ):
        mean, shapes, _ = head_table(32, 4000, modes, free)
        row(name, *measure(faces, points, by_head(build_head(mean, shapes))))


def real_faces(data: Path) -> None:
    """Print what can be told without true angles."""
    part = data / "300w" / "helen" / "testset"
    if not part.is_dir():
        print(f"\nno faces in {part}: the real ones are left out")
        return
    faces = load_dataset(part)
    mirror = list(get_scheme("ibug68").mirror)
    poses = [head_pose(points, "ibug68") for points in faces.landmarks]
    turned = [head_pose(points[mirror] * [-1, 1], "ibug68") for points in faces.landmarks]
    angles = np.array([[pose.yaw, pose.pitch, pose.roll] for pose in poses])
    other = np.array([[-pose.yaw, pose.pitch, -pose.roll] for pose in turned])
    print(f"\nHELEN test set, {len(faces)} faces, true angles unknown; degrees")
    print(f"mirror image: at most {np.abs(angles - other).max():.1e} from the mirrored pose")
    print(f"yaw   mean {angles[:, 0].mean():5.1f}, standard deviation {angles[:, 0].std():.1f}")
    print(f"pitch mean {angles[:, 1].mean():5.1f}, standard deviation {angles[:, 1].std():.1f}")
    error = np.array([pose.error for pose in poses])
    print(f"points beside the head: {100 * np.median(error):.1f} % of the eye corners' distance,")
    print(f"95th percentile {100 * np.percentile(error, 95):.1f} %")
    halves(faces.landmarks, angles)
    model = load("ert68")
    predicted = model.predict_many(faces.images, faces.boxes)
    moved = np.array(
        [[pose.yaw, pose.pitch, pose.roll] for pose in (head_pose(p, "ibug68") for p in predicted)]
    )
    size = np.abs(moved - angles)
    print("points of ert68 against those placed by hand, mean / 95th percentile:")
    for name, column in zip(("yaw", "pitch", "roll"), size.T, strict=True):
        print(f"  {name} {column.mean():.2f} / {np.percentile(column, 95):.1f}")


def halves(landmarks: NDArray[np.float32], angles: NDArray[np.float64]) -> None:
    """Compare poses of two parts of the face that share the eyes: how far a person misleads."""
    found = []
    for parts in (("nose",), ("right_brow", "left_brow", "mouth")):
        weights = np.zeros(68)
        for part in (*parts, "right_eye", "left_eye"):
            weights[list(get_scheme("ibug68").regions[part])] = 1.0
        poses = [head_pose(points, "ibug68", weights=weights) for points in landmarks]
        found.append(np.array([[pose.yaw, pose.pitch, pose.roll] for pose in poses]))
    gap = found[0] - found[1]
    print("eyes with nose against eyes with brows and mouth, standard deviation of the difference:")
    print(f"  yaw {gap[:, 0].std():.1f}, pitch {gap[:, 1].std():.1f}, roll {gap[:, 2].std():.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--faces", type=int, default=1200)
    parser.add_argument("--train", type=int, default=1500)
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    faces = people(arguments.faces, 1)
    pictures, points = drawn(faces, 2)
    training = synthetic_faces(
        arguments.train, random_state=3, max_yaw=60, max_pitch=40, max_roll=45
    )
    fitter = ERTFitter.from_preset("fast").fit(training)
    boxes = boxes_of(points, 4)
    kinds = {
        "true points": points,
        "an ERT trained on synthetic faces": list(fitter.predict_many(pictures, boxes)),
        "ert68, trained on real faces": list(load("ert68").predict_many(pictures, boxes)),
    }
    deformable: dict[str, NDArray[np.float64]] = {}
    head = head_model()
    still = build_head(head.mean, head.modes[:0])
    for name, found in kinds.items():
        width = np.linalg.norm(np.stack(points)[:, 36] - np.stack(points)[:, 45], axis=1)
        off = np.linalg.norm(np.stack(found) - np.stack(points), axis=2)[:, 17:].mean(axis=1)
        head_rows(
            f"{name}: {len(faces)} faces, inner points off by {100 * (off / width).mean():.1f} % of"
            " the distance between the outer eye corners; mean / 95th percentile / worst, degrees"
        )
        deformable[name], passed = measure(faces, found, by_head(head))
        row("deformable head", deformable[name], passed)
        row("mean head", *measure(faces, found, by_head(still)))
        row("mean head, cv2.solvePnP", *measure(faces, found, by_opencv))
        row("the person's own head", *measure(faces, found, by_own_head))
    by_angle(faces, deformable)
    rng = np.random.default_rng(5)
    width = np.linalg.norm(np.stack(points)[:, 36] - np.stack(points)[:, 45], axis=1)
    noisy = [p + rng.normal(0, 0.015, p.shape) * w for p, w in zip(points, width, strict=True)]
    head_rows("Modes left out of the model, true points with noise of 1.5 %, deformable head")
    left_out(faces, noisy)
    real_faces(arguments.data)


if __name__ == "__main__":
    main()
