"""``classicface compare``: every method on one page, in accuracy, speed, memory and robustness."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classicface.cli import common
from classicface.exceptions import InvalidInputError

if TYPE_CHECKING:
    from classicface.data.dataset import LandmarkDataset
    from classicface.detect import Detector
    from classicface.evaluation import Comparison, Method

__all__ = ["command"]

#: Drawn faces that are compared where there is no data, and how their boxes are off.
N_SYNTHETIC, BOX_JITTER = 200, 0.05

#: Test faces at most with ``--quick``.
N_QUICK = 100

#: Faces that the report shows under every method.
N_GALLERY = 6

#: The share of the training faces that is kept to test on where there are no others.
HELD_OUT = 0.25


def command(
    data: Annotated[
        Path | None,
        typer.Argument(
            help="Annotated faces to test on: a folder, dlib XML, CSV or .npz file. By default"
            " drawn faces; with --train, a quarter of the faces given there."
        ),
    ] = None,
    train: Annotated[
        list[Path] | None,
        typer.Option(help="Train techniques on these faces first; may be repeated."),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--models",
            "-m",
            metavar="NAME|FILE|PEER",
            help="Bundled models, model files, dlib's .dat files, outside models such as"
            " dlib:FILE.dat or onnx:FILE.onnx; with --train also techniques: ert, asm, aam, cnn,"
            " heatmap, chain, dlib, with a preset ert:fast. NAME=MODEL names one. Repeated, or"
            " with commas between. By default all bundled models, or with --train ert,asm,aam.",
        ),
    ] = None,
    boxes: Annotated[
        str,
        typer.Option(
            help="Boxes to start from: [bold]auto[/bold] (boxes.csv where there is one),"
            " [bold]landmarks[/bold], a CSV file; or the detector that finds them, hog, haar or"
            " lbp, whose misses count as failures."
        ),
    ] = "auto",
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="A first look: at most 100 faces, no robustness, short timing, fast presets.",
        ),
    ] = False,
    faces: Annotated[
        int | None, typer.Option(min=2, help="Test on at most so many faces, drawn at random.")
    ] = None,
    robustness: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Measure robustness on at most so many faces; 0 for not at all. By default 200,"
            " with --quick 0.",
        ),
    ] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Landmark scheme: a name, or the JSON file of your own.")
    ] = None,
    skip_faulty: Annotated[
        bool, typer.Option("--skip-faulty", help="Leave out faulty faces.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn at random.")] = 0,
    no_pictures: Annotated[
        bool,
        typer.Option(
            "--no-pictures",
            help="Leave the faces out of the report, where they must not be passed on.",
        ),
    ] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report.")] = Path(
        "classicface-comparison"
    ),
) -> None:
    """Compare methods on the same faces, and write a report.

    The report is one HTML page that needs no network, and the same as Markdown, JSON and CSV.

    Example: [bold]classicface compare helen/testset --models ert68,best68,dlib:face.dat -o
    comparison[/bold]
    """
    from classicface.cli.progress import ProgressBar
    from classicface.evaluation import QUICK, compare, write_report

    specs = [spec for text in models or [] for spec in text.split(",") if spec]
    to_train, to_load = _sorted_specs(specs, bool(train))
    detector, boxes = _detector(boxes)
    settings = dict(QUICK) if quick else {}
    if robustness is not None:
        settings["robustness"] = robustness
    folder = common.make_folder(output)
    loaded = _load(to_load)
    teaching, dataset = _faces(data, train, boxes, scheme, skip_faulty, seed)
    dataset = _at_most(dataset, faces or (N_QUICK if quick else None), seed)
    methods = [*_train(to_train, teaching, folder, quick, seed), *loaded]
    common.say(f"{common.count(len(methods), 'method')} on {common.count(len(dataset), 'face')}")
    with ProgressBar() as bar:
        comparison = compare(
            methods,
            dataset,
            data=_data_name(data, train),
            boxes=_BOXES.get(boxes, boxes) if data or train else "landmark boxes, jittered",
            detector=detector,
            random_state=seed,
            command=shlex.join(["classicface", *sys.argv[1:]]),
            progress=bar,
            **settings,
        )
        bar(1.0, "writing the report")
        written = write_report(comparison, folder, n_gallery=0 if no_pictures else N_GALLERY)
    print_summary(comparison)
    common.say(f"wrote {written[0]} and, beside it, the same as Markdown, JSON and CSV")


_BOXES = {"auto": "as given with the faces", "landmarks": "tight boxes of the landmarks"}


def _sorted_specs(specs: list[str], training: bool) -> tuple[list[str], list[str] | None]:
    """Return what is to be trained, and what is to be loaded (None: every bundled model)."""
    from classicface.evaluation.methods import TRAINED
    from classicface.registry import TECHNIQUES

    if not specs:
        return (list(TRAINED), []) if training else ([], None)
    known = {*TECHNIQUES, "dlib"}
    to_train = [
        spec
        for spec in specs
        if spec in known or (spec.partition(":")[0] in TECHNIQUES and not Path(spec).exists())
    ]
    if to_train and not training:
        raise InvalidInputError(
            f"{to_train[0]} is a technique, which is trained first: say on what with --train DATA,"
            " or name a model"
        )
    return to_train, [spec for spec in specs if spec not in to_train]


def _detector(boxes: str) -> tuple[Detector | None, str]:
    """Return the detector that `boxes` names, and where the data set's own boxes come from."""
    from classicface.detect import available_detectors, get_detector

    if boxes in {*available_detectors(), "hog"}:
        return get_detector(boxes), "auto"
    return None, boxes


