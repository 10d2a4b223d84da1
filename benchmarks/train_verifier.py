"""Train the bundled face verifier on HELEN, YouTube Faces and drawn faces; write it with its card.

    python benchmarks/train_verifier.py [--data FOLDER] [-o classicface/landmarker/weights]

People and pictures are split: most train it, some calibrate it; a fifth of the people of YouTube
Faces, HELEN's test set and other drawn faces are only measured. The points are those of the bundled
ert68, asm68 and best68, and moved true ones; cnn68 and heatmap68 only appear in the measurement.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bench_ert_vs_dlib import DATA
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from verifier_faces import Face, drawn, helen, inner, mirrored, scenes, youtube
from verifier_measuring import Table, measure, pooled, report, separation, tabulate
from verifier_samples import Sampler, jittered_box, predict
from verifier_training import (
    Network,
    learn_look,
    make_describer,
    targets,
    write_verifier,
)

import classicface
from classicface import PointDistributionModel, load
from classicface.landmarker.description import FaceDescriber
from classicface.landmarker.verifier import FaceVerifier
from classicface.persistence import read_model, replacing, write_model

TERMS = (
    "Research use only, not commercial: inherited from the 300-W annotation (Sagonas et al., IMAVIS"
    " 2016) of HELEN (Le et al., ECCV 2012) and from YouTube Faces (Wolf et al., CVPR 2011)."
)

SEED = 0
SIZE, EYES, OFFSET, HIDDEN, LOOK = 48, 22.0, 3.0, 32, (160, 48)

#: How many samples a face of each kind, by the predictor that places the points.
PLAN = {
    "near": {"ert68": 2.0, "asm68": 1.0, "best68": 0.4},
    "far": {"ert68": 2.0, "asm68": 0.7, "best68": 0.15},
    "moved": {"": 1.5},
    "alien": {"": 1.0},
    "rotated": {"ert68": 0.7, "asm68": 0.2},
    "half": {"ert68": 0.6, "asm68": 0.3},
    "rectangle": {"ert68": 0.8, "asm68": 0.3},
    "other": {"ert68": 1.0, "asm68": 0.3},
    "empty": {"ert68": 2.0, "asm68": 0.6, "best68": 0.15},
}


class Splits(NamedTuple):
    """Faces to train on, to calibrate and choose settings on, and to measure on.

    The frames are those of the people of YouTube Faces in training and in the measurement, all of
    them: templates are about several of a person.
    """

    train: list[Face]
    check: list[Face]
    test: list[Face]
    known_frames: list[Face]
    frames: list[Face]


def split(data: Path) -> Splits:
    rng = np.random.default_rng(7)
    photographs, frames = helen(data, "trainset"), youtube(data)
    people = rng.permutation(sorted({face.person for face in frames}))
    n = len(people)
    held = set(people[: n // 5])
    checked = set(people[n // 5 : n // 5 + n // 8])
    order = rng.permutation(len(photographs))
    known_frames = [face for face in frames if face.person not in held | checked]
    held_frames = [face for face in frames if face.person in held]
    train = 2 * [photographs[i] for i in order[130:]] + known_frames[::2]
    check = [photographs[i] for i in order[:130]]
    check += [face for face in frames if face.person in checked][::3]
    test = helen(data, "testset") + held_frames[::3]
    drawings = drawn(600, 1), drawn(80, 2), drawn(120, 3)
    return Splits(
        train + drawings[0], check + drawings[1], test + drawings[2], known_frames, held_frames
    )


#: The predictors of the measurement; the last two place no point of the training.
TEST_PREDICTORS = ("ert68", "asm68", "best68", "cnn68", "heatmap68")

#: How many samples a face of each kind the measurement has, for each of them.
TEST_PLAN = {
    "near": 1.0,
    "far": 0.6,
    "moved": 0.3,
    "rotated": 0.2,
    "half": 0.3,
    "rectangle": 0.4,
    "other": 0.5,
    "empty": 0.6,
}


_started = time.perf_counter()


def log(text: str) -> None:
    print(f"{time.perf_counter() - _started:6.0f} s  {text}", flush=True)


def looks(
    describer: FaceDescriber, frames: list[Face], length: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the features that templates are made of, the people and the videos of frames."""
    predictor = load("ert68")
    features, people, videos = [], [], []
    for face in frames:
        box = jittered_box(face.points, 0.05, 0.05, rng)
        found = describer.describe(face.image, predict(predictor, face.image, box))
        if found is not None:
            features.append(found.features[:length])
            people.append(face.person)
            videos.append(face.video)
    return np.stack(features), np.array(people), np.array(videos)


