"""Make-up: how much lipstick falls beside the lips, and what each layer costs.

First, on HELEN's test faces: the share of the coloured area (weight over 0.1) that lies outside the
true outer edge of the lips, the share that lies inside the true mouth (of the faces whose mouth is
open), and the share of the true lips that is coloured (weight over 0.5), for the annotated points
and for those of models, with the colour of the lips consulted and without. Then the time a layer
takes on a face of 200 pixels (the longer side of its landmark box), on one thread. Last, how much a
still face on a noisy film changes around the mouth from frame to frame.

    python benchmarks/bench_makeup.py ert68 best68
"""
# ruff: noqa: E402

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from bench_ert_vs_dlib import DATA
from numpy.typing import NDArray

import classicface
from classicface import Landmarker, load_dataset
from classicface.apps.makeup import LOOKS, Makeup, MovingMakeup, apply_makeup, makeup_masks
from classicface.apps.makeup import _lips as lips
from classicface.apps.makeup._canvas import smooth_loop
from classicface.apps.makeup._kernels import distance_to_curve, flip_outside, paint, rgb_to_lab
from classicface.data.synthetic import Actor, FaceParameters, synthetic_film
from classicface.image.io import read_image
from classicface.shape.parts import face_parts

LIPSTICK = Makeup(lipstick=("#a01030", 1.0))


def inside(points: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which pixels lie within a smooth loop."""
    loop = smooth_loop(points)
    out = np.empty(shape[:2], np.float32)
    line = np.concatenate([loop, loop[:1]])
    zero, far = np.float32(0), np.float32(1e4)
    distance_to_curve(line, np.zeros(len(line), np.float32), zero, zero, far, out)
    flip_outside(loop, zero, zero, out)
    return out > 0


@contextlib.contextmanager
def points_alone() -> Iterator[None]:
    """Let lipstick obey the points alone for a while."""
    errors = lips.INNER_ERROR, lips.OUTER_ERROR
    lips.INNER_ERROR = lips.OUTER_ERROR = 1e-4
    try:
        yield
    finally:
        lips.INNER_ERROR, lips.OUTER_ERROR = errors


def spill(
    images: list[NDArray[np.uint8]], truth: NDArray[np.float32], found: NDArray[np.float32]
) -> str:
    """Return a row's shares: beside the lips, in open mouths, and of the lips covered."""
    parts = face_parts("ibug68")
    beside, mouths, covered = [], [], []
    for image, true, points in zip(images, truth, found, strict=True):
        weights = makeup_masks(image, points, LIPSTICK, "ibug68")["lipstick"]
        outer = inside(true[list(parts.outer_lips)], image.shape)
        inner = inside(true[list(parts.inner_lips)], image.shape) & outer
        colored = weights > 0.1
        area = max(1, int(colored.sum()))
        beside.append((colored & ~outer).sum() / area)
        if inner.sum() > 0.15 * outer.sum():
            mouths.append((colored & inner).sum() / area)
        covered.append(((weights > 0.5) & outer & ~inner).sum() / max(1, (outer & ~inner).sum()))
    shares = [100 * np.mean(values) for values in (beside, mouths, covered)]
    return " | ".join(f"{share:.1f} %" for share in shares) + f" | {len(mouths)} |"


def accuracy(models: list[str], data: Path) -> None:
    folder = data / "300w" / "helen" / "testset"
    test = load_dataset(folder)
    images = [read_image(folder / f"{Path(name).stem}.jpg", "rgb") for name in test.names]
    print("| points | beside the lips | in open mouths | lips covered | open mouths |")
    print("| --- | ---: | ---: | ---: | ---: |")
    sets = {"annotated": test.landmarks}
    sets |= {name: classicface.load(name).predict_many(test.images, test.boxes) for name in models}
    for name, found in sets.items():
        print(f"| {name} | {spill(images, test.landmarks, found)}", flush=True)
        with points_alone():
            print(f"| {name}, points alone | {spill(images, test.landmarks, found)}", flush=True)


def speed() -> None:
    from skimage.data import astronaut

    picture = astronaut()
    boxes = classicface.get_detector(None)(picture).boxes[:1]
    points = classicface.load("ert68").predict(picture, boxes)[0]
    scale = 200.0 / float(np.ptp(points, axis=0).max())
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    points = (points + 0.5) * scale - 0.5
    low = np.maximum(points.min(axis=0) - 140, 0).astype(int)
    high = (points.max(axis=0) + 140).astype(int)
    picture = np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]])
    points = (points - low).astype(np.float32)
    evening = LOOKS["evening"]
    kinds = {kind: Makeup(**{kind: getattr(evening, kind)}) for kind in evening.kinds}
    print(f"\nA face of 200 px in a picture of {picture.shape[1]} x {picture.shape[0]}:\n")
    print("| layer | median | of the processor's time | pixels |\n| --- | ---: | ---: | ---: |")
    for name, makeup in {**kinds, "all": evening}.items():
        passed, worked = [], []
        for _ in range(200):
            start, begun = time.perf_counter(), time.thread_time()
            apply_makeup(picture, points, makeup, "ibug68")
            passed.append(1e3 * (time.perf_counter() - start))
            worked.append(1e3 * (time.thread_time() - begun))
        masks = makeup_masks(picture, points, makeup, "ibug68")
        pixels = sum(int((mask > 0.004).sum()) for mask in masks.values())
        print(f"| {name} | {np.median(passed):.1f} ms | {np.median(worked):.1f} ms | {pixels} |")


