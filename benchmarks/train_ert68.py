"""Train the bundled model ``ert68`` on HELEN's training set and write it with its card.

    python benchmarks/train_ert68.py [--data FOLDER] [-o classicface/weights]

Uses the preset ``default`` and the same seed each time; the test set is only used for the accuracy
that the card and the file's header state. `bundle` serves the other bundled models too.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import numpy as np
from bench_ert_vs_dlib import DATA

import classicface
from classicface import ERTFitter, LandmarkPredictor, evaluate, load_dataset
from classicface.persistence import replacing

SEED = 0

TERMS = (
    "Research use only, not commercial: inherited from the 300-W annotation"
    " (Sagonas et al., IMAVIS 2016) of HELEN (Le et al., ECCV 2012)."
)

CARD = """# {name}

{description}

| | |
| --- | --- |
| data | {faces} faces of the HELEN training set{mirrored}, 300-W annotation |
| boxes | dlib's frontal face detector, mapped to landmark boxes |
| terms | {terms} |
| command | `{command}` |
| seed | {seed} |
| versions | classicface {classicface}, numpy {numpy} |
| training | {seconds:.0f} s |
| size | {size:.2f} MB |

## Measured

On the 330 faces of the HELEN test set with detector boxes; NME normalised by the distance between
the outer eye corners.

| | |
| --- | ---: |
| NME, mean | {nme_interocular_mean:.2f} % |
| NME, median | {nme_interocular_median:.2f} % |
| area under the error curve up to 0.08 | {auc_08:.3f} |
| faces over 0.10 | {failure_10:.1f} % |

Normalised by the distance between the pupils the mean is {nme_interpupil_mean:.2f} %.

## Limits

Trained on photographs from the web in which dlib's frontal detector finds most faces: profiles,
strong occlusion and very small faces are not in them. How accuracy differs by age, sex or skin
colour has not been measured.
"""


def bundle(
    name: str,
    fitter: LandmarkPredictor,
    description: str,
    seed: int | None,
    *,
    mirror: bool = True,
) -> None:
    """Train a predictor, and write it with its card as a bundled model."""
    parser = argparse.ArgumentParser(description=f"Train the bundled model {name}.")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--output", "-o", type=Path, default=Path("classicface/weights"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if "checkpoint" in fitter.get_params():
        fitter.set_params(checkpoint=str(arguments.output / f"{name}.checkpoint"))
    helen = arguments.data / "300w" / "helen"
    train = load_dataset(helen / "trainset")
    start = time.perf_counter()
    fitter.fit(train.with_mirror() if mirror else train)
    seconds = time.perf_counter() - start
    measured = evaluate(fitter, load_dataset(helen / "testset"), timing=False)
    versions = {"classicface": classicface.__version__, "numpy": np.__version__}
    command = f"python benchmarks/train_{name}.py"
    fitter.provenance_ = {
        "data": ["HELEN training set, 300-W annotation"],
        "command": command,
        "seed": seed,
        "terms": TERMS,
        "versions": versions,
    }
    accuracy = {k: v for k, v in measured.items() if k.startswith(("n", "auc", "failure"))}
    fitter.accuracy_ = {"data": "HELEN test set, boxes of dlib's frontal detector", **accuracy}
    path = arguments.output / f"{name}.safetensors"
    fitter.save(path)
    text = CARD.format(
        name=name,
        description=description,
        faces=len(train),
        mirrored=" and their mirror images" if mirror else "",
        terms=TERMS,
        command=command,
        seed="none: nothing is drawn at random" if seed is None else seed,
        seconds=seconds,
        size=path.stat().st_size / 1e6,
        **versions,
        **measured,
    )
    with replacing(path.with_suffix(".md")) as partial:
        partial.write_text(text)
    print(text)


if __name__ == "__main__":
    bundle(
        "ert68",
        ERTFitter.from_preset("default", random_state=SEED),
        "A cascade of regression trees (`ERTFitter`, preset `default`) for the 68 points of the"
        " iBUG scheme.",
        SEED,
    )