def calibrate(scores: np.ndarray, table: Table) -> tuple[float, float]:
    """Return the slope and offset of scores that make them log odds (Platt scaling).

    Of an error below 0.1 on a face of which more than half is seen; as many yes as no.
    """
    lies = (table.errors < 0.1) & (table.visible > 0.5)
    fitted = LogisticRegression(C=1e6, class_weight="balanced").fit(scores[:, None], lies)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def train(
    describer: FaceDescriber, splits: Splits, model: PointDistributionModel, path: Path
) -> None:
    """Train a verifier and write it, without its measured accuracy."""
    known = {name: load(name) for name in ("ert68", "asm68", "best68")}
    rng = np.random.default_rng(SEED)
    table = tabulate(
        describer, Sampler(splits.train, known, model, scenes(True), rng).samples(PLAN)
    )
    log(f"{len(table.errors)} samples to train on")
    wanted, clear = targets(table.errors, table.visible)
    trained = Network(describer.n_features, HIDDEN, rng)
    trained.fit(table.features[clear], wanted[clear], rng)
    del table
    rng = np.random.default_rng(SEED + 1)
    check = tabulate(
        describer, Sampler(splits.check, known, model, scenes(False), rng).samples(PLAN)
    )
    log(f"{len(check.errors)} samples to calibrate on")
    calibration = calibrate(trained.scores(check.features), check)
    length = len(describer.mean) * 8 * len(describer.offsets)
    frames = splits.known_frames + drawn(1200, 4, per_person=6)
    features, _, videos = looks(describer, frames, length, rng)
    look = learn_look(features, videos, *LOOK)
    header = {
        "provenance": {
            "data": [
                "HELEN training set, 300-W annotation",
                "YouTube Faces, most people",
                "drawn faces",
            ],
            "command": "python benchmarks/train_verifier.py",
            "seed": SEED,
            "terms": TERMS,
            "versions": {"classicface": classicface.__version__, "numpy": np.__version__},
        }
    }
    write_verifier(path, describer, trained, calibration, look, header)


def test_tables(
    describer: FaceDescriber, splits: Splits, model: PointDistributionModel
) -> dict[str, Table]:
    """Return the samples of the measurement by source and predictor."""
    tables = {}
    for source in ("helen", "ytf", "drawn"):
        faces = [face for face in splits.test if face.source == source]
        for name in TEST_PREDICTORS:
            rng = np.random.default_rng(SEED + 2)
            sampler = Sampler(faces, {name: load(name)}, model, scenes(False), rng)
            plan = {kind: {name: amount} for kind, amount in TEST_PLAN.items()}
            tables[f"{source} {name}"] = tabulate(describer, sampler.samples(plan))
            log(f"measured on {source} with {name}")
    return tables


def templates_apart(verifier: FaceVerifier, frames: list[Face]) -> dict[str, float]:
    """Return how well templates tell the people of frames apart."""
    rng = np.random.default_rng(SEED)
    features, people, videos = looks(verifier.describer, frames, len(verifier.look_mean), rng)
    templates = (features - verifier.look_mean) @ verifier.look.T
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    return separation(templates, people, videos)


CARD = """# fit

A face verifier (`FaceVerifier`): whether landmarks lie on a face. It gives the fit score of
`Landmarker` and the templates by which the tracker tells people apart.

| | |
| --- | --- |
| data | HELEN training set, 300-W annotation; most people of YouTube Faces; drawn faces |
| points | of the bundled ert68, asm68 and best68, and moved true ones |
| terms | {terms} |
| command | `python benchmarks/train_verifier.py` |
| seed | {seed} |
| versions | classicface {classicface}, numpy {numpy} |
| size | {size:.0f} kB |

## Measured

Good points have an error below 6 % of the distance between the outer eye corners; bad points one
over 15 %, or lie on no face, or on a face of which more than half is hidden. "drawn" are synthetic
faces, "helen" is HELEN's test set, "ytf" a fifth of the people of YouTube Faces.

{report}

## Templates

Frames of the people of YouTube Faces that did not train it, points of ert68. Likeness of two frames
of one video: {same:.2f} on average; of two people: {other:.2f}, standard deviation
{other_deviation:.2f}. Over {threshold_1:.2f} are 1 % of the pairs of two people and
{found_percent:.1f} % of those of one video; AUC {auc:.4f}. Of one person in two videos the AUC is
{auc_other_video:.3f}: no face recognition. Of drawn people, turned by up to 40 degrees, it is
{drawn_auc:.3f}.

## Limits

Trained on photographs from the web and on television: profiles and very small faces are hardly in
them. How it differs by age, sex or skin colour has not been measured.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the bundled face verifier.")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--output", "-o", type=Path, default=Path("classicface/landmarker/weights"))
    arguments = parser.parse_args()
    path = arguments.output / "fit.safetensors"
    splits = split(arguments.data)
    photographs = [face for face in splits.train if face.source == "helen"]
    shapes = [inner(face.points) for face in photographs]
    shapes += [inner(mirrored(face).points) for face in photographs]
    model = PointDistributionModel.fit(np.stack(shapes), 0.97)
    with threadpool_limits(1):
        train(make_describer(model, SIZE, EYES, OFFSET), splits, model, path)
    verifier = FaceVerifier.load(path)
    tables = test_tables(verifier.describer, splits, model)
    apart, drawn_apart = (
        templates_apart(verifier, frames) for frames in (splits.frames, drawn(240, 5, per_person=6))
    )
    header, tensors = read_model(path)
    figures = {
        source: measure(
            verifier, pooled(t for name, t in tables.items() if name.startswith(source))
        )[1]
        for source in ("helen", "ytf", "drawn")
    }
    accuracy: dict[str, Any] = {**figures, "templates": apart, "drawn templates": drawn_apart}
    write_model(path, {**header, "accuracy": accuracy}, tensors)
    text = CARD.format(
        report="\n".join(report(verifier, tables)),
        terms=TERMS,
        seed=SEED,
        size=path.stat().st_size / 1e3,
        found_percent=100 * apart["found_1"],
        drawn_auc=drawn_apart["auc"],
        **apart,
        **header["provenance"]["versions"],
    )
    with replacing(path.with_suffix(".md")) as partial:
        partial.write_text(text)
    log("written")
    print(text)


if __name__ == "__main__":
    main()
