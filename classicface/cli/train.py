"""``classicface train TECHNIQUE``: from annotated faces to a model file."""

from __future__ import annotations

import difflib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from classicface.cli import common
from classicface.exceptions import InvalidInputError

if TYPE_CHECKING:
    from classicface.data.dataset import LandmarkDataset
    from classicface.predictor import LandmarkPredictor
    from classicface.shape.schemes import LandmarkScheme

__all__ = ["app"]

app = typer.Typer(help="Train a model on annotated faces.")

Data = Annotated[
    list[Path], typer.Argument(help="Annotated faces: folders, dlib XML, CSV or .npz files.")
]
Output = Annotated[Path, typer.Option("--output", "-o", help="The model file to write.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter; may be repeated."),
]
Boxes = Annotated[
    str,
    typer.Option(
        help="Boxes to start from: [bold]auto[/bold] (boxes.csv where there is one),"
        " [bold]landmarks[/bold], or a CSV file."
    ),
]
Scheme = Annotated[
    str | None, typer.Option(help="Landmark scheme: a name, or the JSON file of your own.")
]
Mirror = Annotated[bool, typer.Option("--mirror/--no-mirror", help="Add mirrored faces.")]
SkipFaulty = Annotated[
    bool, typer.Option("--skip-faulty", help="Leave out faulty faces; otherwise the first stops.")
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same model.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Threads; by default one a core.")]
Terms = Annotated[
    str | None, typer.Option(help="Terms of use, kept in the model: those of your data.")
]


#: Parameters that are set by an option of their own.
OWN_OPTIONS = {
    "checkpoint": "--checkpoint",
    "n_jobs": "--jobs",
    "random_state": "--seed",
    "time_budget": "--time-budget",
}


@app.callback()
def _group() -> None:
    """Train a model on annotated faces."""


def ert(
    data: Data,
    output: Output,
    preset: Annotated[str, typer.Option(help="fast, default or accurate.")] = "default",
    settings: Settings = None,
    boxes: Boxes = "auto",
    scheme: Scheme = None,
    mirror: Mirror = True,
    skip_faulty: SkipFaulty = False,
    seed: Seed = 0,
    jobs: Jobs = None,
    time_budget: Annotated[
        str | None, typer.Option(help="Stop growing after about so long: 90s, 10m, 1h30m.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", "--resume", help="Save each stage there; resume from it."),
    ] = None,
    terms: Terms = None,
) -> None:
    """Train a cascade of regression trees (Kazemi and Sullivan, 2014).

    Example: [bold]classicface train ert faces/train -o mine.safetensors --preset fast --set
    n_trees=200 --time-budget 10m[/bold]
    """
    from classicface.cascade.ert import ERTFitter
    from classicface.shape.boxes import box_centers_sides

    chosen = common.parse_settings(settings or [])
    check_names(chosen, ERTFitter().get_params())
    chosen.update(random_state=seed, n_jobs=jobs)
    if time_budget is not None:
        chosen["time_budget"] = common.parse_duration(time_budget)
    if checkpoint is not None:
        common.check_writable(checkpoint)
        chosen["checkpoint"] = str(checkpoint)
    fitter = ERTFitter.from_preset(preset, **chosen)
    dataset = load_to_train(fitter, data, output, boxes, scheme, mirror, skip_faulty)
    sides = box_centers_sides(dataset.boxes)[1]
    needed = fitter.estimate_memory(
        len(dataset), dataset.scheme.n_landmarks, max(1.0, float(sides.max()))
    )
    common.say(f"about {common.size_text(needed)} of memory at the peak")
    options = [f"--preset {preset}", *common_options(settings, boxes, mirror), f"--seed {seed}"]
    options += [f"--time-budget {time_budget}"] * (time_budget is not None)
    train(fitter, dataset, output, provenance("ert", data, options, seed, terms))


app.command("ert", help=common.help_text(ert))(ert)


def aam(
    data: Data,
    output: Output,
    preset: Annotated[str, typer.Option(help="fast, default or accurate.")] = "default",
    settings: Settings = None,
    boxes: Boxes = "auto",
    scheme: Scheme = None,
    mirror: Mirror = True,
    skip_faulty: SkipFaulty = False,
    jobs: Jobs = None,
    terms: Terms = None,
) -> None:
    """Train an active appearance model (Cootes et al., 2001; Matthews and Baker, 2004).

    Example: [bold]classicface train aam faces/train -o mine.safetensors --set
    algorithm=project-out --set face_sizes=[40,80][/bold]
    """
    from classicface.aam.model import AAMFitter

    chosen = common.parse_settings(settings or [])
    check_names(chosen, AAMFitter().get_params())
    fitter = AAMFitter.from_preset(preset, **chosen, n_jobs=jobs)
    dataset = load_to_train(fitter, data, output, boxes, scheme, mirror, skip_faulty)
    options = [f"--preset {preset}", *common_options(settings, boxes, mirror)]
    train(fitter, dataset, output, provenance("aam", data, options, None, terms))


app.command("aam", help=common.help_text(aam))(aam)


def asm(
    data: Data,
    output: Output,
    preset: Annotated[str, typer.Option(help="classic, fast or default.")] = "default",
    settings: Settings = None,
    boxes: Boxes = "auto",
    scheme: Scheme = None,
    mirror: Mirror = True,
    skip_faulty: SkipFaulty = False,
    seed: Seed = 0,
    jobs: Jobs = None,
    terms: Terms = None,
) -> None:
    """Train an active shape model (Cootes et al., 1995; Milborrow and Nicolls, 2014).

    Example: [bold]classicface train asm faces/train -o mine.safetensors --preset classic[/bold]
    """
    from classicface.asm.model import ASMFitter

    chosen = common.parse_settings(settings or [])
    check_names(chosen, ASMFitter().get_params())
    fitter = ASMFitter.from_preset(preset, **chosen, random_state=seed, n_jobs=jobs)
    dataset = load_to_train(fitter, data, output, boxes, scheme, mirror, skip_faulty)
    options = [f"--preset {preset}", *common_options(settings, boxes, mirror), f"--seed {seed}"]
    train(fitter, dataset, output, provenance("asm", data, options, seed, terms))


app.command("asm", help=common.help_text(asm))(asm)


def check_names(chosen: dict[str, Any], known: dict[str, Any]) -> None:
    """Refuse parameters that a technique does not have, with the nearest that it has.

    Raises
    ------
    InvalidInputError
    """
    for name in chosen:
        if name in OWN_OPTIONS:
            raise InvalidInputError(f"--set {name}: use {OWN_OPTIONS[name]}")
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            raise InvalidInputError(f"--set {name}: no such parameter; {hint}")


def load_to_train(
    fitter: LandmarkPredictor,
    data: list[Path],
    output: Path,
    boxes: str,
    scheme: str | None,
    mirror: bool,
    skip_faulty: bool,
) -> LandmarkDataset:
    """Load the faces to train on, after what can be refused at once has been."""
    fitter.check_params()
    common.check_writable(output)
    dataset = common.load_faces(data, boxes, scheme, skip_faulty=skip_faulty)
    if mirror:
        dataset = with_mirror(dataset)
    common.say(f"{common.count(len(dataset), 'face')} to train on")
    return dataset


def common_options(settings: list[str] | None, boxes: str, mirror: bool) -> list[str]:
    """Return the options that every technique has, as a user would type them again."""
    return [
        *(f"--set {setting}" for setting in settings or []),
        *[f"--boxes {Path(boxes).name}"] * (boxes != "auto"),
        *([] if mirror else ["--no-mirror"]),
    ]


def with_mirror(dataset: LandmarkDataset) -> LandmarkDataset:
    """Add the mirror images, where the scheme knows how its points mirror."""
    return dataset.with_mirror() if can_mirror(dataset.scheme) else dataset


def can_mirror(scheme: LandmarkScheme) -> bool:
    """Tell whether a scheme knows how its points mirror, and say it where not."""
    if not scheme.mirror:
        common.say(
            f"scheme {scheme.name} does not say how its points mirror: training goes on"
            " without mirrored faces (--scheme takes a JSON file that says it)"
        )
    return bool(scheme.mirror)


def provenance(
    technique: str, data: list[Path], options: list[str], seed: int | None, terms: str | None
) -> dict[str, Any]:
    """Return where a model comes from; the same training gives the same text anywhere.

    Of paths only the last part is kept, and what does not shape the model (output, threads,
    checkpoint) is left out.
    """
    import numpy as np

    from classicface import __version__

    names = [path.resolve().name for path in data]
    return {
        "data": names,
        "command": " ".join(["classicface train", technique, *names, *options]),
        **({} if seed is None else {"seed": seed}),
        "terms": terms or "not stated: those of the training data",
        "versions": {"classicface": __version__, "numpy": np.__version__},
    }


def train(
    fitter: LandmarkPredictor, dataset: LandmarkDataset, output: Path, origin: dict[str, Any]
) -> None:
    """Fit, save, and say how long it took and how large the model is."""
    from classicface.cli.progress import ProgressBar

    start = time.monotonic()
    with ProgressBar() as bar:
        bar(0.0, "starting")
        fitter.fit(dataset, progress=bar)
    fitter.provenance_ = {**fitter.provenance_, **origin}
    fitter.save(output)
    seconds = common.duration_text(time.monotonic() - start)
    common.say(f"trained in {seconds}; {output} has {common.size_text(output.stat().st_size)}")
