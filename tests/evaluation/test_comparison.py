"""`compare`, on drawn faces with small predictors: figures, ties, detectors, schemes, refusals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classicface import metrics
from classicface.cascade.ert import ERTFitter
from classicface.data.dataset import LandmarkDataset
from classicface.detect import CustomDetector
from classicface.evaluation import Comparison, compare
from classicface.evaluation.methods import Method
from classicface.evaluation.robustness import PERTURBATIONS
from classicface.exceptions import InvalidInputError
from classicface.metrics import precision_recall
from classicface.peers import from_callable

FAST: dict[str, Any] = {
    "n_resamples": 200,
    "min_seconds": 0.01,
    "footprint": False,
    "robustness": 0,
}


@pytest.fixture(scope="module")
def trees(faces: LandmarkDataset) -> ERTFitter:
    return ERTFitter(n_stages=3, n_trees=30, oversampling=5, n_starts=1, random_state=0).fit(faces)


@pytest.fixture
def predictors(mean_shape: Any, trees: ERTFitter, faces: LandmarkDataset) -> dict[str, Any]:
    return {"mean": mean_shape().fit(faces), "trees": trees}


@pytest.fixture
def comparison(predictors: dict[str, Any], faces: LandmarkDataset) -> Comparison:
    return compare(predictors, faces, data="drawn", **FAST)


def test_figures_are_those_of_the_metrics(
    comparison: Comparison, predictors: dict[str, Any], faces: LandmarkDataset
) -> None:
    for name, predictor in predictors.items():
        found = predictor.predict_many(faces.images, faces.boxes)
        result = comparison[name]
        assert np.array_equal(result.landmarks, found)
        for kind in ("interocular", "interpupil", "box"):
            errors = metrics.nme(found, faces.landmarks, faces.scheme, kind)
            accuracy = result.accuracy[kind]
            assert accuracy.mean.value == pytest.approx(100 * errors.mean())
            assert accuracy.median.value == pytest.approx(100 * np.median(errors))
            assert accuracy.auc_08.value == pytest.approx(metrics.auc(errors, 0.08))
            assert accuracy.failure_10.value == pytest.approx(100 * (errors > 0.10).mean())
            assert accuracy.mean.low <= accuracy.mean.value <= accuracy.mean.high
            regions = metrics.nme_per_region(found, faces.landmarks, faces.scheme, kind)
            assert result.regions[kind] == pytest.approx({k: 100 * v for k, v in regions.items()})
        assert result.points == precision_recall(
            list(found[:, None]), list(faces.landmarks[:, None]), 0.05
        )
        worst = np.argsort(-metrics.nme(found, faces.landmarks))[:10]
        assert result.worst == tuple(worst.tolist())


def test_the_better_method_comes_first_and_only_where_it_is_clear(comparison: Comparison) -> None:
    assert [method.name for method in comparison.methods] == ["trees", "mean"]
    assert [method.rank for method in comparison.methods] == [(1, 1), (2, 2)]
    assert comparison.order("trees", "mean") == 1
    assert comparison.order("mean", "trees") == -1
    assert comparison.normalizer == "interocular"
    with pytest.raises(KeyError):
        comparison["nobody"]


def test_a_method_and_its_twin_share_the_first_place(
    trees: ERTFitter, faces: LandmarkDataset
) -> None:
    found = compare({"one": trees, "two": trees}, faces, speed=False, **FAST)
    assert [method.rank for method in found.methods] == [(1, 2), (1, 2)]
    assert found.order("one", "two") == 0
    assert found.front() == ()


def test_speed_is_measured_of_every_method(comparison: Comparison) -> None:
    for method in comparison.methods:
        speed = method.speed
        assert speed is not None
        low, high = speed.one_face_quartiles_us
        assert 0 < low <= speed.one_face_us <= high
        fastest, slowest = speed.all_cores_range_us
        assert 0 < fastest <= speed.all_cores_us <= slowest
        assert speed.faces_per_second == pytest.approx(1e6 / speed.all_cores_us)
    assert "mean" in comparison.front() or "trees" in comparison.front()


def test_the_front_leaves_out_what_is_slower_and_no_better(
    trees: ERTFitter, faces: LandmarkDataset
) -> None:
    def slow(image: Any, boxes: Any) -> Any:
        for _ in range(20):
            points = trees.predict(image, boxes)
        return points

    methods = {"trees": trees, "slow": from_callable(slow, "ibug68")}
    assert compare(methods, faces, **FAST).front() == ("trees",)


def test_fresh_processes_tell_size_and_memory(trees: ERTFitter, faces: LandmarkDataset) -> None:
    settings = {**FAST, "footprint": True}
    outside = from_callable(trees.predict, "ibug68")
    found = compare({"trees": trees, "outside": outside}, faces, speed=False, **settings)
    footprint = found["trees"].footprint
    assert footprint is not None
    assert footprint.model_bytes is not None
    assert 10_000 < footprint.model_bytes < 10_000_000
    assert footprint.peak_bytes is not None
    assert footprint.base_bytes is not None
    assert 20e6 < footprint.base_bytes <= footprint.peak_bytes < 2e9
    assert footprint.import_seconds is not None
    assert footprint.import_seconds > 0
    unknown = found["outside"].footprint
    assert unknown is not None
    assert unknown.peak_bytes is None


def test_robustness_has_every_level_and_starts_from_the_plain_faces(
    trees: ERTFitter, faces: LandmarkDataset
) -> None:
    settings = {**FAST, "robustness": 1000}
    found = compare({"trees": trees}, faces, speed=False, **settings)
    result = found["trees"]
    assert list(result.robustness) == list(found.levels) == list(PERTURBATIONS)
    for name, values in result.robustness.items():
        assert len(values) == len(found.levels[name].values)
        assert values[0] == pytest.approx(result.accuracy["interocular"].mean.value, rel=0.02)
    assert result.robustness["shift"][-1] > result.robustness["shift"][0]


def test_a_detector_that_misses_faces_and_finds_false_ones(
    trees: ERTFitter, faces: LandmarkDataset
) -> None:
    number = {image.tobytes(): i for i, image in enumerate(faces.images)}

    def detect(image: Any) -> Any:
        i = number[image.tobytes()]
        if i % 4 == 0:
            return None
        false = [[0, 0, 12, 12]] if i % 4 == 1 else []
        return [*false, faces.boxes[i].tolist()]

    detector = CustomDetector(detect)
    found = compare({"trees": trees}, faces, detector=detector, speed=False, **FAST)
    result = found["trees"]
    assert found.detector is not None
    assert (found.detector.n_faces, found.detector.n_found, found.detector.n_false) == (40, 30, 10)
    assert found.detector.picture_us > 0
    missed = np.arange(40) % 4 == 0
    assert np.isnan(result.landmarks[missed]).all()
    assert np.isinf(result.errors["interocular"][missed]).all()
    assert np.isfinite(result.errors["interocular"][~missed]).all()
    assert result.accuracy["interocular"].failure_10.value >= 25.0
    assert np.isfinite(result.accuracy["interocular"].mean.value)
    assert result.points.n_true == 40 * 68
    assert result.points.n_predicted == 40 * 68
    assert result.points.recall <= 0.75
    with pytest.raises(InvalidInputError, match="found none"):
        compare({"trees": trees}, faces, detector=CustomDetector(lambda image: None), **FAST)


def test_schemes_meet_in_the_points_that_all_share(
    trees: ERTFitter, faces: LandmarkDataset
) -> None:
    five = faces.convert("dlib5")
    coarse = ERTFitter(n_stages=2, n_trees=10, oversampling=5, random_state=0).fit(five)
    found = compare({"five": coarse, "trees": trees}, faces, speed=False, **FAST)
    assert found.dataset.scheme.name == "dlib5"
    assert np.array_equal(found.dataset.landmarks, five.landmarks)
    assert found["trees"].landmarks.shape == (40, 5, 2)


def test_a_scheme_without_eyes_goes_by_the_box(faces: LandmarkDataset) -> None:
    odd = LandmarkDataset(faces.images, faces.landmarks[:, :7], faces.boxes)
    trees = ERTFitter(n_stages=2, n_trees=10, oversampling=5, random_state=0).fit(odd)
    found = compare({"trees": trees}, odd, speed=False, **FAST)
    assert found.normalizer == "box"
    assert list(found["trees"].accuracy) == ["box"]


def test_points_that_are_not_annotated_are_no_trouble(
    trees: ERTFitter, faces: LandmarkDataset
) -> None:
    landmarks = faces.landmarks.copy()
    landmarks[0, 36] = landmarks[1, 10] = np.nan
    holes = LandmarkDataset(faces.images, landmarks, faces.boxes)
    result = compare({"trees": trees}, holes, speed=False, **FAST)["trees"]
    assert np.isnan(result.errors["interocular"]).tolist() == [True, *[False] * 39]
    assert result.points.n_true == 38 * 68 + 67
    assert 0 not in result.worst


def test_the_record_is_plain_json(comparison: Comparison) -> None:
    record = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert record["n_faces"] == 40
    assert record["methods"][0]["name"] == "trees"
    assert len(record["methods"][0]["errors"]["interocular"]) == 40
    assert {"machine", "versions", "seed", "command", "date"} <= set(record["about"])


def test_same_seed_same_figures(predictors: dict[str, Any], faces: LandmarkDataset) -> None:
    first, second = (
        compare(predictors, faces, speed=False, **{**FAST, "robustness": 5}).to_dict()
        for _ in range(2)
    )
    for record in (first, second):
        del record["about"]
    assert first == second


def test_what_cannot_be_compared_is_refused(trees: ERTFitter, faces: LandmarkDataset) -> None:
    with pytest.raises(InvalidInputError, match="none"):
        compare({}, faces)
    with pytest.raises(InvalidInputError, match="name of its own"):
        compare([Method("a", "a", trees), Method("a", "b", trees)], faces)
    odd = LandmarkDataset(faces.images, faces.landmarks[:, :7], faces.boxes)
    with pytest.raises(InvalidInputError, match="no points that can be compared"):
        compare({"trees": trees}, odd)
    for bad in ({"n_resamples": 1}, {"robustness": -1}, {"point_threshold": 0.0}):
        with pytest.raises(InvalidInputError):
            compare({"trees": trees}, faces, **bad)


def test_real_faces(data_dir: Path) -> None:
    from classicface import load, load_dataset

    test = load_dataset(data_dir / "300w" / "helen" / "testset").subset(range(0, 330, 6))
    names = ("ert68", "best68")
    found = compare({name: load(name) for name in names}, test, **{**FAST, "n_resamples": 1000})
    assert found.methods[0].name == "best68"
    assert found.order("best68", "ert68") == 1
    assert found.front() == ("ert68", "best68")
    for method in found.methods:
        assert 2.0 < method.accuracy["interocular"].mean.value < 4.5
