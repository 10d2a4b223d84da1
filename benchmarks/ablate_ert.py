"""What each choice of the tree cascade is worth, on a split of HELEN's training set.

Two fifths of the training faces, in two folds, are predicted by models trained on the others; the
test set is not touched. The first row is a preset, and each other row changes what it names.

    python benchmarks/ablate_ert.py [--data FOLDER] [--only NAME ...]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from bench_ert_vs_dlib import DATA

from classicface import ERTFitter, LandmarkDataset, load_dataset
from classicface.cascade.ert import PRESETS
from classicface.metrics import failure_rate, nme
from classicface.shape.boxes import box_centers_sides, square_boxes

BASE: dict[str, Any] = {"random_state": 0}

VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "no fresh noise": {"noise": 0.0},
    "a third of the jitter": {"shift_jitter": 0.03, "scale_jitter": 0.03, "rotation_jitter": 3},
    "no light jitter": {"light_jitter": 0.0},
    "60 candidate pairs, 16,384 samples a node": {"n_candidates": 60, "node_samples": 16384},
    "600 pixels": {"n_pixels": 600},
    "16 directions": {"n_directions": 16},
    "mirror image at prediction": {"flip": True},
    "mirror image and 3 starts": {"flip": True, "n_starts": 3},
    "mirror image and 9 starts": {"flip": True, "n_starts": 9},
    "pixels not smoothed": {"face_size": 1000},
    "1,024 samples a node": {"node_samples": 1024},
    "noise 0.2": {"noise": 0.2},
    "noise 0.4": {"noise": 0.4},
    "oversampling 40": {"oversampling": 40},
    "depth 5": {"depth": 5},
    "1,000 trees, shrinkage 0.05": {"n_trees": 1000, "shrinkage": 0.05},
    "64 directions": {"n_directions": 64},
}

# These change only how a model predicts.
PREDICTION = ("flip", "n_starts")


def folds(faces: LandmarkDataset) -> list[tuple[LandmarkDataset, LandmarkDataset]]:
    """Return two pairs of a training and a held-out part; the held-out ones do not overlap."""
    order = np.random.default_rng(123).permutation(len(faces))
    fifth = len(faces) // 5
    parts = []
    for i in range(2):
        held_out = order[i * fifth : (i + 1) * fifth]
        rest = np.setdiff1d(order, held_out)
        parts.append((faces.subset(rest).with_mirror(), faces.subset(held_out)))
    return parts


def shifted(held_out: LandmarkDataset) -> LandmarkDataset:
    """Return the faces with boxes moved by a tenth of their side, each in its own direction."""
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, len(held_out))
    centers, sides = box_centers_sides(held_out.boxes)
    moves = 0.1 * sides[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    copy = held_out.subset(range(len(held_out)))
    copy.boxes = square_boxes(centers + moves, sides)
    return copy


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), help="rows to measure")
    parser.add_argument("--preset", default="fast")
    arguments = parser.parse_args()
    parts = folds(load_dataset(arguments.data / "300w" / "helen" / "trainset"))
    print("| | NME mean | median | over 0.10 | mean, box shifted by 10 % |")
    print("| --- | ---: | ---: | ---: | ---: |", flush=True)
    trained: dict[str, list[ERTFitter]] = {}
    for name in arguments.only or VARIANTS:
        settings = {**BASE, **VARIANTS[name]}
        shaping = {key: value for key, value in settings.items() if key not in PREDICTION}
        if repr(shaping) not in trained:
            trained[repr(shaping)] = [
                ERTFitter.from_preset(arguments.preset, **shaping).fit(train) for train, _ in parts
            ]
        errors, moved = [], []
        for fitter, (_, held_out) in zip(trained[repr(shaping)], parts, strict=True):
            preset = {**PRESETS[arguments.preset], **settings}
            fitter.set_params(**{key: preset[key] for key in PREDICTION if key in preset})
            for faces, into in ((held_out, errors), (shifted(held_out), moved)):
                points = fitter.predict_many(faces.images, faces.boxes)
                into.append(nme(points, faces.landmarks, faces.scheme))
        e, m = np.concatenate(errors), np.concatenate(moved)
        print(
            f"| {name} | {100 * e.mean():.2f} % | {100 * np.median(e):.2f} %"
            f" | {100 * failure_rate(e, 0.10):.1f} % | {100 * m.mean():.2f} % |",
            flush=True,
        )


if __name__ == "__main__":
    main()
