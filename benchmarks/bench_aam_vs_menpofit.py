"""Train and run our active appearance model and menpofit's, one after the other on one thread.

Both learn from the same crops and are tested on the same faces from the same detector boxes: HELEN,
68 points.

    python benchmarks/bench_aam_vs_menpofit.py [--data FOLDER] [--mirror]
        [--menpofit PYTHON] [--settings tuned|tutorial] [--results FILE]

menpofit 0.7.1 wants an old NumPy and SciPy, so it lives in an environment of its own (Python 3.10),
and ``--menpofit`` names the interpreter there:

    python3.10 -m venv menpofit
    menpofit/bin/pip install "menpofit==0.7.1" "menpo==0.11.1" "numpy<2" "scipy<1.12"
    menpofit/bin/pip install "opencv-python-headless<4.12"

OpenCV is optional there; it makes menpo's scaling of pictures faster. ``--results`` keeps what
menpofit found in a file; without ``--menpofit`` it is read from there. menpofit is run by
menpofit_peer.py, which holds its settings, once through the test faces; ours five times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from threadpoolctl import threadpool_limits

from classicface import AAMFitter, LandmarkDataset, __version__, load_dataset
from classicface.metrics import failure_rate, nme

DATA = Path(os.environ.get("CLASSICFACE_DATA") or Path(__file__).parents[2] / "shared" / "data")
PEER = Path(__file__).with_name("menpofit_peer.py")


def packed(train: LandmarkDataset, test: LandmarkDataset) -> dict[str, Any]:
    """Return the faces as plain arrays for the other environment, with a hash that names them."""
    arrays: dict[str, Any] = {"train_landmarks": train.landmarks, "test_boxes": test.boxes}
    for part, faces in (("train", train), ("test", test)):
        arrays[f"{part}_sizes"] = np.array([image.shape for image in faces.images])
        arrays[f"{part}_pixels"] = np.concatenate([image.ravel() for image in faces.images])
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[name]).data)
    arrays["fingerprint"] = digest.hexdigest()
    return arrays


def peer_results(
    arguments: argparse.Namespace, train: LandmarkDataset, test: LandmarkDataset
) -> dict[str, Any] | None:
    """Run menpofit, or read what an earlier run found on the same faces; None without either."""
    interpreter, results = arguments.menpofit, arguments.results
    if interpreter is None and results is None:
        return None
    faces = packed(train, test)
    with tempfile.TemporaryDirectory() as scratch:
        path = results or Path(scratch) / "results.npz"
        if interpreter is not None:
            np.savez(Path(scratch) / "faces.npz", **faces)
            command = [interpreter, "-W", "ignore", PEER, Path(scratch) / "faces.npz", path]
            subprocess.run([*command, "--settings", arguments.settings], check=True)
        with np.load(path) as archive:
            found = dict(archive)
    if str(found["fingerprint"]) != faces["fingerprint"]:
        raise SystemExit(f"{results} holds results for other faces; run it anew with --menpofit")
    return found


def one_by_one(predict, faces: list, passes: int = 5) -> float:
    """Return the median milliseconds of one call, over several passes."""
    for face in faces[:50]:
        predict(*face)
    times = []
    for _ in range(passes):
        for face in faces:
            start = time.perf_counter()
            predict(*face)
            times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def accuracy(points: np.ndarray, test: LandmarkDataset) -> tuple[float, float, float]:
    """Return mean and median inter-ocular NME and the failures over 0.10, in percent."""
    errors = nme(points, test.landmarks, test.scheme)
    return 100 * errors.mean(), 100 * float(np.median(errors)), 100 * failure_rate(errors, 0.10)


def ours(train: LandmarkDataset, test: LandmarkDataset) -> tuple[np.ndarray, float, float]:
    """Train and run ours; return its points, the seconds of training and milliseconds a face."""
    # The kernels are compiled once after installation, not once a training.
    few = test.subset(range(20))
    AAMFitter().fit(train.subset(range(60))).predict_many(few.images, few.boxes)
    start = time.perf_counter()
    predictor = AAMFitter().fit(train)
    seconds = time.perf_counter() - start
    points = predictor.predict_many(test.images, test.boxes)
    faces = list(zip(test.images, test.boxes, strict=True))
    return points, seconds, one_by_one(predictor.predict, faces)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--menpofit", metavar="PYTHON", help="interpreter that has menpofit")
    parser.add_argument("--settings", choices=("tuned", "tutorial"), default="tuned")
    parser.add_argument("--results", type=Path, help="what menpofit found: kept or read here")
    parser.add_argument("--mirror", action="store_true", help="mirror images for both, in training")
    arguments = parser.parse_args()
    if arguments.menpofit is None and arguments.results and not arguments.results.exists():
        parser.error(f"{arguments.results} does not exist; --menpofit PYTHON writes it")
    helen = arguments.data / "300w" / "helen"
    train, test = load_dataset(helen / "trainset"), load_dataset(helen / "testset")
    if arguments.mirror:
        train = train.with_mirror()
    note = " (mirror images included)" if arguments.mirror else ""
    print(f"{len(train)} faces to train{note}, {len(test)} to test; one thread", flush=True)

    peer = peer_results(arguments, train, test)
    cv2.setNumThreads(1)
    with threadpool_limits(1):
        points, training, speed = ours(train, test)
    columns = [(training, speed, *accuracy(points, test))]
    if peer is None:
        print("menpofit was not run: neither --menpofit nor --results was given")
    else:
        versions = json.loads(str(peer["versions"]))
        print(
            "classicface " + __version__ + "; " + " ".join(f"{k} {v}" for k, v in versions.items())
        )
        print(f"menpofit's settings: {peer['settings']}")
        face = 1e3 * float(np.median(peer["face_seconds"]))
        columns.append((float(peer["training_seconds"]), face, *accuracy(peer["points"], test)))
    report(columns)


def report(columns: list[tuple[float, ...]]) -> None:
    """Print ours, menpofit's where there is one, and the ratio or the difference."""
    rows = (
        ("training, s", ".1f", True),
        ("one face, ms", ".2f", True),
        ("NME inter-ocular, mean, %", ".2f", False),
        ("NME inter-ocular, median, %", ".2f", False),
        ("NME over 0.10, % of faces", ".2f", False),
    )
    heads = ["classicface", "menpofit", "ratio"] if len(columns) == 2 else ["classicface"]
    print(f"{'':34} " + " ".join(f"{head:>12}" for head in heads))
    for (name, style, as_ratio), values in zip(rows, zip(*columns, strict=True), strict=True):
        cells = [f"{value:{style}}" for value in values]
        if len(values) == 2:
            ratio, difference = values[1] / values[0], values[0] - values[1]
            cells.append(f"{ratio:.1f}x" if as_ratio else f"{difference:+.2f}")
        print(f"{name:34} " + " ".join(f"{cell:>12}" for cell in cells))


if __name__ == "__main__":
    main()
