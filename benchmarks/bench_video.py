"""Videos: frames a second that are read and written, and how much damage is noticed.

Speed is that of a film of 640 x 480 pixels, an astronaut's portrait that moves under a camera with
noise, read to RGB arrays, beside OpenCV's VideoCapture on the same file; medians of passes that
take turns. Damage: a small film of a synthetic face is cut, or bits in it are flipped, at random
places; counted are the copies whose frames come back fewer or other than they were, and of those
the copies of which not a word was said.

    OMP_NUM_THREADS=1 python benchmarks/bench_video.py
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from classicface.exceptions import ClassicFaceError
from classicface.video import Frame, VideoWriter, open_video

Image = NDArray[np.uint8]

#: Levels of 255 by which a pixel may differ in a frame that counts as unchanged.
TOLERANCE = 2


def portrait(n: int, width: int = 640, height: int = 480) -> Iterator[Image]:
    rng = np.random.default_rng(0)
    ground = cv2.resize(skimage.data.astronaut(), (width + 200, height + 200))
    for i in range(n):
        view = ground[i % 200 : i % 200 + height, i % 190 : i % 190 + width]
        noise = rng.integers(-6, 7, view.shape, np.int16)
        yield np.clip(view + noise, 0, 255).astype(np.uint8)


def write(path: Path, images: list[Image]) -> None:
    with VideoWriter(path, fps=30) as out:
        for image in images:
            out.write(image)


def read(path: Path) -> list[Frame]:
    with open_video(path) as video:
        return list(video)


def count(path: Path, threads: int) -> int:
    with open_video(path, threads=threads) as video:
        return sum(frame.image.shape[2] == 3 for frame in video)


def read_with_opencv(path: Path, threads: int) -> int:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
    count = 0
    while True:
        done, image = capture.read()
        if not done:
            return count
        cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        count += 1


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def speed(folder: Path, n_frames: int, passes: int) -> None:
    images = list(portrait(n_frames))
    print(f"{n_frames} frames of 640 x 480; frames a second")
    for ending in ("mp4", "avi", "webm"):
        path = folder / f"film.{ending}"
        writing = seconds(lambda path=path: write(path, images))
        rate = path.stat().st_size * 8 * 30 / n_frames / 1e6
        print(f"{ending:<5} written {n_frames / writing:6.0f}   {rate:5.2f} Mbit/s")
        jobs: dict[str, Callable[[], object]] = {
            "read, 1 thread": lambda path=path: count(path, 1),
            "read, 2 threads": lambda path=path: count(path, 2),
            "OpenCV, 1 thread": lambda path=path: read_with_opencv(path, 1),
            "OpenCV, 2 threads": lambda path=path: read_with_opencv(path, 2),
        }
        taken: dict[str, list[float]] = {name: [] for name in jobs}
        for _ in range(passes):
            for name, job in jobs.items():
                taken[name].append(seconds(job))
        for name, times in taken.items():
            print(f"      {name:<18} {n_frames / float(np.median(times)):6.0f}")


def faces(n: int) -> list[Image]:
    from classicface.data.synthetic import draw_face, random_face

    rng = np.random.default_rng(0)
    picture = draw_face(random_face(rng), size=96)[0]
    return [np.roll(picture, 2 * i, axis=1) for i in range(n)]


def outcome(path: Path, whole: list[Frame]) -> str:
    """Return what became of a damaged copy."""
    try:
        with open_video(path) as video:
            frames = list(video)
            said = bool(video.faults)
    except ClassicFaceError:
        return "refused"
    if len(frames) == len(whole):
        pairs = zip(frames, whole, strict=True)
        if all(a.index == b.index and unchanged(a.image, b.image) for a, b in pairs):
            return "unharmed"
        return "changed, said" if said else "changed, silent"
    return "fewer, said" if said else "fewer, silent"


def unchanged(a: Image, b: Image) -> bool:
    return a.shape == b.shape and int(np.abs(a.astype(np.int16) - b).max()) <= TOLERANCE


def damage(folder: Path, n_copies: int) -> None:
    names = (
        "refused",
        "unharmed",
        "fewer, said",
        "fewer, silent",
        "changed, said",
        "changed, silent",
    )
    print(f"\n{n_copies} damaged copies each of a film of 60 frames")
    print(f"{'':<12}" + "".join(f"{name:>17}" for name in names))
    for ending in ("mp4", "mkv", "avi", "webm"):
        path = folder / f"small.{ending}"
        write(path, faces(60))
        whole, data = read(path), path.read_bytes()
        for kind in ("cut", "bits"):
            rng = np.random.default_rng(1)
            counts = dict.fromkeys(names, 0)
            for _ in range(n_copies):
                copy = np.frombuffer(data, np.uint8).copy()
                if kind == "cut":
                    copy = copy[: rng.integers(len(copy))]
                else:
                    places = rng.integers(len(copy), size=rng.choice([1, 2, 5, 20]))
                    copy[places] ^= (1 << rng.integers(8, size=len(places))).astype(np.uint8)
                path.write_bytes(copy.tobytes())
                counts[outcome(path, whole)] += 1
            print(f"{ending:<5} {kind:<6}" + "".join(f"{counts[name]:>17}" for name in names))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=300, help="frames of the film for speed")
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--copies", type=int, default=500, help="damaged copies of each film")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as name:
        speed(Path(name), options.frames, options.passes)
        damage(Path(name), options.copies)


if __name__ == "__main__":
    main()
