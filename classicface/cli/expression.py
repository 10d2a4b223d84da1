"""``classicface expression``: pose and expression of faces as numbers; labels of one's own."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from classicface.cli import common
from classicface.cli.predict import find_pictures
from classicface.cli.sorted_pictures import SortedPicture, people_of, sorted_pictures
from classicface.exceptions import DataFormatError, InvalidInputError, ModelFormatError

if TYPE_CHECKING:
    from classicface.apps.expression import ExpressionClassifier
    from classicface.landmarker import Faces, Landmarker

__all__ = ["app"]

app = typer.Typer(help="Head pose and expression: measure them, train labels of your own.")

LandmarkModel = Annotated[
    str, typer.Option(help="Landmarks: a model file, or the name of a bundled model.")
]
DetectorName = Annotated[
    str | None, typer.Option(help="Face detector: hog, haar or lbp; by default the best installed.")
]

POSE = ("yaw", "pitch", "roll")


@app.callback()
def _group() -> None:
    """Head pose and expression: measure them, train labels of your own."""


def measure(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    model: Annotated[
        Path | None, typer.Option(help="A model of [bold]expression train[/bold]: adds labels.")
    ] = None,
    neutral: Annotated[
        Path | None,
        typer.Option(help="A picture of the same person at rest: gives differences from it."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with full precision.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV file to write; else stdout.")
    ] = None,
    landmarks: LandmarkModel = "ert68",
    detector: DetectorName = None,
) -> int:
    """Measure head pose and expression of every face in pictures.

    Angles are in degrees: positive yaw looks to the right of the picture, positive pitch up. The
    measures are shares of the distance between the outer corners of the eyes. They say what a face
    does, not what a person feels.

    Example: [bold]classicface expression measure photo.jpg --csv -o faces.csv[/bold]
    """
    from classicface.apps.expression import MEASURES, ExpressionClassifier
    from classicface.landmarker import Landmarker

    paths = find_pictures(pictures)
    if output is not None:
        common.check_writable(output)
    classifier = None if model is None else ExpressionClassifier.load(model)
    landmarker = Landmarker(landmarks, detector)
    rest = None if neutral is None else _neutral_points(neutral, landmarker)

    def work(path: Path) -> list[dict[str, Any]]:
        return _rows(path, landmarker, classifier, rest)

    rows: list[dict[str, Any]] = []
    failed = 0
    for path, result in common.each_picture(work, paths, Path, "measuring expressions"):
        if result is None:
            failed += 1
            continue
        if not result:
            common.say(f"{path}: no face found")
        rows += result
    if failed == len(paths):
        return 2
    columns = ["picture", "face", *POSE, "pose_error", *MEASURES]
    if classifier is not None:
        columns += ["label", *(f"p({name})" for name in classifier.labels_)]
    if as_csv or output is not None:
        _write_csv(columns, rows, output)
    else:
        _print_rows(columns, rows)
    return 1 if failed else 0


def _find(path: Path, landmarker: Landmarker) -> Faces:
    from classicface.image.io import read_image

    return landmarker.detect(read_image(path, "rgb"))


def _neutral_points(path: Path, landmarker: Landmarker) -> Any:
    faces = _find(path, landmarker)
    if len(faces) == 0:
        raise DataFormatError("no face found, so it cannot be the neutral one", path)
    return faces.landmarks[0]


def _rows(
    path: Path, landmarker: Landmarker, classifier: ExpressionClassifier | None, rest: Any
) -> list[dict[str, Any]]:
    """Return a row of the table for each face of a picture."""
    from classicface.apps.expression import MEASURES, measure_expression
    from classicface.apps.pose import head_pose

    faces = _find(path, landmarker)
    rows = []
    for number, points in enumerate(faces.landmarks):
        row: dict[str, Any] = {"picture": str(path), "face": number}
        try:
            pose = head_pose(points, faces.scheme)
            expression = measure_expression(points, faces.scheme, rest, pose=pose)
        except InvalidInputError as error:
            common.say(f"{path}: face {number}: {error}")
            continue
        row |= {name: getattr(pose, name) for name in POSE}
        row["pose_error"] = pose.error
        row |= {name: getattr(expression, name) for name in MEASURES}
        if classifier is not None:
            proba = classifier.predict_proba(points, faces.scheme)
            row["label"] = classifier.labels_[int(proba.argmax())]
            pairs = zip(classifier.labels_, proba.tolist(), strict=True)
            row |= {f"p({name})": value for name, value in pairs}
        rows.append(row)
    return rows


def _write_csv(columns: list[str], rows: list[dict[str, Any]], output: Path | None) -> None:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    common.write_output(stream.getvalue(), output)


def _print_rows(columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Print the faces one beside the other: there are more measures than fit into a line."""
    for row in rows:
        table = common.new_table(f"{row['picture']}, face {row['face']}", "")
        for name in columns[2:]:
            value = row[name]
            digits = 1 if name in POSE else 3
            table.add_row(name, f"{value:.{digits}f}" if isinstance(value, float) else str(value))
        common.print_table(table)


