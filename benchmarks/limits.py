"""How far a technique bears boxes of another size, turned heads and few training faces.

On a split of HELEN's training set, 80 % to train, with default parameters:

    python benchmarks/limits.py AAMFitter [--data FOLDER] [--split 0] [--no-mirror]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from bench_ert_vs_dlib import DATA
from numpy.typing import NDArray
from robustness_to_boxes import moved

from classicface import LandmarkDataset, LandmarkPredictor, load_dataset
from classicface.metrics import failure_rate, nme
from classicface.registry import predictor_class
from classicface.shape.boxes import box_centers_sides

NOWHERE = np.zeros(2)


def turned(faces: LandmarkDataset, degrees: float) -> LandmarkDataset:
    """Return the faces turned about the centres of their boxes, which stay as they are."""
    images: list[NDArray[np.uint8]] = []
    landmarks = faces.landmarks.copy()
    for i, (image, center) in enumerate(
        zip(faces.images, box_centers_sides(faces.boxes)[0].tolist(), strict=True)
    ):
        matrix = cv2.getRotationMatrix2D(center, degrees, 1.0)
        size = image.shape[::-1]
        images.append(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE))
        landmarks[i] = faces.landmarks[i] @ matrix[:, :2].T + matrix[:, 2]
    copy = faces.subset(range(len(faces)))
    copy.images, copy.landmarks = images, landmarks
    return copy


def report(name: str, predictor: LandmarkPredictor, faces: LandmarkDataset) -> None:
    errors = nme(predictor.predict_many(faces.images, faces.boxes), faces.landmarks, faces.scheme)
    print(
        f"| {name} | {100 * errors.mean():.2f} % | {100 * np.median(errors):.2f} %"
        f" | {100 * failure_rate(errors, 0.10):.1f} % |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("technique", help="AAMFitter, ASMFitter, ...")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--split", type=int, default=0, help="the seed of the split")
    parser.add_argument("--mirror", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    make = predictor_class(arguments.technique)
    faces = load_dataset(arguments.data / "300w" / "helen" / "trainset")
    train, held_out = faces.split(0.8, random_state=arguments.split)

    def fitted(some: LandmarkDataset) -> LandmarkPredictor:
        return make().fit(some.with_mirror() if arguments.mirror else some)

    predictor = fitted(train)
    print("| | NME mean | median | over 0.10 |\n| --- | ---: | ---: | ---: |")
    report("as they are", predictor, held_out)
    for scale in (0.7, 0.8, 0.9, 1.1, 1.2, 1.3):
        report(f"boxes of {scale} times the side", predictor, moved(held_out, NOWHERE, scale))
    for degrees in (15, 25, 35, 45):
        report(f"turned by {degrees} degrees", predictor, turned(held_out, degrees))
    order = np.random.default_rng(0).permutation(len(train))
    for count in (25, 50, 100, 200, 400):
        report(f"trained on {count} faces", fitted(train.subset(order[:count])), held_out)


if __name__ == "__main__":
    main()
