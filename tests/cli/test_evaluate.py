import json
from pathlib import Path

import pytest

from classicface.cli import main

KEYS = [
    *("n", "nme_interocular_mean", "nme_interocular_median", "nme_interpupil_mean", "auc_08"),
    *("failure_10", "us_per_face", "us_per_face_all_cores", "model_bytes"),
]


def test_table_names_the_normaliser(
    mean_model: Path, face_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(mean_model), str(face_folder)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "NME, mean (inter-ocular)" in out
    assert "NME, mean (inter-pupil)" in out
    assert "failures over 0.10 (inter-ocular)" in out


def test_json_on_stdout_is_nothing_else(
    mean_model: Path, face_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", str(mean_model), str(face_folder), "--boxes", "landmarks"]
    assert main([*arguments, "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result) == KEYS
    assert result["n"] == 10
    assert result["model_bytes"] == mean_model.stat().st_size


def test_json_to_a_file_beside_the_table(
    mean_model: Path, face_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "figures.json"
    assert main(["evaluate", str(mean_model), str(face_folder), "--json", str(path)]) == 0
    assert list(json.loads(path.read_text())) == KEYS
    assert "inter-ocular" in capsys.readouterr().out


def test_an_unwritable_place_is_told_before_the_work(
    mean_model: Path, face_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", str(mean_model), str(face_folder), "--json", "nowhere/f.json"]
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "no folder nowhere" in err


def test_data_of_another_size_is_one_line(
    mean_model: Path, tmp_path: Path, face_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in face_folder.glob("*.pts"):
        lines = path.read_text().splitlines()
        lines = [line.replace("68", "67") if "n_points" in line else line for line in lines]
        path.write_text("\n".join([*lines[:-2], "}"]))
    assert main(["evaluate", str(mean_model), str(face_folder)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ibug68" in err
