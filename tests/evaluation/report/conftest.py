"""Comparisons of made-up methods on drawn faces, small enough to report on in a moment."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from classicface import metrics
from classicface.data.dataset import LandmarkDataset
from classicface.data.synthetic import synthetic_faces
from classicface.evaluation.accuracy import normalizers
from classicface.evaluation.results import (
    Comparison,
    DetectorResult,
    Footprint,
    Levels,
    MethodResult,
    Speed,
)
from classicface.evaluation.statistics import Resamples, accuracy_of, paired_tests, places

LEVELS = {
    "shift": Levels("box shifted", "% of its side", (0.0, 5.0, 10.0, 20.0)),
    "noise": Levels("grey noise", "grey levels", (0.0, 10.0, 25.0)),
}
ABOUT = {
    "machine": "an imaginary one, 4 cores",
    "versions": "classicface 0.0, numpy 2.0",
    "seed": "0",
    "resamples": "100",
    "command": 'classicface compare a b --data "faces & more"',
}

Build = Callable[..., Comparison]


def speed(us: float) -> Speed:
    return Speed(us, (0.95 * us, 1.08 * us), 0.55 * us, (0.5 * us, 0.7 * us))


def footprint(size: int) -> Footprint:
    return Footprint(size, 0.21, 0.034, 0.41, 98_000_000, 150_000_000 + 4 * size)


def method(
    name: str, dataset: LandmarkDataset, found: Any, resamples: Resamples, **rest: Any
) -> MethodResult:
    """Measure one method; its place is set when all are known."""
    known, truth, scheme = ~np.isnan(found[:, 0, 0]), dataset.landmarks, dataset.scheme
    kinds = normalizers(scheme)
    given = ~np.isnan(metrics.normalizer(truth, scheme, kinds[0]))
    errors = {kind: metrics.nme(found, truth, scheme, kind) for kind in kinds}
    there = (found[known], truth[known], scheme)
    regions = {kind: metrics.nme_per_region(*there, kind) if known.any() else {} for kind in kinds}
    nowhere = np.full(scheme.n_landmarks, np.nan)
    order = np.argsort(-np.nan_to_num(errors[kinds[0]], nan=-1.0, posinf=9.0), kind="stable")
    return MethodResult(
        name=name,
        spec=rest.pop("spec", name),
        kind=rest.pop("kind", "ERTFitter"),
        terms=rest.pop("terms", "research only"),
        landmarks=found,
        errors=errors,
        accuracy={kind: accuracy_of(errors[kind], resamples) for kind in kinds},
        regions={k: {name: 100 * v for name, v in of.items()} for k, of in regions.items()},
        per_landmark={
            kind: 100 * metrics.nme_per_landmark(*there, kind) if known.any() else nowhere
            for kind in kinds
        },
        points=metrics.precision_recall(found[given], truth[given], 0.05, scheme, kinds[0]),
        worst=tuple(order[:10].tolist()),
        rank=(1, 1),
        **rest,
    )


def comparison_of(
    dataset: LandmarkDataset,
    predictions: Mapping[str, Any],
    rest: Mapping[str, Mapping[str, Any]] = {},
    **others: Any,
) -> Comparison:
    """Compare points that are already found; `rest` has more of each method, by its name."""
    from dataclasses import replace

    resamples = Resamples([None] * len(dataset), 100, 0)
    methods = [
        method(name, dataset, np.asarray(found, np.float32), resamples, **rest.get(name, {}))
        for name, found in predictions.items()
    ]
    kind = normalizers(dataset.scheme)[0]
    methods.sort(key=lambda one: np.nan_to_num(one.accuracy[kind].mean.value, nan=np.inf))
    pairs = paired_tests({one.name: one.errors[kind] for one in methods}, resamples)
    where = places([one.name for one in methods], pairs)
    values = {
        "data": "drawn faces",
        "boxes": "annotated",
        "point_threshold": 0.05,
        "levels": {},
        "detector": None,
        "about": ABOUT,
        **others,
    }
    ranked = tuple(replace(one, rank=where[one.name]) for one in methods)
    return Comparison(dataset=dataset, normalizer=kind, methods=ranked, pairs=pairs, **values)


def noisy(dataset: LandmarkDataset, percent: float, seed: int) -> Any:
    """Return the truth with noise that makes for about such an NME (inter-ocular, 68 points)."""
    rng = np.random.default_rng(seed)
    sides = (dataset.boxes[:, 2:] - dataset.boxes[:, :2]).max(axis=1)
    scale = sides * rng.gamma(6.0, 1 / 6.0, len(sides)) * percent / 100 * 0.5
    shift = rng.normal(size=(len(sides), 1, 2)) * 0.7
    spread = rng.normal(size=dataset.landmarks.shape) * 0.5
    return dataset.landmarks + scale[:, None, None] * (shift + spread)


@pytest.fixture(scope="session")
def few() -> LandmarkDataset:
    """Return 24 drawn faces."""
    return synthetic_faces(24, random_state=3)


@pytest.fixture(scope="session")
def build() -> Build:
    """Return the function that makes a comparison of given points."""
    return comparison_of


@pytest.fixture(scope="session")
def full(few: LandmarkDataset) -> Comparison:
    """Return a comparison with every part: two methods alike, an outside library, a detector."""
    found = {
        "exact": noisy(few, 2.0, 1),
        "alike": noisy(few, 2.0, 2),
        "quick": noisy(few, 4.0, 3),
        "outside": noisy(few, 6.0, 4),
    }
    for points in found.values():
        points[5] = np.nan  # a face that the detector missed
    rest = {
        "exact": {"speed": speed(900.0), "footprint": footprint(1_500_000)},
        "alike": {"speed": speed(400.0), "footprint": footprint(1_400_000), "kind": "CNNFitter"},
        "quick": {"speed": speed(25.0), "footprint": footprint(3_000_000)},
        "outside": {
            "speed": speed(1200.0),
            "footprint": footprint(66_400_000),
            "kind": "dlib 20.0.1",
            "training_seconds": 635.0,
        },
    }
    for factor, name in enumerate(found, 1):
        rest[name]["robustness"] = {
            key: tuple(2.0 + factor + 0.1 * factor * value for value in level.values)
            for key, level in LEVELS.items()
        }
    detector = DetectorResult("hog", 24, 23, 2, 31_500.0)
    return comparison_of(few, found, rest, levels=LEVELS, detector=detector, boxes="hog")
