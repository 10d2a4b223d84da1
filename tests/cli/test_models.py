from pathlib import Path
from typing import Any

import pytest

from classicface import registry
from classicface.cli import main
from classicface.cli.models import accuracy_text


def test_a_model_is_shown_with_its_terms(
    mean_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "MODELS", {"mean": mean_model})
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    for text in ("mean", "MeanShape", "68", "kB", "any use", "not measured"):
        assert text in out


def test_without_models(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "MODELS", {})
    assert main(["models"]) == 0
    assert "no model is bundled" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("accuracy", "text"),
    [
        ({}, "not measured"),
        ({"nme_interocular_mean": 4.0, "data": "faces"}, "NME 4.00 % (inter-ocular) on faces"),
        ({"nme_interocular_mean": None, "nme_box_mean": 3.2}, "NME 3.20 % (landmark box)"),
    ],
)
def test_accuracy_names_its_normaliser(accuracy: dict[str, Any], text: str) -> None:
    assert accuracy_text(accuracy) == text
