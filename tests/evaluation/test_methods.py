"""Loading and training the methods of a comparison."""

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import classicface
from classicface.evaluation.methods import load_method, load_methods, train_methods
from classicface.exceptions import InvalidInputError
from classicface.registry import MODELS


def test_by_default_every_bundled_model() -> None:
    assert [method.name for method in load_methods()] == list(MODELS)


def test_names(mean_model: Path, tmp_path: Path) -> None:
    assert load_method("ert68").name == "ert68"
    assert load_method(str(mean_model)).name == "mean"
    named = load_method(f"my model={mean_model}")
    assert (named.name, named.spec) == ("my model", str(mean_model))
    odd = tmp_path / "a=b.safetensors"
    odd.write_bytes(mean_model.read_bytes())
    assert load_method(str(odd)).name == "a=b"
    assert load_method(f"x={odd}").name == "x"


def test_outside_models_are_named_by_kind_and_place(
    monkeypatch: pytest.MonkeyPatch, faces: Any
) -> None:
    module = types.ModuleType("somebodys")
    module.find = lambda image, boxes: np.zeros((len(boxes), 68, 2))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "somebodys", module)
    assert load_method("call:somebodys:find").name == "call somebodys:find"
    assert load_method("theirs=call:somebodys:find").name == "theirs"


def test_two_of_a_name_are_refused(mean_model: Path) -> None:
    with pytest.raises(InvalidInputError, match="NAME=mean"):
        load_methods([str(mean_model), str(mean_model)])


def test_training_keeps_the_models(faces: Any, tmp_path: Path) -> None:
    steps: list[tuple[float, str]] = []
    methods = train_methods(
        ["aam", "asm:fast"],
        faces,
        tmp_path,
        progress=lambda fraction, text: steps.append((fraction, text)),
    )
    assert [method.name for method in methods] == ["aam", "asm:fast"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "aam.safetensors",
        "asm-fast.safetensors",
    ]
    for method in methods:
        assert method.training_seconds is not None
        assert method.training_seconds > 0
        stored = classicface.load(tmp_path / f"{method.name.replace(':', '-')}.safetensors")
        assert np.array_equal(
            stored.predict_many(faces.images, faces.boxes),
            method.predictor.predict_many(faces.images, faces.boxes),
        )
    fractions = [fraction for fraction, _ in steps]
    assert fractions == sorted(fractions)
    assert steps[-1][1].startswith("training asm:fast")


def test_dlib_is_trained_on_the_same_faces(faces: Any, tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    (method,) = train_methods(["dlib"], faces.subset(range(6)), tmp_path)
    assert (tmp_path / "dlib.dat").stat().st_size > 1000
    assert method.predictor.predict(faces.images[0], faces.boxes[0]).shape == (1, 68, 2)


@pytest.mark.parametrize("name", ["svm", "ert:enormous", "dlib:fast", ""])
def test_what_cannot_be_trained_is_refused(name: str, faces: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError):
        train_methods([name], faces, tmp_path)
    assert list(tmp_path.iterdir()) == []
