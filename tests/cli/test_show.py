"""``classicface show``: the pictures of a shape model, from any file that holds one."""

import numpy as np
import pytest

from classicface.cli import main
from classicface.persistence import read_model, write_model
from classicface.shape.pdm import PointDistributionModel


@pytest.fixture
def shape_model(faces, tmp_path):
    path = tmp_path / "shape.safetensors"
    PointDistributionModel.fit(faces.landmarks, 5).save(path)
    return path


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("png", ["mean.png", "modes.png", "variance.png"]),
        ("gif", ["modes.gif"]),
        ("html", ["modes.html"]),
    ],
)
def test_pictures(shape_model, tmp_path, capsys, form, names):
    folder = tmp_path / "pictures"
    command = ["show", str(shape_model), "-o", str(folder), "--format", form, "--modes", "2"]
    assert main(command) == 0
    assert sorted(path.name for path in folder.iterdir()) == names
    out, err = capsys.readouterr()
    assert "68 points (ibug68) from 40 shapes: 5 components" in out
    rows = [line.split() for line in out.splitlines() if line.split()[:1] in (["1"], ["2"])]
    model = PointDistributionModel.load(shape_model)
    shares = 100 * model.explained
    assert [row[1] for row in rows] == [f"{share:.1f}" for share in shares[:2]]
    assert rows[1][3] == f"{shares[:2].sum():.1f}"
    assert all(str(folder / name) in err for name in names)


def test_png_is_the_default_and_the_folder_too(shape_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["show", str(shape_model), "--modes", "1"]) == 0
    assert (tmp_path / "classicface-pictures" / "modes.png").stat().st_size > 1000


def test_a_predictor_that_holds_a_shape_model(shape_model, mean_model, tmp_path, capsys):
    header, tensors = read_model(mean_model)
    write_model(mean_model, header, {**tensors, **read_model(shape_model)[1]})
    command = ["show", str(mean_model), "-o", str(tmp_path / "out"), "--format", "html"]
    assert main(command) == 0
    assert "40 shapes" in capsys.readouterr().out


def test_a_model_without_one(mean_model, tmp_path, capsys):
    assert main(["show", str(mean_model), "-o", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert "class 'MeanShape' holds no shape model; classicface train shape learns one" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_bundled_cascade_has_none(capsys):
    assert main(["show", "ert68"]) == 2
    assert "class 'ERTFitter' holds no shape model" in capsys.readouterr().err


def test_a_single_shape_has_a_mean_only(faces, tmp_path, capsys):
    path = tmp_path / "one.safetensors"
    PointDistributionModel.fit(faces.landmarks[:1]).save(path)
    assert main(["show", str(path), "-o", str(tmp_path / "out")]) == 0
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mean.png"]
    assert "from 1 shape: 0 components" in capsys.readouterr().out
    assert main(["show", str(path), "-o", str(tmp_path / "out"), "--format", "gif"]) == 2
    assert "its shapes do not vary" in capsys.readouterr().err


def test_what_is_left_out_is_measured(faces, tmp_path, capsys):
    """The figure against the distances of the training shapes themselves."""
    path = tmp_path / "shape.safetensors"
    model = PointDistributionModel.fit(faces.landmarks, 5)
    model.save(path)
    assert main(["show", str(path), "-o", str(tmp_path), "--format", "html"]) == 0
    text = capsys.readouterr().out
    stated = float(text.partition("of a point: ")[2].partition(" %")[0]) / 100
    pose, b = model.to_parameters(faces.landmarks)
    left = np.sum((model.to_landmarks(b, pose) - faces.landmarks) ** 2, axis=(1, 2)) / 68
    sizes = np.hypot(pose[:, 0], pose[:, 1]) * np.ptp(model.mean, axis=0).max()
    assert stated == pytest.approx(np.sqrt(np.mean(left / sizes**2)), rel=0.05)


@pytest.mark.parametrize("bad", [["--modes", "0"], ["--modes", "21"], ["--format", "pdf"]])
def test_mistakes(shape_model, tmp_path, capsys, bad):
    assert main(["show", str(shape_model), "-o", str(tmp_path / "out"), *bad]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["show", str(tmp_path / "none.safetensors")]) == 2
    assert "no such model file" in capsys.readouterr().err
