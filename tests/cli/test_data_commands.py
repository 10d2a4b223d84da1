"""`validate` and `convert`."""

from pathlib import Path

import numpy as np
import pytest

import classicface
from classicface.cli import main


def test_sound_data_has_no_fault(face_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(face_folder)]) == 0
    assert capsys.readouterr().out == "0 errors, 0 warnings\n"


def test_each_fault_has_its_file_and_line(
    face_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (face_folder / "face2.pts").read_text().splitlines()
    lines[7] = "12.5 nan"
    (face_folder / "face2.pts").write_text("\n".join(lines))
    (face_folder / "face4.png").unlink()
    assert main(["validate", str(face_folder)]) == 1
    out = capsys.readouterr().out
    assert f"{face_folder / 'face2.pts'}:8: error: " in out
    assert f"{face_folder / 'face4.pts'}: error: no picture" in out
    assert "\n2 errors" in out


@pytest.mark.parametrize("target", ["faces.csv", "faces.npz", "copies"])
def test_convert_keeps_the_landmarks(
    face_folder: Path, tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / target
    assert main(["convert", str(face_folder), str(output)]) == 0
    assert "wrote 10 faces" in capsys.readouterr().err
    before, after = classicface.load_dataset(face_folder), classicface.load_dataset(output)
    np.testing.assert_allclose(after.landmarks, before.landmarks, atol=1e-3)


def test_convert_to_dlib_rounds_to_pixels(face_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "faces.xml"
    assert main(["convert", str(face_folder), str(output)]) == 0
    before, after = classicface.load_dataset(face_folder), classicface.load_dataset(output)
    assert len(after) == 10
    assert before.scheme == after.scheme


def test_convert_to_an_unwritable_place(
    face_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", str(face_folder), str(tmp_path / "no" / "faces.csv")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "faces.csv: cannot be written" in err
    assert not (tmp_path / "no").exists()
