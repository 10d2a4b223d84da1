"""Draw the pictures of docs/cnn.md: what networks see in training and prediction, and how sure.

    python benchmarks/cnn_pictures.py [-o docs/images] [--cnn cnn68] [--heatmap heatmap68]

Faces that are shown are synthetic. The curves of errors and of confidences are those of the HELEN
test set; without it they are left out.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import classicface
from classicface import (
    HeatmapFitter,
    LandmarkDataset,
    LandmarkPredictor,
    draw_landmarks,
    load_dataset,
    synthetic_faces,
    write_image,
)
from classicface.cnn.base import NetworkFitter
from classicface.cnn.pipeline import Batches
from classicface.image.augment import Augmentation
from classicface.image.crop import crop_face, crop_pose
from classicface.metrics import nme
from classicface.plotting import grid, plot_ced, save_figure
from classicface.plotting.heatmaps import draw_heatmaps
from classicface.plotting.training import plot_learning_curves
from classicface.registry import MODELS
from classicface.shape.boxes import box_centers_sides, square_boxes
from classicface.shape.similarity import apply_similarity, fit_similarity, invert_similarity

DATA = Path(os.environ.get("CLASSICFACE_DATA") or Path(__file__).parents[2] / "shared" / "data")

SIDE = 128  # of a face in a sheet, in pixels
MOUTH = slice(48, 68)
INK = "#1f4e79"


def plain_pose(fitter: NetworkFitter, box: np.ndarray) -> np.ndarray:
    (center,), (side,) = box_centers_sides(box[None])
    return crop_pose(center, float(side), fitter.input_size, fitter.margin)


def training_views(size: int = 112, margin: float = 0.25) -> np.ndarray:
    """Draw what training makes of three faces: four views of each, with their landmarks."""
    faces = synthetic_faces(3, random_state=4)
    batches = Batches(
        *(faces.images, faces.landmarks, faces.boxes, faces.scheme.mirror, size, margin),
        *(Augmentation(), 1, 1, 1),
    )
    of_face: dict[int, list[np.ndarray]] = {}
    for epoch in range(4):
        order = np.random.default_rng((1, epoch, len(faces))).permutation(len(faces))
        for face, (pixels, points, _) in zip(order, batches.epoch(epoch), strict=True):
            drawn = draw_landmarks(pixels[0, :, :, 0], points, faces.scheme)
            of_face.setdefault(int(face), []).append(drawn)
    return grid([of_face[face][view] for view in range(4) for face in range(3)], 6)


def passes(fitter: NetworkFitter) -> np.ndarray:
    """Draw the two passes of prediction on faces whose boxes are off: crop and points of each."""
    faces = synthetic_faces(12, random_state=6)
    tiles: list[np.ndarray] = []
    for i in (7, 9):
        (center,), (side,) = box_centers_sides(faces.boxes[i : i + 1])
        (box,) = square_boxes(center[None] + 0.1 * side, np.array([side]))
        pose = plain_pose(fitter, box)
        crop = crop_face(faces.images[i], pose, fitter.input_size)
        first = fitter._read(crop, ())[:, :2]
        in_picture = apply_similarity(invert_similarity(pose), first)
        again = fit_similarity(in_picture, fitter.mean_points_)
        second_crop = crop_face(faces.images[i], again, fitter.input_size)
        second = fitter._read(second_crop, faces.scheme.mirror)[:, :2]
        second = faces.scheme.mirror_points(second, fitter.input_size)
        for seen, points in ((crop, first), (second_crop[:, ::-1], second)):
            scale = SIDE / fitter.input_size
            tiles.append(draw_landmarks(seen, points[None], faces.scheme, scale=scale))
    return grid(tiles, 4)


def hide_mouth(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    (x0, y0), (x1, y1) = landmarks[MOUTH].min(axis=0), landmarks[MOUTH].max(axis=0)
    x, y = 0.15 * (x1 - x0), 0.3 * (y1 - y0)
    hidden = image.copy()
    hidden[int(y0 - y) : int(y1 + y), int(x0 - x) : int(x1 + x)] = 128
    return hidden


def heatmaps(fitter: HeatmapFitter) -> np.ndarray:
    """Draw the heatmaps of four faces, and below of the same faces with the mouth hidden."""
    faces = synthetic_faces(8, random_state=3)
    chosen = (2, 3, 5, 7)
    tiles = []
    for hide in (False, True):
        for i in chosen:
            image = hide_mouth(faces.images[i], faces.landmarks[i]) if hide else faces.images[i]
            crop, maps = fitter.heatmaps(image, faces.boxes[i])
            _, (sure,) = fitter.predict_with_confidence(image, faces.boxes[i])
            print(
                f"face {i}, mouth {'hidden' if hide else 'seen'}: confidence of the mouth"
                f" {sure[MOUTH].mean():.2f}, of the rest {sure[:48].mean():.2f}"
            )
            scale = SIDE / fitter.input_size
            tiles.append(draw_heatmaps(crop, maps, faces.scheme, scale=scale))
    return grid(tiles, len(chosen))


def plot_confidence(fitter: HeatmapFitter, faces: LandmarkDataset) -> Figure:
    """Plot the error of single points over their confidence, in ten groups of equal size."""
    found = [
        fitter.predict_with_confidence(image, box)
        for image, box in zip(faces.images, faces.boxes, strict=True)
    ]
    points = np.concatenate([points for points, _ in found])
    sure = np.concatenate([confidence for _, confidence in found])
    assert faces.scheme.outer_eyes is not None
    left, right = faces.scheme.outer_eyes
    between = np.linalg.norm(faces.landmarks[:, left] - faces.landmarks[:, right], axis=1)
    errors = 100 * np.linalg.norm(points - faces.landmarks, axis=2) / between[:, None]
    groups = np.array_split(np.argsort(sure, axis=None), 10)
    middle = np.array([np.median(sure.flat[group]) for group in groups])
    quartiles = np.array([np.percentile(errors.flat[group], (25, 50, 75)) for group in groups])
    for x, (_, median, _), group in zip(middle, quartiles, groups, strict=True):
        mean = errors.flat[group].mean()
        print(f"confidence {x:.2f}: error of a point {median:.2f} % median, {mean:.2f} % mean")
    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    axes = figure.add_subplot()
    axes.fill_between(middle, quartiles[:, 0], quartiles[:, 2], color=INK, alpha=0.2, lw=0)
    axes.plot(middle, quartiles[:, 1], color=INK, marker=".", label="median and quartiles")
    axes.set(xlabel="confidence", ylabel="error of a point, inter-ocular [%]")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure


def errors_of(predictor: LandmarkPredictor, faces: LandmarkDataset) -> np.ndarray:
    return nme(predictor.predict_many(faces.images, faces.boxes), faces.landmarks, faces.scheme)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--output", "-o", type=Path, default=Path("docs/images"))
    parser.add_argument("--cnn", default="cnn68", help="coordinate network: name or file")
    parser.add_argument("--heatmap", default="heatmap68", help="heatmap network: name or file")
    arguments = parser.parse_args()
    folder = arguments.output
    write_image(folder / "cnn-views.png", training_views())
    cnn, heatmap = classicface.load(arguments.cnn), classicface.load(arguments.heatmap)
    assert isinstance(cnn, NetworkFitter) and isinstance(heatmap, HeatmapFitter)
    for name, fitter in (("cnn", cnn), ("heatmap", heatmap)):
        figure = plot_learning_curves(fitter.history_)
        save_figure(figure, folder / f"{name}-learning.png", dpi=90)
    write_image(folder / "cnn-passes.png", passes(heatmap))
    write_image(folder / "heatmap-faces.png", heatmaps(heatmap))
    testset = arguments.data / "300w" / "helen" / "testset"
    if not testset.is_dir():
        print(f"no {testset}: the curves of errors are left out")
        return
    faces = load_dataset(testset)
    save_figure(plot_confidence(heatmap, faces), folder / "heatmap-confidence.png", dpi=90)
    chosen = [*(name for name in MODELS if name.endswith("68")), arguments.cnn, arguments.heatmap]
    curves = {Path(name).stem: errors_of(classicface.load(name), faces) for name in chosen}
    save_figure(plot_ced(curves, threshold=0.08), folder / "cnn-ced.png", dpi=90)


if __name__ == "__main__":
    main()
