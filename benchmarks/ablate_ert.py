"""What each choice of the tree cascade is worth, on a split of HELEN's training set.

Two fifths of the training faces, in two folds, are predicted by models trained on the others; the
test set is not touched. Each row changes the named parameters of the first row.

    python benchmarks/ablate_ert.py [--data FOLDER] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from bench_ert_vs_dlib import DATA

from classicface import ERTFitter, LandmarkDataset, load_dataset
from classicface.metrics import failure_rate, nme
from classicface.shape.boxes import box_centers_sides, square_boxes

BASE: dict[str, Any] = {"random_state": 0}

VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "no fresh noise": {"noise": 0.0},
    "noise 0.2": {"noise": 0.2},
    "noise 0.4": {"noise": 0.4},
    "a third of the jitter": {"shift_jitter": 0.03, "scale_jitter": 0.03, "rotation_jitter": 3},
    "two thirds of the jitter": {"shift_jitter": 0.06, "scale_jitter": 0.06, "rotation_jitter": 7},
    "no light jitter": {"light_jitter": 0.0},
    "2,048 samples a node": {"node_samples": 2048},
    "80 candidate pairs": {"n_candidates": 80},
    "1,000 pixels": {"n_pixels": 1000},
    "oversampling 40": {"oversampling": 40},
    "15 stages": {"n_stages": 15},
    "depth 5": {"depth": 5},
    "shrinkage 0.05": {"shrinkage": 0.05},
    "64 directions": {"n_directions": 64},
    "face of 56 px": {"face_size": 56},
    "face of 112 px": {"face_size": 112},
    "9 starts": {"n_starts": 9},
}


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
    parser.add_argument("--preset", default="default")
    arguments = parser.parse_args()
    parts = folds(load_dataset(arguments.data / "300w" / "helen" / "trainset"))
    print("| | NME mean | median | over 0.10 | mean, box shifted by 10 % | training, s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for name in arguments.only or VARIANTS:
        errors, moved, seconds = [], [], 0.0
        for train, held_out in parts:
            settings = {**BASE, **VARIANTS[name]}
            start = time.perf_counter()
            fitter = ERTFitter.from_preset(arguments.preset, **settings).fit(train)
            seconds += (time.perf_counter() - start) / len(parts)
            for faces, into in ((held_out, errors), (shifted(held_out), moved)):
                points = fitter.predict_many(faces.images, faces.boxes)
                into.append(nme(points, faces.landmarks, faces.scheme))
        e, m = np.concatenate(errors), np.concatenate(moved)
        print(
            f"| {name} | {100 * e.mean():.2f} % | {100 * np.median(e):.2f} %"
            f" | {100 * failure_rate(e, 0.10):.1f} % | {100 * m.mean():.2f} % | {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
