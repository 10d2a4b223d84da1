"""Count scripted blinks: the drowsiness monitor beside the usual fixed threshold, in one run.

Films of drawn people, each with 20 blinks of 0.15 to 0.3 s while the head turns by 12 degrees and
nods by 5, with sensor noise, at uneven intervals. Both counters get the same points: the true ones
with a tremble, or those that models predict in each frame (no smoothing over time). The fixed
threshold is the recipe of many tutorials, after Soukupova and Cech (2016): a blink where the mean
eye aspect ratio of both eyes stays below 0.2 for at least 3 frames. On HELEN's test set the script
then tells how well each model sees closed eyes in photographs.

    OMP_NUM_THREADS=1 python benchmarks/bench_blinks.py [--people 3] [--models best68 ert68 ...]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from classicface import ERTFitter, load
from classicface.apps.drowsiness import DrowsinessMonitor
from classicface.apps.ratios import eye_aspect_ratio, eye_aspect_ratios
from classicface.data.synthetic import (
    Actor,
    FaceParameters,
    blink_lids,
    draw_face,
    random_face,
    synthetic_film,
)
from classicface.image.io import list_images, read_image
from classicface.shape.boxes import box_centers_sides, landmark_box, square_boxes

DATA = Path(os.environ.get("CLASSICFACE_DATA") or Path(__file__).parents[2] / "shared" / "data")
MODELS = ["best68", "heatmap68", "asm68", "cnn68", "aam68", "ert68", "synthetic ERT"]
BLINKS, RATES, RATE = 20, (60, 30, 15, 10, 5), 60
SIZE, FACE = 224, 104

#: Seeds of the people: those from 0 on were looked at while the monitor was written.
FIRST = 100

Spans = list[tuple[float, float]]


class Film(NamedTuple):
    """A person's blinks, and pictures and true points at uneven times."""

    blinks: Spans
    times: np.ndarray
    images: list[np.ndarray]
    points: np.ndarray


class Score(NamedTuple):
    """How many blinks were counted and missed, and how many were counted that were none."""

    counted: int
    missed: int
    false: int

    def __str__(self) -> str:
        return f"{self.counted} / {self.missed} / {self.false}"


def make_film(seed: int) -> Film:
    rng = np.random.default_rng(seed)
    person = random_face(seed, max_yaw=0, max_pitch=0, max_roll=8, expression=0)
    starts = 1.0 + np.cumsum(rng.uniform(1.2, 2.8, BLINKS))
    durations = rng.uniform(0.15, 0.3, BLINKS)
    n = int((starts[-1] + 2.0) * RATE)
    times = (np.arange(n) + rng.uniform(-0.3, 0.3, n)) / RATE

    def actor(nominal: float) -> Actor:
        t = times[round(nominal * RATE)]
        lids = max(blink_lids(t, [s], d) for s, d in zip(starts, durations, strict=True))
        face = person.replace(
            eyes_closed=(lids, lids),
            yaw=12 * np.sin(2 * np.pi * t / 7),
            pitch=5 * np.sin(2 * np.pi * t / 11),
        )
        return Actor(face, (SIZE / 2 + 5 * np.sin(t), SIZE / 2 + 3 * np.sin(1.3 * t)), FACE)

    frames = list(synthetic_film([actor], n, fps=RATE, size=(SIZE, SIZE), random_state=seed))
    images = [cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY) for frame in frames]
    blinks = list(zip(starts, starts + durations, strict=True))
    return Film(blinks, times, images, np.stack([frame.landmarks[0] for frame in frames]))


def by_monitor(times: np.ndarray, points: np.ndarray) -> Spans:
    monitor = DrowsinessMonitor("ibug68")
    events = [e for t, p in zip(times, points, strict=True) for e in monitor.update(t, p).events]
    events += monitor.finish()
    lids = ("blink", "long closure", "microsleep")
    return [(event.start, event.end) for event in events if event.kind in lids]


def by_fixed_threshold(times: np.ndarray, points: np.ndarray) -> Spans:
    closed = eye_aspect_ratios(points).mean(axis=1) < 0.2
    edges = np.flatnonzero(np.diff(np.concatenate([[False], closed, [False]]).astype(int)))
    runs = edges.reshape(-1, 2)
    return [(times[a], times[b - 1]) for a, b in runs if b - a >= 3]


def score(found: Spans, blinks: Spans) -> Score:
    left, counted = list(found), 0
    for start, end in blinks:
        hit = next((span for span in left if span[0] < end and span[1] > start), None)
        if hit is not None:
            left.remove(hit)
            counted += 1
    return Score(counted, len(blinks) - counted, len(left))


def total(films: list[Film], points: list[np.ndarray], step: int, how: Callable) -> Score:
    scores = [
        score(how(film.times[::step], p), film.blinks)
        for film, p in zip(films, points, strict=True)
    ]
    return Score(*np.sum(scores, axis=0).tolist())


