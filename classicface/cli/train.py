"""``classicface train TECHNIQUE``: from annotated faces to a model file."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
TimeBudget = Annotated[
    str | None, typer.Option(help="Train for about so long at most: 90s, 10m, 1h30m.")
]
Checkpoint = Annotated[
    Path | None,
    typer.Option("--checkpoint", "--resume", help="Save what is done there; resume from it."),
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
    preset: Annotated[str, typer.Option(help="fast, default, accurate or dlib.")] = "default",
    settings: Settings = None,
    boxes: Boxes = "auto",
    scheme: Scheme = None,
    mirror: Mirror = True,
    skip_faulty: SkipFaulty = False,
    seed: Seed = 0,
    jobs: Jobs = None,
    time_budget: TimeBudget = None,
    checkpoint: Checkpoint = None,
    terms: Terms = None,
) -> None:
    """Train a cascade of regression trees (Kazemi and Sullivan, 2014).

    Example: [bold]classicface train ert faces/train -o mine.safetensors --preset fast --set
    n_trees=200 --time-budget 10m[/bold]
    """
    from classicface.cascade.ert import ERTFitter
    from classicface.shape.boxes import box_centers_sides

    def say_memory(fitter: LandmarkPredictor, dataset: LandmarkDataset) -> None:
        assert isinstance(fitter, ERTFitter)
        largest = max(1.0, float(box_centers_sides(dataset.boxes)[1].max()))
        needed = fitter.estimate_memory(len(dataset), dataset.scheme.n_landmarks, largest)
        common.say(f"about {common.size_text(needed)} of memory at the peak")

    wanted = Wanted(data, output, preset, settings, boxes, scheme, mirror, skip_faulty, jobs, terms)
    run(ERTFitter, "ert", wanted, seed, time_budget, checkpoint, say_memory)


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

    wanted = Wanted(data, output, preset, settings, boxes, scheme, mirror, skip_faulty, jobs, terms)
    run(AAMFitter, "aam", wanted)


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

    wanted = Wanted(data, output, preset, settings, boxes, scheme, mirror, skip_faulty, jobs, terms)
    run(ASMFitter, "asm", wanted, seed)


app.command("asm", help=common.help_text(asm))(asm)


@dataclass(frozen=True)
class Wanted:
    """What a user asked for with the options that every technique has.

    `mirror` is None where the technique mirrors faces itself.
    """

    data: list[Path]
    output: Path
    preset: str
    settings: list[str] | None
    boxes: str
    scheme: str | None
    mirror: bool | None
    skip_faulty: bool
    jobs: int | None
    terms: str | None


def run(
    technique: type[LandmarkPredictor],
    command: str,
    wanted: Wanted,
    seed: int | None = None,
    time_budget: str | None = None,
    checkpoint: Path | None = None,
    before: Callable[[LandmarkPredictor, LandmarkDataset], None] | None = None,
    parts: dict[str, Any] | None = None,
    options: Sequence[str] = (),
) -> None:
    """Train a technique as its options say.

    Parameters
    ----------
    technique : type of LandmarkPredictor
    command : str
        What stands after ``classicface train``.
    wanted : Wanted
    seed, time_budget, checkpoint : optional
        Of the techniques that have them.
    before : callable, optional
        Called with the predictor and the faces before training starts.
    parts : dict, optional
        Parameters that hold predictors; those of a part are set as ``part__name``.
    options : sequence of str
        More options, as a user would type them again.
    """
    chosen = common.parse_settings(wanted.settings or [])
    fitter = technique.from_preset(wanted.preset, **(parts or {}))
    check_names(chosen, fitter.get_params())
    chosen["n_jobs"] = wanted.jobs
    if seed is not None:
        chosen["random_state"] = seed
    if time_budget is not None:
        chosen["time_budget"] = common.parse_duration(time_budget)
    if checkpoint is not None:
        common.check_writable(checkpoint)
        chosen["checkpoint"] = str(checkpoint)
    fitter.set_params(**chosen)
    fitter.check_params()
    common.check_writable(wanted.output)
    dataset = common.load_faces(
        wanted.data, wanted.boxes, wanted.scheme, skip_faulty=wanted.skip_faulty
    )
    if wanted.mirror:
        dataset = with_mirror(dataset)
    common.say(f"{common.count(len(dataset), 'face')} to train on")
    if before is not None:
        before(fitter, dataset)
    given = [*options, f"--preset {wanted.preset}", *common_options(wanted)]
    given += [f"--seed {seed}"] * (seed is not None)
    given += [f"--time-budget {time_budget}"] * (time_budget is not None)
    origin = provenance(command, wanted.data, given, seed, wanted.terms)
    train(fitter, dataset, wanted.output, origin)


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


def common_options(wanted: Wanted) -> list[str]:
    """Return the options that every technique has, as a user would type them again."""
    return [
        *(f"--set {setting}" for setting in wanted.settings or []),
        *[f"--boxes {Path(wanted.boxes).name}"] * (wanted.boxes != "auto"),
        *["--no-mirror"] * (wanted.mirror is False),
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
