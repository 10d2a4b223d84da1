"""Tracking a face through a 640 x 480 video on one core, against a detector on every frame.

``python benchmarks/bench_track.py [--data FOLDER] [--seconds 10] [--crossings 12]``

Films, decoded in memory: a synthetic face that moves and turns its head, and a camera that moves
over photographs (where there are any). Each is followed by `Landmarker.track` with the default
model and detector, and by the same model with OpenCV's Haar cascade and with dlib's detector on
every frame. Frames a second count all but decoding: grey conversion, detection, points, checks,
smoothing. Then pairs of synthetic faces pass each other, one behind the other: how many pairs come
out under the numbers that they went in with.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from classicface import Landmarker, get_detector, read_image
from classicface.data.pts import read_pts
from classicface.data.synthetic import (
    Actor,
    FilmFrame,
    photograph_film,
    random_face,
    synthetic_film,
)
from classicface.landmarker import Faces, FaceTracker
from classicface.metrics import nme

Follower = Callable[[FilmFrame], Faces]


def synthetic(seconds: float) -> list[FilmFrame]:
    person = random_face(1, expression=0)

    def actor(t: float) -> Actor:
        yaw = 25 * np.sin(2 * np.pi * 0.3 * t)
        center = (320 + 120 * np.sin(2 * np.pi * 0.4 * t), 230 + 40 * np.sin(2 * np.pi * 0.7 * t))
        return Actor(person.replace(yaw=yaw), center, 170 + 30 * np.sin(2 * np.pi * 0.2 * t))

    return list(synthetic_film([actor], int(30 * seconds)))


def photograph(path: Path, seconds: float) -> list[FilmFrame]:
    picture, points = read_image(path, "rgb"), read_pts(path.with_suffix(".pts"))
    x, y = points.mean(axis=0)
    base = 170 / np.ptp(points, axis=0).max()

    def camera(t: float) -> tuple[float, float, float, float]:
        angle = 0.15 * np.sin(2 * np.pi * 0.4 * t)
        scale = base * (1 + 0.2 * np.sin(2 * np.pi * 0.3 * t))
        a, b = scale * np.cos(angle), scale * np.sin(angle)
        at_x, at_y = 320 + 120 * np.sin(np.pi * t), 240 + 50 * np.sin(1.4 * np.pi * t)
        return a, b, at_x - a * x + b * y, at_y - b * x - a * y

    return list(photograph_film(picture, points, camera, int(30 * seconds)))


def measure(film: list[FilmFrame], follow: Follower) -> tuple[float, float, float, float, float]:
    """Return frames a second, median and largest ms, the share of faces found, and the mean NME."""
    times, errors = [], []
    for frame in film:
        start = time.perf_counter()
        faces = follow(frame)
        times.append(time.perf_counter() - start)
        nearest = [
            float(nme(points[None], frame.landmarks, faces.scheme, "interocular")[0])
            for points in faces.landmarks
        ]
        errors.append(min(nearest, default=np.inf))
    found = np.array(errors)
    found = found[found < 0.3]
    return (
        len(film) / sum(times),
        1e3 * float(np.median(times)),
        1e3 * max(times),
        100 * len(found) / len(film),
        100 * float(found.mean()),
    )


def crossing(seed: int) -> list[FilmFrame]:
    """Return 3 seconds of two people who pass each other at a random speed and height."""
    rng = np.random.default_rng(seed)
    people = [random_face(rng, expression=0, max_yaw=5, max_pitch=5, max_roll=5) for _ in range(2)]
    speeds, heights = rng.uniform(90, 150, 2), rng.uniform(165, 195, 2)
    sizes = (105, 125)

    def behind(t: float) -> Actor:
        return Actor(people[0], (100 + speeds[0] * t, heights[0]), sizes[0])

    def before(t: float) -> Actor:
        return Actor(people[1], (380 - speeds[1] * t, heights[1]), sizes[1])

    return list(synthetic_film([behind, before], 75, size=(480, 360), random_state=seed))


def owners(frame: FilmFrame, faces: Faces) -> dict[int, int]:
    """Return the actor of each number: the one whose points are nearest."""
    apart = np.abs(faces.measured[:, None] - frame.landmarks[None]).mean(axis=(2, 3))
    return dict(zip(faces.ids.tolist(), apart.argmin(axis=1).tolist(), strict=True))


def crossings(landmarker: Landmarker, n: int) -> None:
    kept, numbers, wrong = 0, 0, 0
    for seed in range(n):
        film = crossing(seed)
        follow = tracking(landmarker.tracker())
        seen = [owners(frame, follow(frame)) for frame in film]
        first = next((now for now in seen if len(now) == 2), {})
        last = next((now for now in reversed(seen) if len(now) == 2), {})
        kept += first == last != {}
        numbers += len({identity for now in seen for identity in now})
        wrong += sum(first.get(i, actor) != actor for now in seen for i, actor in now.items())
    print(
        f"\n{n} crossings of two synthetic faces: {kept} pairs keep their numbers;"
        f" {numbers} numbers for {2 * n} faces; a number lies on the other face in {wrong} frames"
    )


def tracking(tracker: FaceTracker) -> Follower:
    tracker.reset()
    return lambda frame: tracker.update(frame.image, frame.time)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--crossings", type=int, default=12)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    films = {"synthetic face": synthetic(arguments.seconds)}
    for path in sorted((arguments.data / "photos").glob("*.jpg"))[:5]:
        films[f"photograph {path.stem}"] = photograph(path, arguments.seconds)
    default = Landmarker()
    ways: dict[str, Callable[[], Follower]] = {
        f"tracking ({default.detector.name})": lambda: tracking(default.tracker()),
        "tracking (haar)": lambda: tracking(Landmarker(detector="haar").tracker()),
    }
    for name in ("haar", "hog"):
        every = Landmarker(detector=get_detector(name))
        ways[f"{name} on every frame"] = lambda every=every: lambda f: every.detect(f.image)
    print(f"{cv2.getNumThreads()} thread, 640 x 480, 30 frames a second, face of 170 px")
    for title, film in films.items():
        print(f"\n{title}")
        speeds = {}
        for name, make in ways.items():
            follow = make()
            follow(film[0])  # compiles, loads
            result = measure(film, make())
            speeds[name] = result[0]
            print(
                f"  {name:22s} {result[0]:6.0f} frames/s  median {result[1]:6.2f} ms  longest"
                f" {result[2]:6.1f} ms  found {result[3]:5.1f} %  NME {result[4]:.2f} %"
            )
        names = list(ways)
        print(f"  ratio to haar on every frame: {speeds[names[0]] / speeds[names[2]]:.1f}")
    crossings(default, arguments.crossings)


if __name__ == "__main__":
    main()
