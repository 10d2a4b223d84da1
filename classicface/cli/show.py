"""``classicface show``: the pictures of a shape model, or of a network's training."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from classicface.cli import common

if TYPE_CHECKING:
    from classicface.cli.shapes import ShapeModelFile

__all__ = ["ShowFormat", "command"]


class ShowFormat(str, Enum):
    """What is drawn."""

    png = "png"
    gif = "gif"
    html = "html"


def command(
    model: Annotated[
        str,
        typer.Argument(
            help="A shape model, any model that holds one, or a network: file or bundled."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the pictures.")] = Path(
        "classicface-pictures"
    ),
    modes: Annotated[int, typer.Option(min=1, max=20, help="How many modes to draw.")] = 5,
    form: Annotated[
        ShowFormat,
        typer.Option(
            "--format",
            help="png: the mean, the modes, the variance. gif: the modes in motion. html: a page"
            " with a slider for each mode, which needs no network.",
        ),
    ] = ShowFormat.png,
) -> None:
    """Draw a shape model: its mean, and its modes up to 3 standard deviations.

    Of a network, the learning curves are drawn.

    Example: [bold]classicface show shape.safetensors -o pictures --modes 8 --format html[/bold]
    """
    from classicface.cli import networks
    from classicface.cli.shapes import load_shape_model
    from classicface.plotting import save_figure, shapes

    network = networks.load_network(model)
    if network is not None:
        networks.show(network, common.make_folder(output))
        return
    found = load_shape_model(model)
    folder = common.make_folder(output)
    written: list[Path] = []
    if form is ShowFormat.png:
        figures = {"mean": shapes.plot_mean_shape(found.model, found.scheme)}
        if found.model.n_components:
            figures["modes"] = shapes.plot_modes(found.model, found.scheme, n_modes=modes)
            figures["variance"] = shapes.plot_variance(found.model)
        for name, figure in figures.items():
            written.append(folder / f"{name}.png")
            save_figure(figure, written[-1], dpi=110)
    elif form is ShowFormat.gif:
        written.append(folder / "modes.gif")
        shapes.save_modes_gif(found.model, written[-1], found.scheme, n_modes=modes)
    else:
        written.append(folder / "modes.html")
        shapes.save_modes_html(found.model, written[-1], found.scheme, n_modes=modes)
    describe(found, modes)
    common.say(f"wrote {', '.join(map(str, written))}")


def describe(found: ShapeModelFile, modes: int) -> None:
    """Print what the model is made of, and a line for each of the first modes."""
    model = found.model
    print(
        f"Shape model of {model.n_landmarks} points ({found.scheme.name}) from"
        f" {common.count(model.n_samples, 'shape')}:"
        f" {common.count(model.n_components, 'component')}.\n"
        f"Standard deviation left out, of a point: {100 * left_out(found):.2f} % of the shape's"
        " larger side."
    )
    if model.n_components == 0:
        return
    table = common.new_table("mode", "variance", "together")
    together = np.cumsum(model.explained)
    for i in range(min(modes, model.n_components)):
        table.add_row(str(i + 1), f"{100 * model.explained[i]:.1f} %", f"{100 * together[i]:.1f} %")
    common.print_table(table)


def left_out(found: ShapeModelFile) -> float:
    """Return the standard deviation of a point that no component holds, over the larger side."""
    model = found.model
    rest = max(0.0, model.total_variance - float(model.variances.sum()))
    side = float(np.ptp(model.mean, axis=0).max())
    return float(np.sqrt(rest / model.n_landmarks)) / side
