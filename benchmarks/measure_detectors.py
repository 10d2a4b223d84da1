"""Measure the face detectors: faces found, other boxes, time, on one thread.

On the HELEN test set's crops (one annotated face each; another person's face in a crop counts as
an "other" box too) and on whole photographs, of which one face each is annotated. A face is found
where a landmark box has an intersection over union of 0.5 with the true one.

    python benchmarks/measure_detectors.py [--data ../shared/data] [--faces 330]
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import cv2
import numpy as np

from classicface.detect import Detector, available_detectors, get_detector
from classicface.image.io import list_images, read_image
from classicface.shape.boxes import iou, landmark_box

DATA = Path(os.environ.get("CLASSICFACE_DATA") or Path(__file__).parents[2] / "shared" / "data")


def read_faces(folder: Path, n: int) -> tuple[list[np.ndarray], np.ndarray]:
    paths = list_images(folder)
    paths = paths[:: max(1, len(paths) // n)][:n]
    points = [np.loadtxt(p.with_suffix(".pts"), skiprows=3, comments="}") - 1 for p in paths]
    return [read_image(p) for p in paths], landmark_box(np.array(points))


def measure(detector: Detector, images: list[np.ndarray], boxes: np.ndarray) -> str:
    found, others, overlaps, times = 0, 0, [], []
    detector.detect(images[0])
    for image, true in zip(images, boxes, strict=True):
        start = time.perf_counter()
        faces = detector.detect(image)
        times.append(time.perf_counter() - start)
        best = iou(faces.boxes, true).max(initial=0)
        found += int(best >= 0.5)
        others += len(faces) - int(best >= 0.5)
        if best >= 0.5:
            overlaps.append(best)
    return (
        f"{100 * found / len(images):5.1f} % | {others:3d} | {np.mean(overlaps):.2f}"
        f" | {1e3 * np.median(times):6.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--faces", type=int, default=330)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    settings: list[tuple[str, dict[str, float]]] = [(n, {}) for n in available_detectors()]
    if "hog" in available_detectors():
        settings[1:1] = [("hog", {"min_face": 80}), ("hog", {"threshold": -0.2})]
    settings[-1:-1] = [("haar", {"min_face": 80}), ("haar", {"min_neighbors": 8})]
    for title, folder in [("crops", "300w/helen/testset"), ("photographs", "photos")]:
        images, boxes = read_faces(arguments.data / folder, arguments.faces)
        size = np.median([image.shape for image in images], axis=0).astype(int)
        print(f"{len(images)} {title}, median {size[1]} x {size[0]}")
        print(
            "| detector | found | others | overlap | one picture |\n| --- | --- | --- | --- | --- |"
        )
        for name, parameters in settings:
            label = ", ".join([name, *(f"{k}={v}" for k, v in parameters.items())])
            result = measure(get_detector(name, **parameters), images, boxes)
            print(f"| {label} | {result} |", flush=True)
        print()


if __name__ == "__main__":
    main()
