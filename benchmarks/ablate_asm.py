"""What each choice of the active shape model is worth, on a split of HELEN's training set.

A fifth of the training faces is predicted by models trained on the others and their mirror images;
the test set is not touched. The first row is the preset ``default``, and each other row changes
what it names. Times are those of one thread.

    python benchmarks/ablate_asm.py [--data FOLDER] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from bench_ert_vs_dlib import DATA

from classicface import LandmarkDataset, load_dataset
from classicface.asm.model import PRESETS, ASMFitter
from classicface.metrics import failure_rate, nme

VARIANTS: dict[str, dict[str, Any]] = {
    "as it is: hog patches, posterior": {},
    "limits of a box instead of the posterior": {"constraint": "box"},
    "limits of an ellipsoid": {"constraint": "ellipsoid"},
    "posterior, with all correlations": {"correlation": 1.0},
    "samples moved by what has seen them": {"n_folds": 1},
    "one level, 60 px, six iterations": {"face_sizes": (60.0,), "n_iterations": 6},
    "two levels, 30 and 60 px": {"face_sizes": (30.0, 60.0)},
    "levels of 40, 80 and 160 px": {"face_sizes": (40.0, 80.0, 160.0)},
    "one iteration a level": {"n_iterations": 1},
    "three iterations a level": {"n_iterations": 3},
    "3 starts": {"n_starts": 3},
    "9 starts": {"n_starts": 9},
    "no rings": {"rings": ()},
    "rings of 10 and 16 px only": {"rings": (10.0, 16.0)},
    "igo patches": {"descriptor": "igo"},
    "intensity patches": {"descriptor": "intensity"},
    "profiles, posterior": {"descriptor": "profile", "n_iterations": 5},
    "profiles, limits of a box (preset classic)": PRESETS["classic"],
    "preset fast": PRESETS["fast"],
}

# These change only how a model predicts.
PREDICTION = ("n_starts",)


def microseconds(fitter: ASMFitter, faces: LandmarkDataset) -> float:
    """Return the median time of one face over all of them, after one pass to warm up."""
    times = []
    for _ in range(2):
        times = []
        for image, box in zip(faces.images, faces.boxes, strict=True):
            start = time.perf_counter()
            fitter.predict(image, box)
            times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), help="rows to measure")
    arguments = parser.parse_args()
    faces = load_dataset(arguments.data / "300w" / "helen" / "trainset")
    train, held_out = faces.split(0.8, random_state=0)[:2]
    train = train.with_mirror()
    print("| | NME mean | median | over 0.10 | one face | model | training |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    trained: dict[str, tuple[ASMFitter, float]] = {}
    for name in arguments.only or VARIANTS:
        changes = VARIANTS[name]
        shaping = {key: value for key, value in changes.items() if key not in PREDICTION}
        if repr(shaping) not in trained:
            start = time.perf_counter()
            fitter = ASMFitter(**shaping, random_state=0).fit(train)
            trained[repr(shaping)] = fitter, time.perf_counter() - start
        fitter, seconds = trained[repr(shaping)]
        fitter.set_params(n_starts=changes.get("n_starts", 1))
        points = fitter.predict_many(held_out.images, held_out.boxes)
        errors = nme(points, held_out.landmarks, held_out.scheme)
        size = sum(tensor.nbytes for tensor in fitter._state()[1].values()) / 1e6
        milliseconds = microseconds(fitter, held_out) / 1000
        print(
            f"| {name} | {100 * errors.mean():.2f} % | {100 * np.median(errors):.2f} %"
            f" | {100 * failure_rate(errors, 0.10):.1f} %"
            f" | {milliseconds:.2f} ms | {size:.2f} MB | {seconds:.0f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
