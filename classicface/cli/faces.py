"""The faces of one picture: predicting them, drawing them, writing them as JSON, CSV or .pts."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.cli import common
from classicface.image.io import read_image
from classicface.landmarker import Faces, Landmarker

__all__ = [
    "PictureFaces",
    "draw_picture",
    "json_text",
    "predict_picture",
    "unique_stems",
    "write_points",
    "write_table",
]


@dataclass(frozen=True, eq=False)
class PictureFaces:
    """What was found in one picture.

    Parameters
    ----------
    path : Path
    size : tuple of int
        Width and height of the picture.
    faces : Faces
    """

    path: Path
    size: tuple[int, int]
    faces: Faces


def predict_picture(
    path: Path, landmarker: Landmarker, boxes: NDArray[np.float32] | None = None
) -> PictureFaces:
    """Read a picture, find its faces (unless their boxes are given) and their landmarks."""
    picture = read_image(path)
    size = (picture.shape[1], picture.shape[0])
    return PictureFaces(path, size, landmarker.detect(picture, boxes))


def draw_picture(found: PictureFaces, path: Path) -> None:
    """Draw boxes and landmarks into the picture, in colour, and write it."""
    from classicface.image.io import write_image
    from classicface.plotting import draw_landmarks

    picture, faces = read_image(found.path, mode="rgb"), found.faces
    write_image(path, draw_landmarks(picture, faces.landmarks, faces.scheme, boxes=faces.boxes))


def unique_stems(paths: Sequence[Path]) -> dict[Path, str]:
    """Return a file stem for each picture; equal ones get a number behind them."""
    stems: dict[Path, str] = {}
    taken: set[str] = set()
    for path in paths:
        stem, number = path.stem, 1
        while stem in taken:
            number += 1
            stem = f"{path.stem}-{number}"
        taken.add(stem)
        stems[path] = stem
    return stems


def json_text(about: dict[str, Any], results: Sequence[PictureFaces]) -> str:
    """Return the document of ``--format json``: one picture a line, coordinates to 0.001 px."""
    lines = []
    for found in results:
        faces = [
            {
                "box": _rounded(found.faces.boxes[i]),
                "score": _rounded(found.faces.scores[i]),
                "fit": _rounded(found.faces.fits[i]),
                "landmarks": _rounded(found.faces.landmarks[i]),
            }
            for i in range(len(found.faces))
        ]
        width, height = found.size
        row = {"picture": str(found.path), "width": width, "height": height, "faces": faces}
        lines.append("    " + json.dumps(row))
    head = "".join(f"  {json.dumps(key)}: {json.dumps(value)},\n" for key, value in about.items())
    return "{\n" + head + '  "pictures": [\n' + ",\n".join(lines) + "\n  ]\n}\n"


def _rounded(values: NDArray[np.floating] | np.floating) -> Any:
    """Return numbers to 0.001 as JSON holds them; None for a single one that is not known."""
    rounded = np.round(np.asarray(values, np.float64), 3).tolist()
    return None if rounded != rounded else rounded


def write_table(results: Sequence[PictureFaces], output: Path | None) -> None:
    """Write a CSV table, one face a row, that `classicface.load_dataset` reads back.

    In a file the pictures' names are relative to its folder; on stdout they are as given.
    """
    from classicface.data.csv_table import write_csv

    names = [str(found.path) for found in results for _ in range(len(found.faces))]
    landmarks = np.concatenate([found.faces.landmarks for found in results])
    boxes = np.concatenate([found.faces.boxes for found in results])
    if output is not None and str(output) != "-":
        folder = output.parent.resolve()
        write_csv(output, [_relative(name, folder) for name in names], landmarks, boxes)
        return
    with tempfile.TemporaryDirectory() as folder_name:
        path = Path(folder_name) / "table.csv"
        write_csv(path, names, landmarks, boxes)
        common.write_output(path.read_text(encoding="utf-8"), None)


def _relative(name: str, folder: Path) -> str:
    path = Path(name)
    path = path.parent.resolve() / path.name
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive on Windows
        return str(path)


def write_points(results: Sequence[PictureFaces], stems: dict[Path, str], folder: Path) -> None:
    """Write a .pts file for each face: NAME.pts, then NAME-face2.pts, ... best first."""
    from classicface.data.pts import write_pts

    for found in results:
        for i, points in enumerate(found.faces.landmarks):
            number = "" if i == 0 else f"-face{i + 1}"
            write_pts(folder / f"{stems[found.path]}{number}.pts", points)
