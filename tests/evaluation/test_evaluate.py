"""`evaluate`: its keys, its figures against metrics done by hand, schemes that differ."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import classicface
from classicface import metrics
from classicface.data.dataset import LandmarkDataset
from classicface.evaluation.evaluate import evaluate
from classicface.exceptions import InvalidInputError, NotFittedError
from classicface.shape.schemes import LandmarkScheme

KEYS = [
    *("n", "nme_interocular_mean", "nme_interocular_median", "nme_interpupil_mean", "auc_08"),
    *("failure_10", "us_per_face", "us_per_face_all_cores", "model_bytes"),
]


def test_keys_and_figures(mean_shape: Any, faces: LandmarkDataset, mean_model: Path) -> None:
    predictor = classicface.load(mean_model)
    result = evaluate(predictor, faces, min_seconds=0.01)
    assert list(result) == KEYS
    errors = metrics.nme(predictor.predict_many(faces.images, faces.boxes), faces.landmarks)
    pupils = metrics.nme(
        predictor.predict_many(faces.images, faces.boxes), faces.landmarks, "ibug68", "interpupil"
    )
    assert result["n"] == 40
    assert result["nme_interocular_mean"] == pytest.approx(100 * errors.mean())
    assert result["nme_interocular_median"] == pytest.approx(100 * np.median(errors))
    assert result["nme_interpupil_mean"] == pytest.approx(100 * pupils.mean())
    assert result["auc_08"] == pytest.approx(np.maximum(0, 1 - errors / 0.08).mean())
    assert result["failure_10"] == pytest.approx(100 * (errors > 0.1).mean())
    assert result["model_bytes"] == mean_model.stat().st_size
    assert 1 < result["us_per_face"] < 1e5
    assert 1 < result["us_per_face_all_cores"] < 1e5


def test_a_perfect_predictor_has_no_error(mean_shape: Any, faces: LandmarkDataset) -> None:
    one = faces.subset([0])
    result = evaluate(mean_shape().fit(one), one, timing=False)
    assert result["nme_interocular_mean"] == pytest.approx(0, abs=1e-3)
    assert result["auc_08"] == pytest.approx(1, abs=1e-3)
    assert result["failure_10"] == 0
    assert result["us_per_face"] is result["us_per_face_all_cores"] is None


def test_points_are_converted_to_a_smaller_scheme(mean_shape: Any, faces: Any) -> None:
    predictor = mean_shape().fit(faces)
    inner = faces.convert("ibug51")
    inner.boxes = faces.boxes
    result = evaluate(predictor, inner, timing=False)
    predicted = predictor.predict_many(faces.images, faces.boxes)[:, 17:]
    expected = 100 * metrics.nme(predicted, faces.landmarks[:, 17:], "ibug51").mean()
    assert result["nme_interocular_mean"] == pytest.approx(expected)


def test_more_annotated_points_than_predicted_are_converted(mean_shape: Any, faces: Any) -> None:
    inner = faces.convert("ibug51")
    inner.boxes = faces.boxes
    predictor = mean_shape().fit(inner)
    assert evaluate(predictor, faces, timing=False) == evaluate(predictor, inner, timing=False)


def test_a_scheme_without_common_points_is_refused(mean_shape: Any, faces: Any) -> None:
    predictor = mean_shape().fit(LandmarkDataset(faces.images, faces.landmarks[:, :7], faces.boxes))
    with pytest.raises(InvalidInputError, match="ibug68, points7 have no points"):
        evaluate(predictor, faces, timing=False)


def test_the_eyes_of_a_users_own_scheme_are_known(mean_shape: Any, faces: Any) -> None:
    own = LandmarkScheme("own", 20, outer_eyes=(0, 9))
    landmarks = faces.landmarks[:, 36:56]
    predictor = mean_shape().fit(faces.images, landmarks, faces.boxes, scheme=own)
    plain = LandmarkDataset(faces.images, landmarks, faces.boxes)
    assert plain.scheme.name == "points20"
    result = evaluate(predictor, plain, timing=False)
    assert list(result) == KEYS
    assert result["nme_interocular_mean"] > 0
    assert result["nme_interpupil_mean"] is None


def test_without_eyes_the_box_is_the_normaliser(mean_shape: Any, faces: Any) -> None:
    plain = LandmarkDataset(faces.images, faces.landmarks[:, :20], faces.boxes)
    predictor = mean_shape().fit(plain)
    result = evaluate(predictor, plain, timing=False)
    assert list(result) == [*KEYS[:6], "nme_box_mean", "nme_box_median", *KEYS[6:]]
    predicted = predictor.predict_many(plain.images, plain.boxes)
    errors = metrics.nme(predicted, plain.landmarks, plain.scheme, "box")
    assert result["nme_box_mean"] == pytest.approx(100 * errors.mean())
    assert result["failure_10"] == pytest.approx(100 * (errors > 0.1).mean())
    assert result["nme_interocular_mean"] is None


def test_missing_points_are_left_out(mean_shape: Any, faces: Any) -> None:
    landmarks = faces.landmarks.copy()
    landmarks[:, :10] = np.nan
    landmarks[3] = np.nan
    holes = LandmarkDataset(faces.images, landmarks, faces.boxes)
    result = evaluate(mean_shape().fit(faces), holes, timing=False)
    assert np.isfinite([result["nme_interocular_mean"], result["nme_interpupil_mean"]]).all()


def test_progress_runs_from_zero_to_one(mean_shape: Any, faces: Any) -> None:
    seen: list[float] = []
    predictor = mean_shape().fit(faces)
    evaluate(predictor, faces, min_seconds=0, progress=lambda done, text: seen.append(done))
    assert seen[0] == 0
    assert seen[-1] == 1
    assert seen == sorted(seen)


def test_unfitted_is_our_error(mean_shape: Any, faces: Any) -> None:
    with pytest.raises(NotFittedError):
        evaluate(mean_shape(), faces)