def train(
    folder: Annotated[
        Path,
        typer.Argument(help="One sub-folder a label; in it pictures, or a folder for each person."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write.")],
    landmarks: LandmarkModel = "ert68",
    detector: DetectorName = None,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Parts of the cross-validation.")] = 5,
    regularisation: Annotated[
        float, typer.Option("--c", help="How far the data may pull the coefficients from zero.")
    ] = 0.05,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same folds.")] = 0,
) -> int:
    """Train a classifier of expressions on pictures that you have sorted into folders.

    FOLDER/smile/anna/1.jpg: the label is smile, the person anna, and nobody is tested by a
    classifier that has seen them. FOLDER/smile/1.jpg: who is who is then not known, and the card
    says so. Of several faces in a picture the best is taken.

    Example: [bold]classicface expression train sorted/ -o expression.safetensors[/bold]
    """
    import numpy as np

    from classicface.apps.expression import card_text, cross_validate_expression
    from classicface.apps.expression.classifier import (
        ExpressionClassifier,
        check_labels,
        expression_features,
    )
    from classicface.apps.pose.head import inner_points
    from classicface.landmarker import Landmarker

    common.check_writable(output)
    entries = sorted_pictures(folder)
    check_labels([entry.label for entry in entries], len(entries))
    landmarker = Landmarker(landmarks, detector)

    def work(entry: SortedPicture) -> Any:
        faces = _find(entry.path, landmarker)
        if len(faces) == 0:
            raise DataFormatError("no face found", entry.path)
        return expression_features(faces.landmarks[0], faces.scheme)

    kept, features, missed = [], [], []
    _, points = inner_points(np.zeros((landmarker.scheme.n_landmarks, 2), np.float32),
                             landmarker.scheme, "expression")  # fmt: skip
    found = common.each_picture(work, entries, lambda entry: entry.path, "finding faces")
    for entry, result in found:
        if result is None:
            missed.append(entry)
        else:
            kept.append(entry)
            features.append(result)
    labels = [entry.label for entry in kept]
    check_labels(labels, len(kept))
    people = people_of(kept)
    array = np.stack(features)
    card = cross_validate_expression(
        array, labels, people, points, C=regularisation, folds=folds, random_state=seed
    )
    card |= {"without_face": len(missed), "landmarks": landmarks, "seed": seed}
    card |= {"detector": landmarker.detector.name}
    model = ExpressionClassifier(regularisation).fit_features(array, labels, points)
    model.card_ = card
    model.save(output)
    if missed:
        print(f"left out {common.count(len(missed), 'picture')} without a usable face")
    print(card_text(card))
    print(f"\nwrote {output}: trained on all {len(kept)} pictures")
    return 0


def card(
    model: Annotated[Path, typer.Argument(help="A model of [bold]expression train[/bold].")],
) -> None:
    """Show what a model of expressions was tested on, what came out, and its limits.

    Example: [bold]classicface expression card expression.safetensors[/bold]
    """
    from classicface.apps.expression import ExpressionClassifier, card_text

    loaded = ExpressionClassifier.load(model)
    if not loaded.card_:
        raise ModelFormatError(f"{model}: has no card; only expression train writes one")
    try:
        print(card_text(loaded.card_))
    except (KeyError, TypeError, ValueError, IndexError):
        raise ModelFormatError(f"{model}: its card is damaged") from None


for _command in (train, measure, card):
    app.command(_command.__name__, help=common.help_text(_command))(_command)
