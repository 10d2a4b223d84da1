"""``classicface export``: a model in the format of another program, or one of dlib's in ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from classicface.cli import common
from classicface.exceptions import InvalidInputError
from classicface.predictor import LandmarkPredictor

__all__ = ["command"]


def command(
    model: Annotated[
        str, typer.Argument(help="A model file, also of dlib (.dat), or the name of a bundled one.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The file to write: .onnx, .dat or .safetensors."
        ),
    ],
    directions: Annotated[
        int | None,
        typer.Option(
            help="Compress the trees of a .dat file: leaves become steps of a byte in so many"
            " directions, for example 32.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a model in another format, which the ending of the output tells.

    [bold].onnx[/bold]: a network, which takes face crops and gives landmarks; the description in
    the file says how to make a crop. Needs the package onnx.

    [bold].dat[/bold]: a tree cascade for dlib's shape_predictor.

    [bold].safetensors[/bold]: this library's own format, for example of a .dat file.

    Example: [bold]classicface export heatmap68 -o heatmap68.onnx[/bold]
    """
    ending = output.suffix.lower()
    if ending not in _WRITERS:
        raise InvalidInputError(
            f"{output}: no format has the ending {ending!r}; there are {', '.join(_WRITERS)}"
        )
    _WRITERS[ending](model, _load(model, directions), output)
    common.say(f"wrote {common.size_text(output.stat().st_size)} to {output}")


def exportable() -> list[str]:
    """Return the names of the predictor classes that ONNX can hold."""
    from classicface.registry import CLASSES, predictor_class

    return [name for name in CLASSES if hasattr(predictor_class(name), "to_onnx")]


def _load(model: str, directions: int | None) -> LandmarkPredictor:
    from classicface.registry import load, model_path

    if directions is None:
        return load(model)
    path = model_path(model)
    if path.suffix.lower() != ".dat":
        raise InvalidInputError(f"{model}: --directions compresses .dat files of dlib only")
    from classicface.peers.dlib_dat import read_dlib

    return read_dlib(path, n_directions=directions)


def _write_onnx(model: str, predictor: LandmarkPredictor, output: Path) -> None:
    write = getattr(predictor, "to_onnx", None)
    if write is None:
        raise InvalidInputError(
            f"{model}: holds a model of class {type(predictor).__name__}, which ONNX cannot hold;"
            f" it can hold {' and '.join(exportable()) or 'no class of this version'}"
        )
    write(output)


def _write_dat(model: str, predictor: LandmarkPredictor, output: Path) -> None:
    from classicface.peers.dlib_dat import write_dlib

    try:
        write_dlib(predictor, output)
    except InvalidInputError as error:
        raise InvalidInputError(f"{model}: {error}") from None


def _write_own(model: str, predictor: LandmarkPredictor, output: Path) -> None:
    predictor.save(output)


_WRITERS = {".onnx": _write_onnx, ".dat": _write_dat, ".safetensors": _write_own}
