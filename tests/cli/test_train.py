"""``classicface train ert``: files, provenance, repeatability, mistakes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import classicface
from classicface.cli import main
from classicface.cli.train import provenance
from classicface.persistence import read_model

TINY = ["--set", "n_stages=2", "--set", "n_trees=10", "--set", "depth=3", "--preset", "fast"]


def train(folder: Path, output: Path, *more: str) -> None:
    assert main(["train", "ert", str(folder), "-o", str(output), *TINY, *more]) == 0


def test_a_model_that_knows_where_it_comes_from(
    face_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "model.safetensors"
    train(face_folder, output, "--seed", "3", "--terms", "any use")
    out, err = capsys.readouterr()
    assert out == ""
    assert "20 faces to train on" in err
    assert "of memory at the peak" in err
    predictor = classicface.load(output)
    origin = predictor.provenance_
    assert origin["data"] == ["faces"]
    assert origin["command"] == (
        "classicface train ert faces --preset fast --set n_stages=2 --set n_trees=10"
        " --set depth=3 --seed 3"
    )
    assert origin["seed"] == 3
    assert origin["terms"] == "any use"
    assert origin["versions"]["classicface"] == classicface.__version__
    assert str(tmp_path) not in str(read_model(output)[0])


def test_same_seed_same_file_on_any_number_of_threads(face_folder: Path, tmp_path: Path) -> None:
    contents = []
    for i, more in enumerate((["--jobs", "1"], ["--jobs", "2"], [])):
        train(face_folder, tmp_path / f"{i}.safetensors", *more)
        contents.append((tmp_path / f"{i}.safetensors").read_bytes())
    assert contents[0] == contents[1] == contents[2]


def test_options_reach_the_training(face_folder: Path, tmp_path: Path) -> None:
    plain, other = tmp_path / "plain.safetensors", tmp_path / "other.safetensors"
    train(face_folder, plain)
    tensors = read_model(plain)[1]
    for more in (["--no-mirror"], ["--seed", "1"]):
        train(face_folder, other, *more)
        changed = read_model(other)[1]
        assert any(not np.array_equal(tensors[name], changed[name]) for name in tensors)


def test_a_scheme_without_mirror_trains_without(
    faces: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "points.npz"
    from classicface.data.arrays import write_npz

    plain = classicface.LandmarkDataset(faces.images, faces.landmarks[:, :20], faces.boxes)
    write_npz(path, plain)
    train(path, tmp_path / "model.safetensors")
    err = capsys.readouterr().err
    assert "points20 does not say how its points mirror" in err
    assert "40 faces to train on" in err


def test_faulty_faces_stop_or_are_left_out(
    face_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (face_folder / "face3.pts").write_text("version: 1\nn_points: 68\n{\n1 2\n}\n")
    output = tmp_path / "model.safetensors"
    assert main(["train", "ert", str(face_folder), "-o", str(output), *TINY]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "face3.pts:" in err
    assert not output.exists()
    train(face_folder, output, "--skip-faulty", "--no-mirror")
    err = capsys.readouterr().err
    assert "left out 1 faulty face" in err
    assert "9 faces to train on" in err


def test_a_checkpoint_gives_the_same_model(face_folder: Path, tmp_path: Path) -> None:
    plain, resumed = tmp_path / "plain.safetensors", tmp_path / "resumed.safetensors"
    checkpoint = tmp_path / "model.checkpoint"
    train(face_folder, plain)
    train(face_folder, resumed, "--checkpoint", str(checkpoint))
    assert resumed.read_bytes() == plain.read_bytes()


def test_an_old_model_survives_a_failure(face_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.safetensors"
    output.write_bytes(b"old")
    (face_folder / "face3.pts").write_text("")
    assert main(["train", "ert", str(face_folder), "-o", str(output), *TINY]) == 2
    assert output.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["faces", "model.safetensors"]


def test_provenance_keeps_no_folder_of_this_machine(tmp_path: Path) -> None:
    text = str(provenance("ert", [tmp_path / "a", Path("..") / "b"], ["--seed 0"], 0, None))
    assert str(tmp_path) not in text
    assert "classicface train ert a b --seed 0" in text
