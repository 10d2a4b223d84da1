"""``classicface convert``: annotated faces from one format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from classicface.cli import common

__all__ = ["command"]


def command(
    source: Annotated[
        Path,
        typer.Argument(metavar="IN", help="A folder, dlib XML, CSV or .npz file."),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="A .xml, .csv or .npz file; any other name is a folder of .pts."
        ),
    ],
    boxes: Annotated[
        str,
        typer.Option(
            help="Boxes to write: [bold]auto[/bold] (boxes.csv where there is one),"
            " [bold]landmarks[/bold], or a CSV file."
        ),
    ] = "auto",
) -> None:
    """Convert annotated faces: .pts folder, dlib XML, CSV, .npz.

    Tables refer to the pictures where they are; an .npz holds them, cut around the faces; a folder
    gets copies of them.

    Example: [bold]classicface convert faces/train faces.xml[/bold]
    """
    from classicface.data.convert import convert

    n_faces = convert(source, target, boxes=boxes)
    common.say(f"wrote {common.count(n_faces, 'face')} to {target}")
