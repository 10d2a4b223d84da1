from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classicface import registry
from classicface.cli import demo, main
from classicface.data.pts import read_pts
from classicface.image.io import read_image


def test_the_astronaut(
    mean_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(registry.MODELS, registry.DEFAULT_MODEL, mean_model)
    monkeypatch.setattr(demo, "drawn_faces", lambda: None)
    assert main(["demo", "-o", str(tmp_path / "demo")]) == 0
    points = read_pts(tmp_path / "demo" / "astronaut.pts")
    np.testing.assert_allclose(points.mean(axis=0), (222, 118), atol=20)
    assert read_image(tmp_path / "demo" / "astronaut.png", "rgb").shape == (1024, 1024, 3)
    assert "68 landmarks" in capsys.readouterr().out


def test_training_on_drawn_faces_lowers_the_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "N_TRAIN", 60)
    monkeypatch.setattr(demo, "N_TEST", 20)
    monkeypatch.setitem(demo.PARAMETERS, "n_stages", 3)
    demo.drawn_faces()
    lines = [line for line in capsys.readouterr().out.splitlines() if "NME" in line]
    before, after = (float(line.split()[-2]) for line in lines)
    assert after < 0.8 * before


def test_mean_shape_error_of_one_face_is_zero(faces: Any) -> None:
    one = faces.subset([0])
    assert demo.mean_shape_error(one, one) == pytest.approx(0, abs=1e-3)
    assert 1 < demo.mean_shape_error(faces, faces) < 30
