"""What the measures of expression measure: synthetic faces on which each cause is a number.

python benchmarks/bench_expression.py [--faces 3000] [--noise 1.0]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from classicface.apps.expression import card_text, cross_validate_expression, expression_features
from classicface.apps.expression.measures import MEASURES, measure_expression, measures_of
from classicface.data.synthetic import FaceParameters, random_face
from classicface.data.synthetic._render import pose_face

Floats = NDArray[np.float64]

CAUSES = ("eyes closed, right", "eyes closed, left", "mouth open", "smile", "pucker", "brow raise")
POSES = ("yaw, either way", "pitch", "roll", "distance")
#: Measure -> the cause that it is meant for (its place in CAUSES); asymmetry and furrow have none.
MEANT = {
    "right_eye_openness": 0,
    "left_eye_openness": 1,
    "mouth_openness": 2,
    "mouth_width": 3,
    "smile": 3,
    "jaw_drop": 2,
    "right_brow_raise": 5,
    "left_brow_raise": 5,
}


def random_expressions(n: int, seed: int) -> tuple[list[FaceParameters], Floats]:
    """Return faces whose causes are all drawn apart from each other, and the causes, (n, 10)."""
    rng = np.random.default_rng(seed)
    faces, causes = [], []
    for _ in range(n):
        eyes, mouth = rng.uniform(0, 1, 2), rng.uniform(0, 0.8)
        smile, brow = rng.uniform(-0.3, 1), rng.uniform(-0.8, 1)
        pucker = rng.uniform(0, 1) if rng.random() < 0.3 else 0.0
        yaw, pitch, roll = rng.uniform(-30, 30), rng.uniform(-20, 20), rng.uniform(-30, 30)
        face = random_face(rng).replace(
            eyes_closed=tuple(eyes), mouth_open=mouth, smile=smile, pucker=pucker, brow_raise=brow,
            yaw=yaw, pitch=pitch, roll=roll,
        )  # fmt: skip
        faces.append(face)
        causes.append([*eyes, mouth, smile, pucker, brow, abs(yaw), pitch, roll, face.distance])
    return faces, np.array(causes)


def points_of(face: FaceParameters, rng: np.random.Generator, noise: float) -> Floats:
    """Return the landmarks with noise in percent of the distance of the outer eye corners."""
    points = pose_face(face).landmarks * 15.0 + 200.0
    width = float(np.hypot(*(points[45] - points[36])))
    return points + rng.normal(0.0, noise / 100, points.shape) * width


def at_rest(face: FaceParameters) -> FaceParameters:
    still = {"mouth_open": 0.0, "smile": 0.0, "pucker": 0.0, "brow_raise": 0.0}
    return face.replace(eyes_closed=(0.0, 0.0), yaw=0.0, pitch=0.0, roll=0.0, **still)


def uncorrected(points: Floats) -> Floats:
    """Measure with roll and size taken out alone, as is usual."""
    across = points[45] - points[36]
    size = np.hypot(*across)
    c, s = across / size
    upright = points @ np.array([[c, -s], [s, c]]) / size
    return measures_of(upright[17:])


def correlations(values: Floats, causes: Floats) -> Floats:
    together = np.corrcoef(values.T, causes.T)
    return together[: values.shape[1], values.shape[1] :]


def table(title: str, values: Floats, causes: Floats) -> None:
    """Print correlations of measures with causes, and the share that all causes explain."""
    print(f"\n{title}\n")
    print(f"| correlation | {' | '.join((*CAUSES, *POSES))} |")
    print("| --- |" + " ---: |" * (len(CAUSES) + len(POSES)))
    for name, line in zip(MEASURES, correlations(values, causes), strict=True):
        cells = [f"{value:.2f}".replace("-0.00", "0.00") for value in line]
        if name in MEANT:
            cells[MEANT[name]] = f"**{cells[MEANT[name]]}**"
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def left_by_yaw(n: int) -> None:
    """Print how much of the difference from rest is left as the head turns, people at random."""
    rng = np.random.default_rng(7)
    moves = {
        "right_eye_openness": {"eyes_closed": (0.9, 0.9)},
        "mouth_openness": {"mouth_open": 0.6},
        "mouth_width": {"smile": 0.9},
        "smile": {"smile": 0.9},
        "jaw_drop": {"mouth_open": 0.6},
        "right_brow_raise": {"brow_raise": 0.9},
    }
    yaws = (-30, -15, 0, 15, 30)
    print("\nThe difference from rest that is left, share of that seen straight on: corrected")
    print("(standard deviation over people) against uncorrected\n")
    print(f"| measure | {' | '.join(f'yaw {yaw}°' for yaw in yaws)} |")
    print("| --- |" + " ---: |" * len(yaws))
    people = [at_rest(random_face(rng)) for _ in range(n)]
    names = list(MEASURES)
    for name, move in moves.items():
        column = names.index(name)
        cells = []
        for yaw in yaws:
            shares = []
            for person in people:
                still = pose_face(person).landmarks * 15
                front = pose_face(person.replace(**move)).landmarks * 15
                turned = pose_face(person.replace(**move, yaw=yaw)).landmarks * 15
                ours = [measure_expression(p, "ibug68", still) for p in (turned, front)]
                raw = [uncorrected(p) - uncorrected(still) for p in (turned, front)]
                shares.append(
                    (
                        getattr(ours[0], name) / getattr(ours[1], name),
                        raw[0][column] / raw[1][column],
                    )
                )
            mean, spread = np.mean(shares, axis=0), np.std(shares, axis=0)
            cells.append(f"{mean[0]:.2f} ({spread[0]:.2f}) / {mean[1]:.2f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def classifier(people: int, noise: float) -> None:
    """Print the card of a classifier of four expressions of drawn people, turned to 25 degrees."""
    rng = np.random.default_rng(1)
    labels = {
        "neutral": {},
        "open mouth": {"mouth_open": 0.55},
        "smile": {"smile": 0.7},
        "surprise": {"mouth_open": 0.4, "brow_raise": 0.8},
    }
    features, names, who = [], [], []
    for person in range(people):
        base = random_face(rng, expression=0)
        for name, causes in labels.items():
            for _ in range(2):
                changes = {
                    cause: float(np.clip(value + rng.normal(0.0, 0.15), 0.0, 1.0))
                    for cause, value in causes.items()
                }
                face = base.replace(yaw=rng.uniform(-25, 25), pitch=rng.uniform(-15, 15), **changes)
                features.append(expression_features(points_of(face, rng, noise), "ibug68"))
                names.append(name)
                who.append(str(person))
    card = cross_validate_expression(np.stack(features), names, who, "ibug51")
    print(f"\nA classifier of four expressions\n\n{card_text(card)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--faces", type=int, default=3000)
    parser.add_argument("--noise", type=float, default=1.0, help="of the points, in percent")
    arguments = parser.parse_args()
    faces, causes = random_expressions(arguments.faces, 1)
    rng = np.random.default_rng(2)
    points = [points_of(face, rng, arguments.noise) for face in faces]
    rests = [points_of(at_rest(face), rng, arguments.noise) for face in faces]
    alone = np.array([measure_expression(p, "ibug68").as_array() for p in points])
    against = np.array(
        [
            measure_expression(p, "ibug68", rest).as_array()
            for p, rest in zip(points, rests, strict=True)
        ]
    )
    raw = np.array([uncorrected(p) for p in points])
    noise = f"noise of {arguments.noise:g} % in the points"
    table(f"{len(faces)} people, one picture each, {noise}", alone, causes)
    table("The same against a neutral face of the same person", against, causes)
    table("The same from one picture, roll and size taken out, pose not corrected", raw, causes)
    left_by_yaw(min(200, arguments.faces))
    classifier(30, arguments.noise)


if __name__ == "__main__":
    main()
