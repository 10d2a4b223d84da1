"""``classicface align``: every face of pictures, turned upright and brought to one size."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from classicface.cli import common
from classicface.cli.predict import find_pictures
from classicface.exceptions import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classicface.landmarker import Landmarker

__all__ = ["Template", "command"]


class Template(str, Enum):
    """What the chips look like."""

    arcface = "arcface"
    dlib = "dlib"
    eyes = "eyes"
    all = "all"
    frontal = "frontal"


#: Template of the command -> of the library.
_NAMES = {"arcface": "arcface112", "dlib": "dlib150", "frontal": "all"}


@dataclass(frozen=True, eq=False)
class _Chips:
    """How faces are found and cut out.

    Parameters
    ----------
    landmarker : Landmarker
    template : Template
    size : int, optional
    margin : float
    folder : Path
        Where the chips go.
    """

    landmarker: Landmarker
    template: Template
    size: int | None
    margin: float
    folder: Path

    @property
    def measure(self) -> str:
        """The name of what is measured of each chip."""
        return "shown" if self.template is Template.frontal else "residual"

    def write(self, path: Path, stem: str, taken: Collection[str]) -> dict[str, Any]:
        """Write the chips of a picture, NAME.png, then NAME-face2.png, ..., best first.

        Returns
        -------
        dict
            The picture's entry for the JSON document.

        Raises
        ------
        DataFormatError
            The picture cannot be read, or a chip not written.
        """
        from classicface.image.io import read_image, write_image

        picture = read_image(path, mode="rgb")
        found = self.landmarker.detect(picture)
        faces, faults = [], []
        for i in range(len(found)):
            name = _free_name(stem, i, taken)
            try:
                pixels, transform, measured = self._cut(picture, found.landmarks[i])
            except InvalidInputError as error:
                faults.append(f"face {i + 1}: {error}")
                continue
            write_image(self.folder / f"{name}.png", pixels)
            faces.append(
                {
                    "chip": f"{name}.png",
                    "face": i + 1,
                    "score": round(float(found.scores[i]), 3),
                    "fit": None if np.isnan(found.fits[i]) else round(float(found.fits[i]), 3),
                    "box": _rounded(found.boxes[i], 3),
                    "transform": _rounded(transform, 9),
                    self.measure: round(measured, 3),
                    "landmarks": _rounded(found.landmarks[i], 3),
                }
            )
        height, width = picture.shape[:2]
        entry = {"picture": str(path), "width": width, "height": height, "faces": faces}
        return {**entry, "faults": faults} if faults else entry

    def _cut(
        self, picture: NDArray[np.uint8], points: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64], float]:
        """Return a face's chip, its transform, and its `measure`."""
        from classicface.apps.align import align_face, frontalize

        scheme, template = self.landmarker.scheme, _NAMES.get(self.template, self.template.value)
        if self.template is Template.frontal:
            face = frontalize(picture, points, scheme, template, size=self.size, margin=self.margin)
            return face.pixels, face.transform, face.shown
        chip = align_face(picture, points, scheme, template, size=self.size, margin=self.margin)
        return chip.pixels, chip.transform, chip.residual


def command(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the chips.")],
    template: Annotated[
        Template,
        typer.Option(
            help="arcface: insightface's five places, 112 px. dlib: as its get_face_chip, 150 px."
            " eyes: the eyes on two places. all: all points near a mean face. frontal: bent onto"
            " the mean face."
        ),
    ] = Template.arcface,
    size: Annotated[
        int | None, typer.Option(help="The side of a chip in pixels; by default the template's.")
    ] = None,
    margin: Annotated[
        float, typer.Option(help="What is shown beyond the template on each side, in its sides.")
    ] = 0.0,
    model: Annotated[
        str, typer.Option(help="A model file, or the name of a bundled model.")
    ] = "best68",
    detector: Annotated[
        str | None,
        typer.Option(help="Face detector: hog, haar or lbp; by default the best installed."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--csv", help="Write where each chip comes from, one a row; - is stdout."),
    ] = None,
    document: Annotated[
        Path | None,
        typer.Option("--json", help="The same with the landmarks, as JSON; - is stdout."),
    ] = None,
) -> int:
    """Cut every face out of pictures, turned upright and brought to one size.

    A chip is NAME.png; further faces of a picture are NAME-face2.png and so on, best first. A
    picture that cannot be used is named on stderr and the others go on: the exit status is then 1,
    or 2 where none could be used. A picture without a face is said, and is no error.

    Example: [bold]classicface align holiday/ -o chips --csv chips.csv[/bold]
    """
    from classicface.apps.align import check_alignment
    from classicface.cli import faces
    from classicface.landmarker import Landmarker

    paths = find_pictures(pictures)
    for path in (table, document):
        if path is not None and str(path) != "-":
            common.check_writable(path)
    stems = faces.unique_stems(paths)
    taken = set(stems.values())
    landmarker = Landmarker(model, detector)
    check_alignment(landmarker.scheme, _NAMES.get(template, template.value), size, margin)
    chips = _Chips(landmarker, template, size, margin, common.make_folder(output))

    def work(path: Path) -> dict[str, Any]:
        return chips.write(path, stems[path], taken)

    entries: list[dict[str, Any]] = []
    for _, result in common.each_picture(work, paths, Path, "aligning faces"):
        if result is None:
            continue
        faults = result.pop("faults", [])
        for fault in faults:
            common.say(f"{result['picture']}: {fault}")
        if not result["faces"] and not faults:
            common.say(f"{result['picture']}: no face found")
        entries.append(result)
    if not entries:
        return 2
    if table is not None:
        common.write_output(_table_text(entries, chips.measure), table)
    if document is not None:
        about = {"model": model, "scheme": landmarker.scheme.name, "template": template.value}
        common.write_output(_json_text(about, entries), document)
    return 0 if len(entries) == len(paths) else 1


def _free_name(stem: str, face: int, taken: Collection[str]) -> str:
    """Return the name of a chip that no other picture's chip has."""
    name = stem if face == 0 else f"{stem}-face{face + 1}"
    while face and name in taken:
        name += "_"
    return name


def _rounded(values: NDArray[np.floating], digits: int) -> Any:
    return values.astype(float).round(digits).tolist()


def _table_text(entries: Sequence[dict[str, Any]], measure: str) -> str:
    """Return the CSV table: one face a row."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    numbers = ("score", "fit", "x0", "y0", "x1", "y1", "a", "b", "tx", "ty", measure)
    writer.writerow(["chip", "picture", "face", *numbers])
    for entry in entries:
        for face in entry["faces"]:
            row = [face["score"], face["fit"], *face["box"], *face["transform"], face[measure]]
            writer.writerow([face["chip"], entry["picture"], face["face"], *row])
    return stream.getvalue()


def _json_text(about: dict[str, Any], entries: Sequence[dict[str, Any]]) -> str:
    """Return the JSON document: one picture a line."""
    head = "".join(f"  {json.dumps(key)}: {json.dumps(value)},\n" for key, value in about.items())
    lines = ",\n".join("    " + json.dumps(entry) for entry in entries)
    return "{\n" + head + '  "pictures": [\n' + lines + "\n  ]\n}\n"
