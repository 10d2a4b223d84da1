"""``classicface export``: what can be written is, and the rest is told so in one line."""

from pathlib import Path

import numpy as np
import pytest

import classicface
from classicface.cascade.ert import ERTFitter
from classicface.cli import main
from classicface.exceptions import MissingDependencyError


@pytest.fixture
def written(mean_shape, monkeypatch):
    """Let the predictor of the tests be exportable; return the paths it is asked to write."""
    paths = []

    def to_onnx(self, path):
        paths.append(path)
        Path(path).write_bytes(bytes(1500))

    monkeypatch.setattr(mean_shape, "to_onnx", to_onnx, raising=False)
    return paths


def test_the_predictor_writes_the_file(written, mean_model, tmp_path, capsys):
    path = tmp_path / "net.onnx"
    assert main(["export", str(mean_model), "-o", str(path)]) == 0
    assert written == [path]
    assert capsys.readouterr().err == f"classicface: wrote 1.5 kB to {path}\n"


def test_help_shows_an_example(capsys):
    assert main(["export", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Example: classicface export heatmap68 -o heatmap68.onnx" in text


def test_other_classes_are_refused(mean_model, tmp_path, capsys):
    path = tmp_path / "net.onnx"
    assert main(["export", str(mean_model), "-o", str(path)]) == 2
    err = capsys.readouterr().err
    assert "class MeanShape, which ONNX cannot hold; it can hold" in err
    assert "MeanShape" not in err.partition("it can hold")[2]
    assert err.count("\n") == 1
    assert not path.exists()


def test_the_refusal_names_what_can_be_written(written, capsys, tmp_path):
    assert main(["export", "ert68", "-o", str(tmp_path / "net.onnx")]) == 2
    err = capsys.readouterr().err
    assert "ert68: holds a model of class ERTFitter" in err
    assert "MeanShape" in err.partition("it can hold")[2]


def test_a_missing_package_is_named(mean_shape, mean_model, tmp_path, capsys, monkeypatch):
    def to_onnx(self, path):
        raise MissingDependencyError('pip install "classicface[onnx]"')

    monkeypatch.setattr(mean_shape, "to_onnx", to_onnx, raising=False)
    assert main(["export", str(mean_model), "-o", str(tmp_path / "net.onnx")]) == 2
    assert 'pip install "classicface[onnx]"' in capsys.readouterr().err


@pytest.fixture
def for_dlib(faces, tmp_path):
    """Return the files of a small cascade of dlib's style, in our format and in dlib's."""
    fitter = ERTFitter.from_preset(
        "dlib", n_stages=2, n_trees=5, oversampling=3, n_pixels=30, random_state=0
    )
    fitter.fit(faces).save(tmp_path / "ours.safetensors")
    assert main(["export", str(tmp_path / "ours.safetensors"), "-o", str(tmp_path / "x.dat")]) == 0
    return tmp_path / "ours.safetensors", tmp_path / "x.dat"


def test_a_file_of_dlib_and_back(for_dlib, faces, tmp_path):
    ours, theirs = for_dlib
    back = tmp_path / "back.safetensors"
    assert main(["export", str(theirs), "-o", str(back)]) == 0
    points = [classicface.load(p).predict(faces.images[0], faces.boxes[0]) for p in (ours, back)]
    assert np.allclose(*points, atol=0.5)


def test_a_file_of_dlib_is_compressed(for_dlib, tmp_path):
    small = tmp_path / "small.safetensors"
    arguments = ["export", str(for_dlib[1]), "-o", str(small), "--directions", "16"]
    assert main(arguments) == 0
    assert classicface.load(small).cascade_.leaves.dtype == np.int8


def test_what_dlib_cannot_hold_is_refused(tmp_path, capsys):
    assert main(["export", "ert68", "-o", str(tmp_path / "x.dat")]) == 2
    err = capsys.readouterr().err
    assert "ert68: dlib's shape_predictor cannot hold the model" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ert68", "-o", "x.pt"], "no format has the ending '.pt'; there are .onnx, .dat"),
        (["ert68", "-o", "x.safetensors", "--directions", "32"], "compresses .dat files"),
        (["nothing.safetensors", "-o", "x.onnx"], "no such model file"),
        (["ert68"], "--output"),
        ([], "Missing argument"),
    ],
)
def test_mistakes(arguments, message, capsys):
    assert main(["export", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
