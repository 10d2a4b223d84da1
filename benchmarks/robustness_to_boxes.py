"""How much accuracy a moved or resized box costs: our models and dlib's, HELEN's test faces.

The boxes of ``boxes.csv`` are shifted by 0 to 20 % of their side (in eight directions, averaged)
and scaled by as much (up and down, averaged). Prints a table and draws the curves.

    python benchmarks/robustness_to_boxes.py ert68 asm68 aam68 --dlib KEPT/dlib.dat
        -o docs/images/robustness.png

``bench_ert_vs_dlib.py --keep KEPT`` makes the dlib model.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bench_ert_vs_dlib import DATA
from numpy.typing import NDArray

import classicface
from classicface import LandmarkDataset, LandmarkPredictor, load_dataset
from classicface.metrics import nme
from classicface.peers import dlib_predictor
from classicface.plotting import plot_nme_curve, save_figure
from classicface.shape.boxes import box_centers_sides, square_boxes

AMOUNTS = [0.0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2]

Predict = Callable[[LandmarkDataset], NDArray[np.float32]]


def moved(test: LandmarkDataset, shift: NDArray[np.float64], scale: float) -> LandmarkDataset:
    """Return the data set with other boxes; the shift is in sides."""
    copy = test.subset(range(len(test)))
    centers, sides = box_centers_sides(test.boxes)
    copy.boxes = square_boxes(centers + sides[:, None] * shift, sides * scale)
    return copy


def shifted(predict: Predict, test: LandmarkDataset, amount: float) -> float:
    angles = np.arange(8) * np.pi / 4
    shifts = amount * np.column_stack([np.cos(angles), np.sin(angles)])
    return mean_error(predict, [moved(test, shift, 1.0) for shift in shifts[: 8 if amount else 1]])


def scaled(predict: Predict, test: LandmarkDataset, amount: float) -> float:
    return mean_error(predict, [moved(test, np.zeros(2), s) for s in (1 + amount, 1 - amount)])


def mean_error(predict: Predict, sets: list[LandmarkDataset]) -> float:
    return float(np.mean([nme(predict(s), s.landmarks, s.scheme).mean() for s in sets]))


def over_sets(predictor: LandmarkPredictor) -> Predict:
    return lambda dataset: predictor.predict_many(dataset.images, dataset.boxes)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", help="bundled models or model files")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--dlib", type=Path, help="dlib's model, trained on the same faces")
    parser.add_argument("--output", "-o", type=Path, help="picture of the curves")
    arguments = parser.parse_args()
    test = load_dataset(arguments.data / "300w" / "helen" / "testset")
    systems: dict[str, Predict] = {
        f"classicface {Path(model).stem}": over_sets(classicface.load(model))
        for model in arguments.models
    }
    if arguments.dlib is not None:
        systems["dlib"] = over_sets(dlib_predictor(arguments.dlib))
    curves = {}
    for name, predict in systems.items():
        curves[f"{name}, shift"] = [shifted(predict, test, amount) for amount in AMOUNTS]
        curves[f"{name}, scale"] = [scaled(predict, test, amount) for amount in AMOUNTS]
    print("| box moved by | " + " | ".join(curves) + " |")
    print("| ---: |" + " ---: |" * len(curves))
    for i, amount in enumerate(AMOUNTS):
        cells = [f"{100 * curve[i]:.2f}" for curve in curves.values()]
        print(f"| {100 * amount:.1f} % | " + " | ".join(cells) + " |")
    if arguments.output is not None:
        percent = [100 * amount for amount in AMOUNTS]
        label = "shift or change of size of the box [% of its side]"
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        save_figure(plot_nme_curve(percent, curves, xlabel=label), arguments.output, dpi=100)


if __name__ == "__main__":
    main()
