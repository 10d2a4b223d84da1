"""Every algorithm, feature, pattern and set of scales of the active appearance model.

A fifth of HELEN's training faces is predicted by models trained on the others and their mirror
images; the test set is not touched. The first two tables take patches and the whole face, each
with every algorithm, feature and set of scales; the third changes one parameter of the default.

    python benchmarks/ablate_aam.py [--results FILE] [--data FOLDER] [--rows PATTERN ...]
        [--quick] [--timing-only]

Everything runs on one thread. ``--results`` keeps each row as soon as it is measured, and a later
run goes on from there. The times are only worth something on a machine that does nothing else:
``--timing-only`` measures them again and leaves the rest of the results as it is.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from ablate_ert import shifted
from bench_aam_vs_menpofit import DATA, one_by_one
from threadpoolctl import threadpool_limits

from classicface import AAMFitter, LandmarkDataset, load_dataset
from classicface.aam.arrays import ScaleBuffers
from classicface.aam.fitting import ALGORITHMS
from classicface.aam.model import PRESETS
from classicface.image.descriptors import FeatureBuffers
from classicface.metrics import failure_rate, nme
from classicface.persistence import replacing

SCALES = ((40.0,), (40.0, 80.0), (40.0, 80.0, 160.0))

# Each feature with the grid and the number of components that suit it. Of hog, a sample stands
# for its surroundings; the others see a pixel, want a finer grid, and generalise worse.
GRIDS: dict[tuple[bool, str], dict[str, Any]] = {
    (True, "hog"): {},
    (True, "igo"): {"patch_side": 8, "spacing": 2.0, "n_appearance": 25},
    (True, "intensity"): {"patch_side": 8, "spacing": 2.0, "n_appearance": 25},
    (False, "hog"): {"spacing": 2.0, "shape_prior": 200.0},
    (False, "igo"): {"spacing": 2.0, "n_appearance": 25},
    (False, "intensity"): {"spacing": 2.0, "n_appearance": 25},
}

AROUND: dict[str, dict[str, Any]] = {
    "the default": {},
    "wiberg": {"algorithm": "wiberg"},
    "wiberg, 100 appearances": {"algorithm": "wiberg", "n_appearance": 100},
    "12 appearances": {"n_appearance": 12},
    "25 appearances": {"n_appearance": 25},
    "100 appearances": {"n_appearance": 100},
    "200 appearances": {"n_appearance": 200},
    "shape: 95 % of the variance": {"n_shape": 0.95},
    "shape: 99 % of the variance": {"n_shape": 0.99},
    "patches of 3 x 3": {"patch_side": 3},
    "patches of 5 x 5": {"patch_side": 5},
    "patches of 6 x 6": {"patch_side": 6},
    "6 x 6 samples on the same patch": {"patch_side": 6, "spacing": 2.4},
    "cells of radius 0": {"cell": 0},
    "cells of radius 1": {"cell": 1},
    "cells of radius 3": {"cell": 3},
    "no shape prior": {"shape_prior": 0.0},
    "shape prior 1": {"shape_prior": 1.0},
    "shape prior 10": {"shape_prior": 10.0},
    "shape prior 200": {"shape_prior": 200.0},
    "limits of 2 standard deviations": {"n_std": 2.0},
    "one start": {"n_starts": 1},
    "up to 3 starts": {"n_starts": 3},
    "up to 25 starts": {"n_starts": 25},
    "tolerance 0.1": {"tolerance": 0.1},
    "tolerance 0.6": {"tolerance": 0.6},
    "tolerance 1": {"tolerance": 1.0},
    "at most 5 steps a scale": {"max_iterations": 5},
    "at most 30 steps a scale": {"max_iterations": 30},
    "scales 40, 160": {"face_sizes": (40.0, 160.0)},
    "scales 30, 60, 120": {"face_sizes": (30.0, 60.0, 120.0)},
    "scales 50, 100, 200": {"face_sizes": (50.0, 100.0, 200.0)},
    "scales 60, 120": {"face_sizes": (60.0, 120.0)},
    "scales 40, 80, 160, 240": {"face_sizes": (40.0, 80.0, 160.0, 240.0)},
    "preset fast": PRESETS["fast"],
    "preset accurate": PRESETS["accurate"],
}

HEAD = " NME mean | median | over 0.10 | mean, box shifted by 10 % |"
HEAD += " ms a face | memory | model | training |"
RULE = " ---: |" * 8


def rows() -> dict[str, dict[str, Any]]:
    """Return every row's name and parameters."""
    found = {}
    for (parts, features), grid in GRIDS.items():
        for sizes in SCALES:
            for algorithm in ALGORITHMS:
                name = " ".join(("parts" if parts else "holistic", features, _joined(sizes)))
                found[f"{name} {algorithm}"] = {
                    "parts": parts,
                    "features": features,
                    "face_sizes": sizes,
                    "algorithm": algorithm,
                    **grid,
                }
    return found | {f"around: {name}": params for name, params in AROUND.items()}


def _joined(sizes: tuple[float, ...]) -> str:
    return ",".join(f"{size:g}" for size in sizes)


