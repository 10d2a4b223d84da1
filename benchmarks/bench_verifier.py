"""Time the face verifier on one core, on the astronaut of scikit-image at several sizes.

    python benchmarks/bench_verifier.py

One thread; medians.
"""

from __future__ import annotations

import time

import cv2
import numpy as np
from skimage import data as pictures

from classicface import load
from classicface.landmarker.verifier import FaceVerifier
from classicface.validation import check_image

BOX = np.array([[176, 78, 272, 176]], np.float32)
REPEATS, PASSES = 50, 60


def main() -> None:
    cv2.setNumThreads(1)
    verifier, predictor = FaceVerifier.load(), load("ert68")
    astronaut = check_image(pictures.astronaut())
    print("| face, px | fit | one check, ms |")
    print("| ---: | ---: | ---: |")
    for factor in (0.5, 1.0, 2.0, 4.0):
        grey = cv2.resize(astronaut, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        points = predictor.predict(grey, BOX * factor)
        fit = verifier.check(grey, points, predictor.scheme_).fits[0]
        times = []
        for _ in range(PASSES):
            start = time.perf_counter()
            for _ in range(REPEATS):
                verifier.check(grey, points, predictor.scheme_)
            times.append((time.perf_counter() - start) / REPEATS)
        print(f"| {96 * factor:.0f} | {fit:.3f} | {1e3 * np.median(times):.3f} |")


if __name__ == "__main__":
    main()
