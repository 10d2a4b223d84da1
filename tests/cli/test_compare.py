"""``classicface compare``: what it takes, what it refuses, and that the report is there."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import classicface
from classicface.cli import compare, main

FILES = {"report.html", "report.md", "results.json", "methods.csv", "faces.csv", "landmarks.csv"}


def figures(folder: Path) -> dict[str, dict[str, object]]:
    record = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return {method["name"]: method for method in record["methods"]}


def test_models_side_by_side(
    mean_model: Path, face_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    models = f"{mean_model},again={mean_model},ert68"
    assert main(["compare", str(face_folder), "--quick", "-m", models, "-o", str(out)]) == 0
    printed, said = capsys.readouterr()
    assert "NME (inter-ocular)" in printed
    assert "2 to 3" in printed
    assert "3 methods on 10 faces" in said
    assert {path.name for path in out.iterdir()} >= FILES
    found = figures(out)
    assert found["ert68"]["rank"] == [1, 1]
    assert found["mean"]["rank"] == found["again"]["rank"] == [2, 3]
    assert found["mean"]["footprint"]["model_bytes"] == mean_model.stat().st_size  # type: ignore[index]
    with (out / "methods.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == 4


def test_without_data_it_runs_on_drawn_faces(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "N_SYNTHETIC", 8)
    arguments = ["--quick", "--robustness", "3", "--no-pictures", "--models", "ert68"]
    assert main(["compare", *arguments, "-o", str(tmp_path)]) == 0
    assert "1 method on 8 faces" in capsys.readouterr().err
    record = json.loads((tmp_path / "results.json").read_text())
    assert record["data"] == "drawn faces"
    assert len(record["methods"][0]["robustness"]["shift"]) == 5
    assert "jpeg" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_training_first_and_keeping_a_quarter_to_test_on(
    face_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", "--train", str(face_folder), "--quick", "-m", "aam", "-o"]
    assert main([*arguments, str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / "results.json").read_text())
    assert record["n_faces"] in (2, 3)
    assert record["methods"][0]["training_seconds"] > 0
    model = classicface.load(tmp_path / "out" / "models" / "aam.safetensors")
    assert type(model).__name__ == "AAMFitter"
    assert "trained in" in capsys.readouterr().err


def test_a_detector_finds_the_boxes(
    mean_model: Path, face_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", str(face_folder), "-m", str(mean_model), "--quick", "--boxes", "haar"]
    status = main([*arguments, "-o", str(tmp_path / "out")])
    if status == 2:  # drawn faces are no photographs
        assert "haar detector found none" in capsys.readouterr().err
    else:
        record = json.loads((tmp_path / "out" / "results.json").read_text())
        assert record["detector"]["n_faces"] == 10


def test_at_most_so_many_faces_by_seed(faces: classicface.LandmarkDataset) -> None:
    few = compare._at_most(faces, 5, seed=1)
    assert len(few) == 5
    assert few.names == compare._at_most(faces, 5, seed=1).names
    assert few.names != compare._at_most(faces, 5, seed=2).names
    assert compare._at_most(faces, 100, seed=1) is faces
    assert np.isin(few.names, faces.names).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "ert"], "with --train DATA"),
        (["--models", "nobody"], "no such model file"),
        (["--models", "ert68,ert68"], "two methods are called 'ert68'"),
        (["--models", "dlib:nowhere.dat"], "nowhere.dat"),
        (["--train", "FOLDER", "--models", "ert:enormous"], "no preset 'enormous'"),
        (["nowhere"], "no such file or folder"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    message: str,
    face_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [str(face_folder) if text == "FOLDER" else text for text in arguments]
    assert main(["compare", *arguments, "-o", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err.splitlines()[-1]