def bound() -> None:
    """Print what a pixel costs in the two kernels that no make-up can do without."""
    side = 200
    rng = np.random.default_rng(0)
    picture = rng.integers(60, 200, (side, side, 3)).astype(np.uint8)
    lab, weights = np.empty((side, side, 3), np.float32), np.ones((side, side), np.float32)
    ink = np.array([30, 10, 60, 55, 1, 1, 0.5, 15, 15], np.float32)
    area = np.array([0, 0, side, side])
    for what, work in (
        ("painted", lambda: paint(weights, 1.0, 0.0, 0.0, ink, area, picture)),
        ("turned to Lab", lambda: rgb_to_lab(picture, lab)),
    ):
        passed = []
        for _ in range(200):
            begun = time.thread_time()
            work()
            passed.append(time.thread_time() - begun)
        print(f"{1e9 * np.median(passed) / side**2:.0f} ns for a pixel that is {what}")


def flicker() -> None:
    """Print the mean change from frame to frame, and how far the mean colour strays."""
    still = Actor(FaceParameters(mouth_open=0.35, smile=0.3), (160, 130), 120)
    landmarker = Landmarker()
    evening = LOOKS["evening"]
    moving = MovingMakeup(evening, landmarker.scheme)
    films: dict[str, list[NDArray[np.uint8]]] = {"the film": [], "with memory": [], "without": []}
    mouth = np.zeros((0, 2))
    frames = list(synthetic_film([lambda time: still], 45, size=(320, 240), noise=5.0))
    for frame, faces in landmarker.track(frames):
        mouth = frame.landmarks[0, 48:]
        films["the film"].append(frame.image)
        films["with memory"].append(moving(frame.image, faces.landmarks, faces.ids, frame.time))
        films["without"].append(apply_makeup(frame.image, faces.landmarks, evening, faces.scheme))
    low, high = mouth.min(axis=0).astype(int) - 3, mouth.max(axis=0).astype(int) + 4
    print("\n| a still face | change from frame to frame | mean colour strays |")
    print("| --- | ---: | ---: |")
    for name, film in films.items():
        calm = [cv2.GaussianBlur(image, (0, 0), 1.5) for image in film[8:]]
        part = np.stack([image[low[1] : high[1], low[0] : high[0]] for image in calm]).astype(float)
        change = np.abs(np.diff(part, axis=0)).mean()
        print(f"| {name} | {change:.2f} | {part.mean(axis=(1, 2)).std(axis=0).mean():.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", default=["ert68", "best68"])
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    accuracy(arguments.models, arguments.data)
    speed()
    bound()
    flicker()


if __name__ == "__main__":
    main()
