"""``classicface export``: a network as an ONNX model, for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from classicface.cli import common
from classicface.exceptions import InvalidInputError

__all__ = ["command"]


def command(
    model: Annotated[str, typer.Argument(help="A model file, or the name of a bundled model.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.onnx", help="The file to write.")
    ],
) -> None:
    """Write a network as an ONNX model, which takes face crops and gives landmarks.

    The description inside the file says how to make a crop. Needs the package onnx.

    Example: [bold]classicface export heatmap68 -o heatmap68.onnx[/bold]
    """
    from classicface.registry import load

    predictor = load(model)
    write = getattr(predictor, "to_onnx", None)
    if write is None:
        raise InvalidInputError(
            f"{model}: holds a model of class {type(predictor).__name__}, which ONNX cannot hold;"
            f" it can hold {' and '.join(exportable()) or 'no class of this version'}"
        )
    write(output)
    common.say(f"wrote {common.size_text(output.stat().st_size)} to {output}")


def exportable() -> list[str]:
    """Return the names of the predictor classes that ONNX can hold."""
    from classicface.registry import CLASSES, predictor_class

    return [name for name in CLASSES if hasattr(predictor_class(name), "to_onnx")]
