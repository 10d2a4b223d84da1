"""``classicface demo``: landmarks on a photograph, and a cascade trained on drawn faces."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classicface.cli import common

if TYPE_CHECKING:
    from classicface.data.dataset import LandmarkDataset

__all__ = ["command", "mean_shape_error"]

N_TRAIN, N_TEST = 400, 100

#: A small cascade: seconds to train, once numba has compiled.
PARAMETERS = {"n_stages": 6, "n_trees": 80, "random_state": 0}


def command(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the picture and the points.")
    ] = Path("classicface-demo"),
) -> None:
    """Show that everything works, offline, in under a minute.

    Finds the landmarks of the astronaut that comes with scikit-image with the bundled model, then
    trains a small cascade on drawn faces and measures it on others.

    Example: [bold]classicface demo -o demo[/bold]
    """
    common.make_folder(output)
    astronaut(output)
    drawn_faces()


def astronaut(folder: Path) -> None:
    """Find the landmarks of a photograph with the bundled model; write picture and points."""
    from skimage.data import astronaut as photograph

    from classicface.data.pts import write_pts
    from classicface.exceptions import ClassicFaceError
    from classicface.image.io import write_image
    from classicface.landmarker import Landmarker
    from classicface.plotting import draw_landmarks
    from classicface.registry import DEFAULT_MODEL

    picture = photograph()
    landmarker = Landmarker()
    found, detector = landmarker.detect(picture).select(slice(1)), landmarker.detector.name
    if len(found) == 0:
        raise ClassicFaceError(f"the {detector} detector found no face in the astronaut")
    drawing, points = folder / "astronaut.png", folder / "astronaut.pts"
    drawn = draw_landmarks(picture, found.landmarks, found.scheme, boxes=found.boxes, scale=2)
    write_image(drawing, drawn)
    write_pts(points, found.landmarks[0])
    print(f"The astronaut: {found.scheme.n_landmarks} landmarks by the model {DEFAULT_MODEL}.")
    print(
        f"Face found by the {detector} detector; the points fit with a probability of"
        f" {found.fits[0]:.2f}. Wrote {drawing} and {points}.\n"
    )


def drawn_faces() -> None:
    """Train a small cascade on drawn faces; print its error before and after, and its speed."""
    from classicface.cascade.ert import ERTFitter
    from classicface.cli.progress import ProgressBar
    from classicface.data.synthetic import synthetic_faces
    from classicface.evaluation.evaluate import evaluate

    with ProgressBar() as bar:
        bar(0.0, "drawing faces")
        train = synthetic_faces(N_TRAIN, random_state=0)
        test = synthetic_faces(N_TEST, random_state=1)
    fitter = ERTFitter.from_preset("fast", **PARAMETERS)
    start = time.monotonic()
    with ProgressBar() as bar:
        bar(0.0, "training (the first time, compiling)")
        fitter.fit(train, progress=bar)
    seconds = time.monotonic() - start
    result = evaluate(fitter, test)
    table = common.new_table("a small cascade on drawn faces", "value")
    table.add_row("faces to train on / to test on", f"{N_TRAIN} / {N_TEST}")
    table.add_row("training time", common.duration_text(seconds))
    before = f"{mean_shape_error(train, test):.2f} %"
    table.add_row("NME before: the mean shape in the box (inter-ocular)", before)
    table.add_row("NME after (inter-ocular)", f"{result['nme_interocular_mean']:.2f} %")
    table.add_row("one face, one thread", f"{result['us_per_face']:.0f} µs")
    table.add_row("model file", common.size_text(result["model_bytes"]))
    common.print_table(table)


def mean_shape_error(train: LandmarkDataset, test: LandmarkDataset) -> float:
    """Return the inter-ocular NME, in percent, of the training faces' mean shape in each box."""
    from classicface.metrics import nme
    from classicface.shape.boxes import box_centers_sides

    centers, sides = box_centers_sides(train.boxes)
    mean = ((train.landmarks - centers[:, None]) / sides[:, None, None]).mean(axis=0)
    centers, sides = box_centers_sides(test.boxes)
    start = (mean * sides[:, None, None] + centers[:, None]).astype("float32")
    return 100 * float(nme(start, test.landmarks, test.scheme, "interocular").mean())
