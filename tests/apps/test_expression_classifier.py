from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classicface.apps.expression.card import LIMITS, card_text, cross_validate_expression
from classicface.apps.expression.classifier import (
    ExpressionClassifier,
    check_labels,
    expression_features,
)
from classicface.data.synthetic import random_face
from classicface.data.synthetic._render import pose_face
from classicface.exceptions import InvalidInputError, ModelFormatError, NotFittedError
from classicface.persistence import read_model, write_model
from classicface.shape.schemes import convert_landmarks

LABELS: dict[str, dict[str, Any]] = {
    "neutral": {},
    "open mouth": {"mouth_open": 0.6},
    "smile": {"smile": 0.9},
    "surprise": {"mouth_open": 0.5, "brow_raise": 0.9, "eyes_closed": (-0.3, -0.3)},
}

Sample = tuple[NDArray[np.float32], list[str], list[str]]


@pytest.fixture(scope="module")
def sample() -> Sample:
    """Return points, labels and people: 8 people twice with each expression, turned a little."""
    rng = np.random.default_rng(0)
    points, labels, people = [], [], []
    for person in range(8):
        base = random_face(rng, expression=0)
        for label, changes in LABELS.items():
            for _ in range(2):
                face = base.replace(yaw=rng.uniform(-20, 20), pitch=rng.uniform(-10, 10), **changes)
                points.append(pose_face(face).landmarks * 15 + 100 + rng.normal(0, 0.7, (68, 2)))
                labels.append(label)
                people.append(f"person {person}")
    return np.array(points, np.float32), labels, people


@pytest.fixture(scope="module")
def features(sample: Sample) -> NDArray[np.float64]:
    return np.stack([expression_features(points, "ibug68") for points in sample[0]])


@pytest.fixture(scope="module")
def card(features: NDArray[np.float64], sample: Sample) -> dict[str, Any]:
    return cross_validate_expression(features, sample[1], sample[2], "ibug51")


@pytest.fixture(scope="module")
def model(sample: Sample) -> ExpressionClassifier:
    return ExpressionClassifier().fit(*sample[:2])


def test_people_that_it_has_not_seen(card: dict[str, Any]) -> None:
    assert card["accuracy"] > 0.75
    assert card["accuracy_interval"][0] < card["accuracy"] < card["accuracy_interval"][1]
    assert card["chance"] == 0.25
    assert (card["people"], card["split"], card["folds"]) == (8, "by person", 5)
    confusion = np.array(card["confusion"])
    assert confusion.sum(axis=1).tolist() == card["pictures"] == [16] * 4
    assert card["recall"] == pytest.approx(np.diag(confusion) / 16)
    assert card["precision"] == pytest.approx(np.diag(confusion) / confusion.sum(axis=0))


def test_labels_by_chance_are_told_by_chance(features: Any, sample: Sample) -> None:
    shuffled = np.random.default_rng(0).permutation(sample[1])
    card = cross_validate_expression(features, shuffled, None, "ibug51")
    assert card["accuracy"] < 0.45
    assert card["people"] is None


def test_nobody_is_tested_by_a_model_that_has_seen_them(
    features: Any, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = np.array(sample[2])
    rows = {row.tobytes(): who for row, who in zip(features, people, strict=True)}
    seen: list[set[str]] = []
    fit, told = ExpressionClassifier.fit_features, ExpressionClassifier.proba_of

    def fit_spy(self: Any, X: Any, *rest: Any) -> Any:
        seen.append({rows[row.tobytes()] for row in X})
        return fit(self, X, *rest)

    def proba_spy(self: Any, X: Any) -> Any:
        assert not seen[-1] & {rows[row.tobytes()] for row in X}
        return told(self, X)

    monkeypatch.setattr(ExpressionClassifier, "fit_features", fit_spy)
    monkeypatch.setattr(ExpressionClassifier, "proba_of", proba_spy)
    cross_validate_expression(features, sample[1], sample[2], "ibug51")
    assert len(seen) == 5


def test_card_text(card: dict[str, Any]) -> None:
    known = card_text(card)
    assert "tested on 64 pictures (8 people), 5 folds split by person" in known
    assert "always saying the commonest label: 25.0 %" in known
    assert "open mouth" in known and LIMITS[1] in " ".join(known.split()) and "recall" in known
    unknown = card_text({**card, "people": None})
    assert "people unknown" in unknown and "too good for people it has not seen" in unknown


def test_prediction(model: ExpressionClassifier, sample: Sample) -> None:
    points, labels, _ = sample
    proba = model.predict_proba(points)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert (model.predict(points) == np.array(labels)).mean() > 0.9
    assert model.predict(points[0]) == model.predict(points)[0]
    inner = convert_landmarks(points[0], "ibug68", "ibug51")
    np.testing.assert_allclose(model.predict_proba(inner, "ibug51"), proba[0])
    assert model.predict_proba(points[:0]).shape == (0, 4)


def test_probabilities_are_those_of_scikit_learn(features: Any, sample: Sample) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = np.array(sample[1])
    for kept in (labels != "", np.isin(labels, ["smile", "neutral"])):
        theirs = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.05, class_weight="balanced", max_iter=2000)
        ).fit(features[kept], labels[kept])
        ours = ExpressionClassifier().fit_features(features[kept], labels[kept], "ibug51")
        expected = theirs.predict_proba(features)
        np.testing.assert_allclose(ours.proba_of(features), expected, atol=1e-6)


