"""``classicface evaluate``: accuracy, speed and size of a model on annotated faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from classicface.cli import common

__all__ = ["command"]

#: Key of the result -> how the table says it, format, unit.
ROWS = {
    "n": ("faces", "{:d}", ""),
    "nme_interocular_mean": ("NME, mean (inter-ocular)", "{:.2f}", "%"),
    "nme_interocular_median": ("NME, median (inter-ocular)", "{:.2f}", "%"),
    "nme_interpupil_mean": ("NME, mean (inter-pupil)", "{:.2f}", "%"),
    "nme_box_mean": ("NME, mean (landmark box)", "{:.2f}", "%"),
    "nme_box_median": ("NME, median (landmark box)", "{:.2f}", "%"),
    "auc_08": ("AUC at 0.08 ({})", "{:.3f}", ""),
    "failure_10": ("failures over 0.10 ({})", "{:.1f}", "%"),
    "us_per_face": ("one face, one thread", "{:.1f}", "µs"),
    "us_per_face_all_cores": ("one face, all cores", "{:.1f}", "µs"),
    "model_bytes": ("model file", "{:d}", "bytes"),
}


def command(
    model: Annotated[str, typer.Argument(help="A model file, or the name of a bundled model.")],
    data: Annotated[
        Path, typer.Argument(help="Annotated faces: a folder, dlib XML, CSV or .npz file.")
    ],
    boxes: Annotated[
        str,
        typer.Option(
            help="Boxes to start from: [bold]auto[/bold] (boxes.csv where there is one),"
            " [bold]landmarks[/bold], or a CSV file."
        ),
    ] = "auto",
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the figures there; [bold]-[/bold] is stdout."),
    ] = None,
) -> None:
    """Measure the accuracy, speed and size of a model on annotated faces.

    Example: [bold]classicface evaluate ert68 helen/testset --json figures.json[/bold]
    """
    import json

    from classicface.cli.progress import ProgressBar
    from classicface.evaluation.evaluate import evaluate
    from classicface.registry import load

    if json_file is not None and str(json_file) != "-":
        common.check_writable(json_file)
    predictor = load(model)
    dataset = common.load_faces([data], boxes)
    with ProgressBar() as bar:
        result = evaluate(predictor, dataset, progress=bar)
    if json_file is not None:
        common.write_output(json.dumps(result, indent=2) + "\n", json_file)
    if str(json_file) != "-":
        print_result(result, f"{model} on {data.name or data}")


def print_result(result: dict[str, Any], title: str) -> None:
    """Print what `classicface.evaluate` found as a table that names each normaliser."""
    leading = "landmark box" if "nme_box_mean" in result else "inter-ocular"
    table = common.new_table(title, "value", "unit")
    for key, (label, form, unit) in ROWS.items():
        if result.get(key) is not None:
            table.add_row(label.format(leading), form.format(result[key]), unit)
    common.print_table(table)
