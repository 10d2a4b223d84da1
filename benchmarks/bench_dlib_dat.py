"""Read a file of dlib's shape_predictor and compare with dlib: points, accuracy, speed, size.

One thread; the predictors take turns, face by face, in one process.

    python benchmarks/bench_dlib_dat.py MODEL.dat [--data FOLDER] [--directions K]

Needs ``pip install "classicface[dlib]"``, and a model with the points of the data.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dlib
import numpy as np
from numpy.typing import NDArray

import classicface
from classicface.metrics import nme
from classicface.peers.dlib_dat import read_dlib
from classicface.shape.box_maps import BOX_MAPS

DATA = Path(os.environ.get("CLASSICFACE_DATA") or Path(__file__).parents[2] / "shared" / "data")

Predict = Callable[[int], NDArray[np.floating]]


def timed(load: Callable[[], object]) -> tuple[object, float]:
    """Return what the second call returns, and its milliseconds: the first may compile."""
    load()
    start = time.perf_counter()
    loaded = load()
    return loaded, (time.perf_counter() - start) * 1e3


def one_by_one(predictors: dict[str, Predict], n_faces: int, passes: int) -> dict[str, float]:
    """Return the median microseconds of one face, the predictors in turn on each face."""
    times: dict[str, list[float]] = {name: [] for name in predictors}
    for _ in range(passes):
        for i in range(n_faces):
            for name, predict in predictors.items():
                start = time.perf_counter()
                predict(i)
                times[name].append(time.perf_counter() - start)
    return {name: float(np.median(taken)) * 1e6 for name, taken in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--directions", type=int, default=32)
    parser.add_argument("--passes", type=int, default=5)
    arguments = parser.parse_args()
    path, k = arguments.model, arguments.directions
    faces = classicface.load_dataset(arguments.data / "300w" / "helen" / "testset")
    # Whole square rectangles, as dlib's detector draws them.
    corners = np.rint(BOX_MAPS["hog"].invert(faces.boxes)).astype(int)
    sides = corners[:, 2] - corners[:, 0]
    corners = np.column_stack([corners[:, :2], corners[:, :2] + sides[:, None]])
    rectangles = [dlib.rectangle(*corner) for corner in corners.tolist()]
    boxes = BOX_MAPS["hog"].apply(corners)

    peer, peer_ms = timed(lambda: dlib.shape_predictor(str(path)))
    exact, exact_ms = timed(lambda: read_dlib(path))
    small, small_ms = timed(lambda: read_dlib(path, n_directions=k))
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "small.safetensors"
        small.save(stored)
        small_bytes = stored.stat().st_size
        _, stored_ms = timed(lambda: classicface.load(stored))

    def by_dlib(i: int) -> NDArray[np.floating]:
        return peer(faces.images[i], rectangles[i])

    predictors: dict[str, Predict] = {
        "dlib": by_dlib,
        "exact": lambda i: exact.predict(faces.images[i], boxes[i])[0],
        f"{k} directions": lambda i: small.predict(faces.images[i], boxes[i])[0],
    }
    points = {
        name: np.stack([predict(i) for i in range(len(faces))])
        for name, predict in predictors.items()
        if name != "dlib"
    }
    parts = [by_dlib(i).parts() for i in range(len(faces))]
    points["dlib"] = np.array([[(p.x, p.y) for p in part] for part in parts], float)
    us = one_by_one(predictors, len(faces), arguments.passes)
    loads = dict(zip(predictors, (peer_ms, exact_ms, small_ms), strict=True))
    sizes = dict(zip(predictors, (path.stat().st_size,) * 2 + (small_bytes,), strict=True))
    print(f"{len(faces)} faces, one thread; NME in percent of the outer eye corners' distance;")
    print("distances of points to dlib's (rounded to whole pixels) and to those of the exact trees")
    print(
        f"{'':<16}{'MB':>7}{'load ms':>9}{'us/face':>9}{'dlib/it':>9}{'NME':>7}"
        f"{'largest':>9}{'mean':>7}{'largest':>9}{'mean px':>9}"
    )
    for name in predictors:
        to_dlib = np.linalg.norm(points[name] - points["dlib"], axis=2)
        to_exact = np.linalg.norm(points[name] - points["exact"], axis=2)
        error = float(np.mean(nme(points[name], faces.landmarks, faces.scheme))) * 100
        print(
            f"{name:<16}{sizes[name] / 1e6:>7.1f}{loads[name]:>9.0f}{us[name]:>9.1f}"
            f"{us['dlib'] / us[name]:>9.2f}{error:>7.3f}{to_dlib.max():>9.2f}{to_dlib.mean():>7.2f}"
            f"{to_exact.max():>9.2f}{to_exact.mean():>9.3f}"
        )
    print(f"the compressed model from its own file: {stored_ms:.0f} ms")


if __name__ == "__main__":
    main()