def _load(specs: list[str] | None) -> list[Method]:
    from classicface.evaluation import load_methods

    return load_methods(specs) if specs is None or specs else []


def _faces(
    data: Path | None,
    train: list[Path] | None,
    boxes: str,
    scheme: str | None,
    skip_faulty: bool,
    seed: int,
) -> tuple[LandmarkDataset | None, LandmarkDataset]:
    """Return the faces to train on, if any, and those to test on."""
    teaching = None
    if train:
        teaching = common.load_faces(train, boxes, scheme, skip_faulty=skip_faulty)
    if data is not None:
        return teaching, common.load_faces([data], boxes, scheme, skip_faulty=skip_faulty)
    if teaching is not None:
        return teaching.split(1 - HELD_OUT, random_state=seed)
    from classicface.data.synthetic import synthetic_faces

    return None, synthetic_faces(N_SYNTHETIC, random_state=seed, box_jitter=BOX_JITTER)


def _at_most(dataset: LandmarkDataset, count: int | None, seed: int) -> LandmarkDataset:
    if count is None or count >= len(dataset):
        return dataset
    import numpy as np

    chosen = np.random.default_rng(seed).permutation(len(dataset))[:count]
    return dataset.subset(np.sort(chosen))


def _data_name(data: Path | None, train: list[Path] | None) -> str:
    if data is not None:
        return _short(data)
    if train:
        return f"a held-out quarter of {', '.join(map(_short, train))}"
    return "drawn faces"


def _short(path: Path) -> str:
    """Return the last two parts of a path: ``helen/testset`` says more than ``testset``."""
    return "/".join(path.resolve().parts[-2:])


def _train(
    techniques: list[str], dataset: LandmarkDataset | None, folder: Path, quick: bool, seed: int
) -> list[Method]:
    """Train techniques, and keep their models in the folder ``models`` beside the report."""
    if dataset is None or not techniques:
        return []
    from classicface.cli.progress import ProgressBar
    from classicface.evaluation import train_methods

    models = common.make_folder(folder / "models")
    common.say(f"training {', '.join(techniques)} on {common.count(len(dataset), 'face')}")
    start = time.monotonic()
    with ProgressBar() as bar:
        methods = train_methods(
            techniques,
            dataset,
            models,
            preset="fast" if quick else "default",
            random_state=seed,
            progress=bar,
        )
    common.say(f"trained in {common.duration_text(time.monotonic() - start)}; kept in {models}")
    return methods


def print_summary(comparison: Comparison) -> None:
    """Print a line for each method: place, error with its interval, speed, size."""
    from classicface.evaluation.report.formats import place
    from classicface.evaluation.results import NORMALIZER_NAMES

    normalizer = NORMALIZER_NAMES[comparison.normalizer]
    table = common.new_table(
        "method", "place", f"NME ({normalizer})", "95 % interval", "one face", "model"
    )
    for method in comparison.methods:
        mean = method.accuracy[comparison.normalizer].mean
        size = method.footprint and method.footprint.model_bytes
        table.add_row(
            method.name,
            place(method.rank),
            f"{mean.value:.2f} %",
            f"{mean.low:.2f} to {mean.high:.2f}",
            f"{method.speed.one_face_us / 1000:.3f} ms" if method.speed else "",
            common.size_text(size) if size else "",
        )
    common.print_table(table)
