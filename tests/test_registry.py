"""Loading models by file and by name, and every way in which a file can be no model."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import classicface
from classicface import registry
from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.persistence import write_model


def test_loads_what_was_saved(mean_model: Path, faces: Any) -> None:
    loaded = classicface.load(mean_model)
    assert type(loaded).__name__ == "MeanShape"
    assert loaded.provenance_ == {"terms": "any use"}
    predicted = loaded.predict_many(faces.images, faces.boxes)
    assert predicted.shape == (40, 68, 2)


def test_a_bundled_name_goes_before_a_file(
    mean_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.MODELS, "mean", mean_model)
    assert registry.model_path("mean") == mean_model
    assert type(classicface.load("mean")).__name__ == "MeanShape"


def test_no_such_model_names_those_that_there_are(
    mean_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MODELS", {"mean": mean_model})
    with pytest.raises(ModelFormatError, match=r"men: no such model file; bundled models: mean"):
        classicface.load("men")


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="no such model file"):
        classicface.load(tmp_path)


def test_an_unknown_class_is_named(tmp_path: Path) -> None:
    path = tmp_path / "new.safetensors"
    for name in ("Newer", None, 3, ["ERTFitter"]):
        write_model(path, {"class": name}, {"a": np.zeros(3)})
        with pytest.raises(ModelFormatError, match=r"new\.safetensors: holds a model of class"):
            classicface.load(path)
    with pytest.raises(InvalidInputError, match="ERTFitter"):
        registry.predictor_class("Newer")


def test_every_registered_class_can_be_imported() -> None:
    for name in registry.CLASSES:
        assert registry.predictor_class(name).__name__ == name


def test_every_bundled_model_loads_and_has_a_card() -> None:
    for name, path in registry.MODELS.items():
        predictor = classicface.load(name)
        assert predictor.provenance_["terms"]
        assert path.with_suffix(".md").is_file()
        assert path.stat().st_size <= 4_000_000


def test_a_pickle_runs_nothing(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.write_text, (tmp_path / "ran", "it ran"))

    path = tmp_path / "pickle.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelFormatError, match="not a classicface model"):
        classicface.load(path)
    assert not (tmp_path / "ran").exists()


def test_a_cut_model_is_refused(mean_model: Path, tmp_path: Path) -> None:
    data = mean_model.read_bytes()
    path = tmp_path / "cut.safetensors"
    for length in range(0, len(data), 100):
        path.write_bytes(data[:length])
        with pytest.raises(ModelFormatError):
            classicface.load(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**9), flip=st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_changes_nothing(
    mean_model: Path, tmp_path: Path, place: int, flip: int
) -> None:
    data = bytearray(mean_model.read_bytes())
    data[place % len(data)] ^= flip
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(data)
    try:
        loaded = classicface.load(path)
    except ModelFormatError:
        return
    original = classicface.load(mean_model)
    assert np.array_equal(loaded.mean_, original.mean_)  # type: ignore[attr-defined]