def test_fewer_points(sample: Sample) -> None:
    points, labels, _ = sample
    model = ExpressionClassifier().fit(
        convert_landmarks(points, "ibug68", "ibug49"), labels, "ibug49"
    )
    assert (model.predict(points[:20], "ibug68") == np.array(labels[:20])).mean() > 0.8
    with pytest.raises(InvalidInputError, match="trained with the points of ibug51"):
        ExpressionClassifier().fit(points, labels).predict(
            convert_landmarks(points[0], "ibug68", "ibug49"), "ibug49"
        )


def test_saving_and_loading(model: ExpressionClassifier, sample: Sample, tmp_path: Path) -> None:
    model.card_ = {"labels": model.labels_, "note": "kept"}
    one, other = tmp_path / "one.safetensors", tmp_path / "other.safetensors"
    model.save(one)
    back = ExpressionClassifier.load(one)
    back.save(other)
    assert one.read_bytes() == other.read_bytes()
    assert back.card_ == model.card_ and back.C == model.C
    np.testing.assert_array_equal(back.predict_proba(sample[0]), model.predict_proba(sample[0]))


def test_an_unfitted_one(sample: Sample, tmp_path: Path) -> None:
    for call in (
        lambda: ExpressionClassifier().predict(sample[0]),
        lambda: ExpressionClassifier().save(tmp_path / "x.safetensors"),
        lambda: ExpressionClassifier().proba_of(np.zeros((1, 112))),
    ):
        with pytest.raises(NotFittedError):
            call()


def _change(header: Any, tensors: Any, what: str) -> None:
    if what in ("mean", "bias"):
        tensors[what] = tensors[what][:-1]
    elif what == "weights":
        tensors[what] = tensors[what].astype(np.float32)
    elif what == "scale":
        tensors[what] = np.full_like(tensors[what], np.nan)
    elif what == "no tensor":
        del tensors["weights"]
    else:
        key, value = {
            "another class": ("class", "ERTFitter"),
            "labels": ("labels", "smile"),
            "one label": ("labels", ["smile"]),
            "equal labels": ("labels", ["smile"] * 4),
            "numbers as labels": ("labels", [1, 2, 3, 4]),
            "scheme": ("scheme", "ibug68"),
            "list as scheme": ("scheme", "dlib5"),
            "card": ("card", None),
            "parameters": ("parameters", None),
            "C": ("parameters", {"C": "big"}),
        }[what]
        header[key] = value


@pytest.mark.parametrize(
    "what",
    [
        *("mean", "bias", "weights", "scale", "no tensor", "another class", "labels", "one label"),
        *("equal labels", "numbers as labels", "scheme", "list as scheme", "card", "parameters"),
        "C",
    ],
)
def test_files_that_are_none(model: ExpressionClassifier, tmp_path: Path, what: str) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    header, tensors = read_model(path)
    _change(header, tensors, what)
    write_model(path, header, tensors)
    with pytest.raises(ModelFormatError):
        ExpressionClassifier.load(path)


def test_damaged_files(tmp_path: Path, model: ExpressionClassifier) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ModelFormatError):
        ExpressionClassifier.load(path)
    with pytest.raises(ModelFormatError, match="no such file"):
        ExpressionClassifier.load(tmp_path / "none.safetensors")


def test_labels_that_teach_nothing(sample: Sample, features: Any) -> None:
    points, labels, people = sample
    with pytest.raises(InvalidInputError, match="there must be two at least"):
        ExpressionClassifier().fit(points, ["smile"] * len(points))
    with pytest.raises(InvalidInputError, match=r"too few faces to learn from: 'rare' 4"):
        ExpressionClassifier().fit(points, ["rare"] * 4 + labels[4:])
    with pytest.raises(InvalidInputError, match="expected one for each"):
        ExpressionClassifier().fit(points, labels[:-1])
    with pytest.raises(InvalidInputError, match="different labels"):
        check_labels([str(i) for i in range(300)], 300)
    with pytest.raises(InvalidInputError, match="expected several faces"):
        ExpressionClassifier().fit(points[0], ["smile"])
    with pytest.raises(InvalidInputError, match="C is"):
        ExpressionClassifier(C=0.0).fit(points, labels)
    with pytest.raises(InvalidInputError, match=r"face 3: .*one place"):
        broken = points.copy()
        broken[3] = 5.0
        ExpressionClassifier().fit(broken, labels)
    alone = ["anna" if label == "smile" else who for label, who in zip(labels, people, strict=True)]
    with pytest.raises(InvalidInputError, match="one person only"):
        cross_validate_expression(features, labels, alone, "ibug51")
    with pytest.raises(InvalidInputError, match="expected one each"):
        cross_validate_expression(features, labels, people[:-1], "ibug51")
    with pytest.raises(InvalidInputError, match="folds"):
        cross_validate_expression(features, labels, people, "ibug51", folds=1)
