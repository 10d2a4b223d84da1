"""``classicface train shape``: from landmarks to a shape model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from classicface.cli import common
from classicface.cli.train import (
    Data,
    Mirror,
    Output,
    Scheme,
    SkipFaulty,
    Terms,
    can_mirror,
    provenance,
)
from classicface.exceptions import InvalidInputError

__all__ = ["command"]


def command(
    data: Data,
    output: Output,
    components: Annotated[
        str,
        typer.Option(help="How many: a count, a share of the variance such as 0.98, or all."),
    ] = "0.98",
    update: Annotated[
        Path | None,
        typer.Option(help="Add the shapes to those of this shape model, which are not needed."),
    ] = None,
    scheme: Scheme = None,
    mirror: Mirror = True,
    skip_faulty: SkipFaulty = False,
    terms: Terms = None,
) -> None:
    """Learn a shape model: how landmarks vary together (Cootes et al., 1995).

    The pictures are not read. [bold]classicface show[/bold] draws the model.

    Example: [bold]classicface train shape faces/train -o shape.safetensors --components 30[/bold]
    """
    import numpy as np

    from classicface.cli.shapes import load_shape_model, parse_components, read_shapes
    from classicface.shape.pdm import PointDistributionModel

    start = time.monotonic()
    n_components = parse_components(components)
    common.check_writable(output)
    old = None if update is None else load_shape_model(update)
    shapes, chosen = read_shapes(data, scheme, skip_faulty=skip_faulty)
    if old is not None and old.scheme != chosen:
        raise InvalidInputError(
            f"{update} is of scheme {old.scheme.name}, the faces are of {chosen.name};"
            " --scheme says what they are"
        )
    if mirror and can_mirror(chosen):
        shapes = np.concatenate([shapes, chosen.mirror_points(shapes, 1.0)])
    common.say(f"{common.count(len(shapes), 'shape')} to learn from")
    options = [f"--components {components}"]
    options += [] if mirror else ["--no-mirror"]
    if old is None:
        model = PointDistributionModel.fit(shapes, n_components)
    else:
        model = old.model.update(shapes, n_components)
        options += [f"--update {Path(str(update)).name}"]
    origin = provenance("shape", data, options, None, terms)
    model.save(output, chosen, origin if old is None else {**origin, "updated": old.provenance})
    seconds = common.duration_text(time.monotonic() - start)
    held = f"{100 * model.explained.sum():.1f} % of the variance"
    common.say(
        f"trained in {seconds}: {common.count(model.n_components, 'component')} with {held};"
        f" {output} has {common.size_text(output.stat().st_size)}"
    )
