"""`compare`: every method on the same faces, from the same boxes, on the same machine."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface import metrics
from classicface.data.dataset import LandmarkDataset
from classicface.detect import Detector
from classicface.evaluation import accuracy
from classicface.evaluation.footprint import measure_footprint
from classicface.evaluation.machine import describe_machine, describe_versions
from classicface.evaluation.methods import Method, as_methods
from classicface.evaluation.plan import Plan
from classicface.evaluation.results import Comparison, DetectorResult, MethodResult
from classicface.evaluation.robustness import PERTURBATIONS, perturbed
from classicface.evaluation.speed import detection_us, measure_speed
from classicface.evaluation.statistics import Resamples, accuracy_of, paired_tests, places
from classicface.exceptions import InvalidInputError
from classicface.peers import PeerPredictor
from classicface.predictor import LandmarkPredictor, Progress
from classicface.validation import check_integer, check_number

__all__ = ["QUICK", "compare"]

#: How many of a method's worst faces are kept.
N_WORST = 10

#: Settings of `compare` for a first look, in seconds rather than minutes.
QUICK: dict[str, Any] = {"robustness": 0, "n_resamples": 500, "min_seconds": 0.25}


# Every perturbation at every level beyond the first, which leaves the faces as they are.
_STEPS = [(name, level) for name, levels in PERTURBATIONS.items() for level in levels.values[1:]]


def compare(
    methods: Sequence[Method] | Mapping[str, LandmarkPredictor],
    dataset: LandmarkDataset,
    *,
    data: str = "faces",
    boxes: str = "as given with the faces",
    detector: Detector | None = None,
    speed: bool = True,
    footprint: bool = True,
    robustness: int = 200,
    point_threshold: float = 0.05,
    n_resamples: int = 2000,
    min_seconds: float = 1.0,
    random_state: int = 0,
    command: str = "",
    progress: Progress | None = None,
) -> Comparison:
    """Measure accuracy, speed, memory and robustness of methods on the same annotated faces.

    Parameters
    ----------
    methods : sequence of Method, or mapping of str to LandmarkPredictor
        As `classicface.evaluation.load_methods` returns them, or fitted predictors by name. Where
        they have different schemes, they are compared in the points that all share.
    dataset : LandmarkDataset
        Faces with landmarks and the boxes to start from. Groups are taken for people: intervals
        and tests then draw people, not pictures.
    data, boxes : str
        What the faces are called, and where their boxes come from, for the report.
    detector : Detector, optional
        Finds the boxes to start from, in each picture of the set, in place of the set's; a face
        that it misses counts as a failure of every method.
    speed, footprint : bool, default True
        Whether to measure speed; and start-up and memory, in fresh processes.
    robustness : int, default 200
        Faces on which robustness is measured; 0 for not at all. With a detector it starts from
        the set's boxes all the same.
    point_threshold : float, default 0.05
        A point is correct within this error, as a fraction of the leading normaliser.
    n_resamples : int, default 2000
        Bootstrap resamples of the intervals.
    min_seconds : float, default 1.0
        For which each speed of each method is timed.
    random_state : int, default 0
    command : str
        What repeats the comparison, for the report.
    progress : callable, optional
        Called with the fraction done and a short text.

    Returns
    -------
    Comparison
        Pass it to `classicface.evaluation.write_report`.

    Raises
    ------
    InvalidInputError
        No method, no face, a name twice, or schemes without common points.
    """
    chosen = as_methods(methods)
    settings = _Settings(
        speed,
        footprint,
        check_integer(robustness, "robustness", 0),
        check_number(point_threshold, "point_threshold", 1e-6, 1e3),
        check_integer(n_resamples, "n_resamples", 100, 1_000_000),
        check_number(min_seconds, "min_seconds", 0.0, 3600.0),
        check_integer(random_state, "random_state", 0),
    )
    run = _Run(chosen, dataset, detector, settings, progress or (lambda fraction, text: None))
    results = run.accuracy()
    if settings.speed:
        results = run.add_speed(results)
    if settings.footprint:
        results = run.add_footprint(results)
    levels = {}
    if settings.robustness:
        levels = PERTURBATIONS
        results = run.add_robustness(results)
    found = run.detector_result()
    about = {
        "machine": describe_machine(),
        "versions": describe_versions(),
        "command": command,
        "date": datetime.date.today().isoformat(),
        "duration": f"{time.perf_counter() - run.began:.0f} s",
        "seed": str(settings.random_state),
        "bootstrap resamples": str(settings.n_resamples),
        "timed for": f"{settings.min_seconds:g} s each speed of each method",
    }
    if levels:
        about["robustness on"] = f"{min(settings.robustness, len(run.dataset))} faces"
    run.plan.progress(1.0, "done")
    return Comparison(
        data=data,
        dataset=run.dataset,
        boxes=boxes if detector is None else f"{detector.name} face detector",
        normalizer=run.leading,
        point_threshold=settings.point_threshold,
        methods=tuple(results),
        pairs=run.pairs,
        levels=levels,
        detector=found,
        about=about,
    )


@dataclass(frozen=True)
class _Settings:
    speed: bool
    footprint: bool
    robustness: int
    point_threshold: float
    n_resamples: int
    min_seconds: float
    random_state: int


class _Run:
    """The state of one comparison between its parts."""

    def __init__(
        self,
        methods: list[Method],
        dataset: LandmarkDataset,
        detector: Detector | None,
        settings: _Settings,
        progress: Progress,
    ) -> None:
        if len(dataset) == 0:
            raise InvalidInputError("the data set holds no face; there is nothing to compare")
        self.began = time.perf_counter()
        self.methods = methods
        self.predictors = {method.name: method.predictor for method in methods}
        self.detector = detector
        self.settings = settings
        self.plan = Plan(
            {
                "accuracy": 1.0 * len(methods),
                "speed": 2.5 * settings.min_seconds * len(methods) * settings.speed,
                "footprint": 5.0 * len(methods) * settings.footprint,
                "robustness": 0.0,
            },
            progress,
        )
        self.predicting = 0.0
        schemes = [method.predictor.scheme_ for method in methods]
        self.dataset = accuracy.in_common_scheme(dataset, schemes)
        self.scheme = self.dataset.scheme
        self.normalizers = accuracy.normalizers(self.scheme)
        self.leading = self.normalizers[0]
        self.resamples = Resamples(dataset.groups, settings.n_resamples, settings.random_state)
        self.plan.report("accuracy", 0.0, "finding faces" if detector else "predicting")
        self.starts = accuracy.annotated_starts(self.dataset)
        if detector is not None:
            self.starts = accuracy.detected_starts(detector, self.dataset)
            if not self.starts.found.any():
                raise InvalidInputError(f"the {detector.name} detector found none of the faces")

    def accuracy(self) -> list[MethodResult]:
        """Predict every face with every method, and compare; the most accurate comes first."""
        results = []
        for i, method in enumerate(self.methods):
            self.plan.report("accuracy", i / len(self.methods), f"predicting with {method.name}")
            results.append(self._measure(method))
            self._expect(len(self.methods) / (i + 1))
        results.sort(key=lambda result: result.accuracy[self.leading].mean.value)
        self.pairs = paired_tests(
            {result.name: result.errors[self.leading] for result in results}, self.resamples
        )
        ranks = places([result.name for result in results], self.pairs)
        return [replace(result, rank=ranks[result.name]) for result in results]

    def _expect(self, factor: float) -> None:
        """Expect of all methods what those that have predicted took, times a factor."""
        self.plan.expected["accuracy"] = factor * (time.perf_counter() - self.began)
        repeated = (1 + len(_STEPS)) * min(self.settings.robustness / len(self.dataset), 1.0)
        self.plan.expected["robustness"] = factor * self.predicting * repeated

    def _measure(self, method: Method) -> MethodResult:
        predictor = method.predictor
        start = time.perf_counter()
        landmarks, faces = self.starts.predict(predictor, self.dataset, self.scheme)
        self.predicting += time.perf_counter() - start
        truth = self.dataset.landmarks
        errors: dict[str, NDArray[np.float64]] = {
            kind: metrics.nme(landmarks, truth, self.scheme, kind) for kind in self.normalizers
        }
        found = self.starts.found
        seen = (landmarks[found], truth[found], self.scheme)
        known = ~np.isnan(metrics.normalizer(truth, self.scheme, self.leading))
        points = metrics.precision_recall(
            [faces[i] for i in np.flatnonzero(known)],
            list(truth[known][:, None]),
            self.settings.point_threshold,
            self.scheme,
            self.leading,
        )
        by_error = np.argsort(-np.nan_to_num(errors[self.leading], nan=-1.0), kind="stable")
        return MethodResult(
            name=method.name,
            spec=method.spec,
            kind=_kind(predictor),
            terms=str(predictor.provenance_.get("terms", "")),
            landmarks=landmarks,
            errors=errors,
            accuracy={kind: accuracy_of(value, self.resamples) for kind, value in errors.items()},
            regions={
                kind: {
                    name: 100 * error for name, error in metrics.nme_per_region(*seen, kind).items()
                }
                for kind in self.normalizers
            },
            per_landmark={
                kind: 100 * metrics.nme_per_landmark(*seen, kind) for kind in self.normalizers
            },
            points=points,
            worst=tuple(by_error[:N_WORST].tolist()),
            rank=(1, len(self.methods)),
            training_seconds=method.training_seconds,
        )

    def add_speed(self, results: list[MethodResult]) -> list[MethodResult]:
        """Time every method on the faces that have a box."""
        found = self.dataset.subset(self.starts.found)
        chosen = zip(self.starts.boxes, self.starts.chosen, strict=True)
        found.boxes = np.array([boxes[i] for boxes, i in chosen if i >= 0], np.float32)
        speeds = measure_speed(
            self.predictors, found, self.settings.min_seconds, self.plan.part("speed")
        )
        return [replace(result, speed=speeds[result.name]) for result in results]

    def add_footprint(self, results: list[MethodResult]) -> list[MethodResult]:
        """Measure start-up and memory of every method in fresh processes."""
        image, box = self.dataset.images[0], self.dataset.boxes[0]
        measured = []
        for i, result in enumerate(results):
            self.plan.report("footprint", i / len(results), f"starting {result.name} afresh")
            footprint = measure_footprint(self.predictors[result.name], image, box)
            measured.append(replace(result, footprint=footprint))
        return measured

    def add_robustness(self, results: list[MethodResult]) -> list[MethodResult]:
        """Measure the error of every method on faces that are made harder."""
        rng = np.random.default_rng(self.settings.random_state)
        count = min(self.settings.robustness, len(self.dataset))
        faces = self.dataset.subset(np.sort(rng.permutation(len(self.dataset))[:count]))
        self.plan.report("robustness", 0.0, "faces as they are")
        plain = {name: self._mean_error(p, faces) for name, p in self.predictors.items()}
        errors = {name: {key: [error] for key in PERTURBATIONS} for name, error in plain.items()}
        for i, (perturbation, level) in enumerate(_STEPS):
            text = f"{PERTURBATIONS[perturbation].title}: {level:g}"
            self.plan.report("robustness", (1 + i) / (1 + len(_STEPS)), text)
            harder = perturbed(faces, perturbation, level, self.settings.random_state)
            for name, predictor in self.predictors.items():
                errors[name][perturbation].append(self._mean_error(predictor, harder))
        return [
            replace(
                result,
                robustness={name: tuple(v) for name, v in errors[result.name].items()},
            )
            for result in results
        ]

    def _mean_error(self, predictor: LandmarkPredictor, faces: LandmarkDataset) -> float:
        found = predictor.predict_many(faces.images, faces.boxes)
        found = accuracy.share(found, predictor.scheme_, self.scheme)
        errors = metrics.nme(found, faces.landmarks, self.scheme, self.leading)
        errors = errors[np.isfinite(errors)]
        return 100 * float(errors.mean()) if len(errors) else float("nan")

    def detector_result(self) -> DetectorResult | None:
        """Return what the detector did, or None where the boxes were given."""
        if self.detector is None:
            return None
        n_found = int(self.starts.found.sum())
        return DetectorResult(
            self.detector.name,
            len(self.dataset),
            n_found,
            sum(len(boxes) for boxes in self.starts.boxes) - n_found,
            detection_us(self.detector, self.dataset.images, self.settings.min_seconds),
        )


def _kind(predictor: LandmarkPredictor) -> str:
    return predictor.library if isinstance(predictor, PeerPredictor) else type(predictor).__name__
