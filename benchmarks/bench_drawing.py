"""Time the drawing of one tracked face on a video frame, on one thread.

python benchmarks/bench_drawing.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np

from classicface import draw_landmarks
from classicface.data.synthetic import draw_face
from classicface.plotting import draw_boxes, draw_pose, draw_regions, draw_tracks
from classicface.shape.boxes import landmark_box


def milliseconds(call: Callable[[], object], n: int = 400) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(n + 20):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times[20:]))


def main() -> None:
    cv2.setNumThreads(1)
    picture, points = draw_face(size=480, face_size=160)
    frame = np.ascontiguousarray(np.pad(picture, ((0, 0), (80, 80), (0, 0))))
    points = points + np.float32([80, 0])
    boxes, faces = landmark_box(points[None]), points[None]
    calls: dict[str, Callable[[], object]] = {
        "copy of the frame": frame.copy,
        "draw_landmarks: points": lambda: draw_landmarks(frame, points),
        "draw_landmarks: points, lines, box": lambda: draw_landmarks(
            frame, points, "ibug68", boxes=boxes
        ),
        "draw_boxes: box, label": lambda: draw_boxes(frame, boxes, ["7  0.98"]),
        "draw_tracks: points, lines, box, label": lambda: draw_tracks(
            frame, faces, [7], "ibug68", boxes=boxes
        ),
        "draw_regions, with legend": lambda: draw_regions(frame, points, "ibug68"),
        "draw_pose": lambda: draw_pose(frame, np.eye(3), points[27], 80.0),
    }
    print("One face with 68 points, 160 px large, on a frame of 640 x 480\n")
    print("| | ms |\n| --- | --- |")
    for name, call in calls.items():
        print(f"| {name} | {milliseconds(call):.2f} |")


if __name__ == "__main__":
    main()