def synthetic_ert(n: int) -> ERTFitter:
    """Train a cascade on drawn people, a half of them with their eyes closed more or less."""
    rng = np.random.default_rng(10_000)
    images, landmarks = [], []
    for i in range(n):
        face: FaceParameters = random_face(10_000 + i, max_yaw=25, max_pitch=12, max_roll=12)
        if i % 2:
            lids = min(1.0, rng.uniform(0.3, 1.3))
            face = face.replace(eyes_closed=(lids, lids))
        image, points = draw_face(face, size=SIZE, face_size=FACE, random_state=rng)
        noisy = image + 2.0 * rng.standard_normal((SIZE, SIZE, 1))
        images.append(cv2.cvtColor(np.clip(noisy, 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY))
        landmarks.append(points)
    return ERTFitter.from_preset("fast", random_state=0).fit(images, np.stack(landmarks))


def predict(model: object, film: Film, step: int) -> np.ndarray:
    """Predict each frame from its landmark box, shifted a little at random as a tracker's is."""
    centers, sides = box_centers_sides(landmark_box(film.points[::step]))
    shift = np.random.default_rng(0).normal(0.0, 0.01, centers.shape) * sides[:, None]
    boxes = square_boxes(centers + shift, sides)
    return model.predict_many(film.images[::step], boxes)  # type: ignore[attr-defined]


def ratio_of_closed(film: Film, points: np.ndarray, step: int) -> float:
    """Return the ratio of closed eyes (at the bottom of the blinks) over that of open ones."""
    times, ear = film.times[::step], eye_aspect_ratio(points)
    inside = [ear[(times >= a) & (times <= b)] for a, b in film.blinks]
    lowest = [values.min() for values in inside if len(values)]  # some lie between two frames
    free = np.all([(times < a - 0.1) | (times > b + 0.1) for a, b in film.blinks], axis=0)
    return float(np.median(lowest) / np.median(ear[free]))


def on_photographs(models: dict[str, object], folder: Path) -> None:
    paths = list_images(folder)
    true = np.stack([np.loadtxt(p.with_suffix(".pts"), skiprows=3, comments="}") for p in paths])
    true = (true - 1).astype(np.float32)
    images, boxes = [read_image(path) for path in paths], landmark_box(true)
    ear = eye_aspect_ratio(true)
    closed, open_ = ear < 0.13, ear > 0.2
    print(f"\n{len(paths)} photographs of HELEN's test set, eye aspect ratio; closed is a true one")
    print(f"under 0.13 ({closed.sum()} faces), open one above 0.2 ({open_.sum()} faces).\n")
    print("| points | closed, median | open, median | ratio | correlation with the true one |")
    print("| --- | --- | --- | --- | --- |")
    rows = {"true": true}
    rows |= {name: model.predict_many(images, boxes) for name, model in models.items()}  # type: ignore[attr-defined]
    for name, points in rows.items():
        found = eye_aspect_ratio(points)
        low, high = np.median(found[closed]), np.median(found[open_])
        alike = np.corrcoef(found, ear)[0, 1]
        print(f"| {name} | {low:.3f} | {high:.3f} | {low / high:.2f} | {alike:.2f} |", flush=True)
    print(f"\nTrue ratios under 0.16: {100 * np.mean(ear < 0.16):.1f} % of the faces.")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--models", nargs="*", default=MODELS)
    parser.add_argument("--training", type=int, default=1200)
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    films = [make_film(FIRST + i) for i in range(arguments.people)]
    print(f"{len(films)} people, {len(films) * BLINKS} blinks; counted / missed / false\n")
    print("| points | frames a second | monitor | fixed threshold | closed over open |")
    print("| --- | --- | --- | --- | --- |")

    def row(name: str, points: list[np.ndarray], step: int) -> None:
        counts = [total(films, points, step, how) for how in (by_monitor, by_fixed_threshold)]
        ratio = np.median([ratio_of_closed(f, p, step) for f, p in zip(films, points, strict=True)])
        print(f"| {name} | {RATE // step} | {counts[0]} | {counts[1]} | {ratio:.2f} |", flush=True)

    rng = np.random.default_rng(0)
    for share in (0.0, 0.01):
        trembling = [f.points + rng.normal(0, share * FACE, f.points.shape) for f in films]
        for rate in RATES:
            step = RATE // rate
            row(f"true, tremble of {100 * share:g} %", [p[::step] for p in trembling], step)
    models = {}
    for name in arguments.models:
        synthetic = name == "synthetic ERT"
        model = synthetic_ert(arguments.training) if synthetic else load(name)
        if not synthetic:
            models[name] = model
        for rate in RATES if synthetic or name == "best68" else (30,):
            step = RATE // rate
            row(name, [predict(model, film, step) for film in films], step)
    folder = arguments.data / "300w" / "helen" / "testset"
    if folder.is_dir():
        on_photographs(models, folder)


if __name__ == "__main__":
    main()
