"""Alignment: where the eyes land in chips, the way back, and the speed beside dlib, scikit-image.

The eyes are those of the annotation, in chips that were made from predicted points (and from the
annotated ones, which says what a template can reach at best). One thread; in the part on speed all
ways take turns, face by face, in one process, and cut the same chips of 112 px from colour.

    OMP_NUM_THREADS=1 python benchmarks/bench_align.py [--data FOLDER]

Needs ``pip install "classicface[dlib]" scikit-image``.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray
from skimage.transform import SimilarityTransform, warp

import classicface
from classicface.apps.align import align_face, frontalize
from classicface.apps.align.templates import get_template, read_face
from classicface.data.pts import read_pts
from classicface.shape.similarity import apply_similarity, fit_similarity

DATA = Path(os.environ.get("CLASSICFACE_DATA") or Path(__file__).parents[2] / "shared" / "data")
SIZE, NEAR = 112, 2.0

Floats = NDArray[np.floating]
Cut = Callable[[NDArray[np.uint8], Floats], object]


def eyes_and_more(points: Floats) -> Floats:
    """Return eye centres, tip of the nose and corners of the mouth of the 68, (..., 5, 2)."""
    right, left = points[..., 36:42, :].mean(axis=-2), points[..., 42:48, :].mean(axis=-2)
    return np.stack([right, left, *(points[..., i, :] for i in (30, 48, 54))], axis=-2)


def accuracy(data: Path) -> None:
    """Print how far the true eyes are from the template in chips, by template and predictor."""
    faces = classicface.load_dataset(data / "300w" / "helen" / "testset")
    truth = np.asarray(faces.landmarks, np.float64)
    sources = {"annotation": faces.landmarks}
    for name in ("ert68", "best68"):
        sources[name] = classicface.load(name).predict_many(faces.images, faces.boxes)
    print(f"{len(faces)} faces of HELEN's test set, chips of {SIZE} px, distances in chip pixels;")
    print(
        f"near: both eyes within {NEAR:g} px; mean over all eyes; 95 % of faces have none farther;"
    )
    print("back: the largest distance of a point from itself after the way there and back, in px")
    print(f"{'template':<12}{'points from':<13}{'near':>8}{'mean':>7}{'95 %':>7}{'back':>10}")
    five = read_face(get_template("arcface112"), faces.scheme).places
    for template in ("eyes", "arcface112", "dlib150", "all"):
        for source, landmarks in sources.items():
            wanted = five[:2]
            if template in ("dlib150", "all"):
                # Where a face of the template's own form has its eyes.
                reading = read_face(get_template(template), faces.scheme)
                places = get_template(template).resized(reading.places, SIZE, SIZE, 0.0)
                whole = np.full((68, 2), np.nan)
                whole[[group[0] for group in reading.groups]] = places
                wanted = np.asarray(eyes_and_more(whole)[:2], np.float64)
            apart, back = [], 0.0
            for image, true, points in zip(faces.images, truth, landmarks, strict=True):
                chip = align_face(image, points, faces.scheme, template, size=SIZE)
                apart.append(np.linalg.norm(chip.to_chip(eyes_and_more(true)[:2]) - wanted, axis=1))
                there_and_back = chip.to_image(chip.to_chip(points)) - points
                back = max(back, float(np.abs(there_and_back).max()))
            worst = np.max(apart, axis=1)
            print(
                f"{template:<12}{source:<13}{100 * np.mean(worst < NEAR):>6.1f} %"
                f"{np.mean(apart):>7.2f}{np.percentile(worst, 95):>7.2f}{back:>10.1e}"
            )


def weighing(data: Path) -> None:
    """Print what the least squares of the five points do to them, and what heavier eyes would."""
    faces = classicface.load_dataset(data / "300w" / "helen" / "testset")
    places = read_face(get_template("arcface112"), faces.scheme).places
    truth = eyes_and_more(np.asarray(faces.landmarks, np.float64))
    offsets = apply_similarity(fit_similarity(truth, places), truth) - places
    names = ("right eye", "left eye", "nose", "right corner", "left corner")
    print("arcface112, from the annotation, mean offset from the places in x and y, chip pixels:")
    pairs = zip(names, offsets.mean(axis=0), strict=True)
    print("  " + ", ".join(f"{name} {x:.1f} {y:.1f}" for name, (x, y) in pairs))
    predicted = classicface.load("best68").predict_many(faces.images, faces.boxes)
    sources = {"annotation": truth, "best68": eyes_and_more(predicted.astype(np.float64))}
    for weight in (1, 2, 4, 8):
        repeats = [weight, weight, 1, 1, 1]  # a point that is there n times weighs n times as much
        near = []
        for name, points in sources.items():
            fitted = fit_similarity(
                np.repeat(points, repeats, axis=1), np.repeat(places, repeats, axis=0)
            )
            eyes = apply_similarity(fitted, truth[:, :2]) - places[:2]
            worst = np.linalg.norm(eyes, axis=2).max(axis=1)
            near.append(f"{100 * np.mean(worst < NEAR):.1f} % from {name}")
        print(f"  near, with the eyes counted {weight} times: {', '.join(near)}")


def warped_back(data: Path) -> None:
    """Print what the frontal warp shows of faces, and its way back."""
    faces = classicface.load_dataset(data / "300w" / "helen" / "testset")
    shown, back = [], 0.0
    for image, points in zip(faces.images, faces.landmarks, strict=True):
        face = frontalize(image, points, faces.scheme)
        known = np.isfinite(face.landmarks[:, 0])
        there_and_back = face.to_image(face.to_chip(points[known])) - points[known]
        back = max(back, float(np.abs(there_and_back).max()))
        shown.append(face.shown)
    print(
        f"frontal warp: shows {100 * np.median(shown):.1f} % of the mean face (median),"
        f" {100 * np.percentile(shown, 5):.1f} % (5 % of faces less); back {back:.1e} px"
    )


def by_skimage(image: NDArray[np.uint8], points: Floats) -> object:
    """Align as the field does with scikit-image: fit, then warp bilinearly."""
    places = get_template("arcface112").places["five"]
    fitted = SimilarityTransform.from_estimate(eyes_and_more(points), places)
    return warp(image, fitted.inverse, output_shape=(SIZE, SIZE), order=1, preserve_range=True)


def by_skimage_and_opencv(image: NDArray[np.uint8], points: Floats) -> object:
    """Align as insightface does: fit with scikit-image, warp with OpenCV, whatever the size."""
    places = get_template("arcface112").places["five"]
    fitted = SimilarityTransform.from_estimate(eyes_and_more(points), places)
    return cv2.warpAffine(image, fitted.params[:2], (SIZE, SIZE), borderValue=0.0)


def detection(points: Floats) -> dlib.full_object_detection:
    """Return points as dlib holds them, which are whole numbers."""
    parts = dlib.points([dlib.point(int(x), int(y)) for x, y in np.rint(points)])
    return dlib.full_object_detection(dlib.rectangle(0, 0, 9, 9), parts)


def speed(name: str, pictures: list[NDArray[np.uint8]], shapes: list[Floats], passes: int) -> None:
    """Print the median microseconds of a face by each way, and the ratio to ours."""
    held = [detection(points) for points in shapes]
    index = {id(points): i for i, points in enumerate(shapes)}
    ways: dict[str, Cut] = {
        "classicface, five points": lambda im, p: align_face(im, p, "ibug68"),
        "classicface, as dlib": lambda im, p: align_face(im, p, "ibug68", "dlib150", size=SIZE),
        "classicface, all points": lambda im, p: align_face(im, p, "ibug68", "all"),
        "classicface, frontal": lambda im, p: frontalize(im, p, "ibug68"),
        "dlib.get_face_chip": lambda im, p: dlib.get_face_chip(im, held[index[id(p)]], size=SIZE),
        "scikit-image": by_skimage,
        "scikit-image + OpenCV": by_skimage_and_opencv,
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for i in range(passes):
        # The first way of a face brings its picture into the cache: each is first in turn.
        order = [*ways.items()][i % len(ways) :] + [*ways.items()][: i % len(ways)]
        for picture, points in zip(pictures, shapes, strict=True):
            for way, cut in order:
                start = time.perf_counter()
                cut(picture, points)
                times[way].append(time.perf_counter() - start)
    us = {way: float(np.median(taken)) * 1e6 for way, taken in times.items()}
    faces = float(np.median([np.ptp(points, axis=0).max() for points in shapes]))
    print(f"{name}: {len(pictures)} faces of {faces:.0f} px (median)")
    print(f"{'':<26}{'us/face':>9}{'to five points':>16}{'to as dlib':>12}")
    for way, taken in us.items():
        print(
            f"{way:<26}{taken:>9.0f}{taken / us['classicface, five points']:>16.2f}"
            f"{taken / us['classicface, as dlib']:>12.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--passes", type=int, default=7)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    accuracy(arguments.data)
    weighing(arguments.data)
    warped_back(arguments.data)
    folder = arguments.data / "300w" / "helen" / "testset"
    for name, paths, passes in (
        ("crops", sorted(folder.glob("*.jpg"))[:100], arguments.passes),
        ("photographs", sorted((arguments.data / "photos").glob("*.jpg")), 10 * arguments.passes),
    ):
        pictures = [classicface.read_image(path, "rgb") for path in paths]
        speed(name, pictures, [read_pts(path.with_suffix(".pts")) for path in paths], passes)


if __name__ == "__main__":
    main()
