"""Train and run our tree cascade and dlib's with dlib's default options, in one process run.

Both learn from the same crops with their mirror images and the same detector boxes, and are tested
on the same faces: HELEN, 68 points. Training uses two threads, prediction one.

    python benchmarks/bench_ert_vs_dlib.py [--data FOLDER] [--keep FOLDER]

``--keep`` stores both models there, and takes dlib's from there (with its training time) where it
has been trained before. Needs ``pip install "classicface[dlib]"``.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import cv2
import dlib
import numpy as np

import classicface
from classicface import ERTFitter, LandmarkDataset, load_dataset
from classicface.metrics import failure_rate, nme
from classicface.peers import dlib_predictor, train_dlib
from classicface.shape.box_maps import BOX_MAPS

DATA = Path(os.environ.get("CLASSICFACE_DATA") or Path(__file__).parents[2] / "shared" / "data")

# dlib's defaults, by our names (dlib/image_processing/shape_predictor_trainer.h), and as dlib one
# start a face.
OPTIONS = {
    "n_stages": 10,
    "n_trees": 500,
    "depth": 4,
    "shrinkage": 0.1,
    "oversampling": 20,
    "n_pixels": 400,
    "n_candidates": 20,
    "node_samples": 2048,
    "n_starts": 1,
    "flip": False,
}


def seconds_of_dlib(dataset: LandmarkDataset, path: Path, threads: int) -> float:
    """Train dlib's predictor into `path`; return the seconds it took."""
    note = path.with_suffix(".json")
    if path.exists() and note.exists():
        return float(json.loads(note.read_text())["seconds"])
    start = time.perf_counter()
    train_dlib(dataset, path, n_jobs=threads)
    seconds = time.perf_counter() - start
    note.write_text(json.dumps({"seconds": seconds, "dlib": dlib.__version__}))
    return seconds


def rectangles(dataset: LandmarkDataset) -> list[dlib.rectangle]:
    """Return the boxes as dlib's own detector drew them."""
    boxes = np.rint(BOX_MAPS["hog"].invert(dataset.boxes)).astype(int)
    return [dlib.rectangle(*box.tolist()) for box in boxes]


def one_by_one(predict, faces: list, passes: int = 5) -> float:
    """Return the median microseconds of one call, over several passes."""
    for face in faces[:50]:
        predict(*face)
    times = []
    for _ in range(passes):
        for face in faces:
            start = time.perf_counter()
            predict(*face)
            times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times))


def accuracy(points: np.ndarray, test: LandmarkDataset) -> tuple[float, float, float]:
    """Return mean and median inter-ocular NME and the failures over 0.10, in percent."""
    errors = nme(points, test.landmarks, test.scheme)
    return 100 * errors.mean(), 100 * float(np.median(errors)), 100 * failure_rate(errors, 0.10)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    helen = arguments.data / "300w" / "helen"
    train = load_dataset(helen / "trainset").with_mirror()
    test = load_dataset(helen / "testset")
    print(f"{len(train)} faces to train (mirror images included), {len(test)} to test")
    # The kernels are compiled once after installation, not once a training.
    ERTFitter(n_stages=1, n_trees=2, oversampling=1).fit(train.subset(range(20)))

    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        ours_path, dlib_path = folder / "ours.safetensors", folder / "dlib.dat"
        start = time.perf_counter()
        ERTFitter(**OPTIONS, random_state=0, n_jobs=arguments.threads).fit(train).save(ours_path)
        seconds = [
            time.perf_counter() - start,
            seconds_of_dlib(train, dlib_path, arguments.threads),
        ]
        sizes = [ours_path.stat().st_size / 1e6, dlib_path.stat().st_size / 1e6]
        ours = classicface.load(ours_path)
        theirs = dlib_predictor(dlib_path)
        alone = dlib.shape_predictor(str(dlib_path))  # timed without the reading of its points

    predictors = (ours, theirs)
    scores = [accuracy(p.predict_many(test.images, test.boxes), test) for p in predictors]
    cv2.setNumThreads(1)
    speeds = [
        one_by_one(ours.predict, list(zip(test.images, test.boxes, strict=True))),
        one_by_one(alone, list(zip(test.images, rectangles(test), strict=True))),
    ]

    print(f"{'':34} {'classicface':>12} {'dlib':>12} {'ratio':>8}")
    report("training, s", seconds, "{:.0f}")
    report("one face, us", speeds, "{:.0f}")
    report("model, MB", sizes, "{:.2f}")
    names = (
        "NME inter-ocular, mean, %",
        "NME inter-ocular, median, %",
        "NME over 0.10, % of faces",
    )
    for name, values in zip(names, zip(*scores, strict=True), strict=True):
        print(f"{name:34} {values[0]:12.2f} {values[1]:12.2f} {values[0] - values[1]:+8.2f}")


def report(name: str, values: list[float], style: str) -> None:
    shown = [style.format(value) for value in values]
    print(f"{name:34} {shown[0]:>12} {shown[1]:>12} {values[1] / values[0]:7.1f}x")


if __name__ == "__main__":
    main()