def prepare(data: Path, quick: bool) -> tuple[LandmarkDataset, LandmarkDataset]:
    """Return the faces to train on, mirror images included, and the held-out ones."""
    faces = load_dataset(data / "300w" / "helen" / "trainset")
    train, held_out = faces.split(0.8, random_state=0)
    if quick:
        train, held_out = train.subset(range(100)), held_out.subset(range(30))
    return train.with_mirror(), held_out


def train(params: dict[str, Any], faces: LandmarkDataset) -> tuple[AAMFitter, float]:
    """Return a model and the seconds that its training took."""
    fitter = AAMFitter(**params, n_jobs=1)
    start = time.perf_counter()
    fitter.fit(faces)
    return fitter, time.perf_counter() - start


def memory(fitter: AAMFitter) -> int:
    """Return the bytes of what predictions read and write: the scales' arrays, the buffers."""
    total = 0
    for scale in fitter.scales_:
        side = (scale.frame.size, scale.frame.size)
        buffers = FeatureBuffers.make(side, scale.features)
        total += sum(array.nbytes for array in scale.arrays)
        total += sum(
            array.nbytes for array in ScaleBuffers.make(scale.arrays, fitter.max_iterations)
        )
        total += sum(array.nbytes for array in vars(buffers).values())
    return total


def model_bytes(fitter: AAMFitter) -> int:
    """Return the size of the model's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        fitter.save(path)
        return path.stat().st_size


def speed(fitter: AAMFitter, held_out: LandmarkDataset, passes: int) -> float:
    """Return the median milliseconds of `predict` on up to 60 faces, one at a time."""
    faces = list(zip(held_out.images, held_out.boxes, strict=True))[:60]
    return one_by_one(fitter.predict, faces, passes)


def measure(fitter: AAMFitter, held_out: LandmarkDataset) -> dict[str, float]:
    """Return what does not depend on how busy the machine is."""
    points = fitter.predict_many(held_out.images, held_out.boxes)
    errors = nme(points, held_out.landmarks, held_out.scheme)
    moved = fitter.predict_many(held_out.images, shifted(held_out).boxes)
    return {
        "shifted": 100 * float(nme(moved, held_out.landmarks, held_out.scheme).mean()),
        "mean": 100 * float(errors.mean()),
        "median": 100 * float(np.median(errors)),
        "over": 100 * failure_rate(errors, 0.10),
        "memory": memory(fitter) / 1e6,
        "model": model_bytes(fitter) / 1e6,
    }


def line(label: str, row: dict[str, float]) -> str:
    """Return a row of a table."""
    return (
        f"| {label} | {row['mean']:.2f} % | {row['median']:.2f} % | {row['over']:.1f} %"
        f" | {row['shifted']:.2f} %"
        f" | {row['ms']:.1f} | {row['memory']:.1f} MB | {row['model']:.2f} MB"
        f" | {row['training']:.1f} s |"
    )


def report(results: dict[str, dict[str, float]]) -> None:
    """Print the tables of the rows that there are."""
    for pattern in ("parts", "holistic"):
        names = [name for name in rows() if name.startswith(pattern) and name in results]
        if names:
            print(f"\n{pattern}:\n\n| features | scales | algorithm |{HEAD}")
            print(f"| --- | --- | --- |{RULE}")
        for name in names:
            _, features, sizes, algorithm = name.split(" ")
            print(line(f"{features} | {sizes.replace(',', ', ')} | {algorithm}", results[name]))
    names = [name for name in AROUND if f"around: {name}" in results]
    if names:
        print(f"\naround the default:\n\n| |{HEAD}\n| --- |{RULE}")
    for name in names:
        print(line(name, results[f"around: {name}"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--results", type=Path, help="JSON file that keeps the rows")
    parser.add_argument(
        "--rows", nargs="*", default=["*"], metavar="PATTERN", help="such as 'parts hog * wiberg'"
    )
    parser.add_argument("--quick", action="store_true", help="a few faces, to try it out")
    parser.add_argument("--timing-only", action="store_true", help="measure the times again")
    arguments = parser.parse_args()
    kept: dict[str, Any] = {"quick": arguments.quick, "rows": {}}
    if arguments.results and arguments.results.exists():
        kept = json.loads(arguments.results.read_text())
        if kept["quick"] != arguments.quick:
            parser.error(f"{arguments.results} holds results with another --quick")
    results = kept["rows"]
    chosen = {
        name: params
        for name, params in rows().items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in arguments.rows)
        and (name in results) == arguments.timing_only
    }
    cv2.setNumThreads(1)
    if chosen:
        faces, held_out = prepare(arguments.data, arguments.quick)
        few = faces.subset(range(30))
        AAMFitter().fit(few).predict_many(few.images, few.boxes)  # compiles
    with threadpool_limits(1):
        for name, params in chosen.items():
            fitter, seconds = train(params, faces)
            row = results.get(name) or measure(fitter, held_out)
            times = {
                "training": seconds,
                "ms": speed(fitter, held_out, 1 if arguments.quick else 3),
            }
            results[name] = {**row, **times}
            print(f"{name}: {row['mean']:.2f} %, {times['ms']:.1f} ms", flush=True)
            if arguments.results:
                with replacing(arguments.results) as partial:
                    partial.write_text(json.dumps(kept, indent=1))
    report(results)


if __name__ == "__main__":
    main()
