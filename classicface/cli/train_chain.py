"""``classicface train chain``: one predictor that starts from what another found."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from classicface.cli.train import (
    Boxes,
    Data,
    Jobs,
    Mirror,
    Output,
    Scheme,
    Seed,
    Settings,
    SkipFaulty,
    Terms,
    Wanted,
    run,
)

if TYPE_CHECKING:
    pass

__all__ = ["command"]


class Second(str, Enum):
    """The techniques that can start from points."""

    aam = "aam"
    asm = "asm"
    ert = "ert"


def command(
    data: Data,
    output: Output,
    first: Annotated[
        str,
        typer.Option(
            help="aam, asm, cnn, ert or heatmap: trained here. A model file, or the name of a"
            " bundled model: taken as it is."
        ),
    ] = "aam",
    second: Annotated[Second, typer.Option(help="What starts from the first one's points.")] = (
        Second.asm
    ),
    settings: Settings = None,
    boxes: Boxes = "auto",
    scheme: Scheme = None,
    mirror: Mirror = False,
    skip_faulty: SkipFaulty = False,
    seed: Seed = 0,
    jobs: Jobs = None,
    terms: Terms = None,
) -> None:
    """Train a predictor that starts from the points that another one finds.

    Parameters of the two are set as first__NAME and second__NAME.

    Example: [bold]classicface train chain faces/train -o mine.safetensors --first heatmap68
    --second ert --set second__n_trees=200 --set folds=0[/bold]
    """
    from classicface.chain import ChainFitter
    from classicface.evaluation.methods import unfitted
    from classicface.registry import TECHNIQUES, load

    parts: dict[str, Any] = {"second": unfitted(second.value, "default", seed)}
    name = first
    if first in TECHNIQUES and first != "chain":
        parts["first"] = unfitted(first, "default", seed)
    else:
        parts |= {"first": load(first), "refit_first": False}
        name = Path(first).name
    wanted = Wanted(
        data, output, "default", settings, boxes, scheme, mirror, skip_faulty, jobs, terms
    )
    options = [f"--first {name}", f"--second {second.value}"]
    run(ChainFitter, "chain", wanted, seed, parts=parts, options=options)
