"""``classicface predict``: from photographs to landmarks, as text and drawn."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classicface.cli import common
from classicface.exceptions import DataFormatError, InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from classicface.cli.faces import PictureFaces

    FindBoxes = Callable[[Path], NDArray[np.float32] | None]

__all__ = ["OutputFormat", "command"]


class OutputFormat(str, Enum):
    """How landmarks are written."""

    json = "json"
    csv = "csv"
    pts = "pts"


def command(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    model: Annotated[
        str, typer.Option(help="A model file, or the name of a bundled model.")
    ] = "ert68",
    detector: Annotated[
        str | None,
        typer.Option(help="Face detector: hog, haar or lbp; by default the best installed."),
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(help="Take the faces from a boxes.csv instead of looking for them."),
    ] = None,
    form: Annotated[
        OutputFormat, typer.Option("--format", help="pts: one file a face, in a folder.")
    ] = OutputFormat.json,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File (folder for pts) to write; else stdout."),
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(help="Folder for the pictures with their landmarks drawn.")
    ] = None,
) -> int:
    """Find the landmarks of every face in pictures.

    A picture that cannot be used is named on stderr and the others go on: the exit status is then
    1, or 2 where none could be used. A picture without a face is no error.

    Example: [bold]classicface predict photo.jpg holiday/ -o points.json --draw drawn[/bold]
    """
    from classicface.cli import faces
    from classicface.landmarker import Landmarker

    if form is OutputFormat.pts and output is None:
        raise InvalidInputError("--format pts writes one file a face: name their folder with -o")
    if detector is not None and boxes is not None:
        raise InvalidInputError("--boxes and --detector exclude each other")
    paths = find_pictures(pictures)
    if output is not None and form is not OutputFormat.pts:
        common.check_writable(output)
    stems = faces.unique_stems(paths)
    landmarker = Landmarker(model, detector)
    boxes_of = _box_table(boxes) if boxes is not None else lambda path: None
    how = boxes.name if boxes is not None else landmarker.detector.name
    if draw is not None:
        common.make_folder(draw)

    def work(path: Path) -> PictureFaces:
        found = faces.predict_picture(path, landmarker, boxes_of(path))
        if draw is not None:
            faces.draw_picture(found, draw / f"{stems[path]}.jpg")
        return found

    results: list[PictureFaces] = []
    for _, result in common.each_picture(work, paths, Path, "finding landmarks"):
        if result is None:
            continue
        if len(result.faces) == 0:
            common.say(f"{result.path}: no face found")
        results.append(result)
    if not results:
        return 2
    if form is OutputFormat.json:
        about = {"model": model, "scheme": landmarker.scheme.name, "faces_from": how}
        common.write_output(faces.json_text(about, results), output)
    elif form is OutputFormat.csv:
        faces.write_table(results, output)
    else:
        assert output is not None
        faces.write_points(results, stems, common.make_folder(output))
    return 0 if len(results) == len(paths) else 1


def find_pictures(inputs: list[Path]) -> list[Path]:
    """Return the pictures that are named, and those in the folders that are.

    Raises
    ------
    DataFormatError
        Something does not exist, or a folder holds no picture.
    """
    from classicface.image.io import list_images

    found: list[Path] = []
    for path in inputs:
        if path.is_dir():
            inside = list_images(path)
            if not inside:
                raise DataFormatError("no picture in this folder", path)
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise DataFormatError("no such picture or folder", path)
    return list(dict.fromkeys(found))


def _box_table(path: Path) -> FindBoxes:
    """Return a function from a picture's path to the landmark boxes that a boxes.csv gives it."""
    from classicface.data.boxes_csv import read_boxes
    from classicface.shape.box_maps import BOX_MAPS

    table = read_boxes(path)

    def from_table(picture: Path) -> NDArray[np.float32]:
        if picture.name not in table:
            raise DataFormatError(f"{path} has no box for this picture", picture)
        found = table[picture.name]
        return BOX_MAPS[found.source].apply(found.box)

    return from_table
