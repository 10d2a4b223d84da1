"""Train and run menpofit's active appearance model, on one thread.

    python benchmarks/menpofit_peer.py FACES.npz RESULTS.npz [--settings tuned|tutorial]

Started by bench_aam_vs_menpofit.py, which writes FACES.npz and says how to make the environment
with menpofit; nothing else is needed. RESULTS.npz then holds the points of the test faces, the
seconds of training and of every face, the settings and the versions.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib.metadata import distributions
from pathlib import Path

# Read by the libraries as they load, so ahead of them.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = os.environ["VECLIB_MAXIMUM_THREADS"] = "1"
os.environ["OPENCV_FOR_THREADS_NUM"] = "1"

import numpy as np
from menpo.feature import igo
from menpo.image import Image
from menpo.shape import PointCloud, bounding_box
from menpofit.aam import HolisticAAM, LucasKanadeAAMFitter, WibergInverseCompositional

# "tutorial": two scales and the numbers of components that menpofit's documentation shows.
# "tuned": the most accurate of some twenty settings tried on 100 to 150 held-out training faces;
# with more components at the coarse scales it falls into wrong places.
SETTINGS = {
    "tutorial": {
        "scales": (0.5, 1.0),
        "n_shape": [5, 20],
        "n_appearance": [30, 150],
        "max_iters": [20, 20],
    },
    "tuned": {
        "scales": (0.25, 0.5, 1.0),
        "n_shape": [3, 6, 20],
        "n_appearance": [10, 30, 150],
        "max_iters": [20, 10, 10],
    },
}
MODEL = {"diagonal": 120, "max_shape_components": 20, "max_appearance_components": 150}


def unpack(faces, part: str) -> list[Image]:
    """Return the pictures of one part, "train" or "test", as menpo wants them."""
    images, start = [], 0
    for height, width in faces[f"{part}_sizes"].tolist():
        pixels = faces[f"{part}_pixels"][start : start + height * width]
        images.append(Image(pixels.reshape(1, height, width) / 255.0))
        start += height * width
    return images


def train(images: list[Image], landmarks: np.ndarray, settings: dict) -> LucasKanadeAAMFitter:
    """Train the model and make the fitter ready; menpo's points are (y, x)."""
    for image, points in zip(images, landmarks, strict=True):
        image.landmarks["PTS"] = PointCloud(points[:, ::-1].astype(np.float64))
    model = HolisticAAM(
        images, group="PTS", holistic_features=igo, scales=settings["scales"], **MODEL
    )
    return LucasKanadeAAMFitter(
        model,
        lk_algorithm_cls=WibergInverseCompositional,
        n_shape=settings["n_shape"],
        n_appearance=settings["n_appearance"],
    )


def fit(
    fitter: LucasKanadeAAMFitter, image: Image, box: np.ndarray, max_iters: list[int]
) -> np.ndarray:
    """Return the points (n_landmarks, 2), (x, y), that are found from a landmark box."""
    x0, y0, x1, y1 = box.astype(np.float64)
    start = bounding_box((y0, x0), (y1, x1))
    shape = fitter.fit_from_bb(image, start, max_iters=max_iters).final_shape
    return shape.points[:, ::-1].astype(np.float32)


def versions() -> dict[str, str]:
    names = ("menpofit", "menpo", "numpy", "scipy", "opencv-python-headless")
    installed = {item.metadata["Name"]: item.version for item in distributions()}
    found = {name: installed[name] for name in names if name in installed}
    return {"python": platform.python_version(), **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("faces")
    parser.add_argument("results")
    parser.add_argument("--settings", choices=tuple(SETTINGS), default="tuned")
    arguments = parser.parse_args()
    settings = SETTINGS[arguments.settings]
    with np.load(arguments.faces) as archive:
        faces = dict(archive)
    images, tests = unpack(faces, "train"), unpack(faces, "test")
    start = time.perf_counter()
    fitter = train(images, faces["train_landmarks"], settings)
    training = time.perf_counter() - start
    print(f"menpofit: trained on {len(images)} faces in {training:.1f} s", flush=True)

    boxes = faces["test_boxes"]
    for image, box in zip(tests[:5], boxes[:5], strict=True):
        fit(fitter, image, box, settings["max_iters"])
    points, seconds = [], []
    for image, box in zip(tests, boxes, strict=True):
        start = time.perf_counter()
        points.append(fit(fitter, image, box, settings["max_iters"]))
        seconds.append(time.perf_counter() - start)
    print(f"menpofit: {len(tests)} faces, {1e3 * np.median(seconds):.0f} ms each", flush=True)
    found = {
        "points": np.array(points),
        "training_seconds": training,
        "face_seconds": np.array(seconds),
        "fingerprint": faces["fingerprint"],
        "settings": json.dumps({"name": arguments.settings, **MODEL, **settings}),
        "versions": json.dumps(versions()),
    }
    with Path(arguments.results).open("wb") as file:  # a name would get .npz added
        np.savez(file, **found)


if __name__ == "__main__":
    main()
