"""How fast methods are: one face on one thread, and many on all cores, in turns."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from classicface.data.dataset import LandmarkDataset
from classicface.detect import Detector
from classicface.evaluation.results import Speed
from classicface.predictor import LandmarkPredictor, Progress

__all__ = ["detection_us", "measure_speed", "one_thread"]

#: Faces that one pass of a quick method times.
MAX_TIMED = 200

#: Pictures at least on which a detector is timed.
MIN_DETECTIONS = 10

#: Turns of each method; what disturbs the machine for a while disturbs all of them.
TURNS = 5


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Hold OpenCV and BLAS to one thread."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(before)


def measure_speed(
    predictors: Mapping[str, LandmarkPredictor],
    dataset: LandmarkDataset,
    min_seconds: float,
    progress: Progress,
) -> dict[str, Speed]:
    """Time every predictor on the same faces, in turns, so that all see the machine alike.

    Parameters
    ----------
    predictors : mapping of str to LandmarkPredictor
    dataset : LandmarkDataset
        Its pictures and boxes; a slow predictor is timed on the first of them.
    min_seconds : float
        For each predictor and each of the two speeds.
    progress : callable

    Returns
    -------
    dict of str to Speed
    """
    share = min_seconds / TURNS
    sets = {name: _timed_faces(p, dataset, share) for name, p in predictors.items()}
    calls: dict[str, list[float]] = {name: [] for name in predictors}
    passes: dict[str, list[float]] = {name: [] for name in predictors}
    total = 2 * TURNS * len(predictors)
    turns = 0

    def take_turns(measure: _Measure, times: dict[str, list[float]], text: str) -> None:
        nonlocal turns
        for _ in range(TURNS):
            for name, predictor in predictors.items():
                end = time.perf_counter() + share
                times[name] += measure(predictor, *sets[name])
                while time.perf_counter() < end:
                    times[name] += measure(predictor, *sets[name])
                turns += 1
                progress(turns / total, text)

    with one_thread():
        take_turns(_one_by_one, calls, "timing one thread")
        take_turns(_all_cores, passes, "timing all cores")
    return {
        name: _speed(np.array(calls[name]), np.array(passes[name]) / len(sets[name][0]))
        for name in predictors
    }


_Measure = Callable[[LandmarkPredictor, list[NDArray[np.uint8]], NDArray[np.float32]], list[float]]


def _speed(calls: NDArray[np.float64], passes: NDArray[np.float64]) -> Speed:
    first, median, third = (1e6 * np.percentile(calls, [25, 50, 75])).tolist()
    fastest, middle, slowest = (1e6 * np.percentile(passes, [0, 50, 100])).tolist()
    return Speed(median, (first, third), middle, (fastest, slowest))


def _timed_faces(
    predictor: LandmarkPredictor, dataset: LandmarkDataset, seconds: float
) -> tuple[list[NDArray[np.uint8]], NDArray[np.float32]]:
    """Warm the predictor up, and return so many faces that a pass takes about so long."""
    images, boxes = dataset.images, dataset.boxes
    warm = range(min(5, len(images)))
    for i in warm:
        predictor.predict(images[i], boxes[i])
    start = time.perf_counter()
    for i in warm:
        predictor.predict(images[i], boxes[i])
    one = (time.perf_counter() - start) / len(warm)
    n = int(np.clip(seconds / max(one, 1e-9), 10, MAX_TIMED))
    return images[:n], boxes[:n]


def _one_by_one(
    predictor: LandmarkPredictor, images: list[NDArray[np.uint8]], boxes: NDArray[np.float32]
) -> list[float]:
    times = []
    for image, box in zip(images, boxes, strict=True):
        start = time.perf_counter()
        predictor.predict(image, box)
        times.append(time.perf_counter() - start)
    return times


def _all_cores(
    predictor: LandmarkPredictor, images: list[NDArray[np.uint8]], boxes: NDArray[np.float32]
) -> list[float]:
    start = time.perf_counter()
    predictor.predict_many(images, boxes)
    return [time.perf_counter() - start]


def detection_us(detector: Detector, images: list[NDArray[np.uint8]], min_seconds: float) -> float:
    """Return the median microseconds that a detector takes for a picture on one thread."""
    times: list[float] = []
    with one_thread():
        detector(images[0])
        for image in itertools.cycle(images[:MAX_TIMED]):
            start = time.perf_counter()
            detector(image)
            times.append(time.perf_counter() - start)
            if len(times) >= MIN_DETECTIONS and sum(times) >= min_seconds:
                break
    return 1e6 * statistics.median(times)
