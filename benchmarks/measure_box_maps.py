"""Measure the maps from each detector's boxes to landmark boxes: `classicface.shape.box_maps`.

Faces of the HELEN training set, each scaled by a random factor: the crops are nearly all of one
size, and a sliding window knows only some sizes, so that without it the map would hold the
distance from that one size to the nearest window.

    python benchmarks/measure_box_maps.py [--data ../shared/data] [--faces 870]
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

import cv2
import numpy as np

from classicface.detect import available_detectors, calibrate, get_detector
from classicface.image.io import list_images, read_image

DATA = Path(os.environ.get("CLASSICFACE_DATA") or Path(__file__).parents[2] / "shared" / "data")


def read_points(path: Path) -> np.ndarray:
    return np.loadtxt(path, skiprows=3, comments="}", dtype=np.float32) - 1


def scaled_faces(folder: Path, n: int) -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    paths = list_images(folder)
    images, landmarks = [], []
    for path in paths[:: max(1, len(paths) // n)][:n]:
        image, points = read_image(path), read_points(path.with_suffix(".pts"))
        scale = 2.0 ** rng.uniform(-1, 0)
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        factor = np.array(size) / image.shape[::-1]
        images.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        landmarks.append((points + 0.5) * factor - 0.5)
    return images, np.array(landmarks)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--faces", type=int, default=870)
    parser.add_argument("--detectors", nargs="*", default=list(available_detectors()))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    folder = arguments.data / "300w" / "helen" / "trainset"
    images, landmarks = scaled_faces(folder, arguments.faces)
    for name in arguments.detectors:
        found = calibrate(get_detector(name), images, landmarks)
        values = ", ".join(f"{v:.3f}" for v in (found.shift_x, found.shift_y, found.scale))
        spread = ", ".join(f"{v:.3f}" for v in found.spread)
        print(f'"{name}": BoxMap({values}, ({spread})),', flush=True)


if __name__ == "__main__":
    main()
